use bytes::Bytes;
use driver::{ApplicationClose, ConnectionError, ReadError, VarInt, WriteError};
use h3::error::Code;
use h3::quic::{ConnectionErrorIncoming, StreamErrorIncoming};

use super::{code, connection_error, read_error, write_error};

/// A code that no table of HTTP/3 has.
const STRANGE: u32 = 0x2345_6789;

fn closed() -> ConnectionError {
    let error_code = VarInt::from_u32(STRANGE);
    ConnectionError::ApplicationClosed(ApplicationClose { error_code, reason: Bytes::new() })
}

#[test]
fn codes_of_the_peer_come_through_as_they_are() {
    let strange = u64::from(STRANGE);
    let closed_with = |error: &ConnectionErrorIncoming| match error {
        ConnectionErrorIncoming::ApplicationClose { error_code } => Some(*error_code),
        ConnectionErrorIncoming::Timeout
        | ConnectionErrorIncoming::InternalError(_)
        | ConnectionErrorIncoming::Undefined(_) => None,
    };
    assert_eq!(closed_with(&connection_error(closed())), Some(strange));
    let terminated_with = |error: StreamErrorIncoming| match error {
        StreamErrorIncoming::StreamTerminated { error_code } => Some(error_code),
        StreamErrorIncoming::ConnectionErrorIncoming { connection_error } => {
            closed_with(&connection_error)
        }
        StreamErrorIncoming::Unknown(_) => None,
    };
    for error in [ReadError::Reset(VarInt::from_u32(STRANGE)), closed().into()] {
        assert_eq!(terminated_with(read_error(error)), Some(strange));
    }
    for error in [WriteError::Stopped(VarInt::from_u32(STRANGE)), closed().into()] {
        assert_eq!(terminated_with(write_error(error)), Some(strange));
    }
    assert_eq!(terminated_with(read_error(ReadError::ClosedStream)), None);
    assert_eq!(terminated_with(write_error(WriteError::EarlyDataRejected)), None);
}

#[test]
fn only_silence_is_a_timeout() {
    for silence in [ConnectionError::TimedOut, ConnectionError::HandshakeTimedOut] {
        assert!(matches!(connection_error(silence), ConnectionErrorIncoming::Timeout));
    }
    for other in [ConnectionError::Reset, ConnectionError::LocallyClosed] {
        assert!(matches!(connection_error(other), ConnectionErrorIncoming::Undefined(_)));
    }
}

#[test]
fn a_code_that_no_frame_can_carry_becomes_the_largest() {
    assert_eq!(code(Code::H3_NO_ERROR.value()).into_inner(), 0x100);
    assert_eq!(code(u64::MAX), VarInt::MAX);
}
