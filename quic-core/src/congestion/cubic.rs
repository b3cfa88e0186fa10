//! CUBIC (RFC 9438).

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::hystart::{Growth, HyStart};
use super::window::{MAX_WINDOW, RecoveryPeriod, Window};
use super::{Acked, Congestion, CongestionController, Rtt, Sent};
use crate::instant::Instant;

/// The constant C, in datagrams per second cubed (RFC 9438 §5.1).
const C: f64 = 0.4;

/// What is left of the window after a congestion event (RFC 9438 §4.6).
const BETA: f64 = 0.7;

/// The additive increase that makes a Reno with [`BETA`] as fast as one that halves its window
/// (RFC 9438 §4.3).
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);

/// CUBIC (RFC 9438): the window grows with the cube of the time since the last congestion event,
/// and so independently of the round-trip time.
//= https://www.rfc-editor.org/rfc/rfc9002#section-7
//# If a sender uses a different controller than that specified in this
//# document, the chosen controller MUST conform to the congestion control
//# guidelines specified in Section 3.1 of [RFC8085].
#[derive(Clone, Debug)]
pub struct Cubic {
    state: State,
    /// The state before the last congestion event, until it is certain that it was one.
    before_event: Option<Box<State>>,
    /// Since when nothing is in flight.
    idle_since: Option<Instant>,
    /// Since when the application has been sending less than the window permits.
    limited_since: Option<Instant>,
    /// The first slow start, once the window limits it.
    hystart: Option<Box<HyStart>>,
}

#[derive(Clone, Debug)]
struct State {
    window: Window,
    /// What the window should be larger by, below one byte.
    fraction: f64,
    slow_start_threshold: Option<u64>,
    period: RecoveryPeriod,
    /// W_max, in bytes: the window around which growth is slow.
    plateau: f64,
    /// cwnd_prior, in bytes: the window before the last reduction.
    prior: f64,
    /// Made when slow start is over.
    epoch: Option<Box<Epoch>>,
}

/// A stage of congestion avoidance.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    start: Instant,
    /// The plateau of this stage, in bytes, and the time to reach it, in seconds: K.
    plateau: f64,
    time_to_plateau: f64,
    /// W_est, in bytes: the window that Reno would have.
    reno: f64,
}

impl Cubic {
    /// For a new path with this maximum datagram size, in bytes.
    pub fn new(mtu: u16) -> Self {
        let state = State {
            window: Window::new(mtu),
            fraction: 0.0,
            slow_start_threshold: None,
            period: RecoveryPeriod::default(),
            plateau: 0.0,
            prior: 0.0,
            epoch: None,
        };
        Self { state, before_event: None, idle_since: None, limited_since: None, hystart: None }
    }
}

impl CongestionController for Cubic {
    fn on_sent(&mut self, now: Instant, _sent: &Sent) {
        if let Some(since) = self.idle_since.take()
            && self.limited_since.is_none()
        {
            self.state.exclude(now, since);
        }
    }

