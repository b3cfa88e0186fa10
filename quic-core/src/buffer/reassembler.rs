//! Puts received data in order.

use std::collections::VecDeque;
use std::mem;

use bytes::{Buf as _, Bytes, BytesMut};

use super::block_pool::{BlockPool, MAX_BLOCK};
use crate::memory;
use crate::wire::RangeSet;

/// Smallest block, in bytes.
const MIN_BLOCK: usize = 32;
/// Smallest block of a stream that filled one before, in bytes.
const MIN_BULK_BLOCK: usize = 2 << 10;
/// Largest block that a stream keeps when everything was read, in bytes.
const MAX_KEPT_BLOCK: usize = 4 << 10;
/// Further blocks that a stream keeps room to list when everything was read.
const MAX_KEPT_ENTRIES: usize = 4;
/// How many times more blocks than there are the list of blocks keeps room for.
const MAX_SPARE_ENTRIES: usize = 4;
/// Gaps in the received data, per stream, however little of it there is.
const MAX_GAPS: usize = 1024;
/// One more gap is permitted for so many bytes between what was read and what was received last.
/// Full packets of which half are lost, at random, leave fewer; and so much memory was granted
/// that 16 more bytes are little.
pub(crate) const BYTES_PER_GAP: u64 = 4096;
/// Gaps, however much was granted.
const MOST_GAPS: usize = 32_768;

/// Puts received data in order. Data is copied once, into blocks, and handed out from there.
///
/// Blocks stand for ranges of the stream that do not overlap, so that memory is bounded by what
/// flow control granted, however the data is cut up: it is never kept piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Reassembler {
    /// All blocks but the first, ascending.
    blocks: VecDeque<Block>,
    first: Option<Block>,
    /// Everything below was read.
    read: u64,
    /// Everything below was received.
    ready: u64,
    /// Received above a gap. Empty, or no data, is the rule.
    early: Option<Box<RangeSet>>,
    /// Size of the next block of in-order data; 0 until a block was filled.
    block_size: u32,
    /// Bytes in blocks.
    held: usize,
}

#[derive(Debug)]
struct Block {
    /// Offset of the first byte of `bytes`.
    start: u64,
    /// Where the next block may begin.
    limit: u64,
    /// Up to the highest byte received; gaps are zero.
    bytes: BytesMut,
    /// Size of the allocation, parts that were read included.
    allocated: u32,
}

/// The data has more gaps than are kept track of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TooManyGaps;

impl Block {
    /// A block in `bytes`, which is empty, that stands for at most `size` bytes.
    fn new(start: u64, size: usize, bytes: BytesMut) -> Self {
        let allocated = u32::try_from(bytes.capacity()).unwrap_or(u32::MAX);
        Self { start, limit: start.saturating_add(size as u64), bytes, allocated }
    }

    /// Bytes that can still be appended.
    fn spare(&self) -> usize {
        let room = usize::try_from(self.limit - self.start).unwrap_or(usize::MAX);
        room.saturating_sub(self.bytes.len())
    }

    /// Offset behind the last byte.
    fn end(&self) -> u64 {
        self.start.saturating_add(self.bytes.len() as u64)
    }

    /// Puts what fits of `data` at `offset`, which is in this block; returns how much that was.
    fn put(&mut self, offset: u64, data: &[u8]) -> usize {
        let room = usize::try_from(self.limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        let data = data.get(..room.min(data.len())).unwrap_or_default();
        let at = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        if self.bytes.len() < at {
            self.bytes.resize(at, 0);
        }
        let known = (self.bytes.len() - at).min(data.len());
        let (over, new) = data.split_at(known);
        if let Some(target) = self.bytes.get_mut(at..at + known) {
            target.copy_from_slice(over);
        }
        self.bytes.extend_from_slice(new);
        data.len()
    }
}

impl Reassembler {
    /// For a stream of which everything below `offset` was received and read.
    pub(crate) fn starting_at(offset: u64) -> Self {
        Self { read: offset, ready: offset, ..Self::default() }
    }

