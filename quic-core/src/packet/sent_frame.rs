//! What is remembered of a frame that was sent, until its packet is acknowledged or lost.

use crate::wire::frame::FrameType;
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
    AckFrequency {
        sequence: u64,
        /// In microseconds.
        max_ack_delay: u64,
    },
    Crypto {
        offset: u64,
        length: u16,
    },
    DataBlocked,
    Datagram {
        /// What the application calls it, if it wants to hear of it.
        report: Option<u64>,
    },
    HandshakeDone,
    ImmediateAck,
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
    NewToken {
        /// Which of the connection's it is.
        index: u8,
    },
    PathChallenge,
    PathResponse,
    Ping,
    ResetStream {
        id: StreamId,
    },
    ResetStreamAt {
        id: StreamId,
        reliable_size: u64,
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
    /// The type it travels as; of STREAM frames without the bits for offset, length and end.
    pub(crate) fn frame_type(self) -> FrameType {
        match self {
            Self::Ack { .. } => FrameType::ACK,
            Self::AckFrequency { .. } => FrameType::ACK_FREQUENCY,
            Self::Crypto { .. } => FrameType::CRYPTO,
            Self::DataBlocked => FrameType::DATA_BLOCKED,
            Self::Datagram { .. } => FrameType::DATAGRAM,
            Self::HandshakeDone => FrameType::HANDSHAKE_DONE,
            Self::ImmediateAck => FrameType::IMMEDIATE_ACK,
            Self::MaxData => FrameType::MAX_DATA,
            Self::MaxStreamData { .. } => FrameType::MAX_STREAM_DATA,
            Self::MaxStreams { direction: Direction::Bidirectional } => FrameType::MAX_STREAMS_BIDI,
            Self::MaxStreams { direction: Direction::Unidirectional } => FrameType::MAX_STREAMS_UNI,
            Self::NewConnectionId { .. } => FrameType::NEW_CONNECTION_ID,
            Self::NewToken { .. } => FrameType::NEW_TOKEN,
            Self::PathChallenge => FrameType::PATH_CHALLENGE,
            Self::PathResponse => FrameType::PATH_RESPONSE,
            Self::Ping => FrameType::PING,
            Self::ResetStream { .. } => FrameType::RESET_STREAM,
            Self::ResetStreamAt { .. } => FrameType::RESET_STREAM_AT,
            Self::RetireConnectionId { .. } => FrameType::RETIRE_CONNECTION_ID,
            Self::StopSending { .. } => FrameType::STOP_SENDING,
            Self::Stream { .. } => FrameType::STREAM,
            Self::StreamDataBlocked { .. } => FrameType::STREAM_DATA_BLOCKED,
            Self::StreamsBlocked { direction: Direction::Bidirectional } => {
                FrameType::STREAMS_BLOCKED_BIDI
            }
            Self::StreamsBlocked { direction: Direction::Unidirectional } => {
                FrameType::STREAMS_BLOCKED_UNI
            }
        }
    }

    /// Whether the packet that carries it has to be acknowledged (RFC 9002 §2).
    //= https://www.rfc-editor.org/rfc/rfc9000#section-19.21
    //# Extension frames MUST be congestion controlled and MUST cause an ACK
    //# frame to be sent.
    pub(crate) fn is_ack_eliciting(self) -> bool {
        !matches!(self, Self::Ack { .. })
    }
}
