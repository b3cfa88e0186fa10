//! The time of a map, which goes on although the caller's clock is set back.

use std::time::Duration;

use smallvec::SmallVec;

use crate::instant::Instant;

/// How long only a clock that went back may have been heard of, before it is taken to have been set
/// back for good.
const PROOF: Duration = Duration::from_secs(1);
/// Clocks that went back and may still turn out to be the right one.
const MOST_LINES: usize = 3;

/// The time to go by. It never goes back: callers may take theirs before they wait for a lock, and
/// clocks are set back.
///
/// Of those two, only the second goes on for long: then time passes here as it does there, from
/// where it was. What comes late, by either clock, neither stops nor hurries it.
#[derive(Debug)]
pub(super) struct Clock {
    latest: Instant,
    /// Ways to read times that lie before the latest one; each went back further than those before
    /// it. The last one was heard of last.
    lines: SmallVec<[Line; MOST_LINES]>,
}

/// A clock that went back.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// How much later it is here than there.
    ahead: Duration,
    /// When it went back, in the time that it was here.
    since: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { latest: Instant::EPOCH, lines: SmallVec::new() }
    }

    /// The latest time so far.
    pub(super) fn latest(&self) -> Instant {
        self.latest
    }

    /// Takes the caller's time; returns the time to go by.
    #[inline]
    pub(super) fn advance(&mut self, now: Instant) -> Instant {
        if now < self.latest {
            self.go_back(now);
            return self.latest;
        }
        self.latest = now;
        if !self.lines.is_empty() {
            self.lines.clear();
        }
        now
    }

    #[cold]
    fn go_back(&mut self, now: Instant) {
        let goes_on = |line: &Line| now + line.ahead >= self.latest;
        let found = self.lines.iter().copied().enumerate().find(|(_, line)| goes_on(line));
        let Some((index, line)) = found else {
            self.lines.truncate(MOST_LINES - 1);
            self.lines.push(Line { ahead: self.latest - now, since: self.latest });
            return;
        };
        self.latest = now + line.ahead;
        // What went back further came late.
        self.lines.truncate(index + 1);
        if self.latest - line.since >= PROOF {
            self.lines.drain(..index);
        }
    }

    /// What the caller's clock shows when it is `at` here.
    pub(super) fn shown(&self, at: Instant) -> Instant {
        self.lines.last().map_or(at, |line| at - line.ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn at(millis: u64) -> Instant {
        Instant::EPOCH + Duration::from_millis(millis)
    }

    /// A clock that has come to two hours.
    fn two_hours() -> Clock {
        let mut clock = Clock::new();
        assert_eq!(clock.advance(at(2 * HOUR)), at(2 * HOUR));
        clock
    }

    #[test]
    fn time_goes_on_from_where_it_was_when_the_clock_is_set_back() {
        let mut clock = two_hours();
        for millis in (0..10_000).step_by(100) {
            assert_eq!(clock.advance(at(HOUR + millis)), at(2 * HOUR + millis));
            assert_eq!(clock.shown(at(2 * HOUR + millis + 5)), at(HOUR + millis + 5));
        }
        // Once more, and a little at a time.
        assert_eq!(clock.advance(at(1000)), at(2 * HOUR + 9_900));
        assert_eq!(clock.advance(at(3000)), at(2 * HOUR + 11_900));
        assert_eq!(clock.advance(at(2999)), at(2 * HOUR + 11_900));
        assert_eq!(clock.advance(at(3000)), at(2 * HOUR + 11_900));
        assert_eq!(clock.shown(at(2 * HOUR + 11_900)), at(3000));
    }

    #[test]
    fn a_time_that_comes_late_stops_nothing_and_hurries_nothing() {
        let mut clock = two_hours();
        for millis in 1..10_000 {
            assert!(clock.advance(at(HOUR + millis)) < at(2 * HOUR + millis));
            assert_eq!(clock.advance(at(2 * HOUR + millis)), at(2 * HOUR + millis));
            assert_eq!(clock.shown(at(3 * HOUR)), at(3 * HOUR));
        }
    }

    #[test]
    fn a_time_that_comes_late_does_not_hurry_a_clock_that_was_set_back() {
        for late in [1, 900, HOUR / 2] {
            let mut clock = two_hours();
            assert_eq!(clock.advance(at(HOUR)), at(2 * HOUR));
            for millis in 1..10_000 {
                assert_eq!(clock.advance(at(HOUR + millis - late)), at(2 * HOUR + millis - 1));
                assert_eq!(clock.advance(at(HOUR + millis)), at(2 * HOUR + millis));
                assert_eq!(clock.shown(at(3 * HOUR)), at(2 * HOUR));
            }
            assert_eq!(clock.lines.len(), 1);
        }
    }

    #[test]
    fn a_clock_that_went_back_further_is_gone_by_alone_only_after_a_second() {
        let set_back_twice = |for_millis| {
            let mut clock = two_hours();
            assert_eq!(clock.advance(at(HOUR)), at(2 * HOUR));
            assert_eq!(clock.advance(at(HOUR / 2)), at(2 * HOUR));
            for millis in (0..=for_millis).step_by(100) {
                assert_eq!(clock.advance(at(HOUR / 2 + millis)), at(2 * HOUR + millis));
                // Who asks is told by the clock that was heard of last.
                assert_eq!(clock.shown(at(3 * HOUR)), at(3 * HOUR / 2));
            }
            clock
        };
        // That was somebody late, by the first clock.
        let mut clock = set_back_twice(900);
        assert_eq!(clock.advance(at(HOUR + 950)), at(2 * HOUR + 950));
        assert_eq!(clock.shown(at(3 * HOUR)), at(2 * HOUR));
        // That was the clock, once more.
        let clock = set_back_twice(1000);
        assert_eq!(clock.lines.len(), 1);
    }

    #[test]
    fn of_clocks_that_go_back_again_and_again_three_are_remembered() {
        let mut clock = two_hours();
        for back in 1..=100 {
            assert_eq!(clock.advance(at(2 * HOUR - 1000 * back)), at(2 * HOUR));
            assert!(clock.lines.len() <= MOST_LINES);
        }
    }

    #[test]
    fn a_clock_that_is_right_again_is_gone_by_again() {
        let mut clock = two_hours();
        assert_eq!(clock.advance(at(HOUR)), at(2 * HOUR));
        assert_eq!(clock.advance(at(HOUR + 5000)), at(2 * HOUR + 5000));
        assert_eq!(clock.advance(at(2 * HOUR + 5000)), at(2 * HOUR + 5000));
        assert_eq!(clock.shown(at(3 * HOUR)), at(3 * HOUR));
        assert_eq!(clock.advance(at(4 * HOUR)), at(4 * HOUR));
    }

    #[test]
    fn the_ends_of_time_are_survived() {
        let mut clock = Clock::new();
        assert_eq!(clock.advance(Instant::FAR_FUTURE), Instant::FAR_FUTURE);
        assert_eq!(clock.advance(Instant::EPOCH), Instant::FAR_FUTURE);
        assert_eq!(clock.advance(Instant::FAR_FUTURE), Instant::FAR_FUTURE);
        assert_eq!(clock.shown(Instant::EPOCH), Instant::EPOCH);
    }
}
