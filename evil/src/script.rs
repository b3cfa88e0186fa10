//! What a case says to do, step by step, and what it sees.

mod attack;
mod judge;

use std::collections::BTreeMap;
use std::time::Duration;

use quic_core::Instant;
use quic_core::crypto::SeededRandom;
use quic_core::wire::transport_parameters::TransportParameters;
use quic_core::wire::{Side, SpaceId};

use crate::network::Network;
use crate::obstacle::Obstacle;
use crate::packet::Packet;
use crate::payload::Payload;
use crate::peer::{Beginning, Peer, Role, Stage};

/// How long to wait for something that has to come.
pub const PATIENCE: Duration = Duration::from_secs(4);
/// How long an honest end waits until it sends handshake bytes again.
const PROBE: Duration = Duration::from_millis(600);
/// How long it takes until all is said after a handshake.
const SETTLED: Duration = Duration::from_millis(60);
/// The first socket of the honest connection beside a case.
const WITNESS_SOCKET: usize = 16;

/// How a step ends: with an obstacle, the case is over.
pub type Step<T = ()> = Result<T, Obstacle>;

/// Bytes that went out and came in.
#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    sent: u64,
    received: u64,
    datagrams_received: u64,
}

/// The evil peer at work.
pub struct Script<'a> {
    network: &'a mut dyn Network,
    role: Role,
    random: SeededRandom,
    peer: Option<Peer>,
    traffic: Traffic,
    /// The traffic when the attack began.
    mark: Traffic,
    /// Bytes that came to each of our sockets.
    received_at: BTreeMap<usize, u64>,
    /// What the server said of limits on the connection before.
    last_limits: Option<TransportParameters>,
    /// Bytes of the last datagram that was sent.
    last_sent: usize,
    /// Added to the number of every socket.
    socket_offset: usize,
}

impl std::fmt::Debug for Script<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl<'a> Script<'a> {
    pub(crate) fn new(network: &'a mut dyn Network, role: Role, seed: [u8; 32]) -> Self {
        let (traffic, mark) = <(Traffic, Traffic)>::default();
        let random = SeededRandom::from_seed(seed);
        Self {
            network,
            role,
            random,
            peer: None,
            traffic,
            mark,
            received_at: BTreeMap::new(),
            last_limits: None,
            last_sent: 0,
            socket_offset: 0,
        }
    }

    /// An honest beginning, to be changed.
    pub fn beginning(&mut self) -> Beginning {
        Beginning::honest(self.role.clone(), &mut self.random)
    }

    /// So many random bytes.
    pub fn random(&mut self, length: usize) -> Vec<u8> {
        crate::peer::random_bytes(&mut self.random, length)
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.network.now()
    }

    /// The address of one of our sockets.
    ///
    /// # Errors
    /// If the network knows none.
    pub fn address(&mut self, socket: usize) -> Step<std::net::SocketAddr> {
        let address = self.network.address(socket);
        address.ok_or_else(|| Obstacle::not_set_up("a socket has no address"))
    }

    /// The peer.
    ///
    /// # Errors
    /// Before a connection began.
    pub fn peer(&mut self) -> Step<&mut Peer> {
        self.peer.as_mut().ok_or_else(|| Obstacle::not_set_up("no connection began"))
    }

