use proptest::prelude::*;

use super::super::NewReno;
use super::*;
use crate::net::MINIMUM_MTU;

const MTU: u16 = 1250;

fn at(millis: u64) -> Instant {
    Instant::EPOCH + Duration::from_millis(millis)
}

fn rtt(millis: u64) -> Rtt {
    let mut rtt = Rtt::new(Duration::from_millis(333));
    rtt.update(Instant::EPOCH, Duration::from_millis(millis), Duration::ZERO);
    rtt
}

fn acked(bytes: u64, newest_sent: Instant) -> Acked {
    Acked {
        bytes,
        newest_sent,
        window_limited: true,
        in_flight: bytes,
        round_trip: None,
        rate: None,
    }
}

fn sent(bytes: u64, in_flight: u64) -> Sent {
    Sent { bytes, in_flight, app_limited: false }
}

fn loss(newest_sent: Instant) -> Congestion {
    Congestion { newest_sent, lost_bytes: 1250, in_flight: 1250, ecn: false }
}

/// A controller whose window was `datagrams` when it lost a packet at 1 s.
fn after_loss_at(datagrams: u64) -> Cubic {
    let mut cubic = Cubic::new(MTU);
    let missing = datagrams * u64::from(MTU) - cubic.window();
    cubic.on_acked(at(0), &acked(missing, at(0)), &rtt(100));
    assert_eq!(cubic.window(), datagrams * u64::from(MTU));
    cubic.on_congestion(at(1000), &loss(at(999)));
    cubic
}

/// Acknowledges a window each round trip, in ten ACK frames, from `from` to `to`.
fn acknowledge(cubic: &mut Cubic, from: u64, to: u64, round_trip: u64) {
    let rtt = rtt(round_trip);
    for round in (from..to).step_by(usize::try_from(round_trip).unwrap()) {
        for part in 0..10 {
            let now = at(round + part * round_trip / 10);
            cubic.on_acked(now, &acked(cubic.window() / 10, now), &rtt);
        }
    }
}

#[test]
fn the_window_follows_the_cubic_curve() {
    let mut cubic = after_loss_at(1000);
    assert_eq!(cubic.window(), 875_000);
    // K = cbrt(300 / 0.4), about 9.1 s.
    let k = (300.0 / C).cbrt();
    acknowledge(&mut cubic, 1100, 12_100, 100);
    // The curve is aimed at for one round trip later.
    let curve = C * (11.1 - k).powi(3) + 1000.0;
    let window = to_float(cubic.window()) / f64::from(MTU);
    assert!((window - curve).abs() < 5.0, "{window} datagrams instead of {curve}");
}

#[test]
fn growth_pauses_around_the_plateau() {
    let mut cubic = after_loss_at(1000);
    acknowledge(&mut cubic, 1100, 9_100, 100);
    let before = cubic.window();
    acknowledge(&mut cubic, 9_100, 11_100, 100);
    assert!(before > 1_245_000 && cubic.window() < 1_255_000);
}

#[test]
fn on_short_paths_it_is_at_least_as_fast_as_reno() {
    let mut cubic = after_loss_at(20);
    let start = cubic.window();
    acknowledge(&mut cubic, 1010, 1510, 10);
    // 50 round trips at ALPHA datagrams each, and one each above the old window.
    let reno = start + to_bytes(50.0 * ALPHA * f64::from(MTU));
    assert!(cubic.window() >= reno * 95 / 100, "{} < {reno}", cubic.window());
}

#[test]
fn a_window_that_did_not_recover_converges_faster() {
    let mut cubic = after_loss_at(1000);
    cubic.on_congestion(at(1200), &loss(at(1100)));
    let plateau = cubic.state.plateau;
    assert!((plateau - 875_000.0 * 0.85).abs() < 2.0, "{plateau}");
}

#[test]
fn time_in_which_the_window_was_not_used_does_not_count() {
    let mut busy = after_loss_at(1000);
    acknowledge(&mut busy, 1100, 3_100, 100);
    let mut pausing = busy.clone();
    acknowledge(&mut busy, 3_100, 5_100, 100);
    // Ten minutes with less to send than the window permits.
    let unused = Acked { window_limited: false, ..acked(1250, at(3_100)) };
    pausing.on_acked(at(3_100), &unused, &rtt(100));
    pausing.on_acked(at(300_000), &unused, &rtt(100));
    acknowledge(&mut pausing, 603_100, 605_100, 100);
    assert!(pausing.window() <= busy.window() * 101 / 100);
    assert!(pausing.window() >= busy.window() * 99 / 100);
}

#[test]
fn idle_time_does_not_count() {
    let mut busy = after_loss_at(1000);
    acknowledge(&mut busy, 1100, 3_100, 100);
    let mut idle = busy.clone();
    acknowledge(&mut busy, 3_100, 5_100, 100);
    idle.on_acked(at(3_100), &Acked { in_flight: 0, ..acked(1250, at(3_090)) }, &rtt(100));
    idle.on_sent(at(603_100), &sent(1250, 1250));
    acknowledge(&mut idle, 603_100, 605_100, 100);
    assert!(idle.window() <= busy.window() * 101 / 100);
    assert!(idle.window() >= busy.window() * 99 / 100);
}

