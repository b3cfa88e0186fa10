//! The shortest round-trip time, and ProbeRTT, which finds it again (§5.3.4).

use std::time::Duration;

use super::{AckPhase, Bbr, State};
use crate::instant::Instant;

/// MinRTTFilterLen: how long the shortest round-trip time is remembered (§5.5.7.2).
const MIN_RTT_FILTER_LENGTH: Duration = Duration::from_secs(10);

/// ProbeRTTInterval: after so long without a new one, it is looked for; the same for all who may
/// share a queue (§5.3.4.2).
const PROBE_RTT_INTERVAL: Duration = Duration::from_secs(5);

/// ProbeRTTDuration: for so long little is in flight, so that all who share the queue do it at the
/// same time (§5.3.4.1).
const PROBE_RTT_DURATION: Duration = Duration::from_millis(200);

/// The shortest round-trip time of two time scales.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MinRtt {
    least: Option<(Duration, Instant)>,
    probe: Option<(Duration, Instant)>,
    /// probe_rtt_done_stamp: when ProbeRTT may end.
    done_at: Option<Instant>,
    round_done: bool,
}

impl MinRtt {
    pub(super) fn get(&self) -> Option<Duration> {
        self.least.map(|(min_rtt, _)| min_rtt)
    }

    /// UpdateMinRTT (§5.3.4.3); returns whether what ProbeRTT looks for was too old.
    pub(super) fn update(&mut self, now: Instant, sample: Duration) -> bool {
        let expired = self.probe.is_some_and(|(_, at)| now > at + PROBE_RTT_INTERVAL);
        let mut probe = self.probe.unwrap_or((sample, now));
        if sample < probe.0 || expired {
            probe = (sample, now);
        }
        self.probe = Some(probe);
        let is_new = self
            .least
            .is_none_or(|(least, at)| probe.0 < least || now > at + MIN_RTT_FILTER_LENGTH);
        if is_new {
            self.least = Some(probe);
        }
        expired
    }
}

impl Bbr {
    /// CheckProbeRTT (§5.3.4.3).
    pub(super) fn check_probe_rtt(&mut self, now: Instant, in_flight: u64, was_expired: bool) {
        if self.state != State::ProbeRtt && was_expired && !self.idle_restart {
            self.state = State::ProbeRtt;
            self.save_cwnd();
            self.min_rtt.done_at = None;
            self.ack_phase = AckPhase::ProbeStopping;
            self.rounds.restart();
        }
        if self.state == State::ProbeRtt {
            self.handle_probe_rtt(now, in_flight);
        }
    }

    /// HandleProbeRTT (§5.3.4.3).
    fn handle_probe_rtt(&mut self, now: Instant, in_flight: u64) {
        if self.min_rtt.done_at.is_some() {
            self.min_rtt.round_done |= self.rounds.is_start;
            if self.min_rtt.round_done {
                self.check_probe_rtt_done(now);
            }
        } else if in_flight <= self.probe_rtt_cwnd() {
            self.min_rtt.done_at = Some(now + PROBE_RTT_DURATION);
            self.min_rtt.round_done = false;
            self.rounds.restart();
        }
    }

    /// CheckProbeRTTDone (§5.3.4.3).
    pub(super) fn check_probe_rtt_done(&mut self, now: Instant) {
        if self.min_rtt.done_at.is_none_or(|at| now <= at) {
            return;
        }
        if let Some((_, at)) = &mut self.min_rtt.probe {
            *at = now;
        }
        self.restore_cwnd();
        self.exit_probe_rtt(now);
    }

    /// ExitProbeRTT (§5.3.4.4).
    fn exit_probe_rtt(&mut self, now: Instant) {
        self.reset_short_term_model();
        if self.full_pipe.was_reached {
            self.start_probe_bw_down(now);
            self.start_probe_bw_cruise();
        } else {
            self.enter_startup();
        }
    }
}
