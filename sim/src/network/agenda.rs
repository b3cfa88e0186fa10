//! What is due when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use quic_core::Instant;

use super::store::Slot;

/// Something that happens in a network by itself.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Due {
    /// What a link transmits has left its queue wholly.
    Leaves(usize),
    /// A datagram is there.
    Arrives(Slot),
    /// A socket that would have blocked can be called again.
    Ready(usize),
}

/// What is due, in the order of time; at the same time, in the order in which it was noted.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: BinaryHeap<Reverse<(Instant, u64, Due)>>,
    noted: u64,
}

impl Agenda {
    pub(super) fn note(&mut self, at: Instant, due: Due) {
        self.noted += 1;
        self.entries.push(Reverse((at, self.noted, due)));
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.entries.peek().map(|Reverse((at, ..))| *at)
    }

    /// The next that is due at `end` at the latest, and when.
    pub(super) fn pop(&mut self, end: Instant) -> Option<(Instant, Due)> {
        self.next().filter(|next| *next <= end)?;
        self.entries.pop().map(|Reverse((at, _, due))| (at, due))
    }
}