    /// Whether the target closed the connection.
    pub fn is_closed(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.close().is_some())
    }

    /// What the target sends from now on counts as its reaction.
    pub fn mark(&mut self) {
        self.mark = self.traffic;
    }

    /// Bytes that the target sent since [`mark`](Self::mark).
    pub fn bytes_since_mark(&self) -> u64 {
        self.traffic.received - self.mark.received
    }

    /// Datagrams that the target sent since [`mark`](Self::mark).
    pub fn datagrams_since_mark(&self) -> u64 {
        self.traffic.datagrams_received - self.mark.datagrams_received
    }

    /// Bytes that came to one of our sockets.
    pub fn traffic_at(&self, socket: usize) -> u64 {
        self.received_at.get(&socket).copied().unwrap_or_default()
    }

    /// What the server said on the connection before this one.
    pub fn last_limits(&self) -> Option<&TransportParameters> {
        self.last_limits.as_ref()
    }

    /// Sends from another socket from now on, as if our address had changed.
    pub fn move_to(&mut self, socket: usize) {
        self.socket_offset = socket;
    }

    /// Sends a datagram as it is.
    pub fn send_datagram(&mut self, socket: usize, datagram: &[u8]) {
        self.traffic.sent += datagram.len() as u64;
        self.last_sent = datagram.len();
        self.network.send(socket + self.socket_offset, datagram);
    }

    /// Sends packets in one datagram.
    ///
    /// # Errors
    /// If one cannot be sealed.
    pub fn send_packets(&mut self, socket: usize, packets: Vec<Packet>) -> Step {
        let mut datagram = Vec::new();
        for packet in packets {
            datagram.extend_from_slice(&self.peer()?.seal(packet)?);
        }
        self.send_datagram(socket, &datagram);
        Ok(())
    }

    /// Sends a packet in a datagram of its own; returns its number.
    ///
    /// # Errors
    /// If it cannot be sealed.
    pub fn send_packet(&mut self, packet: Packet) -> Step<u64> {
        let space = packet.kind.space();
        let number = packet.number.unwrap_or(self.peer()?.next_number(space));
        self.send_packets(0, vec![packet])?;
        Ok(number)
    }

    /// Sends frames in a 1-RTT packet; returns its number.
    ///
    /// # Errors
    /// If there are no keys yet.
    pub fn send(&mut self, payload: Payload) -> Step<u64> {
        self.send_packet(Packet::one_rtt(payload))
    }

    /// Sends frames in a 1-RTT packet from another socket, in a datagram of 1,200 bytes.
    ///
    /// # Errors
    /// If there are no keys yet.
    pub fn send_from(&mut self, socket: usize, payload: Payload) -> Step {
        self.send_packets(socket, vec![Packet { pad_to: 1200, ..Packet::one_rtt(payload) }])
    }

    /// Sends what an honest end would.
    ///
    /// # Errors
    /// If a packet cannot be sealed.
    pub fn flush(&mut self) -> Step {
        for (socket, datagram) in self.peer()?.flush()? {
            self.send_datagram(socket, &datagram);
        }
        Ok(())
    }

    /// Takes the next datagram of the target, without an answer; whether there was one in time.
    pub fn take(&mut self, wait: Duration) -> bool {
        let Some((socket, datagram)) = self.network.receive(wait) else { return false };
        self.traffic.received += datagram.len() as u64;
        self.traffic.datagrams_received += 1;
        *self.received_at.entry(socket).or_default() += datagram.len() as u64;
        if let (Some(peer), Some(socket)) = (&mut self.peer, socket.checked_sub(self.socket_offset))
        {
            peer.receive(socket, &datagram);
        }
        true
    }

    /// The next datagram of the target, before there is a peer to take it.
    ///
    /// # Errors
    /// If none comes.
    pub fn take_raw(&mut self) -> Step<Vec<u8>> {
        let none = || Obstacle::not_set_up("the target sent nothing");
        let (_, datagram) = self.network.receive(PATIENCE).ok_or_else(none)?;
        Ok(datagram)
    }

    /// Lets time pass; what comes meanwhile is taken without an answer.
    pub fn pause(&mut self, time: Duration) {
        let start = self.now();
        loop {
            let left = time.saturating_sub(self.now().saturating_duration_since(start));
            if left.is_zero() || !self.take(left) {
                return;
            }
        }
    }

    /// Answers the target like an honest end for so long.
    ///
    /// # Errors
    /// If a packet cannot be sealed.
    pub fn listen(&mut self, time: Duration) -> Step {
        let start = self.now();
        loop {
            let left = time.saturating_sub(self.now().saturating_duration_since(start));
            if left.is_zero() || !self.take(left) {
                return Ok(());
            }
            self.flush()?;
        }
    }

    /// Listens until something is true of the peer, at most for so long; whether it became true.
    ///
    /// # Errors
    /// If a packet cannot be sealed.
    pub fn wait_until(
        &mut self,
        time: Duration,
        mut test: impl FnMut(&Peer) -> bool,
    ) -> Step<bool> {
        let start = self.now();
        loop {
            if test(self.peer()?) {
                return Ok(true);
            }
            let left = time.saturating_sub(self.now().saturating_duration_since(start));
            if left.is_zero() {
                return Ok(false);
            }
            if self.take(left) {
                self.flush()?;
            }
        }
    }

    /// Begins a connection: sends nothing as a client; as a server, takes the client's first
    /// datagram and all that it is made of.
    ///
    /// # Errors
    /// If TLS does not start, or no client comes.
    pub fn begin(&mut self, beginning: Beginning) -> Step {
        if let Role::Client(..) = beginning.role {
            self.peer = Some(Peer::client(beginning)?);
            return Ok(());
        }
        let none = || Obstacle::not_set_up("no client connected");
        let (socket, first) = self.network.receive(PATIENCE).ok_or_else(none)?;
        let mut peer = Peer::server(beginning, &first)?;
        peer.receive(socket, &first);
        self.peer = Some(peer);
        // A long ClientHello takes several datagrams.
        while self.peer()?.stage() < Stage::OneRtt
            && self.peer()?.tls_error().is_none()
            && self.take(PATIENCE)
        {}
        Ok(())
    }

    /// Begins a connection and goes on honestly up to this stage. What is to be said there is not
    /// said.
    ///
    /// # Errors
    /// If the stage is not reached.
    pub fn until(&mut self, beginning: Beginning, stage: Stage) -> Step {
        self.begin(beginning)?;
        self.drive(stage)?;
        self.require(stage)
    }

    fn require(&mut self, stage: Stage) -> Step {
        let peer = self.peer()?;
        if peer.stage() >= stage {
            return Ok(());
        }
        let why = match (peer.close(), peer.tls_error()) {
            (Some(close), _) => format!("closed with 0x{:x}: {}", close.code, close.reason),
            (None, Some(error)) => format!("TLS says: {error}"),
            (None, None) => String::from("no answer"),
        };
        let reached = peer.stage();
        Err(Obstacle::not_set_up(format!("the handshake ended at {reached:?}: {why}")))
    }

    /// Goes on honestly until the stage is reached, or no more comes of it.
    fn drive(&mut self, stage: Stage) -> Step {
        let start = self.now();
        while self.peer()?.stage() < stage
            && !self.is_closed()
            && self.now().saturating_duration_since(start) < PATIENCE
        {
            self.flush()?;
            if !self.take(PROBE) {
                self.peer()?.resend();
            }
        }
        Ok(())
    }

    /// Tries to connect, whatever comes of it.
    ///
    /// # Errors
    /// If TLS does not start, or no client comes.
    pub fn attempt(&mut self, beginning: Beginning) -> Step {
        self.begin(beginning)?;
        self.finish()
    }

    /// Goes on with the handshake, whatever comes of it.
    ///
    /// # Errors
    /// If a packet cannot be sealed.
    pub fn finish(&mut self) -> Step {
        self.drive(Stage::Confirmed)?;
        if self.is_closed() {
            return Ok(());
        }
        self.flush()?;
        self.listen(SETTLED)
    }

    /// Connects, up to a confirmed handshake and all that is said after it.
    ///
    /// # Errors
    /// If the handshake fails.
    pub fn connect(&mut self) -> Step {
        let beginning = self.beginning();
        self.connect_with(beginning)
    }

    /// Connects in this way, up to a confirmed handshake and all that is said after it.
    ///
    /// # Errors
    /// If the handshake fails.
    pub fn connect_with(&mut self, beginning: Beginning) -> Step {
        self.attempt(beginning)?;
        self.require(Stage::Confirmed)?;
        self.mark();
        Ok(())
    }

    /// Leaves a connection behind that gave a ticket for early data, and begins another that has
    /// keys for 0-RTT packets; nothing of it is sent.
    ///
    /// # Errors
    /// [`Obstacle::Lacks`] if the server gives no such tickets.
    pub fn resume(&mut self, change: impl FnOnce(&mut Beginning)) -> Step {
        self.connect()?;
        self.wait_until(Duration::from_secs(1), |peer| peer.tickets() > 0)?;
        self.last_limits = self.peer()?.target_parameters();
        let goodbye = Payload::new().numbers(&[0x1c, 0, 0, 0]);
        self.send(goodbye)?;
        let mut beginning = self.beginning();
        change(&mut beginning);
        self.begin(beginning)?;
        if !self.peer()?.has_early_keys() {
            return Err(Obstacle::Lacks("0-RTT"));
        }
        self.mark();
        Ok(())
    }

    /// Demands that something is so; what it says otherwise is what the target did wrong.
    ///
    /// # Errors
    /// [`Obstacle::Broken`] if it is not so.
    pub fn demand(&mut self, is_so: bool, otherwise: &str) -> Step {
        if is_so { Ok(()) } else { Err(Obstacle::broken(otherwise)) }
    }

    /// The stream that the target opened first, by its side's number: the IDs of its streams.
    pub fn target_stream(&self, unidirectional: bool, index: u64) -> u64 {
        self.stream(true, unidirectional, index)
    }

    /// The ID of one of our own streams.
    pub fn own_stream(&self, unidirectional: bool, index: u64) -> u64 {
        self.stream(false, unidirectional, index)
    }

    fn stream(&self, of_target: bool, unidirectional: bool, index: u64) -> u64 {
        let we_are_client = matches!(self.role, Role::Client(..));
        let by_server = we_are_client == of_target;
        index << 2 | u64::from(unidirectional) << 1 | u64::from(by_server)
    }

    /// Which end the target is.
    pub fn target_side(&self) -> Side {
        match self.role {
            Role::Client(..) => Side::Server,
            Role::Server(_) => Side::Client,
        }
    }

    /// Whether a new, honest client is served; the connection of the case goes on afterwards.
    ///
    /// # Errors
    /// If TLS does not start.
    pub fn witness(&mut self) -> Step<bool> {
        let (peer, offset) = (self.peer.take(), self.socket_offset);
        self.socket_offset = WITNESS_SOCKET;
        let served = self.connect().and_then(|()| self.is_answered());
        self.peer = peer;
        self.socket_offset = offset;
        match served {
            Err(Obstacle::NotSetUp(_)) => Ok(false),
            other => other,
        }
    }

    /// Whether the target acknowledges a PING.
    ///
    /// # Errors
    /// If there are no keys yet.
    pub fn is_answered(&mut self) -> Step<bool> {
        for _ in 0..3 {
            let number = self.send(Payload::ping())?;
            let answered = self.wait_until(PATIENCE / 3, |peer| {
                peer.close().is_some() || peer.is_acked(SpaceId::Application, number)
            })?;
            if self.is_closed() {
                return Ok(false);
            }
            if answered {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
