//! Where everything that happens on connections can be written down.

mod both;
mod frames;
mod packets;
mod parameters;
mod state;

#[cfg(test)]
mod tests;

pub use frames::{AckedRanges, EcnTotals, FrameRecord};
pub use packets::{
    LossTrigger, PacketHeader, PacketLoss, PacketRecord, PacketTrigger, Payload, RetryRecord,
    VersionNegotiationRecord,
};
pub use parameters::{ParameterValue, Parameters};
pub use state::{
    CongestionState, ConnectionState, KeyTrigger, Metrics, PathRecord, RecoveryParameters, Timer,
};

use std::fmt;
use std::sync::Arc;

use crate::error::{ConnectionError, DiscardReason};
use crate::instant::Instant;
use crate::net::{EcnCodepoint, EcnState};
use crate::wire::{ConnectionId, PacketType, Side};

/// Decides which connections of a configuration are recorded, and by whom.
///
/// Costs a connection that is not recorded one branch wherever something could be told.
pub trait Recorder: Send + Sync + fmt::Debug {
    /// A connection begins. Who is returned hears of everything that happens on it, and is dropped
    /// with it; `None` if it is not to be recorded.
    fn begin(&self, now: Instant, subject: &Subject) -> Option<Box<dyn ConnectionRecorder>>;
}

/// Is told what happens on one connection.
///
/// It cannot fail: it returns nothing, and it should not block, because the connection waits
/// meanwhile. What the application sends and receives is never told, only how much of it.
pub trait ConnectionRecorder: Send + fmt::Debug {
    /// Something happened at `now`, which is never earlier than what was told before.
    fn record(&mut self, now: Instant, record: &Record<'_>);
}

/// What a connection is known by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Subject {
    /// The Destination Connection ID of the client's first Initial, which both ends know.
    pub id: ConnectionId,
    /// The role of this end.
    pub side: Side,
}

impl Subject {
    /// For recorders that are called by others than connections, as in tests.
    pub const fn new(id: ConnectionId, side: Side) -> Self {
        Self { id, side }
    }
}

/// Which end did something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// This one.
    Local,
    /// The peer.
    Remote,
}

/// UDP datagrams that arrived in one train or left in one batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Datagrams {
    /// Bytes of UDP payload of all of them.
    pub length: usize,
    /// Bytes of each but the last, if there are several.
    pub segment_length: Option<usize>,
    /// The ECN mark of all of them; `None` for Not-ECT.
    pub ecn: Option<EcnCodepoint>,
}

impl Datagrams {
    pub(crate) fn new(
        length: usize,
        segment_length: Option<usize>,
        ecn: Option<EcnCodepoint>,
    ) -> Self {
        Self { length, segment_length, ecn }
    }

    /// The length of each.
    pub fn lengths(&self) -> impl Iterator<Item = usize> {
        let segment = self.segment_length.unwrap_or(self.length).max(1);
        let length = self.length;
        (0..length.div_ceil(segment)).map(move |index| {
            let before = index.saturating_mul(segment);
            length.saturating_sub(before).min(segment)
        })
    }
}

