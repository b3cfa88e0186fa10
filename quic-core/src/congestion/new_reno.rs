//! NewReno (RFC 9002 §7).

#[cfg(test)]
mod tests;

use super::hystart::{Growth, HyStart};
use super::window::{RecoveryPeriod, Window};
use super::{Acked, Congestion, CongestionController, Rtt, Sent};
use crate::instant::Instant;

/// NewReno, the controller that RFC 9002 §7 describes: it halves its window when packets are lost
/// and grows it by a datagram each round trip.
#[derive(Clone, Debug)]
pub struct NewReno {
    state: State,
    /// The state before the last congestion event, until it is certain that it was one.
    before_event: Option<Box<State>>,
    /// The first slow start, once the window limits it.
    hystart: Option<Box<HyStart>>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    window: Window,
    slow_start_threshold: Option<u64>,
    period: RecoveryPeriod,
    /// Bytes acknowledged since the window last grew in congestion avoidance.
    acked: u64,
}

impl NewReno {
    /// For a new path with this maximum datagram size, in bytes.
    pub fn new(mtu: u16) -> Self {
        let state = State {
            window: Window::new(mtu),
            slow_start_threshold: None,
            period: RecoveryPeriod::default(),
            acked: 0,
        };
        Self { state, before_event: None, hystart: None }
    }
}

impl CongestionController for NewReno {
    fn on_sent(&mut self, _now: Instant, _sent: &Sent) {}

    fn on_acked(&mut self, now: Instant, acked: &Acked, _rtt: &Rtt) {
        let state = &mut self.state;
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.8
        //# When bytes in flight is smaller than the congestion window and
        //# sending is not pacing limited, the congestion window is
        //# underutilized.
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.8
        //# When this occurs, the congestion window SHOULD NOT be increased in
        //# either slow start or congestion avoidance.
        if !acked.window_limited || state.period.covers(acked.newest_sent) {
            return;
        }
        let window = state.window.bytes();
        match state.slow_start_threshold {
            None => {
                let hystart = self.hystart.get_or_insert_with(|| Box::new(HyStart::new(now)));
                match hystart.on_acked(now, acked) {
                    Growth::By(bytes) => state.window.grow(bytes),
                    Growth::Over => {
                        state.slow_start_threshold = Some(window);
                        self.hystart = None;
                    }
                }
                return;
            }
            Some(threshold) if window < threshold => {
                state.window.grow(acked.bytes);
                return;
            }
            Some(_) => {}
        }
        state.acked = state.acked.saturating_add(acked.bytes);
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.3.3
        //# A sender in congestion avoidance uses an Additive Increase
        //# Multiplicative Decrease (AIMD) approach that MUST limit the increase
        //# to the congestion window to at most one maximum datagram size for each
        //# congestion window that is acknowledged.
        let datagrams = state.acked / window.max(1);
        if datagrams > 0 {
            state.acked %= window.max(1);
            state.window.grow(datagrams.saturating_mul(state.window.mtu()));
        }
    }

    fn on_congestion(&mut self, now: Instant, event: &Congestion) {
        if event.ecn {
            self.before_event = None;
        }
        if self.state.period.covers(event.newest_sent) {
            return;
        }
        if !event.ecn {
            self.before_event = Some(Box::new(self.state));
        }
        self.hystart = None;
        let state = &mut self.state;
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.3.1
        //# The sender MUST exit slow start and enter a recovery period when a
        //# packet is lost or when the ECN-CE count reported by its peer
        //# increases.
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.3.2
        //# On entering a recovery period, a sender MUST set the slow start
        //# threshold to half the value of the congestion window when loss is
        //# detected.
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.3.2
        //# The congestion window MUST be set to the reduced value of the slow
        //# start threshold before exiting the recovery period.
        state.period.begin(now);
        state.window.set(state.window.bytes() / 2);
        state.slow_start_threshold = Some(state.window.bytes());
        state.acked = 0;
    }

    fn on_spurious_congestion(&mut self, _now: Instant) {
        // As CUBIC does (RFC 9438 §4.9.2), which RFC 9002 leaves open.
        if let Some(mut before) = self.before_event.take()
            && self.state.window.bytes() < before.window.bytes()
        {
            let window = before.window.bytes();
            before.window = self.state.window;
            before.window.set(window);
            self.state = *before;
        }
    }

    fn on_persistent_congestion(&mut self, _now: Instant) {
        self.before_event = None;
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.6.2
        //# When persistent congestion is declared, the sender's congestion window
        //# MUST be reduced to the minimum congestion window (kMinimumWindow),
        //# similar to a TCP sender's response on an RTO [RFC5681].
        self.state.window.set(0);
        self.state.period.end();
        self.state.acked = 0;
    }

    fn on_mtu_changed(&mut self, mtu: u16) {
        self.state.window.set_mtu(mtu);
    }

    fn window(&self) -> u64 {
        self.state.window.bytes()
    }

    fn slow_start_threshold(&self) -> Option<u64> {
        self.state.slow_start_threshold
    }
}
