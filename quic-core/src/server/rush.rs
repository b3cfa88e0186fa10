//! How fast clients come that prove nothing of their address (RFC 9000 §8.1.2, §21.2).

use std::time::Duration;

use crate::instant::Instant;

/// For so long clients are counted before the count begins anew. Who comes before it is too high is
/// taken at his word, so this bounds by how much a flood holds up others when it begins.
const WINDOW: Duration = Duration::from_millis(100);
const WINDOWS_PER_SECOND: u32 = 10;
/// How long a rush lasts after the count was too high, so that a flood in pulses gains little.
const AFTERMATH: Duration = Duration::from_secs(1);

/// Whether clients come faster than they can be taken at their word.
#[derive(Debug, Default)]
pub(super) struct Rush {
    window_until: Instant,
    count: u32,
    until: Instant,
}

impl Rush {
    /// Counts a client that proves nothing of its address; returns whether it is one of a rush.
    pub(super) fn count(&mut self, now: Instant, per_second: u32) -> bool {
        if now >= self.window_until {
            self.window_until = now + WINDOW;
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        if self.count > per_second.div_ceil(WINDOWS_PER_SECOND) {
            self.until = now + AFTERMATH;
        }
        now < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_nanos(7_000_000_000);

    /// How many clients of one per `interval` are taken at their word.
    fn taken(rush: &mut Rush, from: Instant, interval: Duration, clients: u32) -> usize {
        let times = (0..clients).map(|number| from + interval * number);
        times.filter(|now| !rush.count(*now, 2000)).count()
    }

    #[test]
    fn clients_that_come_slowly_enough_are_taken_at_their_word() {
        let interval = Duration::from_micros(500);
        assert_eq!(taken(&mut Rush::default(), START, interval, 20_000), 20_000);
    }

    #[test]
    fn of_a_flood_only_those_of_the_first_window_are_taken() {
        let interval = Duration::from_micros(10);
        assert_eq!(taken(&mut Rush::default(), START, interval, 500_000), 200);
    }

    #[test]
    fn a_rush_is_over_a_second_after_the_count_was_too_high() {
        let mut rush = Rush::default();
        assert_eq!(taken(&mut rush, START, Duration::ZERO, 201), 200);
        let end = START + AFTERMATH;
        assert!(rush.count(end - Duration::from_nanos(1), 2000));
        assert!(!rush.count(end, 2000));
    }

    #[test]
    fn a_flood_in_pulses_is_one_rush_for_most_of_the_time() {
        let mut rush = Rush::default();
        let pulses = (0..100).map(|pulse| START + Duration::from_millis(200) * pulse);
        let taken: usize =
            pulses.map(|pulse| taken(&mut rush, pulse, Duration::from_micros(10), 5000)).sum();
        assert!(taken <= 200 * 18, "{taken} of 500,000 within 20 seconds");
    }

    #[test]
    fn a_limit_of_zero_takes_nobody_at_his_word() {
        assert!(Rush::default().count(START, 0));
    }
}
