//! Data that was written and is not acknowledged yet.
use bytes::Bytes;
use std::ops::Range;
#[derive(Debug, Default)]
pub(crate) struct SendBuffer {}
impl SendBuffer {
    /// Appends a copy of `data`.
    pub(crate) fn write(&mut self, _data: &[u8]) {
        loop {}
    }
    /// Appends `chunk` without copying it.
    pub(crate) fn write_chunk(&mut self, _chunk: Bytes) {
        loop {}
    }
    /// Takes the next range to send, of at most `max` bytes: lost data first.
    pub(crate) fn poll_transmit(&mut self, _max: usize) -> Option<Range<u64>> {
        loop {}
    }
    /// What `poll_transmit` would take, without taking it.
    pub(crate) fn peek_transmit(&self, _max: usize) -> Option<Range<u64>> {
        loop {}
    }
    /// Whether there is anything to send.
    pub(crate) fn has_pending(&self) -> bool {
        loop {}
    }
    /// Fills `out` with the data from `offset`; false if not all of it is here any more.
    pub(crate) fn copy_to(&self, _offset: u64, _out: &mut [u8]) -> bool {
        loop {}
    }
    /// Returns how many bytes were freed.
    pub(crate) fn on_acked(&mut self, _range: Range<u64>) -> u64 {
        loop {}
    }
    pub(crate) fn on_lost(&mut self, _range: Range<u64>) {
        loop {}
    }
    pub(crate) fn is_fully_acked(&self) -> bool {
        loop {}
    }
    /// Bytes kept: written and not acknowledged from the front on.
    pub(crate) fn unacked_bytes(&self) -> u64 {
        loop {}
    }
    /// The offset behind the last byte written.
    pub(crate) fn end(&self) -> u64 {
        loop {}
    }
    /// The offset behind the last byte sent at least once.
    pub(crate) fn sent(&self) -> u64 {
        loop {}
    }
    /// Heap in bytes.
    pub(crate) fn allocated_bytes(&self) -> usize {
        loop {}
    }
    /// Forgets all data (reset).
    pub(crate) fn clear(&mut self) {
        loop {}
    }
}
