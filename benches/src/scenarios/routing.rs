//! Single datagrams for one of many connections.

use std::time::Duration;

use quic_core::Side;

use super::traffic;
use crate::meter::{Meter, Verb};
use crate::pipe::Pipe;
use crate::tls::Tls;

/// Longer than everything takes: connections that wait for their server do nothing meanwhile.
const LONG: Duration = Duration::from_hours(1);
/// Bytes that are written at a time.
const WRITE: usize = 64 << 10;
/// Times that it is done before anything is counted.
const WARM_UP: usize = 60;
/// Times that count.
const WRITES: usize = 40;

/// A client takes datagrams of the one connection that its server answered, of so many.
pub(super) fn among(meter: &mut Meter, count: usize) {
    let mut setup = Tls::Null.setup();
    setup.client_transport.initial_rtt = LONG;
    setup.client_transport.handshake_timeout = LONG;
    let mut pipe = Pipe::new(&setup);
    for _ in 1..count {
        pipe.begin(meter);
        while pipe.client.send(pipe.now, meter).is_some() {}
    }
    let (_, handle) = pipe.connect(meter);
    let stream = traffic::open(&mut pipe.server.endpoint, pipe.now, handle);
    pipe.server.segments = 1;
    for round in 0..WARM_UP + WRITES {
        let before = pipe.server.sent;
        let write = |connection: &mut _| traffic::write(connection, stream, WRITE);
        let written = pipe.server.endpoint.with_connection(pipe.now, handle, write);
        if round >= WARM_UP {
            assert_eq!(written, Some(true), "windows are too small");
            meter.start(|side, verb| (side, verb) == (Side::Client, Verb::Datagram));
        }
        let on_client = &mut |endpoint: &mut _, now, handle, event: &_| {
            traffic::read_all(endpoint, now, handle, event, &mut 0);
        };
        pipe.step(meter, on_client, &mut |_, _, _, _| {});
        meter.stop(if round >= WARM_UP { pipe.server.sent - before } else { 0 });
    }
}
