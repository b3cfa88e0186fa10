//! What this end asks of the peer's acknowledgments (draft-ietf-quic-ack-frequency): fewer of them
//! when much is in flight, and none for reordering that is not taken for loss.
//!
//! How this end acknowledges itself is for `recovery` to say.

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::config::AckFrequencyConfig;
use crate::instant::Instant;
use crate::packet::{PacketWriter, SentFrame};
use crate::wire::Full;
use crate::wire::frame::{AckFrequency as Frame, FrameType};

/// Acknowledgments in a round trip that do not depend on the window: how many times the delay that
/// is asked for fits into one.
const DELAYS_PER_RTT: u32 = 4;

/// What the path and the loss detection are like now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed {
    /// Bytes.
    pub(crate) congestion_window: u64,
    /// Bytes of a full datagram.
    pub(crate) mtu: u16,
    pub(crate) smoothed_rtt: Duration,
    /// Packets that may be newer than one before it is declared lost (RFC 9002 §6.1.1).
    pub(crate) packet_threshold: u64,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Request {
    threshold: u64,
    max_ack_delay: Duration,
    reordering_threshold: u64,
}

/// Asks a peer that understands it to acknowledge less often.
#[derive(Debug)]
pub(crate) struct AckFrequency {
    config: AckFrequencyConfig,
    /// The peer's min_ack_delay.
    minimum_delay: Duration,
    /// The peer's max_ack_delay of its transport parameters.
    maximum_delay: Duration,
    /// The max_ack_delay that the peer is known to use, but for `unconfirmed`.
    confirmed: Duration,
    /// The longest max_ack_delay asked for of which nothing is known; zero if there is none.
    unconfirmed: Duration,
    /// Above that of everything that is known to have arrived.
    first_unconfirmed: u64,
    next_sequence: u64,
    /// What was asked for last.
    last: Option<Request>,
    pending: Option<Request>,
    /// One request per round trip is enough.
    not_before: Instant,
    /// The path is another one: all is asked for anew.
    stale: bool,
}

impl AckFrequency {
    /// Of a peer with these transport parameters.
    pub(crate) fn new(
        config: AckFrequencyConfig,
        minimum_delay: Duration,
        maximum_delay: Duration,
    ) -> Self {
        Self {
            config,
            minimum_delay,
            maximum_delay,
            confirmed: maximum_delay,
            unconfirmed: Duration::ZERO,
            first_unconfirmed: 0,
            next_sequence: 0,
            last: None,
            pending: None,
            not_before: Instant::EPOCH,
            stale: false,
        }
    }

    /// The longest that the peer may hold back an acknowledgment, for all that is known.
    //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-7
    //# Until the packet carrying the ACK_FREQUENCY frame is acknowledged,
    //# the endpoint MUST use the greater of the current max_ack_delay and
    //# the value that is in flight when computing the PTO period.
    //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-7
    //# When using max_ack_delay for PTO
    //# computations, endpoints MUST use the maximum of the current value and
    //# all those in flight.
    pub(crate) fn max_ack_delay(&self) -> Duration {
        self.confirmed.max(self.unconfirmed)
    }

    /// Considers what to ask for, after acknowledgments.
    pub(crate) fn update(&mut self, now: Instant, observed: &Observed) {
        if now < self.not_before || self.pending.is_some() {
            return;
        }
        let wanted = self.wanted(observed);
        let worth_it = match &self.last {
            Some(last) => self.stale || differs(last, &wanted),
            // What the peer does without being asked.
            None => wanted.threshold > 1,
        };
        if worth_it {
            self.stale = false;
            self.pending = Some(wanted);
        }
    }

    /// Packets go another way now.
    pub(crate) fn on_path_changed(&mut self) {
        self.stale = self.last.is_some();
        self.not_before = Instant::EPOCH;
    }

    pub(crate) fn has_frames(&self) -> bool {
        self.pending.is_some()
    }

