//! Which losses make one congestion event, and whether it was one at all.

use crate::instant::Instant;

/// The last congestion event, for as long as it may prove spurious.
///
/// Controllers decide by themselves whether a sign of congestion belongs to the recovery period
/// that they are in, by the same rule: a new event begins when a packet sent after the start of the
/// last one is lost. This is the other half, which needs to know each packet's fate: an event of
/// which every packet arrived after all is undone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CongestionEpoch {
    started: Option<Instant>,
    /// Packets lost in the event that have not turned up since; `None` if the event stands.
    missing: Option<u32>,
}

impl CongestionEpoch {
    /// When the event began, if it may still be undone.
    pub(super) fn undoable_since(&self) -> Option<Instant> {
        self.started.filter(|_| self.missing.is_some())
    }

    /// `packets` were lost, the newest of them sent at `newest_sent`.
    pub(super) fn on_lost(&mut self, now: Instant, newest_sent: Instant, packets: u32) {
        if self.started.is_none_or(|started| newest_sent > started) {
            self.started = Some(now);
            self.missing = Some(packets);
        } else {
            self.missing = self.missing.map(|missing| missing.saturating_add(packets));
        }
    }

    /// So many packets of the event turned up; returns whether they were the last.
    pub(super) fn on_spurious(&mut self, packets: u32) -> bool {
        let Some(missing) = self.missing.filter(|_| packets > 0) else { return false };
        let left = missing.saturating_sub(packets);
        if left == 0 {
            *self = Self::default();
            return true;
        }
        self.missing = Some(left);
        false
    }

    /// The event stands, whatever turns up.
    pub(super) fn confirm(&mut self) {
        self.missing = None;
    }
}
