//! What the peer asks of our acknowledgments (draft-ietf-quic-ack-frequency §4, §6).

#[cfg(test)]
mod tests;

use crate::wire::RangeSet;
use crate::wire::frame::AckFrequency;

/// The newest ACK_FREQUENCY frame, and what it takes to do as it says.
#[derive(Debug)]
pub(super) struct AckRequest {
    sequence: u64,
    threshold: u64,
    /// 0: reordering is no reason to acknowledge.
    reordering_threshold: u64,
    /// The largest ack-eliciting packet that came, "Largest Unacked".
    largest: u64,
    /// The largest packet that an ACK frame has reported since.
    largest_acked: Option<u64>,
    /// The packet before carried an ECN-CE mark.
    was_marked: bool,
}

/// A packet that came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) number: u64,
    pub(super) ack_eliciting: bool,
    /// It carries an ECN-CE mark.
    pub(super) marked: bool,
}

impl AckRequest {
    /// The request of `frame`; `before` is the one that it replaces.
    pub(super) fn new(frame: &AckFrequency, before: Option<&Self>) -> Self {
        Self {
            sequence: frame.sequence,
            threshold: frame.threshold,
            reordering_threshold: frame.reordering_threshold,
            largest: before.map_or(0, |before| before.largest),
            largest_acked: before.and_then(|before| before.largest_acked),
            was_marked: before.is_some_and(|before| before.was_marked),
        }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn threshold(&self) -> u64 {
        self.threshold
    }

    pub(super) fn on_ack_written(&mut self, largest: u64) {
        self.largest_acked = Some(largest);
    }

    /// Whether a packet is to be acknowledged at once, for what it says of the path. `received`
    /// has it already; all below `floor` counts as received.
    pub(super) fn on_packet(&mut self, arrival: Arrival, received: &RangeSet, floor: u64) -> bool {
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-6.3
        //# If the Ack-Eliciting Threshold is larger than 1, an endpoint SHOULD
        //# send an immediate acknowledgement when a packet marked with the ECN
        //# Congestion Experienced (CE) [RFC3168] codepoint in the IP header is
        //# received and the previously received packet was not marked CE.
        let marked = arrival.marked && (self.threshold <= 1 || !self.was_marked);
        self.was_marked = arrival.marked;
        if arrival.ack_eliciting {
            self.largest = self.largest.max(arrival.number);
        }
        marked || self.is_out_of_order(arrival.number, received, floor)
    }

    //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-6.2
    //# An endpoint that receives an ACK_FREQUENCY frame with a non-zero
    //# Reordering Threshold value SHOULD send an immediate ACK whenever it
    //# receives an ack-eliciting, out-of order packet whose packet number is
    //# outside the reordering window of the peer, i.e. when * the difference
    //# between the smallest Unreported Missing packet and the Largest
    //# Unacked packet is greater than or equal to the Reordering Threshold
    //# value; or * the received packet number is less than or equal to
    //# Largest Acked - Reordering Threshold.
    fn is_out_of_order(&self, number: u64, received: &RangeSet, floor: u64) -> bool {
        let threshold = self.reordering_threshold;
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-6.2
        //# If the most recent ACK_FREQUENCY frame received from the peer has a
        //# Reordering Threshold value of 0, the endpoint SHOULD NOT send an
        //# immediate acknowledgment in response to packets received out of
        //# order, and instead rely on the peer's Ack-Eliciting Threshold and
        //# Requested Max Ack Delay for sending acknowledgments.
        if threshold == 0 {
            return false;
        }
        let largest_reported_missing =
            self.largest_acked.and_then(|acked| acked.checked_sub(threshold));
        if largest_reported_missing.is_some_and(|missing| number <= missing) {
            return true;
        }
        let first = largest_reported_missing.map_or(0, |missing| missing.saturating_add(1));
        let missing = received.first_missing(first.max(floor));
        self.largest.checked_sub(missing).is_some_and(|distance| distance >= threshold)
    }
}
