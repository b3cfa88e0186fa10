//! One end: a multiplexer with a socket, and the application on top of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quic_core::crypto::SeededRandom;
use quic_core::{
    AddSocketError, ClientConfig, Connect, ConnectError, Connection, ConnectionError,
    ConnectionHandle, Direction, EcnCodepoint, EndpointConfig, Event, Instant, Multiplexer as _,
    PacketHandlerManager as _, PacketHandlerMap, PathAddresses, ServerConfig, SocketId,
    SocketMultiplexer, StreamId, TransmitBuffer, UdpDatagram, VarInt,
};

use super::application::Application;
use super::outbox::{Departed, Departure};
use crate::network::{HostId, Network, PortId, SocketError};

/// Bytes that a batch may have.
const BATCH: usize = 64 * 1024;
/// Calls of a socket that fail one after the other, after which it is left alone for a while.
const MAX_FAILURES: u32 = 16;

/// What happens to attempts to connect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Incoming {
    /// They are accepted.
    Accept,
    /// They are refused.
    Refuse,
    /// They are asked to prove their address, then accepted.
    Retry,
    /// They are left to the test.
    Wait,
}

/// A socket as the network knows it.
#[derive(Debug)]
struct Port {
    port: PortId,
    /// What it had no room for.
    blocked: Option<Departure<Vec<u8>>>,
}

/// One end.
#[derive(Debug)]
pub struct Endpoint {
    /// The host that it is on.
    pub host: HostId,
    /// What is tested.
    pub sockets: SocketMultiplexer<PacketHandlerMap>,
    /// Its first socket.
    pub socket: SocketId,
    /// Further sockets, and their addresses.
    pub more: Vec<(SocketId, SocketAddr)>,
    /// All sockets in the network.
    ports: Vec<Port>,
    config: Arc<EndpointConfig>,
    address: SocketAddr,
    /// The time here.
    pub now: Instant,
    /// How much the clock goes back for every datagram that arrives.
    pub goes_back: Duration,
    /// Datagrams that are taken at a time.
    pub maximum_segments: usize,
    /// Whether the socket reports the local address of what it receives.
    pub reports_local_ip: bool,
    /// What happens to attempts to connect.
    pub incoming: Incoming,
    /// Attempts that were made, in order.
    pub attempts: Vec<ConnectionHandle>,
    /// Connections whose handshake is complete, in order.
    pub connected: Vec<ConnectionHandle>,
    /// Connections that are over, and why.
    pub lost: BTreeMap<ConnectionHandle, ConnectionError>,
    /// Events that are no stream's, with their times.
    pub events: Vec<(Instant, ConnectionHandle, Event)>,
    /// What happens on streams.
    pub application: Application,
    /// Bytes of datagrams that came.
    pub bytes_received: u64,
    /// Bytes of datagrams that left, or were refused.
    pub bytes_sent: u64,
    /// Datagrams that the sockets did not take, although they had room.
    pub refused: u64,
    /// Calls to receive that failed, but for those that found nothing.
    pub receive_errors: u64,
    /// The first and the last datagram with a long header that were sent.
    long: Option<[Vec<u8>; 2]>,
    buffer: Vec<u8>,
    inbox: Vec<u8>,
}

impl Endpoint {
    /// An end at `address`. Its sockets are bound when it is settled for the first time.
    pub(crate) fn new(
        host: HostId,
        address: SocketAddr,
        config: EndpointConfig,
        seed: [u8; 32],
        now: Instant,
    ) -> Self {
        let mut sockets = SocketMultiplexer::with_random(SeededRandom::from_seed(seed));
        let config = Arc::new(config);
        let socket = sockets.add_socket(address, Arc::clone(&config)).unwrap();
        Self {
            host,
            sockets,
            socket,
            more: Vec::new(),
            ports: Vec::new(),
            config,
            address,
            now,
            goes_back: Duration::ZERO,
            maximum_segments: 10,
            reports_local_ip: true,
            incoming: Incoming::Accept,
            attempts: Vec::new(),
            connected: Vec::new(),
            lost: BTreeMap::new(),
            events: Vec::new(),
            application: Application::default(),
            bytes_received: 0,
            bytes_sent: 0,
            refused: 0,
            receive_errors: 0,
            long: None,
            buffer: vec![0; BATCH],
            inbox: Vec::new(),
        }
    }

    /// The address of its first socket, as it is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds a socket, which is bound in the network at the next step.
    pub fn add_socket(&mut self, address: SocketAddr) -> SocketId {
        let socket = self.sockets.add_socket(address, Arc::clone(&self.config)).unwrap();
        self.more.push((socket, address));
        socket
    }

    /// The sockets and their addresses.
    pub fn all_sockets(&self) -> impl Iterator<Item = (SocketId, SocketAddr)> {
        std::iter::once((self.socket, self.address)).chain(self.more.iter().copied())
    }

    /// The path to `remote` over a socket.
    pub fn path(&self, socket: SocketId, remote: SocketAddr) -> PathAddresses {
        PathAddresses { socket, local_ip: None, remote }
    }

