//! Hosts, sockets, links and NATs in virtual time.
//!
//! A [`Network`] carries datagrams and knows nothing of what is in them. Nothing happens unless
//! somebody calls: [`send`](Network::send) at the present time, [`advance`](Network::advance) to
//! the [`next`](Network::next) time at which anything happens, [`receive`](Network::receive) what
//! has arrived. All that is random follows from the seed, in streams of their own for each link,
//! socket and host, so that what happens in one place does not shift what happens in another.

mod agenda;
mod clock;
mod faults;
mod host;
mod link;
mod links;
mod loss;
mod marks;
mod nat;
mod queue;
mod random;
mod routes;
mod socket;
mod store;
mod trace;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::mem;
use std::net::SocketAddr;
use std::time::Duration;

use quic_core::{EcnCodepoint, Instant};

pub use self::faults::{Faults, SocketError};
pub use self::host::{Host, HostId};
pub use self::link::{Link, LinkStatistics};
pub use self::loss::Bursts;
pub use self::marks::Marks;
pub use self::nat::{Filtering, Nat};
pub use self::queue::CoDel;
pub use self::random::{Random, hash};
pub use self::routes::BindError;
pub use self::socket::{Arrival, Outgoing, PortId, Socket};
pub use self::trace::{Fate, Sent, Trace};

use self::agenda::Due;
use self::faults::BLOCKED;
use self::link::{Way, Works};
use self::links::Links;
use self::routes::Routes;
use self::socket::{MAX_TRAIN, MAX_TRAIN_BYTES};
use self::store::{Packet, Slot};

/// When networks start. Not at the epoch, so that what lies before them exists.
pub const START: Instant = Instant::from_nanos(1_000_000_000_000);

/// Kinds of streams of random numbers.
const LINKS: u64 = 1 << 40;
const HOSTS: u64 = 2 << 40;
const SOCKETS: u64 = 3 << 40;

/// Hosts, sockets, links and NATs in virtual time.
#[derive(Debug)]
pub struct Network {
    /// What was sent, and what became of it.
    pub trace: Trace,
    /// Every datagram that was sent, from where to where, if they are kept.
    pub wire: Option<Vec<(SocketAddr, SocketAddr, Vec<u8>)>>,
    /// Addresses that nothing comes from or gets to.
    pub dead: Vec<SocketAddr>,
    /// Probability that a datagram joins the one before it in a train, if it can.
    pub coalesce: f64,
    seed: u64,
    hosts: Vec<Host>,
    sockets: Vec<Option<Socket>>,
    routes: Routes,
    links: Links,
    works: Works,
    ready: VecDeque<PortId>,
    /// Hosts that may have been changed.
    touched: Vec<HostId>,
}

impl Network {
    /// A network without hosts.
    pub fn new(seed: u64) -> Self {
        Self {
            trace: Trace::default(),
            wire: None,
            dead: Vec::new(),
            coalesce: 0.5,
            seed,
            hosts: Vec::new(),
            sockets: Vec::new(),
            routes: Routes::default(),
            links: Links::new(seed, LINKS),
            works: Works::new(START),
            ready: VecDeque::new(),
            touched: Vec::new(),
        }
    }

    /// The time in the network. What a host takes for it is [`Host::now`].
    pub fn now(&self) -> Instant {
        self.works.now
    }

    /// What all that is random follows from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Adds a host without sockets.
    pub fn add_host(&mut self) -> HostId {
        let number = self.hosts.len() as u64;
        self.hosts.push(Host::new(Random::new(self.seed, HOSTS + number), self.works.now));
        HostId(u32::try_from(number).expect("less than 2^32 hosts"))
    }

