//! NEW_TOKEN (RFC 9000 §19.7).

use super::{FrameType, Malformed};
use crate::wire::{Full, Reader, Writer};

/// A token for the client's next connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NewToken<'a>(pub &'a [u8]);

impl<'a> NewToken<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let token = reader.prefixed_bytes()?;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.7
        //# The token MUST NOT be empty.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.7
        //# A client MUST treat receipt of a NEW_TOKEN frame with an empty Token
        //# field as a connection error of type FRAME_ENCODING_ERROR.
        if token.is_empty() {
            return Err(Malformed("token is empty"));
        }
        Ok(Self(token))
    }

    /// Writes the frame.
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.varint(FrameType::NEW_TOKEN.0)?;
        writer.prefixed_bytes(self.0)
    }
}
