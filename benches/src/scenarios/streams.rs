//! As much data on many streams as on one.

use quic_core::{ConnectionHandle, StreamId};

use super::traffic;
use crate::meter::Meter;
use crate::pipe::Pipe;
use crate::tls::Tls;

/// Bytes that are written at a time, on one stream after the other.
const WRITE: usize = 8 << 10;
/// The same before anything is counted.
const WARM_UP: usize = 512;
/// Writes that count, at least; one on each stream if there are more.
const WRITES: usize = 1024;
/// Bytes that may be on their way.
const WINDOW: u64 = 128 << 20;

struct Sender {
    pipe: Pipe,
    handle: ConnectionHandle,
    streams: Vec<StreamId>,
}

/// All streams have data to send at the same time.
pub(super) fn bulk(meter: &mut Meter, count: usize) {
    let setup = Tls::Real.setup().transport(|it| {
        it.max_concurrent_uni_streams = count as u64;
        it.stream_receive_window = WINDOW;
        it.receive_window = WINDOW;
        it.max_stream_receive_window = WINDOW;
        it.max_receive_window = WINDOW;
        it.send_window = WINDOW;
    });
    let mut pipe = Pipe::new(&setup);
    let (handle, _) = pipe.connect(meter);
    let open = |_| traffic::open(&mut pipe.client.endpoint, pipe.now, handle);
    let streams = (0..count).map(open).collect();
    let mut sender = Sender { pipe, handle, streams };
    let writes = count.max(WRITES);
    sender.send(meter, writes, WARM_UP);
    meter.start(|_, _| true);
    sender.send(meter, writes, WRITE);
    meter.stop((writes * WRITE) as u64 >> 10);
}

impl Sender {
    /// Writes so many times so many bytes, and goes on until all have arrived.
    fn send(&mut self, meter: &Meter, writes: usize, length: usize) {
        let Self { pipe, handle, streams } = self;
        let now = pipe.now;
        let written = pipe.client.act(meter, |endpoint| {
            endpoint.with_connection(now, *handle, |connection| {
                let mut next = streams.iter().cycle().take(writes);
                next.all(|stream| traffic::write(connection, *stream, length))
            })
        });
        assert_eq!(written, Some(true), "windows are too small");
        let mut bytes = 0;
        while bytes < writes * length {
            pipe.step(meter, &mut |_, _, _, _| {}, &mut |endpoint, now, handle, event| {
                traffic::read_all(endpoint, now, handle, event, &mut bytes);
            });
        }
    }
}