    /// Copies `data`, received at `offset`, to its place, in blocks of at most `max_block` bytes,
    /// from `pool` if it has one.
    ///
    /// # Errors
    /// [`TooManyGaps`], after which the stream is of no use.
    pub(crate) fn insert(
        &mut self,
        offset: u64,
        data: &[u8],
        max_block: usize,
        pool: &mut BlockPool,
    ) -> Result<(), TooManyGaps> {
        let known = usize::try_from(self.ready.saturating_sub(offset)).unwrap_or(usize::MAX);
        let Some(data) = data.get(known..).filter(|data| !data.is_empty()) else {
            return Ok(());
        };
        let offset = offset.max(self.ready);
        let max_block = max_block.clamp(MIN_BLOCK, MAX_BLOCK);
        if offset == self.ready && self.early.is_none() {
            self.append(data, max_block, pool);
            return Ok(());
        }
        self.insert_early(offset, data, max_block)
    }

    /// Copies the next bytes into `out`; returns how many. Blocks that are used up go to `pool`.
    pub(crate) fn read(&mut self, out: &mut [u8], pool: &mut BlockPool) -> usize {
        let mut copied = 0;
        while let Some(rest) = out.get_mut(copied..).filter(|rest| !rest.is_empty()) {
            let length = self.readable_in_first().min(rest.len());
            let Some(block) = self.first.as_mut().filter(|_| length > 0) else { break };
            if let (Some(to), Some(from)) = (rest.get_mut(..length), block.bytes.get(..length)) {
                to.copy_from_slice(from);
            }
            block.bytes.advance(length);
            self.on_read(length, pool);
            copied += length;
        }
        copied
    }

    /// Takes the next bytes, at most `max`, without copying them; `None` if there are none now.
    /// Blocks that are used up go to `pool`.
    pub(crate) fn read_chunk(&mut self, max: usize, pool: &mut BlockPool) -> Option<Bytes> {
        let length = self.readable_in_first().min(max);
        let block = self.first.as_mut().filter(|_| length > 0)?;
        let is_all = length == block.bytes.len() && block.spare() == 0;
        // The whole of a small block goes with its memory, so that nothing has to share it.
        let bytes = if is_all && block.allocated as usize <= MAX_KEPT_BLOCK {
            mem::take(&mut block.bytes)
        } else {
            block.bytes.split_to(length)
        };
        self.on_read(length, pool);
        Some(bytes.freeze())
    }

    /// Offset of the next byte to read.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn read_offset(&self) -> u64 {
        self.read
    }

    /// Offset behind the last byte that can be read now.
    pub(crate) fn ready_offset(&self) -> u64 {
        self.ready
    }

    pub(crate) fn has_readable(&self) -> bool {
        self.read < self.ready
    }

    /// Whether everything that was received was read, and nothing waits above a gap.
    pub(crate) fn is_drained(&self) -> bool {
        self.read == self.ready && self.early.is_none()
    }

    /// Heap in use, in bytes.
    pub(crate) fn allocated_bytes(&self) -> usize {
        let early = self.early.as_ref();
        let early = early.map_or(0, |early| early.heap_bytes() + size_of::<RangeSet>());
        self.held + self.blocks.capacity() * size_of::<Block>() + early
    }

    /// Heap of so many reassemblers at the most, in bytes, that have `gaps` gaps together: `window`
    /// is what the peer may send that is not read, and blocks are of at most `block` bytes but for
    /// the first half of the window.
    ///
    /// Blocks that are full, or wait for what is between, take as much as the window that they stand
    /// for, and the lists of blocks less than an eighth of that; the blocks made before they became
    /// small take half of it. Beyond that, each stream may have one block of which nearly all was
    /// read, one in which there is nearly nothing, and one that begins below its highest byte.
    pub(crate) fn worst_case_bytes(streams: u64, gaps: u64, window: u64, block: u64) -> u64 {
        let list = MAX_KEPT_ENTRIES * MAX_SPARE_ENTRIES * size_of::<Block>();
        // One more than there may be, with which the stream is of no use.
        let of_stream = (window / BYTES_PER_GAP).clamp(MAX_GAPS as u64, MOST_GAPS as u64) + 1;
        let of_streams = streams.saturating_mul(of_stream);
        let gaps = gaps.min(window / 2 + 1).min(of_streams);
        let of_stream =
            block.saturating_mul(3).saturating_add((list + size_of::<RangeSet>()) as u64);
        memory::sum([
            window.saturating_mul(2),
            streams.saturating_mul(of_stream),
            RangeSet::worst_case_bytes(streams, gaps),
        ])
    }

