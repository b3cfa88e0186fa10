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
use crate::sync::{Mutex, MutexGuard};

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
    /// Takes a train of datagrams along, or tells why not. Called by the loop, so that it must not
    /// block.
    fn hand_over(&self, letter: Letter) -> HandedOver;
}

/// What became of a train of datagrams for another shard.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub enum HandedOver {
    /// It is on its way.
    Taken,
    /// It is lost, as any datagram may be: too much waits for the one who has the shard, say.
    Lost,
    /// Nobody has the shard: its process is gone, and its connections are. Their peers are told so,
    /// by stateless resets (RFC 9000 §10.3), instead of waiting for their idle timeout. If there is
    /// any doubt, it is [`Lost`](Self::Lost): a reset ends a connection that lives.
    Unclaimed(Letter),
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
    /// Whether the loop of the shard has ended.
    abandoned: bool,
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

    /// Sends what arrived at a socket with this address to the shard that it is for.
    pub(crate) fn send(&self, misdirected: Misdirected, local: SocketAddr) -> HandedOver {
        let letter = Letter::new(misdirected, local);
        match &self.elsewhere {
            Some(elsewhere) if self.find(letter.shard).is_none() => elsewhere.hand_over(letter),
            _ => self.deliver(letter),
        }
    }

    /// Leaves a letter for a shard of this endpoint.
    pub(crate) fn deliver(&self, letter: Letter) -> HandedOver {
        let Some(found) = self.find(letter.shard) else { return HandedOver::Unclaimed(letter) };
        let delivered = found.lock().push(letter);
        if delivered == HandedOver::Taken {
            found.full.store(true, Ordering::Release);
            found.bell.ring();
        }
        delivered
    }

    /// Takes what was left for a shard: for `shards.get(index)` of the endpoint.
    pub(crate) fn take(&self, index: usize) -> VecDeque<Letter> {
        let Some(own) = self.boxes.get(index) else { return VecDeque::new() };
        if !own.full.swap(false, Ordering::Acquire) {
            return VecDeque::new();
        }
        let mut letters = own.lock();
        letters.bytes = 0;
        mem::take(&mut letters.queue)
    }

    /// Nobody will look again for what is left for `shards.get(index)` of the endpoint.
    pub(crate) fn abandon(&self, index: usize) {
        if let Some(own) = self.boxes.get(index) {
            *own.lock() = Letters { abandoned: true, ..Letters::default() };
        }
    }

    fn find(&self, shard: ShardId) -> Option<&LetterBox> {
        self.boxes.get(usize::from(shard.0.checked_sub(self.first)?))
    }
}

impl LetterBox {
    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Letters {
    fn push(&mut self, letter: Letter) -> HandedOver {
        if self.abandoned {
            return HandedOver::Unclaimed(letter);
        }
        let bytes = self.bytes.saturating_add(letter.payload.len());
        if self.queue.len() >= MAXIMUM_LETTERS || bytes > MAXIMUM_LETTER_BYTES {
            return HandedOver::Lost;
        }
        self.bytes = bytes;
        self.queue.push_back(letter);
        HandedOver::Taken
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
        assert_eq!(neighbours.deliver(letter(5, 100)), HandedOver::Taken);
        assert!(neighbours.take(0).is_empty() && neighbours.take(2).is_empty());
        assert_eq!(neighbours.take(1), [letter(5, 100)]);
        assert!(neighbours.take(1).is_empty());
    }

    #[test]
    fn few_letters_and_few_bytes_wait_for_a_shard() {
        for (length, most) in [(1, MAXIMUM_LETTERS), (60_000, MAXIMUM_LETTER_BYTES / 60_000)] {
            let neighbours = neighbourhood(0, 2);
            let delivered = (0..1000).map(|_| neighbours.deliver(letter(1, length)));
            let (taken, lost): (Vec<_>, Vec<_>) =
                delivered.partition(|delivered| *delivered == HandedOver::Taken);
            assert!(lost.iter().all(|delivered| *delivered == HandedOver::Lost));
            assert_eq!((taken.len(), neighbours.take(1).len()), (most, most));
            let again = neighbours.deliver(letter(1, length));
            assert_eq!(again, HandedOver::Taken, "there is room again");
        }
    }

    #[test]
    fn letters_for_a_shard_that_is_not_there_or_has_ended_come_back() {
        let neighbours = neighbourhood(4, 3);
        assert_eq!(neighbours.deliver(letter(5, 100)), HandedOver::Taken);
        neighbours.abandon(1);
        for shard in [0, 3, 5, 7, u16::MAX] {
            let letter = letter(shard, 100);
            assert_eq!(neighbours.deliver(letter.clone()), HandedOver::Unclaimed(letter));
        }
        assert_eq!(neighbours.deliver(letter(4, 100)), HandedOver::Taken);
        assert!(neighbours.take(1).is_empty());
    }
}
