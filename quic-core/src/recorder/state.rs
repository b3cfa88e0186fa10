//! What is told of a connection's state.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::wire::ConnectionId;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Only Initial packets are exchanged.
    Attempted,
    /// There are keys for Handshake packets.
    HandshakeStarted,
    /// TLS has finished on this end (RFC 9001 §4.1.1).
    HandshakeComplete,
    /// The peer is known to have finished, too (RFC 9001 §4.1.2).
    HandshakeConfirmed,
    /// This end sends CONNECTION_CLOSE (RFC 9000 §10.2.1).
    Closing,
    /// The peer closed (RFC 9000 §10.2.2).
    Draining,
    /// Nothing is left to do but to forget the connection.
    Closed,
}

/// What a congestion controller does, as its window and threshold show.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CongestionState {
    /// The window is below the slow start threshold (RFC 9002 §7.3.1).
    SlowStart,
    /// The window was reduced and has not grown since (RFC 9002 §7.3.2).
    Recovery,
    /// The window is above the slow start threshold (RFC 9002 §7.3.3).
    CongestionAvoidance,
}

/// Who brings new keys about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyTrigger {
    /// The handshake.
    Tls,
    /// A key update that this end started (RFC 9001 §6).
    Local,
    /// A key update that the peer started.
    Remote,
}

/// A timer of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Timer {
    /// The handshake took too long.
    Handshake,
    /// Nothing was heard of the peer for too long (RFC 9000 §10.1).
    Idle,
    /// A packet was overtaken so long ago that it is lost (RFC 9002 §6.1.2).
    Loss,
    /// Acknowledgments are late (RFC 9002 §6.2).
    Probe,
}

/// Estimates of the path in use, and what is in flight on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// The smallest round-trip time.
    pub minimum_rtt: Duration,
    /// The smoothed round-trip time (RFC 9002 §5.3).
    pub smoothed_rtt: Duration,
    /// The last sample of the round-trip time.
    pub latest_rtt: Duration,
    /// The mean deviation of the samples.
    pub rtt_variation: Duration,
    /// Probe timeouts in a row.
    pub pto_count: u32,
    /// The congestion window, in bytes.
    pub congestion_window: u64,
    /// Bytes in flight.
    pub bytes_in_flight: u64,
    /// The slow start threshold, in bytes; `None` before the first congestion event.
    pub slow_start_threshold: Option<u64>,
    /// What the congestion controller wants to be paced with, in bytes per second, if it says.
    pub pacing_rate: Option<u64>,
}

impl Metrics {
    /// Without a sample, with nothing in flight.
    pub(crate) fn new(window: u64) -> Self {
        Self {
            minimum_rtt: Duration::ZERO,
            smoothed_rtt: Duration::ZERO,
            latest_rtt: Duration::ZERO,
            rtt_variation: Duration::ZERO,
            pto_count: 0,
            congestion_window: window,
            bytes_in_flight: 0,
            slow_start_threshold: None,
            pacing_rate: None,
        }
    }
}

/// A network path, and the connection IDs in use on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PathRecord {
    /// The local address, where it is known.
    pub local: Option<IpAddr>,
    /// The address of the peer.
    pub remote: SocketAddr,
    /// The first connection ID of this end.
    pub local_id: ConnectionId,
    /// The peer's connection ID that packets are sent to.
    pub remote_id: ConnectionId,
}

impl PathRecord {
    pub(crate) fn new(
        local: Option<IpAddr>,
        remote: SocketAddr,
        local_id: ConnectionId,
        remote_id: ConnectionId,
    ) -> Self {
        Self { local, remote, local_id, remote_id }
    }
}

/// What loss detection and congestion control start from (RFC 9002 Appendix A.2, B.2).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RecoveryParameters {
    /// Packets sent later that must have been acknowledged for a loss.
    pub packet_threshold: u64,
    /// How late a packet has to be for a loss, in eighths of the round-trip time.
    pub time_threshold_eighths: u32,
    /// No timer is finer.
    pub granularity: Duration,
    /// What the round-trip time is taken for at first.
    pub initial_rtt: Duration,
    /// Maximum datagram size, in bytes.
    pub max_datagram_size: u16,
    /// The congestion window, in bytes.
    pub congestion_window: u64,
    /// Probe timeouts that everything must have been lost for.
    pub persistent_congestion_threshold: u32,
}

impl RecoveryParameters {
    /// The caller says what it knows.
    pub(crate) fn new(packet_threshold: u64, granularity: Duration) -> Self {
        Self {
            packet_threshold,
            time_threshold_eighths: 0,
            granularity,
            initial_rtt: Duration::ZERO,
            max_datagram_size: 0,
            congestion_window: 0,
            persistent_congestion_threshold: 0,
        }
    }
}
