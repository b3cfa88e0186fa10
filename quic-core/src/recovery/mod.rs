//! What was lost, what was received, and when to ask again (RFC 9002 §6, RFC 9000 §13).

mod ack_request;
mod ack_schedule;
mod congestion_epoch;
mod received_packets;
mod sent_packets;

#[cfg(test)]
mod tests;

pub(crate) use received_packets::{MIN_ACK_DELAY, ReceivedPackets};
pub(crate) use sent_packets::{
    AckContext, AckOutcome, LossOutcome, LossThresholds, NewPacket, SentPacket, SentPackets,
    SpuriousLoss, most_remembered, worst_case_records,
};

use std::time::Duration;

use congestion_epoch::CongestionEpoch;

use crate::congestion::Rtt;
use crate::deadline::Deadline;
use crate::instant::Instant;
use crate::recorder::RecoveryParameters;
use crate::wire::SpaceId;

/// kGranularity: no timer is finer (RFC 9002 §6.1.2).
//= https://www.rfc-editor.org/rfc/rfc9002#section-6.1.2
//# The RECOMMENDED value of the timer granularity (kGranularity) is 1
//# millisecond.
const GRANULARITY: Duration = Duration::from_millis(1);

/// Probe timeouts are doubled at most so often: from the shortest there are to minutes, from
/// those of the Internet to hours.
const MAX_BACKOFF_EXPONENT: u32 = 16;

//= https://www.rfc-editor.org/rfc/rfc9002#section-7.6.1
//# The RECOMMENDED value for kPersistentCongestionThreshold is 3, which
//# results in behavior that is approximately equivalent to a TCP sender
//# declaring an RTO after two TLPs.
/// kPersistentCongestionThreshold (RFC 9002 §7.6.1).
const PERSISTENT_CONGESTION_THRESHOLD: u32 = 3;

/// Bounds on the adaptive thresholds: packets, and eighths of the round-trip time.
const MAX_PACKET_THRESHOLD: u64 = 256;
//= https://www.rfc-editor.org/rfc/rfc9002#section-6.1.2
//# The RECOMMENDED time threshold (kTimeThreshold), expressed as an RTT
//# multiplier, is 9/8.
const MIN_TIME_THRESHOLD_EIGHTHS: u32 = 9;
const MAX_TIME_THRESHOLD_EIGHTHS: u32 = 16;

/// What the connection knows that the timers depend on.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own name")]
pub(crate) struct TimerState<'a> {
    pub(crate) rtt: &'a Rtt,
    /// The peer's max_ack_delay.
    pub(crate) max_ack_delay: Duration,
    pub(crate) handshake_confirmed: bool,
    pub(crate) has_handshake_keys: bool,
    /// Always true for a server; for a client, once the server acknowledged a Handshake packet or
    /// confirmed the handshake (RFC 9002 §6.2.2.1).
    pub(crate) peer_completed_address_validation: bool,
    /// A server that may not send more until it hears from the client (RFC 9002 §6.2.2.1).
    pub(crate) amplification_blocked: bool,
    /// A space of the handshake that has something to send, and nothing in flight.
    pub(crate) handshake_waits: Option<SpaceId>,
}

/// What an expired timer asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TimeoutAction {
    None,
    /// Call [`SentPackets::detect_lost`], then [`Recovery::set_timer`].
    DetectLoss(SpaceId),
    /// Send up to `count` ack-eliciting packets, at least one, whatever the congestion window
    /// says; with the frames of [`SentPackets::requeue_for_probe`] if there is nothing new, and
    /// with PING if there is nothing at all (RFC 9002 §6.2.4).
    Probe {
        space: SpaceId,
        count: u8,
    },
}

/// Loss and probe timers of all spaces, and what spurious losses have taught.
#[derive(Debug)]
pub(crate) struct Recovery {
    timer: Deadline,
    purpose: Purpose,
    pto_count: u32,
    /// A probe timer that expired does not expire again before, even if no probe could be sent.
    no_probe_before: Instant,
    /// Since when a client waits for a server that may be blocked, or the handshake for room in the
    /// congestion window, with nothing in flight.
    deadlock_since: Option<Instant>,
    initial_packet_threshold: u32,
    packet_threshold: u32,
    time_threshold_eighths: u32,
    epoch: CongestionEpoch,
}

/// What the timer is set for.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Loss(SpaceId),
    Probe { space: SpaceId, count: u8 },
}

