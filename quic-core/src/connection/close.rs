//! What to say when closing (RFC 9000 §10.2).

use bytes::Bytes;

use crate::error::{ApplicationClose, ConnectionError, TransportError, TransportErrorCode};
use crate::wire::frame::{ConnectionClose, FrameType};
use crate::wire::{SpaceId, VarInt};

/// Longest reason that is sent, in bytes, so that the frame fits every packet.
const MAXIMUM_REASON: usize = 256;

/// Most bytes that are kept of the peer's reason; in text, what is no UTF-8 takes three times that.
pub(super) const MAXIMUM_KEPT_REASON: usize = 1024;

/// Why this end closes the connection.
#[derive(Clone, Debug)]
pub(super) enum CloseReason {
    Application { code: VarInt, reason: Bytes },
    Transport(TransportError),
}

impl CloseReason {
    /// The code that the application gave, if it was the application that closes.
    pub(super) fn application_code(&self) -> Option<u64> {
        match self {
            Self::Application { code, .. } => Some(code.into_inner()),
            Self::Transport(_) => None,
        }
    }

    /// The frame for a packet of `space`.
    pub(super) fn frame(&self, space: SpaceId) -> ConnectionClose<'_> {
        match self {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.3
            //# A CONNECTION_CLOSE of type 0x1d MUST be replaced by a CONNECTION_CLOSE
            //# of type 0x1c when sending the frame in Initial or Handshake packets.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.3
            //# Endpoints MUST clear the value of the Reason Phrase field and SHOULD
            //# use the APPLICATION_ERROR code when converting to a CONNECTION_CLOSE
            //# of type 0x1c.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-12.5
            //# CONNECTION_CLOSE frames signaling application errors (type 0x1d) MUST
            //# only appear in the application data packet number space.
            Self::Application { .. } if space != SpaceId::Application => ConnectionClose {
                error_code: TransportErrorCode::APPLICATION_ERROR.value(),
                frame_type: Some(FrameType::PADDING),
                reason: &[],
            },
            Self::Application { code, reason } => ConnectionClose {
                error_code: code.into_inner(),
                frame_type: None,
                reason: cut(reason),
            },
            Self::Transport(error) => ConnectionClose {
                //= https://www.rfc-editor.org/rfc/rfc9000#section-11
                //# The most appropriate error code (Section 20) SHOULD be included in the
                //# frame that signals the error.
                error_code: error.code.value(),
                frame_type: Some(FrameType(error.frame_type.unwrap_or(0))),
                //= https://www.rfc-editor.org/rfc/rfc9000#section-19.19
                //# This SHOULD be a UTF-8 encoded string [RFC3629], though the frame does
                //# not carry information, such as language tags, that would aid
                //# comprehension by any entity other than the one that created the text.
                reason: cut(error.reason.as_bytes()),
            },
        }
    }
}

fn cut(reason: &[u8]) -> &[u8] {
    reason.get(..MAXIMUM_REASON).unwrap_or(reason)
}

fn kept(reason: &[u8]) -> &[u8] {
    reason.get(..MAXIMUM_KEPT_REASON).unwrap_or(reason)
}

/// How the connection ended, as the peer's CONNECTION_CLOSE says.
pub(super) fn peer_close(frame: &ConnectionClose<'_>) -> ConnectionError {
    match frame.frame_type {
        None => ConnectionError::ApplicationClosed(ApplicationClose {
            error_code: VarInt::saturating(frame.error_code),
            reason: Bytes::copy_from_slice(kept(frame.reason)),
        }),
        Some(FrameType(cause)) => ConnectionError::ConnectionClosed(TransportError {
            code: TransportErrorCode::from_wire(frame.error_code),
            frame_type: (cause != 0).then_some(cause),
            reason: String::from_utf8_lossy(kept(frame.reason)).into_owned().into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_reason_only_the_beginning_is_kept() {
        let reason = vec![0xff; 60_000];
        for frame_type in [None, Some(FrameType::PADDING)] {
            let frame = ConnectionClose { error_code: 1, frame_type, reason: &reason };
            let error = peer_close(&frame);
            let kept = if let ConnectionError::ApplicationClosed(close) = &error {
                close.reason.len()
            } else {
                error.to_string().matches(char::REPLACEMENT_CHARACTER).count()
            };
            assert_eq!(kept, MAXIMUM_KEPT_REASON);
        }
    }
}
