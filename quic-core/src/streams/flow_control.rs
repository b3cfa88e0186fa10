//! How much may be sent, and how much the peer may send (RFC 9000 §4).

use std::time::Duration;

use crate::instant::{Instant, saturating_nanos};
use crate::wire::VarInt;

/// A window that is read faster than this is too small. A round trip passes until the peer hears of
/// a new limit, and another one while what follows a lost packet waits for it to be sent again;
/// and what the peer may have in flight has to be able to double.
const READ_IN_ROUND_TRIPS: u128 = 4;

/// The window of a receiver: of a stream, or of the connection.
#[derive(Debug)]
pub(super) struct ReceiveWindow {
    /// What the peer was told: the largest offset it may reach, or the sum of them.
    limit: u64,
    /// What the peer may have sent that was not read.
    window: u64,
    /// Read, or thrown away.
    consumed: u64,
    /// When half of the window had been read last, and the limit was raised; the epoch if never.
    raised: Instant,
    /// What was consumed by then.
    consumed_at_raise: u64,
}

impl ReceiveWindow {
    pub(super) fn new(window: u64) -> Self {
        let window = window.min(VarInt::MAX.into_inner());
        Self { limit: window, window, consumed: 0, raised: Instant::EPOCH, consumed_at_raise: 0 }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn window(&self) -> u64 {
        self.window
    }

    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    pub(super) fn consume(&mut self, bytes: u64) {
        self.consumed = self.consumed.saturating_add(bytes);
    }

    /// Whether so much was read that the peer should hear of it: a quarter of the window. With half
    /// of it, a peer that has to wait for the window would get every other half a packet too late,
    /// a whole round trip after the one before, and so half of the window in each round trip.
    pub(super) fn wants_raise(&self) -> bool {
        self.target().saturating_sub(self.limit) >= (self.window / 4).max(1)
    }

    /// Whether enough was read since to tell whether the window suffices: half of it.
    fn is_half_read(&self) -> bool {
        self.consumed.saturating_sub(self.consumed_at_raise) >= (self.window / 2).max(1)
    }

    /// Whether the peer, which has sent `received`, has less left than it can be given now, so that
    /// it should not have to wait until half of the window was read: what is not read on some
    /// streams must not stop the others.
    pub(super) fn is_short(&self, received: u64) -> bool {
        let left = self.limit.saturating_sub(received);
        let worth_a_frame = (self.window / 16).max(1);
        self.target().saturating_sub(self.limit) >= left.max(worth_a_frame)
    }

    /// The limit to tell the peer now. The window grows first, to at most `maximum`, if all of it
    /// would be read in less than [`READ_IN_ROUND_TRIPS`]: the peer might have had to wait.
    pub(super) fn raise(&mut self, now: Instant, rtt: Duration, maximum: u64) -> u64 {
        if self.is_half_read() {
            self.window = self.wanted(now, rtt).min(maximum.max(self.window));
            self.raised = now;
            self.consumed_at_raise = self.consumed;
        }
        self.limit = self.limit.max(self.target());
        self.limit
    }

    /// How large the window should be, now that the limit is to be raised: twice as large if it is
    /// read so fast that the peer might have had to wait.
    pub(super) fn wanted(&self, now: Instant, rtt: Duration) -> u64 {
        let grows = self.is_half_read()
            && self.raised != Instant::EPOCH
            && self.would_last_less_than(now, rtt);
        if grows { self.window.saturating_mul(2) } else { self.window }
    }

    pub(super) fn grow_to(&mut self, window: u64) {
        self.window = self.window.max(window.min(VarInt::MAX.into_inner()));
    }

    /// What the peer was promised stays: the limit is raised again once it has used up so much
    /// that the rest is less than the new window.
    pub(super) fn shrink_to(&mut self, window: u64) {
        self.window = self.window.min(window);
    }

    /// Bytes that are unread, or that the peer may send.
    pub(super) fn promised(&self) -> u64 {
        self.limit.saturating_sub(self.consumed)
    }

    fn target(&self) -> u64 {
        self.consumed.saturating_add(self.window).min(VarInt::MAX.into_inner())
    }

    fn would_last_less_than(&self, now: Instant, rtt: Duration) -> bool {
        let elapsed = u128::from(saturating_nanos(now - self.raised));
        let consumed = u128::from(self.consumed.saturating_sub(self.consumed_at_raise));
        elapsed * u128::from(self.window)
            < READ_IN_ROUND_TRIPS * u128::from(saturating_nanos(rtt)) * consumed
    }
}

/// What the peer was told of a limit that is in the way: once per value (RFC 9000 §4.1).
#[derive(Debug)]
pub(super) struct BlockedReport {
    /// [`NOT_BLOCKED`](Self::NOT_BLOCKED), or the limit.
    at: u64,
    pending: bool,
}

impl Default for BlockedReport {
    fn default() -> Self {
        Self { at: Self::NOT_BLOCKED, pending: false }
    }
}

impl BlockedReport {
    /// No limit: those are below 2^62.
    const NOT_BLOCKED: u64 = u64::MAX;

