//! What can go wrong, by who must act: nobody, the peer, the application (RFC 9000 §11, §20).

use std::borrow::Cow;
use std::fmt;
use std::io;

use bytes::Bytes;

use crate::wire::VarInt;
use crate::wire::frame::{FrameError, FrameType};

/// A transport error code (RFC 9000 §20.1).
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct TransportErrorCode(u64);

impl TransportErrorCode {
    /// No error: the connection is closed for no particular reason.
    pub const NO_ERROR: Self = Self(0x00);
    /// The endpoint cannot go on.
    pub const INTERNAL_ERROR: Self = Self(0x01);
    /// The server does not accept the connection.
    pub const CONNECTION_REFUSED: Self = Self(0x02);
    /// More data than flow control allowed.
    pub const FLOW_CONTROL_ERROR: Self = Self(0x03);
    /// More streams than allowed.
    pub const STREAM_LIMIT_ERROR: Self = Self(0x04);
    /// A frame for a stream in a state that does not permit it.
    pub const STREAM_STATE_ERROR: Self = Self(0x05);
    /// Data beyond the final size, or a final size that changed.
    pub const FINAL_SIZE_ERROR: Self = Self(0x06);
    /// A frame that is badly formatted.
    pub const FRAME_ENCODING_ERROR: Self = Self(0x07);
    /// Transport parameters that are badly formatted, missing, forbidden or out of range.
    pub const TRANSPORT_PARAMETER_ERROR: Self = Self(0x08);
    /// More connection IDs than allowed.
    pub const CONNECTION_ID_LIMIT_ERROR: Self = Self(0x09);
    /// Any violation for which there is no more specific code.
    pub const PROTOCOL_VIOLATION: Self = Self(0x0a);
    /// The token in the client's Initial is invalid.
    pub const INVALID_TOKEN: Self = Self(0x0b);
    /// The application closed the connection during the handshake.
    pub const APPLICATION_ERROR: Self = Self(0x0c);
    /// More CRYPTO data than can be buffered.
    pub const CRYPTO_BUFFER_EXCEEDED: Self = Self(0x0d);
    /// A key update at the wrong time (RFC 9001 §6).
    pub const KEY_UPDATE_ERROR: Self = Self(0x0e);
    /// The keys were used as often as the AEAD permits (RFC 9001 §6.6).
    pub const AEAD_LIMIT_REACHED: Self = Self(0x0f);
    /// The path does not carry datagrams of 1,200 bytes.
    pub const NO_VIABLE_PATH: Self = Self(0x10);

    /// The versions of the handshake do not add up: somebody may have meddled with them (RFC 9368).
    pub const VERSION_NEGOTIATION_ERROR: Self = Self(0x11);

    /// The code for a TLS alert (RFC 9001 §4.8).
    pub const fn crypto(alert: u8) -> Self {
        Self(0x100 | alert as u64)
    }

    /// A code as it came from the peer.
    pub const fn from_wire(value: u64) -> Self {
        Self(value)
    }

    /// The value on the wire.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The name in RFC 9000 §20.1; `None` for codes that it does not define.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NO_ERROR => "NO_ERROR",
            Self::INTERNAL_ERROR => "INTERNAL_ERROR",
            Self::CONNECTION_REFUSED => "CONNECTION_REFUSED",
            Self::FLOW_CONTROL_ERROR => "FLOW_CONTROL_ERROR",
            Self::STREAM_LIMIT_ERROR => "STREAM_LIMIT_ERROR",
            Self::STREAM_STATE_ERROR => "STREAM_STATE_ERROR",
            Self::FINAL_SIZE_ERROR => "FINAL_SIZE_ERROR",
            Self::FRAME_ENCODING_ERROR => "FRAME_ENCODING_ERROR",
            Self::TRANSPORT_PARAMETER_ERROR => "TRANSPORT_PARAMETER_ERROR",
            Self::CONNECTION_ID_LIMIT_ERROR => "CONNECTION_ID_LIMIT_ERROR",
            Self::PROTOCOL_VIOLATION => "PROTOCOL_VIOLATION",
            Self::INVALID_TOKEN => "INVALID_TOKEN",
            Self::APPLICATION_ERROR => "APPLICATION_ERROR",
            Self::CRYPTO_BUFFER_EXCEEDED => "CRYPTO_BUFFER_EXCEEDED",
            Self::KEY_UPDATE_ERROR => "KEY_UPDATE_ERROR",
            Self::AEAD_LIMIT_REACHED => "AEAD_LIMIT_REACHED",
            Self::NO_VIABLE_PATH => "NO_VIABLE_PATH",
            Self::VERSION_NEGOTIATION_ERROR => "VERSION_NEGOTIATION_ERROR",
            Self(0x100..=0x1ff) => "CRYPTO_ERROR",
            Self(_) => return None,
        })
    }
}

impl fmt::Debug for TransportErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TransportErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:x})", self.0),
            None => write!(f, "error 0x{:x}", self.0),
        }
    }
}

/// An error of the protocol: one end found it and told the other in CONNECTION_CLOSE.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{code}: {reason}")]
pub struct TransportError {
    /// The code (RFC 9000 §20.1).
    pub code: TransportErrorCode,
    /// The type of the frame that caused it, where one did.
    pub frame_type: Option<u64>,
    /// For people. Reasons of this endpoint name no secrets.
    pub reason: Cow<'static, str>,
}

