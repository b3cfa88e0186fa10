//! The shards of an endpoint among each other, and those of others on the same addresses.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use quic_core::{Misdirected, ShardId};

use crate::bell::Bell;
use crate::sync::Mutex;

mod letter;

pub use letter::Letter;

/// Trains of datagrams that wait for the loop of a shard; further ones are lost, as in a full
/// buffer of its socket.
const MAXIMUM_LETTERS: usize = 256;
/// Bytes of all of them.
const MAXIMUM_LETTER_BYTES: usize = 2 << 20;

/// What an endpoint shares addresses with, beside its own shards: other processes, most often the
/// one that it takes over from or that takes over from it.
///
/// All of them have to agree on `secret` and `total`, and have no shard in common.
#[derive(Clone, Debug)]
pub struct Neighbours {
    /// By what connection IDs tell shards apart: see [`Shards`](quic_core::Shards). For instance
    /// half of what [`Keyring::derive`](quic_core::Keyring::derive) gives.
    pub secret: [u8; 16],
    /// How many shards there are, or may be, of all neighbours together.
    pub total: NonZeroU16,
    /// The number of this endpoint's first shard; the others follow.
    pub first: u16,
    /// Takes what arrives here and is for a shard of a neighbour.
    pub hand_over: Arc<dyn HandOver>,
}

/// Takes datagrams to whom they are for: to [`Endpoint::deliver`](crate::Endpoint::deliver) of the
/// endpoint that has the shard. Between processes, [`Letter::to_bytes`] is what to send.
pub trait HandOver: fmt::Debug + Send + Sync {
    /// Takes a train of datagrams along, or drops it: also if nobody has the shard any more, so that
    /// the peer hears nothing until its idle timeout. Called by the loop, so that it must not block.
    fn hand_over(&self, letter: Letter);
}

/// The letter boxes of an endpoint's shards, and the way to its neighbours. Nobody looks here for a
/// datagram that arrives where it belongs.
#[derive(Debug)]
pub(crate) struct Neighbourhood {
    first: u16,
    boxes: Vec<LetterBox>,
    elsewhere: Option<Arc<dyn HandOver>>,
}

/// What others left for a shard.
#[derive(Debug)]
struct LetterBox {
    bell: Arc<Bell>,
    /// Whether there may be something in it.
    full: AtomicBool,
    letters: Mutex<Letters>,
}

#[derive(Debug, Default)]
struct Letters {
    queue: VecDeque<Letter>,
    bytes: usize,
}

impl Neighbourhood {
    /// For the shards with these bells, of which the first has the number `first`.
    pub(crate) fn new(
        first: u16,
        bells: impl Iterator<Item = Arc<Bell>>,
        elsewhere: Option<Arc<dyn HandOver>>,
    ) -> Self {
        let boxes = bells.map(|bell| LetterBox {
            bell,
            full: AtomicBool::new(false),
            letters: Mutex::default(),
        });
        Self { first, boxes: boxes.collect(), elsewhere }
    }

    /// Sends what arrived at a socket with this address to the shard that it is for; returns
    /// whether it could.
    pub(crate) fn send(&self, misdirected: Misdirected, local: SocketAddr) -> bool {
        let letter = Letter::new(misdirected, local);
        if self.find(letter.shard).is_some() {
            return self.deliver(letter);
        }
        let Some(elsewhere) = &self.elsewhere else { return false };
        elsewhere.hand_over(letter);
        true
    }

    /// Leaves a letter for a shard of this endpoint; returns whether it is one and has room.
    pub(crate) fn deliver(&self, letter: Letter) -> bool {
        let Some(found) = self.find(letter.shard) else { return false };
        let taken = found.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
        if taken {
            found.full.store(true, Ordering::Release);
            found.bell.ring();
        }
        taken
    }

    /// Takes what was left for a shard: for `shards.get(index)` of the endpoint.
    pub(crate) fn take(&self, index: usize) -> VecDeque<Letter> {
        let Some(own) = self.boxes.get(index) else { return VecDeque::new() };
        if !own.full.swap(false, Ordering::Acquire) {
            return VecDeque::new();
        }
        mem::take(&mut *own.letters.lock().unwrap_or_else(PoisonError::into_inner)).queue
    }

    fn find(&self, shard: ShardId) -> Option<&LetterBox> {
        self.boxes.get(usize::from(shard.0.checked_sub(self.first)?))
    }
}

impl Letters {
    fn push(&mut self, letter: Letter) -> bool {
        let bytes = self.bytes.saturating_add(letter.payload.len());
        if self.queue.len() >= MAXIMUM_LETTERS || bytes > MAXIMUM_LETTER_BYTES {
            return false;
        }
        self.bytes = bytes;
        self.queue.push_back(letter);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn neighbourhood(first: u16, shards: usize) -> Neighbourhood {
        let bells = (0..shards).map(|_| Arc::new(Bell::new(Clock::system())));
        Neighbourhood::new(first, bells, None)
    }

    fn letter(shard: u16, length: usize) -> Letter {
        Letter {
            shard: ShardId(shard),
            local: ([192, 0, 2, 1], 443).into(),
            local_ip: None,
            remote: ([192, 0, 2, 2], 50_000).into(),
            ecn: None,
            payload: vec![0; length],
            segment_length: None,
        }
    }

    #[test]
    fn a_letter_reaches_the_shard_that_it_is_for_and_no_other() {
        let neighbours = neighbourhood(4, 3);
        assert!(neighbours.deliver(letter(5, 100)));
        assert!(!neighbours.deliver(letter(3, 100)) && !neighbours.deliver(letter(7, 100)));
        assert!(neighbours.take(0).is_empty() && neighbours.take(2).is_empty());
        assert_eq!(neighbours.take(1), [letter(5, 100)]);
        assert!(neighbours.take(1).is_empty());
    }

    #[test]
    fn few_letters_and_few_bytes_wait_for_a_shard() {
        for (length, most) in [(1, MAXIMUM_LETTERS), (60_000, MAXIMUM_LETTER_BYTES / 60_000)] {
            let neighbours = neighbourhood(0, 2);
            let taken = (0..1000).filter(|_| neighbours.deliver(letter(1, length))).count();
            assert_eq!((taken, neighbours.take(1).len()), (most, most));
            assert!(neighbours.deliver(letter(1, length)), "there is room again");
        }
    }
}
