//! Acknowledgments of a thousand packets, at the end that sent these.

use quic_core::{ConnectionHandle, Side, StreamId};

use super::traffic;
use crate::fixed_window::fixed_window;
use crate::meter::{Meter, Verb};
use crate::pipe::{Pipe, Train};
use crate::tls::Tls;

/// Packets that are in flight when the acknowledgment comes.
const PACKETS: u64 = 1000;
/// Most bytes that a stream has in that many packets.
const WRITE: usize = 1000 * 1420;
/// Times that it is done.
const ROUNDS: usize = 10;
/// Steps until what was lost arrived in other packets.
const REPAIR: usize = 40;
/// One packet in so many is lost where there are gaps: as many as one ACK frame tells of.
const GAP: u64 = 33;

/// One ACK frame that acknowledges all.
pub(super) fn whole(meter: &mut Meter) {
    measure(meter, |_| false, Replies::Last);
}

/// One ACK frame with 30 gaps.
pub(super) fn with_gaps(meter: &mut Meter) {
    measure(meter, |number| number % GAP == GAP / 2, Replies::Last);
}

/// Every second packet is lost, and each train is acknowledged on its own, since no ACK frame tells
/// of so many gaps.
pub(super) fn every_second_lost(meter: &mut Meter) {
    measure(meter, |number| number.is_multiple_of(2), Replies::OfEachTrain);
}

/// Which acknowledgments arrive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Replies {
    Last,
    OfEachTrain,
}

struct Flight {
    pipe: Pipe,
    handle: ConnectionHandle,
    stream: StreamId,
}

fn measure(meter: &mut Meter, lost: fn(u64) -> bool, replies: Replies) {
    let setup = Tls::Null.setup().transport(|it| {
        it.stream_receive_window = 8 << 20;
        it.receive_window = 8 << 20;
        it.congestion = fixed_window();
        it.pacing = false;
    });
    let mut pipe = Pipe::new(&setup);
    let (handle, _) = pipe.connect(meter);
    let stream = traffic::open(&mut pipe.client.endpoint, pipe.now, handle);
    let mut flight = Flight { pipe, handle, stream };
    flight.repair(meter);
    for round in 0..=ROUNDS {
        let packets = flight.fly(meter, lost, replies);
        assert!(packets.abs_diff(PACKETS) < PACKETS / 10, "{packets} packets were sent");
        // The first round makes room for the next ones.
        if round > 0 {
            meter.start(|side, verb| (side, verb) == (Side::Client, Verb::Datagram));
        }
        flight.pipe.client.take_all(flight.pipe.now, meter);
        meter.stop(if round > 0 { packets } else { 0 });
        flight.repair(meter);
    }
}

impl Flight {
    /// Sends packets, of which some are lost, until the acknowledgments are about to arrive. How
    /// many were sent.
    fn fly(&mut self, meter: &Meter, lost: fn(u64) -> bool, replies: Replies) -> u64 {
        let Self { pipe, handle, stream } = self;
        let write = |connection: &mut _| traffic::write(connection, *stream, WRITE);
        assert_eq!(pipe.client.endpoint.with_connection(pipe.now, *handle, write), Some(true));
        let before = pipe.client.sent;
        pipe.pass(meter);
        pipe.send(Side::Client, meter);
        let packets = pipe.client.sent - before;
        pipe.pass(meter);
        let mut number = 0;
        while let Some(train) = pipe.server.inbox.pop_front() {
            let mut train = without(&train, &mut number, |number| {
                // The last one arrives, so that it is told of all others.
                number + 1 < packets && lost(number)
            });
            pipe.server.take(pipe.now, &mut train, meter);
            if replies == Replies::OfEachTrain {
                pipe.send(Side::Server, meter);
            }
        }
        read(pipe, meter);
        pipe.send(Side::Server, meter);
        if replies == Replies::Last {
            pipe.client.inbox.drain(..pipe.client.inbox.len() - 1);
        }
        pipe.pass(meter);
        packets
    }

    /// Goes on until all has arrived.
    fn repair(&mut self, meter: &Meter) {
        for _ in 0..REPAIR {
            self.pipe.step(meter, &mut |_, _, _, _| {}, &mut |endpoint, now, handle, event| {
                traffic::read_all(endpoint, now, handle, event, &mut 0);
            });
        }
    }
}

fn read(pipe: &mut Pipe, meter: &Meter) {
    pipe.server.hear(pipe.now, meter, &mut |endpoint, now, handle, event| {
        traffic::read_all(endpoint, now, handle, event, &mut 0);
    });
}

/// The train without those of its datagrams that are lost; they are numbered on from `number`.
fn without(train: &Train, number: &mut u64, lost: impl Fn(u64) -> bool) -> Train {
    let mut payload = Vec::with_capacity(train.payload.len());
    for datagram in train.datagrams() {
        if !lost(*number) {
            payload.extend_from_slice(datagram);
        }
        *number += 1;
    }
    Train { payload, segment_length: train.segment_length }
}
