//! Ends, the links between them, and time.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use quic_core::crypto::SeededRandom;
use quic_core::{
    ConnectionHandle, EcnCodepoint, EndpointConfig, Event, Instant, Keyring, Multiplexer as _,
    PacketHandlerMap, PathAddresses, SocketId, SocketMultiplexer, TransmitBuffer, UdpDatagram,
};
use quic_qlog::Memory;
use quic_sim::network::{Arrival, Host, HostId, Link, Nat, Network, Outgoing, PortId, Random};

use super::book::Book;
use super::invariants::{Amplification, i15_nothing_is_left_to_poll, i16_deadlines_are_to_come};
use super::logs::wanted_logs;

/// Which of the ends is the server.
pub(super) const SERVER: usize = 0;
/// What a server prefers to its address, if it does.
pub(super) const PREFERRED: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 2), 4433);
/// Delivered datagrams that somebody who listens remembers.
const REMEMBERED: usize = 64;
/// Timeouts that an end may have without time passing.
const TIMEOUTS_AT_ONCE: u32 = 4;
/// Batches that an end may send without time passing.
pub(super) const BATCHES_AT_ONCE: u32 = 20_000;
/// Bytes that a batch may have.
const BATCH: usize = 64 * 1024;

/// A socket of an end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port {
    pub(super) id: SocketId,
    pub(super) bound: PortId,
    pub(super) address: SocketAddr,
}

/// A client or the server.
#[derive(Debug)]
pub(super) struct End {
    pub(super) sockets: SocketMultiplexer<PacketHandlerMap>,
    pub(super) ports: Vec<Port>,
    pub(super) config: Arc<EndpointConfig>,
    pub(super) host: HostId,
    /// How far it has been set forward, all together.
    pub(super) leaps: Duration,
    /// How far back the times of what arrives are.
    pub(super) goes_back: Duration,
    segments: usize,
    reports_local_ip: bool,
    first: SocketId,
    /// Sockets that were ever added.
    added: u16,
}

/// What arrived: a datagram or a train of them.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) from: SocketAddr,
    /// The address of a socket, as its end knows it.
    pub(super) to: SocketAddr,
    pub(super) ecn: Option<EcnCodepoint>,
    pub(super) payload: Vec<u8>,
    /// Bytes of each datagram but the last, if it is a train of several.
    pub(super) segment: Option<usize>,
}

/// How ends are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manners {
    pub(super) segments: usize,
    pub(super) reports_local_ip: bool,
    /// The server has a second socket, which it prefers.
    pub(super) preferred: bool,
    /// Neighbours of a kind may be handed over as a train.
    pub(super) trains: bool,
}

/// Everything but the applications.
#[derive(Debug)]
pub(super) struct World {
    pub(super) ends: Vec<End>,
    pub(super) network: Network,
    pub(super) book: Book,
    /// What was delivered last, oldest first, and which connections could read it then.
    pub(super) delivered: VecDeque<(Parcel, Vec<usize>)>,
    random: Random,
    amplification: Amplification,
    /// A socket that may have more.
    reading: Option<PortId>,
    buffer: Vec<u8>,
    manners: Manners,
    /// Datagrams may lose their ends on the way to clients.
    pub(super) cuts: bool,
    /// qlog of all connections, if it is written.
    pub(super) logs: Option<Memory>,
}

/// The address of the first socket of an end.
pub(super) fn address_of(end: usize) -> SocketAddr {
    let host = if end == SERVER { [198, 51, 100, 1] } else { [192, 0, 2, end as u8] };
    let port = if end == SERVER { 443 } else { 50_000 };
    SocketAddr::new(Ipv4Addr::from(host).into(), port)
}

impl World {
    pub(super) fn new(seed: u64, configs: Vec<EndpointConfig>, manners: Manners) -> Self {
        let book = Book::default();
        let logs = wanted_logs().or_else(|| seed.is_multiple_of(16).then(Memory::default));
        let mut random = Random::new(seed, 0);
        let mut network = Network::new(seed);
        if !manners.trains {
            network.coalesce = 0.0;
        }
        let ends = configs.into_iter().enumerate().map(|(index, mut config)| {
            config.recorder = Some(match &logs {
                Some(logs) => logs.recorder().and(book.recorder()),
                None => book.recorder(),
            });
            let host = network.add_host();
            let config = Arc::new(config);
            End::new(&mut network, (host, address_of(index)), (config, random.seed()), manners)
        });
        let mut ends: Vec<End> = ends.collect();
        ends[SERVER].bind_preferred(&mut network, manners);
        Self {
            ends,
            network,
            book,
            delivered: VecDeque::new(),
            random,
            amplification: Amplification::default(),
            reading: None,
            buffer: vec![0; BATCH],
            manners,
            cuts: false,
            logs,
        }
    }

    /// The time in the network.
    pub(super) fn now(&self) -> Instant {
        self.network.now()
    }

    /// What the clock of an end shows.
    pub(super) fn clock(&self, end: usize) -> Instant {
        self.network.shown_by(self.ends[end].host)
    }

