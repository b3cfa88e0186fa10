use super::*;

/// Sends for five seconds what is too much for a link of 1 MB/s by a tenth, in full datagrams.
fn overload(codel: Option<CoDel>, ecn: Option<EcnCodepoint>) -> Two {
    let mut two = Two::new(1);
    let link = two.link();
    link.rate_bytes_per_second = Some(1_000_000);
    link.queue_bytes = 500_000;
    link.codel = codel;
    for _ in 0..5_000_000 / 1_200 * 11 / 10 {
        let outgoing = Outgoing { ecn, ..Outgoing::new(OTHER, &[7; 1200]) };
        two.network.send(two.ports[0], outgoing).unwrap();
        two.run(Duration::from_nanos(1_090_909));
    }
    two
}

#[test]
fn a_queue_waits_as_long_as_its_bytes_take() {
    let mut two = Two::new(1);
    two.link().rate_bytes_per_second = Some(1_000_000);
    two.link().queue_bytes = 3_000;
    for _ in 0..4 {
        two.send(&[0; 1000]);
    }
    assert_eq!(two.fates().last(), Some(&Fate::QueueFull), "one leaves, and two wait");
    let mut arrivals = Vec::new();
    while let Some(next) = two.network.next() {
        two.network.advance(next);
        arrivals.extend(two.receive(1).iter().map(|_| two.network.now() - START));
    }
    assert_eq!(arrivals, [millis(11), millis(12), millis(13)]);
    let statistics = two.network.link_statistics(two.hosts[0], two.hosts[1]);
    assert_eq!((statistics.sent, statistics.queue_drops), (4, 1));
    assert_eq!(statistics.waited, millis(3));
}

#[test]
fn a_rate_that_changes_counts_for_what_waits() {
    let mut two = Two::new(1);
    two.link().rate_bytes_per_second = Some(1_000_000);
    for _ in 0..3 {
        two.send(&[0; 1000]);
    }
    two.link().rate_bytes_per_second = Some(100_000);
    two.run(millis(1));
    two.link().rate_bytes_per_second = None;
    two.run(millis(10));
    assert_eq!(two.receive(1).len(), 1, "the second leaves slowly");
    two.run(millis(10));
    assert_eq!(two.receive(1).len(), 2);
}

#[test]
fn codel_keeps_the_wait_short_where_a_full_queue_does_not() {
    let wait = |two: &Two| {
        let statistics = two.network.link_statistics(two.hosts[0], two.hosts[1]);
        (statistics.mean_wait(), statistics.drop_rate())
    };
    let (full, _) = wait(&overload(None, None));
    let two = overload(Some(CoDel::default()), None);
    let (short, drops) = wait(&two);
    assert!(full > millis(150), "{full:?}");
    assert!(short < millis(60), "{short:?}");
    assert!((0.02..0.15).contains(&drops), "{drops}");
    assert!(two.fates().contains(&Fate::Stale));
}

#[test]
fn codel_drops_at_a_rate_that_grows_with_the_root_of_the_drops() {
    let two = overload(Some(CoDel::default()), None);
    let sent = &two.network.trace.sent;
    let stale = sent.iter().enumerate().filter(|(_, sent)| sent.fate == Fate::Stale);
    let stale: Vec<_> = stale.map(|(number, _)| number).collect();
    // The first after 100 ms above the target, the second 100 ms later, the third 71 ms after that,
    // then 58, in datagrams of 1.2 ms; they are counted where they entered, not where they left.
    let gaps: Vec<_> = stale.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (gap, expected) in gaps.iter().zip([100.0, 70.7, 57.7, 50.0]) {
        let expected = expected / 1.2;
        assert!((*gap as f64 - expected).abs() < 0.15 * expected, "{gaps:?}");
    }
}

