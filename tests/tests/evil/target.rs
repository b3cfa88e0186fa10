//! A target in virtual time: an honest server or client of `quic-core` with a small application,
//! five milliseconds away.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use quic_core::crypto::{SeededRandom, TlsClientConfig, TlsServerConfig};
use quic_core::wire::Side;
use quic_core::{
    AcceptError, AddressValidation, ClientConfig, Connect, Connection, ConnectionHandle, Direction,
    Event, Instant, Keyring, Multiplexer as _, PacketHandlerManager as _, PacketHandlerMap,
    PathAddresses, ReadError, ReadOutcome, ServerConfig, SocketId, SocketMultiplexer, StreamEvent,
    StreamId, TransmitBuffer, TransportConfig, UdpDatagram, WriteError,
};
use quic_evil::{Case, Needs, Network, Role, client_tls, server_tls};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How long a datagram takes.
const LATENCY: Duration = Duration::from_millis(5);
const ALPN: &[&[u8]] = &[b"hq-interop"];
const TARGET: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 4433);
/// Our sockets have ports from here on.
const FIRST_PORT: u16 = 50_000;
/// What a server answers to each request, in bytes.
const ANSWER: usize = 64 << 10;

type Endpoint = SocketMultiplexer<PacketHandlerMap>;

/// Datagrams on their way, with our socket and when they arrive.
type Flight = VecDeque<(Instant, usize, Vec<u8>)>;

/// The target and the way to it.
pub(crate) struct Target {
    endpoint: Endpoint,
    socket: SocketId,
    now: Instant,
    outgoing: Flight,
    incoming: Flight,
    streams: Vec<(ConnectionHandle, StreamId)>,
}

struct Certified {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

/// One for all cases: making it takes longer than most of them.
fn identity() -> &'static Certified {
    static IDENTITY: OnceLock<Certified> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(vec![String::from("localhost")]).unwrap();
        Certified {
            certificate: made.cert.der().clone(),
            key: PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into()),
        }
    })
}

/// The evil end of a case.
pub(crate) fn role(case: &Case) -> Role {
    match case.target {
        Side::Server => Role::Client(client_tls(ALPN).unwrap(), String::from("localhost")),
        Side::Client => {
            let identity = identity();
            let chain = vec![identity.certificate.clone()];
            Role::Server(server_tls(chain, identity.key.clone_key(), ALPN).unwrap())
        }
    }
}

impl Target {
    pub(crate) fn new(case: &Case, seed: [u8; 32]) -> Self {
        let mut endpoint = Endpoint::with_random(SeededRandom::from_seed(seed));
        let socket = endpoint.add_socket(TARGET, Arc::default()).unwrap();
        // Not at the epoch, so that earlier times exist.
        let now = Instant::EPOCH + Duration::from_secs(1000);
        let (outgoing, incoming) = Default::default();
        let mut target = Self { endpoint, socket, now, outgoing, incoming, streams: Vec::new() };
        match case.target {
            Side::Server => target.listen(case.needs),
            Side::Client => target.connect(),
        }
        target
    }

    fn listen(&mut self, needs: Needs) {
        let identity = identity();
        let chain = vec![identity.certificate.clone()];
        let tls = TlsServerConfig::from_certificate(chain, identity.key.clone_key(), ALPN);
        let tls = tls.unwrap().accept_early_data(true);
        let keyring = Keyring::new([7; 32]);
        let mut config =
            ServerConfig::new(Arc::new(tls), TransportConfig::default(), keyring).unwrap();
        if needs == Needs::Retry {
            config.validation = AddressValidation::Always;
        }
        self.endpoint.manager(self.socket).unwrap().listen(Arc::new(config));
    }

    fn connect(&mut self) {
        let tls = TlsClientConfig::dangerous_without_verification(ALPN).unwrap();
        let config = ClientConfig::new(Arc::new(tls), TransportConfig::default()).unwrap();
        let remote = our_address(0);
        let path = PathAddresses { socket: self.socket, local_ip: None, remote };
        let connect = Connect { path, server_name: "localhost", config: Arc::new(config) };
        self.endpoint.manager(self.socket).unwrap().connect(self.now, connect).unwrap();
        self.work();
    }

    /// All that follows from the time and what came.
    fn work(&mut self) {
        while self.outgoing.front().is_some_and(|(at, ..)| *at <= self.now) {
            let Some((_, socket, mut datagram)) = self.outgoing.pop_front() else { return };
            let remote = our_address(socket);
            let path = PathAddresses { socket: self.socket, local_ip: None, remote };
            self.endpoint.handle_datagram(self.now, UdpDatagram::new(path, &mut datagram));
            self.serve();
            self.transmit();
        }
        if self.endpoint.poll_timeout().is_some_and(|at| at <= self.now) {
            self.endpoint.handle_timeout(self.now);
        }
        self.serve();
        self.transmit();
    }

