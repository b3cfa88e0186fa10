//! The clock of an endpoint.

use std::time::{Duration, Instant as StdInstant, SystemTime};

use quic_core::Instant;

/// Counts from 1970, and never goes back: it looks at the calendar once, when it is made.
///
/// So a token's age can be told by whoever has its key, in another process or after a restart.
/// Who sets the calendar back in between makes tokens of the future, which are not believed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    made: StdInstant,
    /// What this clock showed then.
    shown: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self::made_at(SystemTime::now())
    }

    /// A clock that is made when the calendar says `date`.
    fn made_at(date: SystemTime) -> Self {
        let since_1970 = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { made: StdInstant::now(), shown: Instant::EPOCH + since_1970 }
    }

    pub(crate) fn now(&self) -> Instant {
        self.shown + self.made.elapsed()
    }

    /// The same point in time on the clock of `std`; `None` if that cannot hold it.
    pub(crate) fn to_std(self, instant: Instant) -> Option<StdInstant> {
        let since: Duration = instant.saturating_duration_since(self.shown);
        self.made.checked_add(since)
    }
}

#[cfg(test)]
mod tests;
