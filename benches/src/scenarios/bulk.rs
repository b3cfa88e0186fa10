//! One stream, as fast as it goes: whole batches of full packets.

use quic_core::{ConnectionHandle, Side, StreamId};

use super::traffic;
use crate::meter::{Meter, Verb};
use crate::pipe::Pipe;
use crate::tls::Tls;

/// Bytes that the application writes in each step: three trains, less than the pacer lets out.
const WRITE: usize = 3 * (64 << 10);
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
        let stream = traffic::open(&mut pipe.client.endpoint, pipe.now, handle);
        Self { pipe, handle, stream }
    }

    /// Writes as much as each step can send; whether there was room for that.
    fn write(&mut self, meter: &Meter) -> bool {
        let (now, handle, stream) = (self.pipe.now, self.handle, self.stream);
        let written = self.pipe.client.act(meter, |endpoint| {
            let write = |connection: &mut _| traffic::write(connection, stream, WRITE);
            endpoint.with_connection(now, handle, write)
        });
        written == Some(true)
    }

    /// Sends, takes and reads for a millisecond.
    fn step(&mut self, meter: &Meter) {
        let mut bytes = 0;
        self.pipe.step(meter, &mut |_, _, _, _| {}, &mut |endpoint, now, handle, event| {
            traffic::read_all(endpoint, now, handle, event, &mut bytes);
        });
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

/// What it takes to send a packet: the frames in it, its protection, the account of it.
pub(super) fn seal(meter: &mut Meter, tls: Tls) {
    let counts = |side, verb| (side, verb) == (Side::Client, Verb::Transmit);
    Bulk::new(tls, meter).measure(meter, counts);
}

/// What it takes to receive a packet of a train.
pub(super) fn open(meter: &mut Meter, tls: Tls) {
    let counts = |side, verb| (side, verb) == (Side::Server, Verb::Datagram);
    Bulk::new(tls, meter).measure(meter, counts);
}

/// What both ends and their applications do for a packet.
pub(super) fn whole(meter: &mut Meter, tls: Tls) {
    Bulk::new(tls, meter).measure(meter, |_, _| true);
}
