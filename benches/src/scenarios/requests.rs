//! Small requests, each on a stream of its own, a hundred at a time.

use quic_core::{
    Connection, ConnectionHandle, Direction, Endpoint, Event, Instant, ReadOutcome, Side,
    StreamEvent, StreamId,
};

use crate::meter::{Meter, Verb};
use crate::pipe::Pipe;
use crate::tls::Tls;

/// Requests in flight.
const IN_FLIGHT: u64 = 100;
/// Bytes of a request.
static REQUEST: [u8; 100] = [0; 100];
/// Bytes of an answer.
static ANSWER: [u8; 1024] = [0; 1024];
/// Requests that are answered before anything is counted.
const WARM_UP: u64 = 1000;
/// Requests that count.
const REQUESTS: u64 = 5000;

/// What it takes of both ends and their applications.
pub(super) fn both(meter: &mut Meter, tls: Tls) {
    measure(meter, tls, |_, _| true);
}

/// What it takes of the client.
pub(super) fn client(meter: &mut Meter) {
    measure(meter, Tls::Real, |side, _| side == Side::Client);
}

/// What it takes of the server.
pub(super) fn server(meter: &mut Meter) {
    measure(meter, Tls::Real, |side, _| side == Side::Server);
}

fn measure(meter: &mut Meter, tls: Tls, counts: fn(Side, Verb) -> bool) {
    // New streams are permitted a moment after others have ended.
    let setup = tls.setup().transport(|it| it.max_concurrent_bidi_streams = 2 * IN_FLIGHT);
    let mut pipe = Pipe::new(&setup);
    let (handle, _) = pipe.connect(meter);
    for _ in 0..IN_FLIGHT {
        pipe.client.endpoint.with_connection(pipe.now, handle, ask);
    }
    let mut answers = 0;
    until(&mut pipe, meter, &mut answers, WARM_UP);
    let before = answers;
    meter.start(counts);
    until(&mut pipe, meter, &mut answers, WARM_UP + REQUESTS);
    meter.stop(answers - before);
}

/// Goes on until so many requests were answered.
fn until(pipe: &mut Pipe, meter: &Meter, answers: &mut u64, wanted: u64) {
    while *answers < wanted {
        let on_client = &mut |endpoint: &mut Endpoint, now, handle, event: &Event| {
            let Event::Stream(StreamEvent::Readable(id)) = *event else { return };
            endpoint.with_connection(now, handle, |connection| {
                if read(connection, id) {
                    *answers += 1;
                    ask(connection);
                }
            });
        };
        pipe.step(meter, on_client, &mut on_server);
    }
}

/// Opens a stream for the next request, and sends it.
fn ask(connection: &mut Connection) {
    let id = connection.open_stream(Direction::Bidirectional).expect("the last one is over");
    write(connection, id, &REQUEST);
}

fn on_server(endpoint: &mut Endpoint, now: Instant, handle: ConnectionHandle, event: &Event) {
    match *event {
        Event::Stream(StreamEvent::Opened(direction)) => {
            endpoint.with_connection(now, handle, |connection| {
                while let Some(id) = connection.accept_stream(direction) {
                    answer(connection, id);
                }
            });
        }
        Event::Stream(StreamEvent::Readable(id)) => {
            endpoint.with_connection(now, handle, |connection| answer(connection, id));
        }
        _ => {}
    }
}

/// Answers, if the request is there as a whole.
fn answer(connection: &mut Connection, id: StreamId) {
    if read(connection, id) {
        write(connection, id, &ANSWER);
    }
}

fn write(connection: &mut Connection, id: StreamId, bytes: &[u8]) {
    let mut stream = connection.send_stream(id);
    assert_eq!(stream.write(bytes), Ok(bytes.len()), "windows are too small");
    stream.finish().expect("it is open");
}

/// Reads what there is; whether that was the end.
fn read(connection: &mut Connection, id: StreamId) -> bool {
    loop {
        match connection.recv_stream(id).read_chunk(usize::MAX) {
            Ok(ReadOutcome::Data(_)) => {}
            Ok(ReadOutcome::Finished) => return true,
            Err(_) => return false,
        }
    }
}
