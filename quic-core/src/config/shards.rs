//! Connection IDs that tell a server's shards which of them they are of.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _};
use std::num::NonZeroU16;
use std::sync::Arc;

use super::connection_ids::{ConnectionIdGenerator, SharedConnectionIds, random_connection_id};
use crate::crypto::{KeyId, KeyedHash, RandomSource};
use crate::net::ShardId;
use crate::wire::ConnectionId;

#[cfg(test)]
mod tests;

/// What the shards of an address agree on: how many there are, and a secret by which connection IDs
/// tell them apart.
///
/// A shard is a multiplexer of its own with sockets of its own, on addresses that it shares with
/// the others (`SO_REUSEPORT`). The system spreads peers over the sockets by their addresses; a peer
/// that changes its address arrives at another shard, which finds by the connection ID where its
/// connection lives, and gives the datagram to its loop for that shard:
/// [`poll_misdirected`](crate::Multiplexer::poll_misdirected).
///
/// An ID is of the shard that a keyed hash of all of it names, and a shard draws until it has one of
/// its own. So whoever does not have the secret sees random bytes, of which none is lost to a
/// number, and cannot tell whether two IDs are of the same shard.
///
/// ```
/// use std::num::NonZeroU16;
/// use quic_core::{EndpointConfig, ShardId, Shards};
///
/// let shards = Shards::new([7; 16], NonZeroU16::new(4).unwrap()); // Random, outside of an example.
/// let configs = shards.ids().map(|shard| {
///     let mut config = EndpointConfig::default();
///     config.make_connection_ids_by(shards.connection_ids(shard, config.connection_id_length));
///     config
/// });
/// assert_eq!(configs.count(), 4);
/// ```
#[derive(Clone, Copy)]
pub struct Shards {
    hash: KeyedHash,
    count: NonZeroU16,
}

impl Shards {
    /// `count` shards that tell each other's connection IDs by a secret, which nobody else has. All
    /// shards of an address need the same two, also those of a process that takes over the sockets
    /// of another one.
    pub fn new(secret: [u8; 16], count: NonZeroU16) -> Self {
        Self { hash: KeyedHash::with_secret(secret), count }
    }

    /// All of them.
    pub fn ids(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.count.get()).map(ShardId)
    }

    /// The shard that an ID is of: for IDs that no shard made, a random one.
    pub fn of(&self, id: &ConnectionId) -> ShardId {
        let mut hasher = self.hash.build_hasher();
        hasher.write(id.as_slice());
        let count = u64::from(self.count.get());
        let shard = hasher.finish().checked_rem(count).unwrap_or_default();
        ShardId(u16::try_from(shard).unwrap_or_default())
    }

    /// What makes the connection IDs of one shard: random ones of `length` bytes, 4 to 20. It takes
    /// as many hashes for an ID as there are shards, on average.
    pub fn connection_ids(&self, shard: ShardId, length: usize) -> SharedConnectionIds {
        SharedConnectionIds::new(Arc::new(ShardConnectionIds { shards: *self, shard, length }))
    }
}

impl fmt::Debug for Shards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards").field("count", &self.count).finish_non_exhaustive()
    }
}

/// Makes the connection IDs of one shard.
#[derive(Debug)]
struct ShardConnectionIds {
    shards: Shards,
    shard: ShardId,
    length: usize,
}

impl ConnectionIdGenerator for ShardConnectionIds {
    fn length(&self) -> usize {
        self.length
    }

    fn generate(&self, key: Option<KeyId>, random: &mut dyn RandomSource) -> ConnectionId {
        let mut id = random_connection_id(self.length, key, random);
        // The next one in the order of their last bytes is as good as another draw.
        for _ in 0..MOST_STEPS {
            if self.shards.of(&id) == self.shard || id.as_slice().is_empty() {
                break;
            }
            id = successor(&id);
        }
        id
    }

    fn other_shard(&self, id: &ConnectionId) -> Option<ShardId> {
        Some(self.shards.of(id)).filter(|shard| *shard != self.shard)
    }
}

/// Ends the search of a shard that is not one of them. With as many shards as there can be, one of
/// e^256 searches ends here in vain.
const MOST_STEPS: u32 = 1 << 24;
/// Last bytes of an ID that are stepped through: not the first one, which names the key.
const STEPPED: usize = 3;

/// The ID whose last bytes are one more.
fn successor(id: &ConnectionId) -> ConnectionId {
    let mut bytes = [0; ConnectionId::MAXIMUM_LENGTH];
    let Some(bytes) = bytes.get_mut(..id.as_slice().len()) else { return *id };
    for (to, from) in bytes.iter_mut().zip(id.as_slice()) {
        *to = *from;
    }
    for byte in bytes.iter_mut().skip(1).rev().take(STEPPED) {
        let (next, carries) = byte.overflowing_add(1);
        *byte = next;
        if !carries {
            break;
        }
    }
    ConnectionId::new(bytes).unwrap_or(*id)
}
