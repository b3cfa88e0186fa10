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
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.2
    //= type=test
    //# Endpoints SHOULD use an initial congestion window of ten times the
    //# maximum datagram size (max_datagram_size), while limiting the window
    //# to the larger of 14,720 bytes or twice the maximum datagram size.
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.2
    //= type=test
    //# If the maximum datagram size changes during the connection, the
    //# initial congestion window SHOULD be recalculated with the new size.
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.2
    //= type=test
    //# If the maximum datagram size is decreased in order to complete the
    //# handshake, the congestion window SHOULD be set to the new initial
    //# congestion window.
    assert_eq!(NewReno::new(1200).window(), 12_000);
    assert_eq!(NewReno::new(1472).window(), 14_720);
    assert_eq!(NewReno::new(1500).window(), 14_720);
    assert_eq!(NewReno::new(9000).window(), 18_000);
    let mut controller = NewReno::new(1200);
    controller.on_mtu_changed(1400);
    assert_eq!(controller.window(), 14_000);
    controller.on_mtu_changed(1200);
    assert_eq!(controller.window(), 12_000);
}

#[test]
fn slow_start_grows_by_what_was_acknowledged_if_the_window_was_used_up() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.8
    //= type=test
    //# When this occurs, the congestion window SHOULD NOT be increased in
    //# either slow start or congestion avoidance.
    let mut controller = NewReno::new(1200);
    controller.on_acked(at(1), &acked(5000, 0), &rtt());
    assert_eq!(controller.window(), 17_000);
    let unlimited = Acked { window_limited: false, ..acked(5000, 0) };
    controller.on_acked(at(1), &unlimited, &rtt());
    assert_eq!(controller.window(), 17_000);
    // Nor does it grow in congestion avoidance.
    controller.on_congestion(at(10), &loss(5));
    let window = controller.window();
    controller.on_acked(at(20), &Acked { window_limited: false, ..acked(90_000, 15) }, &rtt());
    assert_eq!(controller.window(), window);
    controller.on_acked(at(20), &acked(window, 15), &rtt());
    assert!(controller.window() > window);
}

#[test]
fn a_loss_and_a_mark_both_end_slow_start() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.3.1
    //= type=test
    //# The sender MUST exit slow start and enter a recovery period when a
    //# packet is lost or when the ECN-CE count reported by its peer
    //# increases.
    for event in [loss(5), Congestion { ecn: true, lost_bytes: 0, ..loss(5) }] {
        let mut controller = NewReno::new(1200);
        controller.on_congestion(at(10), &event);
        assert_eq!(controller.slow_start_threshold(), Some(controller.window()));
        // It is in recovery: what was sent before neither grows nor reduces the window.
        controller.on_acked(at(11), &acked(6000, 9), &rtt());
        controller.on_congestion(at(11), &loss(9));
        assert_eq!(controller.window(), 6_000);
    }
}

#[test]
fn a_round_trip_has_one_congestion_event_and_no_growth() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.3.2
    //= type=test
    //# On entering a recovery period, a sender MUST set the slow start
    //# threshold to half the value of the congestion window when loss is
    //# detected.
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.3.2
    //= type=test
    //# The congestion window MUST be set to the reduced value of the slow
    //# start threshold before exiting the recovery period.
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
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.3.3
    //= type=test
    //# A sender in congestion avoidance uses an Additive Increase
    //# Multiplicative Decrease (AIMD) approach that MUST limit the increase
    //# to the congestion window to at most one maximum datagram size for each
    //# congestion window that is acknowledged.
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
fn a_window_that_has_outgrown_what_it_was_is_left_alone() {
    let mut controller = NewReno::new(1200);
    controller.on_congestion(at(10), &loss(5));
    for round in 0..10 {
        controller.on_acked(at(20 + round), &acked(controller.window(), 11 + round), &rtt());
    }
    let window = controller.window();
    assert!(window > 12_000);
    controller.on_spurious_congestion(at(50));
    assert_eq!(controller.window(), window);
    assert_eq!(controller.slow_start_threshold(), Some(6_000));
}

#[test]
fn persistent_congestion_leaves_two_datagrams_and_slow_start() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.2
    //= type=test
    //# The RECOMMENDED value is 2 * max_datagram_size.
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.6.2
    //= type=test
    //# When persistent congestion is declared, the sender's congestion window
    //# MUST be reduced to the minimum congestion window (kMinimumWindow),
    //# similar to a TCP sender's response on an RTO [RFC5681].
    let mut controller = NewReno::new(1200);
    controller.on_congestion(at(10), &loss(5));
    controller.on_persistent_congestion(at(10));
    assert_eq!(controller.window(), 2_400);
    controller.on_spurious_congestion(at(11));
    assert_eq!(controller.window(), 2_400);
    controller.on_acked(at(20), &acked(2400, 9), &rtt());
    assert_eq!(controller.window(), 4_800);
}
