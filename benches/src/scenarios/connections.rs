//! As much data on many connections as on one.

use std::collections::{BTreeMap, VecDeque};
use std::iter;
use std::ops::Range;

use quic_core::{ConnectionHandle, Side, StreamId};

use super::traffic;
use crate::fixed_window::fixed_window;
use crate::meter::{Meter, Verb};
use crate::pipe::{Pipe, Train};
use crate::tls::Tls;

/// Bytes that are written at a time, on one connection after the other: a train.
const WRITE: usize = 64 << 10;
/// Writes in each step.
const WRITES_IN_STEP: usize = 3;
/// Writes that count, at least; one on each connection if there are more.
const WRITES: usize = 128;
/// Trains that are taken apart and put together again, and packets in those.
const TRAINS: usize = 32;
/// Where short headers have it (RFC 9000 §17.3).
const CONNECTION_ID: Range<usize> = 1..9;
/// Times that it is done.
const ROUNDS: usize = 4;
/// Steps until everything has arrived, and was acknowledged.
const QUIET: usize = 40;

struct Connections {
    pipe: Pipe,
    /// A stream on each connection.
    streams: Vec<(ConnectionHandle, StreamId)>,
    /// The next of them to write to.
    next: usize,
}

/// Each connection in turn has a train to send.
pub(super) fn bulk(meter: &mut Meter, count: usize) {
    let mut connections = Connections::new(meter, count, true);
    let writes = count.max(WRITES);
    connections.send(meter, writes);
    meter.start(|_, _| true);
    connections.send(meter, writes);
    meter.stop((writes * WRITE) as u64 >> 10);
}

/// The packets of a train are of so many connections, one after the other.
pub(super) fn train(meter: &mut Meter, count: usize) {
    let mut connections = Connections::new(meter, count, false);
    for round in 0..=ROUNDS {
        for _ in 0..TRAINS {
            connections.write(meter);
        }
        let pipe = &mut connections.pipe;
        pipe.pass(meter);
        pipe.send(Side::Client, meter);
        let trains: Vec<Train> = pipe.server.inbox.drain(..).collect();
        pipe.pass(meter);
        // The first round makes room for the next ones.
        if round > 0 {
            meter.start(|side, verb| (side, verb) == (Side::Server, Verb::Datagram));
        }
        let (full, rest) = in_turns(&trains);
        let mut packets = 0;
        for mut train in full {
            packets += train.datagrams().len() as u64;
            pipe.server.take(pipe.now, &mut train, meter);
        }
        meter.stop(if round > 0 { packets } else { 0 });
        pipe.server.inbox.extend(rest);
        connections.run(meter, QUIET);
    }
}

impl Connections {
    fn new(meter: &Meter, count: usize, pacing: bool) -> Self {
        let setup = Tls::Null.setup().transport(|it| {
            it.stream_receive_window = 8 << 20;
            it.receive_window = 8 << 20;
            it.congestion = fixed_window();
            it.initial_mtu = it.max_mtu;
            it.pacing = pacing;
        });
        let mut pipe = Pipe::new(&setup);
        let open = |_| {
            let (handle, _) = pipe.connect(meter);
            (handle, traffic::open(&mut pipe.client.endpoint, pipe.now, handle))
        };
        let streams = (0..count).map(open).collect();
        let mut connections = Self { pipe, streams, next: 0 };
        connections.run(meter, QUIET);
        connections
    }

    /// Writes a train's worth on the next connection.
    fn write(&mut self, meter: &Meter) {
        let (handle, stream) = self.streams[self.next];
        self.next = (self.next + 1) % self.streams.len();
        let now = self.pipe.now;
        let written = self.pipe.client.act(meter, |endpoint| {
            let write = |connection: &mut _| traffic::write(connection, stream, WRITE);
            endpoint.with_connection(now, handle, write)
        });
        assert_eq!(written, Some(true), "windows are too small");
    }

    /// Writes so many times, and goes on until everything has arrived. What was read.
    fn send(&mut self, meter: &Meter, writes: usize) {
        let (mut written, mut bytes) = (0, 0);
        while bytes < writes * WRITE {
            for _ in 0..WRITES_IN_STEP.min(writes - written) {
                self.write(meter);
                written += 1;
            }
            bytes += self.run(meter, 1);
        }
    }

    /// Goes on for so many steps; how many bytes were read.
    fn run(&mut self, meter: &Meter, steps: usize) -> usize {
        let mut bytes = 0;
        for _ in 0..steps {
            self.pipe.step(meter, &mut |_, _, _, _| {}, &mut |endpoint, now, handle, event| {
                traffic::read_all(endpoint, now, handle, event, &mut bytes);
            });
        }
        bytes
    }
}

/// Trains of one full packet of each connection after the other; and all shorter packets.
fn in_turns(trains: &[Train]) -> (Vec<Train>, Vec<Train>) {
    let longest = trains.iter().flat_map(Train::datagrams).map(<[u8]>::len).max();
    let longest = longest.expect("something was sent");
    let (full, short): (Vec<_>, Vec<_>) =
        trains.iter().flat_map(Train::datagrams).partition(|packet| packet.len() == longest);
    let mut connections: BTreeMap<&[u8], VecDeque<&[u8]>> = BTreeMap::new();
    for packet in full {
        connections.entry(&packet[CONNECTION_ID]).or_default().push_back(packet);
    }
    let in_turns = iter::repeat_with(|| {
        let packets: Vec<_> = connections.values_mut().filter_map(VecDeque::pop_front).collect();
        packets
    });
    let packets: Vec<_> = in_turns.take_while(|packets| !packets.is_empty()).flatten().collect();
    let train =
        |packets: &[&[u8]]| Train { payload: packets.concat(), segment_length: Some(longest) };
    let alone = |packet: &[u8]| Train { payload: packet.to_vec(), segment_length: None };
    (packets.chunks(TRAINS).map(train).collect(), short.into_iter().map(alone).collect())
}
