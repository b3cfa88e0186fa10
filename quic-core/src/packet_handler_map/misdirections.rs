//! Datagrams for other shards, until the caller takes them.

use std::collections::VecDeque;

use super::train::Segment;
use crate::memory;
use crate::net::{Misdirected, ShardId};

/// Datagrams, or trains of them, that wait for the caller; further ones are dropped.
const MAXIMUM_MISDIRECTED: usize = 256;
/// Bytes of all of them.
const MAXIMUM_BYTES: usize = 1 << 20;

/// Datagrams for other shards.
#[derive(Debug, Default)]
pub(super) struct Misdirections {
    queue: VecDeque<Misdirected>,
    bytes: usize,
}

impl Misdirections {
    /// Heap at the most, in bytes.
    pub(super) fn worst_case_bytes() -> u64 {
        let queue = memory::list::<Misdirected>(MAXIMUM_MISDIRECTED as u64);
        queue.saturating_add(MAXIMUM_BYTES as u64)
    }

    /// Keeps a datagram for `shard`, or a train of them, if there is room.
    pub(super) fn push(
        &mut self,
        shard: ShardId,
        datagram: Segment<'_>,
        segment_length: Option<usize>,
    ) {
        let bytes = self.bytes.saturating_add(datagram.bytes.len());
        if self.queue.len() >= MAXIMUM_MISDIRECTED || bytes > MAXIMUM_BYTES {
            return;
        }
        self.bytes = bytes;
        self.queue.push_back(Misdirected {
            shard,
            path: datagram.path,
            ecn: datagram.ecn,
            payload: datagram.bytes.to_vec(),
            segment_length,
        });
    }

    pub(super) fn pop(&mut self) -> Option<Misdirected> {
        let first = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(first.payload.len());
        if self.queue.is_empty() {
            // Rare: nothing is kept for the next time.
            self.queue = VecDeque::new();
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{PathAddresses, SocketId};

    fn push(misdirections: &mut Misdirections, length: usize) {
        let remote = "192.0.2.1:443".parse().unwrap();
        let path = PathAddresses { socket: SocketId(0), local_ip: None, remote };
        let datagram = Segment { path, ecn: None, bytes: &vec![0; length] };
        misdirections.push(ShardId(1), datagram, None);
    }

    fn count(mut misdirections: Misdirections) -> usize {
        std::iter::from_fn(|| misdirections.pop()).count()
    }

    #[test]
    fn few_datagrams_and_few_bytes_wait_for_the_caller() {
        let (mut small, mut large) = (Misdirections::default(), Misdirections::default());
        for _ in 0..1000 {
            push(&mut small, 1);
            push(&mut large, 60_000);
        }
        assert_eq!((count(small), count(large)), (MAXIMUM_MISDIRECTED, MAXIMUM_BYTES / 60_000));
    }

    #[test]
    fn what_was_taken_makes_room() {
        let mut misdirections = Misdirections::default();
        for _ in 0..1000 {
            push(&mut misdirections, 60_000);
            assert!(misdirections.pop().is_some() && misdirections.pop().is_none());
        }
    }
}
