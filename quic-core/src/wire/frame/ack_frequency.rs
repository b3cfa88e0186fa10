//! ACK_FREQUENCY (draft-ietf-quic-ack-frequency §4).

use super::{FrameType, Malformed};
use crate::wire::{Full, Reader, Writer};

/// Asks the receiver to acknowledge differently.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AckFrequency {
    /// Frames with a number below that of an earlier one say nothing.
    pub sequence: u64,
    /// Ack-eliciting packets that may come without an acknowledgment.
    pub threshold: u64,
    /// In microseconds.
    pub max_ack_delay: u64,
    /// Reordering before an immediate acknowledgment, in packets; 0: none for reordering.
    pub reordering_threshold: u64,
}

impl AckFrequency {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            sequence: reader.varint()?,
            threshold: reader.varint()?,
            max_ack_delay: reader.varint()?,
            reordering_threshold: reader.varint()?,
        })
    }

    /// Writes the frame.
    pub fn encode(self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.varint(FrameType::ACK_FREQUENCY.0)?;
        writer.varint(self.sequence)?;
        writer.varint(self.threshold)?;
        writer.varint(self.max_ack_delay)?;
        writer.varint(self.reordering_threshold)
    }
}
