//! BBR, version 3 (draft-ietf-ccwg-bbr).
//!
//! The names are those of the draft; where it says Infinity, this says [`INFINITE`]. A value that
//! depends on nothing but the state (gains) is not stored.

mod control;
mod filter;
mod loss;
mod min_rtt;
mod model;
mod probe_bw;
mod startup;

#[cfg(test)]
mod tests;

use std::time::Duration;

use self::filter::{MaxOfTwoCycles, WindowedMax};
use self::loss::Undo;
use self::min_rtt::MinRtt;
use self::startup::FullPipe;
use super::window::{MAX_WINDOW, RecoveryPeriod, initial_window};
use super::{Acked, Congestion, CongestionController, LostPacket, RateSample, Rtt, Sent};
use crate::instant::Instant;
use crate::net::MINIMUM_MTU;

/// No limit is known.
const INFINITE: u64 = u64::MAX;

/// BBRv3: models the path by its bandwidth and its round-trip time, paces at that bandwidth, and
/// keeps little more in flight than their product. Loss matters where it is more than 2 % while it
/// probes for more, and else slows down for a few round trips.
///
/// Needs pacing.
//= https://www.rfc-editor.org/rfc/rfc9002#section-7
//# If a sender uses a different controller than that specified in this
//# document, the chosen controller MUST conform to the congestion control
//# guidelines specified in Section 3.1 of [RFC8085].
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the draft's own, each with its own name")]
pub struct Bbr {
    mtu: u64,
    state: State,
    cwnd: u64,
    /// Nothing has changed the window yet.
    untouched: bool,
    /// Bytes per second; 0 before the first round-trip time is known.
    pacing_rate: u64,
    send_quantum: u64,
    prior_cwnd: u64,
    period: RecoveryPeriod,
    in_recovery: bool,
    rounds: Rounds,
    /// Whether the window was used up in this round, and in this or the last one.
    limited_in_round: bool,
    is_cwnd_limited: bool,
    idle_restart: bool,
    min_rtt: MinRtt,
    max_bw: MaxOfTwoCycles,
    /// Bytes per second.
    bw: u64,
    bw_latest: u64,
    inflight_latest: u64,
    bw_shortterm: u64,
    inflight_shortterm: u64,
    inflight_longterm: u64,
    is_loss_in_round: bool,
    loss_round_delivered: u64,
    loss_round_start: bool,
    loss_events_in_round: u32,
    extra_acked_start: Option<Instant>,
    extra_acked_delivered: u64,
    extra_acked: WindowedMax,
    full_pipe: FullPipe,
    drain_start_round: u64,
    ack_phase: AckPhase,
    is_bw_probe_sample: bool,
    /// What was delivered when the last ProbeBW_UP began.
    probe_up_delivered: u64,
    bw_probe_up_acked: u64,
    probe_up_acked_per_inc: u64,
    bw_probe_up_rounds: u32,
    rounds_since_probe_up: u64,
    bw_probe_wait: Duration,
    cycle_stamp: Instant,
    prev_probe_too_high: bool,
    prev_probe_precautionary: bool,
    undo: Undo,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Startup,
    Drain,
    ProbeBwDown,
    ProbeBwCruise,
    ProbeBwRefill,
    ProbeBwUp,
    ProbeRtt,
}

impl State {
    fn is_probe_bw(self) -> bool {
        matches!(
            self,
            Self::ProbeBwDown | Self::ProbeBwCruise | Self::ProbeBwRefill | Self::ProbeBwUp
        )
    }

    /// Whether more is sent than before, to see whether there is room.
    fn is_accelerating(self) -> bool {
        matches!(self, Self::Startup | Self::ProbeBwRefill | Self::ProbeBwUp)
    }
}

/// What acknowledgments say about a probe for bandwidth.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum AckPhase {
    Init,
    Refilling,
    ProbeStarting,
    ProbeFeedback,
    ProbeStopping,
}

/// Round trips, counted by what is delivered (§5.5.1).
#[derive(Clone, Copy, Debug, Default)]
struct Rounds {
    count: u64,
    /// The acknowledgment that is being handled begins a round.
    is_start: bool,
    /// A packet sent when so much was delivered ends the round.
    ends_at: u64,
    delivered: u64,
}

impl Rounds {
    /// The round begins now.
    fn restart(&mut self) {
        self.ends_at = self.delivered;
    }
}

impl Bbr {
    /// For a new path with this maximum datagram size, in bytes.
    pub fn new(mtu: u16) -> Self {
        let mtu = u64::from(mtu.max(MINIMUM_MTU));
        Self {
            mtu,
            state: State::Startup,
            cwnd: initial_window(mtu),
            untouched: true,
            pacing_rate: 0,
            send_quantum: 2 * mtu,
            prior_cwnd: 0,
            period: RecoveryPeriod::default(),
            in_recovery: false,
            rounds: Rounds::default(),
            limited_in_round: false,
            is_cwnd_limited: false,
            idle_restart: false,
            min_rtt: MinRtt::default(),
            max_bw: MaxOfTwoCycles::default(),
            bw: 0,
            bw_latest: 0,
            inflight_latest: 0,
            bw_shortterm: INFINITE,
            inflight_shortterm: INFINITE,
            inflight_longterm: INFINITE,
            is_loss_in_round: false,
            loss_round_delivered: 0,
            loss_round_start: false,
            loss_events_in_round: 0,
            extra_acked_start: None,
            extra_acked_delivered: 0,
            extra_acked: WindowedMax::default(),
            full_pipe: FullPipe::default(),
            drain_start_round: 0,
            ack_phase: AckPhase::Init,
            is_bw_probe_sample: false,
            probe_up_delivered: 0,
            bw_probe_up_acked: 0,
            probe_up_acked_per_inc: INFINITE,
            bw_probe_up_rounds: 0,
            rounds_since_probe_up: 0,
            bw_probe_wait: Duration::ZERO,
            cycle_stamp: Instant::EPOCH,
            prev_probe_too_high: false,
            prev_probe_precautionary: false,
            undo: Undo::default(),
        }
    }

