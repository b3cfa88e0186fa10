//! Table 3: what became of what was sent (RFC 9000 §13, RFC 9002 §5 to §7).

use std::time::Duration;

use smallvec::SmallVec;

use super::Connection;
use super::handshake::Handshake;
use super::recording::{Recording, numbered_in};
use super::seal::MINIMUM_DATAGRAM;
use super::space::PacketNumberSpace;
use crate::ack_frequency::AckFrequency;
use crate::congestion::Congestion;
use crate::datagrams::Datagrams;
use crate::error::TransportError;
use crate::ids::{LocalIds, RemoteIds};
use crate::instant::Instant;
use crate::packet::SentFrame;
use crate::paths::Path;
use crate::recorder::{LossTrigger, PacketLoss, Record};
use crate::recovery::{
    AckOutcome, LossOutcome, ReceivedPackets, Recovery, SentPacket, SentPackets, TimeoutAction,
    TimerState,
};
use crate::streams::StreamsSlot;
use crate::wire::SpaceId;
use crate::wire::frame::Ack;

/// Everyone who wants to know what became of a frame.
struct Owners<'a> {
    space: SpaceId,
    received: &'a mut ReceivedPackets,
    handshake: &'a mut Handshake,
    local_ids: &'a mut LocalIds,
    remote_ids: &'a mut RemoteIds,
    streams: &'a mut StreamsSlot,
    datagrams: Option<&'a mut Datagrams>,
    ack_frequency: Option<&'a mut AckFrequency>,
    recording: Option<&'a mut Recording>,
    /// The packet whose fate was told last.
    told: Option<u64>,
    path: &'a mut Path,
}

