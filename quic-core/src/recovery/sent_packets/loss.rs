//! Which packets are lost (RFC 9002 §6.1, Appendix A.10).

use super::outcome::State;
use super::{LossOutcome, LossThresholds, SentPacket, SentPackets, frames_of};
use crate::instant::Instant;
use crate::packet::SentFrame;

/// How many time thresholds after it was sent a lost packet is forgotten. A later acknowledgment
/// is not recognised as proof that the packet was only late.
const LOST_KEPT_FOR_THRESHOLDS: u32 = 2;

/// Lost packets that were sent one after the other, none acknowledged in between.
#[derive(Clone, Copy, Debug)]
pub(super) struct LostRun {
    /// Position of the last of them, counted since the first packet ever.
    last: u64,
    /// Generation of the path on which those of `span` were sent.
    path: u32,
    /// When the first and the last ack-eliciting one were sent.
    span: Option<(Instant, Instant)>,
}

impl SentPackets {
    /// Declares lost what is, and calls `lost` for each frame of it. Call it after
    /// [`on_ack`](Self::on_ack) and when [`loss_time`](Self::loss_time) has come.
    pub(crate) fn detect_lost(
        &mut self,
        now: Instant,
        thresholds: &LossThresholds,
        mut lost: impl FnMut(&SentPacket, &SentFrame),
    ) -> LossOutcome {
        let mut outcome = LossOutcome::default();
        self.loss_time = None;
        let kept_for = thresholds.time_threshold.saturating_mul(LOST_KEPT_FOR_THRESHOLDS);
        self.lost_kept_for = kept_for.into();
        let Some(largest_acked) = self.largest_acked() else { return outcome };
        let mut first_outstanding = None;
        let mut index = self.index_of_first_outstanding();
        loop {
            index = self.next_unacked(index);
            let Some(&packet) = self.packets.get(index) else { break };
            if packet.number > largest_acked {
                break;
            }
            let due = packet.time_sent + thresholds.time_threshold;
            let overtaken =
                packet.number.saturating_add(thresholds.packet_threshold) <= largest_acked;
            if packet.state != State::Outstanding {
                index += 1;
            //= https://www.rfc-editor.org/rfc/rfc9002#section-6.1.2
            //# Once a later packet within the same packet number space has been
            //# acknowledged, an endpoint SHOULD declare an earlier packet lost if it
            //# was sent a threshold amount of time in the past.
            } else if overtaken || due <= now {
                self.declare_lost(now, index, thresholds, &mut outcome);
                frames_of(&self.frames, self.frames_popped, &packet)
                    .for_each(|frame| lost(&packet, frame));
                index += 1;
            } else if packet.in_flight {
                // No later packet can be lost before this one.
                first_outstanding = first_outstanding.or(Some(index));
                //= https://www.rfc-editor.org/rfc/rfc9002#section-6.1.2
                //# If packets sent prior to the largest acknowledged packet cannot yet be
                //# declared lost, then a timer SHOULD be set for the remaining time.
                self.loss_time = Some(due);
                break;
            } else {
                // A pure ACK is not worth a timer.
                first_outstanding = first_outstanding.or(Some(index));
                index += 1;
            }
        }
        self.first_outstanding = self.position_of(first_outstanding.unwrap_or(index));
        self.pop_settled(now);
        outcome
    }

    /// Takes the newest packet out of the flight if it is an MTU probe of this size that never
    /// left; returns its number.
    pub(crate) fn withdraw_mtu_probe(&mut self, size: u16, path: u32) -> Option<u64> {
        let is_it = |packet: &&mut SentPacket| {
            packet.mtu_probe
                && packet.size == size
                && packet.path == path
                && packet.state == State::Outstanding
        };
        let packet = self.packets.back_mut().filter(is_it)?;
        packet.state = State::Lost { after_micros: 0 };
        let packet = *packet;
        self.leave_flight(&packet);
        Some(packet.number)
    }

