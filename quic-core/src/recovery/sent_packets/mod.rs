//! Packets that were sent and may still be acknowledged (RFC 9002 §2, §6.1, Appendix A).

mod acknowledge;
mod loss;
mod outcome;
mod rare;
mod room;

#[cfg(test)]
mod tests;

pub(crate) use outcome::{
    AckContext, AckOutcome, LargestAcked, LossOutcome, LossThresholds, NewPacket, SentPacket,
    SpuriousLoss,
};

pub(crate) use room::{most_remembered, worst_case_records};

use std::collections::VecDeque;

use outcome::State;
use rare::Rare;

use crate::instant::{Instant, Span};
use crate::packet::SentFrame;

/// How many packets that are not in flight (pure ACKs) are remembered. The peer need never
/// acknowledge them, and can make us send any number of them.
const MAX_NOT_IN_FLIGHT: u32 = 128;

/// How many packets are remembered at the most while more are sent past the window for other
/// reasons than a probe timeout.
const MAX_PAST_WINDOW: usize = 4096;

/// Records that an empty ring may keep room for, whatever its load was.
const KEPT_CAPACITY: usize = 32;

/// The packets of one packet number space that were sent, with the frames that they carried.
///
/// Both are rings: what is settled leaves at the front. A record that is acknowledged before older
/// ones stays in place as a run to jump over, so that an ACK frame costs no more than what it newly
/// acknowledges and the ranges it lists.
#[derive(Debug, Default)]
pub(crate) struct SentPackets {
    /// In ascending order of numbers.
    packets: VecDeque<SentPacket>,
    /// Records that left `packets` at the front, ever.
    packets_popped: u64,
    frames: VecDeque<SentFrame>,
    /// Frames that left `frames` at the front, ever; wraps.
    frames_popped: u32,
    next_number: u64,
    /// One more than the largest number acknowledged; 0 if none was.
    acked_below: u64,
    /// When the newest packet was sent that an ACK frame newly acknowledged.
    newest_acked_sent: Option<Instant>,
    /// Bytes in flight that were sent on the path of the newest packet.
    in_flight: u64,
    ack_eliciting_in_flight: u32,
    /// At most [`MAX_NOT_IN_FLIGHT`].
    not_in_flight: u32,
    last_ack_eliciting_sent: Option<Instant>,
    /// Position (counted as `packets_popped` is) below which nothing is outstanding.
    first_outstanding: u64,
    loss_time: Option<Instant>,
    /// How long after it was sent a lost packet is remembered.
    lost_kept_for: Span,
    rare: Option<Box<Rare>>,
    /// Most records at a time since the ring was last empty.
    peak: u32,
}

impl SentPackets {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The ring that a [`PacketWriter`](crate::packet::PacketWriter) appends its frames to. After
    /// the packet, call [`push`](Self::push) or [`rollback_frames`](Self::rollback_frames).
    pub(crate) fn frames_mut(&mut self) -> &mut VecDeque<SentFrame> {
        &mut self.frames
    }

    /// The number of the next packet.
    pub(crate) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Remembers a packet that was written; returns its number.
    pub(crate) fn push(&mut self, packet: NewPacket) -> u64 {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-12.3
        //# Subsequent packets sent in the same packet number space MUST increase
        //# the packet number by at least one.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-12.3
        //# A QUIC endpoint MUST NOT reuse a packet number within the same packet
        //# number space in one connection.
        let number = self.next_number;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.3
        //# New packet numbers MUST be used for any new packets that are sent;
        //# as described in Section 17.2.5.3, reusing packet numbers could
        //# compromise packet protection.
        self.next_number = self.next_number.saturating_add(1);
        if packet.ack_eliciting {
            self.last_ack_eliciting_sent = Some(packet.time_sent);
        }
        if !packet.in_flight && !self.make_room_for_not_in_flight() {
            self.rollback_frames(packet.frame_count);
            return number;
        }
        self.follow_path(packet.path);
        if packet.in_flight {
            self.in_flight += u64::from(packet.size);
            self.ack_eliciting_in_flight += u32::from(packet.ack_eliciting);
        } else {
            self.not_in_flight += 1;
        }
        if self.packets.capacity() == 0 {
            // One may be all that there ever is in a space of the handshake.
            self.packets.reserve_exact(1);
        }
        let own = usize::from(packet.frame_count);
        let first_frame = self.frames.len().saturating_sub(own);
        self.packets.push_back(SentPacket {
            number,
            time_sent: packet.time_sent,
            first_frame: self.frames_popped.wrapping_add(count_u32(first_frame)),
            path: packet.path,
            state: State::Outstanding,
            size: packet.size,
            frame_count: packet.frame_count,
            ack_eliciting: packet.ack_eliciting,
            in_flight: packet.in_flight,
            mtu_probe: packet.mtu_probe,
            ect: packet.ect,
        });
        self.peak = self.peak.max(count_u32(self.packets.len()));
        number
    }

