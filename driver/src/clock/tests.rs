use super::*;

const YEAR: Duration = Duration::from_hours(365 * 24);

#[test]
fn clocks_of_different_processes_agree() {
    let before = Clock::new();
    let shown = before.now();
    let after = Clock::new();
    assert!(after.now() >= shown);
    assert!(after.now() - before.now() < Duration::from_mins(1));
}

#[test]
fn a_clock_shows_the_time_since_1970() {
    let clock = Clock::made_at(SystemTime::UNIX_EPOCH + 60 * YEAR);
    let shown = clock.now() - Instant::EPOCH;
    assert!((60 * YEAR..61 * YEAR).contains(&shown), "{shown:?}");
}

#[test]
fn a_calendar_before_1970_is_no_reason_to_stop() {
    let clock = Clock::made_at(SystemTime::UNIX_EPOCH - YEAR);
    let first = clock.now();
    assert!(first - Instant::EPOCH < YEAR);
    assert!(clock.now() >= first);
}

#[test]
fn deadlines_are_the_same_on_the_clock_of_std() {
    let clock = Clock::new();
    let (now, std) = (clock.now(), StdInstant::now());
    let deadline = clock.to_std(now + Duration::from_hours(1)).unwrap();
    let left = deadline.saturating_duration_since(std);
    assert!((3540..=3600).contains(&left.as_secs()), "{left:?}");
    assert!(clock.to_std(Instant::EPOCH).unwrap() <= std);
}
