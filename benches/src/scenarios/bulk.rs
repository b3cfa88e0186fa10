//! One stream, as fast as it goes: whole batches of full packets.

use quic_core::{
    Connection, ConnectionHandle, Direction, Endpoint, Event, Instant, ReadOutcome, Side,
    StreamEvent, StreamId,
};

use super::Tls;
use crate::meter::{Meter, Verb};
use crate::pipe::{Pipe, accept_all};

/// Bytes that the application writes in each step: three trains, less than the pacer lets out.
const WRITES: [usize; 3] = [64 << 10; 3];
/// What is written.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
/// Steps before anything is counted, after which windows and the MTU stay as they are.
const WARM_UP: usize = 120;
/// Before that, something is written in one of so many steps: windows are small at first.
const WARM_UP_PACE: usize = 4;
/// Steps that count.
const STEPS: usize = 40;

/// A client that sends on a stream of a connection.
struct Bulk {
    pipe: Pipe,
    handle: ConnectionHandle,
    stream: StreamId,
}

impl Bulk {
    fn new(tls: Tls, meter: &Meter) -> Self {
        // Receive windows that need not grow.
        let setup = tls.setup().transport(|it| {
            it.stream_receive_window = 4 << 20;
            it.receive_window = 8 << 20;
        });
        let mut pipe = Pipe::new(&setup);
        let (handle, _) = pipe.connect(meter);
        let open = |connection: &mut Connection| connection.open_stream(Direction::Unidirectional);
        let stream = pipe.client.endpoint.with_connection(pipe.now, handle, open);
        Self { pipe, handle, stream: stream.expect("it lives").expect("it may") }
    }

    /// Writes as much as each step can send; whether there was room for that.
    fn write(&mut self, meter: &Meter) -> bool {
        let (now, handle, stream) = (self.pipe.now, self.handle, self.stream);
        self.pipe.client.act(meter, |endpoint| {
            endpoint.with_connection(now, handle, |connection| {
                let mut stream = connection.send_stream(stream);
                WRITES.iter().all(|length| stream.write(&ZEROS[..*length]) == Ok(*length))
            })
        }) == Some(true)
    }

    /// Sends, takes and reads for a millisecond.
    fn step(&mut self, meter: &Meter) {
        self.pipe.step(meter, &mut |_, _, _, _| {}, &mut read_all);
    }

    fn measure(mut self, meter: &mut Meter, counts: fn(Side, Verb) -> bool) {
        for step in 0..WARM_UP {
            if step % WARM_UP_PACE == 0 {
                self.write(meter);
            }
            self.step(meter);
        }
        let before = self.pipe.client.sent;
        meter.start(counts);
        for _ in 0..STEPS {
            assert!(self.write(meter), "windows are too small");
            self.step(meter);
        }
        meter.stop(self.pipe.client.sent - before);
    }
}

/// Accepts all streams, and reads all that arrives.
pub(super) fn read_all(
    endpoint: &mut Endpoint,
    now: Instant,
    handle: ConnectionHandle,
    event: Event,
) {
    accept_all(endpoint, now, handle, &event);
    if let Event::Stream(StreamEvent::Readable(id)) = event {
        endpoint.with_connection(now, handle, |connection| {
            while let Ok(ReadOutcome::Data(_)) = connection.recv_stream(id).read_chunk(usize::MAX) {
            }
        });
    }
}

/// What it takes to send a packet: the frames in it, its protection, the account of it.
pub(super) fn seal(meter: &mut Meter, tls: Tls) {
    Bulk::new(tls, meter)
        .measure(meter, |side, verb| (side, verb) == (Side::Client, Verb::Transmit));
}

/// What it takes to receive a packet of a train.
pub(super) fn open(meter: &mut Meter, tls: Tls) {
    Bulk::new(tls, meter)
        .measure(meter, |side, verb| (side, verb) == (Side::Server, Verb::Datagram));
}

/// What both ends and their applications do for a packet.
pub(super) fn whole(meter: &mut Meter, tls: Tls) {
    Bulk::new(tls, meter).measure(meter, |_, _| true);
}
