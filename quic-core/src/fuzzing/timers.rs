//! The timers of loss detection at any times there are (RFC 9002 §6.2).
#![expect(clippy::struct_excessive_bools, reason = "independent facts")]

use std::time::Duration;

use super::input::Input;
use crate::congestion::Rtt;
use crate::instant::Instant;
use crate::recovery::{NewPacket, Recovery, SentPackets, TimeoutAction, TimerState};
use crate::wire::frame::{Frame, Frames, write_ack};
use crate::wire::{RangeSet, SpaceId, Writer};

/// Timeouts that may be due without time passing: a loss in each space, and a probe.
const TIMEOUTS_AT_ONCE: usize = 4;
/// The backoff of probes ends there.
const MAXIMUM_BACKOFF: u32 = 1 << 16;
const GRANULARITY: Duration = Duration::from_millis(1);

struct Run {
    recovery: Recovery,
    spaces: [SentPackets; 3],
    rtt: Rtt,
    now: Instant,
    max_ack_delay: Duration,
    handshake_confirmed: bool,
    has_handshake_keys: bool,
    peer_completed_address_validation: bool,
    amplification_blocked: bool,
}

/// Sends, acknowledges, waits, changes what the timers depend on.
///
/// # Panics
/// If a timer is not later than now after it was handled, is missing where something has to be
/// asked for, or is backed off without end.
pub fn timers(input: &[u8]) {
    let mut input = Input::new(input);
    let mut run = Run {
        recovery: Recovery::new(3),
        spaces: [(); 3].map(|()| SentPackets::new()),
        rtt: Rtt::new(input.duration()),
        now: Instant::from_nanos(input.number()),
        max_ack_delay: Duration::from_millis(25),
        handshake_confirmed: false,
        has_handshake_keys: false,
        peer_completed_address_validation: false,
        amplification_blocked: false,
    };
    while !input.is_empty() {
        run.step(&mut input);
        run.set_timer();
        run.check();
    }
}

fn space_of(byte: u8) -> SpaceId {
    SpaceId::ALL.get(usize::from(byte % 3)).copied().unwrap_or(SpaceId::Initial)
}

