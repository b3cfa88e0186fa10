//! Sets of numbers as ranges: packets to acknowledge, data received.

use std::ops::Range;

use smallvec::SmallVec;

/// How many times more ranges than there are [`RangeSet::shrink`] leaves room for.
const MAXIMUM_SPARE: usize = 2;
/// Ranges that it leaves room for in any case.
const KEPT_RANGES: usize = 16;

/// A set of `u64`s, kept as disjoint ranges in ascending order that do not touch.
///
/// Most sets hold one range, which needs no heap. Who fills a set from the network bounds
/// the number of ranges (see [`len`](Self::len), [`pop_first`](Self::pop_first)).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RangeSet {
    ranges: SmallVec<[Range<u64>; 1]>,
}

impl RangeSet {
    /// Adds `range`; returns how many of its numbers were not in the set before.
    pub fn insert(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        if let Some(last) = self.ranges.last_mut()
            && range.start >= last.start
            && range.start <= last.end
        {
            let added = range.end.saturating_sub(last.end);
            last.end = last.end.max(range.end);
            return added;
        }
        // All ranges that overlap or touch the new one become one.
        let from = self.ranges.partition_point(|old| old.end < range.start);
        let to = self.ranges.partition_point(|old| old.start <= range.end);
        let touched = self.ranges.get(from..to).unwrap_or_default();
        let known: u64 = touched
            .iter()
            .map(|old| old.end.min(range.end).saturating_sub(old.start.max(range.start)))
            .sum();
        let start = touched.first().map_or(range.start, |first| first.start.min(range.start));
        let end = touched.last().map_or(range.end, |last| last.end.max(range.end));
        let added = (range.end - range.start) - known;
        if let Some(first) = self.ranges.get_mut(from).filter(|_| from < to) {
            *first = start..end;
            self.ranges.drain(from + 1..to);
        } else {
            self.ranges.insert(from, start..end);
        }
        added
    }

    /// Takes `range` out of the set; numbers that are not in it are ignored.
    pub fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let from = self.ranges.partition_point(|old| old.end <= range.start);
        let to = self.ranges.partition_point(|old| old.start < range.end);
        let Some(touched) = self.ranges.get(from..to).filter(|touched| !touched.is_empty()) else {
            return;
        };
        let left = touched.first().map_or(0..0, |first| first.start..range.start);
        let right = touched.last().map_or(0..0, |last| range.end..last.end);
        self.ranges.drain(from..to);
        let kept: SmallVec<[Range<u64>; 1]> =
            [left, right].into_iter().filter(|part| !part.is_empty()).collect();
        self.ranges.insert_many(from, kept);
    }

    /// Whether the number is in the set.
    #[inline]
    pub fn contains(&self, number: u64) -> bool {
        let at = self.ranges.partition_point(|range| range.end <= number);
        self.ranges.get(at).is_some_and(|range| range.start <= number)
    }

    /// The ranges in ascending order.
    pub fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = Range<u64>> + ExactSizeIterator + Clone + '_ {
        self.ranges.iter().cloned()
    }

    /// The lowest range.
    pub fn first(&self) -> Option<Range<u64>> {
        self.ranges.first().cloned()
    }

    /// The end of the highest range; 0 if there is none.
    pub fn last_end(&self) -> u64 {
        self.ranges.last().map_or(0, |last| last.end)
    }

    /// The first number from `from` on that is not in the set.
    pub fn first_missing(&self, from: u64) -> u64 {
        let at = self.ranges.partition_point(|range| range.end <= from);
        self.ranges.get(at).filter(|range| range.start <= from).map_or(from, |range| range.end)
    }

    /// Takes the lowest range out of the set.
    pub fn pop_first(&mut self) -> Option<Range<u64>> {
        (!self.ranges.is_empty()).then(|| self.ranges.remove(0))
    }

    /// Gives memory back that many more ranges took than there are now.
    #[inline]
    pub(crate) fn shrink(&mut self) {
        if self.ranges.capacity() > MAXIMUM_SPARE * self.ranges.len().max(KEPT_RANGES) {
            self.ranges.shrink_to_fit();
        }
    }

    /// Heap in use, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        if self.ranges.spilled() { self.ranges.capacity() * size_of::<Range<u64>>() } else { 0 }
    }

    /// Most heap of sets of so many ranges together that [`shrink`](Self::shrink) when ranges leave
    /// them, in bytes.
    pub(crate) fn worst_case_bytes(sets: u64, ranges: u64) -> u64 {
        let kept = sets.saturating_mul(KEPT_RANGES as u64);
        let range = (MAXIMUM_SPARE * size_of::<Range<u64>>()) as u64;
        // A set that is about to shrink has grown by one insertion more than it may have.
        kept.saturating_add(ranges).saturating_mul(range)
    }

    /// Number of ranges.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether no number is in the set.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

#[cfg(test)]
mod tests;
