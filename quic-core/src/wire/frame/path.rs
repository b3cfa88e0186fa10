//! PATH_CHALLENGE and PATH_RESPONSE (RFC 9000 §19.17, §19.18).

use super::{FrameType, Malformed};
use crate::wire::{Full, Reader, Writer};

/// Asks the peer to echo unpredictable bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PathChallenge(pub [u8; 8]);

impl PathChallenge {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self(reader.array()?))
    }

    /// Writes the frame.
    pub fn encode(self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.varint(FrameType::PATH_CHALLENGE.0)?;
        writer.bytes(&self.0)
    }
}

/// Echoes the bytes of a PATH_CHALLENGE.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PathResponse(pub [u8; 8]);

impl PathResponse {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self(reader.array()?))
    }

    /// Writes the frame.
    pub fn encode(self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.varint(FrameType::PATH_RESPONSE.0)?;
        writer.bytes(&self.0)
    }
}
