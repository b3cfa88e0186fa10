//! When which handler is next due: a heap with at most one entry per slot.

use crate::instant::Instant;
use crate::memory;

/// A binary heap of deadlines by slot, with the place of each slot's entry at hand.
///
/// Deadlines of connections move with nearly every packet, mostly to later times. An entry only
/// moves when its deadline moved to an earlier time; whoever pops one too early puts it back.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    heap: Vec<(Instant, u32)>,
    /// Index into `heap` by slot; [`ABSENT`] without an entry.
    places: Vec<u32>,
}

const ABSENT: u32 = u32::MAX;
/// Slots whose room is not worth giving back.
const KEPT_SLOTS: usize = 512;

impl Deadlines {
    /// Heap at the most, in bytes, with so many slots; with what is done of it at once.
    pub(super) fn worst_case_bytes(slots: u64) -> u64 {
        memory::list::<(Instant, u32)>(slots).saturating_add(memory::list::<[u32; 2]>(slots))
    }

    /// When the next entry pops: not after the earliest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|(at, _)| *at)
    }

    /// Sees to it that the slot's entry pops no later than `at`.
    pub(super) fn set(&mut self, slot: u32, at: Instant) {
        let Some(place) = self.place(slot) else {
            let place = self.heap.len();
            self.heap.push((at, slot));
            self.note(place);
            return self.rise(place);
        };
        if let Some(entry) = self.heap.get_mut(place)
            && at < entry.0
        {
            entry.0 = at;
            self.rise(place);
        }
    }

    /// Has the slot's entry pop at `at`, sooner or later than it would have.
    pub(super) fn reset(&mut self, slot: u32, at: Instant) {
        self.remove(slot);
        self.set(slot, at);
    }

    /// Takes the slot's entry out, because the slot is freed.
    pub(super) fn remove(&mut self, slot: u32) {
        if let Some(place) = self.place(slot) {
            self.take(place);
        }
    }

    /// To be called when a slot was freed: keeps no room for more slots than there are.
    pub(super) fn give_back(&mut self, slots: usize) {
        if self.places.len() > slots.max(KEPT_SLOTS) {
            self.places.truncate(slots);
            self.places.shrink_to(KEPT_SLOTS);
            self.heap.shrink_to(slots.max(KEPT_SLOTS));
        }
    }

    /// Takes out the next entry that is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<u32> {
        let due = self.heap.first().filter(|(at, _)| *at <= now)?.1;
        self.take(0);
        Some(due)
    }

    fn take(&mut self, place: usize) {
        let (_, slot) = self.heap.swap_remove(place);
        if let Some(noted) = self.places.get_mut(slot as usize) {
            *noted = ABSENT;
        }
        if place < self.heap.len() {
            self.note(place);
            self.rise(place);
            self.sink(place);
        }
    }

    fn place(&self, slot: u32) -> Option<usize> {
        let place = *self.places.get(slot as usize)?;
        (place != ABSENT).then_some(place as usize)
    }

    /// Remembers that the entry at `place` is there.
    fn note(&mut self, place: usize) {
        let Some((_, slot)) = self.heap.get(place).copied() else { return };
        let slot = slot as usize;
        if self.places.len() <= slot {
            self.places.resize(slot + 1, ABSENT);
        }
        if let Some(noted) = self.places.get_mut(slot) {
            *noted = u32::try_from(place).unwrap_or(ABSENT);
        }
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 && self.earlier(place, (place - 1) / 2) {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let child = if self.earlier(right, left) { right } else { left };
            if !self.earlier(child, place) {
                return;
            }
            self.swap(child, place);
            place = child;
        }
    }

    /// Whether there is an entry at `a` and it pops before the one at `b`.
    fn earlier(&self, a: usize, b: usize) -> bool {
        match (self.heap.get(a), self.heap.get(b)) {
            (Some(a), Some(b)) => a < b,
            _ => false,
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.note(a);
        self.note(b);
    }
}

#[cfg(test)]
mod tests;
