//! The sending part of a stream (RFC 9000 §3.1).

mod state;

pub(super) use state::{SendState, SendTransition};

use bytes::Bytes;

use super::flow_control::BlockedReport;
use super::reset_at::SentResetAt;
use crate::buffer::SendBuffer;
use crate::wire::VarInt;

/// The sending part of a stream.
#[derive(Debug)]
pub(super) struct SendPart {
    pub(super) buffer: SendBuffer,
    /// The peer's MAX_STREAM_DATA. Nothing above is taken from the application, so everything
    /// that is buffered may be sent.
    pub(super) maximum: u64,
    pub(super) blocked: BlockedReport,
    /// The code of the peer's STOP_SENDING.
    pub(super) stopped: Option<VarInt>,
    /// The code of our RESET_STREAM or RESET_STREAM_AT.
    pub(super) reset_code: VarInt,
    /// The application gave up all but the beginning.
    pub(super) reset_at: Option<Box<SentResetAt>>,
    state: SendState,
    pub(super) fin: Fin,
    /// RESET_STREAM or RESET_STREAM_AT is to be sent.
    pub(super) reset_pending: bool,
    /// The application waits for a larger limit of this stream.
    pub(super) waiting: bool,
    /// The application ended the stream, or knows that the peer stopped it.
    pub(super) released: bool,
}

/// How far the end of the stream has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fin {
    /// The application goes on writing.
    Open,
    /// To be sent once everything before it may be.
    Held,
    /// To be sent, the first time or again.
    Pending,
    InFlight,
    /// RESET_STREAM_AT says where the stream ends, and is not acknowledged.
    Reset,
    Acked,
}

impl SendPart {
    pub(super) fn new(maximum: u64) -> Self {
        Self {
            buffer: SendBuffer::default(),
            maximum,
            blocked: BlockedReport::default(),
            stopped: None,
            reset_code: VarInt::default(),
            reset_at: None,
            state: SendState::Ready,
            fin: Fin::Open,
            reset_pending: false,
            waiting: false,
            released: false,
        }
    }

    /// The part that a stream of the peer in one direction does not have.
    pub(super) fn none() -> Self {
        Self { state: SendState::DataRecvd, fin: Fin::Acked, released: true, ..Self::new(0) }
    }

    pub(super) fn state(&self) -> SendState {
        self.state
    }

    /// Moves on; false if that means nothing in this state.
    pub(super) fn go(&mut self, transition: SendTransition) -> bool {
        let next = self.state.after(transition);
        self.state = next.unwrap_or(self.state);
        next.is_some()
    }

    /// Back to how it was when the stream was opened, unless it was reset: nothing was sent, and
    /// nothing may be. Returns what was written, and where it was to be reset behind that.
    pub(super) fn restart(&mut self) -> (Bytes, Option<u64>) {
        let promise = self.reset_at.take().filter(|_| self.state != SendState::ResetSent);
        let reset_at = promise.map(|promise| promise.reliable_size);
        let kept = self.buffer.unacked_bytes().min(reset_at.unwrap_or(u64::MAX));
        let mut data = vec![0; usize::try_from(kept).unwrap_or_default()];
        let complete = self.buffer.copy_to(0, &mut data);
        debug_assert!(complete, "nothing of it was acknowledged");
        self.buffer = SendBuffer::default();
        self.maximum = 0;
        self.blocked = BlockedReport::default();
        if self.go(SendTransition::Restart) && self.fin != Fin::Open {
            self.fin = Fin::Held;
            self.reset_pending = false;
        }
        (data.into(), reset_at)
    }

    /// Whether the application can write.
    pub(super) fn is_writable(&self) -> bool {
        self.fin == Fin::Open && matches!(self.state, SendState::Ready | SendState::Send)
    }

    /// The size that a reset announces.
    pub(super) fn final_size(&self) -> u64 {
        self.reset_at.as_deref().map_or(self.buffer.sent(), |reset| reset.final_size)
    }

    /// Whether nothing but the RESET_STREAM_AT frame that promised so much has to be acknowledged
    /// for the peer to know the end.
    pub(super) fn waits_for_reset_at(&self, reliable_size: u64) -> bool {
        self.state == SendState::DataSent
            && self.fin == Fin::Reset
            && self.reset_at.as_deref().is_some_and(|reset| reset.reliable_size == reliable_size)
    }

    /// Whether there is data, or the end, to send.
    pub(super) fn has_data_frame(&self) -> bool {
        self.buffer.has_pending() || self.fin == Fin::Pending
    }

    pub(super) fn is_over(&self) -> bool {
        self.released && self.state.is_terminal()
    }

    /// Whether the peer has everything, the end included.
    pub(super) fn is_delivered(&self) -> bool {
        self.fin == Fin::Acked && self.buffer.is_fully_acked()
    }
}
