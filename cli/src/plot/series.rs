//! Values over time, in memory that is bounded however long it goes on.

use std::collections::HashMap;

use quic_core::wire::RangeSet;

/// Points that are kept: more than a picture has columns.
const MAXIMUM_POINTS: u32 = 16_384;

/// Points that become one when there are too many are at least so far apart, in milliseconds.
const LEAST_INTERVAL: f64 = 1e-3;

/// Bins that are kept, and how long each is at first, in milliseconds.
const MAXIMUM_BINS: u32 = 512;
const FIRST_BIN: f64 = 1.0;

/// Streams that are told apart at a time, and ranges of one that are.
const MAXIMUM_STREAMS: usize = 10_000;
const MAXIMUM_RANGES: usize = 256;

/// A value that changes now and then. When there are too many points, neighbours become one.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    points: Vec<(f64, f64)>,
    /// Points come at least so far apart, in milliseconds.
    interval: f64,
}

impl Series {
    pub(super) fn push(&mut self, time: f64, value: f64) {
        match self.points.last_mut() {
            Some((_, last)) if last.total_cmp(&value).is_eq() => return,
            // The last value of an interval stands for it.
            Some((at, last)) if self.interval > 0.0 && time - *at < self.interval => *last = value,
            _ => self.points.push((time, value)),
        }
        if self.points.len() >= MAXIMUM_POINTS as usize {
            self.thin();
        }
    }

    fn thin(&mut self) {
        let (first, last) = (self.points.first(), self.points.last());
        let length = first.zip(last).map_or(0.0, |(first, last)| last.0 - first.0);
        let kept = f64::from(MAXIMUM_POINTS / 2);
        self.interval = (length / kept).max(self.interval * 2.0).max(LEAST_INTERVAL);
        let interval = self.interval;
        let mut next = f64::NEG_INFINITY;
        self.points.retain(|(time, _)| {
            let keeps = *time >= next;
            if keeps {
                next = time + interval;
            }
            keeps
        });
    }

    pub(super) fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    pub(super) fn maximum(&self) -> f64 {
        self.points.iter().map(|(_, value)| *value).fold(0.0, f64::max)
    }
}

/// Amounts per time. When time goes beyond the last bin, two bins become one.
#[derive(Clone, Debug)]
pub(super) struct Bins {
    amounts: Vec<f64>,
    /// In milliseconds.
    width: f64,
}

impl Default for Bins {
    fn default() -> Self {
        Self { amounts: Vec::new(), width: FIRST_BIN }
    }
}

impl Bins {
    pub(super) fn add(&mut self, time: f64, amount: f64) {
        if !time.is_finite() || time < 0.0 {
            return;
        }
        while time / self.width >= f64::from(MAXIMUM_BINS) {
            self.widen();
        }
        #[expect(clippy::cast_possible_truncation, reason = "below MAXIMUM_BINS")]
        #[expect(clippy::cast_sign_loss, reason = "times are not negative")]
        let index = (time / self.width) as usize;
        if self.amounts.len() <= index {
            self.amounts.resize(index + 1, 0.0);
        }
        if let Some(bin) = self.amounts.get_mut(index) {
            *bin += amount;
        }
    }

    fn widen(&mut self) {
        self.amounts = self.amounts.chunks(2).map(|pair| pair.iter().sum()).collect();
        self.width *= 2.0;
    }

    /// The same in bins wide enough for an average that does not jump about.
    pub(super) fn smoothed(&self, bins: usize) -> Self {
        let mut wider = self.clone();
        while wider.amounts.len() > bins {
            wider.widen();
        }
        wider
    }

    pub(super) fn amounts(&self) -> &[f64] {
        &self.amounts
    }

    /// In milliseconds.
    pub(super) fn width(&self) -> f64 {
        self.width
    }

    pub(super) fn total(&self) -> f64 {
        self.amounts.iter().sum()
    }
}

/// Counts every byte of every stream once, however often it travels.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// What of each stream has travelled so far.
    seen: HashMap<u64, RangeSet>,
}

impl Progress {
    /// How many bytes of this range are new.
    pub(super) fn gain(&mut self, stream: u64, offset: u64, length: u64) -> u64 {
        if self.seen.len() >= MAXIMUM_STREAMS && !self.seen.contains_key(&stream) {
            // Most of them are over.
            self.seen.clear();
        }
        let seen = self.seen.entry(stream).or_default();
        let gain = seen.insert(offset..offset.saturating_add(length));
        // The oldest gap is the first to be taken for filled.
        if seen.len() > MAXIMUM_RANGES
            && let (Some(first), Some(second)) = (seen.pop_first(), seen.pop_first())
        {
            seen.insert(first.start..second.end);
        }
        gain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_stays_bounded_and_keeps_its_ends() {
        let mut series = Series::default();
        for step in 0..1_000_000_u32 {
            series.push(f64::from(step), f64::from(step % 1000));
        }
        assert!(series.points().len() < MAXIMUM_POINTS as usize);
        assert!(series.points().len() > MAXIMUM_POINTS as usize / 4);
        assert_eq!(series.points().first().map(|(time, _)| *time), Some(0.0));
        assert!(series.points().last().is_some_and(|(time, _)| *time > 999_000.0));
        assert!(series.points().is_sorted_by(|a, b| a.0 <= b.0));
    }

    #[test]
    fn a_series_of_one_moment_stays_bounded_too() {
        let mut series = Series::default();
        (0..1_000_000_u32).for_each(|step| series.push(7.0, f64::from(step % 2)));
        assert!(series.points().len() < MAXIMUM_POINTS as usize);
    }

    #[test]
    fn bins_stay_bounded_and_lose_nothing() {
        let mut bins = Bins::default();
        (0..100_000_u32).for_each(|time| bins.add(f64::from(time), 2.0));
        assert!(bins.amounts().len() <= MAXIMUM_BINS as usize);
        let is_all = |bins: &Bins| (bins.total() - 200_000.0).abs() < 0.5;
        assert!(is_all(&bins) && is_all(&bins.smoothed(10)));
        assert!(bins.smoothed(10).amounts().len() <= 10);
    }

    #[test]
    fn bytes_that_travel_again_are_counted_once() {
        let mut progress = Progress::default();
        assert_eq!(progress.gain(0, 0, 100), 100);
        assert_eq!(progress.gain(0, 50, 100), 50);
        assert_eq!(progress.gain(0, 0, 100), 0);
        assert_eq!(progress.gain(4, 0, 10), 10);
    }

    #[test]
    fn bytes_that_were_overtaken_count_when_they_come() {
        let mut progress = Progress::default();
        for (offset, gain) in [(200, 100), (0, 100), (100, 100), (0, 0), (250, 50), (250, 0)] {
            assert_eq!(progress.gain(8, offset, 100), gain, "{offset}");
        }
        // However many gaps there are, memory is bounded.
        (0..100_000).for_each(|index| assert_eq!(progress.gain(0, 2 * index, 1), 1));
        assert!(progress.seen.values().all(|seen| seen.len() <= MAXIMUM_RANGES));
    }
}
