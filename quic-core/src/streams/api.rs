//! The application's view of a stream.

use bytes::Bytes;

use super::Streams;
use super::recv::{RecvState, RecvTransition};
use super::row::Kind;
use super::send::Fin;
use super::store::{Key, Stream};
use crate::buffer::{BlockPool, Reassembler};
use crate::wire::{StreamId, VarInt};

/// The sending part of a stream.
#[derive(Debug)]
pub struct SendStream<'a> {
    pub(crate) streams: &'a mut Streams,
    pub(crate) id: StreamId,
}

/// The receiving part of a stream.
#[derive(Debug)]
pub struct RecvStream<'a> {
    pub(crate) streams: &'a mut Streams,
    pub(crate) id: StreamId,
}

/// A stream cannot be opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenStreamError {
    /// The peer allows no more now. [`StreamEvent::Available`](crate::StreamEvent::Available)
    /// follows.
    #[error("the peer allows no more streams now")]
    Blocked,
    /// The connection is over.
    #[error("the connection is over")]
    ConnectionOver,
}

/// A write failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Nothing can be taken now. [`StreamEvent::Writable`](crate::StreamEvent::Writable) follows.
    #[error("nothing can be taken now")]
    Blocked,
    /// The stream was finished or reset, or never opened, or the connection is over.
    #[error("the stream is closed for writing")]
    Closed,
    /// The peer sent STOP_SENDING with this code.
    #[error("the peer stopped the stream: code {0}")]
    Stopped(VarInt),
}

/// A stream cannot be reset behind a part of it that is delivered.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResetAtError {
    /// The stream was reset or never opened, or all of it was acknowledged, or the connection is
    /// over.
    #[error("the stream is closed for writing")]
    Closed,
    /// The peer does not understand RESET_STREAM_AT, or has not said so yet. A plain
    /// [`reset`](SendStream::reset) is possible.
    #[error("the peer does not support reliable resets")]
    Unsupported,
}

/// A read failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Nothing to read now. [`StreamEvent::Readable`](crate::StreamEvent::Readable) follows.
    #[error("nothing to read now")]
    Blocked,
    /// The stream was stopped, read to its end or reset before, or never opened; or the connection
    /// is over, and what had arrived was read.
    #[error("the stream is closed for reading")]
    Closed,
    /// The peer reset the stream with this code.
    #[error("the peer reset the stream: code {0}")]
    Reset(VarInt),
}

/// What a read gave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReadOutcome<T> {
    /// Some data.
    Data(T),
    /// The end of the stream: everything was read.
    Finished,
}

/// How far a finished or reset sending part has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Finished {
    /// The peer acknowledged everything, the end included.
    Acknowledged,
    /// Not everything was acknowledged yet.
    Pending,
    /// The peer sent STOP_SENDING with this code.
    Stopped(VarInt),
}

