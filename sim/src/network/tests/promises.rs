use super::*;

/// What becomes of a hundred datagrams on a link that loses every other one.
fn hundred_fates(two: &mut Two) -> Vec<bool> {
    two.link().loss = 0.5;
    (0..100).for_each(|_| two.send(&[0; 100]));
    two.fates().into_iter().map(|fate| fate == Fate::Lost).collect()
}

#[test]
fn what_may_happen_to_datagrams_does_not_shift_which_of_them_are_lost() {
    let plain = hundred_fates(&mut Two::new(1));
    assert!(plain.contains(&true) && plain.contains(&false));
    let changes: [fn(&mut Link); 5] = [
        |link| link.duplicate = 0.5,
        |link| link.reorder = 0.5,
        |link| link.corrupt = 0.5,
        |link| link.truncate = 0.5,
        |link| link.jitter = millis(3),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut two = Two::new(1);
        change(two.link());
        assert_eq!(hundred_fates(&mut two), plain, "change {number}");
    }
}

#[test]
fn links_are_told_apart_by_their_ends_and_not_by_when_they_were_made() {
    let mut two = Two::new(1);
    let third = two.network.add_host();
    let port = two.network.bind(third, address(3)).unwrap();
    two.network.send(port, Outgoing::new(ONE, b"before")).unwrap();
    two.run(millis(100));
    two.network.trace.sent.clear();
    assert_eq!(hundred_fates(&mut two), hundred_fates(&mut Two::new(1)));
}

#[test]
fn any_bit_may_be_flipped() {
    let mut two = Two::new(1);
    two.link().corrupt = 1.0;
    (0..200).for_each(|_| two.send(&[0; 10]));
    two.run(millis(20));
    let mut seen = std::collections::BTreeSet::new();
    for (_, payload) in two.receive(1) {
        let bits = payload.iter().enumerate().filter(|(_, byte)| **byte != 0);
        seen.extend(bits.map(|(at, byte)| 8 * at + byte.trailing_zeros() as usize));
    }
    assert!(seen.len() > 50, "{seen:?}");
}

#[test]
fn a_copy_is_as_late_as_others_that_are_held_back_may_be_by_half() {
    let mut two = Two::new(1);
    two.link().duplicate = 1.0;
    let mut late = Vec::new();
    for _ in 0..100 {
        two.send(b"twice");
        let start = two.network.now();
        while let Some(next) = two.network.next() {
            two.network.advance(next);
        }
        late.push((two.network.now() - start).saturating_sub(millis(10)));
    }
    assert!(late.iter().all(|late| *late <= millis(15)));
    assert!(late.iter().any(|late| *late > millis(10)));
}

#[test]
fn the_mtu_is_the_largest_that_passes() {
    let mut two = Two::new(1);
    two.link().mtu = 1200;
    two.send(&[0; 1200]);
    two.send(&[0; 1201]);
    assert_eq!(two.fates(), [Fate::Passes, Fate::TooLarge]);
}

/// What CoDel drops in half a second in which twice as much is sent as leaves, and then lets wait
/// for a time.
fn drops_in_overload(two: &mut Two, pause: Duration) -> u64 {
    let drops = |two: &Two| two.network.link_statistics(two.hosts[0], two.hosts[1]).queue_drops;
    let before = drops(two);
    for _ in 0..100 {
        two.send(&[0; 1000]);
        two.run(millis(5));
    }
    let dropped = drops(two) - before;
    two.run(pause);
    dropped
}

#[test]
fn codel_goes_on_at_the_last_rate_only_if_that_is_not_long_ago() {
    let run = |pause| {
        let mut two = Two::new(1);
        two.link().rate_bytes_per_second = Some(100_000);
        two.link().codel = Some(CoDel::default());
        [drops_in_overload(&mut two, pause), drops_in_overload(&mut two, pause)]
    };
    let [first, soon] = run(Duration::from_secs(1));
    let [same, late] = run(Duration::from_secs(10));
    assert!(first > 2 && first == same);
    assert!(soon > first, "{soon} after {first}");
    assert_eq!(late, first);
}

#[test]
fn a_queue_that_was_short_again_has_a_whole_interval_before_codel_drops() {
    let mut two = Two::new(1);
    two.link().rate_bytes_per_second = Some(500_000);
    two.link().codel = Some(CoDel::default());
    // A millisecond each, of which every second one adds to the queue.
    let burst = |two: &mut Two| {
        for _ in 0..30 {
            two.send(&[0; 1000]);
            two.run(millis(1));
        }
    };
    burst(&mut two);
    // All but two leave; then as many come as leave, so that it never is empty.
    two.run(millis(26));
    for _ in 0..50 {
        two.send(&[0; 1000]);
        two.run(millis(2));
    }
    burst(&mut two);
    two.run(millis(100));
    let statistics = two.network.link_statistics(two.hosts[0], two.hosts[1]);
    assert_eq!(statistics.queue_drops, 0);
}

