//! Spreads what is sent over the round-trip time (RFC 9002 §7.7).

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{CongestionController, Rtt};
use crate::instant::{Instant, saturating_nanos};
use crate::net::MINIMUM_MTU;

/// Packets that may be sent at once after the start or a pause: the initial window
/// (RFC 9002 §7.7).
const INITIAL_BURST_PACKETS: u64 = 10;

/// The least that is waited for, in packets.
const MIN_BURST_PACKETS: u64 = 2;

/// A whole batch for the kernel to segment, in bytes. No more is waited for.
const MAX_BURST: u64 = 64 << 10;

/// Bursts take a millisecond at most, at the pacing rate, and half the congestion window, unless
/// they are two packets.
const BURSTS_PER_SECOND: u64 = 1_000;

/// Credit accrues for two milliseconds: a timer may be late by about as much without loss of
/// throughput.
const LATE_TIMERS_PER_SECOND: u64 = 500;

/// The most that is sent at once, in bytes: four batches. A path that carries more than that while
/// a timer is late brings acknowledgments often enough to go on before.
const MAX_CREDIT: u64 = 4 * MAX_BURST;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// How fast to send, and how much may be under way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pace {
    /// In bytes per second; at least 1.
    rate: u64,
    /// The congestion window, in bytes.
    window: u64,
}

impl Pace {
    /// The rate that the controller asks for, or else a little more than its window each round-trip
    /// time, so that the window and not the pacer is the limit.
    pub(crate) fn of(controller: &dyn CongestionController, rtt: &Rtt) -> Self {
        let window = controller.window();
        let rate = controller.pacing_rate().unwrap_or_else(|| {
            let slow_start = controller.slow_start_threshold().is_none_or(|at| window < at);
            // N = 2 lets slow start double the window in each round trip, N = 1.25 is what
            // RFC 9002 §7.7 suggests else.
            let quarters = if slow_start { 8 } else { 5 };
            let nanos = saturating_nanos(rtt.smoothed()).max(1);
            window.saturating_mul(quarters * (NANOS_PER_SECOND / 4)) / nanos
        });
        Self { rate: rate.max(1), window }
    }
}

/// A token bucket of bytes that releases them in bursts: batches on fast paths, two packets on slow
/// ones.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    mtu: u16,
    credit: u64,
    /// What is earned on top of `credit`, in billionths of a byte.
    fraction: u32,
    /// Up to when credit was given; `None` before anything was sent.
    credited_until: Option<Instant>,
}

impl Pacer {
    /// For a new path with this maximum datagram size, in bytes.
    pub(crate) fn new(mtu: u16) -> Self {
        let mtu = mtu.max(MINIMUM_MTU);
        let credit = u64::from(mtu) * INITIAL_BURST_PACKETS;
        Self { mtu, credit, fraction: 0, credited_until: None }
    }

    pub(crate) fn on_mtu_changed(&mut self, mtu: u16) {
        self.mtu = mtu.max(MINIMUM_MTU);
    }

    /// Bytes that may be sent now; 0 if sending has to wait until
    /// [`next_send_time`](Self::next_send_time). Never less than a whole burst.
    pub(crate) fn budget(&mut self, now: Instant, pace: Pace) -> u64 {
        self.refill(now, pace);
        if self.credit >= self.burst(pace) { self.credit } else { 0 }
    }

    /// When the next burst may be sent, if nothing else is sent before.
    pub(crate) fn next_send_time(&self, pace: Pace) -> Instant {
        let missing = self.burst(pace).saturating_sub(self.credit);
        let missing = (missing * NANOS_PER_SECOND).saturating_sub(self.fraction.into());
        let wait = Duration::from_nanos(missing.div_ceil(pace.rate));
        self.credited_until.unwrap_or(Instant::EPOCH) + wait
    }

    /// Takes note of `bytes` sent; whoever sends without asking shortens the next burst.
    pub(crate) fn on_sent(&mut self, now: Instant, bytes: u64) {
        // Whoever pauses after a first burst earns credit by it, though nobody asked before.
        self.credited_until.get_or_insert(now);
        self.credit = self.credit.saturating_sub(bytes);
    }

    fn refill(&mut self, now: Instant, pace: Pace) {
        let since = *self.credited_until.get_or_insert(now);
        let nanos = saturating_nanos(now - since);
        // More than fits into 64 bits fills any bucket.
        let earned = pace.rate.saturating_mul(nanos).saturating_add(self.fraction.into());
        let (whole, fraction) = (earned / NANOS_PER_SECOND, earned % NANOS_PER_SECOND);
        let capacity = self.capacity(pace);
        let room = capacity.saturating_sub(self.credit);
        self.fraction = if whole < room { u32::try_from(fraction).unwrap_or(0) } else { 0 };
        self.credit = self.credit.saturating_add(whole).min(capacity);
        self.credited_until = Some(since.max(now));
    }

    /// The least that is worth sending, in bytes.
    fn burst(&self, pace: Pace) -> u64 {
        let least = u64::from(self.mtu) * MIN_BURST_PACKETS;
        let worth = (pace.rate / BURSTS_PER_SECOND).min(pace.window / 2);
        worth.clamp(least, MAX_BURST.max(least))
    }

    /// The most credit there can be, in bytes.
    fn capacity(&self, pace: Pace) -> u64 {
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.7
        //# Senders SHOULD limit bursts to the initial congestion window; see
        //# Section 7.2.
        // The sentence after it permits more where the path is known to absorb more: what it carries
        // in a time that timers are late by.
        let late = (pace.rate / LATE_TIMERS_PER_SECOND).min(MAX_CREDIT);
        late.max(u64::from(self.mtu) * INITIAL_BURST_PACKETS)
    }
}
