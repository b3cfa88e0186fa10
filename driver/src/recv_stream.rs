//! The application's handle of a stream's receiving part.

use std::future;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use quic_core::{ReadError as CoreReadError, ReadOutcome, StreamId, VarInt};

use crate::error::{ClosedStream, ReadError, ReadExactError, ReadToEndError};
use crate::shared::{ConnectionRef, ConnectionState};

/// The receiving part of a stream.
///
/// Dropped before everything was read, it is stopped with the code 0 (RFC 9000 §3.5).
#[derive(Debug)]
pub struct RecvStream {
    connection: Arc<ConnectionRef>,
    id: StreamId,
    progress: Progress,
    /// May be among the connection's readers.
    waits: bool,
    /// Opened in 0-RTT, and not known to have survived that.
    early: bool,
}

/// What is remembered of the stream once the core has forgotten it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Progress {
    Open,
    /// Everything was read.
    Finished,
    Reset(VarInt),
    /// The application stopped it.
    Stopped,
}

impl RecvStream {
    pub(crate) fn new(connection: Arc<ConnectionRef>, id: StreamId, early: bool) -> Self {
        Self { connection, id, progress: Progress::Open, waits: false, early }
    }

    /// Copies the next bytes into `out` and returns how many, at least one unless `out` is empty;
    /// `None` at the end of the stream. Waits while there is nothing to read.
    ///
    /// Cancel safe: dropped, it read nothing.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read(&mut self, out: &mut [u8]) -> Result<Option<usize>, ReadError> {
        future::poll_fn(|cx| self.poll_read(cx, out)).await
    }

    /// Fills `out`.
    ///
    /// Not cancel safe: dropped, it read an unknown part into `out`.
    ///
    /// # Errors
    /// See [`ReadExactError`].
    pub async fn read_exact(&mut self, out: &mut [u8]) -> Result<(), ReadExactError> {
        let mut filled = 0;
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read(rest).await? {
                Some(count) => filled += count,
                None => return Err(ReadExactError::FinishedEarly(filled)),
            }
        }
        Ok(())
    }

    /// Takes the next bytes, at most `maximum`, without copying; `None` at the end of the stream.
    ///
    /// Cancel safe: dropped, it read nothing.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read_chunk(&mut self, maximum: usize) -> Result<Option<Bytes>, ReadError> {
        future::poll_fn(|cx| self.poll_read_chunk(cx, maximum)).await
    }

    /// Takes what is there, in as many chunks as `chunks` has room for, without copying, and
    /// returns how many; `None` at the end of the stream. Waits while there is nothing to read.
    ///
    /// Cancel safe: dropped, it read nothing.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read_chunks(&mut self, chunks: &mut [Bytes]) -> Result<Option<usize>, ReadError> {
        future::poll_fn(|cx| self.poll_read_chunks(cx, chunks)).await
    }

    /// Everything up to the end of the stream, if it is `limit` bytes at the most.
    ///
    /// Not cancel safe: dropped, what it read is lost.
    ///
    /// # Errors
    /// See [`ReadToEndError`]. A stream that is too long is stopped when it is dropped.
    pub async fn read_to_end(&mut self, limit: usize) -> Result<Vec<u8>, ReadToEndError> {
        let mut all = Vec::new();
        while let Some(chunk) = self.read_chunk(usize::MAX).await? {
            if chunk.len() > limit.saturating_sub(all.len()) {
                return Err(ReadToEndError::TooLong);
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }

    /// Reads no more, and asks the peer to stop sending (RFC 9000 §3.5).
    ///
    /// # Errors
    /// [`ClosedStream`] if the stream was stopped or reset before, or everything was read and the end
    /// was there.
    pub fn stop(&mut self, code: VarInt) -> Result<(), ClosedStream> {
        if self.progress != Progress::Open {
            return Err(ClosedStream);
        }
        self.progress = Progress::Stopped;
        let mut state = self.connection.lock();
        if state.over.is_some() || self.is_gone(&state) {
            return Ok(());
        }
        state.connection.recv_stream(self.id).stop(code).map_err(|_| ClosedStream)?;
        self.connection.changed(state);
        Ok(())
    }

    /// Whether any of the stream's data came in 0-RTT, and so may be a copy that somebody else sent
    /// again. Do nothing because of it that must not happen twice before the handshake is
    /// complete, which shows that the client is there. False once all was read.
    pub fn is_0rtt(&self) -> bool {
        let mut state = self.connection.lock();
        !self.is_gone(&state) && state.connection.recv_stream(self.id).is_early()
    }

    /// The stream's ID.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// [`read`](Self::read) for those who poll.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<Result<Option<usize>, ReadError>> {
        if out.is_empty() {
            return Poll::Ready(Ok(Some(0)));
        }
        self.poll_with(cx, |stream| stream.read(out))
    }

    /// [`read_chunk`](Self::read_chunk) for those who poll.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn poll_read_chunk(
        &mut self,
        cx: &mut Context<'_>,
        maximum: usize,
    ) -> Poll<Result<Option<Bytes>, ReadError>> {
        if maximum == 0 {
            return Poll::Ready(Ok(Some(Bytes::new())));
        }
        self.poll_with(cx, |stream| stream.read_chunk(maximum))
    }

    /// [`read_chunks`](Self::read_chunks) for those who poll.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn poll_read_chunks(
        &mut self,
        cx: &mut Context<'_>,
        chunks: &mut [Bytes],
    ) -> Poll<Result<Option<usize>, ReadError>> {
        if chunks.is_empty() {
            return Poll::Ready(Ok(Some(0)));
        }
        // The core says only once how a stream ends; after some data, that is for the next call.
        let mut end = None;
        let outcome = self.poll_with(cx, |stream| {
            let mut count = 0;
            for slot in chunks {
                let outcome = stream.read_chunk(usize::MAX);
                if let Ok(ReadOutcome::Data(chunk)) = outcome {
                    *slot = chunk;
                    count += 1;
                    continue;
                }
                if count == 0 {
                    return outcome.map(|_| ReadOutcome::Finished);
                }
                end = match outcome {
                    Ok(_) => Some(Progress::Finished),
                    Err(CoreReadError::Reset(code)) => Some(Progress::Reset(code)),
                    Err(_) => None,
                };
                break;
            }
            Ok(ReadOutcome::Data(count))
        });
        if let Some(end) = end {
            self.progress = end;
        }
        outcome
    }

    /// Whether the stream was given up with 0-RTT. Another one may have its ID.
    fn is_gone(&self, state: &ConnectionState) -> bool {
        self.early && state.early_streams_gone
    }

    fn poll_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        read: impl FnOnce(&mut quic_core::RecvStream<'_>) -> Result<ReadOutcome<T>, CoreReadError>,
    ) -> Poll<Result<Option<T>, ReadError>> {
        match self.progress {
            Progress::Open => {}
            Progress::Finished => return Poll::Ready(Ok(None)),
            Progress::Reset(code) => return Poll::Ready(Err(ReadError::Reset(code))),
            Progress::Stopped => return Poll::Ready(Err(ReadError::ClosedStream)),
        }
        let mut state = self.connection.lock();
        if self.is_gone(&state) {
            return Poll::Ready(Err(ReadError::EarlyDataRejected));
        }
        let mut stream = state.connection.recv_stream(self.id);
        let outcome = read(&mut stream);
        if matches!(outcome, Ok(ReadOutcome::Data(_))) && stream.take_end() {
            self.progress = Progress::Finished;
        }
        let outcome = match outcome {
            // What arrived before the connection ended can still be read.
            Err(CoreReadError::Blocked) => {
                if let Some(error) = state.lost() {
                    Poll::Ready(Err(ReadError::ConnectionLost(error)))
                } else {
                    state.waiting.wait_readable(self.id, cx);
                    self.waits = true;
                    Poll::Pending
                }
            }
            Err(CoreReadError::Reset(code)) => {
                self.progress = Progress::Reset(code);
                Poll::Ready(Err(ReadError::Reset(code)))
            }
            Err(_) => Poll::Ready(Err(state.lost().map_or(ReadError::ClosedStream, Into::into))),
            Ok(ReadOutcome::Finished) => {
                self.progress = Progress::Finished;
                Poll::Ready(Ok(None))
            }
            Ok(ReadOutcome::Data(data)) => Poll::Ready(Ok(Some(data))),
        };
        let outcome = ready!(outcome);
        if mem::take(&mut self.waits) {
            state.waiting.forget_reader(self.id);
        }
        // Reading makes room, and the end of a stream lets the peer open another one; either may
        // have to be told (RFC 9000 §4.1, §4.6).
        if state.over.is_none() {
            self.connection.changed(state);
        }
        Poll::Ready(outcome)
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        if self.waits {
            let mut state = self.connection.lock();
            if self.is_gone(&state) {
                return;
            }
            state.waiting.forget_reader(self.id);
        }
        if self.progress == Progress::Open {
            let _: Result<(), ClosedStream> = self.stop(VarInt::default());
        }
    }
}
