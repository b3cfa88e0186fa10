//! What connections cost in memory.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "test code, which panics where something is wrong"
)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use quic_core::crypto::SeededRandom;
use quic_core::{
    Connect, ConnectionHandle, Direction, Event, Instant, Multiplexer as _,
    PacketHandlerManager as _, PacketHandlerMap, PathAddresses, ReadOutcome, SocketId,
    SocketMultiplexer, StreamEvent, StreamId, TransmitBuffer, UdpDatagram,
};
use quic_sim::pair::{CLIENT, SERVER, SERVER_NAME, Setup};

mod connection_bounds;
mod endpoint_bounds;
mod tls_bounds;
mod victim;

type Sockets = SocketMultiplexer<PacketHandlerMap>;

/// Longest datagram on the wire.
const MTU: usize = 1500;
/// Datagrams taken at a time.
const SEGMENTS: usize = 16;

/// What one end has allocated.
#[derive(Clone, Copy, Debug, Default)]
struct Heap {
    /// Allocations so far.
    allocations: u64,
    /// Bytes that it holds.
    bytes: i64,
}

/// One end, whose calls are watched.
struct End {
    sockets: Sockets,
    socket: SocketId,
    heap: Heap,
}

impl End {
    fn new(seed: u8, address: std::net::SocketAddr, config: &quic_core::EndpointConfig) -> Self {
        let mut sockets = Sockets::with_random(SeededRandom::from_seed([seed; 32]));
        let socket = sockets.add_socket(address, Arc::new(config.clone())).unwrap();
        Self { sockets, socket, heap: Heap::default() }
    }

    fn watch<R>(&mut self, act: impl FnOnce(&mut PacketHandlerMap) -> R) -> R {
        let (sockets, socket) = (&mut self.sockets, self.socket);
        let mut result = None;
        let info = measure(|| result = Some(act(sockets.manager(socket).unwrap())));
        self.heap.allocations += info.count_total;
        self.heap.bytes += info.bytes_current;
        result.expect("it was just put there")
    }
}

/// Reads what there is, by a copy to `memory` or in chunks; returns how much that was.
fn read_some(
    mut stream: quic_core::RecvStream<'_>,
    memory: &mut [u8],
    in_chunks: bool,
) -> Option<usize> {
    if !in_chunks {
        let Ok(ReadOutcome::Data(length)) = stream.read(memory) else { return None };
        return Some(length);
    }
    let Ok(ReadOutcome::Data(chunk)) = stream.read_chunk(usize::MAX) else { return None };
    Some(chunk.len())
}

/// A datagram on the wire.
type Slot = (usize, [u8; MTU]);

/// Two ends and wires of memory that is used over and over.
struct Ends {
    both: [End; 2],
    wires: [VecDeque<Slot>; 2],
    now: Instant,
    buffer: Vec<u8>,
    data: Vec<u8>,
    accepts: bool,
    connected: usize,
    read: u64,
    /// Data is read in chunks, without copying it.
    in_chunks: bool,
    may_end: bool,
}

const CLIENT_END: usize = 0;
const SERVER_END: usize = 1;

impl Ends {
    fn new(setup: &Setup) -> Self {
        let client = End::new(1, CLIENT, &setup.client_endpoint);
        let mut server = End::new(2, SERVER, &setup.server_endpoint);
        let config = setup.server_config();
        server.watch(|manager| manager.listen(config));
        Self {
            both: [client, server],
            wires: [(); 2].map(|()| VecDeque::with_capacity(4096)),
            now: Instant::from_nanos(1_000_000_000_000),
            buffer: vec![0; MTU * SEGMENTS],
            data: vec![7; 1 << 20],
            accepts: true,
            connected: 0,
            read: 0,
            in_chunks: false,
            may_end: false,
        }
    }

    fn connect(&mut self, setup: &Setup) -> ConnectionHandle {
        let (now, config) = (self.now, setup.client_config());
        let client = &mut self.both[CLIENT_END];
        let path = PathAddresses { socket: client.socket, local_ip: None, remote: SERVER };
        client.watch(|manager| {
            manager.connect(now, Connect { path, server_name: SERVER_NAME, config }).unwrap()
        })
    }

