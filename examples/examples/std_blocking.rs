//! QUIC on a plain blocking socket of `std`: no runtime, no poller, nothing but `recv_from` with a
//! timeout.
//!
//! ```sh
//! cargo run --release -p quic-examples --example std_blocking
//! ```
//!
//! Runs both ends on loopback, or one of them: `-- server 127.0.0.1:4433`, `-- client
//! 127.0.0.1:4433`. The server echoes every stream; the client sends 8 MiB and compares.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};

use bytes::Bytes;
use quic_core::crypto::SeededRandom;
use quic_core::{
    ClientConfig, Connect, Connection, ConnectionHandle, Direction, Endpoint, Event, Instant,
    Keyring, ReadError, ReadOutcome, ServerConfig, StreamEvent, StreamId, TransmitBuffer,
    TransportConfig, UdpDatagram, VarInt, WriteError,
};
use quic_examples::{Client, Error, Server, local_address_for, run, secret};

/// One end: a socket, QUIC on it, and a clock.
struct End {
    socket: UdpSocket,
    endpoint: Endpoint,
    started: StdInstant,
    /// The memory for datagrams, in turn for those that leave and those that arrive: the core
    /// borrows it for one call and keeps nothing of it.
    memory: Vec<u8>,
}

impl End {
    fn new(socket: UdpSocket) -> Result<Self, Error> {
        // The core draws no randomness either: all it uses follows from this seed.
        let endpoint = Endpoint::new(SeededRandom::from_seed(secret()?));
        Ok(Self { socket, endpoint, started: StdInstant::now(), memory: vec![0; 2048] })
    }

    /// The time. The core has no clock; any that does not go back will do, from any epoch. (One
    /// that counts from 1970 lets tokens of a server outlive the process.)
    fn now(&self) -> Instant {
        Instant::EPOCH + self.started.elapsed()
    }

    /// Sends all there is to send.
    fn flush(&mut self) {
        loop {
            let now = self.now();
            let mut buffer = TransmitBuffer::new(&mut self.memory, 1);
            let Some(transmit) = self.endpoint.poll_transmit(now, &mut buffer) else { return };
            for datagram in transmit.datagrams(&self.memory) {
                // What the system refuses is lost, like anywhere on the way, and is sent again.
                let _: io::Result<usize> = self.socket.send_to(datagram, transmit.path.remote);
            }
        }
    }

    /// Waits for a datagram, or until the next deadline, and tells QUIC.
    fn wait(&mut self) -> io::Result<()> {
        let left = self.endpoint.poll_timeout().map(|at| at - self.now());
        // No deadline: wait for ever. One that has passed: do not wait; `std` takes no zero.
        if left != Some(Duration::ZERO) {
            self.socket.set_read_timeout(left)?;
            match self.socket.recv_from(&mut self.memory) {
                Ok((length, remote)) => {
                    let now = self.now();
                    let datagram = UdpDatagram::new(remote, &mut self.memory[..length]);
                    self.endpoint.handle_datagram(now, datagram);
                }
                Err(error) if is_harmless(&error) => {}
                Err(error) => return Err(error),
            }
        }
        self.endpoint.handle_timeout(self.now());
        Ok(())
    }

    /// Closes every connection, and stays until the peers should have heard of it.
    fn close(mut self, reason: &'static [u8]) -> io::Result<()> {
        let now = self.now();
        self.endpoint.close(now, VarInt::from_u32(0), &Bytes::from_static(reason));
        loop {
            while self.endpoint.poll_event().is_some() {}
            self.flush();
            if self.endpoint.is_empty() {
                return Ok(());
            }
            self.wait()?;
        }
    }
}

/// Whether there is nothing to receive, or only news (ICMP) of a datagram that was sent earlier:
/// anybody can forge that, so nothing follows from it.
fn is_harmless(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock
            | ErrorKind::TimedOut
            | ErrorKind::Interrupted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
    )
}

/// The server. A plain socket sets neither the Don't Fragment bit nor ECN marks, and the
/// configuration has to know.
fn serve(server: Server) -> Result<(), Error> {
    let transport = TransportConfig::for_plain_sockets();
    let config = ServerConfig::new(Arc::new(server.tls), transport, Keyring::new(secret()?))?;
    let mut end = End::new(server.socket)?;
    end.endpoint.listen(Arc::new(config));

    // What was read from streams and could not be written back yet, of each connection.
    let mut echoes: HashMap<ConnectionHandle, HashMap<StreamId, Bytes>> = HashMap::new();
    let mut ended = 0;
    while ended < server.connections {
        while let Some((handle, event)) = end.endpoint.poll_event() {
            let now = end.now();
            match event {
                // Whom not to let in is the application's choice; here, all may come. An attempt
                // that turns out to be none is gone, and that is all.
                Event::Incoming => drop(end.endpoint.accept(now, handle)),
                Event::Stream(event) => {
                    let echoes = echoes.entry(handle).or_default();
                    let react = |it: &mut Connection| on_stream(it, event, echoes);
                    end.endpoint.with_connection(now, handle, react);
                }
                Event::Lost(reason) => {
                    println!("server: {reason}");
                    echoes.remove(&handle);
                    ended += 1;
                }
                _ => {}
            }
        }
        end.flush();
        end.wait()?;
    }
    Ok(end.close(b"served enough")?)
}

