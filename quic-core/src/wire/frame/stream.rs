//! STREAM, RESET_STREAM, STOP_SENDING (RFC 9000 §19.4, §19.5, §19.8), RESET_STREAM_AT
//! (draft-ietf-quic-reliable-stream-reset §4).

use super::{FrameType, Malformed};
use crate::wire::{Full, Reader, StreamId, VarInt, Writer, varint_length};

const FIN: u64 = 0x01;
const LEN: u64 = 0x02;
const OFF: u64 = 0x04;

/// Data of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(
    not(feature = "wire"),
    expect(clippy::struct_field_names, reason = "RFC 9000 §19.8 names the field so")
)]
pub struct Stream<'a> {
    /// The stream that it is about.
    pub stream_id: StreamId,
    /// Where the data starts in the stream.
    pub offset: u64,
    /// Whether the data ends the stream.
    pub fin: bool,
    /// The bytes; they end below 2^62.
    pub data: &'a [u8],
}

impl<'a> Stream<'a> {
    #[inline]
    pub(super) fn decode(reader: &mut Reader<'a>, ty: FrameType) -> Result<Self, Malformed> {
        let stream_id = reader.stream_id()?;
        let offset = if ty.0 & OFF != 0 { reader.varint()? } else { 0 };
        let data = if ty.0 & LEN != 0 {
            reader.prefixed_bytes()?
        } else {
            reader.bytes(reader.remaining())?
        };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.8
        //# Receipt of a frame that exceeds this limit MUST be treated as a
        //# connection error of type FRAME_ENCODING_ERROR or FLOW_CONTROL_ERROR.
        if offset + data.len() as u64 > VarInt::MAX.into_inner() {
            return Err(Malformed("stream data ends at 2^62 or beyond"));
        }
        Ok(Self { stream_id, offset, fin: ty.0 & FIN != 0, data })
    }
}

/// How a STREAM frame's length travels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamLength {
    /// In a field of its own, so that other frames can follow.
    Explicit,
    /// Not at all: the frame is the last of its packet.
    ToTheEnd,
}

/// Bytes that a STREAM frame takes beside its data, for up to `data` bytes of it.
pub fn stream_overhead(id: StreamId, offset: u64, data: u64, length: StreamLength) -> usize {
    let offset_length = if offset == 0 { 0 } else { varint_length(offset) };
    let length_length = match length {
        StreamLength::Explicit => varint_length(data),
        StreamLength::ToTheEnd => 0,
    };
    1 + varint_length(id.value()) + offset_length + length_length
}

/// What comes before the data of a STREAM frame of `data` bytes.
#[derive(Clone, Copy, Debug)]
pub struct StreamHeader {
    /// The stream that it is about.
    pub stream_id: StreamId,
    /// Where the data starts in the stream.
    pub offset: u64,
    /// Bytes of data that follow.
    pub data_length: u64,
    /// Whether the stream ends behind the data.
    pub fin: bool,
    /// Whether the Length field is there.
    pub length: StreamLength,
}

impl StreamHeader {
    /// Writes the frame.
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        let off = if self.offset == 0 { 0 } else { OFF };
        let len = if self.length == StreamLength::Explicit { LEN } else { 0 };
        let fin = if self.fin { FIN } else { 0 };
        writer.varint(FrameType::STREAM.0 | off | len | fin)?;
        writer.varint(self.stream_id.value())?;
        if self.offset != 0 {
            writer.varint(self.offset)?;
        }
        match self.length {
            StreamLength::Explicit => writer.varint(self.data_length),
            StreamLength::ToTheEnd => Ok(()),
        }
    }
}

/// The sender gives up the sending part of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ResetStream {
    /// The stream that it is about.
    pub stream_id: StreamId,
    /// A code of the application.
    pub error_code: VarInt,
    /// The length of the stream, in bytes.
    pub final_size: u64,
}

impl ResetStream {
    #[inline]
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            stream_id: reader.stream_id()?,
            error_code: VarInt::saturating(reader.varint()?),
            final_size: reader.varint()?,
        })
    }

    /// Writes the frame.
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.varint(FrameType::RESET_STREAM.0)?;
        writer.varint(self.stream_id.value())?;
        writer.varint(self.error_code.into_inner())?;
        writer.varint(self.final_size)
    }
}

/// The sender gives up the sending part of a stream, but for its beginning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ResetStreamAt {
    /// The stream that it is about.
    pub stream_id: StreamId,
    /// A code of the application.
    pub error_code: VarInt,
    /// The length of the stream, in bytes.
    pub final_size: u64,
    /// Bytes that are delivered all the same; at most `final_size`.
    pub reliable_size: u64,
}

impl ResetStreamAt {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let frame = Self {
            stream_id: reader.stream_id()?,
            error_code: VarInt::saturating(reader.varint()?),
            final_size: reader.varint()?,
            reliable_size: reader.varint()?,
        };
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-4
        //# If the Reliable Size is larger than the Final Size, the receiver MUST
        //# close the connection with a connection error of type
        //# FRAME_ENCODING_ERROR.
        if frame.reliable_size > frame.final_size {
            return Err(Malformed("Reliable Size is above Final Size"));
        }
        Ok(frame)
    }

    /// Writes the frame.
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.varint(FrameType::RESET_STREAM_AT.0)?;
        writer.varint(self.stream_id.value())?;
        writer.varint(self.error_code.into_inner())?;
        writer.varint(self.final_size)?;
        writer.varint(self.reliable_size)
    }
}

/// The receiver will not read any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StopSending {
    /// The stream that it is about.
    pub stream_id: StreamId,
    /// A code of the application.
    pub error_code: VarInt,
}

impl StopSending {
    #[inline]
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            stream_id: reader.stream_id()?,
            error_code: VarInt::saturating(reader.varint()?),
        })
    }

    /// Writes the frame.
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.varint(FrameType::STOP_SENDING.0)?;
        writer.varint(self.stream_id.value())?;
        writer.varint(self.error_code.into_inner())
    }
}
