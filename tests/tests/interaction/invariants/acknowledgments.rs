//! Acknowledgments.

use std::collections::BTreeSet;

use quic_core::{EcnTotals, FrameRecord};

/// Ranges in one ACK frame, at most.
const MAX_RANGES: usize = 64;

/// What arrived, by packet number space, and what was said of it.
#[derive(Debug, Default)]
pub(crate) struct Acknowledgments {
    received: [BTreeSet<u64>; 3],
    counted: [Option<EcnTotals>; 3],
}

impl Acknowledgments {
    /// A packet arrived. Returns whether it has the largest number so far.
    pub(crate) fn on_received(&mut self, space: usize, number: u64) -> bool {
        let is_newest = self.received[space].last().is_none_or(|largest| *largest < number);
        self.received[space].insert(number);
        is_newest
    }

    pub(crate) fn i3_acknowledges_only_what_arrived(
        &self,
        space: usize,
        frame: &FrameRecord<'_>,
    ) -> Result<(), String> {
        let FrameRecord::Ack { ranges, .. } = frame else { return Ok(()) };
        for range in ranges.clone() {
            let wanted = range.end() - range.start() + 1;
            let arrived = self.received[space].range(range.clone()).count() as u64;
            if arrived != wanted {
                return Err(format!("I3: acknowledges {range:?} in space {space}, got {arrived}"));
            }
        }
        Ok(())
    }

    pub(crate) fn i10_acknowledges_at_most_64_ranges(
        frame: &FrameRecord<'_>,
    ) -> Result<(), String> {
        let FrameRecord::Ack { ranges, .. } = frame else { return Ok(()) };
        match ranges.clone().count() {
            0..=MAX_RANGES => Ok(()),
            count => Err(format!("I10: acknowledges {count} ranges")),
        }
    }

    pub(crate) fn i29_ecn_counts_never_shrink(
        &mut self,
        space: usize,
        frame: &FrameRecord<'_>,
    ) -> Result<(), String> {
        let FrameRecord::Ack { ecn: Some(now), .. } = frame else { return Ok(()) };
        match self.counted[space].replace(*now) {
            Some(before)
                if now.ect0 < before.ect0 || now.ect1 < before.ect1 || now.ce < before.ce =>
            {
                Err(format!("I29: {now:?} after {before:?} in space {space}"))
            }
            _ => Ok(()),
        }
    }
}
