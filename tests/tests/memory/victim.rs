//! A server whose heap is counted, and the evil clients that are out for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quic_core::crypto::SeededRandom;
use quic_core::{
    Connection, ConnectionHandle, ConnectionMemory, Direction, EndpointConfig, EndpointMemory,
    Event, Instant, Multiplexer as _, PacketHandlerManager as _, PathAddresses, ServerConfig,
    StreamEvent, StreamId, TransmitBuffer, TransportConfig, UdpDatagram,
};
use quic_evil::parameters::id;
use quic_evil::{Beginning, Packet, Payload, Peer, Role, Stage, client_tls};
use quic_sim::pair::{SERVER, SERVER_NAME, Setup};

use super::End;

/// Most datagrams of the server at a time.
const SEGMENTS: usize = 10;
/// Longest datagram of the server.
const MTU: usize = 1452;

/// A server, and what its application does.
pub(crate) struct Victim {
    pub(crate) end: End,
    pub(crate) now: Instant,
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) endpoint: EndpointConfig,
    /// Attempts are accepted.
    pub(crate) accepts: bool,
    /// Whoever connected, the last one last.
    pub(crate) connected: Vec<ConnectionHandle>,
    /// Streams that the clients opened, of the connection that is last.
    pub(crate) streams: Vec<StreamId>,
    buffer: Vec<u8>,
    random: SeededRandom,
}

/// An evil client.
pub(crate) struct Evil {
    pub(crate) peer: Peer,
    pub(crate) address: SocketAddr,
}

impl Victim {
    pub(crate) fn new(
        change: impl Fn(&mut TransportConfig),
        limit: impl Fn(&mut EndpointConfig),
    ) -> Self {
        let mut setup = Setup::with_rustls(1).transport(change);
        limit(&mut setup.server_endpoint);
        let config = setup.server_config();
        let mut end = End::new(2, SERVER, &setup.server_endpoint);
        let listened = Arc::clone(&config);
        end.watch(|manager| manager.listen(listened));
        Self {
            end,
            now: Instant::from_nanos(1_000_000_000_000),
            config,
            endpoint: setup.server_endpoint,
            accepts: true,
            connected: Vec::new(),
            streams: Vec::new(),
            buffer: vec![0; MTU * SEGMENTS],
            random: SeededRandom::from_seed([9; 32]),
        }
    }

    /// What a connection may take, and all of the server.
    pub(crate) fn bounds(&self, own_streams: u64) -> (ConnectionMemory, EndpointMemory) {
        let connection = self.config.worst_case_bytes(own_streams);
        let endpoint = self.endpoint.worst_case_bytes(&connection);
        (connection, endpoint)
    }

    /// Bytes of heap that the server holds.
    pub(crate) fn heap(&self) -> u64 {
        u64::try_from(self.end.heap.bytes).unwrap_or(0)
    }

    /// A client with room for all that the server may send, at an address of its own.
    pub(crate) fn client(&mut self, number: u16) -> Evil {
        let role = Role::Client(client_tls(&[b"test"]).unwrap(), SERVER_NAME.to_owned());
        let mut beginning = Beginning::honest(role, &mut self.random);
        for parameter in [
            id::INITIAL_MAX_DATA,
            id::INITIAL_MAX_STREAM_DATA_BIDI_LOCAL,
            id::INITIAL_MAX_STREAM_DATA_BIDI_REMOTE,
            id::INITIAL_MAX_STREAM_DATA_UNI,
        ] {
            beginning.parameters.set_number(parameter, 1 << 60);
        }
        Evil { peer: Peer::client(beginning).unwrap(), address: address(number) }
    }

    /// A client whose handshake is over.
    pub(crate) fn connect(&mut self, number: u16) -> Evil {
        let mut evil = self.client(number);
        for _ in 0..20 {
            self.exchange(&mut evil);
            if evil.peer.stage() == Stage::Confirmed {
                break;
            }
        }
        assert_eq!(evil.peer.stage(), Stage::Confirmed);
        self.exchange(&mut evil);
        evil
    }