    pub(super) fn on_blocked(&mut self, limit: u64) {
        if self.at != limit {
            self.at = limit;
            self.pending = true;
        }
    }

    /// The limit was raised: there is nothing to say any more.
    pub(super) fn on_raised(&mut self) {
        *self = Self::default();
    }

    /// A report was lost; it matters if the limit is still the same.
    pub(super) fn on_lost(&mut self) {
        self.pending = self.at != Self::NOT_BLOCKED;
    }

    pub(super) fn pending(&self) -> Option<u64> {
        self.pending.then_some(self.at)
    }

    pub(super) fn on_sent(&mut self) {
        self.pending = false;
    }
}

/// What may be written on the connection, all streams together.
#[derive(Debug)]
pub(super) struct ConnectionCredit {
    /// The peer's MAX_DATA.
    pub(super) maximum: u64,
    /// Written, and not given up before it was sent; this is never above `maximum`, so that
    /// everything that is buffered may be sent.
    pub(super) written: u64,
    /// Kept until it is acknowledged.
    pub(super) unacked: u64,
    pub(super) blocked: BlockedReport,
}

impl ConnectionCredit {
    pub(super) fn new() -> Self {
        Self { maximum: 0, written: 0, unacked: 0, blocked: BlockedReport::default() }
    }

    /// What the peer allows still.
    pub(super) fn remaining(&self) -> u64 {
        self.maximum.saturating_sub(self.written)
    }

    pub(super) fn on_written(&mut self, bytes: u64) {
        self.written = self.written.saturating_add(bytes);
        self.unacked = self.unacked.saturating_add(bytes);
    }

    pub(super) fn on_freed(&mut self, bytes: u64) {
        self.unacked = self.unacked.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    fn read_half(window: &mut ReceiveWindow, now: Instant) -> u64 {
        window.consume(window.window() / 2);
        assert!(window.wants_raise());
        window.raise(now, RTT, 16_000)
    }

    #[test]
    fn a_window_that_is_read_fast_doubles_up_to_its_maximum() {
        let mut window = ReceiveWindow::new(1000);
        let mut now = Instant::EPOCH + RTT;
        let mut limit = window.limit();
        for expected in [1000, 2000, 4000, 8000, 16_000, 16_000] {
            let raised = read_half(&mut window, now);
            assert!(raised > limit);
            limit = raised;
            assert_eq!(window.window(), expected);
            now += RTT / 2;
        }
    }

    #[test]
    fn a_window_that_is_read_slowly_stays() {
        let mut window = ReceiveWindow::new(1000);
        let mut now = Instant::EPOCH + RTT;
        for _ in 0..10 {
            read_half(&mut window, now);
            assert_eq!(window.window(), 1000);
            now += RTT * 4;
        }
    }

    #[test]
    fn less_than_a_quarter_of_a_window_is_not_worth_a_frame() {
        let mut window = ReceiveWindow::new(1000);
        window.consume(249);
        assert!(!window.wants_raise());
        window.consume(1);
        assert!(window.wants_raise());
    }

    #[test]
    fn limits_stay_below_2_to_the_62() {
        let mut window = ReceiveWindow::new(u64::MAX);
        window.consume(1 << 61);
        assert_eq!(window.raise(Instant::EPOCH, RTT, u64::MAX), VarInt::MAX.into_inner());
    }

    #[test]
    fn a_limit_is_reported_once_and_again_only_if_that_was_lost() {
        let mut report = BlockedReport::default();
        report.on_blocked(10);
        assert_eq!(report.pending(), Some(10));
        report.on_sent();
        report.on_blocked(10);
        assert_eq!(report.pending(), None);
        report.on_lost();
        assert_eq!(report.pending(), Some(10));
        report.on_raised();
        report.on_lost();
        assert_eq!(report.pending(), None);
    }
}