impl Owners<'_> {
    /// Tells of a frame's acknowledgment, and with a packet's first one of the packet's.
    fn record_acked(&mut self, now: Instant, packet: u64, frame: &SentFrame) {
        let Some(recording) = &mut self.recording else { return };
        if self.told.replace(packet) != Some(packet) {
            let packet_type = numbered_in(self.space);
            recording.record(now, &Record::PacketAcked { packet_type, number: packet });
        }
        let frame_type = frame.frame_type().0;
        recording.record(now, &Record::FrameAcked { frame_type, packet });
    }

    /// Tells of a frame's loss, and with a packet's first one of the packet's.
    fn record_lost(&mut self, now: Instant, loss: PacketLoss, frame: &SentFrame) {
        let Some(recording) = &mut self.recording else { return };
        let packet = loss.number;
        if self.told.replace(packet) != Some(packet) {
            recording.record(now, &Record::PacketLost(loss));
        }
        let frame_type = frame.frame_type().0;
        recording.record(now, &Record::FrameLost { frame_type, packet });
    }

    fn datagram(&mut self, act: impl FnOnce(&mut Datagrams)) {
        if let Some(datagrams) = &mut self.datagrams {
            act(datagrams);
        }
    }

    /// A datagram will not arrive any more. A probe makes nothing of what it repeats lost, so that
    /// this is not in the table.
    fn on_datagram_lost(&mut self, frame: &SentFrame) {
        if let SentFrame::Datagram { report } = *frame {
            self.datagram(|it| it.on_lost(report));
        }
    }

    /// The one table of what an acknowledgment means.
    fn on_acked(&mut self, now: Instant, packet: u64, frame: &SentFrame) {
        self.record_acked(now, packet, frame);
        match *frame {
            SentFrame::Ack { largest } => self.received.on_ack_acked(largest),
            SentFrame::AckFrequency { sequence, max_ack_delay } => {
                if let Some(ack_frequency) = &mut self.ack_frequency {
                    ack_frequency.on_acked(sequence, Duration::from_micros(max_ack_delay));
                }
            }
            SentFrame::Crypto { offset, length } => {
                self.handshake.on_crypto_acked(self.space, offset, length);
            }
            SentFrame::Datagram { report } => self.datagram(|it| it.on_acked(report)),
            SentFrame::HandshakeDone => self.handshake.on_done_acked(),
            SentFrame::NewConnectionId { sequence } => self.local_ids.on_acked(sequence),
            SentFrame::NewToken { index } => self.handshake.on_token_acked(index),
            SentFrame::ResetStream { id } => self.streams.get().on_reset_acked(id),
            SentFrame::ResetStreamAt { id, reliable_size } => {
                self.streams.get().on_reset_at_acked(id, reliable_size);
            }
            SentFrame::RetireConnectionId { sequence } => self.remote_ids.on_acked(sequence),
            SentFrame::Stream { id, offset, length, fin } => {
                self.streams.get().on_stream_acked(id, offset, length, fin);
            }
            SentFrame::DataBlocked
            | SentFrame::ImmediateAck
            | SentFrame::MaxData
            | SentFrame::MaxStreamData { .. }
            | SentFrame::MaxStreams { .. }
            | SentFrame::PathChallenge
            | SentFrame::PathResponse
            | SentFrame::Ping
            | SentFrame::StopSending { .. }
            | SentFrame::StreamDataBlocked { .. }
            | SentFrame::StreamsBlocked { .. } => {}
        }
    }

    /// The one table of what a loss means.
    ///
    /// Packets are never resent; what they carried is, if it still matters (RFC 9000 §13.3).
    fn on_lost(&mut self, frame: &SentFrame) {
        match *frame {
            // The next ACK says the same and more. Datagrams are sent once (RFC 9221 §5.2).
            SentFrame::Ack { .. } | SentFrame::Datagram { .. } => {}
            SentFrame::AckFrequency { sequence, .. } => {
                if let Some(ack_frequency) = &mut self.ack_frequency {
                    ack_frequency.on_lost(sequence);
                }
            }
            SentFrame::Crypto { offset, length } => {
                self.handshake.on_crypto_lost(self.space, offset, length);
            }
            SentFrame::DataBlocked => self.streams.get().on_data_blocked_lost(),
            SentFrame::HandshakeDone => self.handshake.on_done_lost(),
            SentFrame::MaxData => self.streams.get().on_max_data_lost(),
            SentFrame::MaxStreamData { id } => self.streams.get().on_max_stream_data_lost(id),
            SentFrame::MaxStreams { direction } => {
                self.streams.get().on_max_streams_lost(direction);
            }
            SentFrame::NewConnectionId { sequence } => self.local_ids.on_lost(sequence),
            SentFrame::NewToken { index } => self.handshake.on_token_lost(index),
            // Challenges have a timer of their own; responses are sent once (RFC 9000 §13.3).
            SentFrame::ImmediateAck
            | SentFrame::PathChallenge
            | SentFrame::PathResponse
            | SentFrame::Ping => {}
            SentFrame::ResetStream { id } => self.streams.get().on_reset_lost(id),
            SentFrame::ResetStreamAt { id, reliable_size } => {
                self.streams.get().on_reset_at_lost(id, reliable_size);
            }
            SentFrame::RetireConnectionId { sequence } => self.remote_ids.on_lost(sequence),
            SentFrame::StopSending { id } => self.streams.get().on_stop_sending_lost(id),
            SentFrame::Stream { id, offset, length, fin } => {
                self.streams.get().on_stream_lost(id, offset, length, fin);
            }
            SentFrame::StreamDataBlocked { id } => {
                self.streams.get().on_stream_data_blocked_lost(id);
            }
            SentFrame::StreamsBlocked { direction } => {
                self.streams.get().on_streams_blocked_lost(direction);
            }
        }
    }
}

/// Counts the packets that other paths than the active one lost, by their generations.
#[derive(Default)]
struct LostElsewhere {
    by_path: SmallVec<[(u32, u64); 3]>,
    /// The packet that was counted last: each of its frames is told.
    last: Option<u64>,
}

impl LostElsewhere {
    fn on_frame(&mut self, packet: &SentPacket) {
        if self.last.replace(packet.number()) == Some(packet.number()) {
            return;
        }
        match self.by_path.iter_mut().find(|(path, _)| *path == packet.path()) {
            Some((_, packets)) => *packets = packets.saturating_add(1),
            None => self.by_path.push((packet.path(), 1)),
        }
    }
}