    /// The manager of the socket.
    pub fn manager(&mut self) -> &mut PacketHandlerMap {
        self.sockets.manager(self.socket).unwrap()
    }

    /// Accepts connections from now on.
    pub fn listen(&mut self, config: Arc<ServerConfig>) {
        self.manager().listen(config);
    }

    /// Changes the secrets of the socket.
    ///
    /// # Errors
    /// As the multiplexer's.
    pub fn reconfigure(&mut self, config: EndpointConfig) -> Result<(), AddSocketError> {
        self.sockets.reconfigure(self.socket, Arc::new(config))
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// As the manager's.
    pub fn connect(
        &mut self,
        remote: SocketAddr,
        server_name: &str,
        config: Arc<ClientConfig>,
    ) -> Result<ConnectionHandle, ConnectError> {
        let path = PathAddresses { socket: self.socket, local_ip: None, remote };
        let now = self.now;
        self.manager().connect(now, Connect { path, server_name, config })
    }

    /// Acts on a connection that exists.
    pub fn with<R>(
        &mut self,
        handle: ConnectionHandle,
        act: impl FnOnce(&mut Connection) -> R,
    ) -> R {
        self.try_with(handle, act).expect("the connection is gone")
    }

    /// Acts on a connection; `None` if there is none.
    pub fn try_with<R>(
        &mut self,
        handle: ConnectionHandle,
        act: impl FnOnce(&mut Connection) -> R,
    ) -> Option<R> {
        let now = self.now;
        self.manager().with_connection(now, handle, act)
    }

    /// Acts on a connection together with the application.
    pub fn apply<R>(
        &mut self,
        handle: ConnectionHandle,
        act: impl FnOnce(&mut Application, &mut Connection) -> R,
    ) -> Option<R> {
        let manager = self.sockets.manager(self.socket).unwrap();
        let application = &mut self.application;
        manager.with_connection(self.now, handle, |connection| act(application, connection))
    }

    /// Opens a stream, sends all of `bytes` on it, then ends it.
    pub fn send_all(
        &mut self,
        handle: ConnectionHandle,
        direction: Direction,
        bytes: impl Into<Bytes>,
    ) -> StreamId {
        let bytes = bytes.into();
        self.apply(handle, |application, connection| {
            let id = connection.open_stream(direction).expect("a stream can be opened");
            application.send(connection, (handle, id), bytes, true);
            id
        })
        .expect("the connection is gone")
    }

    /// Opens a stream, and writes to it whenever it can take more.
    pub fn send_endlessly(&mut self, handle: ConnectionHandle) -> StreamId {
        self.apply(handle, |application, connection| {
            let id = connection.open_stream(Direction::Unidirectional).unwrap();
            application.send_endlessly(connection, (handle, id));
            id
        })
        .expect("the connection is gone")
    }

    /// What came on a stream so far.
    pub fn received(&self, handle: ConnectionHandle, id: StreamId) -> &[u8] {
        self.application.received.get(&(handle, id)).map_or(&[], |received| &received.bytes)
    }

    /// Whether a stream was read to its end.
    pub fn is_finished(&self, handle: ConnectionHandle, id: StreamId) -> bool {
        self.application.received.get(&(handle, id)).is_some_and(|received| received.finished)
    }

    /// Bytes read from all streams of a connection.
    pub fn bytes_read(&self, handle: ConnectionHandle) -> u64 {
        let streams = self.application.received.iter();
        streams.filter(|(key, _)| key.0 == handle).map(|(_, received)| received.length).sum()
    }

    /// Closes a connection.
    pub fn close(&mut self, handle: ConnectionHandle, code: u32, reason: &'static [u8]) {
        let now = self.now;
        self.with(handle, |connection| {
            connection.close(now, VarInt::from_u32(code), Bytes::from_static(reason));
        });
    }

    /// Binds sockets that are not bound yet.
    pub(super) fn attach(&mut self, network: &mut Network) {
        for (_, address) in self.all_sockets().skip(self.ports.len()).collect::<Vec<_>>() {
            let port = network.bind(self.host, address).expect("the address is free");
            self.ports.push(Port { port, blocked: None });
        }
    }

    /// Closes the sockets.
    pub(crate) fn detach(&mut self, network: &mut Network) {
        self.ports.drain(..).for_each(|port| network.close(port.port));
    }

    /// What the network calls its sockets, the first one first.
    pub fn ports(&self) -> impl Iterator<Item = PortId> {
        self.ports.iter().map(|port| port.port)
    }

    /// Takes all that a socket has.
    pub(super) fn receive(&mut self, network: &mut Network, port: PortId) {
        let mut inbox = std::mem::take(&mut self.inbox);
        let mut failures = 0;
        while failures < MAX_FAILURES {
            match network.receive(port, &mut inbox) {
                Ok(arrival) => {
                    failures = 0;
                    let way = (arrival.from, arrival.to);
                    self.handle_datagram(way, arrival.ecn, &mut inbox, arrival.segment_length);
                }
                Err(SocketError::WouldBlock) => break,
                Err(_) => {
                    failures += 1;
                    self.receive_errors += 1;
                }
            }
        }
        self.inbox = inbox;
    }

    /// Takes a datagram, or a train, that came from and goes to these addresses.
    pub fn handle_datagram(
        &mut self,
        (from, to): (SocketAddr, SocketAddr),
        ecn: Option<EcnCodepoint>,
        payload: &mut [u8],
        segment_length: Option<usize>,
    ) {
        let Some((socket, address)) = self.all_sockets().find(|(_, address)| *address == to) else {
            return;
        };
        self.bytes_received += payload.len() as u64;
        let local_ip = self.reports_local_ip.then(|| address.ip());
        let path = PathAddresses { socket, local_ip, remote: from };
        let datagram = UdpDatagram { path, ecn, payload, segment_length };
        self.sockets.handle_datagram(self.now - self.goes_back, datagram);
    }

    /// Handles all events; returns whether there were any.
    pub(super) fn handle_events(&mut self) -> bool {
        let mut any = false;
        while let Some((handle, event)) = self.sockets.poll_event() {
            any = true;
            self.handle_event(handle, event);
        }
        any
    }

    fn handle_event(&mut self, handle: ConnectionHandle, event: Event) {
        if let Event::Stream(event) = event {
            self.apply(handle, |application, connection| {
                application.handle_event(connection, handle, event);
            });
            return;
        }
        assert!(!self.lost.contains_key(&handle), "{event:?} after the connection was lost");
        match &event {
            Event::Connected => self.connected.push(handle),
            Event::Lost(reason) => {
                self.lost.insert(handle, reason.clone());
                self.apply(handle, |application, connection| {
                    application.read_the_rest(connection, handle);
                });
            }
            Event::Incoming => self.handle_incoming(handle),
            _ => {}
        }
        self.events.push((self.now, handle, event));
    }

    fn handle_incoming(&mut self, handle: ConnectionHandle) {
        self.attempts.push(handle);
        let (now, policy) = (self.now, self.incoming);
        let manager = self.manager();
        match policy {
            Incoming::Accept => {
                // An attempt that is not valid was answered already.
                drop(manager.accept(now, handle, None));
            }
            Incoming::Refuse => manager.refuse(handle),
            Incoming::Retry => {
                if !manager.retry(now, handle) {
                    drop(manager.accept(now, handle, None));
                }
            }
            Incoming::Wait => {}
        }
    }

    /// Sends the next batch of each socket; returns whether there was one.
    pub(super) fn transmit(&mut self, network: &mut Network) -> bool {
        let mut any = false;
        for index in 0..=self.more.len() {
            let Some((socket, _)) = self.all_sockets().nth(index) else { break };
            any |= self.transmit_on(index, socket, network);
        }
        any
    }

    fn transmit_on(&mut self, index: usize, socket: SocketId, network: &mut Network) -> bool {
        let Port { port, blocked } = &mut self.ports[index];
        if !network.is_writable(*port) {
            return false;
        }
        if let Some(Departure { to, ecn, payload, segment }) = blocked.take() {
            let departure = Departure { to, ecn, payload: &*payload, segment };
            let departed = departure.send(network, *port);
            self.note_departed(index, socket, departed);
            return true;
        }
        let port = *port;
        let mut buffer = TransmitBuffer::new(&mut self.buffer, self.maximum_segments);
        let Some(transmit) = self.sockets.poll_transmit(self.now, socket, &mut buffer) else {
            return false;
        };
        assert!(transmit.length > 0, "an empty batch");
        assert_eq!(transmit.path.socket, socket, "a batch of another socket");
        let payload = self.buffer.get(..transmit.length).expect("a batch fits its buffer");
        let segment = transmit.segment_length.unwrap_or(transmit.length);
        assert!(segment > 0 && segment <= transmit.length, "segments of {segment} bytes");
        assert!(payload.len().div_ceil(segment) <= self.maximum_segments, "too many segments");
        self.bytes_sent += transmit.length as u64;
        for datagram in payload.chunks(segment).filter(|it| it[0] & 0x80 != 0 && it.len() >= 5) {
            let [_, last] = self.long.get_or_insert_with(|| [datagram.to_vec(), Vec::new()]);
            last.clear();
            last.extend_from_slice(datagram);
        }
        let departure = Departure { to: transmit.path.remote, ecn: transmit.ecn, payload, segment };
        let departed = departure.send(network, port);
        self.note_departed(index, socket, departed);
        true
    }

    fn note_departed(&mut self, index: usize, socket: SocketId, departed: Departed) {
        self.ports[index].blocked = departed.blocked;
        self.refused += departed.refused;
        if let Some(length) = departed.too_large {
            self.sockets.handle_too_large(self.now, socket, length);
        }
    }

    /// The first datagram with a long header that it sent.
    pub fn first_long(&self) -> Vec<u8> {
        let [first, _] = self.long.as_ref().expect("a datagram was sent");
        first.clone()
    }

    /// The last datagram with a long header that it sent.
    pub fn last_long(&self) -> Vec<u8> {
        let [_, last] = self.long.as_ref().expect("a datagram was sent");
        last.clone()
    }
}
