//! The cycle of probing for bandwidth: down, cruise, refill, up (§5.3.3).

use std::time::Duration;

use super::loss::is_inflight_too_high;
use super::{AckPhase, Bbr, INFINITE, State};
use crate::congestion::{Acked, RateSample};
use crate::instant::Instant;

/// Rounds after which bandwidth is probed for in any case, as Reno would (§5.3.3.8.2).
const MAX_RENO_ROUNDS: u64 = 63;

/// The least time between two probes; up to a second is added (§5.3.3.8.2).
const MIN_PROBE_WAIT: Duration = Duration::from_secs(2);

/// The slope of inflight_longterm doubles so often at the most (§5.3.3.9).
const MAX_UP_ROUNDS: u32 = 30;

impl Bbr {
    /// StartProbeBW_DOWN (§5.3.3.1, §5.3.3.9).
    pub(super) fn start_probe_bw_down(&mut self, now: Instant) {
        self.reset_congestion_signals();
        self.probe_up_acked_per_inc = INFINITE;
        self.pick_probe_wait(now);
        self.cycle_stamp = now;
        self.ack_phase = AckPhase::ProbeStopping;
        self.rounds.restart();
        self.state = State::ProbeBwDown;
    }

    /// StartProbeBW_CRUISE (§5.3.3.2, §5.3.3.9).
    pub(super) fn start_probe_bw_cruise(&mut self) {
        self.state = State::ProbeBwCruise;
    }

    /// StartProbeBW_REFILL (§5.3.3.3, §5.3.3.9).
    pub(super) fn start_probe_bw_refill(&mut self) {
        self.reset_short_term_model();
        self.bw_probe_up_rounds = 0;
        self.bw_probe_up_acked = 0;
        self.prev_probe_precautionary = false;
        self.ack_phase = AckPhase::Refilling;
        self.rounds.restart();
        self.state = State::ProbeBwRefill;
    }

    /// StartProbeBW_UP (§5.3.3.5, §5.3.3.9).
    fn start_probe_bw_up(&mut self, sample: &RateSample) {
        self.ack_phase = AckPhase::ProbeStarting;
        self.rounds.restart();
        self.full_pipe.reset(sample.delivery_rate.unwrap_or(0));
        self.state = State::ProbeBwUp;
        self.probe_up_delivered = self.rounds.delivered;
        self.raise_inflight_longterm_slope();
    }

    /// UpdateProbeBWCyclePhase (§5.3.3.9).
    pub(super) fn update_probe_bw(&mut self, now: Instant, acked: &Acked, sample: &RateSample) {
        if !self.full_pipe.was_reached || self.adapt_long_term_model(acked, sample) {
            return;
        }
        match self.state {
            State::ProbeBwDown => {
                if self.is_time_to_probe(now) {
                    self.start_probe_bw_refill();
                } else if self.is_time_to_cruise(acked.in_flight) {
                    self.start_probe_bw_cruise();
                }
            }
            State::ProbeBwCruise => {
                if self.is_time_to_probe(now) {
                    self.start_probe_bw_refill();
                }
            }
            State::ProbeBwRefill => {
                if self.rounds.is_start {
                    self.is_bw_probe_sample = true;
                    self.start_probe_bw_up(sample);
                }
            }
            State::ProbeBwUp => {
                if self.is_time_to_go_down(acked.in_flight, sample) {
                    self.prev_probe_too_high = false;
                    self.start_probe_bw_down(now);
                }
            }
            State::Startup | State::Drain | State::ProbeRtt => {}
        }
    }

