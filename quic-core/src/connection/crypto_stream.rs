//! The CRYPTO frames of one packet number space (RFC 9000 §7.5, §19.6).

use crate::buffer::{BlockPool, Reassembler, SendBuffer};
use crate::error::TransportError;
use crate::memory;
use crate::packet::{PacketWriter, SentFrame};
use crate::wire::frame::{Crypto, FrameType};
use crate::wire::{Full, varint_length};

/// Most bytes in one CRYPTO frame: their length takes two bytes.
const MAXIMUM_IN_A_FRAME: usize = 0x3fff;
/// Length of the blocks that CRYPTO data is put together in, in bytes.
const CRYPTO_BLOCK: usize = 4096;

/// Handshake bytes both ways.
#[derive(Debug, Default)]
pub(super) struct CryptoStream {
    pub(super) send: SendBuffer,
    received: Received,
}

/// Handshake bytes from the peer.
#[derive(Debug, Default)]
struct Received {
    /// Everything below was read.
    offset: u64,
    /// There while something waits for what comes before it.
    early: Option<Box<Reassembler>>,
}

impl CryptoStream {
    /// Takes bytes from the peer and gives `read` what is in order.
    ///
    /// # Errors
    /// CRYPTO_BUFFER_EXCEEDED if the frame ends more than `bound` bytes ahead, or leaves too many
    /// gaps; what `read` returns.
    pub(super) fn handle_crypto(
        &mut self,
        frame: Crypto<'_>,
        bound: u64,
        mut read: impl FnMut(&[u8]) -> Result<(), TransportError>,
    ) -> Result<(), TransportError> {
        let received = &mut self.received;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-7.5
        //# If an endpoint does not expand its buffer, it MUST close
        //# the connection with a CRYPTO_BUFFER_EXCEEDED error code.
        if end_of(&frame).saturating_sub(received.offset) > bound {
            return Err(TransportError::crypto_buffer_exceeded("too much CRYPTO data ahead"));
        }
        if received.early.is_none() && frame.offset <= received.offset {
            return received.read_in_order(&frame, &mut read);
        }
        received.read_through_reassembler(&frame, &mut read)
    }

    /// Heap in use at the most, in bytes, without what this end has to say; see
    /// [`handle_crypto`](Self::handle_crypto) for `bound`.
    pub(super) fn worst_case_bytes(bound: u64) -> u64 {
        memory::sum([
            memory::boxes::<Self>(1),
            memory::boxes::<Reassembler>(1),
            Reassembler::worst_case_bytes(1, bound, bound, CRYPTO_BLOCK as u64),
        ])
    }

    /// Whether data waits above a gap.
    pub(super) fn has_early(&self) -> bool {
        self.received.early.is_some()
    }

    pub(super) fn write_frames(&mut self, packet: &mut PacketWriter<'_>) -> Result<(), Full> {
        while let Some(next) = self.send.peek_transmit(usize::MAX) {
            // Type, offset and a length of up to two bytes come first.
            let overhead = 1 + varint_length(next.start) + 2;
            let room = packet.remaining().checked_sub(overhead).filter(|room| *room > 0);
            let room = room.ok_or(Full)?.min(MAXIMUM_IN_A_FRAME);
            let Some(range) = self.send.poll_transmit(room) else { return Ok(()) };
            let offset = range.start;
            let length = u16::try_from(range.end.saturating_sub(offset)).unwrap_or(u16::MAX);
            let send = &self.send;
            packet.write(SentFrame::Crypto { offset, length }, |writer| {
                writer.varint(FrameType::CRYPTO.0)?;
                writer.varint(offset)?;
                writer.varint(length.into())?;
                send.copy_to(offset, writer.reserve(length.into())?);
                Ok(())
            })?;
        }
        Ok(())
    }
}

impl Received {
    fn read_in_order(
        &mut self,
        frame: &Crypto<'_>,
        read: &mut impl FnMut(&[u8]) -> Result<(), TransportError>,
    ) -> Result<(), TransportError> {
        let known = usize::try_from(self.offset.saturating_sub(frame.offset));
        let new = frame.data.get(known.unwrap_or(usize::MAX)..).unwrap_or_default();
        self.offset = self.offset.saturating_add(new.len() as u64);
        if new.is_empty() { Ok(()) } else { read(new) }
    }

    fn read_through_reassembler(
        &mut self,
        frame: &Crypto<'_>,
        read: &mut impl FnMut(&[u8]) -> Result<(), TransportError>,
    ) -> Result<(), TransportError> {
        let offset = self.offset;
        let early = self.early.get_or_insert_with(|| Box::new(Reassembler::starting_at(offset)));
        // Handshakes are short: nothing is kept for the next.
        let mut pool = BlockPool::default();
        early
            .insert(frame.offset, frame.data, CRYPTO_BLOCK, &mut pool)
            .map_err(|_| TransportError::crypto_buffer_exceeded("too many gaps in CRYPTO data"))?;
        while let Some(chunk) = early.read_chunk(usize::MAX, &mut pool) {
            self.offset = self.offset.saturating_add(chunk.len() as u64);
            read(&chunk)?;
        }
        if early.is_drained() {
            self.early = None;
        }
        Ok(())
    }
}

/// Offset behind the last byte of a frame.
pub(super) fn end_of(frame: &Crypto<'_>) -> u64 {
    frame.offset.saturating_add(frame.data.len() as u64)
}

#[cfg(test)]
mod tests;
