use super::*;

impl Two {
    fn nat(&mut self) -> &mut Nat {
        self.network.nat(self.hosts[0])
    }

    /// Sends to the other end; returns where that came from.
    fn reach(&mut self) -> SocketAddr {
        self.send(b"from inside");
        self.run(millis(10));
        self.receive(1).last().expect("nothing stands in the way out").0
    }

    /// Whether the other end gets through to an address.
    fn is_reached(&mut self, outer: SocketAddr) -> bool {
        self.answer(outer);
        self.run(millis(10));
        self.receive(0).len() == 1
    }
}

#[test]
fn a_nat_preserves_addresses_until_it_is_told_otherwise() {
    let mut two = Two::new(1);
    two.nat();
    assert_eq!(two.reach(), ONE);
    assert!(two.is_reached(ONE));
    two.nat().rebind();
    assert!(!two.is_reached(ONE), "the old port is gone at once");
    let second = two.reach();
    assert_ne!(second, ONE);
    assert!(two.is_reached(second) && !two.is_reached(ONE));
    two.nat().move_to([203, 0, 113, 5].into());
    let third = two.reach();
    assert_eq!(third.ip(), std::net::IpAddr::from([203, 0, 113, 5]));
    assert!(two.is_reached(third));
}

#[test]
fn a_nat_hides_the_address_of_its_host() {
    let mut two = Two::new(1);
    two.nat().outer_ip = Some([203, 0, 113, 5].into());
    let outer = two.reach();
    assert_eq!(outer, SocketAddr::from(([203, 0, 113, 5], ONE.port())));
    assert!(two.is_reached(outer) && !two.is_reached(ONE));
    assert_eq!(two.fates().last(), Some(&Fate::Filtered));
}

#[test]
fn a_nat_rebinds_before_the_datagrams_that_it_is_told() {
    let mut two = Two::new(1);
    two.nat().rebind_at = [2, 5].into();
    let seen: Vec<_> = (0..7).map(|_| two.reach()).collect();
    assert!(seen[0] == ONE && seen[1] == ONE);
    assert!(seen[2] != ONE && seen[2] == seen[3] && seen[3] == seen[4]);
    assert!(seen[5] != seen[4] && seen[5] != ONE && seen[6] == seen[5]);
    assert_eq!(two.nat().sent(), 7);
}

#[test]
fn a_mapping_that_is_not_used_times_out() {
    let mut two = Two::new(1);
    two.nat().timeout = Some(Duration::from_secs(30));
    assert_eq!(two.reach(), ONE);
    two.run(Duration::from_secs(29));
    assert!(two.is_reached(ONE), "and that is use");
    two.run(Duration::from_secs(29));
    assert!(two.is_reached(ONE));
    two.run(Duration::from_secs(30));
    assert!(!two.is_reached(ONE));
    assert_ne!(two.reach(), ONE, "who comes back gets another port");
}

#[test]
fn what_arrives_keeps_no_mapping_if_the_nat_says_so() {
    let mut two = Two::new(1);
    two.nat().timeout = Some(Duration::from_secs(30));
    two.nat().ignores_arrivals = true;
    two.reach();
    two.run(Duration::from_secs(20));
    assert!(two.is_reached(ONE));
    two.run(Duration::from_secs(20));
    assert!(!two.is_reached(ONE));
}

#[test]
fn filters_let_in_whom_the_host_has_sent_to() {
    for (filtering, passes) in [
        (Filtering::Off, [true, true, true]),
        (Filtering::Addresses, [true, true, false]),
        (Filtering::Ports, [true, false, false]),
    ] {
        let mut two = Two::new(1);
        two.nat().filtering = filtering;
        two.reach();
        let mut from = [OTHER, OTHER, address(3)];
        from[1].set_port(77);
        let passed = from.map(|from| {
            two.network.inject((from, ONE), b"from outside", millis(1));
            two.run(millis(2));
            two.receive(0).len() == 1
        });
        assert_eq!(passed, passes, "{filtering:?}");
    }
}

#[test]
fn a_symmetric_nat_has_a_port_for_each_address_outside() {
    let mut two = Two::new(1);
    let third = two.network.bind(two.hosts[1], address(3)).unwrap();
    two.nat().symmetric = true;
    let one = two.reach();
    two.network.send(two.ports[0], Outgoing::new(address(3), b"from inside")).unwrap();
    two.run(millis(10));
    let mut payload = Vec::new();
    let arrival = two.network.receive(third, &mut payload).unwrap();
    assert_ne!(arrival.from, one);
    assert!(two.is_reached(one));
    assert_eq!(two.reach(), one);
}

#[test]
fn a_nat_that_never_keeps_a_port_for_long() {
    let mut two = Two::new(1);
    two.nat().lifetime = Some(millis(100));
    let seen: std::collections::BTreeSet<_> = (0..50).map(|_| two.reach()).collect();
    assert_eq!(seen.len(), 5, "in half a second");
}

#[test]
fn a_nat_that_lost_power_lets_nobody_in_first() {
    let mut two = Two::new(1);
    let before = two.nat().clone().outer_of(ONE);
    assert_eq!((before, two.reach()), (None, ONE));
    two.nat().forget();
    let outer = two.network.seen_as(two.hosts[0], ONE);
    assert!(!two.is_reached(ONE) && !two.is_reached(outer));
    let outer = two.reach();
    assert!(outer != ONE && two.is_reached(outer));
}

#[test]
fn a_mapping_remembers_those_that_it_sent_to_last() {
    let mut two = Two::new(1);
    two.nat().filtering = Filtering::Ports;
    let outside = |number: u16| SocketAddr::new(OTHER.ip(), 2000 + number);
    for number in 0..65 {
        two.network.send(two.ports[0], Outgoing::new(outside(number), b"from inside")).unwrap();
    }
    for (number, passes) in [(0, false), (1, true), (64, true)] {
        two.network.inject((outside(number), ONE), b"from outside", millis(1));
        two.run(millis(2));
        assert_eq!(two.receive(0).len() == 1, passes, "{number}");
    }
}
