//! Flow control and final sizes, as one end tells them.

use std::collections::BTreeMap;

use quic_core::{Direction, FrameRecord, StreamId};

/// What is limited.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Limit {
    Data,
    Stream(StreamId),
    Streams(bool),
}

/// What was sent of a stream.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    end: u64,
    final_size: Option<u64>,
}

/// Limits that one end gave, and what it sent of each stream.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    limits: BTreeMap<Limit, u64>,
    extents: BTreeMap<StreamId, Extent>,
}

impl Credit {
    /// Early data was given up: its streams begin anew.
    pub(crate) fn on_early_data_discarded(&mut self) {
        self.extents.clear();
    }

    pub(crate) fn i6_limits_never_shrink(&mut self, frame: &FrameRecord<'_>) -> Result<(), String> {
        let (limit, maximum) = match frame {
            FrameRecord::MaxData { maximum } => (Limit::Data, *maximum),
            FrameRecord::MaxStreamData { stream, maximum } => (Limit::Stream(*stream), *maximum),
            FrameRecord::MaxStreams { direction, maximum } => {
                (Limit::Streams(*direction == Direction::Bidirectional), *maximum)
            }
            _ => return Ok(()),
        };
        match self.limits.insert(limit, maximum) {
            Some(before) if before > maximum => {
                Err(format!("I6: {limit:?} {maximum} after {before}"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn i7_final_sizes_never_change(
        &mut self,
        frame: &FrameRecord<'_>,
    ) -> Result<(), String> {
        let (stream, end, size) = match frame {
            FrameRecord::Stream { stream, offset, length, fin } => {
                let end = offset + *length as u64;
                (*stream, end, fin.then_some(end))
            }
            FrameRecord::ResetStream { stream, final_size, .. }
            | FrameRecord::ResetStreamAt { stream, final_size, .. } => {
                (*stream, *final_size, Some(*final_size))
            }
            _ => return Ok(()),
        };
        let extent = self.extents.entry(stream).or_default();
        extent.end = extent.end.max(end);
        let before = extent.final_size;
        let changes = before.is_some() && size.is_some() && before != size;
        extent.final_size = before.or(size);
        match extent.final_size {
            Some(last) if changes || extent.end > last => {
                Err(format!("I7: {stream:?} ends at {last}, but {frame:?}"))
            }
            _ => Ok(()),
        }
    }
}