    /// Leaves the next number out. A peer that acknowledges it acknowledges what it has not seen
    /// (RFC 9000 §21.4).
    pub(crate) fn skip_number(&mut self) {
        self.rare.get_or_insert_default().skip(self.next_number);
        self.next_number = self.next_number.saturating_add(1);
    }

    /// Leaves out all numbers below `number`.
    #[cfg(test)]
    pub(crate) fn jump_to(&mut self, number: u64) {
        self.next_number = number;
    }

    /// Forgets the last `count` frames, which were written for a packet that was then given up.
    pub(crate) fn rollback_frames(&mut self, count: u16) {
        self.frames.truncate(self.frames.len().saturating_sub(usize::from(count)));
    }

    /// Whether so many packets are remembered that only the window may add to them.
    pub(crate) fn is_crowded(&self) -> bool {
        self.packets.len() >= MAX_PAST_WINDOW
    }

    /// Packets that are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Bytes in flight that were sent on the path with this generation.
    pub(crate) fn in_flight_on(&self, path: u32) -> u64 {
        if self.newest_path() == Some(path) {
            return self.in_flight;
        }
        let elsewhere = self.rare.as_ref().map_or(Some(0), |rare| rare.elsewhere.on(path));
        elsewhere.unwrap_or_else(|| self.count_in_flight_on(path))
    }

    /// The same, counted one by one.
    fn count_in_flight_on(&self, path: u32) -> u64 {
        let packets = self.packets.iter();
        packets
            .filter(|packet| packet.state == State::Outstanding && packet.in_flight)
            .filter(|packet| packet.path == path)
            .map(|packet| u64::from(packet.size))
            .sum()
    }

    /// Generation of the path that the newest packet was sent on, if any is remembered.
    pub(crate) fn newest_path(&self) -> Option<u32> {
        self.packets.back().map(|newest| newest.path)
    }

    pub(crate) fn has_ack_eliciting_in_flight(&self) -> bool {
        self.ack_eliciting_in_flight > 0
    }

    pub(crate) fn last_ack_eliciting_sent(&self) -> Option<Instant> {
        self.last_ack_eliciting_sent
    }

    pub(crate) fn largest_acked(&self) -> Option<u64> {
        self.acked_below.checked_sub(1)
    }

    /// Whether a packet is known to have arrived that was sent between these times.
    pub(crate) fn has_arrived_between(&self, (from, to): (Instant, Instant)) -> bool {
        self.newest_acked_sent.is_some_and(|sent| from < sent && sent < to)
    }

    /// When the next packet will have to be declared lost, unless it is acknowledged before.
    pub(crate) fn loss_time(&self) -> Option<Instant> {
        self.loss_time
    }

    /// Hands out the frames of the oldest ack-eliciting packets, so that a probe can carry them
    /// again; the packets stay in flight (RFC 9002 §6.2.4).
    pub(crate) fn requeue_for_probe(
        &mut self,
        max_packets: usize,
        mut each: impl FnMut(&SentFrame),
    ) {
        let start = self.index_of_first_outstanding();
        let oldest = self
            .packets
            .range(start..)
            .filter(|packet| packet.state == State::Outstanding && packet.ack_eliciting)
            .take(max_packets);
        for packet in oldest {
            frames_of(&self.frames, self.frames_popped, packet).for_each(&mut each);
        }
    }

    /// Gives up all packets, as Retry demands (RFC 9000 §17.2.5.3), and hands out the frames of
    /// those that were outstanding. Returns the bytes that were in flight on path `path`.
    pub(crate) fn abandon(
        &mut self,
        path: u32,
        mut each: impl FnMut(&SentPacket, &SentFrame),
    ) -> u64 {
        let bytes = self.in_flight_on(path);
        for packet in self.packets.iter().filter(|packet| packet.state == State::Outstanding) {
            for frame in frames_of(&self.frames, self.frames_popped, packet) {
                each(packet, frame);
            }
        }
        self.packets_popped += count_u64(self.packets.len());
        self.frames_popped = self.frames_popped.wrapping_add(count_u32(self.frames.len()));
        self.packets.clear();
        self.frames.clear();
        self.in_flight = 0;
        self.ack_eliciting_in_flight = 0;
        self.not_in_flight = 0;
        self.last_ack_eliciting_sent = None;
        self.loss_time = None;
        if let Some(rare) = &mut self.rare {
            rare.on_abandoned();
        }
        bytes
    }