impl SendStream<'_> {
    /// Buffers as much of `data` as flow control and the send buffer allow, and returns how much
    /// that was; copies once.
    ///
    /// # Errors
    /// See [`WriteError`]. [`WriteError::Blocked`] only if nothing was taken.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        let (key, room) = self.room(data.len())?;
        let data = data.get(..room).unwrap_or(data);
        if let Some(stream) = self.streams.store.get_mut(key) {
            stream.send.buffer.write(data, &mut self.streams.send_pool);
        }
        self.written(key, data.len());
        Ok(data.len())
    }

    /// Takes as much of `chunk` as flow control and the send buffer allow, and returns how much that
    /// was; what is left stays in `chunk`. Less than 1 KiB is copied, more is not, and keeps the
    /// chunk's memory until it is acknowledged.
    ///
    /// # Errors
    /// See [`WriteError`]. [`WriteError::Blocked`] only if nothing was taken.
    pub fn write_chunk(&mut self, chunk: &mut Bytes) -> Result<usize, WriteError> {
        let (key, room) = self.room(chunk.len())?;
        let length = room.min(chunk.len());
        if let Some(stream) = self.streams.store.get_mut(key) {
            stream.send.buffer.take_from(chunk, length, &mut self.streams.send_pool);
        }
        self.written(key, length);
        Ok(length)
    }

    /// Ends the stream after what was written.
    /// [`StreamEvent::Finished`](crate::StreamEvent::Finished) follows when the peer has acknowledged
    /// everything.
    ///
    /// # Errors
    /// [`WriteError::Closed`] or [`WriteError::Stopped`].
    pub fn finish(&mut self) -> Result<(), WriteError> {
        let key = self.writable()?;
        let waits = self.streams.is_in_backlog(key);
        if let Some(stream) = self.streams.store.get_mut(key) {
            stream.send.fin = if waits { Fin::Held } else { Fin::Pending };
            stream.send.released = true;
            stream.send.blocked.on_raised();
            self.streams.unacked_ends += 1;
        }
        self.streams.queue_data(key);
        Ok(())
    }

    /// Gives up what was not delivered and tells the peer `code` (RESET_STREAM, RFC 9000 §3.1).
    /// Of a stream that the peer stopped, this only takes notice.
    ///
    /// # Errors
    /// [`WriteError::Closed`] if already reset or all was acknowledged, or the connection is over.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-11.2
    //# RESET_STREAM MUST only be instigated by the application protocol that
    //# uses QUIC.
    pub fn reset(&mut self, code: VarInt) -> Result<(), WriteError> {
        if self.streams.over {
            return Err(WriteError::Closed);
        }
        let key = self.streams.store.find(self.id).ok_or(WriteError::Closed)?;
        let stopped = self.take_notice_of_stop(key);
        if stopped.is_none() && !self.streams.reset(key, code) {
            return Err(WriteError::Closed);
        }
        if let Some(stream) = self.streams.store.get_mut(key) {
            stream.send.released = true;
        }
        Ok(())
    }

    /// Gives up what is at or behind the offset `reliable_size`, and tells the peer `code`; all
    /// below is delivered first (RESET_STREAM_AT, draft-ietf-quic-reliable-stream-reset). Of a
    /// stream that the peer stopped, this only takes notice.
    ///
    /// More than what was written means all of that. Called again, it can only promise less:
    /// larger sizes and other codes than the first change nothing. [`reset`](Self::reset) gives up
    /// the rest. [`StreamEvent::Finished`](crate::StreamEvent::Finished) follows when the peer has
    /// acknowledged what was promised.
    ///
    /// # Errors
    /// See [`ResetAtError`].
    pub fn reset_at(&mut self, code: VarInt, reliable_size: u64) -> Result<(), ResetAtError> {
        if self.streams.over {
            return Err(ResetAtError::Closed);
        }
        let key = self.streams.store.find(self.id).ok_or(ResetAtError::Closed)?;
        if self.take_notice_of_stop(key).is_some() {
            return Ok(());
        }
        if !self.streams.peer_takes_reset_at() {
            return Err(ResetAtError::Unsupported);
        }
        if !self.streams.reset_at(key, code, reliable_size) {
            return Err(ResetAtError::Closed);
        }
        if let Some(stream) = self.streams.store.get_mut(key) {
            stream.send.released = true;
        }
        Ok(())
    }

    /// Higher goes first; equals take turns. Default: 0. No effect on a stream that is gone.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-2.3
    //# A QUIC implementation SHOULD provide ways in which an application can
    //# indicate the relative priority of streams.
    pub fn set_priority(&mut self, priority: i32) {
        let Some(key) = self.streams.store.find(self.id) else { return };
        let Some(stream) = self.streams.store.get_mut(key) else { return };
        let before = std::mem::replace(&mut stream.priority, priority);
        if stream.places.is_in(Kind::Data) && before != priority {
            let Streams { scheduler, store, .. } = &mut *self.streams;
            scheduler.remove(store, before, key);
            scheduler.push(store, priority, key);
        }
    }

    /// The priority; 0 if the stream is gone.
    pub fn priority(&self) -> i32 {
        self.stream().map_or(0, |stream| stream.priority)
    }

    /// How far delivery has come; `None` if the stream is still being written, or was never
    /// opened, or the connection was over before. A reset that the peer acknowledged counts as
    /// delivery.
    pub fn finished(&self) -> Option<Finished> {
        let Some(stream) = self.stream() else {
            return self.streams.is_gone(self.id).then_some(Finished::Acknowledged);
        };
        let send = &stream.send;
        match send.stopped {
            Some(code) => Some(Finished::Stopped(code)),
            None if send.state().is_terminal() => Some(Finished::Acknowledged),
            None if send.is_writable() || self.streams.over => None,
            None => Some(Finished::Pending),
        }
    }

    /// The code of the peer's STOP_SENDING; `None` if there was none, or the stream is gone.
    pub fn stopped(&self) -> Option<VarInt> {
        self.stream()?.send.stopped
    }

    fn stream(&self) -> Option<&Stream> {
        self.streams.store.get(self.streams.store.peek(self.id)?)
    }

    /// The stream, if it can be written to.
    fn writable(&mut self) -> Result<Key, WriteError> {
        let key = self.streams.store.find(self.id).ok_or(WriteError::Closed)?;
        if let Some(code) = self.take_notice_of_stop(key) {
            return Err(WriteError::Stopped(code));
        }
        let stream = self.streams.store.get(key).ok_or(WriteError::Closed)?;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.5
        //# An endpoint MUST NOT send data on a stream at or beyond the final size.
        if stream.send.is_writable() && !self.streams.over {
            Ok(key)
        } else {
            Err(WriteError::Closed)
        }
    }

    /// The application hears of the peer's STOP_SENDING now, if there was one: with that the
    /// stream can go.
    fn take_notice_of_stop(&mut self, key: Key) -> Option<VarInt> {
        let stream = self.streams.store.get_mut(key)?;
        let code = stream.send.stopped?;
        if !std::mem::replace(&mut stream.send.released, true) {
            self.streams.settle(key);
        }
        Some(code)
    }

    /// How much of `wanted` bytes can be taken.
    fn room(&mut self, wanted: usize) -> Result<(Key, usize), WriteError> {
        let key = self.writable()?;
        let streams = &mut *self.streams;
        let (send_room, remaining) = (streams.send_room(), streams.credit.remaining());
        let waits = streams.is_in_backlog(key);
        let Some(stream) = streams.store.get_mut(key) else { return Err(WriteError::Closed) };
        let send = &mut stream.send;
        if waits {
            send.waiting = true;
            return Err(WriteError::Blocked);
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-2.2
        //# An endpoint MUST NOT send data on any stream without ensuring that it is
        //# within the flow control limits set by its peer.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.1
        //# Senders MUST NOT send data in excess of either limit.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.9
        //# The sum of the final sizes on all streams -- including streams in
        //# terminal states -- MUST NOT exceed the value advertised by a receiver.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.10
        //# The data sent on a stream MUST NOT exceed the largest maximum stream
        //# data value advertised by the receiver.
        let room = (send.maximum.saturating_sub(send.buffer.end())).min(remaining).min(send_room);
        if room > 0 || wanted == 0 {
            return Ok((key, usize::try_from(room).unwrap_or(usize::MAX).min(wanted)));
        }
        if send.maximum <= send.buffer.end() {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-4.1
            //# A sender SHOULD send a STREAM_DATA_BLOCKED or DATA_BLOCKED frame to
            //# indicate to the receiver that it has data to write but is blocked by
            //# flow control limits.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-19.13
            //# A sender SHOULD send a STREAM_DATA_BLOCKED frame (type=0x15) when it
            //# wishes to send data but is unable to do so due to stream-level flow
            //# control.
            send.blocked.on_blocked(send.maximum);
            send.waiting = true;
        } else {
            if remaining == 0 {
                //= https://www.rfc-editor.org/rfc/rfc9000#section-19.12
                //# A sender SHOULD send a DATA_BLOCKED frame (type=0x14) when it wishes to
                //# send data but is unable to do so due to connection-level flow control;
                //# see Section 4.
                streams.credit.blocked.on_blocked(streams.credit.maximum);
            }
            streams.blocked_writers.push(&mut streams.store, key);
        }
        streams.sync_queues(key);
        Err(WriteError::Blocked)
    }

    fn written(&mut self, key: Key, length: usize) {
        self.streams.credit.on_written(length as u64);
        self.streams.queue_data(key);
    }
}