#[test]
fn a_spurious_event_restores_all_that_was_known() {
    let mut cubic = after_loss_at(1000);
    acknowledge(&mut cubic, 1100, 3_100, 100);
    let before = cubic.clone();
    cubic.on_congestion(at(3_100), &loss(at(3_050)));
    assert!(cubic.window() < before.window());
    cubic.on_spurious_congestion(at(3_150));
    assert_eq!(format!("{:?}", cubic.state), format!("{:?}", before.state));
}

#[test]
fn a_window_that_has_outgrown_what_it_was_is_left_alone() {
    let mut cubic = after_loss_at(10);
    acknowledge(&mut cubic, 1100, 9_100, 100);
    assert!(cubic.window() > 10 * u64::from(MTU));
    let before = cubic.clone();
    cubic.on_spurious_congestion(at(9_150));
    assert_eq!(format!("{:?}", cubic.state), format!("{:?}", before.state));
}

#[test]
fn after_persistent_congestion_it_starts_slowly_up_to_the_threshold() {
    let mut cubic = after_loss_at(1000);
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.6.2
    //= type=test
    //# When persistent congestion is declared, the sender's congestion window
    //# MUST be reduced to the minimum congestion window (kMinimumWindow),
    //# similar to a TCP sender's response on an RTO [RFC5681].
    cubic.on_persistent_congestion(at(1000));
    assert_eq!(cubic.window(), 2 * u64::from(MTU));
    cubic.on_acked(at(1100), &acked(2500, at(1050)), &rtt(100));
    assert_eq!(cubic.window(), 5000);
    cubic.on_acked(at(1200), &acked(1 << 40, at(1150)), &rtt(100));
    assert_eq!(Some(cubic.window()), cubic.slow_start_threshold());
}

#[derive(Clone, Debug)]
enum Step {
    Sent(u64, u64),
    Acked(u64, u64, bool, u64),
    Congestion(u64, bool),
    Spurious,
    Persistent,
    Mtu(u16),
}

fn extreme() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), 0..1_000_000_u64]
}

fn step() -> impl Strategy<Value = (u64, Step)> {
    let step = prop_oneof![
        1 => (extreme(), extreme()).prop_map(|(bytes, in_flight)| Step::Sent(bytes, in_flight)),
        6 => (extreme(), extreme(), any::<bool>(), extreme())
            .prop_map(|(bytes, sent, limited, flight)| Step::Acked(bytes, sent, limited, flight)),
        1 => (extreme(), any::<bool>()).prop_map(|(sent, ecn)| Step::Congestion(sent, ecn)),
        1 => Just(Step::Spurious),
        1 => Just(Step::Persistent),
        1 => any::<u16>().prop_map(Step::Mtu),
    ];
    (extreme(), step)
}

fn apply(controller: &mut dyn CongestionController, now: Instant, step: &Step, rtt: &Rtt) {
    match *step {
        Step::Sent(bytes, in_flight) => controller.on_sent(now, &sent(bytes, in_flight)),
        Step::Acked(bytes, newest_sent, window_limited, in_flight) => {
            let newest_sent = Instant::from_nanos(newest_sent);
            let acked = Acked { window_limited, in_flight, ..acked(bytes, newest_sent) };
            controller.on_acked(now, &acked, rtt);
        }
        Step::Congestion(newest_sent, ecn) => {
            let newest_sent = Instant::from_nanos(newest_sent);
            let event = Congestion { newest_sent, lost_bytes: 1, in_flight: 0, ecn };
            controller.on_congestion(now, &event);
        }
        Step::Spurious => controller.on_spurious_congestion(now),
        Step::Persistent => controller.on_persistent_congestion(now),
        Step::Mtu(mtu) => controller.on_mtu_changed(mtu),
    }
}

proptest! {
    #[test]
    fn the_window_stays_within_its_bounds_whatever_happens(
        mtu: u16,
        sample in extreme(),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut rtt = Rtt::new(Duration::from_nanos(sample));
        rtt.update(Instant::EPOCH, Duration::from_nanos(sample), Duration::ZERO);
        let mut cubic = Cubic::new(mtu);
        let mut reno = NewReno::new(mtu);
        for (now, step) in steps {
            for controller in [&mut cubic as &mut dyn CongestionController, &mut reno] {
                apply(controller, Instant::from_nanos(now), &step, &rtt);
                prop_assert!(controller.window() >= 2 * u64::from(MINIMUM_MTU));
                prop_assert!(controller.window() <= MAX_WINDOW);
            }
            prop_assert!(cubic.state.fraction.is_finite() && cubic.state.plateau.is_finite());
        }
    }
}
