use proptest::prelude::*;

use super::*;
use crate::congestion::{Congestion, Cubic, NewReno};

fn micros(micros: u64) -> Instant {
    Instant::EPOCH + Duration::from_micros(micros)
}

fn rtt(sample: Duration) -> Rtt {
    let mut rtt = Rtt::new(Duration::from_millis(333));
    rtt.update(Instant::EPOCH, sample, Duration::ZERO);
    rtt
}

/// A rate in a window that leaves it alone.
fn pace(rate: u64) -> Pace {
    Pace { rate, window: u64::MAX }
}

/// A pacer whose first burst was sent at the epoch.
fn emptied(pace: Pace) -> Pacer {
    let mut pacer = Pacer::new(1200);
    let budget = pacer.budget(Instant::EPOCH, pace);
    pacer.on_sent(Instant::EPOCH, budget);
    pacer
}

/// Bytes sent until `end`, by a sender that always has more, whose timers are late by `late`.
fn sent_until(end: Instant, pace: Pace, late: Duration) -> u64 {
    let mut pacer = emptied(pace);
    let mut now = Instant::EPOCH;
    let mut sent = 0;
    while now < end {
        let budget = pacer.budget(now, pace);
        if budget == 0 {
            let next = pacer.next_send_time(pace);
            assert!(next > now);
            now = next + late;
        } else {
            pacer.on_sent(now, budget);
            sent += budget;
        }
    }
    sent
}

#[test]
fn the_first_ten_packets_are_free() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.7
    //= type=test
    //# Senders SHOULD limit bursts to the initial congestion window; see
    //# Section 7.2.
    let mut pacer = Pacer::new(1200);
    assert_eq!(pacer.budget(micros(77), pace(1)), 12_000);
    pacer.on_sent(micros(77), 12_000);
    assert_eq!(pacer.budget(micros(77), pace(1)), 0);
}

#[test]
fn a_pause_after_a_first_burst_without_a_rate_earns_as_any_other() {
    let pace = pace(240_000);
    let mut pacer = Pacer::new(1200);
    pacer.on_sent(micros(0), 6_000);
    pacer.on_sent(micros(10), 6_000);
    assert_eq!(pacer.budget(micros(40_000), pace), 9_600);
}

#[test]
fn slow_paths_get_two_packets_at_a_time() {
    let pace = pace(120_000);
    let mut pacer = emptied(pace);
    assert_eq!(pacer.next_send_time(pace), micros(20_000));
    assert_eq!(pacer.budget(micros(19_999), pace), 0);
    assert_eq!(pacer.budget(micros(20_000), pace), 2400);
}

#[test]
fn fast_paths_get_whole_batches() {
    let pace = pace(1 << 30);
    let mut pacer = emptied(pace);
    assert_eq!(pacer.budget(micros(30), pace), 0);
    let next = pacer.next_send_time(pace);
    assert!(next <= micros(62));
    assert!(pacer.budget(next, pace) >= MAX_BURST);
}

#[test]
fn the_rate_is_kept_up_to_a_gigabit_even_if_timers_are_a_millisecond_late() {
    for rate in [50_000, 1_000_000, 125_000_000, 1_250_000_000] {
        let late = if rate <= 125_000_000 { 1_000 } else { 100 };
        for late in [Duration::ZERO, Duration::from_micros(late)] {
            let sent = sent_until(micros(1_000_000), pace(rate), late);
            assert!(sent >= rate * 9 / 10, "{sent} of {rate}");
            assert!(sent <= rate + rate / 100 + 12_000, "{sent} of {rate}");
        }
    }
}

#[test]
fn half_a_window_is_enough_to_go_on() {
    let pace = Pace { rate: 10_000_000, window: 12_000 };
    let mut pacer = emptied(pace);
    assert_eq!(pacer.next_send_time(pace), micros(600));
    assert_eq!(pacer.budget(micros(599), pace), 0);
    assert_eq!(pacer.budget(micros(600), pace), 6000);
}

