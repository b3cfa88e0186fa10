//! Streams by ID.

use hashbrown::HashMap;
use slab::Slab;

use super::recv::RecvPart;
use super::row::Places;
use super::send::SendPart;
use crate::crypto::{KeyedHash, KeyedNumberHash};
use crate::memory;
use crate::wire::StreamId;

/// Slots that are kept when no stream is left.
const MAX_KEPT_SLOTS: usize = 4;

/// Where a stream is. IDs are never used again, so a key of a stream that is gone finds nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Key {
    slot: u32,
    pub(super) id: StreamId,
}

impl Key {
    pub(super) fn slot(self) -> u32 {
        self.slot
    }
}

/// A stream that is in use.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    pub(super) send: SendPart,
    pub(super) recv: RecvPart,
    pub(super) priority: i32,
    pub(super) queued: Queued,
    pub(super) places: Places,
}

/// Which events of a stream wait to be polled.
#[derive(Debug, Default)]
pub(super) struct Queued {
    pub(super) readable: bool,
    pub(super) writable: bool,
}

/// All streams that are in use; owns next to no heap when there are none.
#[derive(Debug)]
pub(super) struct Store {
    slots: Slab<Stream>,
    /// The peer chooses which streams stay, so the hash is a secret one.
    slot_of: HashMap<StreamId, u32, KeyedNumberHash>,
    /// The stream that was looked up last: most use is of one stream many times in a row.
    last: Option<Key>,
}

impl Store {
    pub(super) fn new(hash: KeyedHash) -> Self {
        Self { slots: Slab::new(), slot_of: HashMap::with_hasher(hash.into()), last: None }
    }

    /// Heap of so many streams at the most, in bytes, without their data.
    pub(super) fn worst_case_bytes(streams: u64) -> u64 {
        /// As `Slab` has it: a stream, or the place of the next empty slot.
        #[expect(dead_code, clippy::large_enum_variant, reason = "for its size")]
        enum Entry {
            Vacant(usize),
            Occupied(Stream),
        }
        let slots = memory::list::<Entry>(streams);
        slots.saturating_add(memory::map::<StreamId, u32>(streams))
    }

    pub(super) fn find(&mut self, id: StreamId) -> Option<Key> {
        let key = self.peek(id)?;
        self.last = Some(key);
        Some(key)
    }

    /// Like [`find`](Self::find), but leaves no trace.
    pub(super) fn peek(&self, id: StreamId) -> Option<Key> {
        if let Some(last) = self.last.filter(|last| last.id == id) {
            return Some(last);
        }
        self.slot_of.get(&id).map(|&slot| Key { slot, id })
    }

    pub(super) fn get(&self, key: Key) -> Option<&Stream> {
        self.slots.get(key.slot as usize).filter(|stream| stream.id == key.id)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Stream> {
        self.slots.get_mut(key.slot as usize).filter(|stream| stream.id == key.id)
    }

    /// The key of the stream in a slot, if there is one.
    #[inline]
    pub(super) fn key_of(&self, slot: u32) -> Option<Key> {
        self.slots.get(slot as usize).map(|stream| Key { slot, id: stream.id })
    }

    /// The stream in a slot, if there is one.
    pub(super) fn in_slot(&mut self, slot: u32) -> Option<&mut Stream> {
        self.slots.get_mut(slot as usize)
    }

    pub(super) fn insert(&mut self, stream: Stream) -> Key {
        let id = stream.id;
        // More than 2^32 streams at a time do not fit into memory.
        let slot = u32::try_from(self.slots.insert(stream)).unwrap_or(u32::MAX);
        self.slot_of.insert(id, slot);
        let key = Key { slot, id };
        self.last = Some(key);
        key
    }

    /// Lets go of a stream that waits in no row.
    pub(super) fn remove(&mut self, key: Key) {
        let Some(stream) = self.get(key) else { return };
        debug_assert!(stream.places.are_none(), "a stream that waits is gone");
        self.slots.remove(key.slot as usize);
        self.slot_of.remove(&key.id);
        if self.last == Some(key) {
            self.last = None;
        }
        if self.slots.is_empty() && self.slots.capacity() > MAX_KEPT_SLOTS {
            self.slots = Slab::new();
            self.slot_of.shrink_to_fit();
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut Stream)> {
        self.slots.iter_mut().map(|(slot, stream)| {
            let slot = u32::try_from(slot).unwrap_or(u32::MAX);
            (Key { slot, id: stream.id }, stream)
        })
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.slots.iter().map(|(_, stream)| stream)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}
