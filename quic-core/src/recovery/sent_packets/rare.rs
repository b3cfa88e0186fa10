//! What few connections ever need to know of what they sent.

use smallvec::SmallVec;

use super::loss::LostRun;
use crate::wire::frame::Ack;

/// How many skipped packet numbers are remembered; older ones were in no peer's interest to guess.
pub(super) const MAX_SKIPPED: usize = 4;

/// Of how many paths, besides that of the newest packet, the bytes in flight are counted as they
/// go. A peer that makes more of them has the packets counted when it comes back.
const MAX_COUNTED_PATHS: usize = 4;

/// Made when there is something of it.
#[derive(Debug, Default)]
pub(super) struct Rare {
    /// The last skipped numbers, in ascending order; at most [`MAX_SKIPPED`].
    skipped: SmallVec<[u64; MAX_SKIPPED]>,
    pub(super) lost_run: Option<LostRun>,
    pub(super) elsewhere: Elsewhere,
}

/// Bytes in flight that were sent on other paths than the newest packet.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// By generation; at most [`MAX_COUNTED_PATHS`], none without bytes.
    counted: SmallVec<[(u32, u64); MAX_COUNTED_PATHS]>,
    /// There may be packets in flight on paths that are not counted.
    is_partial: bool,
}

impl Rare {
    pub(super) fn skip(&mut self, number: u64) {
        if self.skipped.len() >= MAX_SKIPPED {
            self.skipped.remove(0);
        }
        self.skipped.push(number);
    }

    pub(super) fn has_skipped(&self, ack: &Ack<'_>) -> bool {
        let skipped = &self.skipped;
        !skipped.is_empty()
            && ack.ranges().any(|range| skipped.iter().any(|number| range.contains(number)))
    }

    /// Nothing is in flight any more.
    pub(super) fn on_abandoned(&mut self) {
        self.lost_run = None;
        self.elsewhere = Elsewhere::default();
    }

    #[cfg(test)]
    pub(super) fn skipped(&self) -> &[u64] {
        &self.skipped
    }
}

impl Elsewhere {
    /// Bytes in flight on `path`; `None` if that is not known.
    pub(super) fn on(&self, path: u32) -> Option<u64> {
        let counted = self.counted.iter().find(|(counted, _)| *counted == path);
        counted.map(|(_, bytes)| *bytes).or((!self.is_partial).then_some(0))
    }

    /// Begins to count for `path`, at `bytes`.
    pub(super) fn put(&mut self, path: u32, bytes: u64) {
        if bytes == 0 {
            return;
        }
        if self.counted.len() >= MAX_COUNTED_PATHS {
            self.counted.remove(0);
            self.is_partial = true;
        }
        self.counted.push((path, bytes));
    }

    /// Does not count for `path` any more.
    pub(super) fn take(&mut self, path: u32) {
        self.counted.retain(|(counted, _)| *counted != path);
    }

    /// `bytes` are not in flight any more on `path`.
    pub(super) fn remove(&mut self, path: u32, bytes: u64) {
        if let Some((_, left)) = self.counted.iter_mut().find(|(counted, _)| *counted == path) {
            *left = left.saturating_sub(bytes);
        }
        self.counted.retain(|(_, left)| *left > 0);
    }
}
