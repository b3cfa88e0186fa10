//! Ten thousand connections at once, on one thread and one socket at each end.
//!
//! ```sh
//! cargo run --release -p quic-examples --example ten_thousand
//! ```
//!
//! Runs both ends on loopback, or one of them: `-- server 127.0.0.1:4433`, `-- client
//! 127.0.0.1:4433`. The client opens all connections, then sends a line on each; the server, which
//! is one thread without a runtime, echoes them. What it takes is printed: time, the memory of the
//! process, and what the configuration allows at the most, whatever clients do.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};

use bytes::Bytes;
use quic_core::crypto::SeededRandom;
use quic_core::{
    ClientConfig, Connect, Connection, ConnectionError, ConnectionHandle, Direction, Endpoint,
    EndpointConfig, Event, Instant, Keyring, ReadError, ReadOutcome, ServerConfig, StreamEvent,
    StreamId, TransmitBuffer, TransportConfig, UdpDatagram, VarInt, WriteError,
};
use quic_examples::{Client, Error, Server, local_address_for, run, secret};

/// One end: a socket, and QUIC on it.
struct End {
    socket: UdpSocket,
    endpoint: Endpoint,
    started: StdInstant,
    memory: Vec<u8>,
}

impl End {
    fn new(socket: UdpSocket, config: EndpointConfig) -> Result<Self, Error> {
        let random = SeededRandom::from_seed(secret()?);
        let endpoint = Endpoint::with_config(Arc::new(config), random)?;
        Ok(Self { socket, endpoint, started: StdInstant::now(), memory: vec![0; 2048] })
    }

    fn now(&self) -> Instant {
        Instant::EPOCH + self.started.elapsed()
    }

    /// Sends what there is to send, then waits for a datagram or the next deadline. That is one
    /// lookup and a few comparisons for each connection concerned, however many there are: who is
    /// silent costs nothing.
    fn turn(&mut self) -> io::Result<()> {
        loop {
            let now = self.now();
            let mut buffer = TransmitBuffer::new(&mut self.memory, 1);
            let Some(transmit) = self.endpoint.poll_transmit(now, &mut buffer) else { break };
            for datagram in transmit.datagrams(&self.memory) {
                // What the system refuses is lost, and sent again.
                let _: io::Result<usize> = self.socket.send_to(datagram, transmit.path.remote);
            }
        }
        let left = self.endpoint.poll_timeout().map(|at| at - self.now());
        if left != Some(Duration::ZERO) {
            self.socket.set_read_timeout(left)?;
            match self.socket.recv_from(&mut self.memory) {
                Ok((length, remote)) => {
                    let now = self.now();
                    let datagram = UdpDatagram::new(remote, &mut self.memory[..length]);
                    self.endpoint.handle_datagram(now, datagram);
                }
                // Nothing came, or news of something sent before, which anybody can forge.
                Err(error) if error.kind() != ErrorKind::InvalidInput => {}
                Err(error) => return Err(error),
            }
        }
        self.endpoint.handle_timeout(self.now());
        Ok(())
    }

    /// Closes all connections, and stays until the peers should have heard of it.
    fn close(mut self) -> io::Result<()> {
        let now = self.now();
        self.endpoint.close(now, VarInt::from_u32(0), &Bytes::from_static(b"done"));
        while !self.endpoint.is_empty() {
            while self.endpoint.poll_event().is_some() {}
            self.turn()?;
        }
        Ok(())
    }
}

/// Small windows: a line each way is all that a connection carries here.
fn transport() -> TransportConfig {
    let mut transport = TransportConfig::for_plain_sockets();
    // All but the last are silent for most of the time. Keep-alives would be ten thousand of them.
    transport.max_idle_timeout = Some(Duration::from_mins(3));
    transport.max_concurrent_bidi_streams = 1;
    transport.max_concurrent_uni_streams = 0;
    transport.stream_receive_window = 4 << 10;
    transport.max_stream_receive_window = 4 << 10;
    transport.receive_window = 4 << 10;
    transport.max_receive_window = 4 << 10;
    transport.send_window = 4 << 10;
    transport.max_datagram_frame_size = 0;
    transport.datagram_receive_bytes = 0;
    transport.datagram_receive_count = 0;
    transport.datagram_send_bytes = 0;
    transport.datagram_send_count = 1;
    transport
}

fn serve(server: Server) -> Result<(), Error> {
    let mut endpoint = EndpointConfig::default();
    endpoint.max_connections = CONNECTIONS + 100;
    let keyring = Keyring::new(secret()?);
    let config = ServerConfig::new(Arc::new(server.tls), transport(), keyring)?;
    let bound = endpoint.worst_case_bytes(&config.worst_case_bytes(0)).total();
    println!("server: no clients can make it hold more than {} MiB", bound >> 20);
    let mut end = End::new(server.socket, endpoint)?;
    end.endpoint.listen(Arc::new(config));

    // The connections, with what is left to be echoed of those whose client is slow.
    let mut open: HashMap<ConnectionHandle, Bytes> = HashMap::new();
    let (mut served, mut most) = (0, 0);
    while served < server.connections {
        while let Some((handle, event)) = end.endpoint.poll_event() {
            let now = end.now();
            match event {
                Event::Incoming => drop(end.endpoint.accept(now, handle)),
                Event::Connected => {
                    open.entry(handle).or_default();
                    most = most.max(open.len());
                }
                Event::Stream(StreamEvent::Opened(direction)) => {
                    let rest = open.entry(handle).or_default();
                    end.endpoint.with_connection(now, handle, |connection| {
                        let id = connection.accept_stream(direction);
                        id.is_some_and(|id| echo(connection, id, rest))
                    });
                }
                Event::Stream(StreamEvent::Readable(id) | StreamEvent::Writable(id)) => {
                    let rest = open.entry(handle).or_default();
                    end.endpoint.with_connection(now, handle, |it| echo(it, id, rest));
                }
                Event::Lost(_) => {
                    served += usize::from(open.remove(&handle).is_some());
                }
                _ => {}
            }
        }
        end.turn()?;
    }
    println!("server: served {served} connections, {most} of them at once");
    Ok(end.close()?)
}

