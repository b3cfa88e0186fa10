use std::time::Duration;

use super::*;

fn at(millis: u64) -> Instant {
    Instant::EPOCH + Duration::from_millis(millis)
}

fn acked(bytes: u64, newest_sent: u64) -> Acked {
    Acked {
        bytes,
        newest_sent: at(newest_sent),
        window_limited: true,
        in_flight: bytes,
        round_trip: None,
        rate: None,
    }
}

fn loss(newest_sent: u64) -> Congestion {
    Congestion { newest_sent: at(newest_sent), lost_bytes: 1200, in_flight: 1200, ecn: false }
}

fn rtt() -> Rtt {
    Rtt::new(Duration::from_millis(100))
}

#[test]
fn the_initial_window_is_that_of_the_rfc() {
    assert_eq!(NewReno::new(1200).window(), 12_000);
    assert_eq!(NewReno::new(1472).window(), 14_720);
    assert_eq!(NewReno::new(1500).window(), 14_720);
    assert_eq!(NewReno::new(9000).window(), 18_000);
    let mut controller = NewReno::new(1200);
    controller.on_mtu_changed(1400);
    assert_eq!(controller.window(), 14_000);
}

#[test]
fn slow_start_grows_by_what_was_acknowledged_if_the_window_was_used_up() {
    let mut controller = NewReno::new(1200);
    controller.on_acked(at(1), &acked(5000, 0), &rtt());
    assert_eq!(controller.window(), 17_000);
    let unlimited = Acked { window_limited: false, ..acked(5000, 0) };
    controller.on_acked(at(1), &unlimited, &rtt());
    assert_eq!(controller.window(), 17_000);
}

#[test]
fn a_round_trip_has_one_congestion_event_and_no_growth() {
    let mut controller = NewReno::new(1200);
    controller.on_congestion(at(10), &loss(5));
    assert_eq!(controller.window(), 6_000);
    assert_eq!(controller.slow_start_threshold(), Some(6_000));
    controller.on_congestion(at(11), &loss(10));
    controller.on_acked(at(12), &acked(6000, 10), &rtt());
    assert_eq!(controller.window(), 6_000);
    controller.on_congestion(at(20), &loss(11));
    assert_eq!(controller.window(), 3_000);
}

#[test]
fn congestion_avoidance_adds_a_datagram_a_window() {
    let mut controller = NewReno::new(1200);
    controller.on_congestion(at(10), &loss(5));
    controller.on_acked(at(20), &acked(3000, 11), &rtt());
    assert_eq!(controller.window(), 6_000);
    controller.on_acked(at(21), &acked(3000, 12), &rtt());
    assert_eq!(controller.window(), 7_200);
}

#[test]
fn a_spurious_event_is_undone_once_but_not_one_with_ecn_marks() {
    let mut controller = NewReno::new(1200);
    controller.on_congestion(at(10), &loss(5));
    controller.on_spurious_congestion(at(11));
    assert_eq!(controller.window(), 12_000);
    assert_eq!(controller.slow_start_threshold(), None);
    controller.on_congestion(at(10), &loss(5));
    controller.on_congestion(at(11), &Congestion { ecn: true, ..loss(6) });
    controller.on_spurious_congestion(at(12));
    assert_eq!(controller.window(), 6_000);
}

#[test]
fn persistent_congestion_leaves_two_datagrams_and_slow_start() {
    let mut controller = NewReno::new(1200);
    controller.on_congestion(at(10), &loss(5));
    controller.on_persistent_congestion(at(10));
    assert_eq!(controller.window(), 2_400);
    controller.on_spurious_congestion(at(11));
    assert_eq!(controller.window(), 2_400);
    controller.on_acked(at(20), &acked(2400, 9), &rtt());
    assert_eq!(controller.window(), 4_800);
}