    fn on_acked(&mut self, now: Instant, acked: &Acked, rtt: &Rtt) {
        if acked.in_flight == 0 {
            self.idle_since = Some(now);
        }
        if !acked.window_limited {
            self.limited_since.get_or_insert(now);
            return;
        }
        // Time in which the window could not grow does not count (RFC 9438 §4.2, §5.8).
        if let Some(since) = self.limited_since.take() {
            self.state.exclude(now, since);
        }
        let state = &mut self.state;
        if state.period.covers(acked.newest_sent) {
            return;
        }
        let window = state.window.bytes();
        // RFC 9438 §4.10: slow start up to the threshold, the first one by HyStart++. Where it ends
        // without a loss, congestion avoidance begins at its plateau, since none is known.
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
            }
            Some(threshold) if window < threshold => {
                state.window.set(window.saturating_add(acked.bytes).min(threshold));
            }
            Some(_) => state.avoid_congestion(now, acked.bytes, rtt.smoothed()),
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
            self.before_event = Some(Box::new(self.state.clone()));
        }
        self.hystart = None;
        self.state.reduce(now);
    }

    fn on_spurious_congestion(&mut self, _now: Instant) {
        // RFC 9438 §4.9.2: all is as it was, unless the window has outgrown that by now.
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
        let state = &mut self.state;
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.6.2
        //# When persistent congestion is declared, the sender's congestion window
        //# MUST be reduced to the minimum congestion window (kMinimumWindow),
        //# similar to a TCP sender's response on an RTO [RFC5681].
        state.window.set(0);
        state.period.end();
        state.epoch = None;
        // The next stage of congestion avoidance has its plateau where it begins (RFC 9438 §4.8).
        state.plateau = 0.0;
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

impl State {
    /// Multiplicative decrease and fast convergence (RFC 9438 §4.6, §4.7).
    fn reduce(&mut self, now: Instant) {
        let window = to_float(self.window.bytes());
        // Fast convergence (RFC 9438 §4.7): if the window did not even get back to where it was,
        // others need room.
        self.plateau =
            if window < self.plateau { window * f64::midpoint(1.0, BETA) } else { window };
        // RFC 9438 §4.6. The window did not grow while it was not used up, so that it is as good a
        // measure as what is in flight.
        self.prior = window;
        self.period.begin(now);
        self.window.set(to_bytes(window * BETA));
        self.fraction = 0.0;
        self.slow_start_threshold = Some(self.window.bytes());
        self.epoch = None;
    }

    /// One step of congestion avoidance (RFC 9438 §4.2 to §4.5).
    fn avoid_congestion(&mut self, now: Instant, acked: u64, round_trip: Duration) {
        let window = to_float(self.window.bytes()) + self.fraction;
        let mtu = to_float(self.window.mtu());
        let plateau = self.plateau;
        let epoch =
            self.epoch.get_or_insert_with(|| Epoch::begin(now, window, plateau, mtu).into());
        // One ACK frame never acknowledges more than a window.
        let share = (to_float(acked) / window).min(1.0);
        // W_est (RFC 9438 §4.3, Figure 4), as fast as Reno once it is where the last reduction was.
        let alpha = if epoch.reno < self.prior { ALPHA } else { 1.0 };
        epoch.reno = (epoch.reno + alpha * mtu * share).min(to_float(MAX_WINDOW));
        let elapsed = now - epoch.start;
        let grown = if epoch.cubic(elapsed, mtu) < epoch.reno {
            // The Reno-friendly region (RFC 9438 §4.3).
            epoch.reno.max(window)
        } else {
            // The concave and the convex region (RFC 9438 §4.4, §4.5), with the bounds of §4.2.
            let target = epoch.cubic(elapsed.saturating_add(round_trip), mtu);
            let target = target.clamp(window, window * 1.5);
            window + (target - window) * share
        };
        let bytes = to_bytes(grown);
        self.fraction = (grown - to_float(bytes)).clamp(0.0, 1.0);
        self.window.set(bytes);
    }

    /// Lets the time since `since` not count in the epoch.
    fn exclude(&mut self, now: Instant, since: Instant) {
        if let Some(epoch) = &mut self.epoch {
            let began = epoch.start.max(since);
            epoch.start = (epoch.start + (now - began)).min(now);
        }
    }
}

impl Epoch {
    /// With K (RFC 9438 §4.2, Figure 2), which is 0 where the window is at the plateau already
    /// (§4.8, §4.10).
    fn begin(now: Instant, window: f64, plateau: f64, mtu: f64) -> Self {
        let below = (plateau - window).max(0.0);
        Self {
            start: now,
            plateau: plateau.max(window),
            time_to_plateau: (below / mtu / C).cbrt(),
            reno: window,
        }
    }

    /// W_cubic, in bytes (RFC 9438 §4.2, Figure 1).
    fn cubic(&self, elapsed: Duration, mtu: f64) -> f64 {
        let from_plateau = elapsed.as_secs_f64() - self.time_to_plateau;
        let window = C * mtu * from_plateau.powi(3) + self.plateau;
        window.clamp(0.0, to_float(MAX_WINDOW))
    }
}

#[expect(clippy::cast_precision_loss, reason = "windows are far below 2^53")]
fn to_float(bytes: u64) -> f64 {
    bytes as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast rounds down and saturates, which is what a window needs"
)]
fn to_bytes(window: f64) -> u64 {
    window as u64
}
