//! Writes any decoded frame again, to test decoders against encoders.

use super::{
    Ack, Frame, FrameType, Stream, StreamHeader, StreamLength, write_ack, write_datagram,
    write_limit,
};
use crate::wire::{Full, RangeSet, Writer};

impl Frame<'_> {
    /// Writes the frame in its shortest encoding; STREAM with a length, PADDING as one byte.
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        match self {
            Self::Padding | Self::Ping | Self::HandshakeDone | Self::ImmediateAck => {
                writer.varint(self.frame_type().0)
            }
            Self::Ack(frame) => encode_ack(frame, writer),
            Self::ResetStream(frame) => frame.encode(writer),
            Self::StopSending(frame) => frame.encode(writer),
            Self::Crypto(frame) => frame.encode(writer),
            Self::NewToken(frame) => frame.encode(writer),
            Self::Stream(frame) => encode_stream(frame, writer),
            Self::MaxData(limit) => write_limit(writer, FrameType::MAX_DATA, *limit),
            Self::MaxStreamData(frame) => frame.encode(writer),
            Self::MaxStreams(frame) => frame.encode(writer),
            Self::DataBlocked(limit) => write_limit(writer, FrameType::DATA_BLOCKED, *limit),
            Self::StreamDataBlocked(frame) => frame.encode(writer),
            Self::StreamsBlocked(frame) => frame.encode(writer),
            Self::NewConnectionId(frame) => frame.encode(writer),
            Self::RetireConnectionId(frame) => frame.encode(writer),
            Self::PathChallenge(frame) => frame.encode(writer),
            Self::PathResponse(frame) => frame.encode(writer),
            Self::ConnectionClose(frame) => frame.encode(writer),
            Self::ResetStreamAt(frame) => frame.encode(writer),
            Self::Datagram(frame) => write_datagram(writer, frame.data, true),
            Self::AckFrequency(frame) => frame.encode(writer),
        }
    }
}

fn encode_ack(frame: &Ack<'_>, writer: &mut Writer<'_>) -> Result<(), Full> {
    let mut numbers = RangeSet::default();
    for range in frame.ranges() {
        numbers.insert(*range.start()..range.end().saturating_add(1));
    }
    write_ack(writer, &numbers, frame.encoded_delay, frame.ecn)
}

fn encode_stream(frame: &Stream<'_>, writer: &mut Writer<'_>) -> Result<(), Full> {
    let header = StreamHeader {
        stream_id: frame.stream_id,
        offset: frame.offset,
        data_length: frame.data.len() as u64,
        fin: frame.fin,
        length: StreamLength::Explicit,
    };
    header.encode(writer)?;
    writer.bytes(frame.data)
}
