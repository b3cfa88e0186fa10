//! Counts of durations, precise to one part in a thousand.

use std::time::Duration;

/// Buckets of each power of two; their width is that of the value's top eleven bits.
const PER_OCTAVE: usize = 1024;

/// How often which duration came. Memory does not grow with the number of durations.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    total_ns: u128,
}

impl Histogram {
    pub(super) fn record(&mut self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bucket_of(ns);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
        self.count += 1;
        self.total_ns += u128::from(ns);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (own, others) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += others;
        }
        self.count += other.count;
        self.total_ns += other.total_ns;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The duration in microseconds that a share of `per_mille` of all durations does not exceed.
    #[expect(clippy::cast_precision_loss, reason = "a bucket is less precise than an f64")]
    pub(super) fn quantile_us(&self, per_mille: u64) -> f64 {
        let wanted = (u128::from(self.count) * u128::from(per_mille)).div_ceil(1000).max(1);
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += u128::from(*count);
            seen >= wanted
        });
        bucket.map_or(0.0, |bucket| top_of(bucket) as f64 / 1e3)
    }

    /// The mean in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "a mean for people needs few digits")]
    pub(super) fn mean_us(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.total_ns as f64 / self.count as f64 / 1e3 }
    }
}

/// Values below 2 × `PER_OCTAVE` have a bucket each; above, each octave has `PER_OCTAVE`.
fn bucket_of(ns: u64) -> usize {
    let octave = ns.checked_ilog2().unwrap_or(0).saturating_sub(PER_OCTAVE.ilog2());
    let within = usize::try_from(ns >> octave).unwrap_or(0);
    PER_OCTAVE * octave as usize + within
}

/// The largest value of a bucket.
fn top_of(bucket: usize) -> u64 {
    let octave = (bucket / PER_OCTAVE).saturating_sub(1);
    let within = (bucket - octave * PER_OCTAVE) as u64;
    ((within + 1) << octave) - 1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Histogram, bucket_of, top_of};

    #[test]
    fn every_value_is_in_a_bucket_that_is_a_thousandth_wide() {
        let mut last = 0;
        for exponent in 0..50 {
            for ns in [1_u64 << exponent, (1 << exponent) + 1, (3 << exponent) / 2] {
                let top = top_of(bucket_of(ns));
                assert!(top >= ns && top - ns <= ns / 1000, "{ns} is at most {top}");
                assert!(bucket_of(top + 1) == bucket_of(ns) + 1, "{ns}");
            }
            assert!(bucket_of(1 << exponent) >= last);
            last = bucket_of(1 << exponent);
        }
    }

    #[test]
    fn quantiles_are_those_of_all_merged_values() {
        let mut all = Histogram::default();
        for part in 0..10_u64 {
            let mut histogram = Histogram::default();
            (1..=100).for_each(|us| histogram.record(Duration::from_micros(part * 100 + us)));
            all.merge(&histogram);
        }
        let near = |value: f64, expected: f64| (value / expected - 1.0).abs() < 0.002;
        assert!(near(all.quantile_us(500), 500.0), "{}", all.quantile_us(500));
        assert!(near(all.quantile_us(990), 990.0));
        assert!(near(all.quantile_us(1000), 1000.0));
        assert!(near(all.mean_us(), 500.5));
        assert!(Histogram::default().is_empty() && !all.is_empty());
    }
}
