//! The time to go by in a connection.

use super::Connection;
use crate::instant::Instant;

/// The latest time that anyone brought. Callers may take theirs before they wait for a lock, and
/// the application's clock may have been set back while its manager's time went on.
#[derive(Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn new(now: Instant) -> Self {
        Self(now)
    }

    /// The time is `now`, unless it was later already.
    pub(super) fn advance(&mut self, now: Instant) -> Instant {
        self.0 = self.0.max(now);
        self.0
    }
}

impl Connection {
    /// Tells the time before the application acts, which may bring an earlier one.
    pub(crate) fn tell_time(&mut self, now: Instant) {
        self.clock.advance(now);
    }
}
