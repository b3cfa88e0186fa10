//! Blocks that were used up, for those who need one next.

use std::collections::VecDeque;

use bytes::BytesMut;

use crate::memory;

/// Blocks kept, at most.
pub(crate) const MAX_POOLED_BLOCKS: usize = 4;
/// Largest block kept, in bytes.
pub(crate) const MAX_BLOCK: usize = 64 << 10;
/// Size of the small blocks, in bytes.
pub(super) const SMALL_BLOCK: usize = 256;
/// Small blocks kept, at most: so many small messages can be acknowledged at once, and as many
/// written next, at no cost.
pub(crate) const MAX_SMALL_BLOCKS: usize = 32;
/// Smallest block beside those that is worth keeping, in bytes.
const MIN_POOLED_BLOCK: usize = 8 << 10;
/// How many times larger than wanted a block may be.
const MAX_EXCESS: usize = 4;

/// Blocks that were used up, for those who need one next: large allocations that come and go cost
/// page faults each time.
///
/// A block can be used again once the application has dropped what it was given of it; until then
/// it takes no memory that the application does not hold anyway. At most [`MAX_POOLED_BLOCKS`] of
/// at most [`MAX_BLOCK`] bytes, and [`MAX_SMALL_BLOCKS`] small ones of which nobody else holds a
/// part; owns no heap while it is empty and [`keep`](Self::keep) said so.
#[derive(Debug, Default)]
pub(crate) struct BlockPool {
    /// The one given back first is the first that is free, most likely.
    blocks: VecDeque<Pooled>,
    /// Blocks of [`SMALL_BLOCK`] bytes.
    small: Vec<BytesMut>,
}

#[derive(Debug)]
struct Pooled {
    bytes: BytesMut,
    /// Size of the allocation, parts that are still read elsewhere included.
    allocated: usize,
}

impl BlockPool {
    /// An empty block with room for `size` bytes or, if there is one at hand, up to four times as
    /// many, but at most `maximum`.
    pub(super) fn take(&mut self, size: usize, maximum: usize) -> BytesMut {
        if size == SMALL_BLOCK
            && let Some(block) = self.small.pop()
        {
            return block;
        }
        let fits = size..=size.saturating_mul(MAX_EXCESS).min(maximum);
        let at = if size < MIN_POOLED_BLOCK / MAX_EXCESS {
            None
        } else {
            self.blocks.iter_mut().position(|block| {
                // All of it, not what is left behind the parts that were used.
                fits.contains(&block.allocated) && block.bytes.try_reclaim(block.allocated)
            })
        };
        let pooled = at.and_then(|at| self.blocks.remove(at));
        pooled.map_or_else(|| BytesMut::with_capacity(size), |block| block.bytes)
    }

    /// Takes back a block of `allocated` bytes, parts of which may still be read elsewhere.
    pub(super) fn put(&mut self, mut block: BytesMut, allocated: usize) {
        if block.capacity() == SMALL_BLOCK {
            if self.small.len() < MAX_SMALL_BLOCKS {
                block.clear();
                self.small.push(block);
            }
            return;
        }
        if !(MIN_POOLED_BLOCK..=MAX_BLOCK).contains(&allocated) {
            return;
        }
        block.clear();
        if self.blocks.len() >= MAX_POOLED_BLOCKS {
            self.blocks.pop_front();
        }
        self.blocks.push_back(Pooled { bytes: block, allocated });
    }

    /// Keeps at most `blocks` blocks, and nothing at all if that is none.
    pub(crate) fn keep(&mut self, blocks: usize) {
        if blocks == 0 {
            *self = Self::default();
            return;
        }
        while self.blocks.len() > blocks {
            self.blocks.pop_front();
        }
    }

    /// Heap in use at the most, in bytes, where blocks have up to `largest` bytes.
    pub(crate) const fn worst_case_bytes(largest: u64) -> u64 {
        const MOST: u64 = MAX_POOLED_BLOCKS as u64;
        const MOST_SMALL: u64 = MAX_SMALL_BLOCKS as u64;
        let small = MOST_SMALL * SMALL_BLOCK as u64 + memory::list::<BytesMut>(MOST_SMALL);
        let largest = if largest < MAX_BLOCK as u64 { largest } else { MAX_BLOCK as u64 };
        MOST * largest + memory::list::<Pooled>(MOST) + small
    }

    /// Blocks at hand.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(size: usize) -> (BytesMut, usize) {
        let mut block = BytesMut::with_capacity(size);
        block.resize(size, 7);
        (block, size)
    }

    #[test]
    fn a_block_is_used_again_once_nobody_reads_it() {
        let mut pool = BlockPool::default();
        let (mut block, size) = used(MAX_BLOCK);
        let chunk = block.split().freeze();
        let memory = chunk.as_ptr();
        pool.put(block, size);
        let other = pool.take(MAX_BLOCK, MAX_BLOCK);
        assert_ne!(other.as_ptr(), memory);
        drop(chunk);
        let again = pool.take(MAX_BLOCK, MAX_BLOCK);
        assert_eq!((again.as_ptr(), again.len(), again.capacity()), (memory, 0, MAX_BLOCK));
        assert_eq!(pool.len(), 0);
    }

    #[test]
    fn no_more_than_four_blocks_are_kept_and_none_that_is_small_or_huge() {
        let mut pool = BlockPool::default();
        for size in [MIN_POOLED_BLOCK - 1, MAX_BLOCK + 1] {
            let (block, size) = used(size);
            pool.put(block, size);
            assert_eq!(pool.len(), 0);
        }
        for _ in 0..10 {
            let (block, size) = used(MAX_BLOCK);
            pool.put(block, size);
        }
        assert_eq!(pool.len(), MAX_POOLED_BLOCKS);
        pool.keep(1);
        assert_eq!(pool.len(), 1);
        pool.keep(0);
        assert_eq!(pool.blocks.capacity(), 0);
    }

    #[test]
    fn small_blocks_are_used_again_unless_somebody_holds_a_part() {
        let mut pool = BlockPool::default();
        let (block, size) = used(SMALL_BLOCK);
        let memory = block.as_ptr();
        pool.put(block, size);
        let again = pool.take(SMALL_BLOCK, MAX_BLOCK);
        assert_eq!((again.as_ptr(), again.len(), again.capacity()), (memory, 0, SMALL_BLOCK));
        let (mut block, size) = used(SMALL_BLOCK);
        let _held = block.split_to(1);
        pool.put(block, size);
        assert!(pool.small.is_empty());
        for _ in 0..100 {
            let (block, size) = used(SMALL_BLOCK);
            pool.put(block, size);
        }
        assert_eq!(pool.small.len(), MAX_SMALL_BLOCKS);
        pool.keep(0);
        assert_eq!(pool.small.capacity(), 0);
    }

    #[test]
    fn nobody_gets_a_block_that_is_much_too_large_or_larger_than_allowed() {
        let mut pool = BlockPool::default();
        let (block, size) = used(MAX_BLOCK);
        pool.put(block, size);
        assert!(pool.take(MAX_BLOCK / 8, MAX_BLOCK).capacity() < MAX_BLOCK);
        assert!(pool.take(MAX_BLOCK / 2, MAX_BLOCK / 2).capacity() < MAX_BLOCK);
        assert_eq!(pool.take(MAX_BLOCK / 4, MAX_BLOCK).capacity(), MAX_BLOCK);
    }
}