#[test]
fn asking_often_loses_no_fractions() {
    let pace = pace(1_000_000);
    let mut pacer = emptied(pace);
    let mut now = Instant::EPOCH;
    for _ in 0..10_000 {
        now += Duration::from_nanos(333);
        pacer.budget(now, pace);
    }
    assert_eq!(pacer.credit, 3330);
}

#[test]
fn the_next_time_is_the_same_whenever_it_is_asked_for() {
    let pace = pace(1_000_000);
    let mut pacer = emptied(pace);
    // Half of the first byte is earned.
    assert_eq!(pacer.budget(Instant::from_nanos(500), pace), 0);
    assert_eq!(pacer.next_send_time(pace), micros(2_400));
}

#[test]
fn who_pauses_for_long_earns_no_fraction_beyond_the_most() {
    let pace = pace(1_000_000);
    let mut pacer = emptied(pace);
    let now = Instant::from_nanos(1_000_000_500);
    assert_eq!(pacer.budget(now, pace), 12_000);
    pacer.on_sent(now, 12_000);
    assert_eq!(pacer.next_send_time(pace), now + Duration::from_micros(2_400));
}

#[test]
fn a_time_that_comes_late_earns_nothing_twice() {
    let pace = pace(1_000_000);
    let mut pacer = emptied(pace);
    for now in [2_000, 1_000, 2_000, 2_399] {
        assert_eq!(pacer.budget(micros(now), pace), 0);
        assert_eq!(pacer.next_send_time(pace), micros(2_400));
    }
    assert_eq!(pacer.budget(micros(2_400), pace), 2_400);
}

#[test]
fn packets_count_as_long_as_the_path_carries_and_as_1200_bytes_at_least() {
    let pace = pace(120_000);
    assert_eq!(Pacer::new(0).budget(micros(0), pace), 12_000);
    let mut pacer = emptied(pace);
    for (mtu, wait) in [(9000, 150_000), (100, 20_000)] {
        pacer.on_mtu_changed(mtu);
        assert_eq!(pacer.next_send_time(pace), micros(wait));
    }
}

#[test]
fn a_burst_is_limited_however_short_the_round_trip() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.7
    //= type=test
    //# Senders MUST either use pacing or limit such bursts.
    let pace = Pace::of(&Cubic::new(1200), &rtt(Duration::from_micros(50)));
    let mut pacer = emptied(pace);
    for step in 1..100 {
        let now = Instant::EPOCH + Duration::from_secs(step);
        let budget = pacer.budget(now, pace);
        assert!((1..=MAX_CREDIT).contains(&budget), "{budget}");
        pacer.on_sent(now, budget);
        assert_eq!(pacer.budget(now, pace), 0);
    }
}

#[test]
fn the_rate_is_twice_the_window_in_slow_start_and_five_quarters_of_it_after() {
    let mut controller = NewReno::new(1200);
    let rtt = rtt(Duration::from_millis(100));
    assert_eq!(Pace::of(&controller, &rtt).rate, 12_000 * 10 * 2);
    controller.on_congestion(
        micros(1),
        &Congestion { newest_sent: micros(0), lost_bytes: 1, in_flight: 0, ecn: false },
    );
    assert_eq!(Pace::of(&controller, &rtt).rate, 6_000 * 10 * 5 / 4);
}

proptest! {
    #[test]
    fn no_rate_and_no_time_overflows(
        rate in 1u64..,
        window: u64,
        times: Vec<u64>,
        bytes: u64,
        mtu: u16,
        sample: u64,
    ) {
        let pace = Pace { rate, window };
        let mut pacer = Pacer::new(mtu);
        for time in times {
            pacer.budget(Instant::from_nanos(time), pace);
            pacer.on_sent(Instant::from_nanos(time), bytes);
            pacer.next_send_time(pace);
            prop_assert!(pacer.burst(pace) <= pacer.capacity(pace));
        }
        let pace = Pace::of(&Cubic::new(mtu), &rtt(Duration::from_nanos(sample)));
        prop_assert!(pace.rate > 0);
    }
}
