//! A timer that is a value.

use std::time::Duration;

use crate::instant::Instant;

/// When a component next needs its `handle_timeout`, if ever.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn set(&mut self, at: Instant) {
        self.0 = Some(at);
    }

    pub(crate) fn set_after(&mut self, now: Instant, duration: Duration) {
        self.0 = Some(now + duration);
    }

    pub(crate) fn cancel(&mut self) {
        self.0 = None;
    }

    pub(crate) fn get(self) -> Option<Instant> {
        self.0
    }

    /// Whether the deadline has come; if so, it is cancelled.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        let due = self.0.is_some_and(|at| at <= now);
        if due {
            self.0 = None;
        }
        due
    }
}

/// The earliest of several deadlines.
pub(crate) fn earliest<const N: usize>(deadlines: [Option<Instant>; N]) -> Option<Instant> {
    deadlines.into_iter().fold(None, |first, at| match (first, at) {
        (Some(first), Some(at)) => Some(if at < first { at } else { first }),
        (first, at) => first.or(at),
    })
}