#[test]
fn codel_leaves_a_short_queue_alone() {
    let mut two = Two::new(1);
    two.link().rate_bytes_per_second = Some(1_000_000);
    two.link().codel = Some(CoDel::default());
    for _ in 0..1000 {
        // Bursts of four wait for 3.6 ms at most.
        (0..4).for_each(|_| two.send(&[7; 1200]));
        two.run(millis(5));
    }
    assert!(!two.fates().contains(&Fate::Stale));
}

#[test]
fn codel_leaves_a_queue_alone_that_stands_for_less_than_the_target() {
    let mut two = Two::new(1);
    two.link().rate_bytes_per_second = Some(10_000_000);
    two.link().codel = Some(CoDel::default());
    // Ten always wait, for 1.2 ms.
    (0..10).for_each(|_| two.send(&[7; 1200]));
    for _ in 0..5000 {
        two.send(&[7; 1200]);
        two.run(Duration::from_micros(120));
    }
    assert!(!two.fates().contains(&Fate::Stale));
}

#[test]
fn codel_leaves_one_datagram_alone_however_slow_the_link_is() {
    let mut two = Two::new(1);
    two.link().rate_bytes_per_second = Some(100_000);
    two.link().codel = Some(CoDel::default());
    // One leaves, and another waits for the 12 ms that it takes.
    for _ in 0..500 {
        two.send(&[7; 1200]);
        two.run(millis(1));
        two.send(&[7; 1200]);
        two.run(millis(23));
    }
    assert!(!two.fates().contains(&Fate::Stale));
}

#[test]
fn codel_marks_what_can_be_marked() {
    let codel = Some(CoDel { marks: true, ..CoDel::default() });
    let mut two = overload(codel, Some(EcnCodepoint::Ect0));
    two.run(Duration::from_secs(1));
    assert!(!two.fates().contains(&Fate::Stale));
    let mut marked = 0;
    let mut payload = Vec::new();
    while let Ok(arrival) = two.network.receive(two.ports[1], &mut payload) {
        marked += u32::from(arrival.ecn == Some(EcnCodepoint::Ce));
    }
    assert!(marked > 20, "{marked}");
    let mut two = overload(codel, None);
    let stale = two.fates().iter().filter(|fate| **fate == Fate::Stale).count();
    assert!(stale > 20, "what has no mark is dropped: {stale}");
    while let Ok(arrival) = two.network.receive(two.ports[1], &mut payload) {
        assert_eq!(arrival.ecn, None, "nor does it get one");
    }
}

#[test]
fn truncated_datagrams_are_beginnings() {
    let mut two = Two::new(1);
    two.link().truncate = 0.5;
    let whole: Vec<u8> = (0..100).collect();
    (0..1000).for_each(|_| two.send(&whole));
    two.run(millis(20));
    let received = two.receive(1);
    assert_eq!(received.len(), 1000);
    assert!(received.iter().all(|(_, payload)| whole.starts_with(payload)));
    let short = received.iter().filter(|(_, payload)| payload.len() < 100).count();
    assert!((400..600).contains(&short), "{short}");
    assert!(received.iter().any(|(_, payload)| payload.is_empty()));
}

#[test]
fn a_black_hole_may_have_one_direction_and_an_end() {
    let mut two = Two::new(1);
    two.link().outages.push(START + millis(100)..START + millis(200));
    for _ in 0..30 {
        two.send(b"there");
        two.answer(ONE);
        two.run(millis(10));
    }
    two.run(millis(20));
    assert_eq!((two.receive(1).len(), two.receive(0).len()), (20, 30));
    two.link().cut = true;
    two.send(b"there");
    assert_eq!(two.fates().last(), Some(&Fate::Cut));
}

#[test]
fn a_link_has_the_mtu_that_it_has_now() {
    let mut two = Two::new(1);
    for (mtu, fate) in [(1500, Fate::Passes), (1300, Fate::TooLarge), (9000, Fate::Passes)] {
        two.link().mtu = mtu;
        two.send(&[0; 1400]);
        assert_eq!(two.fates().last(), Some(&fate), "{mtu}");
    }
}
