//! Which stream sends next: the highest priority, and equals by turns.

use std::cmp::Reverse;

use super::row::{Kind, Row};
use super::store::{Key, Store};
use crate::memory;

/// What a stream may send before it is the next one's turn, in bytes: long enough for batches of
/// packets with the data of one stream, short enough that nobody waits for long.
const TURN: usize = 16 << 10;

/// The streams that have something to send.
#[derive(Debug, Default)]
pub(super) struct Scheduler {
    /// By descending priority. None is empty, but one that is the only one.
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    priority: i32,
    row: Row,
    /// What the first stream has sent in its turn.
    sent: usize,
}

impl Scheduler {
    /// Heap in use at the most, in bytes: each stream may have a priority of its own.
    pub(super) const fn worst_case_bytes(streams: u64) -> u64 {
        memory::list::<Level>(streams)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.levels.first().is_none_or(|level| level.row.is_empty())
    }

    /// Whose turn it is.
    pub(super) fn front(&self, store: &Store) -> Option<Key> {
        self.levels.first()?.row.front(store)
    }

    /// The priority of the stream whose turn it is.
    pub(super) fn next_priority(&self) -> Option<i32> {
        self.levels.first().filter(|level| !level.row.is_empty()).map(|level| level.priority)
    }

    /// Adds a stream that is not here.
    pub(super) fn push(&mut self, store: &mut Store, priority: i32, key: Key) {
        if let [only] = self.levels.as_mut_slice()
            && only.row.is_empty()
        {
            only.priority = priority;
        }
        let at = match self.levels.binary_search_by_key(&Reverse(priority), Level::rank) {
            Ok(at) => at,
            Err(at) => {
                let level = Level { priority, row: Row::new(Kind::Data), sent: 0 };
                self.levels.insert(at, level);
                at
            }
        };
        if let Some(level) = self.levels.get_mut(at) {
            level.row.push(store, key);
        }
    }

    /// The stream whose turn it is has sent `bytes`.
    pub(super) fn on_sent(&mut self, store: &mut Store, bytes: usize) {
        let Some(level) = self.levels.first_mut() else { return };
        level.sent = level.sent.saturating_add(bytes);
        if level.sent >= TURN {
            level.sent = 0;
            level.row.rotate(store);
        }
    }

    /// Gives memory back if there is nothing to do.
    pub(super) fn rest(&mut self) {
        if self.is_empty() {
            self.levels = Vec::new();
        }
    }

    /// Removes a stream that has nothing to send any more.
    pub(super) fn remove(&mut self, store: &mut Store, priority: i32, key: Key) {
        let Ok(at) = self.levels.binary_search_by_key(&Reverse(priority), Level::rank) else {
            return;
        };
        let Some(level) = self.levels.get_mut(at) else { return };
        if level.row.front(store) == Some(key) {
            level.sent = 0;
        }
        level.row.remove(store, key);
        if level.row.is_empty() && self.levels.len() > 1 {
            self.levels.remove(at);
        }
    }
}

impl Level {
    fn rank(&self) -> Reverse<i32> {
        Reverse(self.priority)
    }
}
