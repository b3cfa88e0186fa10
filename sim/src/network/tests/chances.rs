use super::*;

/// What arrives of a thousand numbered datagrams, sent one each millisecond, and when.
fn thousand(two: &mut Two) -> Vec<(Duration, u64)> {
    let mut arrivals = Vec::new();
    for number in 0..2000_u64 {
        if number < 1000 {
            two.send(&number.to_be_bytes());
        }
        let end = two.network.now() + millis(1);
        while let Some(next) = two.network.next().filter(|next| *next <= end) {
            two.network.advance(next);
            let now = two.network.now() - START;
            let numbers = two
                .receive(1)
                .into_iter()
                .filter_map(|(_, payload)| Some(u64::from_be_bytes(payload.try_into().ok()?)));
            arrivals.extend(numbers.map(|number| (now, number)));
        }
        two.network.advance(end);
    }
    arrivals
}

fn numbers(arrivals: &[(Duration, u64)]) -> Vec<u64> {
    arrivals.iter().map(|(_, number)| *number).collect()
}

#[test]
fn as_many_are_lost_as_the_link_is_told() {
    let mut two = Two::new(1);
    two.link().loss = 0.3;
    let arrived = thousand(&mut two).len();
    assert!((650..750).contains(&arrived), "{arrived}");
    assert_eq!(two.fates().iter().filter(|fate| **fate == Fate::Lost).count(), 1000 - arrived);
}

#[test]
fn the_datagrams_that_are_named_are_lost_and_no_others() {
    let mut two = Two::new(1);
    two.link().drops = [0, 2, 500].into();
    let arrived = numbers(&thousand(&mut two));
    let expected: Vec<u64> = (0..1000).filter(|number| ![0, 2, 500].contains(number)).collect();
    assert_eq!(arrived, expected);
}

#[test]
fn bursts_lose_neighbours() {
    let mut two = Two::new(1);
    two.link().bursts = Some(Bursts { begin: 0.02, end: 0.1, loss: 1.0 });
    let arrived = numbers(&thousand(&mut two));
    // One in six is lost, ten at a time.
    assert!((700..940).contains(&arrived.len()), "{}", arrived.len());
    let gaps: Vec<_> = arrived.windows(2).map(|pair| pair[1] - pair[0] - 1).collect();
    let bursts = gaps.iter().filter(|gap| **gap > 0).count() as u64;
    let mean = gaps.iter().sum::<u64>() as f64 / bursts as f64;
    assert!((5.0..20.0).contains(&mean), "{mean}");
    let mut two = Two::new(1);
    two.link().bursts = Some(Bursts { begin: 1.0, end: 0.0, loss: 0.5 });
    let arrived = thousand(&mut two).len();
    assert!((430..570).contains(&arrived), "a bad link may lose half: {arrived}");
}

#[test]
fn duplicates_come_a_little_later() {
    let mut two = Two::new(1);
    two.link().duplicate = 0.5;
    let arrivals = thousand(&mut two);
    assert!((1400..1600).contains(&arrivals.len()), "{}", arrivals.len());
    for number in 0..1000 {
        let copies: Vec<_> = arrivals.iter().filter(|arrival| arrival.1 == number).collect();
        assert!((1..=2).contains(&copies.len()));
        assert!(copies[copies.len() - 1].0 <= copies[0].0 + millis(15));
    }
}

#[test]
fn jitter_delays_and_keeps_the_order() {
    let mut two = Two::new(1);
    two.link().jitter = millis(20);
    let arrivals = thousand(&mut two);
    assert_eq!(numbers(&arrivals), (0..1000).collect::<Vec<_>>());
    let delays: Vec<_> =
        arrivals.iter().map(|(at, number)| at.saturating_sub(millis(*number))).collect();
    assert!(delays.iter().all(|delay| (millis(10)..=millis(30)).contains(delay)));
    assert!(delays.iter().max().unwrap() > &millis(25));
    assert!(delays.iter().min().unwrap() < &millis(25));
}

