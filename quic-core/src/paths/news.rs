//! What the owner of the paths has to see to.

use std::collections::VecDeque;

use crate::memory;
use crate::net::PathAddresses;

/// What happened to a path, which is named by its `id`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PathNews {
    /// It is new, and needs one of the peer's connection IDs: answer with
    /// [`Paths::set_peer_id`](super::Paths::set_peer_id).
    Added { path: u32 },
    /// Another one is the active path: its connection ID and its estimates count from now on.
    Moved { from: u32, to: u32 },
    /// It was validated, as this end wanted.
    Validated { addresses: PathAddresses },
    /// It was to be validated, and could not.
    Failed { addresses: PathAddresses },
    /// It is gone, and its connection ID is to be retired.
    Forgotten { path: u32 },
    /// The active path failed validation, and there is no other: the connection is over.
    NoPath,
}

/// What happened, in order. It is rare, and taken at once: no memory is kept for it.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "most of the time it is one pointer to nothing")]
pub(super) struct News(Option<Box<VecDeque<PathNews>>>);

impl News {
    /// Heap of so much at the most, in bytes.
    pub(super) const fn worst_case_bytes(waiting: u64) -> u64 {
        memory::boxes::<VecDeque<PathNews>>(1) + memory::list::<PathNews>(waiting)
    }

    pub(super) fn push(&mut self, news: PathNews) {
        self.0.get_or_insert_default().push_back(news);
    }

    pub(super) fn pop(&mut self) -> Option<PathNews> {
        let next = self.0.as_mut()?.pop_front();
        if next.is_none() {
            self.0 = None;
        }
        next
    }
}
