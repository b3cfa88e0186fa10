//! Limits and being blocked by them (RFC 9000 §19.9 to §19.14).

use super::{FrameType, Malformed};
use crate::wire::{Direction, Full, Reader, StreamId, Writer};

/// Raises the limit on the data of one stream (RFC 9000 §19.10).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MaxStreamData {
    /// The stream that is limited.
    pub stream_id: StreamId,
    /// The new limit on the stream's length, in bytes.
    pub maximum: u64,
}

impl MaxStreamData {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { stream_id: reader.stream_id()?, maximum: reader.varint()? })
    }

    /// Writes the frame.
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.varint(FrameType::MAX_STREAM_DATA.0)?;
        writer.varint(self.stream_id.value())?;
        writer.varint(self.maximum)
    }
}

/// The sender has more for a stream than its limit allows (RFC 9000 §19.13).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StreamDataBlocked {
    /// The stream that is limited.
    pub stream_id: StreamId,
    /// The limit at which it is blocked, in bytes.
    pub limit: u64,
}

impl StreamDataBlocked {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { stream_id: reader.stream_id()?, limit: reader.varint()? })
    }

    /// Writes the frame.
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.varint(FrameType::STREAM_DATA_BLOCKED.0)?;
        writer.varint(self.stream_id.value())?;
        writer.varint(self.limit)
    }
}

/// Raises the number of streams that may be opened in all (RFC 9000 §19.11).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MaxStreams {
    /// Which streams it is about.
    pub direction: Direction,
    /// At most 2^60.
    pub maximum: u64,
}

impl MaxStreams {
    pub(super) fn decode(reader: &mut Reader<'_>, ty: FrameType) -> Result<Self, Malformed> {
        let direction = match ty {
            FrameType::MAX_STREAMS_BIDI => Direction::Bidirectional,
            _ => Direction::Unidirectional,
        };
        Ok(Self { direction, maximum: stream_count(reader)? })
    }

    pub(super) fn frame_type(self) -> FrameType {
        match self.direction {
            Direction::Bidirectional => FrameType::MAX_STREAMS_BIDI,
            Direction::Unidirectional => FrameType::MAX_STREAMS_UNI,
        }
    }

    /// Writes the frame.
    pub fn encode(self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.varint(self.frame_type().0)?;
        writer.varint(self.maximum)
    }
}

/// The sender wants to open more streams than it may (RFC 9000 §19.14).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StreamsBlocked {
    /// Which streams it is about.
    pub direction: Direction,
    /// The limit at which it is blocked; at most 2^60.
    pub limit: u64,
}

impl StreamsBlocked {
    pub(super) fn decode(reader: &mut Reader<'_>, ty: FrameType) -> Result<Self, Malformed> {
        let direction = match ty {
            FrameType::STREAMS_BLOCKED_BIDI => Direction::Bidirectional,
            _ => Direction::Unidirectional,
        };
        Ok(Self { direction, limit: stream_count(reader)? })
    }

    pub(super) fn frame_type(self) -> FrameType {
        match self.direction {
            Direction::Bidirectional => FrameType::STREAMS_BLOCKED_BIDI,
            Direction::Unidirectional => FrameType::STREAMS_BLOCKED_UNI,
        }
    }

    /// Writes the frame.
    pub fn encode(self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.varint(self.frame_type().0)?;
        writer.varint(self.limit)
    }
}

/// A number of streams: at most 2^60, since IDs are below 2^62 (RFC 9000 §19.11).
fn stream_count(reader: &mut Reader<'_>) -> Result<u64, Malformed> {
    let count = reader.varint()?;
    //= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
    //# If either is received, the connection MUST be closed immediately with a
    //# connection error of type TRANSPORT_PARAMETER_ERROR if the offending
    //# value was received in a transport parameter or of type
    //# FRAME_ENCODING_ERROR if it was received in a frame; see Section 10.2.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-19.11
    //# Receipt of a frame that permits opening of a stream larger than this
    //# limit MUST be treated as a connection error of type
    //# FRAME_ENCODING_ERROR.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-19.14
    //# Receipt of a frame that encodes a larger stream ID MUST be treated as a
    //# connection error of type STREAM_LIMIT_ERROR or FRAME_ENCODING_ERROR.
    if count > 1 << 60 {
        return Err(Malformed("more than 2^60 streams"));
    }
    Ok(count)
}
