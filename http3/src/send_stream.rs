//! The sending part of a stream.

use std::fmt;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use driver::ClosedStream;
use h3::error::Code;
use h3::quic::{self, StreamErrorIncoming, StreamId, WriteBuf};

use crate::errors::{NotReady, code, unknown, write_error};

/// The sending part of a stream.
///
/// Dropped before it is finished or reset, it is reset with H3_REQUEST_CANCELLED: the peer must not
/// take what it got for the whole, nor a frame that breaks off for a malformed one, which would
/// cost the connection (RFC 9114 §7.1).
pub struct SendStream<B> {
    stream: driver::SendStream,
    id: StreamId,
    /// What was not taken yet of the last data.
    data: Option<WriteBuf<B>>,
    /// Finished, reset, or stopped by the peer.
    ended: bool,
}

impl<B> SendStream<B> {
    pub(crate) fn new(stream: driver::SendStream, id: StreamId) -> Self {
        Self { stream, id, data: None, ended: false }
    }

    /// Higher goes first; equals take turns. Streams start with 0.
    ///
    /// # Errors
    /// [`ClosedStream`] if the stream was finished or reset.
    pub fn set_priority(&self, priority: i32) -> Result<(), ClosedStream> {
        self.stream.set_priority(priority)
    }
}

impl<B: Buf> SendStream<B> {
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        while let Some(data) = self.data.as_mut().filter(Buf::has_remaining) {
            if let Err(error) = ready!(self.stream.poll_write_buf(cx, data)) {
                (self.data, self.ended) = (None, true);
                return Poll::Ready(Err(write_error(error)));
            }
        }
        self.data = None;
        Poll::Ready(Ok(()))
    }
}

impl<B: Buf> quic::SendStream<B> for SendStream<B> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.poll_flush(cx)
    }

    fn send_data<T: Into<WriteBuf<B>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        if self.data.is_some() {
            return Err(unknown(NotReady));
        }
        self.data = Some(data.into());
        Ok(())
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        ready!(self.poll_flush(cx))?;
        self.ended = true;
        Poll::Ready(self.stream.finish().map_err(unknown))
    }

    fn reset(&mut self, reset_code: u64) {
        (self.data, self.ended) = (None, true);
        // A stream that is over needs no reset.
        let _: Result<(), ClosedStream> = self.stream.reset(code(reset_code));
    }

    fn send_id(&self) -> StreamId {
        self.id
    }
}

impl<B: Buf> quic::SendStreamUnframed<B> for SendStream<B> {
    fn poll_send<D: Buf>(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut D,
    ) -> Poll<Result<usize, StreamErrorIncoming>> {
        ready!(self.poll_flush(cx))?;
        self.stream.poll_write_buf(cx, buf).map_err(write_error)
    }
}

impl<B> Drop for SendStream<B> {
    fn drop(&mut self) {
        if !self.ended {
            let cancelled = code(Code::H3_REQUEST_CANCELLED.value());
            let _: Result<(), ClosedStream> = self.stream.reset(cancelled);
        }
    }
}

impl<B> fmt::Debug for SendStream<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ready = self.data.is_none();
        f.debug_struct("SendStream")
            .field("id", &self.id)
            .field("ready", &ready)
            .finish_non_exhaustive()
    }
}