impl TransportError {
    pub(crate) const fn new(code: TransportErrorCode, reason: &'static str) -> Self {
        Self { code, frame_type: None, reason: Cow::Borrowed(reason) }
    }

    /// The same error, caused by a frame of this type unless one is named already.
    pub(crate) fn in_frame(mut self, frame_type: FrameType) -> Self {
        self.frame_type.get_or_insert(frame_type.0);
        self
    }
}

macro_rules! shorthands {
    ($($name:ident => $code:ident),* $(,)?) => {
        impl TransportError {
            $(
                #[doc = concat!("An error with the code ", stringify!($code), ".")]
                pub const fn $name(reason: &'static str) -> Self {
                    Self::new(TransportErrorCode::$code, reason)
                }
            )*
        }
    };
}

shorthands! {
    internal => INTERNAL_ERROR,
    flow_control => FLOW_CONTROL_ERROR,
    stream_limit => STREAM_LIMIT_ERROR,
    stream_state => STREAM_STATE_ERROR,
    final_size => FINAL_SIZE_ERROR,
    frame_encoding => FRAME_ENCODING_ERROR,
    transport_parameter => TRANSPORT_PARAMETER_ERROR,
    connection_id_limit => CONNECTION_ID_LIMIT_ERROR,
    protocol_violation => PROTOCOL_VIOLATION,
    crypto_buffer_exceeded => CRYPTO_BUFFER_EXCEEDED,
    key_update => KEY_UPDATE_ERROR,
    aead_limit_reached => AEAD_LIMIT_REACHED,
    version_negotiation => VERSION_NEGOTIATION_ERROR,
}

impl From<FrameError> for TransportError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Malformed { frame_type, reason } => {
                Self::frame_encoding(reason).in_frame(frame_type)
            }
            FrameError::OverlongType(frame_type) => {
                Self::protocol_violation("frame type is not in its shortest encoding")
                    .in_frame(frame_type)
            }
            FrameError::UnknownType(frame_type) => {
                //= https://www.rfc-editor.org/rfc/rfc9000#section-12.4
                //# An endpoint MUST treat the receipt of a frame of unknown type as a
                //# connection error of type FRAME_ENCODING_ERROR.
                Self::frame_encoding("unknown frame type").in_frame(frame_type)
            }
        }
    }
}

/// Why a packet or datagram was dropped. Anyone on the path can cause these, so they are only
/// counted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DiscardReason {
    /// The packet is not authentic.
    Authentication,
    /// A queue for early packets is full.
    BufferFull,
    /// The packet number was received before.
    Duplicate,
    /// No keys for this kind of packet, yet or any more.
    KeysUnavailable,
    /// The header cannot be parsed.
    Malformed,
    /// A client's Initial in a datagram below 1,200 bytes (RFC 9000 §14.1).
    TooSmall,
    /// No connection, and nothing that could open one.
    UnknownConnection,
    /// The source address may not be used now.
    UnknownPath,
    /// A version that is not supported.
    UnsupportedVersion,
    /// The packet is not expected in this state.
    Unexpected,
}

/// How a connection ended. Every pending operation gets it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The peer's application closed the connection.
    #[error("closed by the peer's application: code {}", .0.error_code)]
    ApplicationClosed(ApplicationClose),
    /// The peer's transport closed the connection.
    #[error("closed by the peer: {0}")]
    ConnectionClosed(TransportError),
    /// The handshake did not finish in time; the peer may be unreachable or not speak QUIC.
    #[error("handshake timed out")]
    HandshakeTimedOut,
    /// This end closed the connection.
    #[error("closed by this end")]
    LocallyClosed,
    /// The peer lost the state of the connection, or restarted (RFC 9000 §10.3).
    #[error("reset by the peer")]
    Reset,
    /// Nothing was heard from the peer for as long as the idle timeout (RFC 9000 §10.1).
    #[error("timed out")]
    TimedOut,
    /// The peer broke the protocol, or the handshake failed.
    #[error(transparent)]
    TransportError(TransportError),
    /// The peer supports none of our versions.
    #[error("peer supports no QUIC version of ours")]
    VersionMismatch,
}

/// What the peer's application gave as the reason for closing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApplicationClose {
    /// The application's code.
    pub error_code: VarInt,
    /// The application's reason; any bytes, of which the first 1,024 are kept.
    pub reason: Bytes,
}

impl ConnectionError {
    /// The kind of I/O error that comes closest to how the connection ended.
    pub fn io_kind(&self) -> io::ErrorKind {
        match self {
            Self::HandshakeTimedOut | Self::TimedOut => io::ErrorKind::TimedOut,
            Self::Reset => io::ErrorKind::ConnectionReset,
            Self::ApplicationClosed(_) | Self::ConnectionClosed(_) => {
                io::ErrorKind::ConnectionAborted
            }
            Self::LocallyClosed => io::ErrorKind::NotConnected,
            Self::TransportError(_) | Self::VersionMismatch => io::ErrorKind::Other,
        }
    }
}

impl From<ConnectionError> for io::Error {
    fn from(error: ConnectionError) -> Self {
        Self::new(error.io_kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_an_io_error_a_connection_error_keeps_its_kind_and_itself() {
        let error = io::Error::from(ConnectionError::TimedOut);
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ConnectionError>());
        assert_eq!(inner, Some(&ConnectionError::TimedOut));
    }
}