impl Connection {
    /// An ACK frame on its way through the components.
    pub(super) fn handle_ack(
        &mut self,
        now: Instant,
        space: SpaceId,
        ack: &Ack<'_>,
    ) -> Result<(), TransportError> {
        if space == SpaceId::Application {
            self.check_early_ack(ack)?;
        }
        let path = self.paths.active().generation;
        let context = self.recovery.ack_context(path);
        let (sent, mut owners) = self.split(space);
        let mut largest_size = 0;
        let outcome = sent.on_ack(now, ack, context, |packet, frame| {
            if packet.path() == path {
                largest_size = packet.size().max(largest_size);
                owners.path.on_packet_acked(now, (space, packet.number()));
            }
            owners.on_acked(now, packet.number(), frame);
        })?;
        if outcome.newly_acked == 0 {
            return Ok(());
        }
        self.on_peer_proved_validation(space);
        if outcome.any_ack_eliciting {
            self.work.earn();
        }
        if space == SpaceId::Application
            && let (Some(keys), Some(largest)) =
                (&mut self.keys.one_rtt, outcome.largest_newly_acked)
        {
            keys.on_acked(largest.number);
        }
        if let Some(sample) = outcome.rtt_sample {
            let delay = self.peer_ack_delay(space, ack.encoded_delay);
            self.paths.active_mut().rtt.update(now, sample, delay);
        }
        self.on_marks_acked(now, space, &outcome, ack.ecn);
        self.on_bytes_acked(now, &outcome, largest_size);
        self.detect_lost(now, space);
        if self.ack_frequency.is_some() {
            self.update_ack_frequency(now);
        }
        Ok(())
    }

    /// Congestion control and MTU discovery hear of an acknowledgment.
    fn on_bytes_acked(&mut self, now: Instant, outcome: &AckOutcome, largest_size: u16) {
        self.counters.packets_lost_spuriously += u64::from(outcome.spurious.packets);
        let validated = self.peer.completed_address_validation;
        let undo = self.recovery.on_ack_received(outcome, &self.paths.active().rtt, validated);
        let path = self.paths.active_mut();
        if undo {
            path.congestion.on_spurious_congestion(now);
        }
        path.on_discarded(outcome.bytes);
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# Reception feedback: The destination PL endpoint is REQUIRED to provide
        //# a feedback method that indicates to the DPLPMTUD sender when a probe
        //# packet has been received by the destination PL endpoint.
        if let Some(size) = outcome.mtu_probe_acked {
            path.on_mtu_probe_acked(size);
        } else if largest_size > 0 {
            path.mtu.on_acked(largest_size);
        }
        if let Some(newest_sent) = outcome.newest_sent.filter(|_| outcome.bytes > 0) {
            path.on_acked(now, (outcome.bytes, newest_sent), outcome.rtt_sample);
        }
    }

    /// Declares lost what is lost by now, and hands its frames back to their owners.
    pub(super) fn detect_lost(&mut self, now: Instant, space: SpaceId) {
        let path = self.paths.active();
        let thresholds = self.recovery.loss_thresholds(&path.rtt, path.generation);
        let mut largest_size = 0;
        let mut elsewhere = LostElsewhere::default();
        let (sent, mut owners) = self.split(space);
        let largest_acked = sent.largest_acked();
        let mut outcome = sent.detect_lost(now, &thresholds, |packet, frame| {
            let is_mtu_probe = packet.is_mtu_probe();
            if !is_mtu_probe && packet.path() == thresholds.path {
                largest_size = packet.size().max(largest_size);
            }
            if packet.path() == thresholds.path {
                owners.path.on_packet_lost(now, (space, packet.number()), is_mtu_probe);
            } else {
                elsewhere.on_frame(packet);
            }
            if owners.recording.is_some() {
                let overtaken = packet.number().saturating_add(thresholds.packet_threshold);
                let loss =
                    loss_of(space, packet, largest_acked.is_some_and(|acked| overtaken <= acked));
                owners.record_lost(now, loss, frame);
            }
            owners.on_lost(frame);
            owners.on_datagram_lost(frame);
        });
        // What arrived in between shows that congestion did not persist, in whatever space
        // (RFC 9002 §7.6.2).
        outcome.span = outcome
            .span
            .filter(|span| !self.spaces.iter().any(|space| space.sent.has_arrived_between(*span)));
        for (generation, packets) in elsewhere.by_path {
            let path = self.paths.by_generation(generation).map(|path| path.id);
            self.counters.ledger().on_lost(path, packets);
        }
        if outcome.packets > 0 {
            self.on_packets_lost(now, &outcome, largest_size);
        }
    }

