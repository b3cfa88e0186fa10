use super::*;

const YEAR: Duration = Duration::from_hours(365 * 24);

#[test]
fn clocks_of_different_processes_agree() {
    let before = SystemClock::new();
    let shown = before.now();
    let after = SystemClock::new();
    assert!(after.now() >= shown);
    assert!(after.now() - before.now() < Duration::from_mins(1));
}

#[test]
fn a_clock_shows_the_time_since_1970() {
    let clock = SystemClock::made_at(SystemTime::UNIX_EPOCH + 60 * YEAR);
    let shown = clock.now() - Instant::EPOCH;
    assert!((60 * YEAR..61 * YEAR).contains(&shown), "{shown:?}");
}

#[test]
fn a_calendar_before_1970_is_no_reason_to_stop() {
    let clock = SystemClock::made_at(SystemTime::UNIX_EPOCH - YEAR);
    let first = clock.now();
    assert!(first - Instant::EPOCH < YEAR);
    assert!(clock.now() >= first);
}

#[test]
fn deadlines_are_the_same_on_the_clock_of_std() {
    let clock = SystemClock::new();
    let (now, std) = (clock.now(), StdInstant::now());
    let deadline = clock.to_std(now + Duration::from_hours(1)).unwrap();
    let left = deadline.saturating_duration_since(std);
    assert!((3540..=3600).contains(&left.as_secs()), "{left:?}");
    assert!(clock.to_std(Instant::EPOCH).unwrap() <= std);
}

#[derive(Debug)]
struct Stopped;

impl TimeSource for Stopped {
    fn now(&self) -> Instant {
        Instant::EPOCH + YEAR
    }
}

#[test]
fn a_clock_of_the_callers_own_shows_what_it_says_and_nothing_of_the_system() {
    let clock = Clock::of(Arc::new(Stopped));
    assert_eq!(clock.now(), Instant::EPOCH + YEAR);
    assert_eq!(clock.clone().now(), clock.now());
    assert_eq!(clock.to_std(clock.now()), None);
}

#[test]
fn the_clock_of_the_system_is_the_default_and_clones_show_the_same() {
    let clock = Clock::default();
    let clone = clock.clone();
    let shown = clock.now();
    let later = clone.now();
    assert!((shown..shown + Duration::from_mins(1)).contains(&later));
    assert!(clock.to_std(shown).is_some());
}