    /// The application: a client asks, a server answers, both read everything.
    fn serve(&mut self) {
        while let Some((handle, event)) = self.endpoint.poll_event() {
            let now = self.now;
            let Some(manager) = self.endpoint.manager(self.socket) else { return };
            match event {
                Event::Incoming => {
                    // What is no good attempt is closed there and then.
                    let _: Result<(), AcceptError> = manager.accept(now, handle, None);
                }
                Event::Connected => {
                    manager.with_connection(now, handle, ask);
                }
                Event::Stream(StreamEvent::Opened(direction)) => {
                    let accepted = manager.with_connection(now, handle, |connection| {
                        std::iter::from_fn(|| connection.accept_stream(direction)).collect()
                    });
                    let accepted: Vec<StreamId> = accepted.unwrap_or_default();
                    self.streams.extend(accepted.into_iter().map(|id| (handle, id)));
                }
                _ => {}
            }
        }
        let streams = std::mem::take(&mut self.streams);
        self.streams = streams.into_iter().filter(|(handle, id)| self.read(*handle, *id)).collect();
    }

    /// Reads what there is; whether more may come.
    fn read(&mut self, handle: ConnectionHandle, id: StreamId) -> bool {
        let now = self.now;
        let Some(manager) = self.endpoint.manager(self.socket) else { return false };
        let more = manager.with_connection(now, handle, |connection| {
            loop {
                match connection.recv_stream(id).read_chunk(usize::MAX) {
                    Ok(ReadOutcome::Data(_)) => {}
                    Ok(ReadOutcome::Finished) => break,
                    Err(ReadError::Blocked) => return true,
                    Err(_) => return false,
                }
            }
            if id.direction() == Direction::Bidirectional {
                let _: Result<usize, WriteError> =
                    connection.send_stream(id).write(&vec![0x61; ANSWER]);
                let _: Result<(), WriteError> = connection.send_stream(id).finish();
            }
            false
        });
        more.unwrap_or(false)
    }

    fn transmit(&mut self) {
        let mut memory = vec![0; 65_000];
        loop {
            let mut buffer = TransmitBuffer::new(&mut memory, 10);
            let sent = self.endpoint.poll_transmit(self.now, self.socket, &mut buffer);
            let Some(sent) = sent else { return };
            let to = usize::from(sent.path.remote.port().wrapping_sub(FIRST_PORT));
            if sent.path.remote.ip() != our_address(0).ip() {
                continue;
            }
            let bytes = memory.get(..sent.length).unwrap();
            for segment in bytes.chunks(sent.segment_length.unwrap_or(sent.length).max(1)) {
                self.incoming.push_back((self.now + LATENCY, to, segment.to_vec()));
            }
        }
    }
}

/// A client's request.
fn ask(connection: &mut Connection) {
    if connection.side() == Side::Client
        && let Ok(id) = connection.open_stream(Direction::Bidirectional)
    {
        let mut stream = connection.send_stream(id);
        let _: Result<usize, WriteError> = stream.write(b"GET /\r\n");
        let _: Result<(), WriteError> = stream.finish();
    }
}

fn our_address(socket: usize) -> SocketAddr {
    let port = FIRST_PORT.wrapping_add(u16::try_from(socket).unwrap());
    SocketAddr::from((Ipv4Addr::new(192, 0, 2, 2), port))
}

impl Network for Target {
    fn now(&self) -> Instant {
        self.now
    }

    fn send(&mut self, socket: usize, datagram: &[u8]) {
        self.outgoing.push_back((self.now + LATENCY, socket, datagram.to_vec()));
    }

    fn receive(&mut self, wait: Duration) -> Option<(usize, Vec<u8>)> {
        let deadline = self.now + wait;
        loop {
            if self.incoming.front().is_some_and(|(at, ..)| *at <= self.now) {
                return self.incoming.pop_front().map(|(_, socket, datagram)| (socket, datagram));
            }
            let next = [
                self.incoming.front().map(|(at, ..)| *at),
                self.outgoing.front().map(|(at, ..)| *at),
                self.endpoint.poll_timeout(),
            ];
            let next = next.into_iter().flatten().min().filter(|next| *next <= deadline);
            let Some(next) = next else {
                self.now = deadline;
                return None;
            };
            self.now = self.now.max(next);
            self.work();
        }
    }

    fn address(&mut self, socket: usize) -> Option<SocketAddr> {
        Some(our_address(socket))
    }
}
