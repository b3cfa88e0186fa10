//! Places for packet handlers, named by handles that never come back.

use smallvec::SmallVec;

use super::PacketHandler;
use crate::event::ConnectionHandle;
use crate::memory;
use crate::net::SocketId;
use crate::wire::{ConnectionId, StatelessResetToken};

/// Connection IDs that lead to one handler: those that were issued, as many again that are being
/// replaced, and a client's first choice.
pub(super) const MAXIMUM_IDS: u64 = 9;
/// Stateless reset tokens of one connection: those of the peer's IDs that are in use.
pub(super) const MAXIMUM_TOKENS: u64 = 4;

/// A packet handler, and what the map remembers of it.
#[derive(Debug)]
pub(super) struct Slot<C> {
    pub(super) handler: PacketHandler<C>,
    pub(super) notes: Notes,
}

/// What the map remembers of a packet handler of any kind.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Connection IDs that lead here.
    pub(super) ids: SmallVec<[ConnectionId; 2]>,
    /// Stateless reset tokens that reset the connection.
    pub(super) tokens: SmallVec<[StatelessResetToken; 1]>,
    /// The socket in whose queue the connection waits for its turn to send.
    pub(super) ready_on: Option<SocketId>,
    /// Whether this is an attempt, or a connection to the server whose handshake goes on.
    pub(super) half_open: bool,
}

#[derive(Debug)]
struct Entry<C> {
    generation: u32,
    slot: Option<Slot<C>>,
}

/// The places.
#[derive(Debug)]
pub(super) struct Slots<C> {
    manager: u16,
    entries: Vec<Entry<C>>,
    free: Vec<u32>,
    used: usize,
    /// Generation of new entries: that of no slot that there was and whose room was given back.
    first_generation: u32,
    /// When no more than so many are used, it is worth looking for room to give back.
    give_back_at: usize,
}

/// Entries whose room is not worth giving back.
const KEPT_ENTRIES: usize = 512;

impl<C> Slots<C> {
    pub(super) fn new(manager: u16) -> Self {
        let (entries, free) = (Vec::new(), Vec::new());
        Self { manager, entries, free, used: 0, first_generation: 0, give_back_at: 0 }
    }

    /// Heap of so many at the most, in bytes, without what their handlers hold.
    pub(super) fn worst_case_bytes(slots: u64) -> u64 {
        let ids = memory::list::<ConnectionId>(MAXIMUM_IDS);
        let tokens = memory::list::<StatelessResetToken>(MAXIMUM_TOKENS);
        memory::sum([
            memory::list::<Entry<C>>(slots),
            memory::list::<u32>(slots),
            slots.saturating_mul(ids.saturating_add(tokens)),
        ])
    }

    /// Number of slots in use.
    pub(super) fn length(&self) -> usize {
        self.used
    }

    /// Number of slots in use and free; every handle is of one of them.
    pub(super) fn room(&self) -> usize {
        self.entries.len()
    }

    /// The handle that the next [`insert`](Self::insert) gives; `None` if all are used up.
    pub(super) fn next_handle(&mut self) -> Option<ConnectionHandle> {
        if self.free.is_empty() {
            let slot = u32::try_from(self.entries.len()).ok().filter(|slot| *slot < u32::MAX)?;
            self.entries.push(Entry { generation: self.first_generation, slot: None });
            self.free.push(slot);
            self.give_back_at = self.entries.len() / 8;
        }
        let slot = *self.free.last()?;
        let generation = self.entries.get(slot as usize)?.generation;
        Some(ConnectionHandle { manager: self.manager, slot, generation })
    }

    /// Fills the place that `handle`, just given by [`next_handle`](Self::next_handle), names.
    pub(super) fn insert(&mut self, handle: ConnectionHandle, handler: PacketHandler<C>) {
        debug_assert_eq!(self.free.last(), Some(&handle.slot), "another handle was next");
        self.free.pop();
        if let Some(entry) = self.entries.get_mut(handle.slot as usize) {
            entry.slot = Some(Slot { handler, notes: Notes::default() });
            self.used += 1;
        }
    }

    pub(super) fn get(&self, handle: ConnectionHandle) -> Option<&Slot<C>> {
        let entry = self.entries.get(handle.slot as usize)?;
        let same = handle.manager == self.manager && handle.generation == entry.generation;
        entry.slot.as_ref().filter(|_| same)
    }

    pub(super) fn get_mut(&mut self, handle: ConnectionHandle) -> Option<&mut Slot<C>> {
        let same_manager = handle.manager == self.manager;
        let entry = self.entries.get_mut(handle.slot as usize)?;
        let same = same_manager && handle.generation == entry.generation;
        entry.slot.as_mut().filter(|_| same)
    }

    pub(super) fn remove(&mut self, handle: ConnectionHandle) -> Option<Slot<C>> {
        self.get(handle)?;
        let entry = self.entries.get_mut(handle.slot as usize)?;
        let slot = entry.slot.take()?;
        self.used -= 1;
        entry.generation = entry.generation.saturating_add(1);
        // The last generation is never given, so that no handle can come back.
        if entry.generation < u32::MAX {
            self.free.push(handle.slot);
        }
        if self.used <= self.give_back_at && self.entries.len() > KEPT_ENTRIES {
            self.give_back();
        }
        Some(slot)
    }

    /// Gives back the room after the last slot in use, if that is most of it.
    ///
    /// If it is not, half of those in use have to go before it looks again, so that a removal costs
    /// the same in the long run.
    fn give_back(&mut self) {
        let is_kept = |entry: &Entry<C>| entry.slot.is_some() || entry.generation == u32::MAX;
        let kept = self.entries.iter().rposition(is_kept).map_or(0, |last| last + 1);
        if kept > self.entries.len() / 2 {
            self.give_back_at = self.used / 2;
            return;
        }
        let generations = self.entries.drain(kept..).map(|entry| entry.generation);
        self.first_generation = generations.fold(self.first_generation, u32::max);
        self.free.retain(|slot| (*slot as usize) < kept);
        self.entries.shrink_to(KEPT_ENTRIES);
        self.free.shrink_to(KEPT_ENTRIES);
        self.give_back_at = kept / 8;
    }

    /// The handle of what is in a slot now.
    pub(super) fn handle(&self, slot: u32) -> Option<ConnectionHandle> {
        let entry = self.entries.get(slot as usize)?;
        entry.slot.as_ref()?;
        Some(ConnectionHandle { manager: self.manager, slot, generation: entry.generation })
    }

    /// Every handle in use, in the order of slots.
    pub(super) fn handles(&self) -> impl Iterator<Item = ConnectionHandle> {
        (0..self.entries.len()).filter_map(|slot| self.handle(u32::try_from(slot).ok()?))
    }
}

#[cfg(test)]
mod tests;
