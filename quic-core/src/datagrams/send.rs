//! Datagrams that wait to be sent.

use std::collections::VecDeque;
use std::mem;

use super::OutgoingDatagram;
use crate::deadline::earliest;
use crate::instant::Instant;
use crate::memory;

/// Entries that an empty queue keeps room for.
const MAX_KEPT_ENTRIES: usize = 64;

/// By descending priority, and then in the order in which they came.
#[derive(Debug)]
pub(super) struct SendQueue {
    queue: VecDeque<OutgoingDatagram>,
    /// Bytes of data in the queue.
    bytes: usize,
    maximum_bytes: usize,
    maximum_count: usize,
    /// Somebody waits for room.
    awaited: bool,
    /// Nothing in the queue expires before this.
    next_expiry: Option<Instant>,
}

/// What is to be done with the next datagram.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next<'a> {
    Send(&'a [u8]),
    Expired,
    TooLarge,
}

impl SendQueue {
    pub(super) fn new(maximum_bytes: usize, maximum_count: usize) -> Self {
        let queue = VecDeque::new();
        Self { queue, bytes: 0, maximum_bytes, maximum_count, awaited: false, next_expiry: None }
    }

    /// Heap in use at the most, in bytes, if each datagram owns its memory alone.
    pub(super) const fn worst_case_bytes(bytes: usize, count: usize) -> u64 {
        (bytes as u64).saturating_add(memory::list::<OutgoingDatagram>(count as u64))
    }

    pub(super) fn maximum_bytes(&self) -> usize {
        self.maximum_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether a datagram of this many bytes fits.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.queue.len() < self.maximum_count
            && bytes <= self.maximum_bytes.saturating_sub(self.bytes)
    }

    /// Somebody waits for room.
    pub(super) fn await_room(&mut self) {
        self.awaited = true;
    }

    /// Whether to announce that half of the queue is free, at least, to who waits for room; once.
    pub(super) fn poll_room(&mut self) -> bool {
        let has_room =
            self.bytes <= self.maximum_bytes / 2 && self.queue.len() <= self.maximum_count / 2;
        has_room && mem::take(&mut self.awaited)
    }

    pub(super) fn push(&mut self, datagram: OutgoingDatagram) {
        self.bytes = self.bytes.saturating_add(datagram.data.len());
        self.next_expiry = earliest([self.next_expiry, datagram.expires]);
        let last = self.queue.back().map_or(i32::MAX, |last| last.priority);
        if last >= datagram.priority {
            return self.queue.push_back(datagram);
        }
        let at = self.queue.partition_point(|queued| queued.priority >= datagram.priority);
        self.queue.insert(at, datagram);
    }

    /// Drops the oldest of the lowest priority there is, unless that is above `priority`.
    pub(super) fn drop_oldest(&mut self, priority: i32) -> Option<OutgoingDatagram> {
        let lowest = self.queue.back()?.priority;
        if lowest > priority {
            return None;
        }
        let at = self.queue.partition_point(|queued| queued.priority > lowest);
        let dropped = self.queue.remove(at)?;
        self.bytes = self.bytes.saturating_sub(dropped.data.len());
        Some(dropped)
    }

    /// The priority of what goes next.
    pub(super) fn priority(&self) -> Option<i32> {
        self.queue.front().map(|front| front.priority)
    }

    /// What goes next, and what it is to be reported as.
    pub(super) fn next(
        &self,
        now: Instant,
        maximum_size: Option<usize>,
    ) -> Option<(Next<'_>, Option<u64>)> {
        let front = self.queue.front()?;
        let next = if front.expires.is_some_and(|expires| expires <= now) {
            Next::Expired
        } else if maximum_size.is_none_or(|maximum| front.data.len() > maximum) {
            Next::TooLarge
        } else {
            Next::Send(&front.data)
        };
        Some((next, front.report))
    }

    /// Takes out what goes next.
    pub(super) fn pop(&mut self) {
        if let Some(front) = self.queue.pop_front() {
            self.bytes = self.bytes.saturating_sub(front.data.len());
        }
        self.rest_if_empty();
    }

    /// When to [`expire`](Self::expire) what is in the queue.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.next_expiry
    }

    /// Drops what has expired, and tells `report` what of it is to be reported.
    pub(super) fn expire(&mut self, now: Instant, mut report: impl FnMut(Option<u64>)) {
        if self.next_expiry.is_none_or(|at| at > now) {
            return;
        }
        let (bytes, next_expiry) = (&mut self.bytes, &mut self.next_expiry);
        *next_expiry = None;
        self.queue.retain(|queued| {
            let expired = queued.expires.is_some_and(|expires| expires <= now);
            if expired {
                *bytes = bytes.saturating_sub(queued.data.len());
                report(queued.report);
            } else {
                *next_expiry = earliest([*next_expiry, queued.expires]);
            }
            !expired
        });
        self.rest_if_empty();
    }

    fn rest_if_empty(&mut self) {
        if self.queue.is_empty() {
            self.next_expiry = None;
            if self.queue.capacity() > MAX_KEPT_ENTRIES {
                self.queue = VecDeque::new();
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.queue = VecDeque::new();
        self.bytes = 0;
        self.awaited = false;
        self.next_expiry = None;
    }
}
