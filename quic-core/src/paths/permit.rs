//! May anything be sent, and what: decided once per batch, as a value.

use crate::instant::Instant;

/// What the connection has to send besides ordinary packets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Wish {
    /// A probe is due (RFC 9002 §6.2.4). It ignores congestion window and pacing.
    pub(crate) probe: bool,
    /// A CONNECTION_CLOSE is due. It ignores congestion window and pacing.
    pub(crate) close: bool,
}

/// Why a packet cannot be sent now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Blocked {
    /// The address is not validated and three times the received bytes were sent (RFC 9000 §8.1).
    Amplification,
    /// The congestion window has no room for a datagram (RFC 9002 §7).
    Congestion,
    /// The pacer says: not before this (RFC 9002 §7.7).
    Pacing(Instant),
    /// The active path has another socket.
    OtherSocket,
}

/// What may be sent on the active path. Bytes are bytes of UDP payload for the whole batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub(crate) enum Permit {
    /// Nothing.
    None(Blocked),
    /// Only packets that are not in flight: ACK and CONNECTION_CLOSE.
    AcksOnly {
        /// What the amplification limit leaves.
        bytes: u64,
        /// [`Blocked::Congestion`] or [`Blocked::Pacing`].
        blocked: Blocked,
    },
    /// Everything, up to `bytes`; packets that are not in flight count too.
    Any {
        /// The least of congestion window, pacing budget and amplification limit.
        bytes: u64,
        /// Length of a full datagram: the current MTU. The last one of the batch may have to be
        /// shorter, as `bytes` says.
        datagram_length: usize,
    },
}
