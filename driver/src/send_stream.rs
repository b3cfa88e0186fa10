//! The application's handle of a stream's sending part.

use std::future;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use quic_core::{
    ConnectionError, Finished, ResetAtError as CoreResetAtError, StreamId, VarInt,
    WriteError as CoreWriteError,
};

use crate::error::{ClosedStream, ResetAtError, StoppedError, WriteError};
use crate::shared::{ConnectionRef, ConnectionState};
use crate::waiting::Topic;

/// The sending part of a stream.
///
/// Dropped before [`finish`](Self::finish) or [`reset`](Self::reset), it is finished: the peer
/// receives what was written and then the end.
///
/// Who writes much without ever having to wait lets others run after each 256 KiB: a task that fills
/// a large send window at once would hold up the loop of its endpoint, and with it all deadlines,
/// for milliseconds.
#[derive(Debug)]
pub struct SendStream {
    connection: Arc<ConnectionRef>,
    id: StreamId,
    /// Whether the application finished or reset it.
    ended: bool,
    /// May be among the connection's writers.
    waits: bool,
    /// Opened in 0-RTT, and not known to have survived that.
    early: bool,
    /// Bytes that were taken since others could run.
    unbroken: usize,
}

impl SendStream {
    pub(crate) fn new(connection: Arc<ConnectionRef>, id: StreamId, early: bool) -> Self {
        Self { connection, id, ended: false, waits: false, early, unbroken: 0 }
    }