    /// Gaps in the received data; what was received above each is kept track of by itself.
    #[inline]
    //= https://www.rfc-editor.org/rfc/rfc9000#section-21.7
    //# QUIC deployments SHOULD provide mitigations for stream fragmentation
    //# attacks.
    pub(crate) fn gaps(&self) -> u16 {
        let gaps = self.early.as_ref().map_or(0, |early| early.len());
        // At most one more than `MOST_GAPS`.
        u16::try_from(gaps).unwrap_or(u16::MAX)
    }

    /// Drops all data.
    pub(crate) fn clear(&mut self) {
        *self = Self { read: self.ready, ready: self.ready, ..Self::default() };
    }

    /// In-order data with nothing above it: the last block ends where the data begins.
    fn append(&mut self, data: &[u8], max_block: usize, pool: &mut BlockPool) {
        let mut rest = data;
        if let Some(last) = self.blocks.back_mut().or(self.first.as_mut()) {
            let (now, later) = rest.split_at(last.spare().min(rest.len()));
            last.bytes.extend_from_slice(now);
            self.ready = self.ready.saturating_add(now.len() as u64);
            rest = later;
            if !rest.is_empty() {
                let size = (last.allocated as usize * 2).clamp(MIN_BULK_BLOCK, MAX_BLOCK);
                self.block_size = self.block_size.max(u32::try_from(size).unwrap_or(u32::MAX));
            }
        }
        while !rest.is_empty() {
            let wanted = rest.len().next_power_of_two().max(MIN_BLOCK).min(max_block);
            let size = wanted.max((self.block_size as usize).min(max_block));
            let bytes = pool.take(size, max_block);
            let mut block = Block::new(self.ready, size.max(bytes.capacity()), bytes);
            let (now, later) = rest.split_at(size.min(rest.len()));
            block.bytes.extend_from_slice(now);
            self.ready = self.ready.saturating_add(now.len() as u64);
            self.push_last(block);
            rest = later;
        }
    }

    fn insert_early(
        &mut self,
        offset: u64,
        data: &[u8],
        max_block: usize,
    ) -> Result<(), TooManyGaps> {
        let end = offset.saturating_add(data.len() as u64);
        let early = self.early.get_or_insert_default();
        early.insert(offset..end);
        if early.len() > MAX_GAPS {
            let reach = early.last_end().saturating_sub(self.read) / BYTES_PER_GAP;
            if early.len() > usize::try_from(reach).unwrap_or(MOST_GAPS).min(MOST_GAPS) {
                return Err(TooManyGaps);
            }
        }
        self.put(offset, data, max_block);
        let Some(early) = &mut self.early else { return Ok(()) };
        if early.first().is_some_and(|first| first.start == self.ready) {
            self.ready = early.pop_first().map_or(self.ready, |first| first.end);
        }
        early.shrink();
        if early.is_empty() {
            self.early = None;
        }
        Ok(())
    }

    /// Copies `data` into the blocks it belongs to, adding blocks where there are none.
    fn put(&mut self, mut offset: u64, mut data: &[u8], max_block: usize) {
        while !data.is_empty() {
            // Position among all blocks, of which `first` is number 0.
            let at = match &self.first {
                Some(first) if first.limit <= offset => {
                    1 + self.blocks.partition_point(|block| block.limit <= offset)
                }
                _ => 0,
            };
            if self.block_mut(at).is_none_or(|block| block.start > offset) {
                let block = self.block_for(at, offset, data.len(), max_block);
                self.insert_block(at, block);
            }
            let Some(block) = self.block_mut(at) else { return };
            let copied = block.put(offset, data);
            offset = offset.saturating_add(copied as u64);
            data = data.get(copied..).unwrap_or_default();
        }
    }

