//! The application's view of a stream.

use bytes::Bytes;

use super::Streams;
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
    /// The peer allows no more now. `StreamEvent::Available` follows.
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
    /// Nothing can be taken now. `StreamEvent::Writable` follows.
    #[error("nothing can be taken now")]
    Blocked,
    /// The stream was finished or reset, or never opened.
    #[error("the stream is closed for writing")]
    Closed,
    /// The peer sent STOP_SENDING with this code.
    #[error("the peer stopped the stream: code {0}")]
    Stopped(VarInt),
}

/// A read failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Nothing to read now. `StreamEvent::Readable` follows.
    #[error("nothing to read now")]
    Blocked,
    /// The stream was stopped, read to its end or reset before, or never opened.
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
    /// Buffers as much of `data` as flow control and the send buffer allow; copies once.
    /// # Errors
    /// See [`WriteError`].
    pub fn write(&mut self, _data: &[u8]) -> Result<usize, WriteError> {
        loop {}
    }
    /// Takes as much of `chunk` as possible without copying; what is left stays in `chunk`.
    /// # Errors
    /// See [`WriteError`].
    pub fn write_chunk(&mut self, _chunk: &mut Bytes) -> Result<usize, WriteError> {
        loop {}
    }
    /// Ends the stream after what was written.
    /// # Errors
    /// [`WriteError::Closed`] or [`WriteError::Stopped`].
    pub fn finish(&mut self) -> Result<(), WriteError> {
        loop {}
    }
    /// Gives up what was not delivered (RESET_STREAM).
    /// # Errors
    /// [`WriteError::Closed`] if already reset or all was acknowledged.
    pub fn reset(&mut self, _code: VarInt) -> Result<(), WriteError> {
        loop {}
    }
    /// Higher goes first; equals take turns. Default: 0.
    pub fn set_priority(&mut self, _priority: i32) {}
    /// The priority.
    pub fn priority(&self) -> i32 {
        0
    }
    /// How far delivery has come; `None` if the stream is still being written.
    pub fn finished(&self) -> Option<Finished> {
        None
    }
    /// The code of the peer's STOP_SENDING.
    pub fn stopped(&self) -> Option<VarInt> {
        None
    }
}

impl RecvStream<'_> {
    /// Copies the next bytes into `out`.
    /// # Errors
    /// See [`ReadError`].
    pub fn read(&mut self, _out: &mut [u8]) -> Result<ReadOutcome<usize>, ReadError> {
        loop {}
    }
    /// Takes up to `maximum` bytes without copying.
    /// # Errors
    /// See [`ReadError`].
    pub fn read_chunk(&mut self, _maximum: usize) -> Result<ReadOutcome<Bytes>, ReadError> {
        loop {}
    }
    /// Reads no more and asks the peer to stop (STOP_SENDING).
    /// # Errors
    /// [`ReadError::Closed`].
    pub fn stop(&mut self, _code: VarInt) -> Result<(), ReadError> {
        loop {}
    }
}
