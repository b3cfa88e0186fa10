//! Ends, the links between them, and time.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use quic_core::crypto::SeededRandom;
use quic_core::{
    ConnectionHandle, EcnCodepoint, EndpointConfig, Event, Instant, Keyring, Multiplexer as _,
    PacketHandlerMap, PathAddresses, SocketId, SocketMultiplexer, TransmitBuffer, UdpDatagram,
};
use quic_qlog::Memory;
use quic_sim::network::Random;

use super::book::{Book, fold};
use super::invariants::{Amplification, i15_nothing_is_left_to_poll, i16_deadlines_are_to_come};
use super::operations::Marks;

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
/// When cases start; what lies before it exists, too.
const START: Instant = Instant::from_nanos(100_000_000_000_000);

/// A socket, and how others see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port {
    pub(super) id: SocketId,
    pub(super) inner: SocketAddr,
    pub(super) outer: SocketAddr,
}

/// A client or the server.
#[derive(Debug)]
pub(super) struct End {
    pub(super) sockets: SocketMultiplexer<PacketHandlerMap>,
    pub(super) ports: Vec<Port>,
    pub(super) config: Arc<EndpointConfig>,
    /// Nanoseconds by which its clock is ahead.
    pub(super) ahead: i64,
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

/// One direction of the network. Percentages are probabilities.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) loss: u8,
    pub(super) duplicate: u8,
    pub(super) reorder: u8,
    pub(super) corrupt: u8,
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    pub(super) bytes_per_second: Option<u64>,
    pub(super) mtu: usize,
    pub(super) marks: Marks,
    pub(super) cut: bool,
    free_at: Instant,
    last_arrival: Instant,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            loss: 0,
            duplicate: 0,
            reorder: 0,
            corrupt: 0,
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            bytes_per_second: None,
            mtu: 65_527,
            marks: Marks::Keep,
            cut: false,
            free_at: Instant::EPOCH,
            last_arrival: Instant::EPOCH,
        }
    }
}

/// A datagram between two addresses.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) from: SocketAddr,
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
}

