//! QUIC on a completion-based runtime: `compio`, on io_uring where the system permits it, and on a
//! poller elsewhere.
//!
//! ```sh
//! cargo run --release -p quic-examples --example compio
//! ```
//!
//! Runs both ends on loopback, or one of them: `-- server 127.0.0.1:4433`, `-- client
//! 127.0.0.1:4433`. The client sends lines on streams of their own; the server answers in capitals.
//!
//! Here, the system owns a buffer from the call until its completion: it reads from it and writes
//! to it whenever it likes. That fits a core that borrows memory for one call and keeps nothing of
//! it: a buffer is given to the system, or lent to the core, or lies idle, and never two of these.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant as StdInstant;

use bytes::Bytes;
use compio::BufResult;
use compio::net::UdpSocket;
use compio::runtime::Runtime;
use compio::time::sleep;
use futures_util::future::{Either, pending};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use futures_util::{FutureExt as _, select_biased};
use quic_core::crypto::SeededRandom;
use quic_core::{
    ClientConfig, Connect, Connection, ConnectionHandle, Direction, Endpoint, Event, Instant,
    Keyring, ReadError, ReadOutcome, ServerConfig, StreamEvent, StreamId, TransmitBuffer,
    TransportConfig, UdpDatagram, VarInt, WriteError,
};
use quic_examples::{Client, Error, Server, local_address_for, run, secret};

/// The loop of either end. `act` has every event and says when it is done; then all connections
/// are closed, and the loop stays until the peers should have heard of it.
async fn drive(
    endpoint: &mut Endpoint,
    socket: &UdpSocket,
    started: StdInstant,
    mut act: impl FnMut(&mut Endpoint, Instant, ConnectionHandle, Event) -> Result<bool, Error>,
) -> Result<(), Error> {
    let now = || Instant::EPOCH + started.elapsed();
    // The one operation that receives, with the buffer that the system fills. It is never dropped
    // before it is complete: a datagram could be lost with it.
    let mut receiving = FuturesUnordered::new();
    receiving.push(socket.recv_from(Vec::with_capacity(BUFFER_LENGTH)));
    // Operations that send, each with its buffer; and the buffers that neither has.
    let mut sending = FuturesUnordered::new();
    let mut idle = vec![Vec::new(); MOST_SENDING];
    let mut done = false;
    loop {
        while let Some((handle, event)) = endpoint.poll_event() {
            if !done && act(endpoint, now(), handle, event)? {
                done = true;
                endpoint.close(now(), VarInt::from_u32(0), &Bytes::from_static(b"done"));
            }
        }
        // Without an idle buffer, what there is to send waits in the core: nothing piles up here.
        while let Some(mut memory) = idle.pop() {
            memory.resize(BUFFER_LENGTH, 0);
            let mut buffer = TransmitBuffer::new(&mut memory, 1);
            let Some(transmit) = endpoint.poll_transmit(now(), &mut buffer) else {
                idle.push(memory);
                break;
            };
            memory.truncate(transmit.length);
            sending.push(socket.send_to(memory, transmit.path.remote));
        }
        if done && sending.is_empty() && endpoint.is_empty() {
            return Ok(());
        }
        let left = endpoint.poll_timeout().map(|at| at - now());
        let timer = left.map_or(Either::Right(pending()), |left| Either::Left(sleep(left)));
        select_biased! {
            // Back from the system: the core may decrypt in place, and the system has it again.
            BufResult(result, mut memory) = receiving.select_next_some() => {
                if let Ok((length, remote)) = result {
                    let datagram = UdpDatagram::new(remote, &mut memory[..length]);
                    endpoint.handle_datagram(now(), datagram);
                }
                memory.clear();
                receiving.push(socket.recv_from(memory));
            }
            // What did not leave is lost, like anywhere on the way.
            BufResult(_, memory) = sending.select_next_some() => idle.push(memory),
            () = timer.fuse() => {}
        }
        endpoint.handle_timeout(now());
    }
}

async fn serve(server: Server) -> Result<(), Error> {
    let transport = TransportConfig::for_plain_sockets();
    let config = ServerConfig::new(Arc::new(server.tls), transport, Keyring::new(secret()?))?;
    let mut endpoint = Endpoint::new(SeededRandom::from_seed(secret()?));
    endpoint.listen(Arc::new(config));
    let socket = UdpSocket::from_std(server.socket)?;
    let mut lines: HashMap<ConnectionHandle, HashMap<StreamId, Vec<u8>>> = HashMap::new();
    let mut ended = 0;
    drive(&mut endpoint, &socket, StdInstant::now(), |endpoint, now, handle, event| {
        match event {
            Event::Incoming => drop(endpoint.accept(now, handle)),
            Event::Stream(event) => {
                let lines = lines.entry(handle).or_default();
                endpoint.with_connection(now, handle, |it| on_stream(it, event, lines));
            }
            Event::Lost(reason) => {
                println!("server: {reason}");
                lines.remove(&handle);
                ended += 1;
            }
            _ => {}
        }
        Ok(ended >= server.connections)
    })
    .await
}

