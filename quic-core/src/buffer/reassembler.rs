//! Puts received data in order.
use bytes::Bytes;
/// Largest block, in bytes.
pub(crate) const MAX_BLOCK: usize = 64 << 10;
#[derive(Debug, Default)]
pub(crate) struct Reassembler {}
/// The data has more gaps than are kept track of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TooManyGaps;
impl Reassembler {
    /// Copies `data`, received at `offset`, to its place, in blocks of at most `max_block` bytes
    /// (at most [`MAX_BLOCK`]).
    pub(crate) fn insert(
        &mut self,
        _offset: u64,
        _data: &[u8],
        _max_block: usize,
    ) -> Result<(), TooManyGaps> {
        loop {}
    }
    pub(crate) fn read(&mut self, _out: &mut [u8]) -> usize {
        loop {}
    }
    pub(crate) fn read_chunk(&mut self, _max: usize) -> Option<Bytes> {
        loop {}
    }
    /// Offset of the next byte to read.
    pub(crate) fn read_offset(&self) -> u64 {
        loop {}
    }
    /// Offset behind the last byte that can be read.
    pub(crate) fn ready_offset(&self) -> u64 {
        loop {}
    }
    pub(crate) fn has_readable(&self) -> bool {
        loop {}
    }
    /// Heap in bytes.
    pub(crate) fn allocated_bytes(&self) -> usize {
        loop {}
    }
    /// Drops all data.
    pub(crate) fn clear(&mut self) {
        loop {}
    }
}