impl Recovery {
    /// `packet_threshold` is where the adaptive threshold begins, at least 3 (RFC 9002 §6.1.1).
    pub(crate) fn new(packet_threshold: u64) -> Self {
        let packet_threshold = u32::try_from(packet_threshold).unwrap_or(u32::MAX);
        Self {
            timer: Deadline::default(),
            purpose: Purpose::Loss(SpaceId::Initial),
            pto_count: 0,
            no_probe_before: Instant::EPOCH,
            deadlock_since: None,
            initial_packet_threshold: packet_threshold,
            packet_threshold,
            time_threshold_eighths: MIN_TIME_THRESHOLD_EIGHTHS,
            epoch: CongestionEpoch::default(),
        }
    }

    /// What [`SentPackets::on_ack`] has to know; `path` is the generation of the current path.
    pub(crate) fn ack_context(&self, path: u32) -> AckContext {
        AckContext { path, congestion_event: self.epoch.undoable_since() }
    }

    /// What [`SentPackets::detect_lost`] has to know (RFC 9002 §6.1).
    pub(crate) fn loss_thresholds(&self, rtt: &Rtt, path: u32) -> LossThresholds {
        let longest = rtt.smoothed().max(rtt.latest());
        let time_threshold = (longest / 8).saturating_mul(self.time_threshold_eighths);
        LossThresholds {
            packet_threshold: self.packet_threshold.into(),
            //= https://www.rfc-editor.org/rfc/rfc9002#section-6.1.2
            //# To avoid declaring packets as lost too early, this time threshold MUST
            //# be set to at least the local timer granularity, as indicated by the
            //# kGranularity constant.
            time_threshold: time_threshold.max(GRANULARITY),
            first_rtt_sample: rtt.first_sample(),
            path,
        }
    }

