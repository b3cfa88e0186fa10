//! What the packet handler manager has to do so that packets find their connection.

use std::collections::VecDeque;

use crate::memory;
use crate::wire::{ConnectionId, StatelessResetToken};

/// What a connection needs its packet handler manager to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Registration {
    /// Route packets with this ID to the connection.
    AddId(ConnectionId),
    /// The peer retired this ID, or the connection is over.
    RemoveId(ConnectionId),
    /// Datagrams that end in this token reset the connection.
    AddResetToken(StatelessResetToken),
    /// The peer's ID with this token is not in use any more.
    RemoveResetToken(StatelessResetToken),
}

/// What waits to be done, in order. It is rare: no memory is kept for it.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "most of the time it is one pointer to nothing")]
pub(crate) struct Registrations(Option<Box<VecDeque<Registration>>>);

impl Registrations {
    /// Heap of so many at the most, in bytes.
    pub(super) const fn worst_case_bytes(waiting: u64) -> u64 {
        memory::boxes::<VecDeque<Registration>>(1) + memory::list::<Registration>(waiting)
    }

    pub(crate) fn push(&mut self, registration: Registration) {
        self.0.get_or_insert_default().push_back(registration);
    }

    pub(crate) fn pop(&mut self) -> Option<Registration> {
        let next = self.0.as_mut()?.pop_front();
        if next.is_none() {
            self.0 = None;
        }
        next
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |waiting| waiting.len())
    }
}
