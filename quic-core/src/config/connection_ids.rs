//! What makes connection IDs.

use std::fmt;
use std::sync::Arc;

use crate::crypto::{KeyId, RandomSource};
use crate::net::ShardId;
use crate::wire::ConnectionId;

/// Makes the connection IDs that an endpoint chooses (RFC 9000 §5.1), for all of its connections.
///
/// An ID must not let anyone tell which others are of the same connection. It should be hard to
/// guess, and must not come twice as long as the first one can be in use: a connection draws
/// another one in place of an ID that it has already, but connections do not know each other's.
pub trait ConnectionIdGenerator: Send + Sync + fmt::Debug {
    /// Length of every ID, in bytes: 4 to 20. It never changes.
    fn length(&self) -> usize;

    /// A new ID, of [`length`](Self::length) bytes.
    ///
    /// `key` is the key that its stateless reset token would be derived from; the ID should begin
    /// with its three bits (see [`KeyId::mark`]), so that the token is found again after the
    /// active key has changed. A generator that needs those bits for itself can leave `key` alone
    /// and have a key in the [`Keyring`](crate::Keyring) for each of the values that it puts there.
    fn generate(&self, key: Option<KeyId>, random: &mut dyn RandomSource) -> ConnectionId;

    /// Whether peers get further IDs after the first, and may move to other addresses. A server
    /// whose generator says no asks clients to stay where they are by disable_active_migration.
    fn permits_migration(&self) -> bool {
        true
    }

    /// The shard that an ID is of, if it is not the one that this makes IDs for: what arrives with
    /// such an ID, and for no connection here, is handed over to it
    /// ([`poll_misdirected`](crate::Multiplexer::poll_misdirected)). It has to be the same for every
    /// `id` at any time, and `None` at the shard that it names. See [`Shards`](crate::Shards).
    fn other_shard(&self, _id: &ConnectionId) -> Option<ShardId> {
        None
    }
}

/// A generator in a configuration. Equal to itself and its clones only.
#[derive(Clone, Debug)]
pub struct SharedConnectionIds(Arc<dyn ConnectionIdGenerator>);

impl SharedConnectionIds {
    /// Shares a generator between all connections of a configuration.
    pub fn new(generator: Arc<dyn ConnectionIdGenerator>) -> Self {
        Self(generator)
    }

    pub(crate) fn length(&self) -> usize {
        self.0.length()
    }

    pub(crate) fn generate(
        &self,
        key: Option<KeyId>,
        random: &mut dyn RandomSource,
    ) -> ConnectionId {
        self.0.generate(key, random)
    }

    pub(crate) fn permits_migration(&self) -> bool {
        self.0.permits_migration()
    }

    pub(crate) fn other_shard(&self, id: &ConnectionId) -> Option<ShardId> {
        self.0.other_shard(id)
    }
}

impl PartialEq for SharedConnectionIds {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SharedConnectionIds {}

/// `length` random bytes, at most 20, of which the first three bits name the key if there is one.
pub(super) fn random_connection_id(
    length: usize,
    key: Option<KeyId>,
    random: &mut dyn RandomSource,
) -> ConnectionId {
    let mut bytes = [0; ConnectionId::MAXIMUM_LENGTH];
    let Some(bytes) = bytes.get_mut(..length.min(ConnectionId::MAXIMUM_LENGTH)) else {
        return ConnectionId::EMPTY;
    };
    random.fill(bytes);
    if let (Some(first), Some(key)) = (bytes.first_mut(), key) {
        *first = key.mark(*first);
    }
    ConnectionId::new(bytes).unwrap_or(ConnectionId::EMPTY)
}