    /// Takes note of what an ACK frame changed, after `rtt` took its sample. Returns whether the
    /// last congestion event has to be undone, because every packet lost in it arrived.
    pub(crate) fn on_ack_received(
        &mut self,
        outcome: &AckOutcome,
        rtt: &Rtt,
        peer_completed_address_validation: bool,
    ) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.1
        //# The PTO backoff factor is reset when an acknowledgment is received,
        //# except in the following case.
        if outcome.newly_acked > 0 && peer_completed_address_validation {
            self.pto_count = 0;
            self.no_probe_before = Instant::EPOCH;
        }
        let spurious = &outcome.spurious;
        if spurious.packets > 0 {
            self.tolerate(spurious, rtt);
        }
        self.epoch.on_spurious(spurious.of_congestion_event)
    }

    /// Takes note of losses; returns whether they are persistent congestion (RFC 9002 §7.6).
    /// `max_ack_delay` is the peer's.
    pub(crate) fn on_lost(
        &mut self,
        now: Instant,
        lost: &LossOutcome,
        rtt: &Rtt,
        max_ack_delay: Duration,
    ) -> bool {
        let Some(newest_sent) = lost.newest_sent else { return false };
        self.epoch.on_lost(now, newest_sent, lost.congestion_packets);
        let persistent = lost.span.is_some_and(|(first, last)| {
            last - first > persistent_congestion_duration(rtt, max_ack_delay)
        });
        if persistent {
            self.epoch.confirm();
        }
        persistent
    }

    /// Marks say that the last congestion event was one, even if what was lost turns up.
    pub(crate) fn on_congestion_marked(&mut self) {
        self.epoch.confirm();
    }

    /// The keys of a space were discarded (RFC 9002 §6.2.2, §6.4): backoff starts anew.
    //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.2
    //# When Initial or Handshake keys are discarded, the PTO and loss
    //# detection timers MUST be reset, because discarding keys indicates
    //# forward progress and the loss detection timer might have been set for
    //# a now-discarded packet number space.
    pub(crate) fn on_space_discarded(&mut self) {
        self.pto_count = 0;
        self.no_probe_before = Instant::EPOCH;
    }

    /// Packets go another way now: what was learned of the old path says nothing of the new one.
    pub(crate) fn on_path_changed(&mut self) {
        self.pto_count = 0;
        self.no_probe_before = Instant::EPOCH;
        self.packet_threshold = self.initial_packet_threshold;
        self.time_threshold_eighths = MIN_TIME_THRESHOLD_EIGHTHS;
        self.epoch = CongestionEpoch::default();
    }

    /// Sets the one timer anew. Call it after packets were sent, acknowledged, lost or discarded,
    /// and when anything in `state` changed (RFC 9002 Appendix A.8).
    pub(crate) fn set_timer(
        &mut self,
        now: Instant,
        spaces: [&SentPackets; 3],
        state: &TimerState<'_>,
    ) {
        self.timer.cancel();
        let deadlock_since = self.deadlock_since.take();
        //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.1
        //# The PTO timer MUST NOT be set if a timer is set for time threshold
        //# loss detection; see Section 6.1.2.
        if let Some((at, space)) = earliest_loss(spaces) {
            self.timer.set(at);
            self.purpose = Purpose::Loss(space);
            return;
        }
        // Sending is impossible; the timer is set again when a datagram arrives.
        //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.2.1
        //# If no additional data can be sent, the server's PTO timer MUST NOT be
        //# armed until datagrams have been received from the client because
        //# packets sent on PTO count against the anti-amplification limit.
        if state.amplification_blocked {
            return;
        }
        let probe = self.next_probe(spaces, state).or_else(|| {
            self.deadlock_since = may_deadlock(state).then(|| deadlock_since.unwrap_or(now));
            self.deadlock_probe(state)
        });
        if let Some((at, purpose)) = probe {
            self.timer.set(at.max(self.no_probe_before));
            self.purpose = purpose;
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timer.get()
    }

    /// Call it when the [`deadline`](Self::deadline) has come. The timer is set anew, to later than
    /// `now`, unless losses have to be detected first (RFC 9002 Appendix A.9).
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        spaces: [&SentPackets; 3],
        state: &TimerState<'_>,
    ) -> TimeoutAction {
        if !self.timer.expire(now) {
            return TimeoutAction::None;
        }
        match self.purpose {
            Purpose::Loss(space) => TimeoutAction::DetectLoss(space),
            Purpose::Probe { space, count } => {
                self.pto_count = self.pto_count.saturating_add(1);
                let period = Self::pto(state.rtt, state.max_ack_delay, space);
                self.no_probe_before = now + self.backed_off(period);
                self.deadlock_since = None;
                self.set_timer(now, spaces, state);
                //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2
                //# A PTO timer expiration event does not indicate packet loss and MUST
                //# NOT cause prior unacknowledged packets to be marked as lost.
                TimeoutAction::Probe { space, count }
            }
        }
    }

    /// What is told to a recorder; the caller adds what it knows of the path.
    pub(crate) fn record(&self) -> RecoveryParameters {
        let mut parameters = RecoveryParameters::new(self.packet_threshold.into(), GRANULARITY);
        parameters.time_threshold_eighths = self.time_threshold_eighths;
        parameters.persistent_congestion_threshold = PERSISTENT_CONGESTION_THRESHOLD;
        parameters
    }

    /// Probe timeouts in a row without an acknowledgment.
    pub(crate) fn pto_count(&self) -> u32 {
        self.pto_count
    }

    /// One probe timeout, without backoff (RFC 9002 §6.2.1).
    pub(crate) fn pto(rtt: &Rtt, max_ack_delay: Duration, space: SpaceId) -> Duration {
        match space {
            // Acknowledgments are not held back in these.
            SpaceId::Initial | SpaceId::Handshake => rtt.pto_base(),
            //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-7
            //# Therefore,
            //# if Reordering Threshold is set to 0, the PTO MUST be larger than the
            //# peer's max_ack_delay.
            SpaceId::Application => rtt.pto_base().saturating_add(max_ack_delay),
        }
    }

    /// When to ask again for acknowledgments of what is in flight.
    fn next_probe(
        &self,
        spaces: [&SentPackets; 3],
        state: &TimerState<'_>,
    ) -> Option<(Instant, Purpose)> {
        SpaceId::ALL
            .into_iter()
            .zip(spaces)
            .filter(|(space, sent)| {
                //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.1
                //# An endpoint MUST NOT set its PTO timer for the Application Data
                //# packet number space until the handshake is confirmed.
                let permitted = *space != SpaceId::Application || state.handshake_confirmed;
                permitted && sent.has_ack_eliciting_in_flight()
            })
            .filter_map(|(space, sent)| {
                //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.1
                //# A sender SHOULD restart its PTO timer every time an ack-eliciting
                //# packet is sent or acknowledged, or when Initial or Handshake keys are
                //# discarded (Section 4.9 of [QUIC-TLS]).
                let period = self.backed_off(Self::pto(state.rtt, state.max_ack_delay, space));
                Some((sent.last_ack_eliciting_sent()? + period, space))
            })
            //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.1
            //# When ack-eliciting packets in multiple packet number spaces are in
            //# flight, the timer MUST be set to the earlier value of the Initial and
            //# Handshake packet number spaces.
            .min_by_key(|(at, _)| *at)
            .map(|(at, space)| (at, Purpose::Probe { space, count: 2 }))
    }

    /// When a client with nothing in flight has to let the server send more, or the handshake goes
    /// on although the congestion window is full.
    fn deadlock_probe(&self, state: &TimerState<'_>) -> Option<(Instant, Purpose)> {
        //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.2.1
        //# When the PTO fires, the client MUST send a Handshake packet if it has
        //# Handshake keys, otherwise it MUST send an Initial packet in a UDP
        //# datagram with a payload of at least 1200 bytes.
        let keyed = if state.has_handshake_keys { SpaceId::Handshake } else { SpaceId::Initial };
        let space = state.handshake_waits.unwrap_or(keyed);
        let period = self.backed_off(Self::pto(state.rtt, state.max_ack_delay, space));
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
        //# Specifically, the client MUST send an Initial packet in a UDP datagram
        //# that contains at least 1200 bytes if it does not have Handshake keys,
        //# and otherwise send a Handshake packet.
        Some((self.deadlock_since? + period, Purpose::Probe { space, count: 1 }))
    }

    fn backed_off(&self, period: Duration) -> Duration {
        //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.1
        //# When a PTO timer expires, the PTO backoff MUST be increased,
        //# resulting in the PTO period being set to twice its current value.
        let factor = 1_u32 << self.pto_count.min(MAX_BACKOFF_EXPONENT);
        //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.1
        //# The PTO period MUST be at least kGranularity to avoid the timer
        //# expiring immediately.
        period.max(GRANULARITY).saturating_mul(factor)
    }

    /// Raises the thresholds so that the reordering just seen would not have counted as loss
    /// (RFC 9002 §6.1.1, §6.1.2).
    fn tolerate(&mut self, spurious: &SpuriousLoss, rtt: &Rtt) {
        let packets = spurious.reordering.saturating_add(1).min(MAX_PACKET_THRESHOLD);
        let packets = u32::try_from(packets).unwrap_or(u32::MAX);
        self.packet_threshold = self.packet_threshold.max(packets);
        let longest = rtt.smoothed().max(rtt.latest());
        let eighths = MIN_TIME_THRESHOLD_EIGHTHS..=MAX_TIME_THRESHOLD_EIGHTHS;
        let enough = eighths
            .into_iter()
            .find(|eighths| (longest / 8).saturating_mul(*eighths) > spurious.delay)
            .unwrap_or(MAX_TIME_THRESHOLD_EIGHTHS);
        self.time_threshold_eighths = self.time_threshold_eighths.max(enough);
    }
}

