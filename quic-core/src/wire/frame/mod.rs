//! Frames: what packets carry (RFC 9000 §12.4, §19).

mod ack;
mod ack_frequency;
mod close;
mod connection_ids;
mod crypto;
mod datagram;
mod extension;
mod flow_control;
mod path;
mod permitted;
mod stream;
mod token;

#[cfg(any(test, feature = "fuzzing", feature = "wire"))]
mod encode;

pub use ack::{Ack, AckRanges, EcnCounts, write_ack};
pub use ack_frequency::AckFrequency;
pub use close::ConnectionClose;
pub use connection_ids::{NewConnectionId, RetireConnectionId};
pub use crypto::Crypto;
pub use datagram::{Datagram, write_datagram};
pub use flow_control::{MaxStreamData, MaxStreams, StreamDataBlocked, StreamsBlocked};
pub use path::{PathChallenge, PathResponse};
pub use permitted::PacketType;
pub use stream::{
    ResetStream, ResetStreamAt, StopSending, Stream, StreamHeader, StreamLength, stream_overhead,
};
pub use token::NewToken;

use super::{Full, Reader, Truncated, Writer};

/// The type of a frame as it travels (RFC 9000 §12.4, Table 3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameType(pub u64);

impl FrameType {
    /// Whether it is one of the eight types of STREAM frames (RFC 9000 §19.8).
    #[inline]
    pub const fn is_stream(self) -> bool {
        self.0 & !0x07 == Self::STREAM.0
    }

    /// RFC 9000 §19.1.
    pub const PADDING: Self = Self(0x00);
    /// RFC 9000 §19.2.
    pub const PING: Self = Self(0x01);
    /// RFC 9000 §19.3; without ECN counts.
    pub const ACK: Self = Self(0x02);
    /// RFC 9000 §19.3; with ECN counts.
    pub const ACK_ECN: Self = Self(0x03);
    /// RFC 9000 §19.4.
    pub const RESET_STREAM: Self = Self(0x04);
    /// RFC 9000 §19.5.
    pub const STOP_SENDING: Self = Self(0x05);
    /// RFC 9000 §19.6.
    pub const CRYPTO: Self = Self(0x06);
    /// RFC 9000 §19.7.
    pub const NEW_TOKEN: Self = Self(0x07);
    /// The first of eight; the low bits say OFF (0x04), LEN (0x02) and FIN (0x01).
    pub const STREAM: Self = Self(0x08);
    /// RFC 9000 §19.9.
    pub const MAX_DATA: Self = Self(0x10);
    /// RFC 9000 §19.10.
    pub const MAX_STREAM_DATA: Self = Self(0x11);
    /// RFC 9000 §19.11; for bidirectional streams.
    pub const MAX_STREAMS_BIDI: Self = Self(0x12);
    /// RFC 9000 §19.11; for unidirectional streams.
    pub const MAX_STREAMS_UNI: Self = Self(0x13);
    /// RFC 9000 §19.12.
    pub const DATA_BLOCKED: Self = Self(0x14);
    /// RFC 9000 §19.13.
    pub const STREAM_DATA_BLOCKED: Self = Self(0x15);
    /// RFC 9000 §19.14; for bidirectional streams.
    pub const STREAMS_BLOCKED_BIDI: Self = Self(0x16);
    /// RFC 9000 §19.14; for unidirectional streams.
    pub const STREAMS_BLOCKED_UNI: Self = Self(0x17);
    /// RFC 9000 §19.15.
    pub const NEW_CONNECTION_ID: Self = Self(0x18);
    /// RFC 9000 §19.16.
    pub const RETIRE_CONNECTION_ID: Self = Self(0x19);
    /// RFC 9000 §19.17.
    pub const PATH_CHALLENGE: Self = Self(0x1a);
    /// RFC 9000 §19.18.
    pub const PATH_RESPONSE: Self = Self(0x1b);
    /// RFC 9000 §19.19; from the transport.
    pub const CONNECTION_CLOSE: Self = Self(0x1c);
    /// RFC 9000 §19.19; from the application.
    pub const APPLICATION_CLOSE: Self = Self(0x1d);
    /// RFC 9000 §19.20.
    pub const HANDSHAKE_DONE: Self = Self(0x1e);
    /// draft-ietf-quic-ack-frequency.
    pub const IMMEDIATE_ACK: Self = Self(0x1f);
    /// draft-ietf-quic-reliable-stream-reset.
    pub const RESET_STREAM_AT: Self = Self(0x24);
    /// RFC 9221; runs to the end of the packet.
    pub const DATAGRAM: Self = Self(0x30);
    /// RFC 9221; with a length.
    pub const DATAGRAM_WITH_LENGTH: Self = Self(0x31);
    /// draft-ietf-quic-ack-frequency.
    pub const ACK_FREQUENCY: Self = Self(0xaf);
}

