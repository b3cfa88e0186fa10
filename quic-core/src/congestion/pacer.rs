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

/// Bursts are as long as this at most, at the pacing rate, unless they are two packets.
const BURST_TIME: Duration = Duration::from_millis(1);

/// For how long credit accrues: a timer may be late by about as much without loss of throughput.
const CREDIT_TIME: Duration = Duration::from_millis(2);

/// Round-trip times up to this are too short for timers to divide: RFC 9002 §7.7 wants bursts to be
/// paced or limited, but there a limit would be one on the throughput, and the window has to do.
const UNPACED_RTT: Duration = Duration::from_millis(1);

const NANOS_PER_SECOND: u128 = 1_000_000_000;

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

    /// Bytes per second that the controller asks for, or else a little more than its window each
    /// round-trip time, so that the window and not the pacer is the limit; `u64::MAX` is no limit.
    pub(crate) fn rate(controller: &dyn CongestionController, rtt: &Rtt) -> u64 {
        if let Some(rate) = controller.pacing_rate() {
            return rate.max(1);
        }
        if rtt.smoothed() <= UNPACED_RTT {
            return u64::MAX;
        }
        let window = controller.window();
        let slow_start = controller.slow_start_threshold().is_none_or(|at| window < at);
        // N = 2 lets slow start double the window in each round trip, N = 1.25 is what
        // RFC 9002 §7.7 suggests else.
        let quarters: u128 = if slow_start { 8 } else { 5 };
        let nanos = u128::from(saturating_nanos(rtt.smoothed()).max(1));
        let rate = u128::from(window) * quarters * NANOS_PER_SECOND / (4 * nanos);
        u64::try_from(rate).unwrap_or(u64::MAX).max(1)
    }

    /// Bytes that may be sent now, at `rate` bytes per second; 0 if sending has to wait until
    /// [`next_send_time`](Self::next_send_time). Never less than a whole burst.
    pub(crate) fn budget(&mut self, now: Instant, rate: u64) -> u64 {
        if rate == u64::MAX {
            self.credited_until = Some(now);
            return u64::MAX;
        }
        self.refill(now, rate);
        if self.credit >= self.burst(rate) { self.credit } else { 0 }
    }

    /// When the next burst may be sent at `rate`, if nothing else is sent before.
    pub(crate) fn next_send_time(&self, rate: u64) -> Instant {
        let missing = self.burst(rate).saturating_sub(self.credit);
        let missing = (u128::from(missing) * NANOS_PER_SECOND).saturating_sub(self.fraction.into());
        let nanos = missing.div_ceil(u128::from(rate.max(1)));
        let wait = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.credited_until.unwrap_or(Instant::EPOCH) + wait
    }

    /// Takes note of `bytes` sent; whoever sends without asking shortens the next burst.
    pub(crate) fn on_sent(&mut self, now: Instant, bytes: u64) {
        // Whoever pauses after a first burst earns credit by it, though nobody asked before.
        self.credited_until.get_or_insert(now);
        self.credit = self.credit.saturating_sub(bytes);
    }

    fn refill(&mut self, now: Instant, rate: u64) {
        let rate = u128::from(rate.max(1));
        let since = *self.credited_until.get_or_insert(now);
        let nanos = u128::from(saturating_nanos(now - since));
        let earned = (rate * nanos).saturating_add(self.fraction.into());
        let capacity = self.capacity(rate);
        let room = capacity.saturating_sub(self.credit);
        let whole = u64::try_from(earned / NANOS_PER_SECOND).unwrap_or(u64::MAX);
        let fraction = u32::try_from(earned % NANOS_PER_SECOND).unwrap_or(0);
        self.fraction = if whole < room { fraction } else { 0 };
        self.credit = self.credit.saturating_add(whole).min(capacity);
        self.credited_until = Some(since.max(now));
    }

    /// The least that is worth sending, in bytes.
    fn burst(&self, rate: u64) -> u64 {
        let least = u64::from(self.mtu) * MIN_BURST_PACKETS;
        in_time(u128::from(rate), BURST_TIME).clamp(least, MAX_BURST.max(least))
    }

    /// The most credit there can be, in bytes.
    fn capacity(&self, rate: u128) -> u64 {
        let burst = self.burst(u64::try_from(rate).unwrap_or(u64::MAX));
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.7
        //# Senders SHOULD limit bursts to the initial congestion window; see
        //# Section 7.2.
        // The sentence after it permits more where the path is known to absorb more: what it carries
        // in a time that timers are late by.
        in_time(rate, CREDIT_TIME).max(burst).max(u64::from(self.mtu) * INITIAL_BURST_PACKETS)
    }
}

/// Bytes that `rate` allows in `time`.
fn in_time(rate: u128, time: Duration) -> u64 {
    u64::try_from(rate.saturating_mul(time.as_nanos()) / NANOS_PER_SECOND).unwrap_or(u64::MAX)
}