    /// Hosts that there are.
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }

    /// A host: its clock, its timers, its interface.
    pub fn host(&mut self, host: HostId) -> &mut Host {
        if !self.touched.contains(&host) {
            self.touched.push(host);
        }
        self.hosts[host.index()].tell(self.works.now)
    }

    /// What the clock of a host shows.
    pub fn shown_by(&self, host: HostId) -> Instant {
        self.hosts[host.index()].shows(self.works.now)
    }

    /// See [`Host::timer`]; who changes nothing need not tell anybody.
    pub(crate) fn timer(&mut self, host: HostId, deadline: Instant) -> Option<Instant> {
        self.hosts[host.index()].tell(self.works.now).timer(deadline)
    }

    pub(crate) fn clock_changes(&self, host: HostId) -> u64 {
        self.hosts[host.index()].clock_changes()
    }

    /// Hosts that may have been changed since it was asked last.
    pub(crate) fn take_touched(&mut self) -> Vec<HostId> {
        mem::take(&mut self.touched)
    }

    /// Whether nothing runs on a host.
    pub fn is_suspended(&self, host: HostId) -> bool {
        self.hosts[host.index()].suspended
    }

    /// Binds a socket. An unspecified IP address becomes one that is the host's alone, and the port
    /// 0 one that is free.
    ///
    /// # Errors
    /// If the address is taken.
    pub fn bind(&mut self, host: HostId, address: SocketAddr) -> Result<PortId, BindError> {
        let port = PortId(self.sockets.len());
        let address = self.routes.bind(host, port, address)?;
        let random = Random::new(self.seed, SOCKETS + port.0 as u64);
        self.sockets.push(Some(Socket::new(host, address, random)));
        Ok(port)
    }

    /// Another socket on the address of one that is bound, as with `SO_REUSEPORT`: each peer's
    /// datagrams arrive at one of them, always the same as long as none comes or goes.
    pub fn share(&mut self, port: PortId) -> PortId {
        let (host, address) = (self.host_of(port), self.address(port));
        let another = PortId(self.sockets.len());
        self.routes.share(another, address);
        let random = Random::new(self.seed, SOCKETS + another.0 as u64);
        self.sockets.push(Some(Socket::new(host, address, random)));
        another
    }

    /// The address that a socket is bound to.
    pub fn address(&self, port: PortId) -> SocketAddr {
        self.bound(port).address
    }

    /// Whether a socket was not closed yet.
    pub fn is_bound(&self, port: PortId) -> bool {
        self.sockets[port.0].is_some()
    }

    /// The host that a socket belongs to.
    pub fn host_of(&self, port: PortId) -> HostId {
        self.bound(port).host
    }

    /// A bound socket: its buffer, and what goes wrong with it.
    pub fn socket(&mut self, port: PortId) -> &mut Socket {
        self.sockets[port.0].as_mut().expect("the socket is bound")
    }

    fn bound(&self, port: PortId) -> &Socket {
        self.sockets[port.0].as_ref().expect("the socket is bound")
    }

    /// Closes a socket. What has arrived is gone, and what comes later is lost.
    pub fn close(&mut self, port: PortId) {
        if let Some(socket) = self.sockets[port.0].take() {
            self.routes.close(port, socket.address);
            socket.queue.into_iter().for_each(|slot| self.works.store.give_back(slot));
        }
    }

    /// What datagrams from one host to another go through.
    pub fn link(&mut self, from: HostId, to: HostId) -> &mut Link {
        &mut self.links.between(from, to).link
    }

    /// Both directions between two hosts.
    pub fn links(&mut self, one: HostId, other: HostId) -> [&mut Link; 2] {
        assert_ne!(one, other, "a host has one link to itself");
        self.links.both(one, other)
    }

    /// What a link did so far.
    pub fn link_statistics(&self, from: HostId, to: HostId) -> LinkStatistics {
        self.links.statistics(from, to)
    }

    /// The NAT between a host and the others. There is one from the first call on.
    pub fn nat(&mut self, inside: HostId) -> &mut Nat {
        self.routes.nat(inside)
    }

    /// The address that others see for an address of a host, whoever they are: what its NAT has for
    /// it, if it has anything.
    pub fn seen_as(&self, host: HostId, inner: SocketAddr) -> SocketAddr {
        self.routes.seen_as(host, inner)
    }

    /// Sends from a socket.
    ///
    /// # Errors
    /// What a system would say: nothing was sent then, none of several datagrams either.
    pub fn send(&mut self, port: PortId, datagram: Outgoing<'_>) -> Result<(), SocketError> {
        let now = self.works.now;
        let socket = self.sockets[port.0].as_mut().expect("the socket is bound");
        let mut called = match socket.blocked_until {
            Some(until) if until > now => Err(SocketError::WouldBlock),
            _ => socket.send_faults.call(&mut socket.random),
        };
        let (host, address) = (socket.host, socket.address);
        let length = datagram.payload.len();
        let segment = datagram.segment_length.unwrap_or(length).max(1);
        if called.is_ok() && segment.min(length) > self.hosts[host.index()].interface_mtu {
            called = Err(SocketError::TooLarge);
        }
        if let Err(error) = called {
            if error == SocketError::WouldBlock && socket.blocked_until.is_none_or(|at| at <= now) {
                socket.blocked_until = Some(now + BLOCKED);
                self.works.agenda.note(now + BLOCKED, Due::Ready(port.0));
            }
            self.trace.stir(now, &[2000, port.0 as u64]);
            return Err(error);
        }
        let flow = (host, address, datagram.to, datagram.ecn);
        if length == 0 {
            self.send_one(flow, &[]);
        }
        datagram.payload.chunks(segment).for_each(|payload| self.send_one(flow, payload));
        Ok(())
    }

    /// Whether a socket that would block takes something again.
    pub fn is_writable(&self, port: PortId) -> bool {
        self.bound(port).blocked_until.is_none_or(|until| until <= self.works.now)
    }

    fn send_one(
        &mut self,
        (by, inner, to, ecn): (HostId, SocketAddr, SocketAddr, Option<EcnCodepoint>),
        payload: &[u8],
    ) {
        let from = self.routes.leave(self.works.now, by, inner, to);
        let receiver = self.routes.host_at(to);
        let is_dead = self.dead.contains(&from) || self.dead.contains(&to);
        let fate = match receiver {
            _ if is_dead => Fate::Dead,
            None => Fate::NoRoute,
            Some(_) => Fate::Passes,
        };
        let hash = hash(payload);
        let number = self.trace.note((self.works.now, by), (from, to, ecn), (payload, hash), fate);
        if let Some(wire) = &mut self.wire {
            wire.push((from, to, payload.to_vec()));
        }
        // What is dead takes its time on the link, too.
        let Some(host) = receiver else { return };
        let way = Way::default();
        let none = Vec::new();
        let packet = Packet { from, to, host, ecn, payload: none, hash, way, number, is_dead };
        let slot = self.works.store.put(packet, payload);
        if let Err(fate) = self.links.between(by, host).enter(&mut self.works, slot) {
            self.end(slot, fate);
        }
        self.end_dropped();
    }

    /// A datagram is gone, and why.
    fn end(&mut self, slot: Slot, fate: Fate) {
        let packet = self.works.store.get(slot);
        let fate = if packet.is_dead { Fate::Dead } else { fate };
        self.trace.note_fate(self.works.now, packet.number, fate);
        self.works.store.give_back(slot);
    }

    fn end_dropped(&mut self) {
        while let Some(slot) = self.works.dropped.pop() {
            self.end(slot, Fate::Stale);
        }
    }

    /// Lets a datagram arrive that no host sent, after this time.
    pub fn inject(
        &mut self,
        (from, to): (SocketAddr, SocketAddr),
        payload: &[u8],
        after: Duration,
    ) {
        let Some(host) = self.routes.host_at(to) else { return };
        let (ecn, way, number, is_dead) = (None, Way::default(), 0, false);
        let (hash, none) = (hash(payload), Vec::new());
        let packet = Packet { from, to, host, ecn, payload: none, hash, way, number, is_dead };
        let slot = self.works.store.put(packet, payload);
        self.works.agenda.note(self.works.now + after, Due::Arrives(slot));
    }

    /// When something happens next by itself: a datagram leaves a queue or arrives, or a socket has
    /// room again.
    pub fn next(&self) -> Option<Instant> {
        self.works.agenda.next()
    }

    /// Lets time pass. What arrives until `to` lies in its socket then.
    pub fn advance(&mut self, to: Instant) {
        while let Some((at, due)) = self.works.agenda.pop(to) {
            self.works.now = self.works.now.max(at);
            match due {
                Due::Arrives(slot) => self.arrive(slot),
                Due::Leaves(link) => {
                    self.links.at(link).leave(&mut self.works);
                    self.end_dropped();
                }
                Due::Ready(port) => self.make_ready(PortId(port)),
            }
        }
        self.works.now = self.works.now.max(to);
    }

    fn arrive(&mut self, slot: Slot) {
        let packet = self.works.store.get(slot);
        let (length, host, ecn) = (packet.payload.len(), packet.host, packet.ecn);
        let (from, to, hash) = (packet.from, packet.to, packet.hash);
        if packet.is_dead {
            return self.end(slot, Fate::Dead);
        }
        let Some(inner) = self.routes.enter(self.works.now, host, to, from) else {
            return self.end(slot, Fate::Filtered);
        };
        let Some(port) = self.routes.port_at(host, inner, from) else {
            return self.end(slot, Fate::NoSocket);
        };
        if !self.socket(port).push(slot, length) {
            return self.end(slot, Fate::Overflow);
        }
        self.trace.stir(self.works.now, &[3000 + port.0 as u64, hash]);
        self.trace.stir_flow(from, to, ecn);
        self.make_ready(port);
    }

    fn make_ready(&mut self, port: PortId) {
        if let Some(socket) = self.sockets[port.0].as_mut()
            && !mem::replace(&mut socket.is_ready, true)
        {
            self.ready.push_back(port);
        }
    }

    /// The next socket at which something arrived, or that has room again, since it was told last.
    pub fn take_ready(&mut self) -> Option<PortId> {
        loop {
            let port = self.ready.pop_front()?;
            if let Some(socket) = self.sockets[port.0].as_mut() {
                socket.is_ready = false;
                return Some(port);
            }
        }
    }

    /// Takes what a socket has: a datagram or, by chance, a train of them. `into` is overwritten.
    ///
    /// # Errors
    /// [`SocketError::WouldBlock`] if there is nothing; or one of the socket's faults.
    pub fn receive(&mut self, port: PortId, into: &mut Vec<u8>) -> Result<Arrival, SocketError> {
        into.clear();
        let socket = self.sockets[port.0].as_mut().expect("the socket is bound");
        let Some(&slot) = socket.queue.front() else { return Err(SocketError::WouldBlock) };
        if let Err(error) = socket.receive_faults.call(&mut socket.random) {
            let now = self.works.now;
            self.trace.stir(now, &[4000, port.0 as u64]);
            if error == SocketError::WouldBlock {
                self.works.agenda.note(now + BLOCKED, Due::Ready(port.0));
            }
            return Err(error);
        }
        let packet = self.works.store.get(slot);
        let (from, ecn) = (packet.from, packet.ecn);
        into.extend_from_slice(&packet.payload);
        let length = into.len();
        socket.pop(length);
        self.works.store.give_back(slot);
        let mut last = length;
        let mut number = 1;
        while last == length && number < MAX_TRAIN && socket.random.chance(self.coalesce) {
            let Some(&slot) = socket.queue.front() else { break };
            let next = self.works.store.get(slot);
            last = next.payload.len();
            let joins = (next.from, next.ecn) == (from, ecn)
                && (1..=length).contains(&last)
                && into.len() + last <= MAX_TRAIN_BYTES;
            if !joins {
                break;
            }
            into.extend_from_slice(&next.payload);
            socket.pop(last);
            self.works.store.give_back(slot);
            number += 1;
        }
        let segment_length = (number > 1).then_some(length);
        Ok(Arrival { from, to: socket.address, ecn, segment_length })
    }
}