#[test]
fn a_mapping_that_was_renewed_lets_in_only_whom_it_has_sent_to_since() {
    let mut two = Two::new(1);
    let other = address(9);
    two.network.bind(two.hosts[1], other).unwrap();
    let nat = two.network.nat(two.hosts[0]);
    (nat.filtering, nat.timeout) = (Filtering::Ports, Some(millis(500)));
    two.send(b"to the one");
    two.run(millis(1000));
    two.network.send(two.ports[0], Outgoing::new(other, b"to another")).unwrap();
    two.run(millis(10));
    let outer = two.network.seen_as(two.hosts[0], ONE);
    two.answer(outer);
    two.run(millis(10));
    assert_eq!((two.receive(0).len(), two.fates().pop()), (0, Some(Fate::Filtered)));
}

#[test]
fn a_socket_appears_as_it_is_told_and_before_it_has_sent_too() {
    for sends_before in [false, true] {
        let mut two = Two::new(1);
        two.network.nat(two.hosts[0]);
        if sends_before {
            two.send(b"before");
        }
        let now = two.network.now();
        two.network.nat(two.hosts[0]).rebind_to(now, ONE, address(77));
        two.run(millis(10));
        two.receive(1);
        two.send(b"after");
        two.run(millis(10));
        assert_eq!(two.receive(1), [(address(77), b"after".to_vec())]);
        two.answer(address(77));
        two.run(millis(10));
        assert_eq!(two.receive(0).len(), 1);
    }
}

#[test]
fn nothing_comes_from_a_dead_address_or_gets_to_one() {
    for dead in [ONE, OTHER] {
        let mut two = Two::new(1);
        two.network.dead.push(dead);
        two.send(b"dead");
        two.run(millis(20));
        assert_eq!(two.receive(1), []);
    }
}

#[test]
fn an_empty_datagram_is_one() {
    let mut two = Two::new(1);
    two.send(b"");
    two.run(millis(20));
    assert_eq!(two.receive(1), [(ONE, Vec::new())]);
}

#[test]
fn the_digest_follows_from_calls_that_fail_and_from_what_becomes_of_datagrams() {
    let digest = |change: fn(&mut Two)| {
        let mut two = Two::new(1);
        change(&mut two);
        for _ in 0..3 {
            // What is refused is what it is about.
            let _: Result<(), _> = two.network.send(two.ports[0], Outgoing::new(OTHER, &[1; 100]));
            two.run(millis(20));
            while two.network.receive(two.ports[1], &mut Vec::new()).is_ok() {}
        }
        two.network.trace.digest()
    };
    let refused = |calls: u64| {
        let mut two = Two::new(1);
        let port = two.ports[0];
        two.network.socket(port).send_faults.chance = Some((1.0, SocketError::Refused));
        for _ in 0..calls {
            two.network.send(port, Outgoing::new(OTHER, b"refused")).unwrap_err();
        }
        two.network.trace.digest()
    };
    assert_ne!(refused(1), refused(2));
    let not_received = |calls: u64| {
        let mut two = Two::new(1);
        two.send(b"datagram");
        two.run(millis(20));
        let port = two.ports[1];
        two.network.socket(port).receive_faults.chance = Some((1.0, SocketError::Refused));
        for _ in 0..calls {
            two.network.receive(port, &mut Vec::new()).unwrap_err();
        }
        two.network.trace.digest()
    };
    assert_ne!(not_received(1), not_received(2));
    let lost = |two: &mut Two| two.link().loss = 1.0;
    let cut = |two: &mut Two| two.link().cut = true;
    assert_ne!(digest(lost), digest(cut));
    let injected = |from: SocketAddr| {
        let mut two = Two::new(1);
        two.network.inject((from, OTHER), b"forged", millis(1));
        two.run(millis(2));
        two.network.trace.digest()
    };
    assert_ne!(injected(address(8)), injected(address(9)));
}

#[test]
fn a_clock_that_stands_still_at_a_deadline_has_reached_it() {
    let mut two = Two::new(1);
    let now = two.network.now();
    let host = two.network.host(two.hosts[0]);
    host.freeze_clock();
    assert_eq!(host.timer(START), Some(now));
}

#[test]
fn it_is_counted_how_often_a_clock_was_changed() {
    let mut two = Two::new(1);
    let host = two.network.host(two.hosts[0]);
    let mut counts = vec![host.clock_changes()];
    let changes: [fn(&mut Host); 4] = [
        |host| host.jump(millis(1)),
        |host| host.jump_back(millis(1)),
        |host| host.set_clock_rate(2_000_000),
        Host::freeze_clock,
    ];
    for change in changes {
        change(host);
        counts.push(host.clock_changes());
    }
    assert_eq!(counts, [0, 1, 2, 3, 4]);
}

#[test]
fn errors_of_sockets_have_the_kinds_that_a_system_gives_them() {
    let kinds = [
        (SocketError::WouldBlock, ErrorKind::WouldBlock),
        (SocketError::TooLarge, ErrorKind::InvalidInput),
        (SocketError::Refused, ErrorKind::ConnectionRefused),
        (SocketError::Unreachable, ErrorKind::NetworkUnreachable),
        (SocketError::Other(ErrorKind::TimedOut), ErrorKind::TimedOut),
    ];
    for (error, kind) in kinds {
        assert_eq!(ErrorKind::from(error), kind);
    }
}