    /// Gives up all packets because their keys are (RFC 9002 §6.4), and all memory. Returns the
    /// bytes that were in flight on path `path`.
    pub(crate) fn discard(&mut self, path: u32) -> u64 {
        //= https://www.rfc-editor.org/rfc/rfc9002#section-6.4
        //# The sender MUST discard all recovery state associated with those
        //# packets and MUST remove them from the count of bytes in flight.
        let bytes = self.abandon(path, |_, _| {});
        self.packets = VecDeque::new();
        self.frames = VecDeque::new();
        bytes
    }

    /// Whether one more packet that is not in flight may be remembered, after the oldest of them
    /// were forgotten where they are the oldest packets altogether.
    fn make_room_for_not_in_flight(&mut self) -> bool {
        while self.not_in_flight >= MAX_NOT_IN_FLIGHT {
            let oldest = self.packets.front();
            if !oldest.is_some_and(is_outstanding_not_in_flight) {
                return false;
            }
            self.not_in_flight -= 1;
            self.pop_front();
            self.pop_acked();
        }
        true
    }

    /// Drops the records at the front whose fate is settled for good.
    fn pop_settled(&mut self, now: Instant) {
        while let Some(oldest) = self.packets.front() {
            let settled = match oldest.state {
                State::Outstanding => false,
                State::Acked { .. } => true,
                State::Lost { .. } => oldest.time_sent + self.lost_kept_for.into() <= now,
            };
            if !settled {
                break;
            }
            self.pop_front();
        }
        if self.packets.is_empty() {
            self.shrink();
        }
    }

    fn pop_acked(&mut self) {
        while matches!(self.packets.front(), Some(SentPacket { state: State::Acked { .. }, .. })) {
            self.pop_front();
        }
    }

    fn pop_front(&mut self) {
        if let Some(oldest) = self.packets.pop_front() {
            let own = usize::from(oldest.frame_count).min(self.frames.len());
            self.frames.drain(..own);
            self.frames_popped = self.frames_popped.wrapping_add(count_u32(own));
            self.packets_popped += 1;
        }
    }

    /// Returns memory that a past, much greater load has left, but never under a steady load.
    fn shrink(&mut self) {
        let peak = usize::try_from(self.peak).unwrap_or(usize::MAX);
        let enough = peak.saturating_mul(2).max(KEPT_CAPACITY);
        if self.packets.capacity() > enough.saturating_mul(4) {
            self.packets.shrink_to(enough);
            self.frames.shrink_to(enough);
        }
        self.peak = 0;
    }

    fn index_of_first_outstanding(&self) -> usize {
        let ahead = self.first_outstanding.saturating_sub(self.packets_popped);
        usize::try_from(ahead).unwrap_or(usize::MAX).min(self.packets.len())
    }

    /// Counts for `path` from now on, and keeps the count of the path before.
    fn follow_path(&mut self, path: u32) {
        let Some(before) = self.newest_path() else { return };
        if before != path {
            let counted = self.in_flight_on(path);
            let elsewhere = &mut self.rare.get_or_insert_default().elsewhere;
            elsewhere.take(path);
            elsewhere.put(before, self.in_flight);
            self.in_flight = counted;
        }
    }

    /// Takes an outstanding packet out of all counts.
    fn leave_flight(&mut self, packet: &SentPacket) {
        if packet.in_flight {
            let bytes = u64::from(packet.size);
            if self.newest_path().is_none_or(|newest| newest == packet.path) {
                self.in_flight = self.in_flight.saturating_sub(bytes);
            } else if let Some(rare) = &mut self.rare {
                rare.elsewhere.remove(packet.path, bytes);
            }
            if packet.ack_eliciting {
                self.ack_eliciting_in_flight = self.ack_eliciting_in_flight.saturating_sub(1);
            }
        } else {
            self.not_in_flight = self.not_in_flight.saturating_sub(1);
        }
    }
}

fn is_outstanding_not_in_flight(packet: &SentPacket) -> bool {
    packet.state == State::Outstanding && !packet.in_flight
}

/// The frames that `packet` carried.
fn frames_of<'a>(
    frames: &'a VecDeque<SentFrame>,
    popped: u32,
    packet: &SentPacket,
) -> impl Iterator<Item = &'a SentFrame> + use<'a> {
    let first = usize::try_from(packet.first_frame.wrapping_sub(popped)).unwrap_or(usize::MAX);
    let first = first.min(frames.len());
    let end = first.saturating_add(usize::from(packet.frame_count)).min(frames.len());
    frames.range(first..end)
}

/// A count of records in memory: never as many as 2^32.
fn count_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn count_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
