//! What lost packets teach, and how it is taken back (§5.5.10, §5.5.11).

use super::control::percent;
use super::model::BETA;
use super::{Bbr, INFINITE, State};
use crate::congestion::LostPacket;
use crate::instant::Instant;

/// LossThresh, in percent: so much loss in a round trip is tolerated while probing (§3.2).
const LOSS_THRESHOLD: u64 = 2;

/// What is restored when losses turn out to be none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Undo {
    /// The state that the losses ended, if they ended one.
    pub(super) state: Option<State>,
    bw_shortterm: u64,
    inflight_shortterm: u64,
    inflight_longterm: u64,
}

/// IsInflightTooHigh (§5.5.10.2): whether so many bytes lost, of so many in flight, are too many.
pub(super) fn is_inflight_too_high(lost: u64, in_flight_when_sent: u64) -> bool {
    lost > percent(in_flight_when_sent, LOSS_THRESHOLD)
}

impl Bbr {
    /// NoteLoss (§5.5.10.2).
    pub(super) fn note_loss(&mut self) {
        if !self.is_loss_in_round {
            self.loss_round_delivered = self.rounds.delivered;
            self.save_cwnd();
            self.save_state_upon_loss();
        }
        self.is_loss_in_round = true;
    }

    /// SaveStateUponLoss (§5.5.11.1), but for the window.
    pub(super) fn save_state_upon_loss(&mut self) {
        self.undo = Undo {
            state: None,
            bw_shortterm: self.bw_shortterm,
            inflight_shortterm: self.inflight_shortterm,
            inflight_longterm: self.inflight_longterm,
        };
    }

    /// HandleLostPacket (§5.5.10.2).
    pub(super) fn handle_lost_packet(&mut self, now: Instant, lost: &LostPacket) {
        self.note_loss();
        // The draft also judges by packets sent in ProbeBW_REFILL. Those at its start were sent when
        // little was in flight; random losses among them pull inflight_longterm below what the path
        // holds, and it takes many cycles to get back.
        let was_probing = lost.prior_delivered >= self.probe_up_delivered;
        if self.is_bw_probe_sample
            && was_probing
            && is_inflight_too_high(lost.lost, lost.in_flight_when_sent)
        {
            self.handle_inflight_too_high(now, lost);
        }
    }

    /// HandleInflightTooHigh (§5.5.10.2).
    fn handle_inflight_too_high(&mut self, now: Instant, lost: &LostPacket) {
        self.prev_probe_too_high = true;
        self.is_bw_probe_sample = false;
        if !lost.app_limited {
            let bound = percent(self.target_inflight(), BETA);
            self.inflight_longterm = inflight_at_loss(lost).max(bound).min(INFINITE - 1);
        }
        if self.state == State::ProbeBwUp {
            self.undo.state = Some(State::ProbeBwUp);
            self.start_probe_bw_down(now);
        }
    }

    /// HandleSpuriousLossDetection (§5.5.11.2).
    pub(super) fn handle_spurious_loss(&mut self) {
        self.restore_cwnd();
        self.is_loss_in_round = false;
        self.full_pipe.reset(0);
        let Undo { state, bw_shortterm, inflight_shortterm, inflight_longterm } = self.undo;
        self.bw_shortterm = self.bw_shortterm.max(bw_shortterm);
        self.inflight_shortterm = self.inflight_shortterm.max(inflight_shortterm);
        self.inflight_longterm = self.inflight_longterm.max(inflight_longterm);
        self.undo.state = None;
        match state {
            Some(State::Startup) if self.state != State::Startup => {
                self.full_pipe.was_reached = false;
                if self.state != State::ProbeRtt {
                    self.enter_startup();
                }
            }
            Some(State::ProbeBwUp) if !matches!(self.state, State::ProbeBwUp | State::ProbeRtt) => {
                self.start_probe_bw_refill();
            }
            _ => {}
        }
    }
}

/// InflightAtLoss (§5.5.10.2): how much was in flight when too much of it was lost. A packet here is
/// one datagram, so this is what was in flight before it, and little more.
fn inflight_at_loss(lost: &LostPacket) -> u64 {
    let before = lost.in_flight_when_sent.saturating_sub(lost.bytes);
    let lost_before = lost.lost.saturating_sub(lost.bytes);
    let tolerated = percent(before, LOSS_THRESHOLD);
    let prefix = tolerated.saturating_sub(lost_before).saturating_mul(100) / (100 - LOSS_THRESHOLD);
    before.saturating_add(prefix)
}