    /// The host of an end, which has its clock.
    pub(super) fn host(&mut self, end: usize) -> &mut Host {
        self.network.host(self.ends[end].host)
    }

    /// The NAT before an end.
    pub(super) fn nat(&mut self, end: usize) -> &mut Nat {
        self.network.nat(self.ends[end].host)
    }

    /// Changes the links of all clients to the server, or from it.
    pub(super) fn change_links(&mut self, upwards: bool, change: impl Fn(&mut Link)) {
        let server = self.ends[SERVER].host;
        for client in self.ends.iter().skip(1).map(|end| end.host) {
            let (from, to) = if upwards { (client, server) } else { (server, client) };
            change(self.network.link(from, to));
        }
    }

    /// All links are as at the start.
    pub(super) fn heal(&mut self) {
        for upwards in [true, false] {
            self.change_links(upwards, |link| *link = Link::default());
        }
    }

    /// Lets a socket of a client appear somewhere else from now on.
    pub(super) fn rebind(&mut self, client: usize, socket: usize, address: bool) {
        let end = &self.ends[client];
        let inner = end.ports[socket % end.ports.len()].address;
        let mut outer = self.network.seen_as(end.host, inner);
        outer.set_port(outer.port() + 100);
        if address {
            outer.set_ip([203, 0, 113, client as u8].into());
        }
        let now = self.network.now();
        self.nat(client).rebind_to(now, inner, outer);
    }

    /// The time that has passed at an end, at most, however often its clock was set back.
    pub(super) fn lived(&self, end: usize) -> Instant {
        self.now() + self.ends[end].leaps
    }

    /// A new server, with the old configuration.
    pub(super) fn restart_server(&mut self) {
        let config = Arc::clone(&self.ends[SERVER].config);
        let seed = self.random.seed();
        let (host, leaps) = (self.ends[SERVER].host, self.ends[SERVER].leaps);
        self.ends[SERVER].ports.iter().for_each(|port| self.network.close(port.bound));
        let place = (host, address_of(SERVER));
        let mut end = End::new(&mut self.network, place, (config, seed), self.manners);
        end.leaps = leaps;
        end.bind_preferred(&mut self.network, self.manners);
        self.ends[SERVER] = end;
        self.amplification = Amplification::default();
    }

    /// The next event at an end.
    pub(super) fn poll_event(&mut self, end: usize) -> Option<(ConnectionHandle, Event)> {
        self.ends[end].sockets.poll_event()
    }

    /// Lets an end send a batch on each of its sockets; returns whether there was any.
    pub(super) fn transmit(&mut self, end: usize) -> bool {
        let mut any = false;
        for port in 0..self.ends[end].ports.len() {
            any |= self.transmit_on(end, port);
        }
        any
    }

    fn transmit_on(&mut self, end: usize, port: usize) -> bool {
        let now = self.clock(end);
        let host = &mut self.ends[end];
        let port = host.ports[port];
        let mut buffer = TransmitBuffer::new(&mut self.buffer, host.segments);
        let Some(sent) = host.sockets.poll_transmit(now, port.id, &mut buffer) else {
            return false;
        };
        assert!(sent.length > 0, "an empty batch");
        let to = sent.path.remote;
        self.book.pages().on_left_for(to);
        let (payload, segment_length) = (&self.buffer[..sent.length], sent.segment_length);
        if end == SERVER {
            for datagram in payload.chunks(segment_length.unwrap_or(sent.length)) {
                let judgement =
                    self.amplification.i1_at_most_three_times_what_came(to, datagram.len());
                judgement.unwrap_or_else(|violation| panic!("{violation}"));
            }
        }
        let outgoing = Outgoing { to, ecn: sent.ecn, payload, segment_length };
        self.network.send(port.bound, outgoing).unwrap();
        true
    }

    /// Lets a datagram arrive now.
    pub(super) fn hand_over(&mut self, parcel: &Parcel) {
        let found = self.ends.iter().enumerate().find_map(|(index, end)| {
            let port = end.ports.iter().find(|port| port.address == parcel.to)?;
            Some((index, *port))
        });
        let Some((end, port)) = found else { return };
        if end == SERVER {
            self.amplification.on_received(parcel.from, parcel.payload.len());
        }
        let mut pages = self.book.pages();
        (pages.source, pages.socket) = (Some(parcel.from), Some(port.id));
        drop(pages);
        let now = self.clock(end);
        let host = &mut self.ends[end];
        let local_ip = host.reports_local_ip.then(|| port.address.ip());
        let path = PathAddresses { socket: port.id, local_ip, remote: parcel.from };
        let mut payload = parcel.payload.clone();
        let mut datagram = UdpDatagram::new(path, &mut payload);
        datagram.ecn = parcel.ecn;
        datagram.segment_length = parcel.segment;
        host.sockets.handle_datagram(now - host.goes_back, datagram);
        self.judge_source();
    }