    /// Passes a millisecond: what was sent before it arrives, and what is due is sent.
    fn turn(&mut self) {
        self.now += Duration::from_millis(1);
        let now = self.now;
        for side in [CLIENT_END, SERVER_END] {
            for _ in 0..self.wires[1 - side].len() {
                let (length, mut bytes) = self.wires[1 - side].pop_front().unwrap();
                let end = &mut self.both[side];
                let remote = if side == CLIENT_END { SERVER } else { CLIENT };
                let path = PathAddresses { socket: end.socket, local_ip: None, remote };
                end.watch(|manager| {
                    manager.handle_datagram(now, UdpDatagram::new(path, &mut bytes[..length]));
                });
            }
            if self.both[side].sockets.poll_timeout().is_some_and(|at| at <= now) {
                self.both[side].watch(|manager| manager.handle_timeout(now));
            }
            self.handle_events(side);
            self.transmit(side);
        }
    }

    fn run(&mut self, turns: usize) {
        (0..turns).for_each(|_| self.turn());
    }

    fn transmit(&mut self, side: usize) {
        let (now, buffer) = (self.now, &mut self.buffer);
        let end = &mut self.both[side];
        let socket = end.socket;
        while let Some(transmit) = end.watch(|manager| {
            manager.poll_transmit(now, socket, &mut TransmitBuffer::new(buffer, SEGMENTS))
        }) {
            let segment = transmit.segment_length.unwrap_or(transmit.length);
            for datagram in buffer[..transmit.length].chunks(segment) {
                let mut slot = [0; MTU];
                slot[..datagram.len()].copy_from_slice(datagram);
                self.wires[side].push_back((datagram.len(), slot));
            }
        }
    }

    fn handle_events(&mut self, side: usize) {
        let now = self.now;
        while let Some((handle, event)) =
            self.both[side].watch(quic_core::PacketHandlerManager::poll_event)
        {
            match event {
                Event::Incoming if self.accepts => {
                    self.both[side].watch(|manager| manager.accept(now, handle, None).unwrap());
                }
                Event::Connected => self.connected += 1,
                Event::Stream(event) => self.handle_stream_event(side, handle, event),
                Event::Lost(reason) => assert!(self.may_end, "lost: {reason}"),
                _ => {}
            }
        }
    }

    fn handle_stream_event(&mut self, side: usize, handle: ConnectionHandle, event: StreamEvent) {
        let (now, in_chunks) = (self.now, self.in_chunks);
        let (data, read) = (&mut self.data, &mut self.read);
        let id = match event {
            StreamEvent::Opened(direction) => {
                let end = &mut self.both[side];
                let accept = |c: &mut quic_core::Connection| c.accept_stream(direction);
                end.watch(|manager| manager.with_connection(now, handle, accept).unwrap())
            }
            StreamEvent::Readable(id) => Some(id),
            _ => None,
        };
        let Some(id) = id else { return };
        self.both[side].watch(|manager| {
            manager.with_connection(now, handle, |connection| {
                let mut next = || read_some(connection.recv_stream(id), data, in_chunks);
                while let Some(length) = next() {
                    *read += length as u64;
                }
            });
        });
    }

    /// The client writes up to `length` bytes.
    fn write(&mut self, handle: ConnectionHandle, id: StreamId, length: usize) {
        let (now, data) = (self.now, &self.data);
        self.both[CLIENT_END].watch(|manager| {
            manager.with_connection(now, handle, |connection| {
                let _: Result<_, _> = connection.send_stream(id).write(&data[..length]);
            });
        });
    }

    fn packets_sent(&mut self, handle: ConnectionHandle) -> u64 {
        let now = self.now;
        let manager = self.both[CLIENT_END].sockets.manager(self.both[CLIENT_END].socket).unwrap();
        manager.with_connection(now, handle, |c| c.statistics().packets_sent).unwrap()
    }
}

