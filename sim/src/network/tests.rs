use std::collections::BTreeMap;
use std::io::ErrorKind;

use super::*;

mod chances;
mod links;
mod nats;
mod promises;
mod sockets;

/// Two hosts with a socket each, and a link that takes 10 ms.
struct Two {
    network: Network,
    hosts: [HostId; 2],
    ports: [PortId; 2],
}

const ONE: SocketAddr = address(1);
const OTHER: SocketAddr = address(2);

const fn address(number: u8) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 0, number)), 1000)
}

const fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

impl Two {
    fn new(seed: u64) -> Self {
        let mut network = Network::new(seed);
        network.trace.keep = true;
        network.coalesce = 0.0;
        let hosts = [network.add_host(), network.add_host()];
        let ports = [network.bind(hosts[0], ONE).unwrap(), network.bind(hosts[1], OTHER).unwrap()];
        Self { network, hosts, ports }
    }

    fn link(&mut self) -> &mut Link {
        self.network.link(self.hosts[0], self.hosts[1])
    }

    fn send(&mut self, payload: &[u8]) {
        self.network.send(self.ports[0], Outgoing::new(OTHER, payload)).unwrap();
    }

    /// Sends back to where the last datagram came from.
    fn answer(&mut self, to: SocketAddr) {
        self.network.send(self.ports[1], Outgoing::new(to, b"answer")).unwrap();
    }

    fn run(&mut self, time: Duration) {
        self.network.advance(self.network.now() + time);
    }

    /// What the end with this number has.
    fn receive(&mut self, end: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut all = Vec::new();
        let mut payload = Vec::new();
        while let Ok(arrival) = self.network.receive(self.ports[end], &mut payload) {
            all.push((arrival.from, payload.clone()));
        }
        all
    }

    fn fates(&self) -> Vec<Fate> {
        self.network.trace.sent.iter().map(|sent| sent.fate).collect()
    }
}

#[test]
fn a_datagram_arrives_after_the_delay_and_not_before() {
    let mut two = Two::new(1);
    two.send(b"datagram");
    assert_eq!(two.network.next(), Some(START + millis(10)));
    two.run(Duration::from_nanos(9_999_999));
    assert_eq!((two.network.take_ready(), two.receive(1)), (None, Vec::new()));
    two.run(Duration::from_nanos(1));
    assert_eq!(two.network.take_ready(), Some(two.ports[1]));
    assert_eq!(two.receive(1), [(ONE, b"datagram".to_vec())]);
    assert_eq!((two.network.next(), two.network.take_ready()), (None, None));
}

#[test]
fn what_is_injected_arrives_after_its_time() {
    let mut two = Two::new(1);
    two.network.inject((address(9), OTHER), b"forged", millis(7));
    assert_eq!(two.network.next(), Some(START + millis(7)));
    two.run(millis(7));
    assert_eq!(two.receive(1), [(address(9), b"forged".to_vec())]);
}

#[test]
fn what_happens_at_the_same_time_happens_in_the_order_in_which_it_began() {
    let mut two = Two::new(1);
    for number in 0..100 {
        two.send(&[number]);
    }
    two.run(millis(10));
    let order: Vec<_> = two.receive(1).into_iter().map(|(_, payload)| payload[0]).collect();
    assert_eq!(order, (0..100).collect::<Vec<_>>());
}

#[test]
fn the_memory_of_datagrams_is_used_again() {
    let mut two = Two::new(1);
    two.link().duplicate = 1.0;
    for _ in 0..100 {
        two.send(&[1; 1200]);
        two.run(millis(50));
        two.receive(1);
    }
    assert_eq!(two.network.works.store.len(), 0);
    assert!(two.network.works.store.capacity() <= 2);
}

#[test]
fn a_host_has_what_it_was_not_told_to_bind() {
    let mut network = Network::new(1);
    let hosts = [network.add_host(), network.add_host()];
    let any = "0.0.0.0:0".parse().unwrap();
    let ports =
        hosts.map(|host| [network.bind(host, any).unwrap(), network.bind(host, any).unwrap()]);
    let addresses = ports.map(|ports| ports.map(|port| network.address(port)));
    assert_eq!(addresses[0][0].ip(), addresses[0][1].ip());
    assert_ne!(addresses[0][0].port(), addresses[0][1].port());
    assert_ne!(addresses[0][0].ip(), addresses[1][0].ip());
    let taken = network.bind(hosts[0], addresses[1][0]);
    assert_eq!(taken, Err(BindError::InUse(addresses[1][0])));
    network.close(ports[1][0]);
    assert!(network.bind(hosts[0], addresses[1][0]).is_ok());
}

#[test]
fn sockets_that_share_an_address_share_its_peers() {
    let mut two = Two::new(1);
    let others: Vec<_> = (0..3).map(|_| two.network.share(two.ports[1])).collect();
    let sockets: Vec<_> = [two.ports[1]].into_iter().chain(others).collect();
    let host = two.network.host_of(two.ports[0]);
    let any = "0.0.0.0:0".parse().unwrap();
    let peers: Vec<_> = (0..40).map(|_| two.network.bind(host, any).unwrap()).collect();
    let mut all = [BTreeMap::new(), BTreeMap::new()];
    for (round, found) in all.iter_mut().enumerate() {
        for peer in &peers {
            two.network.send(*peer, Outgoing::new(OTHER, &[round as u8; 100])).unwrap();
        }
        two.run(millis(50));
        for socket in &sockets {
            while let Ok(arrival) = two.network.receive(*socket, &mut Vec::new()) {
                found.insert(arrival.from, *socket);
            }
        }
    }
    let [first, second] = all;
    assert_eq!(first.len(), peers.len());
    assert_eq!(first, second, "each peer's arrive at the same one");
    assert!(sockets.iter().all(|socket| first.values().any(|it| it == socket)));
    // Who is left has all of them.
    sockets[..3].iter().for_each(|socket| two.network.close(*socket));
    for peer in &peers {
        two.network.send(*peer, Outgoing::new(OTHER, &[3; 100])).unwrap();
    }
    two.run(millis(50));
    let left = std::iter::from_fn(|| two.network.receive(sockets[3], &mut Vec::new()).ok());
    assert_eq!(left.count(), peers.len());
}

