//! Connection IDs that were retired, for which late packets may still arrive.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashMap;

use crate::crypto::{KeyedHash, SeededRandom};
use crate::event::ConnectionHandle;
use crate::instant::Instant;
use crate::memory;
use crate::wire::ConnectionId;

/// How long late packets still go where they used to, and get no reset.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);
/// Connection IDs remembered; beyond it, the oldest is forgotten early, and a late packet may be
/// lost and get a reset.
pub(super) const MAXIMUM_RETIRED: usize = 4096;

/// Remembers retired connection IDs for a while. Needs no timer: it forgets when it is asked.
#[derive(Debug)]
pub(super) struct RetiredIds {
    ids: HashMap<ConnectionId, ConnectionHandle, KeyedHash>,
    /// In the order of time, and exactly the elements of `ids`.
    order: VecDeque<(Instant, ConnectionId)>,
}

impl RetiredIds {
    pub(super) fn new(random: &mut SeededRandom) -> Self {
        Self { ids: HashMap::with_hasher(KeyedHash::new(random)), order: VecDeque::new() }
    }

    /// Heap at the most, in bytes.
    pub(super) const fn worst_case_bytes() -> u64 {
        const MOST: u64 = MAXIMUM_RETIRED as u64 + 1;
        memory::map::<ConnectionId, ConnectionHandle>(MOST)
            + memory::list::<(Instant, ConnectionId)>(MOST)
    }

    /// `id` led to `handle` until now.
    pub(super) fn add(&mut self, now: Instant, id: ConnectionId, handle: ConnectionHandle) {
        self.forget(now);
        if !id.is_empty() && self.ids.insert(id, handle).is_none() {
            self.order.push_back((now + REMEMBERED_FOR, id));
        }
    }

    /// Where `id` led to; there may be nothing any more.
    pub(super) fn get(&mut self, now: Instant, id: &ConnectionId) -> Option<ConnectionHandle> {
        self.forget(now);
        self.ids.get(id).copied()
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

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLE: ConnectionHandle = ConnectionHandle { manager: 0, slot: 1, generation: 2 };

    fn id(number: u64) -> ConnectionId {
        ConnectionId::new(&number.to_be_bytes()).unwrap()
    }

    #[test]
    fn ids_are_remembered_for_a_while_and_then_forgotten() {
        let mut retired = RetiredIds::new(&mut SeededRandom::from_seed([1; 32]));
        retired.add(Instant::EPOCH, id(1), HANDLE);
        let end = Instant::EPOCH + REMEMBERED_FOR;
        assert_eq!(retired.get(end - Duration::from_nanos(1), &id(1)), Some(HANDLE));
        assert_eq!(retired.get(end, &id(1)), None);
        assert!(retired.ids.is_empty() && retired.order.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_id_gives_way() {
        let mut retired = RetiredIds::new(&mut SeededRandom::from_seed([1; 32]));
        let count = MAXIMUM_RETIRED as u64 + 100;
        (0..count).for_each(|number| retired.add(Instant::EPOCH, id(number), HANDLE));
        assert!(retired.order.len() <= MAXIMUM_RETIRED && retired.ids.len() <= MAXIMUM_RETIRED);
        assert!(!retired.ids.contains_key(&id(0)));
        assert!(retired.ids.contains_key(&id(count - 1)));
    }
}
