//! What a host's clock shows.

use std::time::Duration;

use quic_core::Instant;

/// Parts of a million: the rate of a clock that is right.
const RIGHT: u64 = 1_000_000;

/// The clock of a host, as a line through the last point at which it was set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// When it was set, and what it showed then.
    set: Instant,
    shown: Instant,
    /// How fast it goes, in parts of a million; 0: it is frozen.
    rate: u64,
}

impl Clock {
    pub(super) fn right() -> Self {
        Self { set: Instant::EPOCH, shown: Instant::EPOCH, rate: RIGHT }
    }

    /// What it shows at a time.
    pub(super) fn shows(&self, now: Instant) -> Instant {
        let passed = scale(now - self.set, self.rate, RIGHT, false);
        self.shown + passed
    }

    /// When it shows `shown`; `None` if it never does.
    pub(super) fn when(&self, shown: Instant) -> Option<Instant> {
        let missing = shown - self.shown;
        if missing.is_zero() {
            return Some(self.set);
        }
        (self.rate > 0).then(|| self.set + scale(missing, RIGHT, self.rate, true))
    }

    /// Lets it show something else from now on.
    pub(super) fn set(&mut self, now: Instant, shown: Instant) {
        (self.set, self.shown) = (now, shown);
    }

    pub(super) fn set_rate(&mut self, now: Instant, rate: u64) {
        self.set(now, self.shows(now));
        self.rate = rate;
    }
}

/// The time times a fraction, rounded down or up.
fn scale(time: Duration, numerator: u64, denominator: u64, up: bool) -> Duration {
    let round = if up { u128::from(denominator) - 1 } else { 0 };
    let nanos = (time.as_nanos() * u128::from(numerator) + round) / u128::from(denominator);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
