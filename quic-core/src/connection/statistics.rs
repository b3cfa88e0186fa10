//! Counters of a connection.

use std::time::Duration;

use super::path_statistics::Ledger;
use crate::net::EcnState;

/// What has to be counted as it happens; the rest of [`Statistics`] is there to be asked.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) datagrams_sent: u64,
    pub(super) datagrams_received: u64,
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
    pub(super) packets_sent: u64,
    pub(super) packets_received: u64,
    pub(super) packets_lost: u64,
    pub(super) packets_lost_spuriously: u64,
    pub(super) packets_discarded: u64,
    pub(super) batches_sent: u64,
    pub(super) batches_received: u64,
    pub(super) bytes_lost: u64,
    pub(super) congestion_events: u32,
    pub(super) persistent_congestions: u32,
    pub(super) probe_timeouts: u32,
    pub(super) mtu_probes_lost: u32,
    /// What of it is not the active path's. Made with the second path.
    pub(super) ledger: Option<Box<Ledger>>,
}

/// Counters of a connection since its start, and the state of its path.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Statistics {
    /// UDP datagrams sent.
    pub datagrams_sent: u64,
    /// UDP datagrams received.
    pub datagrams_received: u64,
    /// Batches of datagrams that were given to the driver at a time (GSO).
    pub batches_sent: u64,
    /// Trains of datagrams that came from the driver at a time (GRO).
    pub batches_received: u64,
    /// Bytes of UDP payload sent.
    pub bytes_sent: u64,
    /// Bytes of UDP payload received.
    pub bytes_received: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Authentic packets received.
    pub packets_received: u64,
    /// Packets declared lost.
    pub packets_lost: u64,
    /// Bytes of those that were in flight on the path in use at the time.
    pub bytes_lost: u64,
    /// Of those, packets that were acknowledged after all.
    pub packets_lost_spuriously: u64,
    /// Packets and datagrams that were dropped unread.
    pub packets_discarded: u64,
    /// Congestion events.
    pub congestion_events: u64,
    /// Times that everything was lost for long (RFC 9002 §7.6).
    pub persistent_congestions: u64,
    /// Times that losses told that the path carries no datagrams as long as a probe for its MTU.
    pub mtu_probes_lost: u64,
    /// Probe timeouts (RFC 9002 §6.2).
    pub probe_timeouts: u64,
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// Last sample of the round-trip time.
    pub latest_rtt: Duration,
    /// Mean deviation of the round-trip time.
    pub rtt_variation: Duration,
    /// Smallest round-trip time.
    pub minimum_rtt: Duration,
    /// Congestion window, in bytes.
    pub congestion_window: u64,
    /// Slow start threshold, in bytes; `None` before the first congestion event.
    pub slow_start_threshold: Option<u64>,
    /// Bytes in flight.
    pub bytes_in_flight: u64,
    /// Maximum datagram size of the path, in bytes.
    pub mtu: u16,
    /// Key updates since the handshake (RFC 9001 §6).
    pub key_updates: u64,
    /// Whether the path carries ECN marks.
    pub ecn: EcnState,
    /// Packets sent with the ECN mark ECT(0).
    pub ecn_marked_sent: u64,
    /// Of those, packets that the peer says arrived marked CE: the network was congested.
    pub ecn_congestion_reported: u64,
    /// Packets received with the ECN marks ECT(0) and ECT(1).
    pub ecn_capable_received: u64,
    /// Packets received with the ECN mark CE.
    pub ecn_congestion_received: u64,
}
