//! What is remembered of a frame that was sent, until its packet is acknowledged or lost.

use crate::wire::{Direction, StreamId};

/// A frame in a packet in flight: who has to hear of its fate, and the least it needs to know.
///
/// Packets are never resent; what they carried is, if it still matters (RFC 9000 §13.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SentFrame {
    /// Acknowledged packets up to this number.
    Ack {
        largest: u64,
    },
    Crypto {
        offset: u64,
        length: u16,
    },
    DataBlocked,
    HandshakeDone,
    MaxData,
    MaxStreamData {
        id: StreamId,
    },
    MaxStreams {
        direction: Direction,
    },
    NewConnectionId {
        sequence: u64,
    },
    NewToken,
    PathChallenge,
    PathResponse,
    Ping,
    ResetStream {
        id: StreamId,
    },
    RetireConnectionId {
        sequence: u64,
    },
    StopSending {
        id: StreamId,
    },
    Stream {
        id: StreamId,
        offset: u64,
        length: u16,
        fin: bool,
    },
    StreamDataBlocked {
        id: StreamId,
    },
    StreamsBlocked {
        direction: Direction,
    },
}

impl SentFrame {
    /// Whether the packet that carries it has to be acknowledged (RFC 9002 §2).
    pub(crate) fn is_ack_eliciting(self) -> bool {
        !matches!(self, Self::Ack { .. })
    }
}
