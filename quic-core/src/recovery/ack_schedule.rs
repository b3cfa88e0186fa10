//! When to acknowledge (RFC 9000 §13.2.1, §13.2.2).

use std::time::Duration;

use crate::deadline::Deadline;
use crate::instant::Instant;
use crate::wire::SpaceId;

/// Ack-eliciting packets after which an acknowledgment does not wait for the timer. Packets are
/// counted as they come and the answer is asked for after all of a batch were handled, so that a
/// batch costs one acknowledgment however many packets it has.
const ACK_ELICITING_THRESHOLD: u32 = 2;

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
}

impl AckSchedule {
    pub(super) fn new(space: SpaceId, max_ack_delay: Duration) -> Self {
        Self {
            max_ack_delay: (space == SpaceId::Application).then_some(max_ack_delay),
            unacked: 0,
            due: false,
            timer: Deadline::default(),
        }
    }

    /// An ack-eliciting packet came; `urgent` if it was out of order or carried an ECN-CE mark.
    pub(super) fn on_ack_eliciting(&mut self, now: Instant, urgent: bool) {
        self.unacked = self.unacked.saturating_add(1);
        // Initial and Handshake packets are acknowledged immediately (RFC 9000 §13.2.1).
        let Some(max_ack_delay) = self.max_ack_delay else {
            self.due = true;
            return;
        };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.2
        //# A receiver SHOULD send an ACK frame after receiving at least two
        //# ack-eliciting packets.
        if urgent || self.unacked >= ACK_ELICITING_THRESHOLD {
            self.due = true;
            self.timer.cancel();
        } else {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
            //# Every packet SHOULD be acknowledged at least once, and ack-eliciting
            //# packets MUST be acknowledged at least once within the maximum delay an
            //# endpoint communicated using the max_ack_delay transport parameter; see
            //# Section 18.2.
            self.timer.set_after(now, max_ack_delay);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
    //# Since packets containing only ACK frames are not congestion
    //# controlled, an endpoint MUST NOT send more than one such packet in
    //# response to receiving an ack-eliciting packet.
    pub(super) fn on_ack_written(&mut self) {
        self.unacked = 0;
        self.due = false;
        self.timer.cancel();
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