/// Writes back what can be read, as long as both go on; returns whether the stream is over.
fn echo(connection: &mut Connection, id: StreamId, rest: &mut Bytes) -> bool {
    loop {
        while !rest.is_empty() {
            match connection.send_stream(id).write_chunk(rest) {
                Ok(_) => {}
                Err(WriteError::Blocked) => return false,
                Err(_) => return true,
            }
        }
        match connection.recv_stream(id).read_chunk(usize::MAX) {
            Ok(ReadOutcome::Data(chunk)) => *rest = chunk,
            Ok(ReadOutcome::Finished) => return connection.send_stream(id).finish().is_ok(),
            Err(ReadError::Blocked) => return false,
            Err(_) => return true,
        }
    }
}

fn client(client: Client) -> Result<(), Error> {
    let config = Arc::new(ClientConfig::new(Arc::new(client.tls), transport())?);
    let mut endpoint = EndpointConfig::default();
    endpoint.max_connections = CONNECTIONS;
    // Who goes on talking of a connection that is over is told so by a stateless reset.
    endpoint.keyring = Some(Keyring::new(secret()?));
    let before = resident_kib();
    let socket = UdpSocket::bind(local_address_for(client.server))?;
    let mut end = End::new(socket, endpoint)?;

    // All connections; only so many handshakes at a time that no socket's buffer overflows.
    let mut open = Vec::new();
    let mut opening = 0;
    while open.len() < CONNECTIONS {
        while opening < AT_A_TIME && open.len() + opening < CONNECTIONS {
            let (path, config) = (client.server.into(), config.clone());
            end.endpoint.connect(end.now(), Connect { path, server_name: "localhost", config })?;
            opening += 1;
        }
        end.turn()?;
        while let Some((handle, event)) = end.endpoint.poll_event() {
            match event {
                Event::Connected => {
                    opening -= 1;
                    open.push(handle);
                }
                Event::Lost(reason) => return Err(reason.into()),
                _ => {}
            }
        }
    }
    let (handshakes, resident) = (end.started.elapsed(), resident_kib());
    println!("client: {CONNECTIONS} connections are open after {handshakes:.1?}");

    // A line on each of them.
    let mut lines: HashMap<ConnectionHandle, Vec<u8>> = HashMap::new();
    let (mut silent, mut echoed) = (open.iter(), 0);
    while echoed < CONNECTIONS {
        while lines.len() < AT_A_TIME {
            let Some(handle) = silent.next() else { break };
            let speak = |connection: &mut Connection| {
                let id = connection.open_stream(Direction::Bidirectional)?;
                connection.send_stream(id).write(line_of(*handle).as_bytes())?;
                Ok::<(), Error>(connection.send_stream(id).finish()?)
            };
            let spoken = end.endpoint.with_connection(end.now(), *handle, speak);
            spoken.ok_or("a connection is gone")??;
            lines.insert(*handle, Vec::new());
        }
        end.turn()?;
        while let Some((handle, event)) = end.endpoint.poll_event() {
            match event {
                Event::Stream(StreamEvent::Readable(id)) => {
                    let Some(line) = lines.get_mut(&handle) else { continue };
                    let now = end.now();
                    let read = |connection: &mut Connection| loop {
                        match connection.recv_stream(id).read_chunk(usize::MAX) {
                            Ok(ReadOutcome::Data(chunk)) => line.extend_from_slice(&chunk),
                            Ok(ReadOutcome::Finished) => return true,
                            Err(_) => return false,
                        }
                    };
                    if end.endpoint.with_connection(now, handle, read) == Some(true) {
                        echoed += 1;
                        // At once, rather than all together in the end: ten thousand datagrams
                        // in a row are more than a socket's buffer has room for.
                        end.endpoint.with_connection(now, handle, |connection| {
                            connection.close(now, VarInt::from_u32(0), Bytes::from_static(b"done"));
                        });
                        let line = lines.remove(&handle).unwrap_or_default();
                        if line != line_of(handle).as_bytes() {
                            return Err("an echo is not what was sent".into());
                        }
                    }
                }
                Event::Lost(reason) if reason != ConnectionError::LocallyClosed => {
                    return Err(reason.into());
                }
                _ => {}
            }
        }
    }
    println!("client: {echoed} echoes after another {:.1?}", end.started.elapsed() - handshakes);
    if let (Some(before), Some(after)) = (before, resident) {
        let taken = after.saturating_sub(before);
        let each = taken as f64 / CONNECTIONS as f64;
        println!("this process: {} MiB, {each:.1} KiB for each connection", taken >> 10);
    }
    Ok(end.close()?)
}

/// What is said on a connection: nothing else has the same handle.
fn line_of(handle: ConnectionHandle) -> String {
    format!("hello from {handle:?}")
}

/// Memory that this process has in use, in KiB, where the system tells.
fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// How many connections.
const CONNECTIONS: usize = 10_000;
/// Handshakes, and lines, that are on their way at a time.
const AT_A_TIME: usize = 16;

fn main() -> Result<(), Error> {
    run(b"echo", CONNECTIONS, serve, client)
}