    fn declare_lost(
        &mut self,
        now: Instant,
        index: usize,
        thresholds: &LossThresholds,
        outcome: &mut LossOutcome,
    ) {
        let position = self.position_of(index);
        let Some(packet) = self.packets.get_mut(index) else { return };
        let after = (now - packet.time_sent).as_nanos().div_ceil(1000);
        packet.state = State::Lost { after_micros: u32::try_from(after).unwrap_or(u32::MAX) };
        let packet = *packet;
        self.leave_flight(&packet);
        outcome.add(&packet, thresholds.path);
        let rare = self.rare.get_or_insert_default();
        let run = LostRun::extended(rare.lost_run, position, &packet, thresholds);
        rare.lost_run = Some(run);
        outcome.span = longer(outcome.span, run.span);
    }

    /// Position of the record at `index`, counted since the first packet ever.
    fn position_of(&self, index: usize) -> u64 {
        self.packets_popped.saturating_add(super::count_u64(index))
    }
}

impl LostRun {
    /// The run that `packet` belongs to, now that it is lost too.
    fn extended(
        run: Option<Self>,
        position: u64,
        packet: &SentPacket,
        thresholds: &LossThresholds,
    ) -> Self {
        let before = run.filter(|run| run.last.saturating_add(1) == position);
        // What another path lost says nothing of this one.
        let mut span = before.filter(|run| run.path == thresholds.path).and_then(|run| run.span);
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.6.2
        //# These two packets MUST be ack-eliciting, since a receiver is required
        //# to acknowledge only ack-eliciting packets within its maximum
        //# acknowledgment delay; see Section 13.2 of [QUIC-TRANSPORT].
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.6.2
        //# The persistent congestion period SHOULD NOT start until there is at
        //# least one RTT sample.
        let counts = packet.ack_eliciting
            && !packet.mtu_probe
            && packet.path == thresholds.path
            && thresholds.first_rtt_sample.is_some_and(|sample| packet.time_sent > sample);
        if counts {
            span = Some((span.map_or(packet.time_sent, |(first, _)| first), packet.time_sent));
        }
        Self { last: position, path: thresholds.path, span }
    }
}

impl LossOutcome {
    fn add(&mut self, packet: &SentPacket, path: u32) {
        self.packets += 1;
        if packet.path == path && !packet.mtu_probe {
            self.ect += u32::from(packet.ect);
        }
        if packet.path != path || !packet.in_flight {
            return;
        }
        if packet.mtu_probe {
            let smallest = self.mtu_probe_lost.map_or(packet.size, |size| size.min(packet.size));
            self.mtu_probe_lost = Some(smallest);
        }
        self.bytes += u64::from(packet.size);
        // A lost MTU probe says that the path is narrow, not that it is full (RFC 9000 §14.4).
        //= https://www.rfc-editor.org/rfc/rfc9000#section-14.4
        //# Loss of a QUIC packet that is carried in a PMTU probe is therefore not
        //# a reliable indication of congestion and SHOULD NOT trigger a
        //# congestion control reaction; see Item 7 in Section 3 of [DPLPMTUD].
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# Loss of a probe packet SHOULD NOT be treated as an indication of
        //# congestion and SHOULD NOT trigger a congestion control reaction
        //# [RFC4821] because this could result in unnecessary reduction of the
        //# sending rate.
        if !packet.mtu_probe {
            //= https://www.rfc-editor.org/rfc/rfc9002#section-7.4
            //# Endpoints MUST NOT ignore the loss of packets that were sent after the
            //# earliest acknowledged packet in a given packet number space.
            self.congestion_packets += 1;
            self.congestion_bytes += u64::from(packet.size);
            self.newest_sent = self.newest_sent.max(Some(packet.time_sent));
        }
    }
}

fn longer(
    first: Option<(Instant, Instant)>,
    second: Option<(Instant, Instant)>,
) -> Option<(Instant, Instant)> {
    let length = |span: Option<(Instant, Instant)>| span.map(|(from, to)| to - from);
    if length(second) > length(first) { second } else { first }
}
