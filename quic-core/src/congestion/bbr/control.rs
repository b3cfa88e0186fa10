//! Pacing rate, send quantum and window (§5.6).

use super::{Bbr, INFINITE, State};
use crate::congestion::Rtt;
use crate::congestion::window::{MAX_WINDOW, initial_window};
use crate::instant::saturating_nanos;

/// StartupPacingGain, in percent: 4 ln 2, which doubles what is sent each round (§5.3.1.1).
const STARTUP_PACING_GAIN: u64 = 277;

/// PacingMarginPercent: so much less than the bandwidth is sent, so that queues do not grow
/// (§5.6.2).
const PACING_MARGIN_PERCENT: u64 = 1;

/// Headroom, in percent of inflight_longterm: what is left to others (§5.3.3.1).
const HEADROOM: u64 = 15;

/// Bounds of the send quantum, in bytes and in datagrams (§5.6.3).
const MAX_QUANTUM: u64 = 64 << 10;
const MIN_QUANTUM_DATAGRAMS: u64 = 2;

const MILLIS_PER_SECOND: u64 = 1000;
const NANOS_PER_SECOND: u128 = 1_000_000_000;

impl Bbr {
    /// In percent (§5.6.1).
    pub(super) fn pacing_gain(&self) -> u64 {
        match self.state {
            State::Startup => STARTUP_PACING_GAIN,
            State::Drain => 50,
            State::ProbeBwDown => 90,
            State::ProbeBwCruise | State::ProbeBwRefill | State::ProbeRtt => 100,
            State::ProbeBwUp => 125,
        }
    }

    /// In percent (§5.6.1).
    fn cwnd_gain(&self) -> u64 {
        match self.state {
            State::Startup
            | State::Drain
            | State::ProbeBwDown
            | State::ProbeBwCruise
            | State::ProbeBwRefill => 200,
            State::ProbeBwUp => 225,
            State::ProbeRtt => 50,
        }
    }

    /// MinPipeCwnd: keeps peers busy that acknowledge every other packet (§5.6.4.3).
    pub(super) fn min_pipe_cwnd(&self) -> u64 {
        4 * self.mtu
    }

    /// InitPacingRate, now that the round-trip time is known (§5.6.2).
    pub(super) fn init_pacing_rate(&mut self, rtt: &Rtt) {
        let nanos = u128::from(saturating_nanos(rtt.smoothed()).max(1));
        let rate = u128::from(self.cwnd) * NANOS_PER_SECOND / nanos;
        self.pacing_rate = percent(u64::try_from(rate).unwrap_or(u64::MAX), STARTUP_PACING_GAIN);
        self.pacing_rate = self.pacing_rate.max(1);
    }

    /// SetPacingRateWithGain (§5.6.2); `gain` is in percent.
    pub(super) fn set_pacing_rate(&mut self, gain: u64) {
        let rate = percent(percent(self.bw, gain), 100 - PACING_MARGIN_PERCENT);
        if rate > self.pacing_rate || (self.full_pipe.was_reached && rate > 0) {
            self.pacing_rate = rate;
        }
    }

    /// SetSendQuantum (§5.6.3).
    pub(super) fn set_send_quantum(&mut self) {
        let minimum = MIN_QUANTUM_DATAGRAMS * self.mtu;
        let quantum = (self.pacing_rate / MILLIS_PER_SECOND).min(MAX_QUANTUM);
        self.send_quantum = quantum.max(minimum);
    }

    /// What the path holds at a bandwidth, times a gain in percent (BDPMultiple, §5.6.4.2).
    fn bdp_multiple(&self, bandwidth: u64, gain: u64) -> u64 {
        let Some(min_rtt) = self.min_rtt.get() else { return initial_window(self.mtu) };
        let nanos = u128::from(saturating_nanos(min_rtt));
        let bdp = u128::from(bandwidth) * nanos / NANOS_PER_SECOND;
        percent(u64::try_from(bdp).unwrap_or(u64::MAX), gain)
    }

