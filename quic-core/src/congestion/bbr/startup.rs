//! Startup, Drain, and whether the pipe is full (§5.3.1, §5.3.2).

use super::loss::is_inflight_too_high;
use super::{Bbr, State};
use crate::congestion::RateSample;
use crate::instant::Instant;

/// BBRStartupFullLossCnt: so many runs of packets lost in a round are no accident (§5.3.1.3).
const FULL_LOSS_COUNT: u32 = 6;

/// Rounds without a quarter more that show that the pipe is full (§5.3.1.2).
const FULL_ROUNDS: u32 = 3;

/// Rounds after which Drain ends in any case (§5.3.2).
const MAX_DRAIN_ROUNDS: u64 = 3;

/// Whether sending faster still delivers more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FullPipe {
    /// full_bw_reached: it was full once.
    pub(super) was_reached: bool,
    /// full_bw_now: it is, since the search was started.
    pub(super) is_now: bool,
    bandwidth: u64,
    count: u32,
}

impl FullPipe {
    /// ResetFullBW (§5.3.1.2): the search starts, at this bandwidth.
    pub(super) fn reset(&mut self, bandwidth: u64) {
        self.bandwidth = bandwidth;
        self.count = 0;
        self.is_now = false;
    }

    fn on_round(&mut self, rate: u64) {
        if rate >= self.bandwidth.saturating_add(self.bandwidth / 4) {
            self.reset(rate);
            return;
        }
        self.count = self.count.saturating_add(1);
        self.is_now = self.count >= FULL_ROUNDS;
        self.was_reached |= self.is_now;
    }
}

impl Bbr {
    /// CheckFullBWReached (§5.3.1.2).
    pub(super) fn check_full_pipe(&mut self, sample: &RateSample) {
        if !self.full_pipe.is_now && self.rounds.is_start && !sample.app_limited {
            self.full_pipe.on_round(sample.delivery_rate.unwrap_or(0));
        }
    }

    /// CheckStartupDone (§5.3.1.1).
    pub(super) fn check_startup_done(&mut self, sample: &RateSample) {
        self.check_startup_high_loss(sample);
        if self.state == State::Startup && self.full_pipe.was_reached {
            self.state = State::Drain;
            self.drain_start_round = self.rounds.count;
        }
    }

    /// CheckStartupHighLoss (§5.3.1.3).
    fn check_startup_high_loss(&mut self, sample: &RateSample) {
        if !self.loss_round_start {
            return;
        }
        let is_high = self.loss_events_in_round >= FULL_LOSS_COUNT
            && is_inflight_too_high(sample.lost, sample.in_flight_when_sent);
        self.loss_events_in_round = 0;
        if self.state == State::Startup && is_high {
            self.undo.state = Some(State::Startup);
            self.full_pipe.was_reached = true;
            self.inflight_longterm = self.bdp().max(self.inflight_latest);
        }
    }

    /// CheckDrainDone (§5.3.2).
    pub(super) fn check_drain_done(&mut self, now: Instant, in_flight: u64) {
        if self.state == State::Drain
            && (in_flight <= self.inflight(self.bw)
                || self.rounds.count > self.drain_start_round.saturating_add(MAX_DRAIN_ROUNDS))
        {
            self.start_probe_bw_down(now);
        }
    }

    pub(super) fn enter_startup(&mut self) {
        self.state = State::Startup;
    }
}
