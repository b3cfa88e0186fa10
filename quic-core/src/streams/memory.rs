//! What the streams of a connection take at the most.

use super::frames_in::TIGHT_BLOCK;
use super::reset_at::{ReceivedResetAt, SentResetAt};
use super::scheduler::Scheduler;
use super::store::{Key, Store};
use super::{MAX_GAPS, Streams};
use crate::buffer::{BYTES_PER_GAP, BlockPool, MAX_BLOCK, Reassembler, SendBuffer};
use crate::config::TransportConfig;
use crate::event::StreamEvent;
use crate::memory;
use crate::wire::RangeSet;

/// `Readable`, `Writable`, `Stopped` and `Finished`.
const EVENTS_PER_STREAM: u64 = 4;
/// Blocks that one STREAM frame can make before it turns out that memory is tight.
const BLOCKS_PER_FRAME: u64 = 3;

/// Heap of a connection's streams at the most, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamsMemory {
    /// Their state, and what waits its turn.
    pub(crate) state: u64,
    /// Data that was received and is not read.
    pub(crate) received: u64,
    /// Data that was written and is not acknowledged.
    pub(crate) sent: u64,
}

impl StreamsMemory {
    /// What the peer can make of it, with a receive window of `window` bytes, where this end opens
    /// up to `own` streams at a time, and has up to `frames` frames in flight.
    pub(crate) fn of(config: &TransportConfig, window: u64, own: u64, frames: u64) -> Self {
        let (bidi, uni) = (config.max_concurrent_bidi_streams, config.max_concurrent_uni_streams);
        let streams = memory::sum([bidi, uni, own]);
        let resets = size_of::<SentResetAt>() + size_of::<ReceivedResetAt>();
        let state = memory::sum([
            memory::boxes::<Streams>(1),
            Store::worst_case_bytes(streams),
            Scheduler::worst_case_bytes(streams),
            memory::list::<(Key, StreamEvent)>(streams.saturating_mul(EVENTS_PER_STREAM)),
            streams.saturating_mul(resets as u64),
        ]);
        let buffers = bidi.saturating_add(own);
        let sent = memory::sum([
            BlockPool::worst_case_bytes(config.send_window.saturating_mul(2)),
            SendBuffer::worst_case_bytes(buffers, config.send_window, frames),
        ]);
        Self { state, received: received(streams, window), sent }
    }
}

/// What receive windows of some connections take at the most if they grow by so many bytes together:
/// two bytes for each, and what is kept of the gaps that they permit.
pub(crate) fn worst_case_growth(connections: u64, bytes: u64) -> u64 {
    let gaps = (bytes / BYTES_PER_GAP).saturating_add(connections);
    bytes.saturating_mul(2).saturating_add(RangeSet::worst_case_bytes(0, gaps))
}

/// Heap of received data at the most, in bytes.
fn received(streams: u64, window: u64) -> u64 {
    // A block is filled once all of it is not read, and then the next one is twice as large.
    let largest = window.saturating_mul(4).min(MAX_BLOCK as u64);
    // One more than there may be, for which the connection is closed.
    let gaps = (window / BYTES_PER_GAP).max(MAX_GAPS.into()) + 1;
    memory::sum([
        BlockPool::worst_case_bytes(largest),
        BLOCKS_PER_FRAME.saturating_mul(largest),
        Reassembler::worst_case_bytes(streams, gaps, window, TIGHT_BLOCK as u64),
    ])
}
