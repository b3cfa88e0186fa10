//! QUIC in a readiness loop: `mio`, one thread, and all that a system's UDP sockets can do: trains
//! of datagrams in one call (GSO and GRO), ECN marks, path MTU discovery; by `quinn-udp`.
//!
//! ```sh
//! cargo run --release -p quic-examples --example mio
//! ```
//!
//! Runs both ends on loopback, or one of them: `-- server 127.0.0.1:4433`, `-- client
//! 127.0.0.1:4433`. The client first asks the same socket of the server, by STUN, which address it
//! has from there: so other protocols share a socket with QUIC (RFC 9443). Then it downloads
//! 64 MiB.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket as StdUdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};

use bytes::Bytes;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use quic_core::crypto::SeededRandom;
use quic_core::{
    ClientConfig, Connect, Connection, ConnectionHandle, Direction, EMSGSIZE, EcnCodepoint,
    Endpoint, Event, Instant, Keyring, PathAddresses, ReadError, ReadOutcome, ServerConfig,
    SocketId, StreamEvent, StreamId, Transmit, TransmitBuffer, TransportConfig, UdpDatagram,
    VarInt, is_quic,
};
use quic_examples::{Client, Error, Server, local_address_for, run, secret};
use quinn_udp::{RecvMeta, UdpSocketState};

/// One end: a socket that never blocks, what waits for room in it, and QUIC on it.
struct End {
    poll: Poll,
    socket: UdpSocket,
    offload: UdpSocketState,
    endpoint: Endpoint,
    started: StdInstant,
    /// What `outgoing` tells of, until the socket has taken it.
    outgoing_memory: Vec<u8>,
    outgoing: Option<Transmit>,
    incoming_memory: Vec<u8>,
}

impl End {
    fn new(socket: StdUdpSocket) -> Result<Self, Error> {
        socket.set_nonblocking(true)?;
        let mut socket = UdpSocket::from_std(socket);
        // Switches on what the system has, and fragmentation off.
        let offload = UdpSocketState::new((&socket).into())?;
        let poll = Poll::new()?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut socket, Token(0), interest)?;
        Ok(Self {
            poll,
            socket,
            offload,
            endpoint: Endpoint::new(SeededRandom::from_seed(secret()?)),
            started: StdInstant::now(),
            outgoing_memory: vec![0; TRAIN_LENGTH],
            outgoing: None,
            incoming_memory: vec![0; TRAIN_LENGTH],
        })
    }

    fn now(&self) -> Instant {
        Instant::EPOCH + self.started.elapsed()
    }

    /// Sends until there is nothing to send, or no room. Then the batch stays where it is: what
    /// the core gave is the application's to deliver, and it is not asked for more meanwhile.
    fn flush(&mut self) {
        loop {
            let now = self.now();
            let segments = self.offload.max_gso_segments();
            let mut buffer = TransmitBuffer::new(&mut self.outgoing_memory, segments);
            let next = self.outgoing.take();
            let next = next.or_else(|| self.endpoint.poll_transmit(now, &mut buffer));
            let Some(transmit) = next else { return };
            match self.send(&transmit) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.outgoing = Some(transmit); // Until the socket is writable.
                    return;
                }
                // The interface carries no datagrams of this length, and the search for the
                // path's MTU can use that.
                Err(error) if error.raw_os_error() == Some(EMSGSIZE) => {
                    let length = transmit.segment_length.unwrap_or(transmit.length);
                    self.endpoint.handle_too_large(now, length);
                }
                // Sent; or lost, as it can be anywhere on the way.
                _ => {}
            }
        }
    }

    fn send(&self, transmit: &Transmit) -> io::Result<()> {
        let batch = quinn_udp::Transmit {
            destination: transmit.path.remote,
            ecn: transmit.ecn.and_then(|mark| quinn_udp::EcnCodepoint::from_bits(mark as u8)),
            contents: &self.outgoing_memory[..transmit.length],
            segment_size: transmit.segment_length,
            src_ip: transmit.path.local_ip,
        };
        self.offload.try_send((&self.socket).into(), &batch)
    }

    /// Receives until there is nothing left, as the poller tells only once that there is something;
    /// but no longer than `MOST_TRAINS`, so that what there is to send does not wait for ever.
    /// Returns whether there may be more.
    fn receive(&mut self) -> bool {
        for _ in 0..MOST_TRAINS {
            let mut meta = [RecvMeta::default()];
            let memory = &mut [IoSliceMut::new(&mut self.incoming_memory)];
            match self.offload.recv((&self.socket).into(), memory, &mut meta) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(_) => continue, // News of something sent before.
            }
            let now = self.now();
            let [meta] = meta;
            let payload = &mut self.incoming_memory[..meta.len];
            // All datagrams of a train have one sender, and come of one protocol.
            if !payload.first().is_some_and(|first| is_quic(*first)) {
                if let Some(answer) = stun::answer(payload, meta.addr) {
                    let _: io::Result<usize> = self.socket.send_to(&answer, meta.addr);
                }
                continue;
            }
            let path =
                PathAddresses { socket: SocketId::FIRST, local_ip: meta.dst_ip, remote: meta.addr };
            let mut train = UdpDatagram::new(path, payload);
            train.ecn = meta.ecn.and_then(|mark| EcnCodepoint::from_bits(mark as u8));
            train.segment_length = Some(meta.stride);
            self.endpoint.handle_datagram(now, train);
        }
        true
    }

    /// Waits until the socket is ready or a deadline comes, and tells QUIC. `busy`: there is work
    /// left, so only look.
    fn wait(&mut self, events: &mut Events, busy: &mut bool) -> io::Result<()> {
        let left = self.endpoint.poll_timeout().map(|at| at - self.now());
        let timeout = if *busy { Some(Duration::ZERO) } else { left };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => other?,
        }
        if *busy || events.iter().any(mio::event::Event::is_readable) {
            *busy = self.receive();
        }
        self.endpoint.handle_timeout(self.now());
        Ok(())
    }

    /// Lets `act` have every event, sends, waits, and so on, until it says that it is done; then
    /// closes all connections, and stays until the peers should have heard of it.
    fn run(
        mut self,
        mut act: impl FnMut(&mut Endpoint, Instant, ConnectionHandle, Event) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut events = Events::with_capacity(16);
        let (mut busy, mut done) = (false, false);
        loop {
            while let Some((handle, event)) = self.endpoint.poll_event() {
                let now = self.now();
                if !done && act(&mut self.endpoint, now, handle, event)? {
                    done = true;
                    self.endpoint.close(now, VarInt::from_u32(0), &Bytes::from_static(b"done"));
                }
            }
            self.flush();
            if done && self.endpoint.is_empty() {
                return Ok(());
            }
            self.wait(&mut events, &mut busy)?;
        }
    }
}

