//! CRYPTO (RFC 9000 §19.6).

#[cfg(any(test, feature = "fuzzing", feature = "wire"))]
use super::FrameType;
use super::Malformed;
#[cfg(any(test, feature = "fuzzing", feature = "wire"))]
use crate::wire::{Full, Writer};
use crate::wire::{Reader, VarInt};

/// Handshake bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Crypto<'a> {
    /// Where the data starts in the handshake bytes of its packet number space.
    pub offset: u64,
    /// The bytes; they end below 2^62.
    pub data: &'a [u8],
}

impl<'a> Crypto<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let offset = reader.varint()?;
        let data = reader.prefixed_bytes()?;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.6
        //# Receipt of a frame that exceeds this limit MUST be treated as a
        //# connection error of type FRAME_ENCODING_ERROR or CRYPTO_BUFFER_EXCEEDED.
        if offset + data.len() as u64 > VarInt::MAX.into_inner() {
            return Err(Malformed("CRYPTO data ends at 2^62 or beyond"));
        }
        Ok(Self { offset, data })
    }

    /// Writes the frame.
    #[cfg(any(test, feature = "fuzzing", feature = "wire"))]
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.varint(FrameType::CRYPTO.0)?;
        writer.varint(self.offset)?;
        writer.prefixed_bytes(self.data)
    }
}
