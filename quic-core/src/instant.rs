//! Time as a value: nanoseconds since an epoch that the caller picks.

use std::num::NonZeroU64;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A point in time, in nanoseconds since an epoch that the caller picks once and keeps.
///
/// The core never reads a clock. All arithmetic saturates, so that no time that a caller or a
/// peer can produce ever panics or wraps.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Instant(
    // One more than the number of nanoseconds, so that an `Option<Instant>` is no larger: a
    // connection has dozens of them.
    NonZeroU64,
);

impl Instant {
    /// The epoch itself.
    pub const EPOCH: Self = Self(NonZeroU64::MIN);
    /// The last instant there is, about 584 years after the epoch.
    pub const FAR_FUTURE: Self = Self(NonZeroU64::MAX);

    /// The instant `nanos` nanoseconds after the epoch, at most [`FAR_FUTURE`](Self::FAR_FUTURE).
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// The first whole multiple of `step` after the epoch that is not before this instant.
    pub(crate) fn rounded_up(self, step: Duration) -> Self {
        match self.as_nanos().checked_next_multiple_of(saturating_nanos(step)) {
            Some(nanos) => Self::from_nanos(nanos),
            None => Self::FAR_FUTURE,
        }
    }

    /// Time that passed since `earlier`; zero if `earlier` is later.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Instant {
    fn default() -> Self {
        Self::EPOCH
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturating_nanos(duration)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self::from_nanos(self.as_nanos().saturating_sub(saturating_nanos(duration)))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

/// A length of time that takes half of the memory of a [`Duration`]; at most 584 years. A
/// connection keeps several.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Span(u64);

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(saturating_nanos(duration))
    }
}

impl From<Span> for Duration {
    fn from(Span(nanos): Span) -> Self {
        Self::from_nanos(nanos)
    }
}

/// Nanoseconds of `duration`, at most [`u64::MAX`].
pub(crate) fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_that_may_be_missing_is_no_larger() {
        assert_eq!(size_of::<Option<Instant>>(), size_of::<u64>());
        for nanos in [0, 1, u64::MAX - 1] {
            assert_eq!(Instant::from_nanos(nanos).as_nanos(), nanos);
        }
        assert_eq!(Instant::from_nanos(u64::MAX), Instant::FAR_FUTURE);
    }

    #[test]
    fn an_instant_is_rounded_up_to_a_multiple_and_not_past_the_end_of_time() {
        let step = Duration::from_nanos(10);
        for (nanos, rounded) in [(0, 0), (1, 10), (10, 10), (11, 20)] {
            let instant = Instant::from_nanos(nanos).rounded_up(step);
            assert_eq!(instant, Instant::from_nanos(rounded));
        }
        assert_eq!(Instant::FAR_FUTURE.rounded_up(step), Instant::FAR_FUTURE);
        assert_eq!(Instant::EPOCH.rounded_up(Duration::ZERO), Instant::FAR_FUTURE);
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let late = Instant::FAR_FUTURE;
        assert_eq!(late + Duration::MAX, late);
        assert_eq!(Instant::EPOCH - Duration::MAX, Instant::EPOCH);
        assert_eq!(Instant::EPOCH - late, Duration::ZERO);
        assert_eq!(late - Instant::EPOCH, Duration::from_nanos(u64::MAX - 1));
    }
}
