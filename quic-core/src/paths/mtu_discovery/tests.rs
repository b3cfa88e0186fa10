use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Instant {
    Instant::EPOCH + Duration::from_secs(seconds)
}

fn enabled(base: u16, bound: u16) -> MtuDiscovery {
    let mut mtu = MtuDiscovery::new(base, bound);
    mtu.enable();
    mtu.want();
    mtu
}

/// Probes a path that carries `truth`; returns the sizes tried.
fn search(mtu: &mut MtuDiscovery, now: Instant, truth: u16) -> Vec<u16> {
    let mut tried = Vec::new();
    while let Some(size) = mtu.poll_probe(now, u64::MAX) {
        assert_eq!(mtu.poll_probe(now, u64::MAX), None, "one probe at a time");
        if size <= truth {
            assert!(mtu.on_probe_acked(size));
        } else {
            mtu.on_probe_lost(size);
        }
        tried.push(size);
        assert!(tried.len() <= 60, "the search does not end");
    }
    tried
}

proptest! {
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# It is RECOMMENDED that methods avoid forcing an application to use an
    //# arbitrary small MPS for transmission while the method is searching for
    //# the currently supported PLPMTU.
    #[test]
    fn the_search_finds_what_the_path_carries(
        bound in 1200u16..=65_527,
        part in 0.0f64..=1.0,
    ) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        let truth = 1200 + (f64::from(bound - 1200) * part) as u16;
        let mut mtu = enabled(1200, bound);
        let tried = search(&mut mtu, at(0), truth);
        prop_assert!(mtu.current() <= truth);
        prop_assert!(truth - mtu.current() < GRANULARITY);
        prop_assert!(truth < bound || mtu.current() == bound);
        prop_assert!(tried.iter().all(|size| *size > 1200 && *size <= bound));
        prop_assert_eq!(mtu.deadline().is_some(), mtu.current() < bound);
    }

    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# Datagram reordering: A method is REQUIRED to be robust to the
    //# possibility that a flow encounters reordering or that the traffic
    //# (including probe packets) is divided over more than one network path.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# Datagram delay and duplication: The feedback mechanism is REQUIRED to
    //# be robust to the possibility that packets could be significantly
    //# delayed or duplicated along a network path.
    #[test]
    fn no_event_leads_out_of_bounds(
        events in prop::collection::vec((0u8..9, 0u16..2000, 0u64..2000), 0..200),
    ) {
        let mut mtu = enabled(1300, 1500);
        for (event, size, seconds) in events {
            let before = mtu.current();
            let changed = match event {
                0 => { mtu.poll_probe(at(seconds), (size * 2).into()); false }
                1 => mtu.on_probe_acked(size),
                2 => { mtu.on_probe_lost(size); false }
                3 => { mtu.on_acked(size); false }
                4 => mtu.on_lost(size, at(seconds)),
                5 => mtu.on_persistent_loss(at(seconds)),
                6 => mtu.on_refused(size),
                7 => { mtu.on_limit(size); false }
                _ => { mtu.handle_timeout(at(seconds)); false }
            };
            prop_assert_eq!(changed, mtu.current() != before);
            prop_assert!((1200..=1500).contains(&mtu.current()));
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-14.2
//= type=test
//# An endpoint SHOULD use DPLPMTUD (Section 14.3) or PMTUD (Section
//# 14.2.1) to determine whether the path to a destination will support a
//# desired maximum datagram size without fragmentation.
//= https://www.rfc-editor.org/rfc/rfc8899#section-5.3.2
//= type=test
//# Implementations SHOULD select the set of probe packet sizes to
//# maximize the gain in PLPMTU from each search step.
//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# When the transmission of probe packets is not controlled by the
//# congestion controller, the interval between probe packets MUST be at
//# least one RTT.
//= https://www.rfc-editor.org/rfc/rfc8899#section-8
//= type=test
//# To avoid excessive load, the interval between individual probe packets
//# MUST be at least one RTT, and the interval between rounds of probing
//# is determined by the PMTU_RAISE_TIMER.
#[test]
fn the_bound_is_tried_first_and_three_times() {
    let mut mtu = enabled(1200, 1452);
    assert_eq!(search(&mut mtu, at(0), 1452), [1452]);
    let mut mtu = enabled(1200, 1452);
    assert_eq!(search(&mut mtu, at(0), 1400)[..4], [1452, 1452, 1452, 1326]);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-14.2
//= type=test
//# In the absence of these mechanisms, QUIC endpoints SHOULD NOT send
//# datagrams larger than the smallest allowed maximum datagram size.
//= https://www.rfc-editor.org/rfc/rfc9000#section-14.3
//= type=test
//# Endpoints SHOULD set the initial value of BASE_PLPMTU (Section 5.1 of
//# [DPLPMTUD]) to be consistent with QUIC's smallest allowed maximum
//# datagram size.
//= https://www.rfc-editor.org/rfc/rfc8899#section-5.1.2
//= type=test
//# When using IPv4, there is no currently equivalent size specified, and
//# a default BASE_PLPMTU of 1200 bytes is RECOMMENDED.
#[test]
fn nothing_is_probed_before_the_handshake_is_confirmed_or_without_need() {
    assert_eq!(MtuDiscovery::new(1200, 1452).poll_probe(at(0), u64::MAX), None);
    assert_eq!(enabled(1452, 1200).poll_probe(at(0), u64::MAX), None);
    let [mut idle, mut early] = [(); 2].map(|()| MtuDiscovery::new(1200, 1452));
    idle.enable();
    early.want();
    assert_eq!([idle, early].map(|mut mtu| mtu.poll_probe(at(0), u64::MAX)), [None; 2]);
    assert_eq!(MtuDiscovery::new(0, 0).current(), 1200);
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# The PL is REQUIRED to be robust in the case where probe packets are
//# lost due to other reasons (including link transmission error,
//# congestion).
//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# Such methods MUST be robust to the wide variety of underlying network
//# forwarding behaviors.
#[test]
fn a_size_is_given_up_when_three_probes_are_lost_and_not_before() {
    for lost in 0..=3 {
        let mut mtu = enabled(1200, 1452);
        for _ in 0..lost {
            assert_eq!(mtu.poll_probe(at(0), u64::MAX), Some(1452));
            mtu.on_probe_lost(1452);
        }
        let next = mtu.poll_probe(at(0), u64::MAX).unwrap();
        assert_eq!(next == 1452, lost < 3, "after {lost} lost probes");
        assert!(mtu.on_probe_acked(next));
        assert_eq!(mtu.current(), next);
    }
}

#[test]
fn the_peer_limits_the_size() {
    let mut mtu = enabled(1300, 1452);
    assert!(mtu.set_peer_maximum(1250));
    assert_eq!((mtu.current(), mtu.poll_probe(at(0), u64::MAX)), (1250, None));
    let mut mtu = enabled(1200, 1452);
    assert!(!mtu.set_peer_maximum(1400));
    assert_eq!(mtu.poll_probe(at(0), u64::MAX), Some(1400));
    let mut mtu = enabled(1200, 1452);
    assert!(!mtu.set_peer_maximum(0), "values below 1,200 are not valid");
}

#[test]
fn a_black_hole_falls_back_and_the_search_restarts_later() {
    let mut mtu = enabled(1200, 1452);
    search(&mut mtu, at(0), 1452);
    for loss in 1..=3 {
        assert_eq!(mtu.on_lost(1452, at(1)), loss == 3);
        assert!(!mtu.on_lost(1452, at(1)), "without small ones acknowledged it says nothing new");
        mtu.on_acked(100);
    }
    assert_eq!((mtu.current(), mtu.poll_probe(at(60), u64::MAX)), (1200, None));
    assert_eq!(mtu.deadline(), Some(at(61)));
    assert_eq!(search(&mut mtu, at(61), 1452), [1452]);
}

#[test]
fn a_black_hole_for_the_largest_only_is_found_while_middling_ones_arrive() {
    let mut mtu = enabled(1200, 1452);
    search(&mut mtu, at(0), 1452);
    for loss in 1..=3 {
        assert_eq!(mtu.on_lost(1452, at(1)), loss == 3);
        mtu.on_acked(1400);
    }
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# Path validation: It is RECOMMENDED that methods are robust to path
//# changes that could have occurred since the path characteristics were
//# last confirmed and to the possibility of inconsistent path information
//# being received.
//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# When to probe: It is RECOMMENDED that methods determine whether the
//# path has changed since it last measured the path.
//= https://www.rfc-editor.org/rfc/rfc8899#section-5.1.1
//= type=test
//# CONFIRMATION_TIMER: When an acknowledged PL is used, this timer MUST
//# NOT be used.
//= https://www.rfc-editor.org/rfc/rfc8899#section-5.2
//= type=test
//# When used with an acknowledged PL (e.g., SCTP), DPLPMTUD SHOULD NOT
//# continue to generate PLPMTU probes in this state.
#[test]
fn a_path_that_carries_more_later_is_found_out() {
    let mut mtu = enabled(1200, 1452);
    search(&mut mtu, at(0), 1300);
    assert!(mtu.current() <= 1300);
    assert_eq!(mtu.deadline(), Some(at(600)), "the only timer there is");
    mtu.handle_timeout(at(599));
    assert_eq!(mtu.poll_probe(at(599), u64::MAX), None);
    mtu.handle_timeout(at(600));
    assert_eq!(search(&mut mtu, at(600), 1452), [1452]);
    assert_eq!(mtu.deadline(), None);
}

#[test]
fn ordinary_congestion_is_no_black_hole() {
    let mut mtu = enabled(1200, 1452);
    search(&mut mtu, at(0), 1452);
    for _ in 0..100 {
        assert!(!mtu.on_lost(1452, at(1)));
        mtu.on_acked(100);
        assert!(!mtu.on_lost(1452, at(1)));
        mtu.on_acked(1452);
    }
    for _ in 0..100 {
        mtu.on_acked(100);
        assert!(!mtu.on_lost(800, at(1)), "small ones are lost, too");
    }
    assert_eq!(mtu.current(), 1452);
}

#[test]
fn a_base_that_is_not_carried_falls_back_to_the_minimum() {
    let mut mtu = enabled(1400, 1452);
    assert!(mtu.on_persistent_loss(at(0)));
    assert_eq!(mtu.current(), 1200);
    assert!(!mtu.on_persistent_loss(at(0)));
}

#[test]
fn losses_of_what_was_sent_before_a_fall_do_not_make_it_deeper() {
    let mut mtu = enabled(1300, 1452);
    search(&mut mtu, at(0), 1452);
    assert!(mtu.on_persistent_loss(at(0)));
    for _ in 0..10 {
        assert!(!mtu.on_lost(1452, at(1)));
        mtu.on_acked(100);
    }
    assert_eq!(mtu.current(), 1300);
}

#[test]
fn a_probe_of_which_nothing_was_heard_before_a_fall_does_not_stop_the_next_search() {
    let mut mtu = enabled(1300, 1452);
    assert_eq!(mtu.poll_probe(at(0), u64::MAX), Some(1452));
    assert!(mtu.on_persistent_loss(at(0)));
    assert_eq!(mtu.poll_probe(at(60), u64::MAX), Some(1452));
}

#[test]
fn a_lost_probe_of_what_is_known_to_be_carried_counts_for_nothing() {
    let mut mtu = enabled(1200, 1452);
    for _ in 0..3 {
        assert_eq!(mtu.poll_probe(at(0), u64::MAX), Some(1452));
        mtu.on_probe_lost(1452);
    }
    assert_eq!(mtu.poll_probe(at(0), u64::MAX), Some(1326));
    assert!(mtu.on_probe_acked(1400), "an earlier one that was only late");
    mtu.on_probe_lost(1326);
    for _ in 0..3 {
        assert_eq!(mtu.poll_probe(at(0), u64::MAX), Some(1426));
        mtu.on_probe_lost(1426);
    }
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# PMTU parameters: A DPLPMTUD sender is RECOMMENDED to utilize
//# information about the maximum size of packet that can be transmitted
//# by the sender on the local link (e.g., the local link MTU).
#[test]
fn a_size_that_the_interface_refuses_is_given_up_at_once() {
    let mut mtu = enabled(1200, 9000);
    let mut tried = Vec::new();
    while let Some(size) = mtu.poll_probe(at(0), u64::MAX) {
        tried.push(size);
        if size > 1472 {
            assert!(!mtu.on_refused(size));
        } else {
            assert!(mtu.on_probe_acked(size));
        }
    }
    assert!((1453..=1472).contains(&mtu.current()), "{}", mtu.current());
    assert!(tried.windows(2).all(|pair| pair[0] != pair[1]), "{tried:?}");
    // A later search tries the bound again: routes change.
    mtu.handle_timeout(at(600));
    assert_eq!(mtu.poll_probe(at(600), u64::MAX), Some(9000));
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-14.2.1
//= type=test
//# An endpoint MUST ignore an ICMP message that claims the PMTU has
//# decreased below QUIC's smallest allowed maximum datagram size.
//= https://www.rfc-editor.org/rfc/rfc9000#section-14.2.1
//= type=test
//# An endpoint MUST NOT increase the PMTU based on ICMP messages; see
//# Item 6 in Section 3 of [DPLPMTUD].
#[test]
fn an_interface_that_became_narrow_is_searched_anew_at_once() {
    let mut mtu = enabled(1200, 1452);
    search(&mut mtu, at(0), 1452);
    assert!(mtu.on_refused(1452));
    assert_eq!((mtu.current(), mtu.poll_probe(at(0), u64::MAX)), (1200, Some(1326)));
    assert!(!mtu.on_refused(1200), "less than the minimum is no path for QUIC");
    assert!(!mtu.on_refused(u16::MAX), "nothing so large was sent");
    assert_eq!(mtu.current(), 1200);
}

#[test]
fn a_window_that_is_small_is_no_end_of_the_search() {
    let mut mtu = enabled(1200, 65_527);
    assert_eq!(mtu.poll_probe(at(0), 2399), None, "it is not worth it");
    assert_eq!(mtu.poll_probe(at(0), 12_000), Some(12_000));
    mtu.on_probe_lost(12_000);
    assert_eq!(mtu.poll_probe(at(0), 11_999), None);
    assert_eq!(mtu.poll_probe(at(0), 60_000), Some(12_000), "the same size is tried again");
    assert!(mtu.on_probe_acked(12_000));
    assert_eq!(mtu.poll_probe(at(0), 65_527), Some(65_527));
}

#[test]
fn memory_that_is_small_is_a_limit_that_is_tried_first() {
    let mut mtu = enabled(1200, 9000);
    assert_eq!(mtu.poll_probe(at(0), u64::MAX), Some(9000));
    mtu.on_limit(1500);
    assert_eq!(mtu.poll_probe(at(0), u64::MAX), Some(1500));
    assert!(mtu.on_probe_acked(1500));
    assert_eq!((mtu.poll_probe(at(0), u64::MAX), mtu.deadline().is_some()), (None, true));
}