    /// Writes a request, if one is due, and asks for an answer at once in a `probe`.
    ///
    /// # Errors
    /// [`Full`] if it does not fit; it follows in the next packet.
    pub(crate) fn write_frames(
        &mut self,
        now: Instant,
        rtt: Duration,
        probe: bool,
        packet: &mut PacketWriter<'_>,
    ) -> Result<(), Full> {
        if let Some(request) = self.pending {
            self.write_request(&request, packet)?;
            self.pending = None;
            self.not_before = now + rtt;
        }
        // A peer that was asked to wait is to answer a probe without delay.
        if probe && self.last.is_some() {
            packet.write(SentFrame::ImmediateAck, |writer| {
                writer.varint(FrameType::IMMEDIATE_ACK.0)
            })?;
        }
        Ok(())
    }

    /// The peer does what was asked for with this sequence number, or with a later one.
    pub(crate) fn on_acked(&mut self, sequence: u64, max_ack_delay: Duration) {
        if sequence < self.first_unconfirmed {
            return;
        }
        self.confirmed = max_ack_delay;
        self.first_unconfirmed = sequence.saturating_add(1);
        if self.first_unconfirmed == self.next_sequence {
            self.unconfirmed = Duration::ZERO;
        }
    }

    /// A request was lost, as far as is known: it is sent anew, unless there was a later one.
    pub(crate) fn on_lost(&mut self, sequence: u64) {
        if sequence.saturating_add(1) == self.next_sequence && sequence >= self.first_unconfirmed {
            self.pending = self.pending.or(self.last);
        }
    }

    fn wanted(&self, observed: &Observed) -> Request {
        let packets = observed.congestion_window.checked_div(observed.mtu.into()).unwrap_or(0);
        let per_window = u64::from(self.config.acks_per_window).max(1);
        let longest = self.maximum_delay.max(self.minimum_delay);
        Request {
            threshold: (packets / per_window).clamp(1, self.config.maximum_threshold.max(1)),
            max_ack_delay: (observed.smoothed_rtt / DELAYS_PER_RTT)
                .clamp(self.minimum_delay, longest),
            //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-9
            //# In order to avoid unnecessary immediate acknowledgements, senders
            //# SHOULD implement adaptive packet threshold loss detection and
            //# communicate the increased Reordering Threshold value to the receiver.
            reordering_threshold: observed.packet_threshold.max(1),
        }
    }

    fn write_request(
        &mut self,
        request: &Request,
        packet: &mut PacketWriter<'_>,
    ) -> Result<(), Full> {
        let sequence = self.next_sequence;
        let max_ack_delay = u64::try_from(request.max_ack_delay.as_micros()).unwrap_or(u64::MAX);
        let frame = Frame {
            sequence,
            threshold: request.threshold,
            max_ack_delay,
            reordering_threshold: request.reordering_threshold,
        };
        packet.write(SentFrame::AckFrequency { sequence, max_ack_delay }, |w| frame.encode(w))?;
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-4
        //# A sending endpoint MUST send
        //# monotonically increasing values in the Sequence Number field to
        //# allow obsolete ACK_FREQUENCY frames to be ignored when packets are
        //# processed out of order.
        self.next_sequence = sequence.saturating_add(1);
        self.last = Some(*request);
        // In whole microseconds, as it travels.
        self.unconfirmed = self.unconfirmed.max(Duration::from_micros(max_ack_delay));
        Ok(())
    }
}

/// Whether a request is worth a frame: by half of the threshold, or a quarter of the delay.
fn differs(last: &Request, wanted: &Request) -> bool {
    let (lower, higher) =
        (last.threshold.min(wanted.threshold), last.threshold.max(wanted.threshold));
    let delay = last.max_ack_delay.abs_diff(wanted.max_ack_delay);
    higher - lower > lower / 2
        || delay > last.max_ack_delay / 4
        || last.reordering_threshold != wanted.reordering_threshold
}