    /// UpdateModelAndState (§5.2.3).
    fn update_model_and_state(&mut self, now: Instant, acked: &Acked, sample: &RateSample) {
        self.update_latest_delivery_signals(sample);
        self.update_congestion_signals(sample);
        self.update_ack_aggregation(now, acked.bytes);
        self.check_full_pipe(sample);
        self.check_startup_done(sample);
        self.check_drain_done(now, acked.in_flight);
        self.update_probe_bw(now, acked, sample);
        let was_expired = self.min_rtt.update(now, sample.round_trip);
        self.check_probe_rtt(now, acked.in_flight, was_expired);
        self.idle_restart &= sample.delivered == 0;
        self.advance_latest_delivery_signals(sample);
        self.bw = self.max_bw.get().min(self.bw_shortterm);
    }

    /// UpdateRound (§5.5.1).
    fn update_round(&mut self, sample: &RateSample) {
        self.rounds.is_start = sample.prior_delivered >= self.rounds.ends_at;
        if self.rounds.is_start {
            self.rounds.restart();
            self.rounds.count = self.rounds.count.saturating_add(1);
            self.rounds_since_probe_up = self.rounds_since_probe_up.saturating_add(1);
            self.is_cwnd_limited = self.limited_in_round;
            self.limited_in_round = false;
        }
    }

    /// HandleRestartFromIdle (§5.4.1): nothing was in flight, for want of something to send.
    fn restart_from_idle(&mut self, now: Instant) {
        self.idle_restart = true;
        self.extra_acked_start = Some(now);
        if self.state.is_probe_bw() {
            self.set_pacing_rate(100);
        } else if self.state == State::ProbeRtt {
            self.check_probe_rtt_done(now);
        }
    }
}

impl CongestionController for Bbr {
    fn on_sent(&mut self, now: Instant, sent: &Sent) {
        if sent.in_flight <= sent.bytes && sent.app_limited {
            self.restart_from_idle(now);
        }
        if sent.in_flight.saturating_add(self.mtu) > self.cwnd {
            self.limited_in_round = true;
            self.is_cwnd_limited = true;
        }
    }

    fn on_acked(&mut self, now: Instant, acked: &Acked, rtt: &Rtt) {
        let Some(sample) = &acked.rate else { return };
        self.rounds.delivered = sample.total_delivered;
        if self.pacing_rate == 0 {
            self.init_pacing_rate(rtt);
        }
        if self.in_recovery && !self.period.covers(acked.newest_sent) {
            self.in_recovery = false;
            self.restore_cwnd();
        }
        self.update_model_and_state(now, acked, sample);
        self.set_pacing_rate(self.pacing_gain());
        self.set_send_quantum();
        self.set_cwnd(acked.bytes);
    }

    fn on_packet_lost(&mut self, now: Instant, lost: &LostPacket) {
        self.rounds.delivered = lost.total_delivered;
        if !lost.continues_run {
            self.loss_events_in_round = self.loss_events_in_round.saturating_add(1);
        }
        self.handle_lost_packet(now, lost);
    }

    fn on_congestion(&mut self, now: Instant, event: &Congestion) {
        // The draft wants marks to be treated as congestion and leaves open how (§3.7): they count
        // as a loss in the round.
        if event.ecn {
            self.note_loss();
        }
        // OnEnterFastRecovery (§5.6.4.4).
        if !self.period.covers(event.newest_sent) {
            self.save_cwnd();
            self.period.begin(now);
            self.in_recovery = true;
        }
    }

    fn on_spurious_congestion(&mut self, _now: Instant) {
        self.in_recovery = false;
        self.period.end();
        self.handle_spurious_loss();
    }

    fn on_persistent_congestion(&mut self, now: Instant) {
        // OnEnterRTO (§5.6.4.4).
        self.save_cwnd();
        self.save_state_upon_loss();
        self.period.begin(now);
        self.in_recovery = true;
        self.untouched = false;
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.6.2
        //# When persistent congestion is declared, the sender's congestion
        //# window MUST be reduced to the minimum congestion window
        //# (kMinimumWindow), similar to a TCP sender's response on an RTO
        //# [RFC5681].
        self.cwnd = 2 * self.mtu;
    }

    fn on_mtu_changed(&mut self, mtu: u16) {
        self.mtu = u64::from(mtu.max(MINIMUM_MTU));
        if self.untouched {
            self.cwnd = initial_window(self.mtu);
        }
        self.cwnd = self.cwnd.clamp(2 * self.mtu, MAX_WINDOW);
    }

    fn window(&self) -> u64 {
        self.cwnd
    }

    fn slow_start_threshold(&self) -> Option<u64> {
        None
    }

    fn pacing_rate(&self) -> Option<u64> {
        (self.pacing_rate > 0).then_some(self.pacing_rate)
    }

    fn samples_delivery_rate(&self) -> bool {
        true
    }

    fn holds_back(&self) -> bool {
        self.state == State::ProbeRtt
    }
}
