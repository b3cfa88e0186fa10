//! What each application did, and so what must arrive at the other one.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use quic_core::{
    Connection, ConnectionError, ConnectionHandle, ConnectionId, Direction, Instant, ReadError,
    ReadOutcome, Side, StreamId, VarInt, WriteError,
};

/// One end of a connection, as its application sees it.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) end: usize,
    pub(super) handle: ConnectionHandle,
    /// Known to both ends: the Destination Connection ID of the client's first Initial.
    pub(super) id: ConnectionId,
    pub(super) side: Side,
    /// Where its log is in the book.
    pub(super) log: usize,
    /// When it began, in the time that had passed at its end.
    pub(super) since: Instant,
    pub(super) connected: bool,
    pub(super) lost: Option<ConnectionError>,
    /// The code with which its application closed it.
    pub(super) closed: Option<u64>,
    /// Its end was restarted, and knows nothing of it.
    pub(super) forgotten: bool,
    /// A path failed since the last look.
    pub(super) path_failed: bool,
    /// It moved during the handshake, which need not succeed therefore.
    pub(super) disturbed: bool,
    /// When its client moved on purpose first since it was on a path that was known to work. If none
    /// proves to work in time, that is the end of it (RFC 9000 §9.3.2).
    pub(super) migrated: Option<Instant>,
    pub(super) sends: BTreeMap<StreamId, Sent>,
    pub(super) receives: BTreeMap<StreamId, Received>,
    pub(super) datagrams: BTreeSet<u64>,
}

/// What was sent on a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent {
    /// What the application wants to write, and has written.
    pub(super) wanted: u64,
    pub(super) written: u64,
    /// It wants to finish the stream once all is written, and has.
    pub(super) wants_end: bool,
    pub(super) finished: bool,
    /// Codes that it was reset with, and up to where it is delivered nevertheless.
    pub(super) resets: Vec<(u64, u64)>,
    /// The application was told that the peer wants no more.
    pub(super) stopped: bool,
}

/// What was received on a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Received {
    pub(super) read: u64,
    pub(super) end: Option<Ending>,
}

/// How a stream ended for who received it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    Finished,
    Reset(u64),
    Stopped,
}

impl Sent {
    pub(super) fn is_open(&self) -> bool {
        !self.finished && !self.stopped && self.resets.is_empty()
    }

    /// Whether nothing is left to be written.
    fn is_done(&self) -> bool {
        !self.is_open() || (self.written == self.wanted && !self.wants_end)
    }
}

impl Conn {
    /// Whether something can be done with it.
    pub(super) fn is_usable(&self) -> bool {
        self.lost.is_none() && !self.forgotten
    }

    /// One of the streams that are not at their end.
    pub(super) fn writable(&self, which: u8) -> Option<StreamId> {
        nth(
            self.sends
                .iter()
                .filter(|(_, sent)| sent.is_open() && !sent.wants_end)
                .map(|(id, _)| *id),
            which,
        )
    }

    pub(super) fn sending(&self, which: u8) -> Option<StreamId> {
        nth(self.sends.keys().copied(), which)
    }

    pub(super) fn readable(&self, which: u8) -> Option<StreamId> {
        let open = self.receives.iter().filter(|(_, received)| received.end.is_none());
        nth(open.map(|(id, _)| *id), which)
    }

    /// Opens a stream, if the peer permits it.
    pub(super) fn open(&mut self, connection: &mut Connection, direction: Direction) {
        let Ok(id) = connection.open_stream(direction) else { return };
        self.sends.insert(id, Sent::default());
        if direction == Direction::Bidirectional {
            self.receives.insert(id, Received::default());
        }
    }

    /// Takes all streams that the peer opened.
    pub(super) fn accept(&mut self, connection: &mut Connection) {
        for direction in [Direction::Bidirectional, Direction::Unidirectional] {
            while let Some(id) = connection.accept_stream(direction) {
                assert_ne!(id.initiator(), self.side, "I4: accepted its own {id:?}");
                let before = self.receives.insert(id, Received::default());
                assert!(before.is_none(), "I4: {id:?} was accepted twice");
                if direction == Direction::Bidirectional {
                    self.sends.insert(id, Sent::default());
                }
            }
        }
    }

    /// Writes more, now and as it is permitted.
    pub(super) fn write(&mut self, connection: &mut Connection, id: StreamId, length: u64) {
        if let Some(sent) = self.sends.get_mut(&id) {
            sent.wanted += length;
        }
        self.go_on(connection, id);
    }

    /// Finishes the stream, once all is written.
    pub(super) fn finish(&mut self, connection: &mut Connection, id: StreamId) {
        if let Some(sent) = self.sends.get_mut(&id) {
            sent.wants_end = true;
        }
        self.go_on(connection, id);
    }