/// What both ends agree on besides the defaults: the bit that tells QUIC from other protocols stays
/// what it is.
fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport.grease_quic_bit = false;
    transport
}

fn serve(server: Server) -> Result<(), Error> {
    let keyring = Keyring::new(secret()?);
    let config = ServerConfig::new(Arc::new(server.tls), transport(), keyring)?;
    let mut end = End::new(server.socket)?;
    end.endpoint.listen(Arc::new(config));

    // One chunk for all: what waits to be acknowledged refers to it, and holds no copy.
    let content = Bytes::from(vec![b'.'; LENGTH]);
    let mut downloads: Vec<(ConnectionHandle, StreamId, Bytes)> = Vec::new();
    let mut ended = 0;
    end.run(|endpoint, now, handle, event| {
        match event {
            Event::Incoming => drop(endpoint.accept(now, handle)),
            Event::Stream(StreamEvent::Opened(direction)) => {
                endpoint.with_connection(now, handle, |connection| {
                    while let Some(id) = connection.accept_stream(direction) {
                        let mut rest = content.clone();
                        offer(connection, id, &mut rest);
                        downloads.push((handle, id, rest));
                    }
                });
            }
            Event::Stream(StreamEvent::Writable(id)) => {
                let mut known = downloads.iter_mut();
                if let Some((.., rest)) = known.find(|(of, it, _)| (*of, *it) == (handle, id)) {
                    endpoint.with_connection(now, handle, |it| offer(it, id, rest));
                }
            }
            Event::Lost(reason) => {
                println!("server: {reason}");
                downloads.retain(|(of, ..)| *of != handle);
                ended += 1;
            }
            _ => {}
        }
        Ok(ended >= server.connections)
    })
}

/// Writes as much as can be taken now; `Writable` follows if that is not all.
fn offer(connection: &mut Connection, id: StreamId, rest: &mut Bytes) {
    let mut stream = connection.send_stream(id);
    while !rest.is_empty() {
        if stream.write_chunk(rest).is_err() {
            return; // Blocked, or stopped by the client.
        }
        if rest.is_empty() {
            // Fails only if the client stopped it meanwhile.
            let _: Result<(), _> = stream.finish();
        }
    }
}

