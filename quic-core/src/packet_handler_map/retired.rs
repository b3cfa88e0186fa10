//! Connection IDs that lead nowhere any more, for which late packets may still arrive.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashSet;

use super::routes::KeyedHash;
use crate::crypto::SeededRandom;
use crate::instant::Instant;
use crate::wire::ConnectionId;

/// How long late packets get no reset.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);
/// Connection IDs remembered; beyond it, the oldest is forgotten early, and a late packet may get
/// a reset.
pub(super) const MAXIMUM_RETIRED: usize = 4096;

/// Remembers retired connection IDs for a while. Needs no timer: it forgets when it is asked.
#[derive(Debug)]
pub(super) struct RetiredIds {
    ids: HashSet<ConnectionId, KeyedHash>,
    /// In the order of time, and exactly the elements of `ids`.
    order: VecDeque<(Instant, ConnectionId)>,
}

impl RetiredIds {
    pub(super) fn new(random: &mut SeededRandom) -> Self {
        Self { ids: HashSet::with_hasher(KeyedHash::new(random)), order: VecDeque::new() }
    }

    pub(super) fn add(&mut self, now: Instant, id: ConnectionId) {
        self.forget(now);
        if !id.is_empty() && self.ids.insert(id) {
            self.order.push_back((now + REMEMBERED_FOR, id));
        }
    }

    pub(super) fn contains(&mut self, now: Instant, id: &ConnectionId) -> bool {
        self.forget(now);
        self.ids.contains(id)
    }

    fn forget(&mut self, now: Instant) {
        while let Some((until, id)) = self.order.front() {
            if *until > now && self.order.len() < MAXIMUM_RETIRED {
                return;
            }
            self.ids.remove(id);
            self.order.pop_front();
        }
    }
}