/// The earliest time at which a packet is lost, and its space.
fn earliest_loss(spaces: [&SentPackets; 3]) -> Option<(Instant, SpaceId)> {
    SpaceId::ALL
        .into_iter()
        .zip(spaces)
        .filter_map(|(space, sent)| Some((sent.loss_time()?, space)))
        .min_by_key(|(at, _)| *at)
}

/// Whether a server may wait for datagrams of this client before it may send more, or what is in
/// flight keeps back the handshake without which the peer cannot read nor acknowledge it.
fn may_deadlock(state: &TimerState<'_>) -> bool {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.2.1
    //# That is, the client MUST set the PTO timer if the
    //# client has not received an acknowledgment for any of its Handshake
    //# packets and the handshake is not confirmed (see Section 4.1.2 of
    //# [QUIC-TLS]), even if there are no packets in flight.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
    //# To prevent this deadlock, clients MUST send a packet on a Probe Timeout
    //# (PTO); see Section 6.2 of [QUIC-RECOVERY].
    !state.peer_completed_address_validation || state.handshake_waits.is_some()
}

/// How long everything must have been lost for (RFC 9002 §7.6.1).
fn persistent_congestion_duration(rtt: &Rtt, max_ack_delay: Duration) -> Duration {
    rtt.pto_base().saturating_add(max_ack_delay).saturating_mul(PERSISTENT_CONGESTION_THRESHOLD)
}