/// A frame, borrowing its data from the packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Frame<'a> {
    /// A run of PADDING frames.
    Padding,
    /// Makes the receiver acknowledge (RFC 9000 §19.2).
    Ping,
    /// ACK, with or without ECN counts (RFC 9000 §19.3).
    Ack(Ack<'a>),
    /// RESET_STREAM (RFC 9000 §19.4).
    ResetStream(ResetStream),
    /// STOP_SENDING (RFC 9000 §19.5).
    StopSending(StopSending),
    /// CRYPTO (RFC 9000 §19.6).
    Crypto(Crypto<'a>),
    /// NEW_TOKEN (RFC 9000 §19.7).
    NewToken(NewToken<'a>),
    /// STREAM of any of the eight types (RFC 9000 §19.8).
    Stream(Stream<'a>),
    /// The new limit on the data of the connection, in bytes (RFC 9000 §19.9).
    MaxData(u64),
    /// MAX_STREAM_DATA (RFC 9000 §19.10).
    MaxStreamData(MaxStreamData),
    /// MAX_STREAMS of either direction (RFC 9000 §19.11).
    MaxStreams(MaxStreams),
    /// The limit at which the sender is blocked, in bytes (RFC 9000 §19.12).
    DataBlocked(u64),
    /// STREAM_DATA_BLOCKED (RFC 9000 §19.13).
    StreamDataBlocked(StreamDataBlocked),
    /// STREAMS_BLOCKED of either direction (RFC 9000 §19.14).
    StreamsBlocked(StreamsBlocked),
    /// NEW_CONNECTION_ID (RFC 9000 §19.15).
    NewConnectionId(NewConnectionId),
    /// RETIRE_CONNECTION_ID (RFC 9000 §19.16).
    RetireConnectionId(RetireConnectionId),
    /// PATH_CHALLENGE (RFC 9000 §19.17).
    PathChallenge(PathChallenge),
    /// PATH_RESPONSE (RFC 9000 §19.18).
    PathResponse(PathResponse),
    /// CONNECTION_CLOSE of either kind (RFC 9000 §19.19).
    ConnectionClose(ConnectionClose<'a>),
    /// The server confirms the handshake (RFC 9000 §19.20).
    HandshakeDone,
    /// IMMEDIATE_ACK (draft-ietf-quic-ack-frequency §5).
    ImmediateAck,
    /// RESET_STREAM_AT (draft-ietf-quic-reliable-stream-reset §4).
    ResetStreamAt(ResetStreamAt),
    /// DATAGRAM of either type (RFC 9221 §4).
    Datagram(Datagram<'a>),
    /// ACK_FREQUENCY (draft-ietf-quic-ack-frequency §4).
    AckFrequency(AckFrequency),
}

/// Why the bytes are no frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FrameError {
    /// A field has a value that the frame may not have, or the frame is cut off.
    Malformed {
        /// The frame's type.
        frame_type: FrameType,
        /// For people.
        reason: &'static str,
    },
    /// The type is not in its shortest encoding (RFC 9000 §12.4).
    OverlongType(FrameType),
    /// No frame of this type is known.
    UnknownType(FrameType),
}

/// What a codec found wrong; [`Frames`] adds the frame's type.
pub(super) struct Malformed(&'static str);

impl From<Truncated> for Malformed {
    fn from(_: Truncated) -> Self {
        Self("frame is cut off")
    }
}

/// Iterates over the frames of a packet; ends after the first error.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    reader: Reader<'a>,
}

impl<'a> Frames<'a> {
    /// The frames in `payload`, from the first on.
    pub fn new(payload: &'a [u8]) -> Self {
        Self { reader: Reader::new(payload) }
    }

    /// Bytes of the frames to come.
    pub fn remaining(&self) -> usize {
        self.reader.remaining()
    }

    /// The type of the next frame as it travels, if it is known; 0 behind the last one.
    #[inline]
    pub fn next_type(&self) -> FrameType {
        match self.reader.rest().first() {
            Some(first @ 0..0x40) => FrameType(u64::from(*first)),
            Some(_) => self.next_long_type(),
            None => FrameType::PADDING,
        }
    }

    /// The next frame, if it is a STREAM frame; ends after an error like the iterator.
    ///
    /// [`Frame`] has room for the largest of all frames. Most frames by far are STREAM: they need
    /// not be moved through it.
    #[inline]
    pub fn next_stream(&mut self) -> Option<Result<Stream<'a>, FrameError>> {
        let frame_type = FrameType(u64::from(*self.reader.rest().first()?));
        if !frame_type.is_stream() {
            return None;
        }
        let mut reader = self.reader.clone();
        // The byte is there, so this cannot fail.
        let _type: Result<u8, Truncated> = reader.u8();
        Some(match Stream::decode(&mut reader, frame_type) {
            Ok(stream) => {
                self.reader = reader;
                Ok(stream)
            }
            Err(Malformed(reason)) => {
                self.reader = Reader::new(&[]);
                Err(FrameError::Malformed { frame_type, reason })
            }
        })
    }

    #[cold]
    fn next_long_type(&self) -> FrameType {
        FrameType(self.reader.clone().varint().unwrap_or_default())
    }

    /// All types of version 1 take one byte.
    #[inline]
    fn frame(&mut self, first: u8) -> Result<Frame<'a>, FrameError> {
        let frame_type = FrameType(u64::from(first));
        if frame_type.0 > FrameType::HANDSHAKE_DONE.0 {
            return self.extension_frame();
        }
        let mut reader = self.reader.clone();
        // The byte is there, so this cannot fail.
        let _type: Result<u8, Truncated> = reader.u8();
        match body(&mut reader, frame_type) {
            Ok(frame) => {
                self.reader = reader;
                Ok(frame)
            }
            Err(Malformed(reason)) => Err(FrameError::Malformed { frame_type, reason }),
        }
    }
}

/// Reads what follows the type.
fn body<'a>(reader: &mut Reader<'a>, ty: FrameType) -> Result<Frame<'a>, Malformed> {
    Ok(match ty {
        FrameType::PADDING => {
            skip_padding(reader);
            Frame::Padding
        }
        FrameType::PING => Frame::Ping,
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.3
        //# QUIC implementations MUST properly handle both types, and, if they have
        //# enabled ECN for packets they send, they SHOULD use the information in
        //# the ECN section to manage their congestion state.
        FrameType::ACK => Frame::Ack(Ack::decode(reader, false)?),
        FrameType::ACK_ECN => Frame::Ack(Ack::decode(reader, true)?),
        FrameType::RESET_STREAM => Frame::ResetStream(ResetStream::decode(reader)?),
        FrameType::STOP_SENDING => Frame::StopSending(StopSending::decode(reader)?),
        FrameType::CRYPTO => Frame::Crypto(Crypto::decode(reader)?),
        FrameType::NEW_TOKEN => Frame::NewToken(NewToken::decode(reader)?),
        FrameType(0x08..=0x0f) => Frame::Stream(Stream::decode(reader, ty)?),
        FrameType::MAX_DATA => Frame::MaxData(reader.varint()?),
        FrameType::MAX_STREAM_DATA => Frame::MaxStreamData(MaxStreamData::decode(reader)?),
        FrameType::MAX_STREAMS_BIDI | FrameType::MAX_STREAMS_UNI => {
            Frame::MaxStreams(MaxStreams::decode(reader, ty)?)
        }
        FrameType::DATA_BLOCKED => Frame::DataBlocked(reader.varint()?),
        FrameType::STREAM_DATA_BLOCKED => {
            Frame::StreamDataBlocked(StreamDataBlocked::decode(reader)?)
        }
        FrameType::STREAMS_BLOCKED_BIDI | FrameType::STREAMS_BLOCKED_UNI => {
            Frame::StreamsBlocked(StreamsBlocked::decode(reader, ty)?)
        }
        FrameType::NEW_CONNECTION_ID => Frame::NewConnectionId(NewConnectionId::decode(reader)?),
        FrameType::RETIRE_CONNECTION_ID => {
            Frame::RetireConnectionId(RetireConnectionId::decode(reader)?)
        }
        FrameType::PATH_CHALLENGE => Frame::PathChallenge(PathChallenge::decode(reader)?),
        FrameType::PATH_RESPONSE => Frame::PathResponse(PathResponse::decode(reader)?),
        FrameType::CONNECTION_CLOSE | FrameType::APPLICATION_CLOSE => {
            Frame::ConnectionClose(ConnectionClose::decode(reader, ty)?)
        }
        FrameType::HANDSHAKE_DONE => Frame::HandshakeDone,
        _ => return Err(Malformed("frame type is unknown")),
    })
}