    /// Takes as much of `data` as flow control and the send buffer allow, at least one byte unless
    /// `data` is empty, and returns how much. Waits while nothing can be taken.
    ///
    /// Cancel safe: dropped, it took nothing.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        future::poll_fn(|cx| self.poll_write(cx, data)).await
    }

    /// Takes all of `data`.
    ///
    /// Not cancel safe: dropped, it took an unknown part from the front. Use
    /// [`write`](Self::write) in a loop where that matters.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn write_all(&mut self, mut data: &[u8]) -> Result<(), WriteError> {
        while !data.is_empty() {
            let taken = self.write(data).await?;
            data = data.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Takes all of `chunk` without copying it.
    ///
    /// Not cancel safe: dropped, it took an unknown part from the front.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn write_chunk(&mut self, mut chunk: Bytes) -> Result<(), WriteError> {
        while !chunk.is_empty() {
            future::poll_fn(|cx| self.poll_write_chunk(cx, &mut chunk)).await?;
        }
        Ok(())
    }

    /// Takes all of `chunks` without copying them, as many at a time as possible.
    ///
    /// Cancel safe in so far as what was taken is gone from `chunks`.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn write_all_chunks(&mut self, chunks: &mut [Bytes]) -> Result<(), WriteError> {
        for chunk in chunks {
            while !chunk.is_empty() {
                future::poll_fn(|cx| self.poll_write_chunk(cx, chunk)).await?;
            }
        }
        Ok(())
    }

    /// Takes all of `chunk` without copying it, and ends the stream after it: what
    /// [`write_chunk`](Self::write_chunk) and [`finish`](Self::finish) do, for less.
    ///
    /// Not cancel safe: dropped, it took an unknown part from the front.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn finish_with(&mut self, mut chunk: Bytes) -> Result<(), WriteError> {
        future::poll_fn(|cx| self.poll_finish_with(cx, &mut chunk)).await
    }

    /// Ends the stream after what was written. Does not wait for delivery; see
    /// [`stopped`](Self::stopped) and [`Connection::shutdown`](crate::Connection::shutdown).
    ///
    /// # Errors
    /// [`ClosedStream`] if the stream was finished or reset before. It is no error if the peer
    /// stopped the stream, the connection is over, or the stream was given up with 0-RTT.
    pub fn finish(&mut self) -> Result<(), ClosedStream> {
        if self.ended {
            return Err(ClosedStream);
        }
        self.ended = true;
        let mut state = self.connection.lock();
        if state.over.is_some() || self.is_gone(&state) {
            return Ok(());
        }
        let mut stream = state.connection.send_stream(self.id);
        match stream.finish() {
            Ok(()) => {}
            // RFC 9000 §3.5: a stopped stream is answered with a reset, with the peer's code.
            Err(CoreWriteError::Stopped(code)) => {
                let _: Result<(), CoreWriteError> = stream.reset(code);
            }
            Err(_) => return Err(ClosedStream),
        }
        self.connection.changed(state);
        Ok(())
    }

    /// Gives up what was not delivered and tells the peer so, with `code` (RFC 9000 §3.1).
    ///
    /// # Errors
    /// [`ClosedStream`] if the stream was reset before, or everything was delivered.
    pub fn reset(&mut self, code: VarInt) -> Result<(), ClosedStream> {
        self.ended = true;
        let mut state = self.connection.lock();
        if state.over.is_some() || self.is_gone(&state) {
            return Ok(());
        }
        state.connection.send_stream(self.id).reset(code).map_err(|_| ClosedStream)?;
        self.connection.changed(state);
        Ok(())
    }

    /// Gives up what is at or behind the offset `reliable_size` and tells the peer so, with `code`;
    /// all below is delivered first (RESET_STREAM_AT, draft-ietf-quic-reliable-stream-reset). More
    /// than what was written means all of that. Called again, it can only promise less.
    ///
    /// # Errors
    /// See [`ResetAtError`]. It is no error if the peer stopped the stream, the connection is over,
    /// or the stream was given up with 0-RTT.
    pub fn reset_at(&mut self, code: VarInt, reliable_size: u64) -> Result<(), ResetAtError> {
        let mut state = self.connection.lock();
        if state.over.is_some() || self.is_gone(&state) {
            self.ended = true;
            return Ok(());
        }
        let reset = state.connection.send_stream(self.id).reset_at(code, reliable_size);
        reset.map_err(|error| match error {
            CoreResetAtError::Unsupported => ResetAtError::Unsupported,
            CoreResetAtError::Closed | _ => ResetAtError::ClosedStream,
        })?;
        self.ended = true;
        self.connection.changed(state);
        Ok(())
    }

    /// Waits until the peer stopped the stream, and returns its code; or until it acknowledged
    /// everything, the end included, or the reset, and returns `None`. Cancel safe.
    ///
    /// # Errors
    /// [`StoppedError::ConnectionLost`] if the connection ended before.
    pub async fn stopped(&self) -> Result<Option<VarInt>, StoppedError> {
        let outcome = self.connection.wait_for(Topic::Stopped(self.id), |state| {
            if self.is_gone(state) {
                return Some(Err(StoppedError::EarlyDataRejected));
            }
            let stream = state.connection.send_stream(self.id);
            if let Some(code) = stream.stopped() {
                return Some(Ok(Some(code)));
            }
            match stream.finished() {
                Some(Finished::Acknowledged) => Some(Ok(None)),
                Some(Finished::Stopped(code)) => Some(Ok(Some(code))),
                Some(Finished::Pending) | None => {
                    state.check().err().map(|error| Err(StoppedError::ConnectionLost(error)))
                }
            }
        });
        outcome.await
    }

    /// Higher goes first; equals take turns. Streams start with 0.
    ///
    /// # Errors
    /// [`ClosedStream`] if the stream was finished or reset.
    pub fn set_priority(&self, priority: i32) -> Result<(), ClosedStream> {
        if self.ended {
            return Err(ClosedStream);
        }
        let mut state = self.connection.lock();
        if !self.is_gone(&state) {
            state.connection.send_stream(self.id).set_priority(priority);
        }
        Ok(())
    }

    /// The priority; 0 if the stream was given up with 0-RTT.
    ///
    /// # Errors
    /// [`ClosedStream`] if the stream was finished or reset.
    pub fn priority(&self) -> Result<i32, ClosedStream> {
        if self.ended {
            return Err(ClosedStream);
        }
        let mut state = self.connection.lock();
        if self.is_gone(&state) {
            return Ok(0);
        }
        Ok(state.connection.send_stream(self.id).priority())
    }

    /// The stream's ID.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// [`write`](Self::write) for those who poll.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize, WriteError>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_with(cx, |stream| stream.write(data))
    }

    /// Takes as much of `chunk` as possible without copying, for those who poll; what is left
    /// stays in `chunk`.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn poll_write_chunk(
        &mut self,
        cx: &mut Context<'_>,
        chunk: &mut Bytes,
    ) -> Poll<Result<usize, WriteError>> {
        if chunk.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_with(cx, |stream| stream.write_chunk(chunk))
    }

    /// [`finish_with`](Self::finish_with) for those who poll; what is left stays in `chunk`.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn poll_finish_with(
        &mut self,
        cx: &mut Context<'_>,
        chunk: &mut Bytes,
    ) -> Poll<Result<(), WriteError>> {
        if chunk.is_empty() {
            return Poll::Ready(self.finish().map_err(|ClosedStream| WriteError::ClosedStream));
        }
        loop {
            let outcome = self.poll_with(cx, |stream| {
                let taken = stream.write_chunk(chunk)?;
                if chunk.is_empty() {
                    stream.finish()?;
                }
                Ok(taken)
            });
            ready!(outcome)?;
            if chunk.is_empty() {
                self.ended = true;
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Takes as much of `data` as flow control and the send buffer allow, however many pieces it has,
    /// and returns how much, for those who poll; what is left stays in `data`.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn poll_write_buf(
        &mut self,
        cx: &mut Context<'_>,
        data: &mut impl Buf,
    ) -> Poll<Result<usize, WriteError>> {
        if !data.has_remaining() {
            return Poll::Ready(Ok(0));
        }
        self.poll_with(cx, |stream| {
            let mut total = 0;
            while data.has_remaining() {
                match stream.write(data.chunk()) {
                    Ok(taken) => {
                        data.advance(taken);
                        total += taken;
                    }
                    // The next call says why there is no more.
                    Err(_) if total > 0 => break,
                    Err(error) => return Err(error),
                }
            }
            Ok(total)
        })
    }

    /// Whether the stream was given up with 0-RTT. Another one may have its ID.
    fn is_gone(&self, state: &ConnectionState) -> bool {
        self.early && state.early_streams_gone
    }

    fn poll_with(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(&mut quic_core::SendStream<'_>) -> Result<usize, CoreWriteError>,
    ) -> Poll<Result<usize, WriteError>> {
        if self.unbroken >= MUCH {
            self.unbroken = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut state = self.connection.lock();
        state.check()?;
        if self.is_gone(&state) {
            return Poll::Ready(Err(WriteError::EarlyDataRejected));
        }
        let result = match write(&mut state.connection.send_stream(self.id)) {
            Err(CoreWriteError::Blocked) => {
                state.waiting.wait_writable(self.id, cx);
                self.waits = true;
                self.unbroken = 0;
                Poll::Pending
            }
            result => {
                self.unbroken = self.unbroken.saturating_add(result.unwrap_or(0));
                if mem::take(&mut self.waits) {
                    state.waiting.forget_writer(self.id);
                }
                Poll::Ready(result)
            }
        };
        // A write that is blocked may have to tell the peer so (RFC 9000 §4.1).
        self.connection.changed(state);
        Poll::Ready(ready!(result).map_err(|error| match error {
            CoreWriteError::Stopped(code) => WriteError::Stopped(code),
            CoreWriteError::Blocked | CoreWriteError::Closed | _ => WriteError::ClosedStream,
        }))
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        if self.waits {
            let mut state = self.connection.lock();
            if self.is_gone(&state) {
                return;
            }
            state.waiting.forget_writer(self.id);
        }
        if !self.ended {
            let _: Result<(), ClosedStream> = self.finish();
        }
    }
}

impl ConnectionState {
    /// The error for a stream of a connection that is over.
    pub(crate) fn lost(&self) -> Option<ConnectionError> {
        self.over.clone()
    }
}

/// Bytes after which a writer lets others run, though it need not wait.
const MUCH: usize = 256 << 10;