/// Everything but the applications.
#[derive(Debug)]
pub(super) struct World {
    pub(super) ends: Vec<End>,
    /// To the server and from it.
    pub(super) links: [Link; 2],
    pub(super) book: Book,
    /// What was delivered last, oldest first, and which connections could read it then.
    pub(super) delivered: VecDeque<(Parcel, Vec<usize>)>,
    pub(super) digest: u64,
    now: Instant,
    random: Random,
    amplification: Amplification,
    on_the_way: BTreeMap<(Instant, u64), Parcel>,
    sent: u64,
    buffer: Vec<u8>,
    manners: Manners,
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
        let logs = seed.is_multiple_of(16).then(Memory::default);
        let mut random = Random::new(seed, 0);
        let ends = configs.into_iter().enumerate().map(|(index, mut config)| {
            config.recorder = Some(match &logs {
                Some(logs) => logs.recorder().and(book.recorder()),
                None => book.recorder(),
            });
            End::new(address_of(index), Arc::new(config), random.seed(), manners)
        });
        let mut ends: Vec<End> = ends.collect();
        ends[SERVER].bind_preferred(manners);
        Self {
            ends,
            links: [Link::default(), Link::default()],
            book,
            delivered: VecDeque::new(),
            digest: 0,
            now: START,
            random,
            amplification: Amplification::default(),
            on_the_way: BTreeMap::new(),
            sent: 0,
            buffer: vec![0; BATCH],
            manners,
            logs,
        }
    }

    /// The time in the network.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// What the clock of an end shows.
    pub(super) fn clock(&self, end: usize) -> Instant {
        let nanos = self.now.as_nanos().saturating_add_signed(self.ends[end].ahead);
        Instant::from_nanos(nanos)
    }

    /// The time that has passed at an end, at most, however often its clock was set back.
    pub(super) fn lived(&self, end: usize) -> Instant {
        self.now + self.ends[end].leaps
    }

    /// A new server, with the old configuration.
    pub(super) fn restart_server(&mut self) {
        let config = Arc::clone(&self.ends[SERVER].config);
        let seed = self.random.seed();
        let mut end = End::new(address_of(SERVER), config, seed, self.manners);
        (end.ahead, end.leaps) = (self.ends[SERVER].ahead, self.ends[SERVER].leaps);
        end.bind_preferred(self.manners);
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
        let segment = sent.segment_length.unwrap_or(sent.length);
        let batch = self.buffer[..sent.length].to_vec();
        for payload in batch.chunks(segment) {
            let (from, to) = (port.outer, sent.path.remote);
            if end == SERVER {
                let judgement =
                    self.amplification.i1_at_most_three_times_what_came(to, payload.len());
                judgement.unwrap_or_else(|violation| panic!("{violation}"));
            }
            self.send(
                end,
                Parcel { from, to, ecn: sent.ecn, payload: payload.to_vec(), segment: None },
            );
        }
        true
    }

    fn send(&mut self, by: usize, mut parcel: Parcel) {
        let random = &mut self.random;
        let link = &mut self.links[usize::from(by == SERVER)];
        self.digest = fold(self.digest, [self.now.as_nanos(), parcel.payload.len() as u64]);
        let mut chance = |percent: u8| random.below(100) < u64::from(percent);
        let lost = chance(link.loss);
        let (twice, late) = (chance(link.duplicate), chance(link.reorder));
        let (flip, congested) = (chance(link.corrupt), chance(30));
        let jitter = random.below(nanos(link.jitter) + 1);
        let held = random.below(30_000_000);
        let bit = random.below(8 * parcel.payload.len() as u64) as usize;
        let stopped = matches!(link.marks, Marks::Drop) && parcel.ecn.is_some();
        if lost || link.cut || stopped || parcel.payload.len() > link.mtu {
            return;
        }
        parcel.ecn = match link.marks {
            Marks::Bleach => None,
            Marks::Congestion if congested => parcel.ecn.and(Some(EcnCodepoint::Ce)),
            Marks::Keep | Marks::Drop | Marks::Congestion => parcel.ecn,
        };
        if flip {
            parcel.payload[bit / 8] ^= 1 << (bit % 8);
        }
        let mut leaves = self.now;
        if let Some(rate) = link.bytes_per_second {
            let time = parcel.payload.len() as u64 * 1_000_000_000 / rate;
            link.free_at = link.free_at.max(self.now) + Duration::from_nanos(time);
            leaves = link.free_at;
            // A queue of half a second.
            if leaves - self.now > Duration::from_millis(500) {
                link.free_at = self.now + Duration::from_millis(500);
                return;
            }
        }
        let in_order = (leaves + link.delay + Duration::from_nanos(jitter)).max(link.last_arrival);
        link.last_arrival = in_order;
        let at = if late { in_order + Duration::from_nanos(held) } else { in_order };
        if twice {
            self.post(at + Duration::from_nanos(held / 2), parcel.clone());
        }
        self.post(at, parcel);
    }

    fn post(&mut self, at: Instant, parcel: Parcel) {
        self.sent += 1;
        self.on_the_way.insert((at, self.sent), parcel);
    }

    /// Lets a datagram arrive now.
    pub(super) fn hand_over(&mut self, parcel: &Parcel) {
        let found = self.ends.iter().enumerate().find_map(|(index, end)| {
            let port = end.ports.iter().find(|port| port.outer == parcel.to)?;
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
        let local_ip = host.reports_local_ip.then(|| port.inner.ip());
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
        let arrival = self.on_the_way.keys().next().map(|key| key.0);
        let deadlines = self.ends.iter().filter_map(|end| {
            let deadline = end.sockets.poll_timeout()?;
            Some(Instant::from_nanos(deadline.as_nanos().saturating_add_signed(-end.ahead)))
        });
        deadlines.chain(arrival).min()
    }

    /// Whether an end has still to wait for something.
    pub(super) fn waits(&self, end: usize) -> bool {
        self.ends[end].sockets.poll_timeout().is_some()
    }

    pub(super) fn pass_time(&mut self, to: Instant) {
        self.now = self.now.max(to);
    }

    /// Takes the next datagram that is there by now.
    pub(super) fn next_arrival(&mut self) -> Option<Parcel> {
        let entry = self.on_the_way.first_entry()?;
        let parcel = (entry.key().0 <= self.now).then(|| entry.remove())?;
        Some(parcel)
    }

    /// Takes the next datagram that is there by now, and those behind it that make a train with it.
    pub(super) fn next_train(&mut self) -> Option<Parcel> {
        let mut train = self.next_arrival()?;
        let length = train.payload.len();
        let mut last = length;
        while last == length
            && let Some(entry) = self.on_the_way.first_entry()
            && entry.key().0 <= self.now
            && (entry.get().from, entry.get().to, entry.get().ecn)
                == (train.from, train.to, train.ecn)
            && (1..=length).contains(&entry.get().payload.len())
        {
            let next = entry.remove();
            last = next.payload.len();
            train.payload.extend_from_slice(&next.payload);
            train.segment = Some(length);
        }
        Some(train)
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
        address: SocketAddr,
        config: Arc<EndpointConfig>,
        seed: [u8; 32],
        manners: Manners,
    ) -> Self {
        let mut sockets = SocketMultiplexer::with_random(SeededRandom::from_seed(seed));
        let id = sockets.add_socket(address, Arc::clone(&config)).unwrap();
        Self {
            sockets,
            ports: vec![Port { id, inner: address, outer: address }],
            config,
            ahead: 0,
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
    pub(super) fn remove_socket(&mut self) -> Option<SocketId> {
        let port = self.ports.pop_if(|port| port.id != self.first)?;
        self.sockets.remove_socket(port.id);
        Some(port.id)
    }

    /// Adds a socket beside the others.
    pub(super) fn add_socket(&mut self) {
        let mut address = self.ports[0].inner;
        self.added += 1;
        address.set_port(address.port() + self.added);
        self.bind(address);
    }

    fn bind(&mut self, address: SocketAddr) {
        let id = self.sockets.add_socket(address, Arc::clone(&self.config)).unwrap();
        self.ports.push(Port { id, inner: address, outer: address });
    }

    fn bind_preferred(&mut self, manners: Manners) {
        if manners.preferred {
            self.bind(PREFERRED.into());
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

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