#[test]
fn what_is_held_back_is_overtaken_and_nothing_else_is() {
    let mut two = Two::new(1);
    two.link().reorder = 0.2;
    two.link().reorder_delay = millis(8);
    let arrivals = thousand(&mut two);
    assert_eq!(arrivals.len(), 1000);
    let late = |(at, number): &&(Duration, u64)| *at > millis(*number + 10);
    let held = arrivals.iter().filter(late).count();
    assert!((150..250).contains(&held), "{held}");
    assert!(arrivals.iter().all(|(at, number)| *at <= millis(*number + 18)));
    assert!(!numbers(&arrivals).is_sorted());
}

#[test]
fn corruption_flips_one_bit_and_the_digest_knows() {
    let run = |corrupt| {
        let mut two = Two::new(1);
        two.link().corrupt = corrupt;
        (0..1000).for_each(|_| two.send(&[0; 100]));
        two.run(millis(20));
        let flipped = two.receive(1).into_iter().map(|(_, payload)| {
            assert_eq!(payload.len(), 100);
            payload.iter().map(|byte| byte.count_ones()).sum::<u32>()
        });
        (flipped.collect::<Vec<_>>(), two.network.trace.digest())
    };
    let (flipped, digest) = run(0.25);
    assert!(flipped.iter().all(|bits| *bits <= 1));
    let corrupted = flipped.iter().filter(|bits| **bits == 1).count();
    assert!((200..300).contains(&corrupted), "{corrupted}");
    let (flipped, other) = run(0.0);
    assert!(flipped.iter().all(|bits| *bits == 0));
    assert_ne!(digest, other, "what arrived was not the same");
}

/// The marks with which datagrams arrive that were sent with these.
fn pass(marks: Marks, sent: &[Option<EcnCodepoint>]) -> Vec<Option<EcnCodepoint>> {
    let mut two = Two::new(1);
    two.link().marks = marks;
    for ecn in sent {
        two.network
            .send(two.ports[0], Outgoing { ecn: *ecn, ..Outgoing::new(OTHER, b"marked") })
            .unwrap();
    }
    two.run(millis(20));
    let mut payload = Vec::new();
    let receive = || two.network.receive(two.ports[1], &mut payload).ok();
    std::iter::from_fn(receive).map(|arrival| arrival.ecn).collect()
}

#[test]
fn marks_are_bleached_rewritten_forced_or_fatal() {
    let (none, ect0, ect1) = (None, Some(EcnCodepoint::Ect0), Some(EcnCodepoint::Ect1));
    let ce = Some(EcnCodepoint::Ce);
    let sent = [none, ect0, ect1, ce];
    assert_eq!(pass(Marks::default(), &sent), sent);
    assert_eq!(pass(Marks { bleach: true, ..Marks::default() }, &sent), [none; 4]);
    let rewrite = EcnCodepoint::Ect1;
    let rewriting = Marks { rewrite: Some(rewrite), ..Marks::default() };
    assert_eq!(pass(rewriting, &sent), [none, ect1, ect1, ect1]);
    assert_eq!(pass(Marks { force: ect0, ..Marks::default() }, &sent), [ect0; 4]);
    assert_eq!(pass(Marks { drop_marked: true, ..Marks::default() }, &sent), [none]);
    let congested = Marks { congestion: 1.0, ..Marks::default() };
    assert_eq!(pass(congested, &sent), [none, ce, ce, ce]);
    let half = pass(Marks { congestion: 0.5, ..Marks::default() }, &[ect0; 1000]);
    let marked = half.iter().filter(|mark| **mark == ce).count();
    assert!((430..570).contains(&marked), "{marked}");
}

#[test]
fn marks_tell_of_a_queue_that_is_longer_than_it_may_be() {
    let mut two = Two::new(1);
    two.link().rate_bytes_per_second = Some(1_000_000);
    two.link().marks.congestion_above = Some(2_500);
    let ect0 = Some(EcnCodepoint::Ect0);
    for _ in 0..5 {
        let outgoing = Outgoing { ecn: ect0, ..Outgoing::new(OTHER, &[0; 1000]) };
        two.network.send(two.ports[0], outgoing).unwrap();
    }
    two.run(millis(20));
    let mut payload = Vec::new();
    let receive = || two.network.receive(two.ports[1], &mut payload).ok();
    let marks: Vec<_> = std::iter::from_fn(receive).map(|arrival| arrival.ecn).collect();
    let ce = Some(EcnCodepoint::Ce);
    assert_eq!(marks, [ect0, ect0, ect0, ce, ce]);
}
