//! Datagrams that wait to be read.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::memory;

/// Entries that an empty queue keeps room for.
const MAX_KEPT_ENTRIES: usize = 64;

/// In the order in which they came.
#[derive(Debug)]
pub(super) struct ReceiveQueue {
    queue: VecDeque<Bytes>,
    /// Bytes of data in the queue.
    bytes: usize,
    maximum_bytes: usize,
    maximum_count: usize,
    /// The application knows that there is something to read.
    announced: bool,
}

impl ReceiveQueue {
    pub(super) fn new(maximum_bytes: usize, maximum_count: usize) -> Self {
        let queue = VecDeque::new();
        Self { queue, bytes: 0, maximum_bytes, maximum_count, announced: false }
    }

    /// Heap in use at the most, in bytes.
    pub(super) const fn worst_case_bytes(bytes: usize, count: usize) -> u64 {
        (bytes as u64).saturating_add(memory::list::<Bytes>(count as u64))
    }

    /// Keeps a copy; the oldest make room. What is longer than the whole queue is dropped.
    pub(super) fn push(&mut self, data: &[u8]) {
        if data.len() > self.maximum_bytes || self.maximum_count == 0 {
            return;
        }
        while self.queue.len() >= self.maximum_count
            || data.len() > self.maximum_bytes.saturating_sub(self.bytes)
        {
            let Some(oldest) = self.queue.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.len());
        }
        self.bytes = self.bytes.saturating_add(data.len());
        self.queue.push_back(Bytes::copy_from_slice(data));
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let Some(oldest) = self.queue.pop_front() else {
            self.announced = false;
            if self.queue.capacity() > MAX_KEPT_ENTRIES {
                self.queue = VecDeque::new();
            }
            return None;
        };
        self.bytes = self.bytes.saturating_sub(oldest.len());
        Some(oldest)
    }

    /// Whether to announce that there is something to read: once until a read finds nothing.
    pub(super) fn poll_announcement(&mut self) -> bool {
        let news = !self.announced && !self.queue.is_empty();
        self.announced |= news;
        news
    }

    pub(super) fn clear(&mut self) {
        self.queue = VecDeque::new();
        self.bytes = 0;
    }
}
