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
    EndpointConfig, Event, Instant, Keyring, ReadOutcome, ServerConfig, StreamEvent, StreamId,
    TransmitBuffer, TransportConfig, UdpDatagram, VarInt, WriteError,
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
    let (mut ended, mut most) = (0, 0);
    while ended < server.connections {
        while let Some((handle, event)) = end.endpoint.poll_event() {
            let now = end.now();
            match event {
                Event::Incoming => drop(end.endpoint.accept(now, handle)),
                Event::Connected => {
                    open.entry(handle).or_default();
                    most = most.max(open.len());
                }
                Event::Stream(event) => {
                    let rest = open.entry(handle).or_default();
                    let react = |it: &mut Connection| on_stream(it, event, rest);
                    end.endpoint.with_connection(now, handle, react);
                }
                Event::Lost(_) => {
                    ended += usize::from(open.remove(&handle).is_some());
                }
                _ => {}
            }
        }
        end.turn()?;
    }
    println!("server: served {ended} connections, {most} of them at once");
    Ok(end.close()?)
}

/// Something happened on the one stream of a client: the echo goes on.
fn on_stream(connection: &mut Connection, event: StreamEvent, rest: &mut Bytes) {
    match event {
        // What came along with the stream's beginning is told of next.
        StreamEvent::Opened(direction) => while connection.accept_stream(direction).is_some() {},
        StreamEvent::Readable(id) | StreamEvent::Writable(id) => echo(connection, id, rest),
        _ => {}
    }
}

/// Writes back what can be read, as long as both go on.
fn echo(connection: &mut Connection, id: StreamId, rest: &mut Bytes) {
    loop {
        while !rest.is_empty() {
            if connection.send_stream(id).write_chunk(rest).is_err() {
                return; // Blocked: `Writable` follows. Or stopped by the client.
            }
        }
        match connection.recv_stream(id).read_chunk(usize::MAX) {
            Ok(ReadOutcome::Data(chunk)) => *rest = chunk,
            Ok(ReadOutcome::Finished) => {
                // Fails only if the client stopped it meanwhile.
                let _: Result<(), WriteError> = connection.send_stream(id).finish();
            }
            Err(_) => return, // Blocked: `Readable` follows. Or over.
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
    let mut end = End::new(UdpSocket::bind(local_address_for(client.server))?, endpoint)?;

    let target = Connect { path: client.server.into(), server_name: "localhost", config };
    let open = open_all(&mut end, &target)?;
    let (time, after) = (end.started.elapsed(), resident_kib());
    println!("client: {CONNECTIONS} connections are open after {time:.1?}");
    speak_on_all(&mut end, &open)?;
    let time = end.started.elapsed().saturating_sub(time);
    println!("client: {CONNECTIONS} echoes after another {time:.1?}");
    if let Some((before, after)) = before.zip(after) {
        let taken = after.saturating_sub(before);
        let each = (taken << 10) / CONNECTIONS as u64;
        println!("this process: {} MiB, {each} bytes for both ends of each", taken >> 10);
    }
    Ok(end.close()?)
}

/// Opens all connections; only so many at a time that no socket's buffer overflows.
fn open_all(end: &mut End, target: &Connect<'_>) -> Result<Vec<ConnectionHandle>, Error> {
    let (mut open, mut opening) = (Vec::new(), 0);
    while open.len() < CONNECTIONS {
        while opening < AT_A_TIME && open.len() + opening < CONNECTIONS {
            end.endpoint.connect(end.now(), target.clone())?;
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
    Ok(open)
}

/// Sends a line on each connection, waits for its echo, and closes it: not all in the end, since
/// ten thousand datagrams in a row are more than a socket's buffer has room for.
fn speak_on_all(end: &mut End, open: &[ConnectionHandle]) -> Result<(), Error> {
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
            let now = end.now();
            let (Event::Stream(StreamEvent::Readable(id)), Some(line)) =
                (&event, lines.get_mut(&handle))
            else {
                still_there(&event)?;
                continue;
            };
            let read = |connection: &mut Connection| read_all(now, connection, *id, line);
            if end.endpoint.with_connection(now, handle, read) == Some(true) {
                echoed += 1;
                let line = lines.remove(&handle).unwrap_or_default();
                if line != line_of(handle).as_bytes() {
                    return Err("an echo is not what was sent".into());
                }
            }
        }
    }
    Ok(())
}

/// Reads what there is. If that is all, closes the connection and returns true.
fn read_all(now: Instant, connection: &mut Connection, id: StreamId, line: &mut Vec<u8>) -> bool {
    while let Ok(outcome) = connection.recv_stream(id).read_chunk(usize::MAX) {
        match outcome {
            ReadOutcome::Data(chunk) => line.extend_from_slice(&chunk),
            ReadOutcome::Finished => {
                connection.close(now, VarInt::from_u32(0), Bytes::from_static(b"done"));
                return true;
            }
        }
    }
    false
}

/// Fails if a connection ended that was not to.
fn still_there(event: &Event) -> Result<(), Error> {
    match event {
        Event::Lost(reason) if *reason != ConnectionError::LocallyClosed => {
            Err(reason.clone().into())
        }
        _ => Ok(()),
    }
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
