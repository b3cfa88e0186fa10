//! DATAGRAM (RFC 9221 §4).

use super::{FrameType, Malformed};
use crate::wire::{Full, Reader, Writer};

/// Application data that is sent once.
#[derive(Clone, Copy, Debug, Eq)]
pub struct Datagram<'a> {
    /// All of the datagram.
    pub data: &'a [u8],
    /// Bytes that the Length field takes; 0 if there is none, and the data reaches the packet's
    /// end.
    pub length_bytes: usize,
}

/// How its length was written is no part of what it says.
impl PartialEq for Datagram<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

impl<'a> Datagram<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>, ty: FrameType) -> Result<Self, Malformed> {
        if ty == FrameType::DATAGRAM {
            return Ok(Self { data: reader.bytes(reader.remaining())?, length_bytes: 0 });
        }
        let before = reader.remaining();
        let data = reader.prefixed_bytes()?;
        let length_bytes = before.saturating_sub(reader.remaining()).saturating_sub(data.len());
        Ok(Self { data, length_bytes })
    }

    /// Whether the frame has a length.
    pub fn frame_type(&self) -> FrameType {
        if self.length_bytes == 0 { FrameType::DATAGRAM } else { FrameType::DATAGRAM_WITH_LENGTH }
    }

    /// Bytes of the whole frame, as it travelled.
    pub fn size(&self) -> u64 {
        1 + self.length_bytes as u64 + self.data.len() as u64
    }
}

/// Writes a DATAGRAM frame; without `with_length`, it has to be the last of its packet.
pub fn write_datagram(writer: &mut Writer<'_>, data: &[u8], with_length: bool) -> Result<(), Full> {
    if with_length {
        writer.varint(FrameType::DATAGRAM_WITH_LENGTH.0)?;
        writer.varint(data.len() as u64)?;
    } else {
        writer.varint(FrameType::DATAGRAM.0)?;
    }
    writer.bytes(data)
}