/// Something happened on a stream of a client: the echo goes on.
fn on_stream(
    connection: &mut Connection,
    event: StreamEvent,
    echoes: &mut HashMap<StreamId, Bytes>,
) {
    match event {
        StreamEvent::Opened(direction) => {
            // Nothing else to do: what came along with a stream's beginning is told of next.
            while connection.accept_stream(direction).is_some() {}
        }
        StreamEvent::Readable(id) | StreamEvent::Writable(id)
            if echo(connection, id, echoes.entry(id).or_default()) =>
        {
            echoes.remove(&id);
        }
        _ => {}
    }
}

/// Writes back what can be read, as long as both go on; returns whether the stream is over. What
/// is not read counts against the peer's flow control: so a peer that does not read its echo is
/// soon told to stop, and costs the server no more than the window.
fn echo(connection: &mut Connection, id: StreamId, rest: &mut Bytes) -> bool {
    loop {
        while !rest.is_empty() {
            match connection.send_stream(id).write_chunk(rest) {
                Ok(_) => {}
                Err(WriteError::Blocked) => return false, // `Writable` follows.
                Err(_) => return true,
            }
        }
        match connection.recv_stream(id).read_chunk(usize::MAX) {
            Ok(ReadOutcome::Data(chunk)) => *rest = chunk,
            Ok(ReadOutcome::Finished) => {
                // Fails only if the client stopped it meanwhile.
                let _: Result<(), WriteError> = connection.send_stream(id).finish();
                return true;
            }
            Err(ReadError::Blocked) => return false, // `Readable` follows.
            Err(_) => {
                // Reset by the peer: so ends the echo, unless the peer stopped that, too.
                let _: Result<(), WriteError> =
                    connection.send_stream(id).reset(VarInt::from_u32(0));
                return true;
            }
        }
    }
}

/// The client's one stream: what is to be sent, and what came back.
struct Transfer {
    id: StreamId,
    unsent: Bytes,
    echoed: Vec<u8>,
    finished: bool,
}

impl Transfer {
    fn go_on(&mut self, connection: &mut Connection) -> Result<(), Error> {
        let mut send = connection.send_stream(self.id);
        while !self.unsent.is_empty() {
            match send.write_chunk(&mut self.unsent) {
                Ok(_) if self.unsent.is_empty() => send.finish()?,
                Ok(_) => {}
                Err(WriteError::Blocked) => break,
                Err(error) => return Err(error.into()),
            }
        }
        let mut recv = connection.recv_stream(self.id);
        loop {
            match recv.read_chunk(usize::MAX) {
                Ok(ReadOutcome::Data(chunk)) => self.echoed.extend_from_slice(&chunk),
                Ok(ReadOutcome::Finished) => self.finished = true,
                Err(_) if self.finished => return Ok(()),
                Err(ReadError::Blocked) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn client(client: Client) -> Result<(), Error> {
    let transport = TransportConfig::for_plain_sockets();
    let config = Arc::new(ClientConfig::new(Arc::new(client.tls), transport)?);
    let mut end = End::new(UdpSocket::bind(local_address_for(client.server))?)?;
    let target = Connect { path: client.server.into(), server_name: "localhost", config };
    let connection = end.endpoint.connect(end.now(), target)?;

    let sent: Bytes = (0..LENGTH).map(|index| index.to_le_bytes()[index % 3]).collect();
    let mut transfer = None;
    while !transfer.as_ref().is_some_and(|transfer: &Transfer| transfer.finished) {
        while let Some((_, event)) = end.endpoint.poll_event() {
            let now = end.now();
            match event {
                Event::Connected => {
                    println!("client: connected after {:.1?}", end.started.elapsed());
                    let open = |it: &mut Connection| it.open_stream(Direction::Bidirectional);
                    let id = end.endpoint.with_connection(now, connection, open);
                    let id = id.ok_or("the connection is gone")??;
                    let unsent = sent.clone();
                    let begun = Transfer { id, unsent, echoed: Vec::new(), finished: false };
                    let transfer = transfer.insert(begun);
                    let act = |it: &mut Connection| transfer.go_on(it);
                    end.endpoint.with_connection(now, connection, act).transpose()?;
                }
                Event::Stream(_) => {
                    let Some(transfer) = &mut transfer else { continue };
                    let act = |it: &mut Connection| transfer.go_on(it);
                    end.endpoint.with_connection(now, connection, act).transpose()?;
                }
                Event::Lost(reason) => return Err(reason.into()),
                _ => {}
            }
        }
        end.flush();
        end.wait()?;
    }

    let same = transfer.is_some_and(|transfer| transfer.echoed == sent);
    println!(
        "client: {} MiB came back after {:.1?}, {}",
        LENGTH >> 20,
        end.started.elapsed(),
        if same { "every byte the same" } else { "not the same" },
    );
    end.close(b"done")?;
    if same { Ok(()) } else { Err("the echo is not what was sent".into()) }
}

/// Bytes to send and get back.
const LENGTH: usize = 8 << 20;

fn main() -> Result<(), Error> {
    run(b"echo", 1, serve, client)
}
