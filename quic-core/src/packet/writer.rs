//! Frames in, whole or not at all.

use std::collections::VecDeque;

use super::SentFrame;
use crate::wire::{Full, Writer};

/// The payload of one packet under construction.
///
/// Components write their frames here; what they wrote is remembered for the day when the packet
/// is acknowledged or lost. [`Full`] ends the packet: nothing of the frame that did not fit stays.
#[derive(Debug)]
pub(crate) struct PacketWriter<'a> {
    writer: Writer<'a>,
    /// The ring of the packet number space; this packet's frames are the last `count` of it.
    frames: &'a mut VecDeque<SentFrame>,
    count: u16,
    ack_eliciting: bool,
}

impl<'a> PacketWriter<'a> {
    pub(crate) fn new(payload: &'a mut [u8], frames: &'a mut VecDeque<SentFrame>) -> Self {
        Self { writer: Writer::new(payload), frames, count: 0, ack_eliciting: false }
    }

    /// Writes a frame and remembers it as `sent`; on [`Full`], leaves no trace.
    pub(crate) fn write(
        &mut self,
        sent: SentFrame,
        encode: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>,
    ) -> Result<(), Full> {
        let start = self.writer.length();
        let written = encode(&mut self.writer);
        if written.is_err() {
            self.writer.rewind(start);
            return written;
        }
        if self.frames.capacity() == 0 {
            // One packet may be all that there ever is in a space of the handshake.
            self.frames.reserve_exact(2);
        }
        self.frames.push_back(sent);
        self.count = self.count.saturating_add(1);
        self.ack_eliciting |= sent.is_ack_eliciting();
        Ok(())
    }

    /// Bytes of payload written so far.
    pub(crate) fn length(&self) -> usize {
        self.writer.length()
    }

    /// Bytes of payload that still fit.
    pub(crate) fn remaining(&self) -> usize {
        self.writer.remaining()
    }

    pub(crate) fn is_ack_eliciting(&self) -> bool {
        self.ack_eliciting
    }

    /// How many frames were remembered.
    pub(crate) fn frame_count(&self) -> u16 {
        self.count
    }
}