    /// Writes what is still to be written.
    pub(super) fn go_on(&mut self, connection: &mut Connection, id: StreamId) {
        let Some(sent) = self.sends.get_mut(&id) else { return };
        let is_over = connection.is_over();
        let mut stream = connection.send_stream(id);
        while sent.is_open() && sent.written < sent.wanted {
            let length = (sent.wanted - sent.written) as usize;
            let bytes = content(&self.id, self.side, id, sent.written, length);
            match stream.write(&bytes) {
                Ok(taken) => sent.written += taken as u64,
                Err(WriteError::Stopped(_)) => sent.stopped = true,
                Err(WriteError::Closed) => {
                    assert!(is_over, "I4: {id:?} is closed for writing: {sent:?}");
                    return;
                }
                Err(_) => return,
            }
        }
        if sent.is_open() && sent.wants_end {
            match stream.finish() {
                Ok(()) => sent.finished = true,
                Err(WriteError::Stopped(_)) => sent.stopped = true,
                Err(_) => {}
            }
        }
    }

    pub(super) fn reset(&mut self, connection: &mut Connection, id: StreamId) {
        let Some(sent) = self.sends.get_mut(&id) else { return };
        let code = 100 + sent.resets.len() as u64;
        if connection.send_stream(id).reset(var_int(code)).is_ok() {
            sent.resets.push((code, 0));
        }
    }

    pub(super) fn reset_at(&mut self, connection: &mut Connection, id: StreamId, size: u64) {
        let Some(sent) = self.sends.get_mut(&id) else { return };
        let code = 200 + sent.resets.len() as u64;
        if connection.send_stream(id).reset_at(var_int(code), size).is_ok() {
            sent.resets.push((code, size.min(sent.written)));
        }
    }

    pub(super) fn stop(&mut self, connection: &mut Connection, id: StreamId) {
        let Some(received) = self.receives.get_mut(&id) else { return };
        if connection.recv_stream(id).stop(var_int(300)).is_ok() {
            received.end = Some(Ending::Stopped);
        }
    }

    /// Reads up to `most` bytes; returns false if there is no more to read now.
    pub(super) fn read(&mut self, connection: &mut Connection, id: StreamId, most: usize) -> bool {
        let Some(received) = self.receives.get_mut(&id) else { return false };
        if received.end.is_some() {
            return false;
        }
        match connection.recv_stream(id).read_chunk(most) {
            Ok(ReadOutcome::Data(data)) => {
                let wanted = content(&self.id, !self.side, id, received.read, data.len());
                assert!(data == wanted, "I4: other bytes on {id:?} at {}", received.read);
                received.read += data.len() as u64;
                return true;
            }
            Ok(ReadOutcome::Finished) => received.end = Some(Ending::Finished),
            Err(ReadError::Reset(code)) => {
                received.end = Some(Ending::Reset(code.into_inner()));
            }
            Err(ReadError::Closed) => assert!(
                connection.is_over(),
                "I4: {id:?} is closed for reading, but is {received:?}"
            ),
            Err(_) => {}
        }
        false
    }

    pub(super) fn read_all(&mut self, connection: &mut Connection) {
        let ids: Vec<_> = self.receives.keys().copied().collect();
        for id in ids {
            while self.read(connection, id, 64 * 1024) {}
        }
    }
}

/// Nothing came on a stream that was not sent on it, nor another end than it was given.
pub(super) fn i4_what_came_was_sent(
    id: StreamId,
    received: Received,
    sent: &Sent,
) -> Result<(), String> {
    let ends = match received.end {
        None | Some(Ending::Stopped) => true,
        Some(Ending::Finished) => sent.finished && received.read == sent.written,
        Some(Ending::Reset(code)) => {
            let reliable = sent.resets.iter().map(|(_, size)| *size).min().unwrap_or(0);
            sent.resets.iter().any(|(known, _)| *known == code) && received.read >= reliable
        }
    };
    if ends && received.read <= sent.written {
        Ok(())
    } else {
        Err(format!("I4: {id:?} was {sent:?}, but {received:?}"))
    }
}

/// All that was sent on a stream, and not given up, came, and so did its end.
pub(super) fn i21_what_was_sent_came(
    id: StreamId,
    sent: &Sent,
    received: Option<Received>,
) -> Result<(), String> {
    let end = received.and_then(|received| received.end);
    let read = received.map_or(0, |received| received.read);
    let has_come = match end {
        Some(Ending::Stopped | Ending::Reset(_)) => true,
        Some(Ending::Finished) => read == sent.written,
        None if sent.is_open() => sent.is_done() && read == sent.written,
        // What was reset before it was accepted need not be offered to the application.
        None => received.is_none() && sent.resets.iter().any(|(_, size)| *size == 0),
    };
    if has_come { Ok(()) } else { Err(format!("I21: {id:?} is {sent:?}, came {received:?}")) }
}

/// The bytes of a stream from an offset on.
fn content(connection: &ConnectionId, by: Side, id: StreamId, offset: u64, length: usize) -> Bytes {
    let tail =
        connection.as_slice().iter().fold(1, |sum: u64, byte| sum * 31 % 65_521 + u64::from(*byte));
    let start = tail + 7919 * u64::from(by == Side::Server) + 104_729 * (id.index() + 1);
    let place = |index| (start + offset + index) * 0x9e37_79b9 / 65_537;
    (0..length as u64).map(|index| place(index) as u8).collect()
}

fn nth<T>(mut among: impl Iterator<Item = T> + Clone, which: u8) -> Option<T> {
    let count = among.clone().count();
    among.nth(usize::from(which).checked_rem(count)?)
}

fn var_int(value: u64) -> VarInt {
    VarInt::try_from(value).unwrap()
}
