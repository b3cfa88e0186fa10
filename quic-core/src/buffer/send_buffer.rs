//! Data that was written and is not acknowledged yet.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::block_pool::{BlockPool, MAX_BLOCK, SMALL_BLOCK};
use crate::memory;
use crate::wire::RangeSet;

/// Smallest block that small writes are copied into, in bytes.
const MIN_BLOCK: usize = SMALL_BLOCK;

/// Shortest part of a chunk that is not copied, in bytes.
const MIN_CHUNK: usize = 1 << 10;
/// Ranges remembered to be acknowledged above the first byte that is not. A peer that acknowledges
/// more crumbs than that gets some of them again: what is remembered of a packet must not depend on
/// how little the packet carried.
const MAX_ACKED_RANGES: usize = 1024;
/// How many times more chunks than there are the list of chunks keeps room for.
const MAX_SPARE_ENTRIES: usize = 4;
/// Chunks that it keeps room for in any case.
const KEPT_ENTRIES: usize = 8;

/// Data that was written and is not acknowledged yet, from the first byte that is not.
///
/// Owns no heap while it holds no data.
#[derive(Debug, Default)]
pub(crate) struct SendBuffer {
    /// Everything but the last chunk, in order, without gaps.
    chunks: VecDeque<Chunk>,
    /// The chunk written last; small writes go on filling it.
    tail: Option<Chunk>,
    /// Which of `chunks` the next byte to send the first time is in; their number if it is in the
    /// tail.
    next: usize,
    /// Everything below is acknowledged.
    acked: u64,
    /// Everything below was sent at least once.
    sent: u64,
    /// Everything below was written.
    end: u64,
    /// There from the first loss or reordering on, until all is acknowledged.
    disorder: Option<Box<Disorder>>,
}

#[derive(Debug, Default)]
struct Disorder {
    /// Acknowledged above the first byte that is not; at most [`MAX_ACKED_RANGES`].
    acked: RangeSet,
    /// Lost, and to be sent again.
    retransmit: RangeSet,
}

impl Disorder {
    /// Sends again what there is no room for to remember that it arrived. The last range is left
    /// alone: it may be what nobody waits for any more (see [`SendBuffer::give_up_from`]).
    fn forget_crumbs(&mut self) {
        let too_many = self.acked.len() > MAX_ACKED_RANGES;
        let crumb = too_many.then(|| self.acked.iter().nth_back(1)).flatten();
        if let Some(crumb) = crumb {
            self.acked.remove(crumb.clone());
            self.retransmit.insert(crumb);
        }
        self.acked.shrink();
        self.retransmit.shrink();
    }
}

#[derive(Debug)]
struct Chunk {
    start: u64,
    data: Data,
}

#[derive(Debug)]
enum Data {
    /// A block that small writes were copied into.
    Copied(BytesMut),
    /// What the application gave away.
    Given(Bytes),
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match &self.data {
            Data::Copied(block) => block,
            Data::Given(bytes) => bytes,
        }
    }

    /// Gives the block, if it is one, to who needs it next.
    fn recycle(self, pool: &mut BlockPool) {
        if let Data::Copied(block) = self.data {
            let allocated = block.capacity();
            pool.put(block, allocated);
        }
    }

    fn end(&self) -> u64 {
        self.start.saturating_add(self.bytes().len() as u64)
    }

    #[cfg(any(test, feature = "fuzzing"))]
    fn allocated(&self) -> usize {
        match &self.data {
            Data::Copied(block) => block.capacity(),
            Data::Given(bytes) => bytes.len(),
        }
    }

    /// Copies what this chunk has from `offset` on; returns how much that was.
    fn copy_to(&self, offset: u64, out: &mut [u8]) -> usize {
        let skip = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let from = self.bytes().get(skip..).unwrap_or_default();
        let length = from.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..length), from.get(..length)) {
            to.copy_from_slice(from);
        }
        length
    }
}

impl SendBuffer {
    /// Appends a copy of `data`, in blocks from `pool` if it has some.
    pub(crate) fn write(&mut self, mut data: &[u8], pool: &mut BlockPool) {
        let spare = self.spare().min(data.len());
        if let Some(Chunk { data: Data::Copied(block), .. }) = &mut self.tail {
            let (now, later) = data.split_at(spare);
            block.extend_from_slice(now);
            self.end = self.end.saturating_add(spare as u64);
            data = later;
        }
        while !data.is_empty() {
            // Blocks grow with what is waiting: a short stream gets a short block, a long one
            // few long ones.
            let waiting = usize::try_from(self.unacked_bytes()).unwrap_or(MAX_BLOCK);
            let wanted = data.len().max(waiting.min(MAX_BLOCK)).next_power_of_two();
            let size = wanted.clamp(MIN_BLOCK, MAX_BLOCK);
            let (now, later) = data.split_at(size.min(data.len()));
            let mut block = pool.take(size, MAX_BLOCK);
            block.extend_from_slice(now);
            self.push(Data::Copied(block), now.len());
            data = later;
        }
    }