    /// A block that covers `offset`, between the blocks number `at - 1` and `at`.
    ///
    /// Its size follows how far the data reaches, so that the blocks of a stream never take more
    /// than about twice the window that was used up; its beginning is aligned, so that data
    /// that comes backwards byte by byte fills blocks as well.
    fn block_for(&mut self, at: usize, offset: u64, length: usize, max_block: usize) -> Block {
        let reach = usize::try_from(offset - self.read).unwrap_or(MAX_BLOCK).saturating_add(length);
        let size = reach.min(MAX_BLOCK).next_power_of_two().clamp(MIN_BLOCK, max_block) as u64;
        let floor = match at.checked_sub(1).and_then(|before| self.block_mut(before)) {
            Some(before) => before.limit,
            None => self.ready,
        };
        let start = floor.max(offset - offset % size);
        let mut limit = start.saturating_add(size);
        if let Some(next) = self.block_mut(at) {
            limit = limit.min(next.start);
        }
        let size = usize::try_from(limit - start).unwrap_or(MAX_BLOCK);
        Block::new(start, size, BytesMut::with_capacity(size))
    }

    fn block_mut(&mut self, at: usize) -> Option<&mut Block> {
        match at.checked_sub(1) {
            None => self.first.as_mut(),
            Some(at) => self.blocks.get_mut(at),
        }
    }

    fn insert_block(&mut self, at: usize, block: Block) {
        self.held += block.allocated as usize;
        match at.checked_sub(1) {
            None => {
                if let Some(second) = self.first.replace(block) {
                    self.blocks.push_front(second);
                }
            }
            Some(at) => self.blocks.insert(at.min(self.blocks.len()), block),
        }
    }

    fn push_last(&mut self, block: Block) {
        self.held += block.allocated as usize;
        if self.first.is_none() {
            self.first = Some(block);
        } else {
            self.blocks.push_back(block);
        }
    }

    /// Bytes at the beginning of the first block that can be read.
    fn readable_in_first(&self) -> usize {
        let Some(first) = &self.first else { return 0 };
        let end = first.end().min(self.ready);
        usize::try_from(end.saturating_sub(self.read)).unwrap_or(usize::MAX)
    }

    /// The first `length` bytes of the first block are gone.
    fn on_read(&mut self, length: usize, pool: &mut BlockPool) {
        self.read = self.read.saturating_add(length as u64);
        let drained = self.is_drained();
        let Some(first) = &mut self.first else { return };
        first.start = self.read;
        if first.start >= first.limit || drained {
            self.retire_first(drained, pool);
        }
    }

    /// The first block is used up, or nothing is left to read: keeps it if it is small and can be
    /// filled again, gives it to `pool` otherwise.
    fn retire_first(&mut self, drained: bool, pool: &mut BlockPool) {
        let Some(mut first) = self.first.take() else { return };
        let allocated = first.allocated as usize;
        self.held = self.held.saturating_sub(allocated);
        if !drained {
            self.first = self.blocks.pop_front();
            let enough = self.blocks.len().max(MAX_KEPT_ENTRIES);
            if self.blocks.capacity() > enough * MAX_SPARE_ENTRIES {
                self.blocks.shrink_to(enough);
            }
            pool.put(first.bytes, allocated);
            return;
        }
        self.blocks.clear();
        self.blocks.shrink_to(MAX_KEPT_ENTRIES);
        // A block that is hardly used between reads was too large for this stream.
        if first.spare() > allocated / 4 * 3 && allocated > MIN_BULK_BLOCK {
            self.block_size = u32::try_from(allocated / 2).unwrap_or(u32::MAX);
        }
        if allocated > MAX_KEPT_BLOCK {
            pool.put(first.bytes, allocated);
            return;
        }
        if first.spare() < allocated / 2 {
            if !first.bytes.try_reclaim(allocated) {
                return;
            }
            first.limit = self.read.saturating_add(allocated as u64);
        }
        self.held = allocated;
        self.first = Some(first);
    }
}

#[cfg(test)]
mod tests;