/// Something that happened on a connection. Borrowed from where it happened: nothing is copied or
/// put into words for a recorder that does not ask. Frame types are those of RFC 9000 §19.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Record<'a> {
    /// The application protocol was agreed on.
    AlpnChosen {
        /// Its name (RFC 7301).
        protocol: &'a [u8],
    },
    /// The connection is over. What of it still travels is told after this.
    Closed {
        /// How it ended.
        error: &'a ConnectionError,
        /// The error code and kind that this end's CONNECTION_CLOSE carries, if it sends one whose
        /// application chose it.
        code: Option<u64>,
    },
    /// The congestion controller behaves differently from now on.
    CongestionStateChanged {
        /// As it was; `None` at first.
        old: Option<CongestionState>,
        /// As it is.
        new: CongestionState,
    },
    /// Packets are sent to another connection ID of the peer's, or the first one is known.
    ConnectionIdChanged {
        /// As it was; `None` at first.
        old: Option<ConnectionId>,
        /// As it is.
        new: ConnectionId,
    },
    /// UDP datagrams arrived.
    DatagramsReceived(Datagrams),
    /// UDP datagrams were given to the driver.
    DatagramsSent(Datagrams),
    /// Packets are marked, or not any more (RFC 9000 §13.4).
    EcnStateChanged {
        /// As it was; `None` at first.
        old: Option<EcnState>,
        /// As it is.
        new: EcnState,
    },
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
    /// The keys of an encryption level are gone.
    KeysDiscarded {
        /// The packets that they protected.
        packet_type: PacketType,
    },
    /// The keys of an encryption level are new, or were updated (RFC 9001 §6).
    KeysUpdated {
        /// The packets that they protect.
        packet_type: PacketType,
        /// How many updates there were; only of 1-RTT keys.
        phase: Option<u64>,
        /// Who brought it about.
        trigger: KeyTrigger,
    },
    /// Estimates of the path, or what is in flight on it, changed.
    MetricsUpdated {
        /// What was told last; `None` at first.
        old: Option<&'a Metrics>,
        /// As it is.
        new: &'a Metrics,
    },
    /// The path carries datagrams of another size.
    MtuChanged {
        /// As it was, in bytes; `None` at first.
        old: Option<u16>,
        /// As it is, in bytes.
        new: u16,
    },
    /// A packet of ours was acknowledged for the first time.
    PacketAcked {
        /// A type of packets that are numbered with it.
        packet_type: PacketType,
        /// Its number.
        number: u64,
    },
    /// A packet was kept until its keys come.
    PacketBuffered {
        /// Its type.
        packet_type: PacketType,
        /// Bytes of the protected packet.
        length: usize,
    },
    /// A packet or datagram was dropped unread.
    PacketDiscarded {
        /// Why.
        reason: DiscardReason,
    },
    /// A packet of ours was declared lost (RFC 9002 §6.1).
    PacketLost(PacketLoss),
    /// An authentic packet arrived. What its frames bring about is told after this.
    PacketReceived(PacketRecord<'a>),
    /// A packet was made, to be sent.
    PacketSent(PacketRecord<'a>),
    /// What one of the ends announced in the handshake.
    ParametersSet {
        /// Which end.
        origin: Origin,
        /// What it announced.
        parameters: Parameters<'a>,
    },
    /// Packets go another way now.
    PathChanged(PathRecord),
    /// What loss detection and congestion control start from.
    RecoveryParametersSet(RecoveryParameters),
    /// The server wants the client's address proved first; what the client makes of it is told
    /// after this.
    RetryReceived(RetryRecord),
    /// Recording begins: with the connection, or later if it was switched on later.
    Started(PathRecord),
    /// The connection has come further.
    StateChanged {
        /// As it was; `None` at first.
        old: Option<ConnectionState>,
        /// As it is.
        new: ConnectionState,
    },
    /// A timer expired.
    TimerExpired {
        /// Which one.
        timer: Timer,
        /// A type of packets that are numbered in its packet number space, if it has one.
        packet_type: Option<PacketType>,
    },
    /// The version of QUIC that is spoken.
    VersionChosen {
        /// As in long headers.
        version: u32,
    },
    /// The server does not speak the client's version; what the client makes of it is told after
    /// this.
    VersionNegotiationReceived(VersionNegotiationRecord<'a>),
}

/// A recorder in a configuration. Equal to itself and its clones only.
#[derive(Clone, Debug)]
pub struct SharedRecorder(Arc<dyn Recorder>);

impl SharedRecorder {
    /// Shares a recorder between all connections of a configuration.
    pub fn new(recorder: Arc<dyn Recorder>) -> Self {
        Self(recorder)
    }

    /// One that tells both of everything.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Arc::new(both::Both(self, other)))
    }

    /// A connection begins: who records it, if anyone does.
    pub fn begin(&self, now: Instant, subject: &Subject) -> Option<Box<dyn ConnectionRecorder>> {
        self.0.begin(now, subject)
    }
}

impl PartialEq for SharedRecorder {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SharedRecorder {}
