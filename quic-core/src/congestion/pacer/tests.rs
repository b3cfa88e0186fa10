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

/// A pacer whose first burst was sent at the epoch.
fn emptied(rate: u64) -> Pacer {
    let mut pacer = Pacer::new(1200);
    let budget = pacer.budget(Instant::EPOCH, rate);
    pacer.on_sent(Instant::EPOCH, budget);
    pacer
}

/// Bytes sent until `end`, by a sender that always has more, whose timers are late by `late`.
fn sent_until(end: Instant, rate: u64, late: Duration) -> u64 {
    let mut pacer = emptied(rate);
    let mut now = Instant::EPOCH;
    let mut sent = 0;
    while now < end {
        let budget = pacer.budget(now, rate);
        if budget == 0 {
            let next = pacer.next_send_time(rate);
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
    assert_eq!(pacer.budget(micros(77), 1), 12_000);
    pacer.on_sent(micros(77), 12_000);
    assert_eq!(pacer.budget(micros(77), 1), 0);
}

#[test]
fn a_pause_after_a_first_burst_without_a_rate_earns_as_any_other() {
    let rate = 240_000;
    let mut pacer = Pacer::new(1200);
    pacer.on_sent(micros(0), 6_000);
    pacer.on_sent(micros(10), 6_000);
    assert_eq!(pacer.budget(micros(40_000), rate), 9_600);
}

#[test]
fn slow_paths_get_two_packets_at_a_time() {
    let rate = 120_000;
    let mut pacer = emptied(rate);
    assert_eq!(pacer.next_send_time(rate), micros(20_000));
    assert_eq!(pacer.budget(micros(19_999), rate), 0);
    assert_eq!(pacer.budget(micros(20_000), rate), 2400);
}

#[test]
fn fast_paths_get_whole_batches() {
    let rate = 1 << 30;
    let mut pacer = emptied(rate);
    assert_eq!(pacer.budget(micros(30), rate), 0);
    let next = pacer.next_send_time(rate);
    assert!(next <= micros(62));
    assert!(pacer.budget(next, rate) >= MAX_BURST);
}

#[test]
fn the_rate_is_kept_even_if_timers_are_a_millisecond_late() {
    for rate in [50_000, 1_000_000, 125_000_000, 1_250_000_000] {
        for late in [Duration::ZERO, Duration::from_millis(1)] {
            let sent = sent_until(micros(1_000_000), rate, late);
            assert!(sent >= rate * 9 / 10, "{sent} of {rate}");
            assert!(sent <= rate + rate / 100 + 12_000, "{sent} of {rate}");
        }
    }
}

#[test]
fn asking_often_loses_no_fractions() {
    let rate = 1_000_000;
    let mut pacer = emptied(rate);
    let mut now = Instant::EPOCH;
    for _ in 0..10_000 {
        now += Duration::from_nanos(333);
        pacer.budget(now, rate);
    }
    assert_eq!(pacer.credit, 3330);
}

#[test]
fn a_short_round_trip_is_not_paced() {
    let rate = Pacer::rate(&Cubic::new(1200), &rtt(Duration::from_micros(50)));
    let mut pacer = Pacer::new(1200);
    for step in 0..100 {
        assert!(pacer.budget(micros(step), rate) >= 1 << 20);
        pacer.on_sent(micros(step), 1 << 20);
    }
}

#[test]
fn the_rate_is_twice_the_window_in_slow_start_and_five_quarters_of_it_after() {
    let mut controller = NewReno::new(1200);
    let rtt = rtt(Duration::from_millis(100));
    assert_eq!(Pacer::rate(&controller, &rtt), 12_000 * 10 * 2);
    controller.on_congestion(
        micros(1),
        &Congestion { newest_sent: micros(0), lost_bytes: 1, in_flight: 0, ecn: false },
    );
    assert_eq!(Pacer::rate(&controller, &rtt), 6_000 * 10 * 5 / 4);
}

proptest! {
    #[test]
    fn no_rate_and_no_time_overflows(
        rate: u64,
        times: Vec<u64>,
        bytes: u64,
        mtu: u16,
        sample: u64,
    ) {
        let mut pacer = Pacer::new(mtu);
        for time in times {
            pacer.budget(Instant::from_nanos(time), rate);
            pacer.on_sent(Instant::from_nanos(time), bytes);
            pacer.next_send_time(rate);
        }
        let rate = Pacer::rate(&Cubic::new(mtu), &rtt(Duration::from_nanos(sample)));
        prop_assert!(rate > 0);
    }
}
