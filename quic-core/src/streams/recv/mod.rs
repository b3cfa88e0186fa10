//! The receiving part of a stream (RFC 9000 §3.2).

mod state;

pub(super) use state::{RecvState, RecvTransition};

use super::flow_control::ReceiveWindow;
use super::reset_at::ReceivedResetAt;
use crate::buffer::Reassembler;
use crate::error::TransportError;
use crate::wire::VarInt;

/// The receiving part of a stream.
#[expect(clippy::struct_excessive_bools, reason = "independent of each other")]
#[derive(Debug)]
pub(super) struct RecvPart {
    pub(super) data: Reassembler,
    pub(super) window: ReceiveWindow,
    /// Offset behind the last byte that was received: what counts for flow control.
    highest: u64,
    final_size: Option<u64>,
    /// The code of the peer's RESET_STREAM, or of our STOP_SENDING.
    pub(super) code: VarInt,
    /// The peer gave up all but the beginning.
    pub(super) reset_at: Option<Box<ReceivedResetAt>>,
    state: RecvState,
    /// The application reads no more.
    pub(super) stopped: bool,
    /// STOP_SENDING is to be sent.
    pub(super) stop_pending: bool,
    /// MAX_STREAM_DATA is to be sent.
    pub(super) credit_pending: bool,
    /// The application knows that there is something to read.
    pub(super) notified: bool,
    /// Some of the data came in 0-RTT.
    pub(super) early: bool,
}

impl RecvPart {
    pub(super) fn new(window: u64) -> Self {
        Self {
            data: Reassembler::default(),
            window: ReceiveWindow::new(window),
            highest: 0,
            final_size: None,
            code: VarInt::default(),
            reset_at: None,
            state: RecvState::Recv,
            stopped: false,
            stop_pending: false,
            credit_pending: false,
            notified: false,
            early: false,
        }
    }

    /// The part that a stream of this end in one direction does not have.
    pub(super) fn none() -> Self {
        Self { state: RecvState::DataRead, stopped: true, ..Self::new(0) }
    }

    pub(super) fn state(&self) -> RecvState {
        self.state
    }

    /// Moves on; false if that means nothing in this state.
    pub(super) fn go(&mut self, transition: RecvTransition) -> bool {
        let next = self.state.after(transition);
        self.state = next.unwrap_or(self.state);
        next.is_some()
    }

    /// Whether the stream may reach `end`, and end there if `fin`; if so, by how much the highest
    /// offset grows.
    pub(super) fn check(&self, end: u64, fin: bool) -> Result<u64, TransportError> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.5
        //# If a RESET_STREAM or STREAM frame is received indicating a change in the
        //# final size for the stream, an endpoint SHOULD respond with an error of
        //# type FINAL_SIZE_ERROR; see Section 11 for details on error handling.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.5
        //# A receiver SHOULD treat receipt of data at or beyond the final size as
        //# an error of type FINAL_SIZE_ERROR, even after a stream is closed.
        if let Some(size) = self.final_size {
            if end > size {
                return Err(TransportError::final_size("data beyond the final size"));
            }
            //= https://www.rfc-editor.org/rfc/rfc9000#section-4.5
            //# Once a final size for a stream is known, it cannot change.
            if fin && end != size {
                return Err(TransportError::final_size("the final size changed"));
            }
        } else if fin && end < self.highest {
            return Err(TransportError::final_size("the final size is below data received"));
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.1
        //# A receiver MUST close the connection with an error of type
        //# FLOW_CONTROL_ERROR if the sender violates the advertised connection or
        //# stream data limits; see Section 11 for details on error handling.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.10
        //# An endpoint MUST terminate a connection with an error of type
        //# FLOW_CONTROL_ERROR if it receives more data than the largest maximum
        //# stream data that it has sent for the affected stream.
        if end > self.window.limit() {
            return Err(TransportError::flow_control("more data than the stream's limit"));
        }
        Ok(end.saturating_sub(self.highest))
    }

    /// The stream reached `end`, which was checked, and ends there if `fin`.
    pub(super) fn reach(&mut self, end: u64, fin: bool) {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.5
        //# The receiver MUST use the final size of the stream to account for all
        //# bytes sent on the stream in its connection-level flow controller.
        self.highest = self.highest.max(end);
        if fin && self.final_size.is_none() {
            self.final_size = Some(end);
            self.credit_pending = false;
            self.go(RecvTransition::LearnSize);
        }
    }

    /// Whether the peer may reset the stream with this code: of those that deliver the beginning,
    /// all have the same.
    pub(super) fn check_reset_code(&self, code: VarInt) -> Result<(), TransportError> {
        let reset = matches!(self.state, RecvState::ResetRecvd) && !self.stopped;
        let before = self.reset_at.as_deref().map(|before| before.code);
        let before = before.or_else(|| reset.then_some(self.code));
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5.2
        //# If the receiver
        //# detects a change in those fields, it MUST close the connection with a
        //# connection error of type STREAM_STATE_ERROR or FINAL_SIZE_ERROR,
        //# respectively.
        if before.is_some_and(|before| before != code) {
            return Err(TransportError::stream_state("the code of a reset changed"));
        }
        Ok(())
    }

    /// After data, the end or a stop: goes to DataRecvd if nothing is missing, and further if the
    /// application does not wait for it.
    pub(super) fn advance(&mut self) {
        let here = if self.stopped { self.highest } else { self.data.ready_offset() };
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5.2
        //# It MUST NOT expect the sender to deliver any
        //# data beyond that byte offset.
        let promised = self.reset_at.as_deref().is_some_and(|reset| here >= reset.reliable_size);
        if promised || self.final_size == Some(here) {
            self.go(RecvTransition::ReceiveAll);
        }
        // STOP_SENDING is to be sent first, even if the peer has sent everything already.
        if self.stopped && self.final_size.is_some() && !self.stop_pending {
            // Nobody waits for what is missing.
            self.go(RecvTransition::ReceiveAll);
            self.go(RecvTransition::ReadAll);
            self.go(RecvTransition::ReadReset);
        }
    }

    /// Whether a read would give something else than `Blocked`.
    pub(super) fn is_readable(&self) -> bool {
        self.data.has_readable()
            || matches!(self.state, RecvState::DataRecvd | RecvState::ResetRecvd)
    }

    /// Throws away what was received and not read, and counts all that arrived as read; returns
    /// by how much that count grows.
    pub(super) fn discard(&mut self) -> u64 {
        self.data = Reassembler::default();
        let unread = self.highest.saturating_sub(self.window.consumed());
        self.window.consume(unread);
        unread
    }

    /// After reading: whether the peer should get more credit.
    pub(super) fn update_credit(&mut self) {
        self.credit_pending |=
            self.state == RecvState::Recv && !self.stopped && self.window.wants_raise();
    }
}