impl RecvStream<'_> {
    /// Copies the next bytes into `out`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(&mut self, out: &mut [u8]) -> Result<ReadOutcome<usize>, ReadError> {
        self.read_with(|data, pool| {
            let length = data.read(out, pool);
            (length > 0 || (out.is_empty() && data.has_readable())).then_some((length, length))
        })
    }

    /// Takes up to `maximum` bytes without copying.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read_chunk(&mut self, maximum: usize) -> Result<ReadOutcome<Bytes>, ReadError> {
        self.read_with(|data, pool| match data.read_chunk(maximum, pool) {
            Some(chunk) => Some((chunk.len(), chunk)),
            None => data.has_readable().then(|| (0, Bytes::new())),
        })
    }

    /// Takes note of the end of the stream if everything was read; returns whether that is so. The
    /// next read would say the same, [`ReadOutcome::Finished`], and does not after this.
    pub fn take_end(&mut self) -> bool {
        let Ok(key) = self.readable() else { return false };
        let Some(stream) = self.streams.store.get_mut(key) else { return false };
        let recv = &mut stream.recv;
        // The beginning of a stream that was reset does not end like others.
        if recv.data.has_readable() || recv.reset_at.is_some() || !recv.go(RecvTransition::ReadAll)
        {
            return false;
        }
        self.streams.finish_reading(key);
        true
    }

    /// Whether any of the stream's data came in 0-RTT, and so may be a copy that somebody else
    /// sends again (RFC 9001 §9.2): do nothing because of it that must not happen twice before
    /// [`Event::Connected`](crate::Event::Connected), which shows that the client is there. False
    /// of streams that are gone.
    pub fn is_early(&self) -> bool {
        let stream = self.streams.store.peek(self.id).and_then(|key| self.streams.store.get(key));
        stream.is_some_and(|stream| stream.recv.early)
    }

    /// Reads no more, throws away what was received, and asks the peer to stop (STOP_SENDING,
    /// RFC 9000 §3.5).
    ///
    /// # Errors
    /// [`ReadError::Closed`].
    pub fn stop(&mut self, code: VarInt) -> Result<(), ReadError> {
        let key = self.readable()?;
        let streams = &mut *self.streams;
        let Some(stream) = streams.store.get_mut(key) else { return Err(ReadError::Closed) };
        let recv = &mut stream.recv;
        recv.stopped = true;
        recv.credit_pending = false;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-3.5
        //# If the stream is in the "Recv" or "Size Known" state, the transport
        //# SHOULD signal this by sending a STOP_SENDING frame to prompt closure
        //# of the stream in the opposite direction.
        recv.stop_pending = matches!(recv.state(), RecvState::Recv | RecvState::SizeKnown);
        recv.code = code;
        streams.discard_received(key);
        streams.settle(key);
        Ok(())
    }

    /// The stream, if it can be read from.
    fn readable(&mut self) -> Result<Key, ReadError> {
        let key = self.streams.store.find(self.id).ok_or(ReadError::Closed)?;
        let open =
            self.streams.is_accepted(self.id)
                && self.streams.store.get(key).is_some_and(|stream| {
                    !stream.recv.stopped && !stream.recv.state().is_terminal()
                });
        if open { Ok(key) } else { Err(ReadError::Closed) }
    }

    /// Reads by `take`, which returns how many bytes it took, and those.
    fn read_with<T>(
        &mut self,
        take: impl FnOnce(&mut Reassembler, &mut BlockPool) -> Option<(usize, T)>,
    ) -> Result<ReadOutcome<T>, ReadError> {
        let key = self.readable()?;
        let streams = &mut *self.streams;
        let Some(stream) = streams.store.get_mut(key) else { return Err(ReadError::Closed) };
        let recv = &mut stream.recv;
        let before = recv.data.allocated_bytes();
        let taken = take(&mut recv.data, &mut streams.recv_pool);
        let after = recv.data.allocated_bytes();
        streams.reassembly = streams.reassembly.saturating_add(after).saturating_sub(before);
        if let Some((length, data)) = taken {
            recv.window.consume(length as u64);
            recv.update_credit();
            let credit = recv.credit_pending;
            streams.on_consumed(length as u64);
            if credit {
                streams.sync_queues(key);
            }
            return Ok(ReadOutcome::Data(data));
        }
        if recv.go(RecvTransition::ReadAll) {
            if let Some(code) = streams.finish_reset_at(key) {
                streams.settle(key);
                return Err(ReadError::Reset(code));
            }
            streams.finish_reading(key);
            return Ok(ReadOutcome::Finished);
        }
        if recv.go(RecvTransition::ReadReset) {
            let code = recv.code;
            streams.settle(key);
            return Err(ReadError::Reset(code));
        }
        recv.notified = false;
        Err(if streams.over { ReadError::Closed } else { ReadError::Blocked })
    }
}

impl Streams {
    /// The application has read everything.
    fn finish_reading(&mut self, key: Key) {
        if let Some(stream) = self.store.get_mut(key) {
            let held = stream.recv.data.allocated_bytes();
            self.reassembly = self.reassembly.saturating_sub(held);
            stream.recv.data.clear();
        }
        self.settle(key);
    }

    /// Whether the stream was opened and is over.
    fn is_gone(&self, id: StreamId) -> bool {
        let local = id.initiator() == self.side;
        let known = local && id.index() < self.local.get(id.direction()).next;
        (known || (!local && self.is_accepted(id))) && self.store.peek(id).is_none()
    }
}
