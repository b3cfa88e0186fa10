//! What can go wrong with the handles, one type per operation.

use std::io;

use quic_core::{ConnectionError, VarInt};

use crate::incoming::Incoming;

/// A connection cannot be opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The endpoint was closed, or its loop ended.
    #[error("the endpoint is closed")]
    EndpointClosed,
    /// No configuration was given, and the endpoint has no default; see
    /// [`set_default_client_config`](crate::Endpoint::set_default_client_config).
    #[error("no client configuration")]
    NoClientConfig,
    /// The address, the name or the configuration cannot be used.
    #[error(transparent)]
    Refused(#[from] quic_core::ConnectError),
}

/// The stream was finished, reset, stopped or read to its end before.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, thiserror::Error)]
#[error("the stream is closed")]
pub struct ClosedStream;

/// A write failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum WriteError {
    /// The peer asked to stop with this code (RFC 9000 §3.5).
    #[error("the peer stopped the stream: code {0}")]
    Stopped(VarInt),
    /// The connection is over.
    #[error("connection lost: {0}")]
    ConnectionLost(#[from] ConnectionError),
    /// The stream was finished or reset before.
    #[error("the stream is closed")]
    ClosedStream,
    /// The stream was opened in 0-RTT, which the server did not take, and given up.
    #[error("the server did not take 0-RTT")]
    EarlyDataRejected,
}

/// [`SendStream::reset_at`](crate::SendStream::reset_at) failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResetAtError {
    /// The stream was finished and acknowledged, or reset, before.
    #[error("the stream is closed")]
    ClosedStream,
    /// The peer does not understand RESET_STREAM_AT. A plain
    /// [`reset`](crate::SendStream::reset) is possible.
    #[error("the peer does not support reliable resets")]
    Unsupported,
}

/// A datagram cannot be sent.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendDatagramError {
    /// The peer receives no datagrams.
    #[error("the peer receives no datagrams")]
    Unsupported,
    /// It is longer than the path, the peer or the queue takes: at most this many bytes now.
    #[error("the datagram is longer than {0} bytes")]
    TooLarge(usize),
    /// The connection is over.
    #[error("connection lost: {0}")]
    ConnectionLost(#[from] ConnectionError),
}

/// A read failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// The peer gave up on the stream with this code; data that was not read is lost.
    #[error("the peer reset the stream: code {0}")]
    Reset(VarInt),
    /// The connection is over, and what had arrived was read.
    #[error("connection lost: {0}")]
    ConnectionLost(#[from] ConnectionError),
    /// The stream was stopped before.
    #[error("the stream is closed")]
    ClosedStream,
    /// The stream was opened in 0-RTT, which the server did not take, and given up.
    #[error("the server did not take 0-RTT")]
    EarlyDataRejected,
}

/// [`RecvStream::read_exact`](crate::RecvStream::read_exact) failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReadExactError {
    /// The stream ended after this many bytes.
    #[error("the stream ended early, after {0} bytes")]
    FinishedEarly(usize),
    /// A read failed.
    #[error(transparent)]
    ReadError(#[from] ReadError),
}

/// [`RecvStream::read_to_end`](crate::RecvStream::read_to_end) failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReadToEndError {
    /// A read failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The stream is longer than the limit.
    #[error("the stream is too long")]
    TooLong,
}

/// [`SendStream::stopped`](crate::SendStream::stopped) failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StoppedError {
    /// The connection is over.
    #[error("connection lost: {0}")]
    ConnectionLost(#[from] ConnectionError),
    /// The stream was opened in 0-RTT, which the server did not take, and given up.
    #[error("the server did not take 0-RTT")]
    EarlyDataRejected,
}

/// The client's address is validated already, so that there is nothing to retry for.
#[derive(Debug, thiserror::Error)]
#[error("the client's address is validated already")]
pub struct RetryError(pub(crate) Box<Incoming>);

impl RetryError {
    /// The attempt, to be answered otherwise.
    pub fn into_incoming(self) -> Incoming {
        *self.0
    }
}

/// Keying material cannot be derived: the handshake is not complete, or the output is too long.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, thiserror::Error)]
#[error("keying material cannot be exported")]
pub struct ExportKeyingMaterialError;

impl From<ClosedStream> for WriteError {
    fn from(ClosedStream: ClosedStream) -> Self {
        Self::ClosedStream
    }
}

impl From<ClosedStream> for ReadError {
    fn from(ClosedStream: ClosedStream) -> Self {
        Self::ClosedStream
    }
}

impl From<ClosedStream> for io::Error {
    fn from(error: ClosedStream) -> Self {
        Self::new(io::ErrorKind::NotConnected, error)
    }
}

impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        let kind = match &error {
            WriteError::Stopped(_) => io::ErrorKind::ConnectionReset,
            WriteError::ConnectionLost(lost) => lost.io_kind(),
            WriteError::ClosedStream => io::ErrorKind::NotConnected,
            WriteError::EarlyDataRejected => io::ErrorKind::ConnectionReset,
        };
        Self::new(kind, error)
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        let kind = match &error {
            ReadError::Reset(_) => io::ErrorKind::ConnectionReset,
            ReadError::ConnectionLost(lost) => lost.io_kind(),
            ReadError::ClosedStream => io::ErrorKind::NotConnected,
            ReadError::EarlyDataRejected => io::ErrorKind::ConnectionReset,
        };
        Self::new(kind, error)
    }
}

impl From<ReadExactError> for io::Error {
    fn from(error: ReadExactError) -> Self {
        match error {
            ReadExactError::FinishedEarly(_) => Self::new(io::ErrorKind::UnexpectedEof, error),
            ReadExactError::ReadError(error) => error.into(),
        }
    }
}

impl From<ReadToEndError> for io::Error {
    fn from(error: ReadToEndError) -> Self {
        match error {
            ReadToEndError::Read(error) => error.into(),
            ReadToEndError::TooLong => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

impl From<StoppedError> for io::Error {
    fn from(error: StoppedError) -> Self {
        let kind = match &error {
            StoppedError::ConnectionLost(lost) => lost.io_kind(),
            StoppedError::EarlyDataRejected => io::ErrorKind::ConnectionReset,
        };
        Self::new(kind, error)
    }
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        let kind = match &error {
            ConnectError::EndpointClosed => io::ErrorKind::NotConnected,
            ConnectError::NoClientConfig | ConnectError::Refused(_) => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}
