//! An ACK frame's way through the ring (RFC 9002 Appendix A.7).

use std::time::Duration;

use super::outcome::State;
use super::{AckContext, AckOutcome, LargestAcked, SentPacket, SentPackets, count_u32, frames_of};
use crate::error::TransportError;
use crate::instant::Instant;
use crate::packet::SentFrame;
use crate::wire::frame::Ack;

impl SentPackets {
    /// Takes note of an ACK frame. `acked` is called for each frame of each packet that is
    /// acknowledged for the first time; if the packet had been declared lost, its frames were
    /// handed out as lost before.
    ///
    /// # Errors
    /// PROTOCOL_VIOLATION if the peer acknowledges a packet that was not sent; nothing has changed
    /// then.
    pub(crate) fn on_ack(
        &mut self,
        now: Instant,
        ack: &Ack<'_>,
        context: AckContext,
        mut acked: impl FnMut(&SentPacket, &SentFrame),
    ) -> Result<AckOutcome, TransportError> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.1
        //# An endpoint SHOULD treat receipt of an acknowledgment for a packet it
        //# did not send as a connection error of type PROTOCOL_VIOLATION, if it
        //# is able to detect the condition.
        if ack.largest >= self.next_number || self.acknowledges_skipped(ack) {
            return Err(TransportError::protocol_violation("ACK of a packet that was not sent"));
        }
        let mut outcome = AckOutcome::default();
        for range in ack.ranges() {
            if self.packets.front().is_none_or(|oldest| *range.end() < oldest.number) {
                break;
            }
            let mut index = self.index_at_or_above(*range.start());
            while let Some((at, packet)) = self.take_newly_acked(index, *range.end()) {
                frames_of(&self.frames, self.frames_popped, &packet)
                    .for_each(|frame| acked(&packet, frame));
                outcome.add(now, &packet, context, self.largest_acked());
                index = at + 1;
            }
        }
        outcome.raises_largest = ack.largest >= self.acked_below;
        self.acked_below = self.acked_below.max(ack.largest.saturating_add(1));
        let newest = outcome.largest_newly_acked.map(|newest| newest.time_sent);
        self.newest_acked_sent = self.newest_acked_sent.max(newest);
        outcome.rtt_sample = outcome.rtt_sample(now, ack.largest, context.path);
        if outcome.spurious.packets > 0
            && let Some(rare) = &mut self.rare
        {
            rare.lost_run = None;
        }
        self.pop_settled(now);
        Ok(outcome)
    }

    fn acknowledges_skipped(&self, ack: &Ack<'_>) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.has_skipped(ack))
    }

    /// Index of the first record with this number or a larger one.
    fn index_at_or_above(&self, number: u64) -> usize {
        let Some(oldest) = self.packets.front() else { return 0 };
        let Some(ahead) = number.checked_sub(oldest.number) else { return 0 };
        // Nearly always, no number is missing in the ring.
        let guess = usize::try_from(ahead).unwrap_or(usize::MAX);
        if self.packets.get(guess).is_some_and(|packet| packet.number == number) {
            return guess;
        }
        self.packets.partition_point(|packet| packet.number < number)
    }

    /// Marks the first packet from `index` on that is not acknowledged yet, if its number is at
    /// most `largest`; returns its index and what it was before.
    fn take_newly_acked(&mut self, index: usize, largest: u64) -> Option<(usize, SentPacket)> {
        let index = self.next_unacked(index);
        let packet = self.packets.get_mut(index).filter(|packet| packet.number <= largest)?;
        let before = *packet;
        packet.state = State::Acked { run: 1 };
        if before.state == State::Outstanding {
            self.leave_flight(&before);
        }
        Some((index, before))
    }

    /// The first index from `index` on whose packet is not acknowledged. Runs that were crossed
    /// are joined, so that the next walk crosses them in one step.
    pub(super) fn next_unacked(&mut self, index: usize) -> usize {
        let mut target = index;
        while let Some(run) = self.run_at(target) {
            target += run;
        }
        let mut at = index;
        while at < target {
            let Some(run) = self.run_at(at) else { break };
            if let Some(packet) = self.packets.get_mut(at) {
                packet.state = State::Acked { run: count_u32(target - at) };
            }
            at += run;
        }
        target
    }

    fn run_at(&self, index: usize) -> Option<usize> {
        match self.packets.get(index)?.state {
            State::Acked { run } => usize::try_from(run).ok(),
            State::Outstanding | State::Lost { .. } => None,
        }
    }
}

