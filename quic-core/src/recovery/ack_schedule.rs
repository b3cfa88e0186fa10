//! When to acknowledge (RFC 9000 §13.2.1, §13.2.2), by default and as the peer asks for
//! (draft-ietf-quic-ack-frequency).

use std::time::Duration;

use super::ack_request::AckRequest;
use crate::deadline::Deadline;
use crate::instant::Instant;
use crate::wire::SpaceId;

/// Ack-eliciting packets that may come before an acknowledgment does not wait for the timer.
/// Packets are counted as they come and the answer is asked for after all of a batch were handled,
/// so that a batch costs one acknowledgment however many packets it has.
const ACK_ELICITING_THRESHOLD: u64 = 1;

/// Decides when an ACK frame has to be sent by itself.
#[derive(Debug)]
pub(super) struct AckSchedule {
    /// How long the peer was told to expect an acknowledgment to be held back; `None` where it may
    /// not be.
    max_ack_delay: Option<Duration>,
    /// Ack-eliciting packets since the last ACK frame.
    unacked: u32,
    due: bool,
    timer: Deadline,
    /// What the peer asked for.
    request: Option<Box<AckRequest>>,
}

impl AckSchedule {
    pub(super) fn new(space: SpaceId, max_ack_delay: Duration) -> Self {
        Self {
            max_ack_delay: (space == SpaceId::Application).then_some(max_ack_delay),
            unacked: 0,
            due: false,
            timer: Deadline::default(),
            request: None,
        }
    }

    /// What the peer asked for, if it did.
    pub(super) fn request_mut(&mut self) -> Option<&mut AckRequest> {
        self.request.as_deref_mut()
    }

    /// The peer asks for this, and for no delay longer than `max_ack_delay`.
    pub(super) fn set_request(&mut self, request: AckRequest, max_ack_delay: Duration) {
        self.request = Some(Box::new(request));
        self.max_ack_delay = Some(max_ack_delay);
    }

    /// An ack-eliciting packet came; `urgent` if it was out of order or carried an ECN-CE mark.
    pub(super) fn on_ack_eliciting(&mut self, now: Instant, urgent: bool) {
        self.unacked = self.unacked.saturating_add(1);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
        //# An endpoint MUST acknowledge all ack-eliciting Initial and Handshake
        //# packets immediately and all ack-eliciting 0-RTT and 1-RTT packets
        //# within its advertised max_ack_delay, with the following exception.
        let Some(max_ack_delay) = self.max_ack_delay else {
            self.due = true;
            return;
        };
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-4
        //# A receiving
        //# endpoint SHOULD send at least one ACK frame after receiving more
        //# than this many ack-eliciting packets.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.2
        //# A receiver SHOULD send an ACK frame after receiving at least two
        //# ack-eliciting packets.
        let threshold = self.request.as_deref().map(AckRequest::threshold);
        if urgent || u64::from(self.unacked) > threshold.unwrap_or(ACK_ELICITING_THRESHOLD) {
            self.acknowledge_now();
            return;
        }
        // The first that waits counts.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
        //# Every packet SHOULD be acknowledged at least once, and ack-eliciting
        //# packets MUST be acknowledged at least once within the maximum delay an
        //# endpoint communicated using the max_ack_delay transport parameter; see
        //# Section 18.2.
        //= https://www.rfc-editor.org/rfc/rfc9221#section-5.2
        //# Receivers SHOULD support delaying ACK frames (within the limits
        //# specified by max_ack_delay) in response to receiving packets that only
        //# contain DATAGRAM frames, since the sender takes no action if these
        //# packets are temporarily unacknowledged.
        let at = now + max_ack_delay;
        if self.timer.get().is_none_or(|earlier| at < earlier) {
            self.timer.set(at);
        }
    }

    /// Nothing waits any longer.
    pub(super) fn acknowledge_now(&mut self) {
        self.due = true;
        self.timer.cancel();
    }

    /// An ACK frame up to `largest` was written, if there was anything to acknowledge.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
    //# Since packets containing only ACK frames are not congestion
    //# controlled, an endpoint MUST NOT send more than one such packet in
    //# response to receiving an ack-eliciting packet.
    pub(super) fn on_ack_written(&mut self, largest: Option<u64>) {
        self.unacked = 0;
        self.due = false;
        self.timer.cancel();
        if let (Some(request), Some(largest)) = (&mut self.request, largest) {
            request.on_ack_written(largest);
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    pub(super) fn has_unacked(&self) -> bool {
        self.unacked > 0
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timer.get()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.due |= self.timer.expire(now);
    }
}
