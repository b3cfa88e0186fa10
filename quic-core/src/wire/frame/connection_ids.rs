//! NEW_CONNECTION_ID and RETIRE_CONNECTION_ID (RFC 9000 §19.15, §19.16).

use super::{FrameType, Malformed};
use crate::wire::{ConnectionId, Full, Reader, StatelessResetToken, Writer};

/// Gives the receiver another connection ID to use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NewConnectionId {
    /// Which of the sender's connection IDs it is.
    pub sequence: u64,
    /// All with a sequence number below it are to be retired; at most `sequence`.
    pub retire_prior_to: u64,
    /// 1 to 20 bytes.
    pub id: ConnectionId,
    /// For stateless resets of this ID (RFC 9000 §10.3).
    pub reset_token: StatelessResetToken,
}

impl NewConnectionId {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let sequence = reader.varint()?;
        let retire_prior_to = reader.varint()?;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
        //# Receiving a value in the Retire Prior To field that is greater than that
        //# in the Sequence Number field MUST be treated as a connection error of
        //# type FRAME_ENCODING_ERROR.
        if retire_prior_to > sequence {
            return Err(Malformed("Retire Prior To is above Sequence Number"));
        }
        let length = usize::from(reader.u8()?);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
        //# Values less than 1 and greater than 20 are invalid and MUST be treated
        //# as a connection error of type FRAME_ENCODING_ERROR.
        if length == 0 {
            return Err(Malformed("connection ID is empty"));
        }
        if length > ConnectionId::MAXIMUM_LENGTH {
            return Err(Malformed("connection ID is longer than 20 bytes"));
        }
        let id = ConnectionId::new(reader.bytes(length)?).unwrap_or(ConnectionId::EMPTY);
        let reset_token = StatelessResetToken::new(reader.array()?);
        Ok(Self { sequence, retire_prior_to, id, reset_token })
    }

    /// Writes the frame.
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.varint(FrameType::NEW_CONNECTION_ID.0)?;
        writer.varint(self.sequence)?;
        writer.varint(self.retire_prior_to)?;
        // At most 20, so this is one byte, the frame's own format.
        writer.prefixed_bytes(self.id.as_slice())?;
        writer.bytes(self.reset_token.as_bytes())
    }
}

/// Gives a connection ID of the receiver's back to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RetireConnectionId {
    /// Which of the sender's connection IDs it is.
    pub sequence: u64,
}

impl RetireConnectionId {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { sequence: reader.varint()? })
    }

    /// Writes the frame.
    pub fn encode(self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.varint(FrameType::RETIRE_CONNECTION_ID.0)?;
        writer.varint(self.sequence)
    }
}
