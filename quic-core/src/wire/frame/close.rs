//! CONNECTION_CLOSE of both kinds (RFC 9000 §19.19).

use super::{FrameType, Malformed};
use crate::wire::{Full, Reader, Writer, varint_length};

/// Ends the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ConnectionClose<'a> {
    pub(crate) error_code: u64,
    /// The frame that caused a transport error (0 if unknown); `None`: the application closed.
    pub(crate) frame_type: Option<FrameType>,
    /// For people; any bytes.
    pub(crate) reason: &'a [u8],
}

impl<'a> ConnectionClose<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>, ty: FrameType) -> Result<Self, Malformed> {
        let error_code = reader.varint()?;
        let frame_type = match ty {
            FrameType::CONNECTION_CLOSE => Some(FrameType(reader.varint()?)),
            _ => None,
        };
        Ok(Self { error_code, frame_type, reason: reader.prefixed_bytes()? })
    }

    pub(crate) fn frame_type(&self) -> FrameType {
        match self.frame_type {
            Some(_) => FrameType::CONNECTION_CLOSE,
            None => FrameType::APPLICATION_CLOSE,
        }
    }

    /// Writes the frame, with as much of the reason as fits.
    pub(crate) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.varint(self.frame_type().0)?;
        writer.varint(self.error_code)?;
        if let Some(FrameType(cause)) = self.frame_type {
            writer.varint(cause)?;
        }
        let room = writer.remaining().checked_sub(varint_length(self.reason.len() as u64));
        let reason = self.reason.get(..room.ok_or(Full)?).unwrap_or(self.reason);
        writer.prefixed_bytes(reason)
    }
}
