//! An application that sends what it is told to, and reads all that comes.

use std::collections::BTreeMap;
use std::mem;

use bytes::Bytes;
use quic_core::{
    Connection, ConnectionHandle, Direction, Finished, ReadError, ReadOutcome, StreamEvent,
    StreamId, VarInt, WriteError,
};

/// Bytes read from a stream at a time, and pieces that endless data is written in.
const PIECE: usize = 64 * 1024;

/// What came on a stream.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// The bytes; empty in an application that does not keep them.
    pub bytes: Vec<u8>,
    /// How many there were.
    pub length: u64,
    /// The stream was read to its end.
    pub finished: bool,
    /// The peer reset the stream.
    pub reset: Option<VarInt>,
}

/// What is still to be written to a stream.
#[derive(Debug)]
struct Outgoing {
    rest: Bytes,
    then: Then,
}

#[derive(Debug)]
enum Then {
    Finish,
    Leave,
    Again(Bytes),
}

/// The streams of one end's connections. Reads whenever there is something to read.
#[derive(Debug)]
pub struct Application {
    /// What came, by connection and stream.
    pub received: BTreeMap<(ConnectionHandle, StreamId), Received>,
    /// Streams whose data was acknowledged, its end included.
    pub delivered: Vec<(ConnectionHandle, StreamId)>,
    /// Streams that the peer asked to stop.
    pub stopped: Vec<(ConnectionHandle, StreamId)>,
    /// Whether what comes on a bidirectional stream is sent back on it.
    pub echo: bool,
    /// Whether received bytes are kept.
    pub keep: bool,
    /// Whether streams are read. Turned on again, call [`Application::read_all`].
    pub read: bool,
    outgoing: BTreeMap<(ConnectionHandle, StreamId), Outgoing>,
}

impl Default for Application {
    fn default() -> Self {
        Self {
            received: BTreeMap::new(),
            delivered: Vec::new(),
            stopped: Vec::new(),
            echo: false,
            keep: true,
            read: true,
            outgoing: BTreeMap::new(),
        }
    }
}

impl Application {
    /// Writes `bytes` to a stream, now and as it can take more, then ends it if `finish`.
    pub fn send(
        &mut self,
        connection: &mut Connection,
        (handle, id): (ConnectionHandle, StreamId),
        bytes: Bytes,
        finish: bool,
    ) {
        let then = if finish { Then::Finish } else { Then::Leave };
        self.outgoing.insert((handle, id), Outgoing { rest: bytes, then });
        self.write(connection, (handle, id));
    }

    /// Writes to a stream whenever it can take more.
    pub fn send_endlessly(
        &mut self,
        connection: &mut Connection,
        (handle, id): (ConnectionHandle, StreamId),
    ) {
        let piece = Bytes::from(vec![7; PIECE]);
        let outgoing = Outgoing { rest: piece.clone(), then: Then::Again(piece) };
        self.outgoing.insert((handle, id), outgoing);
        self.write(connection, (handle, id));
    }

    /// Writes nothing more of what it was to write.
    pub fn stop_sending(&mut self) {
        self.outgoing.clear();
    }

    /// Whether everything was written.
    pub fn is_done_writing(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Reads all that there is on streams that were seen before.
    pub fn read_all(&mut self, connection: &mut Connection, handle: ConnectionHandle) {
        let ids: Vec<_> = self.received.keys().filter(|key| key.0 == handle).copied().collect();
        for key in ids {
            self.read(connection, key);
        }
    }

    /// Accepts and reads all that there is, whatever `read` says: the connection is over.
    pub(super) fn read_the_rest(&mut self, connection: &mut Connection, handle: ConnectionHandle) {
        let read = mem::replace(&mut self.read, true);
        self.read_all(connection, handle);
        for direction in [Direction::Bidirectional, Direction::Unidirectional] {
            self.accept(connection, handle, direction);
        }
        self.read = read;
    }

    /// Does what an event asks for.
    pub fn handle_event(
        &mut self,
        connection: &mut Connection,
        handle: ConnectionHandle,
        event: StreamEvent,
    ) {
        match event {
            StreamEvent::Opened(direction) => self.accept(connection, handle, direction),
            StreamEvent::Readable(id) => self.read(connection, (handle, id)),
            StreamEvent::Writable(id) => self.write(connection, (handle, id)),
            StreamEvent::Finished(id) => {
                let finished = connection.send_stream(id).finished();
                assert_eq!(finished, Some(Finished::Acknowledged), "{id:?} is said to be finished");
                self.delivered.push((handle, id));
            }
            StreamEvent::Stopped(id) => {
                self.outgoing.remove(&(handle, id));
                self.stopped.push((handle, id));
            }
            _ => {}
        }
    }

    fn accept(
        &mut self,
        connection: &mut Connection,
        handle: ConnectionHandle,
        direction: Direction,
    ) {
        while let Some(id) = connection.accept_stream(direction) {
            self.received.entry((handle, id)).or_default();
            self.read(connection, (handle, id));
        }
    }

    fn read(&mut self, connection: &mut Connection, (handle, id): (ConnectionHandle, StreamId)) {
        let mut back = Vec::new();
        let mut ended = false;
        let received = self.received.entry((handle, id)).or_default();
        if !self.read {
            return;
        }
        loop {
            match connection.recv_stream(id).read_chunk(PIECE) {
                Ok(ReadOutcome::Data(data)) => {
                    received.length += data.len() as u64;
                    if self.keep {
                        received.bytes.extend_from_slice(&data);
                    }
                    back.extend_from_slice(&data);
                }
                Ok(ReadOutcome::Finished) => {
                    assert!(!received.finished, "{id:?} ended twice");
                    received.finished = true;
                    ended = true;
                    break;
                }
                Err(ReadError::Reset(code)) => {
                    received.reset = Some(code);
                    break;
                }
                Err(_) => break,
            }
        }
        if self.echo && id.direction() == Direction::Bidirectional && (ended || !back.is_empty()) {
            self.send_more(connection, (handle, id), &back, ended);
        }
    }

    fn send_more(
        &mut self,
        connection: &mut Connection,
        key: (ConnectionHandle, StreamId),
        more: &[u8],
        ended: bool,
    ) {
        let before = self.outgoing.remove(&key);
        let mut bytes = before.map_or_else(Vec::new, |outgoing| outgoing.rest.to_vec());
        bytes.extend_from_slice(more);
        self.send(connection, key, bytes.into(), ended);
    }

    fn write(&mut self, connection: &mut Connection, key: (ConnectionHandle, StreamId)) {
        let Some(outgoing) = self.outgoing.get_mut(&key) else { return };
        let mut stream = connection.send_stream(key.1);
        loop {
            if outgoing.rest.is_empty() {
                match &outgoing.then {
                    Then::Again(piece) => outgoing.rest = piece.clone(),
                    Then::Leave => break,
                    Then::Finish => {
                        // A stream that was stopped in the meantime has nothing to finish.
                        let _: Result<(), WriteError> = stream.finish();
                        break;
                    }
                }
            }
            match stream.write_chunk(&mut outgoing.rest) {
                Ok(taken) => assert!(taken > 0, "a write took nothing and was not blocked"),
                Err(WriteError::Blocked) => return,
                Err(_) => break,
            }
        }
        self.outgoing.remove(&key);
    }
}