#[test]
fn an_established_transfer_allocates_next_to_nothing() {
    for (rustls, in_chunks) in [(false, false), (false, true), (true, true)] {
        let setup = if rustls { Setup::with_rustls(1) } else { Setup::new(1) };
        let mut ends = Ends::new(&setup);
        ends.in_chunks = in_chunks;
        let client = ends.connect(&setup);
        ends.run(100);
        assert_eq!(ends.connected, 2);
        let now = ends.now;
        let id = ends.both[CLIENT_END].watch(|manager| {
            let open = |c: &mut quic_core::Connection| c.open_stream(Direction::Unidirectional);
            manager.with_connection(now, client, open).unwrap().unwrap()
        });
        let transfer = |ends: &mut Ends, turns: usize| {
            for _ in 0..turns {
                ends.write(client, id, 100_000);
                ends.turn();
            }
        };
        transfer(&mut ends, 500);
        let (packets, read) = (ends.packets_sent(client), ends.read);
        let before = [CLIENT_END, SERVER_END].map(|side| ends.both[side].heap);
        transfer(&mut ends, 500);
        let packets = ends.packets_sent(client) - packets;
        assert!(packets > 20_000, "{packets} packets, {} bytes", ends.read - read);
        for (side, before) in [CLIENT_END, SERVER_END].into_iter().zip(before) {
            let allocations = ends.both[side].heap.allocations - before.allocations;
            assert!(
                allocations * 200 < packets,
                "end {side}: {allocations} allocations for {packets} packets (rustls: {rustls})",
            );
        }
    }
}

/// Heap of one end for each of many connections, beyond what it has without any.
fn per_connection(setup: &Setup, run: impl Fn(&mut Ends)) -> [i64; 2] {
    let mut ends = Ends::new(setup);
    // The first connections pay for what all share.
    for _ in 0..8 {
        ends.connect(setup);
    }
    run(&mut ends);
    let before = [CLIENT_END, SERVER_END].map(|side| ends.both[side].heap.bytes);
    for _ in 0..56 {
        ends.connect(setup);
    }
    run(&mut ends);
    [CLIENT_END, SERVER_END].map(|side| (ends.both[side].heap.bytes - before[side]) / 56)
}

#[test]
fn an_idle_connection_is_small() {
    let setup = Setup::with_rustls(1).transport(|transport| {
        transport.max_idle_timeout = Some(Duration::from_secs(1000));
        transport.max_concurrent_bidi_streams = 1 << 60;
        transport.max_concurrent_uni_streams = 1 << 60;
    });
    let [client, server] = per_connection(&setup, |ends| ends.run(5000));
    eprintln!("idle: {client} bytes at the client, {server} at the server");
    assert!(server <= 5 << 10, "{server} bytes at the server");
    assert!(client <= 9 << 10, "{client} bytes at the client");
}

#[test]
fn a_half_open_connection_is_small() {
    // With TLS as it is, more than half of it is the state of TLS and its messages.
    for (setup, bound) in [(Setup::new(1), 6 << 10), (Setup::with_rustls(1), 8 << 10)] {
        let setup = setup.transport(|transport| {
            transport.handshake_timeout = Duration::from_secs(1000);
            transport.max_concurrent_bidi_streams = 1 << 60;
            transport.max_concurrent_uni_streams = 1 << 60;
        });
        let [_, server] = per_connection(&setup, |ends| {
            // The server's answers are lost.
            for _ in 0..20 {
                ends.turn();
                ends.wires[SERVER_END].clear();
            }
        });
        eprintln!("half open: {server} bytes at the server, at most {bound}");
        assert!(server <= bound, "{server} bytes at the server, not {bound}");
    }
}

#[test]
fn an_attempt_that_waits_is_small() {
    let setup = Setup::with_rustls(1);
    let [_, server] = per_connection(&setup, |ends| {
        ends.accepts = false;
        ends.run(20);
    });
    assert!(server <= 4 << 10, "{server} bytes at the server");
}

#[test]
fn connections_that_are_over_leave_nothing() {
    let setup = Setup::with_rustls(1);
    let mut ends = Ends::new(&setup);
    let round = |ends: &mut Ends| {
        let handles: Vec<_> = (0..20).map(|_| ends.connect(&setup)).collect();
        ends.run(200);
        let now = ends.now;
        for handle in handles {
            ends.both[CLIENT_END].watch(|manager| {
                manager.with_connection(now, handle, |connection| {
                    connection.close(now, quic_core::VarInt::from_u32(0), bytes::Bytes::new());
                });
            });
        }
        ends.may_end = true;
        ends.run(10_000);
    };
    round(&mut ends);
    let before = [CLIENT_END, SERVER_END].map(|side| ends.both[side].heap.bytes);
    for _ in 0..5 {
        round(&mut ends);
    }
    for side in [CLIENT_END, SERVER_END] {
        let grown = ends.both[side].heap.bytes - before[side];
        // Tokens and retired connection IDs are remembered, within bounds.
        assert!(grown < 60_000, "end {side} has grown by {grown} bytes");
    }
}
