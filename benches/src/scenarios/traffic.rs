//! What the applications of several scenarios do.

use quic_core::{
    Connection, ConnectionHandle, Direction, Endpoint, Event, Instant, ReadOutcome, StreamEvent,
    StreamId,
};

/// What is written.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Opens a stream to send on.
pub(super) fn open(endpoint: &mut Endpoint, now: Instant, handle: ConnectionHandle) -> StreamId {
    let open = |connection: &mut Connection| connection.open_stream(Direction::Unidirectional);
    let opened = endpoint.with_connection(now, handle, open).expect("the connection lives");
    opened.expect("the peer permits it")
}

/// Writes so many bytes, 64 KiB at a time; whether there was room for all.
pub(super) fn write(connection: &mut Connection, id: StreamId, bytes: usize) -> bool {
    let mut stream = connection.send_stream(id);
    let mut left = bytes;
    while left > 0 {
        let length = left.min(ZEROS.len());
        if stream.write(&ZEROS[..length]) != Ok(length) {
            return false;
        }
        left -= length;
    }
    true
}

/// Accepts all streams, reads all that arrives, and counts its bytes.
pub(super) fn read_all(
    endpoint: &mut Endpoint,
    now: Instant,
    handle: ConnectionHandle,
    event: &Event,
    bytes: &mut usize,
) {
    match *event {
        Event::Stream(StreamEvent::Opened(direction)) => {
            endpoint.with_connection(now, handle, |connection| {
                while connection.accept_stream(direction).is_some() {}
            });
        }
        Event::Stream(StreamEvent::Readable(id)) => {
            endpoint.with_connection(now, handle, |connection| {
                let mut stream = connection.recv_stream(id);
                while let Ok(ReadOutcome::Data(chunk)) = stream.read_chunk(usize::MAX) {
                    *bytes += chunk.len();
                }
            });
        }
        _ => {}
    }
}