    pub(super) fn bdp(&self) -> u64 {
        self.bdp_multiple(self.bw, 100)
    }

    /// QuantizationBudget (§5.6.4.2); the offload budget is the send quantum (§5.5.8.2).
    fn quantization_budget(&self, inflight: u64) -> u64 {
        let least = self.send_quantum.max(self.min_pipe_cwnd());
        let budget = inflight.max(least);
        if self.state == State::ProbeBwUp { budget.saturating_add(2 * self.mtu) } else { budget }
    }

    /// Inflight: what keeps the path full at a bandwidth (§5.6.4.2).
    pub(super) fn inflight(&self, bandwidth: u64) -> u64 {
        self.quantization_budget(self.bdp_multiple(bandwidth, 100))
    }

    /// TargetInflight: what the path holds, unless congestion cut the window (§5.3.3.8.3).
    pub(super) fn target_inflight(&self) -> u64 {
        self.bdp().min(self.cwnd)
    }

    /// InflightWithHeadroom (§5.3.3.9).
    pub(super) fn inflight_with_headroom(&self) -> u64 {
        if self.inflight_longterm == INFINITE {
            return INFINITE;
        }
        let headroom = percent(self.inflight_longterm, HEADROOM).max(self.mtu);
        self.inflight_longterm.saturating_sub(headroom).max(self.min_pipe_cwnd())
    }

    /// SetCwnd (§5.6.4.6).
    pub(super) fn set_cwnd(&mut self, newly_acked: u64) {
        let wanted = self.bdp_multiple(self.bw, self.cwnd_gain());
        let wanted = wanted.saturating_add(self.extra_acked.get());
        let max_inflight = self.quantization_budget(wanted);
        let grown = self.cwnd.saturating_add(newly_acked);
        if self.full_pipe.was_reached {
            self.cwnd = grown.min(max_inflight);
        } else if self.cwnd < max_inflight || self.rounds.delivered < initial_window(self.mtu) {
            self.cwnd = grown;
        }
        self.untouched = false;
        self.cwnd = self.cwnd.max(self.min_pipe_cwnd());
        if self.state == State::ProbeRtt {
            self.cwnd = self.cwnd.min(self.probe_rtt_cwnd());
        }
        self.bound_cwnd_for_model();
        self.cwnd = self.cwnd.min(MAX_WINDOW);
    }

    /// ProbeRTTCwnd (§5.6.4.5).
    pub(super) fn probe_rtt_cwnd(&self) -> u64 {
        self.bdp_multiple(self.bw, 50).max(self.min_pipe_cwnd())
    }

    /// BoundCwndForModel (§5.6.4.7).
    fn bound_cwnd_for_model(&mut self) {
        let cap = match self.state {
            State::ProbeBwDown | State::ProbeBwRefill | State::ProbeBwUp => self.inflight_longterm,
            State::ProbeBwCruise | State::ProbeRtt => self.inflight_with_headroom(),
            State::Startup | State::Drain => INFINITE,
        };
        let cap = cap.min(self.inflight_shortterm).max(self.min_pipe_cwnd());
        self.cwnd = self.cwnd.min(cap);
    }

    /// SaveCwnd: the last window that neither loss recovery nor ProbeRTT made (§5.6.4.4).
    pub(super) fn save_cwnd(&mut self) {
        self.prior_cwnd = if self.in_recovery || self.state == State::ProbeRtt {
            self.prior_cwnd.max(self.cwnd)
        } else {
            self.cwnd
        };
    }

    /// RestoreCwnd (§5.6.4.4).
    pub(super) fn restore_cwnd(&mut self) {
        self.cwnd = self.cwnd.max(self.prior_cwnd);
    }
}

/// So many percent of a value.
pub(super) fn percent(value: u64, percent: u64) -> u64 {
    let product = u128::from(value) * u128::from(percent) / 100;
    u64::try_from(product).unwrap_or(u64::MAX)
}