fn client(client: Client) -> Result<(), Error> {
    let socket = StdUdpSocket::bind(local_address_for(client.server))?;
    println!("client: STUN says that we are {}", stun::ask(&socket, client.server)?);

    let config = Arc::new(ClientConfig::new(Arc::new(client.tls), transport())?);
    let mut end = End::new(socket)?;
    let target = Connect { path: client.server.into(), server_name: "localhost", config };
    end.endpoint.connect(end.now(), target)?;
    let started = end.started;
    let mut length = 0;
    end.run(|endpoint, now, handle, event| {
        match event {
            Event::Connected => {
                println!("client: connected after {:.1?}", started.elapsed());
                endpoint.with_connection(now, handle, |connection| {
                    let id = connection.open_stream(Direction::Bidirectional)?;
                    connection.send_stream(id).finish()?; // The end asks for the download.
                    Ok::<(), Error>(())
                });
            }
            Event::Stream(StreamEvent::Readable(id)) => {
                let read = |connection: &mut Connection| loop {
                    match connection.recv_stream(id).read_chunk(usize::MAX) {
                        Ok(ReadOutcome::Data(chunk)) => length += chunk.len(),
                        Ok(ReadOutcome::Finished) => return Ok(Some(connection.statistics())),
                        Err(ReadError::Blocked) => return Ok(None),
                        Err(error) => return Err(error),
                    }
                };
                let read = endpoint.with_connection(now, handle, read).transpose()?;
                if let Some(statistics) = read.flatten() {
                    let (time, mib) = (started.elapsed(), length >> 20);
                    let calls = statistics.batches_received;
                    let datagrams = statistics.datagrams_received;
                    let mtu = statistics.mtu;
                    println!("client: {mib} MiB after {time:.1?}, paths carry {mtu} bytes");
                    println!("client: {datagrams} datagrams came in {calls} calls");
                    return if length == LENGTH { Ok(true) } else { Err("cut short".into()) };
                }
            }
            Event::Lost(reason) => return Err(reason.into()),
            _ => {}
        }
        Ok(false)
    })
}

/// As much of STUN (RFC 8489) as it takes to ask for one's own address, and to tell it.
mod stun {
    use super::{Duration, Error, IpAddr, SocketAddr, StdUdpSocket};

    const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
    const REQUEST: [u8; 4] = [0, 1, 0, 0]; // Binding, request, without attributes.
    const SUCCESS: [u8; 4] = [1, 1, 0, 12]; // Binding, success, 12 bytes of attributes.
    const XOR_MAPPED_ADDRESS: [u8; 6] = [0, 0x20, 0, 8, 0, 1]; // 8 bytes, IPv4.

    /// The answer to a Binding request, if this is one.
    pub fn answer(datagram: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
        let (kind, rest) = datagram.split_first_chunk::<4>()?;
        let (cookie, transaction) = rest.split_first_chunk::<4>()?;
        let IpAddr::V4(ip) = from.ip() else { return None };
        if (*kind, *cookie, transaction.len()) != (REQUEST, COOKIE, 12) {
            return None;
        }
        let (port, ip) = (from.port().to_be_bytes(), ip.octets());
        let mapped = port.iter().zip(COOKIE).chain(ip.iter().zip(COOKIE)).map(xor);
        let head = SUCCESS.into_iter().chain(COOKIE).chain(transaction.iter().copied());
        Some(head.chain(XOR_MAPPED_ADDRESS).chain(mapped).collect())
    }

    fn xor((byte, mask): (&u8, u8)) -> u8 {
        byte ^ mask
    }

    /// Asks `server` which address this socket has from there.
    pub fn ask(socket: &StdUdpSocket, server: SocketAddr) -> Result<SocketAddr, Error> {
        let request: Vec<u8> = REQUEST.into_iter().chain(COOKIE).chain([7; 12]).collect();
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        let mut answer = [0; 64];
        for _ in 0..5 {
            socket.send_to(&request, server)?;
            let Ok((32, from)) = socket.recv_from(&mut answer) else { continue };
            if from == server && answer[..4] == SUCCESS && answer[8..20] == request[8..] {
                let plain = answer[26..32].iter().zip([0, 1, 0, 1, 2, 3].map(|at| COOKIE[at]));
                let plain: Vec<u8> = plain.map(xor).collect();
                let ip = [plain[2], plain[3], plain[4], plain[5]];
                return Ok((ip, u16::from_be_bytes([plain[0], plain[1]])).into());
            }
        }
        Err("no answer by STUN".into())
    }
}

/// Bytes to download.
const LENGTH: usize = 64 << 20;
/// The longest train of datagrams that fits into one call.
const TRAIN_LENGTH: usize = 65_487;
/// Trains to receive before something is sent.
const MOST_TRAINS: usize = 16;

fn main() -> Result<(), Error> {
    run(b"download", 1, serve, client)
}
