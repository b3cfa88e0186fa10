//! What is told of frames: everything but what belongs to the application, and secrets.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::wire::frame::{Ack, AckRanges, Frame};
use crate::wire::{ConnectionId, Direction, StreamId};

/// A frame (RFC 9000 §19), without the data of streams, tokens and reset tokens.
///
/// Frames of later extensions will be further variants: a log that passed over them would be wrong.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "RFC 9000 §19 tells of each field, under the same name")]
pub enum FrameRecord<'a> {
    /// A run of PADDING frames, of so many bytes.
    Padding {
        length: usize,
    },
    Ping,
    Ack {
        /// In time, as the ACK Delay field and the sender's ack_delay_exponent say.
        delay: Duration,
        ranges: AckedRanges<'a>,
        ecn: Option<EcnTotals>,
    },
    ResetStream {
        stream: StreamId,
        error_code: u64,
        final_size: u64,
    },
    StopSending {
        stream: StreamId,
        error_code: u64,
    },
    Crypto {
        offset: u64,
        length: usize,
    },
    NewToken {
        length: usize,
    },
    Stream {
        stream: StreamId,
        offset: u64,
        length: usize,
        fin: bool,
    },
    MaxData {
        maximum: u64,
    },
    MaxStreamData {
        stream: StreamId,
        maximum: u64,
    },
    MaxStreams {
        direction: Direction,
        maximum: u64,
    },
    DataBlocked {
        limit: u64,
    },
    StreamDataBlocked {
        stream: StreamId,
        limit: u64,
    },
    StreamsBlocked {
        direction: Direction,
        limit: u64,
    },
    NewConnectionId {
        sequence: u64,
        retire_prior_to: u64,
        id: ConnectionId,
    },
    RetireConnectionId {
        sequence: u64,
    },
    PathChallenge {
        data: [u8; 8],
    },
    PathResponse {
        data: [u8; 8],
    },
    ConnectionClose {
        error_code: u64,
        /// The frame that caused it, if the transport closes; `None` if the application does.
        frame_type: Option<u64>,
        reason: &'a [u8],
    },
    HandshakeDone,
    /// RFC 9221.
    Datagram {
        length: usize,
    },
    /// draft-ietf-quic-reliable-stream-reset.
    ResetStreamAt {
        stream: StreamId,
        error_code: u64,
        final_size: u64,
        reliable_size: u64,
    },
    /// draft-ietf-quic-ack-frequency.
    AckFrequency {
        sequence: u64,
        threshold: u64,
        max_ack_delay: Duration,
        reordering_threshold: u64,
    },
    /// draft-ietf-quic-ack-frequency.
    ImmediateAck,
}

/// Packets received with each ECN mark, in total (RFC 9000 §19.3.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "RFC 9000 §19.3.2 tells of each field, under the same name")]
pub struct EcnTotals {
    pub ect0: u64,
    pub ect1: u64,
    pub ce: u64,
}

/// The acknowledged packet numbers, highest range first.
#[derive(Clone, Debug)]
pub struct AckedRanges<'a>(AckRanges<'a>);

impl Iterator for AckedRanges<'_> {
    type Item = RangeInclusive<u64>;

    fn next(&mut self) -> Option<RangeInclusive<u64>> {
        self.0.next()
    }
}

/// What is told of `frame`, which takes `length` bytes of its packet.
#[expect(clippy::too_many_lines, reason = "a table: one row for each frame")]
pub(super) fn record<'a>(frame: &Frame<'a>, length: usize, ack_exponent: u8) -> FrameRecord<'a> {
    match frame {
        Frame::Padding => FrameRecord::Padding { length },
        Frame::Ping => FrameRecord::Ping,
        Frame::Ack(ack) => acknowledgment(ack, ack_exponent),
        Frame::ResetStream(frame) => FrameRecord::ResetStream {
            stream: frame.stream_id,
            error_code: frame.error_code.into_inner(),
            final_size: frame.final_size,
        },
        Frame::StopSending(frame) => FrameRecord::StopSending {
            stream: frame.stream_id,
            error_code: frame.error_code.into_inner(),
        },
        Frame::Crypto(frame) => {
            FrameRecord::Crypto { offset: frame.offset, length: frame.data.len() }
        }
        Frame::NewToken(token) => FrameRecord::NewToken { length: token.0.len() },
        Frame::Stream(frame) => FrameRecord::Stream {
            stream: frame.stream_id,
            offset: frame.offset,
            length: frame.data.len(),
            fin: frame.fin,
        },
        Frame::MaxData(maximum) => FrameRecord::MaxData { maximum: *maximum },
        Frame::MaxStreamData(frame) => {
            FrameRecord::MaxStreamData { stream: frame.stream_id, maximum: frame.maximum }
        }
        Frame::MaxStreams(frame) => {
            FrameRecord::MaxStreams { direction: frame.direction, maximum: frame.maximum }
        }
        Frame::DataBlocked(limit) => FrameRecord::DataBlocked { limit: *limit },
        Frame::StreamDataBlocked(frame) => {
            FrameRecord::StreamDataBlocked { stream: frame.stream_id, limit: frame.limit }
        }
        Frame::StreamsBlocked(frame) => {
            FrameRecord::StreamsBlocked { direction: frame.direction, limit: frame.limit }
        }
        Frame::NewConnectionId(frame) => FrameRecord::NewConnectionId {
            sequence: frame.sequence,
            retire_prior_to: frame.retire_prior_to,
            id: frame.id,
        },
        Frame::RetireConnectionId(frame) => {
            FrameRecord::RetireConnectionId { sequence: frame.sequence }
        }
        Frame::PathChallenge(frame) => FrameRecord::PathChallenge { data: frame.0 },
        Frame::PathResponse(frame) => FrameRecord::PathResponse { data: frame.0 },
        Frame::ConnectionClose(frame) => FrameRecord::ConnectionClose {
            error_code: frame.error_code,
            frame_type: frame.frame_type.map(|frame_type| frame_type.0),
            reason: frame.reason,
        },
        Frame::HandshakeDone => FrameRecord::HandshakeDone,
        Frame::Datagram(frame) => FrameRecord::Datagram { length: frame.data.len() },
        Frame::ResetStreamAt(frame) => FrameRecord::ResetStreamAt {
            stream: frame.stream_id,
            error_code: frame.error_code.into_inner(),
            final_size: frame.final_size,
            reliable_size: frame.reliable_size,
        },
        Frame::AckFrequency(frame) => FrameRecord::AckFrequency {
            sequence: frame.sequence,
            threshold: frame.threshold,
            max_ack_delay: Duration::from_micros(frame.max_ack_delay),
            reordering_threshold: frame.reordering_threshold,
        },
        Frame::ImmediateAck => FrameRecord::ImmediateAck,
    }
}

fn acknowledgment<'a>(ack: &Ack<'a>, exponent: u8) -> FrameRecord<'a> {
    let micros = 1_u64.checked_shl(exponent.into());
    let micros = micros.and_then(|factor| ack.encoded_delay.checked_mul(factor));
    FrameRecord::Ack {
        delay: Duration::from_micros(micros.unwrap_or(u64::MAX)),
        ranges: AckedRanges(ack.ranges()),
        ecn: ack.ecn.map(|ecn| EcnTotals { ect0: ecn.ect0, ect1: ecn.ect1, ce: ecn.ce }),
    }
}
