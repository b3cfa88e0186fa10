//! CONNECTION_CLOSE of both kinds (RFC 9000 §19.19).

use super::{FrameType, Malformed};
use crate::wire::{Full, Reader, Writer, varint_length};

/// Ends the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConnectionClose<'a> {
    /// A transport error code (RFC 9000 §20.1), or one of the application.
    pub error_code: u64,
    /// The frame that caused a transport error (0 if unknown); `None`: the application closed.
    pub frame_type: Option<FrameType>,
    /// For people; any bytes.
    pub reason: &'a [u8],
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

    /// The type that tells the two kinds apart.
    pub fn frame_type(&self) -> FrameType {
        match self.frame_type {
            Some(_) => FrameType::CONNECTION_CLOSE,
            None => FrameType::APPLICATION_CLOSE,
        }
    }

    /// Writes the frame, with as much of the reason as fits.
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
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
