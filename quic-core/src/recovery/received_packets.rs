//! Which packets arrived, and what to say of them (RFC 9000 §12.3, §13.2).

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::ack_schedule::AckSchedule;
use crate::instant::Instant;
use crate::net::EcnCodepoint;
use crate::packet::{PacketWriter, SentFrame};
use crate::wire::frame::{EcnCounts, write_ack};
use crate::wire::{Full, RangeSet, SpaceId};

/// How many ranges of packet numbers are remembered in order to recognise duplicates. Packets below
/// the oldest of them are taken for duplicates (RFC 9000 §12.3).
const MAX_RECEIVED_RANGES: usize = 64;

/// How many ranges an ACK frame reports at most; older ones are given up (RFC 9000 §13.2.3).
const MAX_REPORTED_RANGES: usize = 32;

/// The packets of one packet number space that were received.
#[derive(Debug)]
pub(crate) struct ReceivedPackets {
    received: RangeSet,
    /// All below counts as received.
    floor: u64,
    /// What is still reported: received, and not known by the peer to be.
    reported: RangeSet,
    /// The smallest number that no ACK frame has reported yet; the largest `u64` if there is none.
    smallest_unreported: u64,
    largest: Option<(u64, Instant)>,
    ecn: EcnCounts,
    schedule: AckSchedule,
}

impl ReceivedPackets {
    /// `max_ack_delay` is what this endpoint announced; in the Initial and Handshake spaces it does
    /// not count, since acknowledgments are not held back there.
    pub(crate) fn new(space: SpaceId, max_ack_delay: Duration) -> Self {
        Self {
            received: RangeSet::default(),
            floor: 0,
            reported: RangeSet::default(),
            smallest_unreported: u64::MAX,
            largest: None,
            ecn: EcnCounts::default(),
            schedule: AckSchedule::new(space, max_ack_delay),
        }
    }

    /// Whether the packet was received before, or is so old that nobody knows.
    pub(crate) fn is_duplicate(&self, number: u64) -> bool {
        number < self.floor || self.received.contains(number)
    }

    /// Takes note of an authentic packet that is no duplicate.
    pub(crate) fn on_packet(
        &mut self,
        now: Instant,
        number: u64,
        ack_eliciting: bool,
        ecn: Option<EcnCodepoint>,
    ) {
        let range = number..number.saturating_add(1);
        self.received.insert(range.clone());
        if self.received.len() > MAX_RECEIVED_RANGES
            && let Some(oldest) = self.received.pop_first()
        {
            self.floor = oldest.end;
        }
        self.reported.insert(range);
        if self.reported.len() > MAX_REPORTED_RANGES {
            self.reported.pop_first();
        }
        self.smallest_unreported = self.smallest_unreported.min(number);
        // A gap before the packet, or a packet that fills one (RFC 9000 §13.2.1).
        let out_of_order =
            self.largest.is_some_and(|(largest, _)| number != largest.saturating_add(1));
        if self.largest.is_none_or(|(largest, _)| number > largest) {
            self.largest = Some((number, now));
        }
        self.count(ecn);
        if ack_eliciting {
            let marked = ecn == Some(EcnCodepoint::Ce);
            self.schedule.on_ack_eliciting(now, out_of_order || marked);
        }
    }

    /// The peer acknowledged a packet with an ACK frame up to `largest`: it need not be told again
    /// (RFC 9000 §13.2.4).
    pub(crate) fn on_ack_acked(&mut self, largest: u64) {
        let end = largest.saturating_add(1);
        // A packet that came late, after that ACK frame, has not been reported by it.
        let end = end.min(self.smallest_unreported);
        // The delay field of every ACK frame is about the largest.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.3
        //# A receiver SHOULD include an ACK Range containing the largest
        //# received packet number in every ACK frame.
        let end = end.min(self.largest.map_or(0, |(largest, _)| largest));
        self.reported.remove(0..end);
    }

    /// The largest number received.
    pub(crate) fn largest(&self) -> Option<u64> {
        self.largest.map(|(number, _)| number)
    }

    /// Packets received with each mark so far.
    pub(crate) fn ecn_counts(&self) -> EcnCounts {
        self.ecn
    }

    /// Whether an ACK frame has to be sent even if there is nothing else to send. Ask after a whole
    /// batch of packets was handled.
    pub(crate) fn should_ack_now(&self) -> bool {
        self.schedule.is_due()
    }

    /// Whether there are new packets to acknowledge, so that any packet should do so.
    pub(crate) fn has_unacked(&self) -> bool {
        self.schedule.has_unacked()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.schedule.deadline()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.schedule.handle_timeout(now);
    }

    /// Writes an ACK frame, if there is anything to acknowledge. `ack_delay_exponent` is what this
    /// endpoint announced.
    ///
    /// # Errors
    /// [`Full`] if the frame does not fit; it is still due then.
    pub(crate) fn write(
        &mut self,
        now: Instant,
        packet: &mut PacketWriter<'_>,
        ack_delay_exponent: u8,
    ) -> Result<(), Full> {
        let Some((largest, received_at)) = self.largest.filter(|_| !self.reported.is_empty())
        else {
            self.schedule.on_ack_written();
            return Ok(());
        };
        let micros = u64::try_from((now - received_at).as_micros()).unwrap_or(u64::MAX);
        let delay = micros.checked_shr(ack_delay_exponent.into()).unwrap_or(0);
        let ecn = (self.ecn != EcnCounts::default()).then_some(self.ecn);
        let reported = &self.reported;
        packet.write(SentFrame::Ack { largest }, |w| write_ack(w, reported, delay, ecn))?;
        self.smallest_unreported = u64::MAX;
        self.schedule.on_ack_written();
        Ok(())
    }

    fn count(&mut self, ecn: Option<EcnCodepoint>) {
        let count = match ecn {
            None => return,
            Some(EcnCodepoint::Ect0) => &mut self.ecn.ect0,
            Some(EcnCodepoint::Ect1) => &mut self.ecn.ect1,
            Some(EcnCodepoint::Ce) => &mut self.ecn.ce,
        };
        *count = count.saturating_add(1);
    }
}