/// Takes a whole run of PADDING at once.
//= https://www.rfc-editor.org/rfc/rfc8899#section-4.1
//# A receiver is REQUIRED to be able to
//# distinguish an in-band data block from any added padding.
fn skip_padding(reader: &mut Reader<'_>) {
    // Sixteen at a time: a datagram is often padded with a thousand.
    let (chunks, _) = reader.rest().as_chunks::<16>();
    let chunks = chunks.iter().take_while(|chunk| u128::from_ne_bytes(**chunk) == 0).count() * 16;
    let tail = reader.rest().get(chunks..).unwrap_or_default();
    let run = chunks + tail.iter().take_while(|byte| **byte == 0).count();
    // The run is there, so this cannot fail.
    let _skipped: Result<&[u8], Truncated> = reader.bytes(run);
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, FrameError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let first = *self.reader.rest().first()?;
        let frame = self.frame(first);
        if frame.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(frame)
    }
}

impl Frame<'_> {
    /// The type; for STREAM the first of its eight.
    pub fn frame_type(&self) -> FrameType {
        match self {
            Self::Padding => FrameType::PADDING,
            Self::Ping => FrameType::PING,
            Self::Ack(ack) if ack.ecn.is_some() => FrameType::ACK_ECN,
            Self::Ack(_) => FrameType::ACK,
            Self::ResetStream(_) => FrameType::RESET_STREAM,
            Self::StopSending(_) => FrameType::STOP_SENDING,
            Self::Crypto(_) => FrameType::CRYPTO,
            Self::NewToken(_) => FrameType::NEW_TOKEN,
            Self::Stream(_) => FrameType::STREAM,
            Self::MaxData(_) => FrameType::MAX_DATA,
            Self::MaxStreamData(_) => FrameType::MAX_STREAM_DATA,
            Self::MaxStreams(frame) => frame.frame_type(),
            Self::DataBlocked(_) => FrameType::DATA_BLOCKED,
            Self::StreamDataBlocked(_) => FrameType::STREAM_DATA_BLOCKED,
            Self::StreamsBlocked(frame) => frame.frame_type(),
            Self::NewConnectionId(_) => FrameType::NEW_CONNECTION_ID,
            Self::RetireConnectionId(_) => FrameType::RETIRE_CONNECTION_ID,
            Self::PathChallenge(_) => FrameType::PATH_CHALLENGE,
            Self::PathResponse(_) => FrameType::PATH_RESPONSE,
            Self::ConnectionClose(frame) => frame.frame_type(),
            Self::HandshakeDone => FrameType::HANDSHAKE_DONE,
            Self::ImmediateAck => FrameType::IMMEDIATE_ACK,
            Self::ResetStreamAt(_) => FrameType::RESET_STREAM_AT,
            Self::Datagram(frame) => frame.frame_type(),
            Self::AckFrequency(_) => FrameType::ACK_FREQUENCY,
        }
    }

    /// Whether it may be sent on a path that is only being probed (RFC 9000 §9.1).
    #[inline]
    pub fn is_probing(&self) -> bool {
        matches!(
            self,
            Self::Padding
                | Self::NewConnectionId(_)
                | Self::PathChallenge(_)
                | Self::PathResponse(_)
        )
    }

    /// Bytes of a datagram's data, which are news to the application whatever came before.
    #[inline]
    pub fn datagram_bytes(&self) -> u64 {
        if let Self::Datagram(frame) = self { frame.data.len() as u64 } else { 0 }
    }

    /// Whether its packet has to be acknowledged (RFC 9002 §2).
    pub fn is_ack_eliciting(&self) -> bool {
        !matches!(self, Self::Padding | Self::Ack(_) | Self::ConnectionClose(_))
    }
}

/// Writes a frame that is nothing but its type and one integer: MAX_DATA, DATA_BLOCKED.
pub fn write_limit(writer: &mut Writer<'_>, frame_type: FrameType, limit: u64) -> Result<(), Full> {
    writer.varint(frame_type.0)?;
    writer.varint(limit)
}

#[cfg(test)]
mod tests;