/// Something happened on a stream of a client.
fn on_stream(
    connection: &mut Connection,
    event: StreamEvent,
    lines: &mut HashMap<StreamId, Vec<u8>>,
) {
    match event {
        StreamEvent::Opened(direction) => {
            // Nothing else to do: what came along with a stream's beginning is told of next.
            while connection.accept_stream(direction).is_some() {}
        }
        StreamEvent::Readable(id) => go_on(connection, id, lines),
        _ => {}
    }
}

/// Reads on, and answers a line that is whole; forgets it then, or if it never will be.
fn go_on(connection: &mut Connection, id: StreamId, lines: &mut HashMap<StreamId, Vec<u8>>) {
    let mut line = lines.remove(&id).unwrap_or_default();
    match read_line(connection, id, &mut line) {
        Ok(true) => answer(connection, id, &line),
        Ok(false) => drop(lines.insert(id, line)),
        Err(_) => {}
    }
}

/// Reads what there is; returns whether that is all. A line that is too long is not read any more.
fn read_line(
    connection: &mut Connection,
    id: StreamId,
    line: &mut Vec<u8>,
) -> Result<bool, ReadError> {
    let mut stream = connection.recv_stream(id);
    loop {
        match stream.read_chunk(LONGEST_LINE) {
            Ok(ReadOutcome::Data(chunk)) => line.extend_from_slice(&chunk),
            Ok(ReadOutcome::Finished) => return Ok(true),
            Err(ReadError::Blocked) => return Ok(false),
            Err(error) => return Err(error),
        }
        if line.len() > LONGEST_LINE {
            stream.stop(VarInt::from_u32(1))?;
        }
    }
}

/// Answers at once and as a whole. Who permits no answer of that length gets none.
fn answer(connection: &mut Connection, id: StreamId, line: &[u8]) {
    let mut stream = connection.send_stream(id);
    let written = stream.write(&line.to_ascii_uppercase());
    // Both fail only if the client stopped the stream.
    let _: Result<(), WriteError> = match written {
        Ok(length) if length == line.len() => stream.finish(),
        _ => stream.reset(VarInt::from_u32(2)),
    };
}

async fn client(client: Client) -> Result<(), Error> {
    let transport = TransportConfig::for_plain_sockets();
    let config = Arc::new(ClientConfig::new(Arc::new(client.tls), transport)?);
    let mut endpoint = Endpoint::new(SeededRandom::from_seed(secret()?));
    let socket = UdpSocket::bind(local_address_for(client.server)).await?;
    let started = StdInstant::now();
    let target = Connect { path: client.server.into(), server_name: "localhost", config };
    endpoint.connect(Instant::EPOCH + started.elapsed(), target)?;
    let mut answers: HashMap<StreamId, Vec<u8>> = HashMap::new();
    let mut whole = 0;
    drive(&mut endpoint, &socket, started, |endpoint, now, handle, event| {
        match event {
            Event::Connected => {
                let ask = |connection: &mut Connection| {
                    for line in LINES {
                        let id = connection.open_stream(Direction::Bidirectional)?;
                        connection.send_stream(id).write(line.as_bytes())?;
                        connection.send_stream(id).finish()?;
                    }
                    Ok::<(), Error>(())
                };
                endpoint.with_connection(now, handle, ask).transpose()?;
            }
            Event::Stream(StreamEvent::Readable(id)) => {
                let line = answers.entry(id).or_default();
                let read = |connection: &mut Connection| read_line(connection, id, line);
                if endpoint.with_connection(now, handle, read).transpose()? == Some(true) {
                    println!("client: {}", String::from_utf8_lossy(line));
                    whole += 1;
                }
            }
            Event::Lost(reason) => return Err(reason.into()),
            _ => {}
        }
        if whole == LINES.len() {
            println!("client: {whole} answers after {:.1?}", started.elapsed());
        }
        Ok(whole == LINES.len())
    })
    .await
}

/// What the client says.
const LINES: [&str; 3] = ["to whom it may concern", "a line", "another one"];
/// Bytes of a line at the most.
const LONGEST_LINE: usize = 1 << 10;
/// Room for any datagram that comes without path MTU discovery.
const BUFFER_LENGTH: usize = 1500;
/// Operations that send at a time.
const MOST_SENDING: usize = 16;

/// Each end has a runtime of its own, in its own thread.
fn main() -> Result<(), Error> {
    run(
        b"capitals",
        1,
        |server| {
            let runtime = Runtime::new()?;
            println!("server: on {:?}", runtime.driver_type());
            runtime.block_on(serve(server))
        },
        |it| Runtime::new()?.block_on(client(it)),
    )
}