    /// Takes over what the packets that came last prove of their source.
    pub(super) fn judge_source(&mut self) {
        let mut pages = self.book.pages();
        pages.source = None;
        for address in pages.proofs.drain(..) {
            self.amplification.on_proved(address);
        }
    }

    /// The address was validated before the connection began.
    pub(super) fn on_proved(&mut self, address: SocketAddr) {
        self.amplification.on_proved(address);
    }

    /// When something happens next by itself.
    pub(super) fn next(&self) -> Option<Instant> {
        let deadlines = self.ends.iter().filter_map(|end| {
            let deadline = end.sockets.poll_timeout()?;
            Some(self.now() + (deadline - self.network.shown_by(end.host)))
        });
        deadlines.chain(self.network.next()).min()
    }

    /// Whether an end has still to wait for something.
    pub(super) fn waits(&self, end: usize) -> bool {
        self.ends[end].sockets.poll_timeout().is_some()
    }

    pub(super) fn pass_time(&mut self, to: Instant) {
        self.network.advance(to);
    }

    /// Takes what is there by now, one after the other.
    pub(super) fn next_arrival(&mut self) -> Option<Parcel> {
        loop {
            let port = self.reading.take().or_else(|| self.network.take_ready())?;
            let mut payload = Vec::new();
            if !self.network.is_bound(port) {
                continue;
            }
            let Ok(Arrival { from, to, ecn, segment_length }) =
                self.network.receive(port, &mut payload)
            else {
                continue;
            };
            self.reading = Some(port);
            return Some(Parcel { from, to, ecn, payload, segment: segment_length });
        }
    }

    /// A datagram was delivered, while these connections could read it.
    pub(super) fn remember(&mut self, parcel: Parcel, readers: Vec<usize>) {
        if self.delivered.len() == REMEMBERED {
            self.delivered.pop_front();
        }
        self.delivered.push_back((parcel, readers));
    }

    /// Whether a timer of an end is due.
    pub(super) fn is_due(&self, end: usize) -> bool {
        let now = self.clock(end);
        self.ends[end].sockets.poll_timeout().is_some_and(|at| at <= now)
    }

    pub(super) fn handle_timeout(&mut self, end: usize, turn: u32) {
        assert!(turn < TIMEOUTS_AT_ONCE, "I16: end {end} is due after {turn} timeouts");
        let now = self.clock(end);
        self.ends[end].sockets.handle_timeout(now);
    }

    /// Checks an end that was polled until there was nothing.
    pub(super) fn check_idle(&mut self, end: usize) -> Result<(), String> {
        let event = self.poll_event(end);
        i15_nothing_is_left_to_poll(event.is_some() || self.transmit(end))?;
        let deadline = self.ends[end].sockets.poll_timeout();
        i16_deadlines_are_to_come(self.clock(end), deadline)
    }
}

impl End {
    fn new(
        network: &mut Network,
        (host, address): (HostId, SocketAddr),
        (config, seed): (Arc<EndpointConfig>, [u8; 32]),
        manners: Manners,
    ) -> Self {
        let mut sockets = SocketMultiplexer::with_random(SeededRandom::from_seed(seed));
        let id = sockets.add_socket(address, Arc::clone(&config)).unwrap();
        let bound = network.bind(host, address).unwrap();
        Self {
            sockets,
            ports: vec![Port { id, bound, address }],
            config,
            host,
            leaps: Duration::ZERO,
            goes_back: Duration::ZERO,
            segments: manners.segments,
            reports_local_ip: manners.reports_local_ip,
            first: id,
            added: 0,
        }
    }

    /// What owns its connections.
    pub(super) fn manager(&mut self) -> &mut PacketHandlerMap {
        self.sockets.manager(self.ports[0].id).unwrap()
    }

    /// Removes the socket that was added last; returns which it was.
    pub(super) fn remove_socket(&mut self, network: &mut Network) -> Option<SocketId> {
        let port = self.ports.pop_if(|port| port.id != self.first)?;
        network.close(port.bound);
        self.sockets.remove_socket(port.id);
        Some(port.id)
    }

    /// Adds a socket beside the others.
    pub(super) fn add_socket(&mut self, network: &mut Network) {
        let mut address = self.ports[0].address;
        self.added += 1;
        address.set_port(address.port() + self.added);
        self.bind(network, address);
    }

    fn bind(&mut self, network: &mut Network, address: SocketAddr) {
        let id = self.sockets.add_socket(address, Arc::clone(&self.config)).unwrap();
        let bound = network.bind(self.host, address).unwrap();
        self.ports.push(Port { id, bound, address });
    }

    fn bind_preferred(&mut self, network: &mut Network, manners: Manners) {
        if manners.preferred {
            self.bind(network, PREFERRED.into());
        }
    }

    /// Has it use another keyring from now on.
    pub(super) fn use_keyring(&mut self, keyring: &Keyring) {
        let mut config = EndpointConfig::clone(&self.config);
        config.keyring = Some(keyring.clone());
        self.config = Arc::new(config);
        self.sockets.reconfigure(self.first, Arc::clone(&self.config)).unwrap();
    }
}