impl Run {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 16 {
            0..4 => self.send(input.byte()),
            4..7 => self.acknowledge(input),
            7 => self.now += input.duration(),
            8 => self.now += Duration::from_nanos(input.number()),
            9 => self.rtt.update(self.now, input.duration(), input.duration()),
            10 => self.max_ack_delay = input.duration(),
            11 => {
                let flags = input.byte();
                self.handshake_confirmed |= flags & 1 != 0;
                self.has_handshake_keys |= flags & 2 != 0;
                self.peer_completed_address_validation |= flags & 4 != 0;
                self.amplification_blocked = flags & 8 != 0;
            }
            12 => {
                let kind = input.byte();
                if kind & 0x80 == 0 {
                    space_of(kind).of_mut(&mut self.spaces).discard(0);
                    self.recovery.on_space_discarded();
                } else {
                    self.recovery.on_path_changed();
                }
            }
            13 => self.handle_early(),
            _ => self.handle_due(),
        }
    }

    fn send(&mut self, kind: u8) {
        let new = NewPacket {
            time_sent: self.now,
            size: 1200,
            ack_eliciting: kind & 0x80 == 0,
            in_flight: kind & 0xc0 != 0xc0,
            mtu_probe: false,
            ect: false,
            path: 0,
            frame_count: 0,
        };
        space_of(kind).of_mut(&mut self.spaces).push(new);
    }

    fn acknowledge(&mut self, input: &mut Input<'_>) {
        let space = space_of(input.byte());
        let sent = space.of_mut(&mut self.spaces);
        let mut numbers = RangeSet::default();
        let end = sent.next_number().saturating_sub(u64::from(input.byte() % 4));
        numbers.insert(end.saturating_sub(u64::from(input.byte() % 4) + 1)..end);
        let mut memory = [0; 50];
        let mut writer = Writer::new(&mut memory);
        if write_ack(&mut writer, &numbers, 0, None).is_err() {
            return;
        }
        let Some(Ok(Frame::Ack(ack))) = Frames::new(writer.written()).next() else { return };
        let context = self.recovery.ack_context(0);
        let Ok(outcome) = sent.on_ack(self.now, &ack, context, |_, _| {}) else {
            unreachable!("only what was sent is acknowledged")
        };
        if let Some(sample) = outcome.rtt_sample {
            self.rtt.update(self.now, sample, input.duration());
        }
        let validated = self.peer_completed_address_validation;
        self.recovery.on_ack_received(&outcome, &self.rtt, validated);
        self.detect_lost(space);
    }

    fn detect_lost(&mut self, space: SpaceId) {
        let thresholds = self.recovery.loss_thresholds(&self.rtt, 0);
        assert!(thresholds.time_threshold >= GRANULARITY, "no timer is finer");
        let sent = space.of_mut(&mut self.spaces);
        let outcome = sent.detect_lost(self.now, &thresholds, |_, _| {});
        self.recovery.on_lost(self.now, &outcome, &self.rtt, self.max_ack_delay);
    }

    /// Calls `act` with what the timers depend on.
    fn with<R>(
        &mut self,
        act: impl FnOnce(&mut Recovery, Instant, [&SentPackets; 3], &TimerState<'_>) -> R,
    ) -> R {
        let state = TimerState {
            rtt: &self.rtt,
            max_ack_delay: self.max_ack_delay,
            handshake_confirmed: self.handshake_confirmed,
            has_handshake_keys: self.has_handshake_keys,
            peer_completed_address_validation: self.peer_completed_address_validation,
            amplification_blocked: self.amplification_blocked,
            handshake_waits: None,
        };
        act(&mut self.recovery, self.now, self.spaces.each_ref(), &state)
    }

    fn set_timer(&mut self) {
        self.with(Recovery::set_timer);
    }

    /// A timer that is not due does nothing.
    fn handle_early(&mut self) {
        let before = self.recovery.deadline();
        if before.is_none_or(|at| at > self.now) {
            let action = self.with(Recovery::handle_timeout);
            assert_eq!(action, TimeoutAction::None, "nothing is due before {before:?}");
            assert_eq!(self.recovery.deadline(), before, "the timer stays");
        }
    }

    fn handle_due(&mut self) {
        let Some(deadline) = self.recovery.deadline() else { return };
        self.now = self.now.max(deadline);
        for turn in 0.. {
            if self.recovery.deadline().is_none_or(|at| at > self.now) {
                return;
            }
            // Later than the end of time there is nothing.
            if self.now == Instant::FAR_FUTURE && turn > 0 {
                return;
            }
            assert!(turn < TIMEOUTS_AT_ONCE, "still due after {turn} timeouts");
            self.handle_one();
        }
    }

    fn handle_one(&mut self) {
        let before = self.recovery.pto_count();
        match self.with(Recovery::handle_timeout) {
            TimeoutAction::None => unreachable!("the timer was due"),
            TimeoutAction::DetectLoss(space) => {
                self.detect_lost(space);
                self.set_timer();
            }
            TimeoutAction::Probe { space, count } => {
                assert!((1..=2).contains(&count), "one or two probes, not {count}");
                let permitted = space != SpaceId::Application || self.handshake_confirmed;
                assert!(permitted, "no probe of 1-RTT before the handshake is confirmed");
                assert!(!self.amplification_blocked, "nothing could be sent");
                let after = self.recovery.pto_count();
                assert_eq!(after, before.saturating_add(1), "each is counted");
                self.check_backoff(after);
            }
        }
    }

    fn check_backoff(&self, count: u32) {
        let Some(deadline) = self.recovery.deadline() else { return };
        if SpaceId::ALL.iter().any(|space| space.of(&self.spaces).loss_time().is_some()) {
            return;
        }
        let factor = 1_u32.checked_shl(count).map_or(MAXIMUM_BACKOFF, |it| it.min(MAXIMUM_BACKOFF));
        let period = self.rtt.pto_base().saturating_add(self.max_ack_delay).max(GRANULARITY);
        let most = period.saturating_mul(factor);
        assert!(deadline - self.now <= most, "later than {factor} probe timeouts");
        let least = (self.now + self.rtt.pto_base().saturating_mul(factor.min(2))) - self.now;
        assert!(deadline - self.now >= least, "probes are sent less and less often");
    }

    fn check(&self) {
        let waits = |space: &SpaceId| {
            let permitted = *space != SpaceId::Application || self.handshake_confirmed;
            permitted && space.of(&self.spaces).has_ack_eliciting_in_flight()
        };
        let waits = SpaceId::ALL.iter().any(waits) || !self.peer_completed_address_validation;
        if waits && !self.amplification_blocked {
            assert!(self.recovery.deadline().is_some(), "a timer runs for what is in flight");
        }
    }
}