    fn on_packets_lost(&mut self, now: Instant, outcome: &LossOutcome, largest_size: u16) {
        self.counters.packets_lost += u64::from(outcome.packets);
        self.counters.bytes_lost += outcome.bytes;
        let max_ack_delay = self.peer.max_ack_delay.into();
        let path = self.paths.active_mut();
        let persistent = self.recovery.on_lost(now, outcome, &path.rtt, max_ack_delay);
        path.on_discarded(outcome.bytes);
        path.ecn.on_lost(outcome.ect);
        if let Some(size) = outcome.mtu_probe_lost {
            let count = &mut self.counters.mtu_probes_lost;
            *count = count.saturating_add(1);
            path.mtu.on_probe_lost(size);
        }
        if largest_size > 0 {
            path.on_size_lost(now, largest_size);
        }
        if let Some(newest_sent) = outcome.newest_sent {
            let window = path.congestion.window();
            let event = Congestion {
                newest_sent,
                lost_bytes: outcome.congestion_bytes,
                in_flight: path.in_flight(),
                ecn: false,
            };
            //= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
            //# Upon detecting losses, a sender MUST take appropriate congestion
            //# control action.
            path.congestion.on_congestion(now, &event);
            // Losses of one round trip are one event.
            let is_event = u32::from(path.congestion.window() < window);
            let count = &mut self.counters.congestion_events;
            *count = count.saturating_add(is_event);
        }
        if persistent {
            let count = &mut self.counters.persistent_congestions;
            *count = count.saturating_add(1);
            path.congestion.on_persistent_congestion(now);
            path.rtt.on_persistent_congestion();
            path.on_persistent_loss(now);
        }
    }

    /// Puts what the oldest packets carried into the probes to come (RFC 9002 §6.2.4).
    pub(super) fn prepare_probes(&mut self, space: SpaceId, count: u8) {
        self.counters.probe_timeouts = self.counters.probe_timeouts.saturating_add(1);
        //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.4
        //# An endpoint SHOULD include new data in packets that are sent on PTO
        //# expiration.
        self.requeue_oldest(space, count);
        self.space_mut(space).probes = count;
        // The peer may have no keys for this space yet, but for another one, or lack those that
        // another one brings: what is in flight there goes along (RFC 9002 §6.2.4).
        //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.4
        //# In addition to sending data in the packet number space for which the
        //# timer expired, the sender SHOULD send ack-eliciting packets from other
        //# packet number spaces with in-flight data, coalescing packets if
        //# possible.
        for other in SpaceId::ALL.into_iter().filter(|other| *other != space) {
            let state = self.space(other);
            let waits = state.sent.has_ack_eliciting_in_flight() && self.can_seal(other);
            if waits && state.probes == 0 {
                self.requeue_oldest(other, 1);
                self.space_mut(other).probes = 1;
            }
        }
    }

    /// Hands back what the oldest packets in flight carry, to be sent once more.
    pub(super) fn requeue_oldest(&mut self, space: SpaceId, packets: u8) {
        let (sent, mut owners) = self.split(space);
        sent.requeue_for_probe(packets.into(), |frame| owners.on_lost(frame));
    }

    /// Hands back everything in flight of a space, as if lost, without calling it congestion: the
    /// server said Retry (RFC 9002 §6.3), or did not take the 0-RTT packets.
    pub(super) fn resend_all(&mut self, space: SpaceId) {
        let generation = self.paths.active().generation;
        let (sent, mut owners) = self.split(space);
        let given_up = sent.abandon(generation, |_, frame| {
            owners.on_lost(frame);
            owners.on_datagram_lost(frame);
        });
        self.paths.active_mut().on_discarded(given_up);
        self.paths.active_mut().on_space_discarded(space);
    }

    /// The keys of a space are dropped, and with them everything in flight (RFC 9001 §4.9).
    pub(super) fn discard_space(&mut self, space: SpaceId) {
        match space {
            SpaceId::Initial => {
                self.keys.initial = None;
                self.keys.other_initial = None;
            }
            SpaceId::Handshake => self.keys.handshake = None,
            SpaceId::Application => return,
        }
        let generation = self.paths.active().generation;
        let given_up = space.of_mut(&mut self.spaces).discard(generation);
        self.paths.active_mut().on_discarded(given_up);
        self.paths.active_mut().on_space_discarded(space);
        self.handshake.discard(space);
        self.recovery.on_space_discarded();
    }

    /// Another path is the active one now.
    pub(super) fn on_path_changed(&mut self) {
        self.recovery.on_path_changed();
        let generation = self.paths.active().generation;
        let in_flight = self.space(SpaceId::Application).sent.in_flight_on(generation);
        self.paths.active_mut().set_in_flight(in_flight);
        if let Some(ack_frequency) = &mut self.ack_frequency {
            ack_frequency.on_path_changed();
        }
    }

