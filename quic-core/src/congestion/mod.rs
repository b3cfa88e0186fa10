//! Estimates and windows: pure arithmetic (RFC 9002 §5, §7).

mod bbr;
mod cubic;
mod delivery;
mod hystart;
mod new_reno;
mod pacer;
mod rtt;
mod window;

pub use bbr::Bbr;
pub use cubic::Cubic;
pub(crate) use delivery::DeliverySampler;
pub use new_reno::NewReno;
pub(crate) use pacer::{Pace, Pacer};
pub use rtt::Rtt;

use std::fmt;
use std::time::Duration;

use crate::instant::Instant;

/// Decides how many bytes may be in flight on a path (RFC 9002 §7), and perhaps how fast they are
/// sent.
///
/// What happens to packets is told in this order: [`on_sent`](Self::on_sent) for each packet; for
/// each ACK frame, [`on_acked`](Self::on_acked) with all that it newly acknowledges, then, if that
/// shows losses, [`on_packet_lost`](Self::on_packet_lost) for each lost packet (only where rates
/// are sampled) and [`on_congestion`](Self::on_congestion) once for all of them. Losses that a
/// timer finds come without an ACK frame. Packets of which no acknowledgment is expected, and
/// lost MTU probes, are not told.
///
/// A model-based controller asks for samples of the delivery rate by
/// [`samples_delivery_rate`](Self::samples_delivery_rate). Then, and only then, a record of some
/// 60 bytes is kept for each packet in flight.
pub trait CongestionController: Send + fmt::Debug {
    /// A packet that counts as in flight was sent.
    fn on_sent(&mut self, now: Instant, sent: &Sent);

    /// Packets were acknowledged, all those of one ACK frame at once.
    fn on_acked(&mut self, now: Instant, acked: &Acked, rtt: &Rtt);

    /// A packet was declared lost. Only called where delivery rates are sampled;
    /// [`on_congestion`](Self::on_congestion) follows.
    fn on_packet_lost(&mut self, _now: Instant, _lost: &LostPacket) {}

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
    ///
    /// At any rate, what is waited for and sent at once is what the rate allows in 1 ms, but no less
    /// than two datagrams and no more than 64 KiB or half the window; after a pause it is up to what
    /// the rate allows in 2 ms, but no less than ten datagrams and no more than 256 KiB.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }

    /// Whether [`Acked::rate`] and [`on_packet_lost`](Self::on_packet_lost) are wanted. Asked once,
    /// when the path is new.
    fn samples_delivery_rate(&self) -> bool {
        false
    }

    /// Whether the controller holds back sending on purpose for now, so that the delivery rates of
    /// what is sent meanwhile say nothing about the path: they count as limited by the application.
    /// Asked after each [`on_acked`](Self::on_acked) where delivery rates are sampled.
    fn holds_back(&self) -> bool {
        false
    }
}

/// A packet that was sent.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Sent {
    /// Its bytes.
    pub bytes: u64,
    /// Bytes in flight, those of the packet included.
    pub in_flight: u64,
    /// Whether the application had less to send than was permitted, at some time in the last round
    /// trip. Known only where delivery rates are sampled, else false.
    pub app_limited: bool,
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
    /// The sample of the round-trip time that the ACK frame gave, with the peer's delay in it; it
    /// gives none if the newest packet that it acknowledges was acknowledged before.
    pub round_trip: Option<Duration>,
    /// How fast the path delivered; `None` where delivery rates are not sampled, or if the packets
    /// were sent before the path was used as it is now.
    pub rate: Option<RateSample>,
}

/// How fast the path delivered what was acknowledged since one packet was sent: the newest one that
/// the ACK frame newly acknowledges (draft-ietf-ccwg-bbr §4.1).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RateSample {
    /// Bytes acknowledged on the path so far.
    pub total_delivered: u64,
    /// What `total_delivered` was when the packet was sent.
    pub prior_delivered: u64,
    /// Bytes acknowledged between the packet's sending and its acknowledgment.
    pub delivered: u64,
    /// Bytes per second: `delivered` over the time that it took to be sent, or to be acknowledged
    /// if that was longer. `None` if that time is shorter than a round trip can be.
    pub delivery_rate: Option<u64>,
    /// Whether the application had less to send than was permitted, so that the path may be faster
    /// than this.
    pub app_limited: bool,
    /// From the packet's sending to its acknowledgment, with the peer's delay in it.
    pub round_trip: Duration,
    /// Bytes that were in flight when the packet was sent, its own included.
    pub in_flight_when_sent: u64,
    /// Bytes declared lost between the packet's sending and its acknowledgment.
    pub lost: u64,
}

/// A packet that was declared lost.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LostPacket {
    /// Its bytes.
    pub bytes: u64,
    /// Bytes that were in flight when it was sent, its own included.
    pub in_flight_when_sent: u64,
    /// Bytes declared lost since it was sent, its own included.
    pub lost: u64,
    /// Bytes acknowledged on the path so far.
    pub total_delivered: u64,
    /// What `total_delivered` was when it was sent.
    pub prior_delivered: u64,
    /// Whether the application had less to send than was permitted when it was sent.
    pub app_limited: bool,
    /// Whether the packet number before its own is that of the last packet lost before it.
    pub continues_run: bool,
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
