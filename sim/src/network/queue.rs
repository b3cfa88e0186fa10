//! The queue before a link that has a rate.

use std::collections::VecDeque;
use std::time::Duration;

use quic_core::Instant;

use super::store::Slot;

/// How a queue keeps delays short before it is full (CoDel, RFC 8289).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CoDel {
    /// Time in the queue that is fine.
    pub target: Duration,
    /// Time that it may be more than that.
    pub interval: Duration,
    /// Whether datagrams with an ECN mark become CE instead of being dropped.
    pub marks: bool,
}

impl Default for CoDel {
    /// 5 ms, 100 ms, and nothing but drops (RFC 8289 §4.2, §4.3).
    fn default() -> Self {
        let (target, interval) = (Duration::from_millis(5), Duration::from_millis(100));
        Self { target, interval, marks: false }
    }
}

impl CoDel {
    /// When to drop again after `count` drops (RFC 8289 §5.4).
    fn next_drop(&self, after: Instant, count: u32) -> Instant {
        after + self.interval.div_f64(f64::from(count.max(1)).sqrt())
    }
}

/// A datagram that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) slot: Slot,
    pub(super) bytes: u64,
    pub(super) since: Instant,
    /// Whether its mark can become CE.
    pub(super) can_be_marked: bool,
}

/// What leaves a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving {
    pub(super) waiting: Waiting,
    /// Whether its mark becomes CE.
    pub(super) marked: bool,
}

/// Datagrams that wait, and what CoDel knows of them (RFC 8289 §5).
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: u64,
    /// The largest datagram so far: a queue that holds no more is as good as empty.
    largest: u64,
    /// When the time in the queue has been too long for an interval.
    too_long_at: Option<Instant>,
    is_dropping: bool,
    next_drop: Instant,
    count: u32,
    last_count: u32,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            largest: 0,
            too_long_at: None,
            is_dropping: false,
            next_drop: Instant::EPOCH,
            count: 0,
            last_count: 0,
        }
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn push(&mut self, waiting: Waiting) {
        self.bytes += waiting.bytes;
        self.largest = self.largest.max(waiting.bytes);
        self.waiting.push_back(waiting);
    }

    fn take(&mut self) -> Option<Waiting> {
        let first = self.waiting.pop_front()?;
        self.bytes -= first.bytes;
        Some(first)
    }

    /// The next that leaves; what CoDel drops before it goes to `dropped`.
    pub(super) fn pop(
        &mut self,
        now: Instant,
        codel: Option<CoDel>,
        dropped: &mut Vec<Slot>,
    ) -> Option<Leaving> {
        let Some(codel) = codel else {
            return self.take().map(|waiting| Leaving { waiting, marked: false });
        };
        let (mut waiting, mut may_drop) = self.take_judged(now, codel)?;
        if self.is_dropping {
            self.is_dropping = may_drop;
            while self.is_dropping && now >= self.next_drop {
                self.count = self.count.saturating_add(1);
                if codel.marks && waiting.can_be_marked {
                    self.next_drop = codel.next_drop(self.next_drop, self.count);
                    return Some(Leaving { waiting, marked: true });
                }
                dropped.push(waiting.slot);
                let Some(next) = self.take_judged(now, codel) else {
                    self.is_dropping = false;
                    return None;
                };
                (waiting, may_drop) = next;
                if may_drop {
                    self.next_drop = codel.next_drop(self.next_drop, self.count);
                } else {
                    self.is_dropping = false;
                }
            }
        } else if may_drop {
            self.begin_to_drop(now, codel);
            if codel.marks && waiting.can_be_marked {
                return Some(Leaving { waiting, marked: true });
            }
            dropped.push(waiting.slot);
            (waiting, _) = self.take_judged(now, codel)?;
        }
        Some(Leaving { waiting, marked: false })
    }

    /// The first, and whether it may be dropped (RFC 8289 §5.5).
    fn take_judged(&mut self, now: Instant, codel: CoDel) -> Option<(Waiting, bool)> {
        let Some(first) = self.take() else {
            self.too_long_at = None;
            return None;
        };
        if now - first.since < codel.target || self.bytes <= self.largest {
            self.too_long_at = None;
            return Some((first, false));
        }
        let at = *self.too_long_at.get_or_insert(now + codel.interval);
        Some((first, now >= at))
    }

    /// Begins with the rate that was enough the last time, if that is not long ago
    /// (RFC 8289 §5.4).
    fn begin_to_drop(&mut self, now: Instant, codel: CoDel) {
        let drops = self.count.saturating_sub(self.last_count);
        let is_recent = now - self.next_drop < 16 * codel.interval;
        self.count = if drops > 1 && is_recent { drops } else { 1 };
        self.last_count = self.count;
        self.next_drop = codel.next_drop(now, self.count);
        self.is_dropping = true;
    }
}
