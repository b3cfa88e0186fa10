//! What the handles of `driver` report, in the terms of `h3`.

use std::sync::Arc;

use driver::{ConnectionError, ReadError, VarInt, WriteError};
use h3::quic::{ConnectionErrorIncoming, StreamErrorIncoming};

/// Data was given to a stream that had not taken what it was given before: a call that sends was
/// dropped before it was complete.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, thiserror::Error)]
#[error("the stream has not yet taken the data that it was given before")]
pub struct NotReady;

pub(crate) fn connection_error(error: ConnectionError) -> ConnectionErrorIncoming {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            ConnectionErrorIncoming::ApplicationClose { error_code: close.error_code.into_inner() }
        }
        ConnectionError::HandshakeTimedOut | ConnectionError::TimedOut => {
            ConnectionErrorIncoming::Timeout
        }
        // How QUIC itself ended, which is nothing to HTTP/3.
        ConnectionError::ConnectionClosed(_)
        | ConnectionError::LocallyClosed
        | ConnectionError::Reset
        | ConnectionError::TransportError(_)
        | ConnectionError::VersionMismatch
        | _ => ConnectionErrorIncoming::Undefined(Arc::new(error)),
    }
}

/// The end of the connection, as a stream sees it.
pub(crate) fn lost(error: ConnectionError) -> StreamErrorIncoming {
    StreamErrorIncoming::ConnectionErrorIncoming { connection_error: connection_error(error) }
}

pub(crate) fn read_error(error: ReadError) -> StreamErrorIncoming {
    match error {
        ReadError::Reset(code) => terminated(code),
        ReadError::ConnectionLost(error) => lost(error),
        ReadError::ClosedStream | ReadError::EarlyDataRejected => unknown(error),
    }
}

pub(crate) fn write_error(error: WriteError) -> StreamErrorIncoming {
    match error {
        WriteError::Stopped(code) => terminated(code),
        WriteError::ConnectionLost(error) => lost(error),
        WriteError::ClosedStream | WriteError::EarlyDataRejected => unknown(error),
    }
}

pub(crate) fn unknown(
    error: impl std::error::Error + Send + Sync + 'static,
) -> StreamErrorIncoming {
    StreamErrorIncoming::Unknown(Box::new(error))
}

fn terminated(code: VarInt) -> StreamErrorIncoming {
    StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() }
}

/// A code of `h3`'s. What no frame can carry, which it has none of, becomes the largest code.
pub(crate) fn code(code: u64) -> VarInt {
    VarInt::try_from(code).unwrap_or(VarInt::MAX)
}

#[cfg(test)]
mod tests;
