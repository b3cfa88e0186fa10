//! Which stream sends next: the highest priority, and equals by turns.

use std::cmp::Reverse;
use std::collections::VecDeque;

use super::store::Key;

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
    queue: VecDeque<Key>,
    /// What the first stream has sent in its turn.
    sent: usize,
}

impl Scheduler {
    pub(super) fn is_empty(&self) -> bool {
        self.front().is_none()
    }

    /// Whose turn it is.
    pub(super) fn front(&self) -> Option<Key> {
        self.levels.first()?.queue.front().copied()
    }

    /// The priority of the stream whose turn it is.
    pub(super) fn next_priority(&self) -> Option<i32> {
        self.levels.first().filter(|level| !level.queue.is_empty()).map(|level| level.priority)
    }

    /// Adds a stream that is not here.
    pub(super) fn push(&mut self, priority: i32, key: Key) {
        if let [only] = self.levels.as_mut_slice()
            && only.queue.is_empty()
        {
            only.priority = priority;
        }
        let at = match self.levels.binary_search_by_key(&Reverse(priority), Level::rank) {
            Ok(at) => at,
            Err(at) => {
                let level = Level { priority, queue: VecDeque::new(), sent: 0 };
                self.levels.insert(at, level);
                at
            }
        };
        if let Some(level) = self.levels.get_mut(at) {
            level.queue.push_back(key);
        }
    }

    /// The stream whose turn it is has sent `bytes`.
    pub(super) fn on_sent(&mut self, bytes: usize) {
        let Some(level) = self.levels.first_mut() else { return };
        level.sent = level.sent.saturating_add(bytes);
        if level.sent >= TURN {
            level.sent = 0;
            level.queue.rotate_left(1.min(level.queue.len()));
        }
    }

    /// Removes whose turn it is.
    pub(super) fn remove_front(&mut self) {
        let Some(level) = self.levels.first() else { return };
        if let Some(&key) = level.queue.front() {
            self.remove(level.priority, key);
        }
    }

    /// Gives memory back if there is nothing to do.
    pub(super) fn rest(&mut self) {
        if self.is_empty() {
            self.levels = Vec::new();
        }
    }

    /// Removes a stream that has nothing to send any more.
    pub(super) fn remove(&mut self, priority: i32, key: Key) {
        let Ok(at) = self.levels.binary_search_by_key(&Reverse(priority), Level::rank) else {
            return;
        };
        let Some(level) = self.levels.get_mut(at) else { return };
        if level.queue.front() == Some(&key) {
            level.queue.pop_front();
            level.sent = 0;
        } else {
            super::store::remove_key(&mut level.queue, key);
        }
        if level.queue.is_empty() && self.levels.len() > 1 {
            self.levels.remove(at);
        }
    }
}

impl Level {
    fn rank(&self) -> Reverse<i32> {
        Reverse(self.priority)
    }
}
