//! Which packets arrived, and what to say of them (RFC 9000 §12.3, §13.2).

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::time::Duration;

use super::ack_request::{AckRequest, Arrival};
use super::ack_schedule::AckSchedule;
use crate::error::TransportError;
use crate::instant::Instant;
use crate::memory;
use crate::net::EcnCodepoint;
use crate::packet::{PacketWriter, SentFrame};
use crate::wire::frame::{AckFrequency, EcnCounts, write_ack};
use crate::wire::{Full, RangeSet, SpaceId};

/// How many ranges of packet numbers are remembered in order to recognise duplicates. Packets below
/// the oldest of them are taken for duplicates (RFC 9000 §12.3).
const MAX_RECEIVED_RANGES: usize = 64;

/// How many ranges an ACK frame reports at most; older ones are given up (RFC 9000 §13.2.3).
const MAX_REPORTED_RANGES: usize = 32;

/// The shortest delay of acknowledgments that the peer may ask for: timers are not finer.
pub(crate) const MIN_ACK_DELAY: Duration = Duration::from_millis(1);

/// Longest max_ack_delay that there is, exclusive (RFC 9000 §18.2).
const MAX_ACK_DELAY_BOUND: Duration = Duration::from_millis(1 << 14);

/// How late a timer may be, as a rule.
const TIMER_LATENESS: Duration = Duration::from_millis(1);

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
    /// Made when the first mark arrives.
    ecn: Option<Box<EcnCounts>>,
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
            ecn: None,
            schedule: AckSchedule::new(space, max_ack_delay),
        }
    }

    /// Heap in use at the most, in bytes.
    pub(crate) const fn worst_case_bytes() -> u64 {
        // One more than is kept, for a moment.
        memory::list::<Range<u64>>(MAX_RECEIVED_RANGES as u64 + 1)
            + memory::list::<Range<u64>>(MAX_REPORTED_RANGES as u64 + 1)
            + (size_of::<EcnCounts>() + size_of::<AckRequest>()) as u64
    }

    /// Whether the packet was received before, or is so old that nobody knows.
    pub(crate) fn is_duplicate(&self, number: u64) -> bool {
        // Most packets come in order.
        let is_newest = self.largest.is_some_and(|(largest, _)| number > largest);
        !is_newest && (number < self.floor || self.received.contains(number))
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
            //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.3
            //# A receiver MUST retain an ACK Range unless it can ensure that it will
            //# not subsequently accept packets with numbers in that range.
            self.floor = oldest.end;
        }
        self.reported.insert(range);
        if self.reported.len() > MAX_REPORTED_RANGES {
            self.reported.pop_first();
        }
        self.smallest_unreported = self.smallest_unreported.min(number);
        // A gap before the packet, or a packet that fills one (RFC 9000 §13.2.1).
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
        //# In order to assist loss detection at the sender, an endpoint SHOULD
        //# generate and send an ACK frame without delay when it receives an
        //# ack-eliciting packet either:
        let out_of_order =
            self.largest.is_some_and(|(largest, _)| number != largest.saturating_add(1));
        if self.largest.is_none_or(|(largest, _)| number > largest) {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.3
            //# Receivers can discard all ACK Ranges, but they MUST retain the largest
            //# packet number that has been successfully processed, as that is used to
            //# recover packet numbers from subsequent packets; see Section 17.1.
            self.largest = Some((number, now));
        }
        self.count(ecn);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
        //# Similarly, packets marked with the ECN Congestion Experienced (CE)
        //# codepoint in the IP header SHOULD be acknowledged immediately, to
        //# reduce the peer's response time to congestion events.
        let marked = ecn == Some(EcnCodepoint::Ce);
        let requested = self.requested_urgency(Arrival { number, ack_eliciting, marked });
        let urgent = requested.unwrap_or(out_of_order || marked);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
        //# An endpoint MUST NOT send a non-ack-eliciting packet in response to a
        //# non-ack-eliciting packet, even if there are packet gaps that precede
        //# the received packet.
        if ack_eliciting {
            self.schedule.on_ack_eliciting(now, urgent);
        }
    }

    /// Whether the peer asked for its packets to be acknowledged in a certain way, and if so,
    /// whether this one is urgent.
    fn requested_urgency(&mut self, arrival: Arrival) -> Option<bool> {
        // Older ranges must not be given up before they were reported once.
        let crowded = self.reported.len() >= MAX_REPORTED_RANGES / 2;
        let request = self.schedule.request_mut()?;
        Some(request.on_packet(arrival, &self.received, self.floor) || crowded)
    }

    /// The peer asks for other acknowledgments.
    ///
    /// # Errors
    /// PROTOCOL_VIOLATION if the delay that it asks for is out of bounds.
    pub(crate) fn handle_ack_frequency(
        &mut self,
        frame: &AckFrequency,
    ) -> Result<(), TransportError> {
        let max_ack_delay = Duration::from_micros(frame.max_ack_delay);
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-4
        //# Receipt of
        //# an invalid value MUST be treated as a connection error of type
        //# PROTOCOL_VIOLATION.
        if !(MIN_ACK_DELAY..MAX_ACK_DELAY_BOUND).contains(&max_ack_delay) {
            return Err(TransportError::protocol_violation("Requested Max Ack Delay is invalid"));
        }
        let before = self.schedule.request_mut();
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-4
        //# A receiving endpoint MUST ignore a received ACK_FREQUENCY frame
        //# unless the Sequence Number value in the frame is greater than the
        //# largest processed value.
        if before.as_ref().is_some_and(|before| frame.sequence <= before.sequence()) {
            return Ok(());
        }
        let request = AckRequest::new(frame, before.as_deref());
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-4
        //# On receipt of a
        //# valid value, the endpoint SHOULD update its max_ack_delay to the
        //# value provided by the peer.
        let timer = max_ack_delay.saturating_sub(TIMER_LATENESS).max(MIN_ACK_DELAY);
        self.schedule.set_request(request, timer);
        Ok(())
    }

    /// The peer asks for an acknowledgment at once.
    //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-5
    //# An endpoint SHOULD send a packet
    //# containing an ACK frame immediately upon receiving an IMMEDIATE_ACK
    //# frame.
    pub(crate) fn acknowledge_now(&mut self) {
        self.schedule.acknowledge_now();
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
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.3
        //# After receiving acknowledgments for an ACK frame, the receiver SHOULD
        //# stop tracking those acknowledged ACK Ranges.
        self.reported.remove(0..end);
    }

    /// The largest number received.
    pub(crate) fn largest(&self) -> Option<u64> {
        self.largest.map(|(number, _)| number)
    }

    /// Packets received with each mark so far.
    pub(crate) fn ecn_counts(&self) -> EcnCounts {
        self.ecn.as_deref().copied().unwrap_or_default()
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
        let largest = self.write_copy(now, packet, ack_delay_exponent)?;
        if largest.is_some() {
            self.smallest_unreported = u64::MAX;
        }
        self.schedule.on_ack_written(largest);
        Ok(())
    }

    /// Writes an ACK frame beside the one that is due, which stays so; returns the largest number in
    /// it, if there is anything to acknowledge.
    ///
    /// # Errors
    /// [`Full`] if the frame does not fit.
    pub(crate) fn write_copy(
        &self,
        now: Instant,
        packet: &mut PacketWriter<'_>,
        ack_delay_exponent: u8,
    ) -> Result<Option<u64>, Full> {
        let Some((largest, received_at)) = self.largest.filter(|_| !self.reported.is_empty())
        else {
            return Ok(None);
        };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.5
        //# An endpoint MUST NOT include delays that it does not control when
        //# populating the ACK Delay field in an ACK frame.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.5
        //# When the measured acknowledgment delay is larger than its
        //# max_ack_delay, an endpoint SHOULD report the measured delay.
        let micros = u64::try_from((now - received_at).as_micros()).unwrap_or(u64::MAX);
        let delay = micros.checked_shr(ack_delay_exponent.into()).unwrap_or(0);
        let ecn = self.ecn.as_deref().copied();
        let reported = &self.reported;
        packet.write(SentFrame::Ack { largest }, |w| write_ack(w, reported, delay, ecn))?;
        Ok(Some(largest))
    }

    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.4.1
    //# Even if an endpoint does not set an ECT field in packets it sends, the
    //# endpoint MUST provide feedback about ECN markings it receives, if
    //# these are accessible.
    fn count(&mut self, ecn: Option<EcnCodepoint>) {
        let count = match ecn {
            None => return,
            Some(EcnCodepoint::Ect0) => &mut self.ecn.get_or_insert_default().ect0,
            Some(EcnCodepoint::Ect1) => &mut self.ecn.get_or_insert_default().ect1,
            Some(EcnCodepoint::Ce) => &mut self.ecn.get_or_insert_default().ce,
        };
        *count = count.saturating_add(1);
    }
}