#[test]
fn what_goes_nowhere_is_told_apart() {
    let mut two = Two::new(1);
    two.network.send(two.ports[0], Outgoing::new(address(9), b"nobody")).unwrap();
    two.network.dead.push(ONE);
    two.send(b"dead");
    two.network.dead = vec![OTHER];
    two.send(b"as dead");
    two.network.dead.clear();
    two.send(b"closed on the way");
    two.network.close(two.ports[1]);
    two.run(millis(20));
    assert_eq!(two.fates(), [Fate::NoRoute, Fate::Dead, Fate::Dead, Fate::NoSocket]);
}

#[test]
fn clocks_jump_run_and_stand_still() {
    let mut two = Two::new(1);
    let host = two.hosts[0];
    let hour = Duration::from_hours(1);
    assert_eq!(two.network.host(host).now(), START);
    two.network.host(host).jump(hour);
    two.run(millis(500));
    assert_eq!(two.network.host(host).now(), START + hour + millis(500));
    two.network.host(host).jump_back(hour);
    assert_eq!(two.network.host(host).now(), START + millis(500));
    two.network.host(host).set_clock_rate(2_000_000);
    two.run(millis(500));
    assert_eq!(two.network.host(host).now(), START + millis(1500));
    two.network.host(host).freeze_clock();
    two.run(hour);
    assert_eq!(two.network.host(host).now(), START + millis(1500));
    assert_eq!(two.network.shown_by(two.hosts[1]), START + hour + millis(1000));
}

#[test]
fn a_timer_fires_when_the_clock_of_its_host_shows_its_deadline() {
    let mut two = Two::new(1);
    let now = two.network.now();
    let host = two.network.host(two.hosts[0]);
    assert_eq!(host.timer(START + millis(30)), Some(now + millis(30)));
    assert_eq!(host.timer(START - millis(30)), Some(now), "what is overdue fires at once");
    host.set_clock_rate(500_000);
    assert_eq!(host.timer(START + millis(30)), Some(now + millis(60)));
    host.jump_back(millis(5));
    assert_eq!(host.timer(START + millis(30)), Some(now + millis(70)));
    host.set_clock_rate(3_000_000);
    let fires = host.timer(START + millis(30)).unwrap();
    assert!(host.shows(fires) >= START + millis(30), "never too early, however it is rounded");
    host.freeze_clock();
    assert_eq!(host.timer(START + millis(30)), None);
}

#[test]
fn timers_are_as_coarse_and_late_as_they_are_told_to_be() {
    let mut two = Two::new(1);
    let host = two.network.host(two.hosts[0]);
    host.timer_granularity = millis(50);
    assert_eq!(host.timer(START + millis(1)), Some(START + millis(50)));
    assert_eq!(host.timer(START + millis(50)), Some(START + millis(50)));
    host.timer_lateness = millis(20);
    let fires: Vec<_> = (0..100).map(|_| host.timer(START + millis(1)).unwrap()).collect();
    let range = START + millis(50)..=START + millis(70);
    assert!(fires.iter().all(|at| range.contains(at)));
    assert!(fires.iter().any(|at| *at > START + millis(60)));
}

#[test]
fn what_happens_on_one_link_shifts_nothing_on_another() {
    let run = |other_link: bool| {
        let mut two = Two::new(5);
        let third = two.network.add_host();
        let port = two.network.bind(third, address(3)).unwrap();
        two.link().loss = 0.5;
        two.network.link(third, two.hosts[1]).loss = 0.5;
        let mut fates = Vec::new();
        for _ in 0..100 {
            if other_link {
                two.network.send(port, Outgoing::new(OTHER, b"other")).unwrap();
            }
            two.send(b"datagram");
            fates.push(two.network.trace.sent.last().unwrap().fate);
        }
        fates
    };
    let fates = run(false);
    assert!(fates.contains(&Fate::Lost) && fates.contains(&Fate::Passes));
    assert_eq!(fates, run(true));
}

#[test]
fn the_digest_follows_from_every_byte_and_every_nanosecond() {
    let digest = |payload: &[u8], time: u64| {
        let mut two = Two::new(1);
        two.network.trace.keep = false;
        two.run(Duration::from_nanos(time));
        two.send(payload);
        two.run(millis(20));
        two.network.trace.digest()
    };
    assert_eq!(digest(b"datagram", 5), digest(b"datagram", 5));
    assert_ne!(digest(b"datagram", 5), digest(b"datagrbm", 5));
    assert_ne!(digest(b"datagram", 5), digest(b"datagram", 6));
    let to = |to: SocketAddr, ecn| {
        let mut two = Two::new(1);
        let outgoing = Outgoing { ecn, ..Outgoing::new(to, b"datagram") };
        two.network.send(two.ports[0], outgoing).unwrap();
        two.network.trace.digest()
    };
    assert_ne!(to(OTHER, None), to(address(9), None));
    assert_ne!(to(OTHER, None), to(OTHER, Some(EcnCodepoint::Ce)));
}
