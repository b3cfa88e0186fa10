//! The paths besides the active one, of which there are mostly none.

use std::ops::{Deref, DerefMut};

use smallvec::SmallVec;

use super::{MAXIMUM_OTHERS, Path};
use crate::memory;

type List = SmallVec<[Box<Path>; MAXIMUM_OTHERS]>;

/// Paths in the order in which they were added. Without any, no memory is kept for them.
#[derive(Debug, Default)]
pub(super) struct Others(Option<Box<List>>);

impl Others {
    /// Heap of the list, in bytes; its paths are counted apart.
    pub(super) const fn worst_case_bytes() -> u64 {
        memory::boxes::<List>(1)
    }

    pub(super) fn push(&mut self, path: Box<Path>) {
        self.0.get_or_insert_default().push(path);
    }

    /// Takes the path at `index` out, if there is one.
    pub(super) fn take(&mut self, index: usize) -> Option<Box<Path>> {
        let list = self.0.as_mut().filter(|list| index < list.len())?;
        let path = list.remove(index);
        self.0 = self.0.take().filter(|list| !list.is_empty());
        Some(path)
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Path) -> bool) {
        if let Some(list) = &mut self.0 {
            list.retain(|path| keep(path));
        }
        self.0 = self.0.take().filter(|list| !list.is_empty());
    }
}

impl Deref for Others {
    type Target = [Box<Path>];

    fn deref(&self) -> &[Box<Path>] {
        self.0.as_ref().map_or(&[], |list| list)
    }
}

impl DerefMut for Others {
    fn deref_mut(&mut self) -> &mut [Box<Path>] {
        self.0.as_mut().map_or(&mut [], |list| list)
    }
}