    /// Sets the loss and probe timers anew; once after each batch of anything.
    pub(super) fn update_recovery_timer(&mut self, now: Instant) {
        let (recovery, sent, state) = self.split_recovery();
        recovery.set_timer(now, sent, &state);
    }

    /// What is due of the loss and probe timers.
    pub(super) fn expire_recovery_timer(&mut self, now: Instant) -> TimeoutAction {
        let (recovery, sent, state) = self.split_recovery();
        recovery.handle_timeout(now, sent, &state)
    }

    fn split_recovery(&mut self) -> (&mut Recovery, [&SentPackets; 3], TimerState<'_>) {
        let Self { recovery, spaces, paths, peer, handshake, keys, .. } = self;
        let path = paths.active();
        let waits = |space: &SpaceId| {
            let in_flight = space.of(spaces).sent.has_ack_eliciting_in_flight();
            !in_flight && handshake.has_frames(*space)
        };
        let spaces_of_handshake = [SpaceId::Initial, SpaceId::Handshake].into_iter();
        let handshake_waits = spaces_of_handshake.filter(|_| !handshake.is_confirmed()).find(waits);
        let state = TimerState {
            rtt: &path.rtt,
            max_ack_delay: peer.max_ack_delay.into(),
            handshake_confirmed: handshake.is_confirmed(),
            has_handshake_keys: keys.handshake.is_some(),
            peer_completed_address_validation: peer.completed_address_validation,
            amplification_blocked: path.amplification.allowance() < MINIMUM_DATAGRAM as u64,
            handshake_waits,
        };
        let [initial, handshake, application] = &*spaces;
        (recovery, [&initial.sent, &handshake.sent, &application.sent], state)
    }

    /// The delay that the peer says it added to a sample (RFC 9002 §5.3).
    pub(super) fn peer_ack_delay(&self, space: SpaceId, encoded: u64) -> Duration {
        if space != SpaceId::Application {
            return Duration::ZERO;
        }
        let scaled = 1_u64
            .checked_shl(self.peer.ack_delay_exponent.into())
            .and_then(|factor| encoded.checked_mul(factor));
        let delay = Duration::from_micros(scaled.unwrap_or(u64::MAX));
        //= https://www.rfc-editor.org/rfc/rfc9002#section-5.3
        //# *  MUST use the lesser of the acknowledgment delay and the peer's
        //# max_ack_delay after the handshake is confirmed; and
        //= https://www.rfc-editor.org/rfc/rfc9002#section-5.3
        //# To account for this, the endpoint SHOULD ignore max_ack_delay until
        //# the handshake is confirmed, as defined in Section 4.1.2 of [QUIC-TLS].
        //= https://www.rfc-editor.org/rfc/rfc9002#section-5.3
        //# SHOULD ignore the peer's max_ack_delay until the handshake is
        //# confirmed;
        if self.handshake.is_confirmed() {
            delay.min(self.peer.max_ack_delay.into())
        } else {
            delay
        }
    }

    /// An ACK of a Handshake or 1-RTT packet shows a client that the server validated its address
    /// (RFC 9002 §6.2.2.1).
    fn on_peer_proved_validation(&mut self, space: SpaceId) {
        self.peer.completed_address_validation |= space != SpaceId::Initial;
    }

    fn split(&mut self, space: SpaceId) -> (&mut SentPackets, Owners<'_>) {
        let Self { spaces, handshake, local_ids, remote_ids, streams, paths, recording, .. } = self;
        let datagrams = self.datagrams.as_deref_mut();
        let ack_frequency = self.ack_frequency.as_deref_mut();
        let path = paths.active_mut();
        let recording = recording.as_deref_mut();
        let PacketNumberSpace { sent, received, .. } = &mut **space.of_mut(spaces);
        (
            sent,
            Owners {
                space,
                received,
                handshake,
                local_ids,
                remote_ids,
                streams,
                datagrams,
                ack_frequency,
                path,
                recording,
                told: None,
            },
        )
    }
}

fn loss_of(space: SpaceId, packet: &SentPacket, is_overtaken: bool) -> PacketLoss {
    let trigger =
        if is_overtaken { LossTrigger::PacketThreshold } else { LossTrigger::TimeThreshold };
    let mut loss = PacketLoss::new(numbered_in(space), packet.number(), trigger);
    loss.size = packet.size();
    loss.is_mtu_probe = packet.is_mtu_probe();
    loss
}
