//! How late an endpoint's loops are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How punctual the loops of an endpoint were. Whoever keeps a loop from running, such as a task
/// that does not yield, or more work than there is time for, makes its deadlines late, and with
/// them everything that QUIC does by time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct LoopStatistics {
    /// Times that a loop did what was due by then.
    pub timeouts: u64,
    /// Times of these that it was late by more than [`LATE`](Self::LATE).
    pub late_timeouts: u64,
    /// The most that it was late by.
    pub latest: Duration,
}

impl LoopStatistics {
    /// By more than this a loop is late: a millisecond.
    pub const LATE: Duration = Duration::from_millis(1);

    /// Those of two loops together.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            timeouts: self.timeouts.saturating_add(other.timeouts),
            late_timeouts: self.late_timeouts.saturating_add(other.late_timeouts),
            latest: self.latest.max(other.latest),
        }
    }
}

/// The living counters behind [`LoopStatistics`].
#[derive(Debug, Default)]
pub(crate) struct Punctuality {
    timeouts: AtomicU64,
    late_timeouts: AtomicU64,
    latest_nanos: AtomicU64,
}

impl Punctuality {
    /// Something is done that was due for so long.
    pub(crate) fn on_timeout(&self, late_by: Duration) {
        self.timeouts.fetch_add(1, Ordering::Relaxed);
        let late = u64::from(late_by > LoopStatistics::LATE);
        self.late_timeouts.fetch_add(late, Ordering::Relaxed);
        let nanos = u64::try_from(late_by.as_nanos()).unwrap_or(u64::MAX);
        self.latest_nanos.fetch_max(nanos, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> LoopStatistics {
        LoopStatistics {
            timeouts: self.timeouts.load(Ordering::Relaxed),
            late_timeouts: self.late_timeouts.load(Ordering::Relaxed),
            latest: Duration::from_nanos(self.latest_nanos.load(Ordering::Relaxed)),
        }
    }
}