    /// Appends the first `length` bytes of `data`, without copying them unless they are few and more
    /// follow: a peer that gives credit byte by byte must not have a chunk kept for each. Nor is a
    /// chunk kept where there is room for its few bytes.
    pub(crate) fn take_from(&mut self, data: &mut Bytes, length: usize, pool: &mut BlockPool) {
        let part = data.split_to(length.min(data.len()));
        if part.len() < MIN_CHUNK && (!data.is_empty() || part.len() <= self.spare()) {
            self.write(&part, pool);
        } else {
            self.write_chunk(part);
        }
    }

    /// Bytes that can be appended to the last block.
    fn spare(&self) -> usize {
        match &self.tail {
            Some(Chunk { data: Data::Copied(block), .. }) => block.capacity() - block.len(),
            _ => 0,
        }
    }

    /// Appends `chunk` without copying it.
    pub(crate) fn write_chunk(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            let length = chunk.len();
            self.push(Data::Given(chunk), length);
        }
    }

    /// Takes the next range to send, of at most `max` bytes: lost data first.
    pub(crate) fn poll_transmit(&mut self, max: usize) -> Option<Range<u64>> {
        let range = self.peek_transmit(max)?;
        if range.start >= self.sent {
            self.sent = range.end;
            while self.chunks.get(self.next).is_some_and(|chunk| chunk.end() <= range.end) {
                self.next += 1;
            }
        } else if let Some(disorder) = &mut self.disorder {
            disorder.retransmit.remove(range.clone());
            disorder.retransmit.shrink();
        }
        Some(range)
    }

    /// What [`poll_transmit`](Self::poll_transmit) would take, without taking it.
    pub(crate) fn peek_transmit(&self, max: usize) -> Option<Range<u64>> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
        //# Endpoints SHOULD prioritize retransmission of data over sending new
        //# data, unless priorities specified by the application indicate
        //# otherwise; see Section 2.3.
        let lost = self.disorder.as_ref().and_then(|disorder| disorder.retransmit.first());
        let range = lost.unwrap_or(self.sent..self.end);
        let end = range.end.min(range.start.saturating_add(max as u64));
        (range.start < end).then_some(range.start..end)
    }

    /// Whether there is anything to send.
    pub(crate) fn has_pending(&self) -> bool {
        self.sent < self.end
            || self.disorder.as_ref().is_some_and(|disorder| !disorder.retransmit.is_empty())
    }

    /// Fills `out` with the data from `offset` on; false if not all of it is kept.
    pub(crate) fn copy_to(&self, mut offset: u64, mut out: &mut [u8]) -> bool {
        let mut at = self.chunk_at(offset);
        while !out.is_empty() {
            let chunk = self.chunks.get(at).or(self.tail.as_ref());
            let copied = match chunk {
                Some(chunk) if chunk.start <= offset => chunk.copy_to(offset, out),
                _ => 0,
            };
            if copied == 0 {
                return false;
            }
            offset = offset.saturating_add(copied as u64);
            out = out.get_mut(copied..).unwrap_or_default();
            at = at.saturating_add(1);
        }
        true
    }

    /// `range` arrived. Returns how many bytes need not be kept any more; their blocks go to
    /// `pool`.
    pub(crate) fn on_acked(&mut self, range: Range<u64>, pool: &mut BlockPool) -> u64 {
        let range = range.start.max(self.acked)..range.end.min(self.sent);
        if range.is_empty() {
            return 0;
        }
        let before = self.acked;
        match &mut self.disorder {
            None if range.start == self.acked => self.acked = range.end,
            disorder => {
                let disorder = disorder.get_or_insert_default();
                disorder.retransmit.remove(range.clone());
                disorder.acked.insert(range);
                if disorder.acked.first().is_some_and(|first| first.start == self.acked) {
                    self.acked = disorder.acked.pop_first().map_or(self.acked, |first| first.end);
                }
                disorder.forget_crumbs();
                if disorder.acked.is_empty() && disorder.retransmit.is_empty() {
                    self.disorder = None;
                }
            }
        }
        self.free_acked(pool);
        self.acked - before
    }

    /// `range` did not arrive, as far as is known: what of it was not acknowledged is sent again.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
    //# A sender SHOULD avoid retransmitting information from packets once
    //# they are acknowledged.
    pub(crate) fn on_lost(&mut self, range: Range<u64>) {
        let range = range.start.max(self.acked)..range.end.min(self.sent);
        if range.is_empty() {
            return;
        }
        let disorder = self.disorder.get_or_insert_default();
        let mut start = range.start;
        for acked in disorder.acked.iter().skip_while(|acked| acked.end <= range.start) {
            if acked.start >= range.end {
                break;
            }
            disorder.retransmit.insert(start..acked.start.max(start));
            start = acked.end;
        }
        disorder.retransmit.insert(start..range.end.max(start));
    }

    /// Nothing from `offset` on has to arrive: what of that was not sent is forgotten, and the rest
    /// counts as acknowledged. Returns how many bytes need not be kept any more. Nothing may be
    /// written after this.
    pub(crate) fn give_up_from(&mut self, offset: u64, pool: &mut BlockPool) -> u64 {
        let before = self.unacked_bytes();
        self.end = self.end.min(offset.max(self.sent));
        while self.tail.as_ref().is_some_and(|tail| tail.start >= self.end) {
            self.tail = self.chunks.pop_back();
        }
        self.next = self.next.min(self.chunks.len());
        self.on_acked(offset..self.sent, pool);
        self.free_acked(pool);
        before - self.unacked_bytes()
    }

    /// Heap of all send buffers of a connection at the most, in bytes, where the application's data
    /// is copied: `window` is what may wait to be acknowledged, `in_flight` how many frames with it.
    ///
    /// Blocks are at least half full but for the last of each buffer, and all but one byte of the
    /// first may be acknowledged; the lists of chunks take less than what is left of that.
    pub(crate) fn worst_case_bytes(buffers: u64, window: u64, in_flight: u64) -> u64 {
        let block = window.saturating_mul(2).clamp(MIN_BLOCK as u64, MAX_BLOCK as u64);
        let blocks = buffers.min(window).saturating_mul(block);
        let list = (KEPT_ENTRIES * MAX_SPARE_ENTRIES * size_of::<Chunk>()) as u64;
        let of_buffer = list + size_of::<Disorder>() as u64;
        let acked = (window / 2).min(buffers.saturating_mul(MAX_ACKED_RANGES as u64));
        // What is to be sent again lies between what is acknowledged and what is in flight.
        let unacked = acked.saturating_add(in_flight).saturating_add(buffers);
        let ranges = acked.saturating_add(unacked).min(window);
        memory::sum([
            window.saturating_mul(2),
            blocks,
            buffers.saturating_mul(of_buffer),
            RangeSet::worst_case_bytes(buffers.saturating_mul(2), ranges),
        ])
    }

    pub(crate) fn is_fully_acked(&self) -> bool {
        self.acked == self.end
    }

    /// Bytes that are kept: everything written, less what is acknowledged without a gap.
    pub(crate) fn unacked_bytes(&self) -> u64 {
        self.end - self.acked
    }

    /// The offset behind the last byte written.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The offset behind the last byte that was sent at least once.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Forgets all data, as if it had been acknowledged; what was not sent was never written.
    pub(crate) fn clear(&mut self) {
        *self = Self { acked: self.sent, sent: self.sent, end: self.sent, ..Self::default() };
    }

    /// Heap in use, in bytes; of data that was given away, its length.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn allocated_bytes(&self) -> usize {
        let blocks: usize = self.chunks.iter().chain(&self.tail).map(Chunk::allocated).sum();
        blocks + self.chunks.capacity() * size_of::<Chunk>()
    }

    fn push(&mut self, data: Data, length: usize) {
        let chunk = Chunk { start: self.end, data };
        self.end = self.end.saturating_add(length as u64);
        if let Some(full) = self.tail.replace(chunk) {
            self.chunks.push_back(full);
        }
    }

    /// Which of `chunks` has the byte at `offset`; their number if it is in the tail.
    fn chunk_at(&self, offset: u64) -> usize {
        let is_in = |chunk: &Chunk| chunk.start <= offset && offset < chunk.end();
        if self.chunks.get(self.next).or(self.tail.as_ref()).is_some_and(is_in) {
            return self.next;
        }
        self.chunks.partition_point(|chunk| chunk.end() <= offset)
    }

    fn free_acked(&mut self, pool: &mut BlockPool) {
        while let Some(chunk) = self.chunks.pop_front_if(|chunk| chunk.end() <= self.acked) {
            self.next = self.next.saturating_sub(1);
            chunk.recycle(pool);
        }
        let enough = self.chunks.len().max(KEPT_ENTRIES);
        if self.chunks.capacity() > enough * MAX_SPARE_ENTRIES {
            self.chunks.shrink_to(enough);
        }
        if self.is_fully_acked() {
            if let Some(tail) = self.tail.take() {
                tail.recycle(pool);
            }
            self.chunks = VecDeque::new();
            self.disorder = None;
        }
    }
}

#[cfg(test)]
mod tests;