    /// What an honest client would send now arrives, and so do the answers, a millisecond later.
    pub(crate) fn exchange(&mut self, evil: &mut Evil) {
        for (_, datagram) in evil.peer.flush().unwrap() {
            self.deliver(evil.address, &datagram);
        }
        self.now += Duration::from_millis(1);
        self.handle_timeout();
        self.answer(evil);
    }

    /// The server's answers arrive.
    pub(crate) fn answer(&mut self, evil: &mut Evil) {
        let Evil { peer, address } = evil;
        let address = *address;
        self.transmit(|to, datagram| {
            if to == address {
                peer.receive(0, datagram);
            }
        });
    }

    /// What the server has to say is lost.
    pub(crate) fn mute(&mut self) {
        self.transmit(|_, _| {});
    }

    pub(crate) fn handle_timeout(&mut self) {
        let now = self.now;
        if self.end.sockets.poll_timeout().is_some_and(|at| at <= now) {
            self.end.watch(|manager| manager.handle_timeout(now));
        }
        self.handle_events();
    }

    fn transmit(&mut self, mut take: impl FnMut(SocketAddr, &[u8])) {
        let (now, socket) = (self.now, self.end.socket);
        while let Some(transmit) = {
            let buffer = &mut self.buffer;
            self.end.watch(|manager| {
                manager.poll_transmit(now, socket, &mut TransmitBuffer::new(buffer, SEGMENTS))
            })
        } {
            let segment = transmit.segment_length.unwrap_or(transmit.length);
            for datagram in self.buffer[..transmit.length].chunks(segment) {
                take(transmit.path.remote, datagram);
            }
        }
    }

    /// A datagram arrives from there.
    pub(crate) fn deliver(&mut self, from: SocketAddr, datagram: &[u8]) {
        let (now, mut bytes) = (self.now, datagram.to_vec());
        let path = PathAddresses { socket: self.end.socket, local_ip: None, remote: from };
        self.end.watch(|manager| manager.handle_datagram(now, UdpDatagram::new(path, &mut bytes)));
        self.handle_events();
    }

    /// Frames arrive in a 1-RTT packet.
    pub(crate) fn attack(&mut self, evil: &mut Evil, payload: Payload) {
        let datagram = evil.peer.seal(Packet::one_rtt(payload)).unwrap();
        self.deliver(evil.address, &datagram);
    }

    /// Lets the application work on the connection that came last.
    pub(crate) fn act<R>(&mut self, act: impl FnOnce(&mut Connection) -> R) -> R {
        let (now, handle) = (self.now, *self.connected.last().unwrap());
        self.end.watch(|manager| manager.with_connection(now, handle, act).unwrap())
    }

    /// The connection that came last lives.
    pub(crate) fn assert_alive(&mut self) {
        let reason = self.act(|connection| connection.close_reason().cloned());
        assert_eq!(reason, None);
    }

    fn handle_events(&mut self) {
        let now = self.now;
        while let Some((handle, event)) =
            self.end.watch(quic_core::PacketHandlerManager::poll_event)
        {
            match event {
                Event::Incoming if self.accepts => {
                    let _: Result<_, _> =
                        self.end.watch(|manager| manager.accept(now, handle, None));
                }
                Event::Connected => self.connected.push(handle),
                Event::Stream(StreamEvent::Opened(direction)) => self.accept(handle, direction),
                _ => {}
            }
        }
    }

    fn accept(&mut self, handle: ConnectionHandle, direction: Direction) {
        let now = self.now;
        let mut accept = || {
            self.end.watch(|manager| {
                manager.with_connection(now, handle, |it| it.accept_stream(direction)).flatten()
            })
        };
        let accepted: Vec<StreamId> = std::iter::from_fn(&mut accept).collect();
        self.streams.extend(accepted);
    }
}

/// An address of a client, in another network than those nearby.
pub(crate) fn address(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    SocketAddr::from(([10, high, low, 1], 5000))
}
