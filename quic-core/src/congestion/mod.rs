//! Estimates and windows: pure arithmetic (RFC 9002 §5, §7).

mod cubic;
mod new_reno;
mod pacer;
mod rtt;
mod window;

pub use cubic::Cubic;
pub use new_reno::NewReno;
pub(crate) use pacer::Pacer;
pub use rtt::Rtt;

use std::fmt;

use crate::instant::Instant;

/// Decides how many bytes may be in flight on a path (RFC 9002 §7).
pub trait CongestionController: Send + fmt::Debug {
    /// Bytes of in-flight packets were sent; `in_flight` counts them already.
    fn on_sent(&mut self, now: Instant, bytes: u64, in_flight: u64);

    /// Packets were acknowledged, all those of one ACK frame at once.
    fn on_acked(&mut self, now: Instant, acked: &Acked, rtt: &Rtt);

    /// Packets were lost, or an ECN mark says that the path is congested; at most once per round
    /// trip is it a new event (RFC 9002 §7.3.2).
    fn on_congestion(&mut self, now: Instant, event: &Congestion);

    /// The losses since the last congestion event turned out to be none (spurious).
    fn on_spurious_congestion(&mut self, now: Instant);

    /// Everything was lost for so long that the estimate is worth nothing (RFC 9002 §7.6).
    fn on_persistent_congestion(&mut self, now: Instant);

    /// The maximum datagram size of the path changed, in bytes.
    fn on_mtu_changed(&mut self, mtu: u16);

    /// How many bytes may be in flight.
    fn window(&self) -> u64;

    /// The slow start threshold, in bytes; `None` before the first congestion event.
    fn slow_start_threshold(&self) -> Option<u64>;

    /// Bytes per second to pace with, where the controller has an opinion; else the pacer follows
    /// the window and the round-trip time (RFC 9002 §7.7).
    fn pacing_rate(&self) -> Option<u64> {
        None
    }
}

/// What one ACK frame newly acknowledged.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Acked {
    /// Bytes that left the network.
    pub bytes: u64,
    /// When the newest of the packets was sent.
    pub newest_sent: Instant,
    /// Whether the sender had used up the window when it sent them (RFC 9002 §7.8).
    pub window_limited: bool,
    /// Bytes still in flight.
    pub in_flight: u64,
}

/// A sign of congestion.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Congestion {
    /// When the newest packet that was lost or marked was sent.
    pub newest_sent: Instant,
    /// Bytes lost; zero for an ECN mark.
    pub lost_bytes: u64,
    /// Bytes still in flight.
    pub in_flight: u64,
    /// Whether ECN-CE marks are the sign, not loss.
    pub ecn: bool,
}
