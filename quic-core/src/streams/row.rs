//! Rows in which streams wait their turn. They are linked through the streams themselves: a stream
//! leaves from the middle as quickly as from the front, however many wait, and nothing is
//! allocated.

use super::store::{Key, Store};

/// What streams wait for. Each is in at most one row of a kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// To send RESET_STREAM or STOP_SENDING.
    Urgent,
    /// To send MAX_STREAM_DATA or STREAM_DATA_BLOCKED.
    Credit,
    /// To send data.
    Data,
    /// For room on the connection, to write.
    Write,
}

/// A stream's places, by kind of row.
#[derive(Debug, Default)]
pub(super) struct Places([Place; 4]);

/// Slots of the neighbours in a row.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// [`END`] at the front, [`OUT`] if the stream is in no row.
    before: u32,
    /// [`END`] at the back.
    after: u32,
}

/// No slot: there is no neighbour.
const END: u32 = u32::MAX;
/// No slot: the stream is in no row.
const OUT: u32 = u32::MAX - 1;

impl Default for Place {
    fn default() -> Self {
        Self { before: OUT, after: END }
    }
}

impl Places {
    /// Whether the stream is in a row of this kind.
    #[inline]
    pub(super) fn is_in(&self, kind: Kind) -> bool {
        self.get(kind).before != OUT
    }

    /// Whether the stream is in no row at all.
    pub(super) fn are_none(&self) -> bool {
        self.0.iter().all(|place| place.before == OUT)
    }

    fn get(&self, kind: Kind) -> Place {
        let [urgent, credit, data, write] = &self.0;
        *match kind {
            Kind::Urgent => urgent,
            Kind::Credit => credit,
            Kind::Data => data,
            Kind::Write => write,
        }
    }

    fn get_mut(&mut self, kind: Kind) -> &mut Place {
        let [urgent, credit, data, write] = &mut self.0;
        match kind {
            Kind::Urgent => urgent,
            Kind::Credit => credit,
            Kind::Data => data,
            Kind::Write => write,
        }
    }
}

/// Streams one behind the other.
#[derive(Debug)]
pub(super) struct Row {
    kind: Kind,
    /// Slots; [`END`] if the row is empty.
    first: u32,
    last: u32,
}

impl Row {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, first: END, last: END }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first == END
    }

    #[inline]
    pub(super) fn front(&self, store: &Store) -> Option<Key> {
        store.key_of(self.first)
    }

    /// Puts a stream at the end, unless it is in a row of this kind.
    pub(super) fn push(&mut self, store: &mut Store, key: Key) {
        let (kind, last) = (self.kind, self.last);
        let Some(stream) = store.get_mut(key).filter(|stream| !stream.places.is_in(kind)) else {
            return;
        };
        *stream.places.get_mut(kind) = Place { before: last, after: END };
        match store.in_slot(last) {
            Some(stream) => stream.places.get_mut(kind).after = key.slot(),
            None => self.first = key.slot(),
        }
        self.last = key.slot();
    }

    /// Takes a stream out, wherever it stands, if it is here.
    pub(super) fn remove(&mut self, store: &mut Store, key: Key) {
        let kind = self.kind;
        let Some(stream) = store.get_mut(key).filter(|stream| stream.places.is_in(kind)) else {
            return;
        };
        let Place { before, after } = std::mem::take(stream.places.get_mut(kind));
        match store.in_slot(before) {
            Some(stream) => stream.places.get_mut(kind).after = after,
            None => self.first = after,
        }
        match store.in_slot(after) {
            Some(stream) => stream.places.get_mut(kind).before = before,
            None => self.last = before,
        }
    }

    /// Sees to it that a stream is here, or that it is not.
    pub(super) fn set(&mut self, store: &mut Store, key: Key, here: bool) {
        if here {
            self.push(store, key);
        } else {
            self.remove(store, key);
        }
    }

    /// Takes out the first.
    pub(super) fn pop(&mut self, store: &mut Store) -> Option<Key> {
        let first = self.front(store)?;
        self.remove(store, first);
        Some(first)
    }

    /// Puts the first at the end.
    pub(super) fn rotate(&mut self, store: &mut Store) {
        if let Some(first) = self.pop(store) {
            self.push(store, first);
        }
    }
}

#[cfg(test)]
mod tests;