    /// AdaptLongTermModel (§5.3.3.9); returns whether it changed the state. If the last probe was
    /// but a precautionary one and did no harm, the next follows at once (§5.3.3.6).
    fn adapt_long_term_model(&mut self, acked: &Acked, sample: &RateSample) -> bool {
        if self.ack_phase == AckPhase::ProbeStarting && self.rounds.is_start {
            self.ack_phase = AckPhase::ProbeFeedback;
        }
        if self.ack_phase == AckPhase::ProbeStopping && self.rounds.is_start {
            self.is_bw_probe_sample = false;
            self.ack_phase = AckPhase::Init;
            if self.state.is_probe_bw() && !sample.app_limited {
                self.max_bw.advance();
            }
            if self.state.is_probe_bw()
                && self.prev_probe_precautionary
                && !self.prev_probe_too_high
            {
                self.start_probe_bw_refill();
                return true;
            }
        }
        let is_safe = !is_inflight_too_high(sample.lost, sample.in_flight_when_sent);
        if is_safe && self.inflight_longterm != INFINITE {
            self.inflight_longterm = self.inflight_longterm.max(sample.in_flight_when_sent);
            if self.state == State::ProbeBwUp {
                self.probe_inflight_longterm_upward(acked.bytes);
            }
        }
        false
    }

    /// IsTimeToProbeBW (§5.3.3.8.3).
    fn is_time_to_probe(&self, now: Instant) -> bool {
        let reno_rounds = (self.target_inflight() / self.mtu).min(MAX_RENO_ROUNDS);
        now > self.cycle_stamp + self.bw_probe_wait || self.rounds_since_probe_up >= reno_rounds
    }

    /// IsTimeToCruise (§5.3.3.9).
    fn is_time_to_cruise(&self, in_flight: u64) -> bool {
        in_flight <= self.inflight_with_headroom() && in_flight <= self.inflight(self.max_bw.get())
    }

    /// IsTimeToGoDown (§5.3.3.7).
    fn is_time_to_go_down(&mut self, in_flight: u64, sample: &RateSample) -> bool {
        if self.prev_probe_too_high && in_flight >= self.inflight_longterm {
            self.prev_probe_precautionary = true;
            return true;
        }
        if self.is_cwnd_limited && self.cwnd >= self.inflight_longterm {
            // It is inflight_longterm that limits the bandwidth, not the path.
            self.full_pipe.reset(sample.delivery_rate.unwrap_or(0));
            return false;
        }
        self.full_pipe.is_now
    }

    /// RaiseInflightLongtermSlope (§5.3.3.9).
    fn raise_inflight_longterm_slope(&mut self) {
        let growth = 1_u64 << self.bw_probe_up_rounds.min(MAX_UP_ROUNDS);
        self.bw_probe_up_rounds = (self.bw_probe_up_rounds + 1).min(MAX_UP_ROUNDS);
        self.probe_up_acked_per_inc = (self.cwnd / growth).max(self.mtu);
    }

    /// ProbeInflightLongtermUpward (§5.3.3.9).
    fn probe_inflight_longterm_upward(&mut self, newly_acked: u64) {
        if !self.is_cwnd_limited || self.cwnd < self.inflight_longterm {
            return;
        }
        self.bw_probe_up_acked = self.bw_probe_up_acked.saturating_add(newly_acked);
        let per_datagram = self.probe_up_acked_per_inc.max(1);
        let datagrams = self.bw_probe_up_acked / per_datagram;
        self.bw_probe_up_acked %= per_datagram;
        let raised = self.inflight_longterm.saturating_add(datagrams.saturating_mul(self.mtu));
        self.inflight_longterm = raised.min(INFINITE - 1);
        if self.rounds.is_start {
            self.raise_inflight_longterm_slope();
        }
    }

    /// PickProbeWait (§5.3.3.8.3): connections that began together must not probe together. What
    /// tells them apart is when and after how many bytes they are here, so nothing random has to be
    /// kept.
    fn pick_probe_wait(&mut self, now: Instant) {
        let mixed = (now.as_nanos() ^ self.rounds.delivered.rotate_left(32))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.rounds_since_probe_up = mixed >> 63;
        let millis = (mixed >> 32) % 1000;
        self.bw_probe_wait = MIN_PROBE_WAIT + Duration::from_millis(millis);
    }
}