impl AckOutcome {
    /// Counts `packet`, which has just been acknowledged; its state is the one before that.
    fn add(
        &mut self,
        now: Instant,
        packet: &SentPacket,
        context: AckContext,
        largest_acked_before: Option<u64>,
    ) {
        self.newly_acked += 1;
        self.any_ack_eliciting |= packet.ack_eliciting;
        if self.largest_newly_acked.is_none_or(|largest| largest.number < packet.number) {
            self.largest_newly_acked = Some(LargestAcked {
                number: packet.number,
                time_sent: packet.time_sent,
                ack_eliciting: packet.ack_eliciting,
                path: packet.path,
                ect: packet.ect,
            });
        }
        if packet.path == context.path {
            self.ect += u32::from(packet.ect);
        } else {
            self.ect_elsewhere += u32::from(packet.ect);
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-9.4
        //# Packets sent on the old path MUST NOT contribute to congestion
        //# control or RTT estimation for the new path.
        if packet.path != context.path || !packet.in_flight {
            return;
        }
        if packet.mtu_probe {
            //= https://www.rfc-editor.org/rfc/rfc8899#section-4.1
            //# Probe messages sent by a PL MUST contain enough information to
            //# uniquely identify the probe within the Maximum Segment Lifetime (e.g.,
            //# including a unique identifier from the PL or the DPLPMTUD
            //# implementation), while being robust to reordering and replay of probe
            //# response and PTB messages.
            self.mtu_probe_acked = self.mtu_probe_acked.max(Some(packet.size));
        }
        match packet.state {
            State::Outstanding => {
                self.bytes += u64::from(packet.size);
                self.newest_sent = self.newest_sent.max(Some(packet.time_sent));
            }
            State::Lost { after_micros } if !packet.mtu_probe => {
                let lost_at = packet.time_sent + Duration::from_micros(after_micros.into());
                let of_event = context.congestion_event.is_some_and(|event| lost_at >= event);
                let overtaken_by = largest_acked_before
                    .map_or(0, |largest| largest.saturating_sub(packet.number).saturating_add(1));
                let spurious = &mut self.spurious;
                spurious.packets += 1;
                spurious.of_congestion_event += u32::from(of_event);
                spurious.reordering = spurious.reordering.max(overtaken_by);
                spurious.delay = spurious.delay.max(now - packet.time_sent);
            }
            State::Lost { .. } | State::Acked { .. } => {}
        }
    }

    fn rtt_sample(&self, now: Instant, largest_of_frame: u64, path: u32) -> Option<Duration> {
        //= https://www.rfc-editor.org/rfc/rfc9002#section-5.1
        //# An RTT sample MUST NOT be generated on receiving an ACK frame that
        //# does not newly acknowledge at least one ack-eliciting packet.
        let largest = self.largest_newly_acked.filter(|_| self.any_ack_eliciting)?;
        //= https://www.rfc-editor.org/rfc/rfc9002#section-5.1
        //# To avoid generating multiple RTT samples for a single packet, an ACK
        //# frame SHOULD NOT be used to update RTT estimates if it does not newly
        //# acknowledge the largest acknowledged packet.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-9.4
        //# Packets sent on the old path MUST NOT contribute to congestion
        //# control or RTT estimation for the new path.
        (largest.number == largest_of_frame && largest.path == path)
            .then(|| now - largest.time_sent)
    }
}
