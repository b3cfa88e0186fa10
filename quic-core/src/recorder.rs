//! Where everything that happens on connections can be written down.

use std::fmt;
use std::sync::Arc;

use crate::error::DiscardReason;
use crate::instant::Instant;
use crate::wire::{ConnectionId, PacketType};

/// Is told what happens on every connection of a packet handler manager.
///
/// Fed by the tables that every packet and frame passes once. Costs nothing where there is none,
/// and cannot fail: it returns nothing, and should not block.
pub trait Recorder: Send + Sync + fmt::Debug {
    /// `connection` is the Destination Connection ID of the client's first Initial, which both ends
    /// know.
    fn record(&self, now: Instant, connection: &ConnectionId, record: Record);
}

/// Something that happened on a connection. Frame types are those of RFC 9000 §19.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Record {
    /// A packet of ours was acknowledged that carried such a frame.
    FrameAcked {
        /// The frame's type.
        frame_type: u64,
        /// The packet's number.
        packet: u64,
    },
    /// A packet of ours was lost that carried such a frame.
    FrameLost {
        /// The frame's type.
        frame_type: u64,
        /// The packet's number.
        packet: u64,
    },
    /// A frame arrived in the packet received last.
    FrameReceived {
        /// The frame's type.
        frame_type: u64,
    },
    /// A frame is in the packet that is sent next.
    FrameSent {
        /// The frame's type.
        frame_type: u64,
    },
    /// A packet or datagram was dropped unread.
    PacketDiscarded {
        /// Why.
        reason: DiscardReason,
    },
    /// An authentic packet arrived.
    PacketReceived {
        /// The packet's type.
        packet_type: PacketType,
        /// The packet's number.
        number: u64,
        /// Bytes of its frames.
        length: usize,
    },
    /// A packet was sent.
    PacketSent {
        /// The packet's type.
        packet_type: PacketType,
        /// The packet's number.
        number: u64,
        /// Bytes of the protected packet.
        length: usize,
    },
}

/// A recorder in a configuration. Equal to itself and its clones only.
#[derive(Clone, Debug)]
pub struct SharedRecorder(Arc<dyn Recorder>);

impl SharedRecorder {
    /// Shares a recorder between all connections of a configuration.
    pub fn new(recorder: Arc<dyn Recorder>) -> Self {
        Self(recorder)
    }

    pub(crate) fn record(&self, now: Instant, connection: &ConnectionId, record: Record) {
        self.0.record(now, connection, record);
    }
}

impl PartialEq for SharedRecorder {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SharedRecorder {}
