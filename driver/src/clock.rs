//! The clock of an endpoint.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant, SystemTime};

use quic_core::Instant;

/// What an endpoint reads the time from. Clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System(SystemClock),
    Given(Arc<dyn TimeSource>),
}

/// A clock of the caller's own, as for tests in virtual time.
pub trait TimeSource: fmt::Debug + Send + Sync {
    /// The time now. It may jump in both directions: for endpoints, time goes on from where it was
    /// when it is set back.
    ///
    /// Called with locks of the endpoint held, so that it must not use the endpoint.
    fn now(&self) -> Instant;
}

impl Clock {
    /// The clock of the system. It counts from 1970, and never goes back: it looks at the calendar
    /// once, when it is made.
    ///
    /// So a token's age can be told by whoever has its key, in another process or after a restart.
    /// Who sets the calendar back in between makes tokens of the future, which are not believed.
    pub fn system() -> Self {
        Self(Source::System(SystemClock::new()))
    }

    /// A clock that shows what `source` says.
    pub fn of(source: Arc<dyn TimeSource>) -> Self {
        Self(Source::Given(source))
    }

    /// Reads the clock.
    pub fn now(&self) -> Instant {
        match &self.0 {
            Source::System(clock) => clock.now(),
            Source::Given(source) => source.now(),
        }
    }

    /// The same point in time on the clock of `std`, for timers; `None` if that cannot hold it, or
    /// this clock is not the system's.
    pub fn to_std(&self, instant: Instant) -> Option<StdInstant> {
        match &self.0 {
            Source::System(clock) => clock.to_std(instant),
            Source::Given(_) => None,
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

#[derive(Clone, Copy, Debug)]
struct SystemClock {
    made: StdInstant,
    /// What this clock showed then.
    shown: Instant,
}

impl SystemClock {
    fn new() -> Self {
        Self::made_at(SystemTime::now())
    }

    /// A clock that is made when the calendar says `date`.
    fn made_at(date: SystemTime) -> Self {
        let since_1970 = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { made: StdInstant::now(), shown: Instant::EPOCH + since_1970 }
    }

    fn now(&self) -> Instant {
        self.shown + self.made.elapsed()
    }

    fn to_std(self, instant: Instant) -> Option<StdInstant> {
        let since: Duration = instant.saturating_duration_since(self.shown);
        self.made.checked_add(since)
    }
}

#[cfg(test)]
mod tests;
