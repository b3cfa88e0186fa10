//! What all connections of a socket share.

use super::connection_ids::{SharedConnectionIds, random_connection_id};
use crate::crypto::{Keyring, RandomSource, reset_token};
use crate::net::ShardId;
use crate::recorder::SharedRecorder;
use crate::wire::header::{VERSION_1, VERSION_2};
use crate::wire::{ConnectionId, StatelessResetToken};

/// QUIC version 1 (RFC 9000 §15).
pub const QUIC_V1: u32 = VERSION_1;
/// QUIC version 2 (RFC 9369).
pub const QUIC_V2: u32 = VERSION_2;

/// What all connections of a socket share. Sockets with equal configurations share one packet
/// handler manager, so that connections can move between them.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct EndpointConfig {
    /// Length of the connection IDs that this endpoint chooses, in bytes: 4 to 20 on an endpoint
    /// that accepts connections or has several; 0 on a client with one connection. Checked by
    /// [`add_socket`](crate::Multiplexer::add_socket). Default: 8.
    pub connection_id_length: usize,
    /// What makes the connection IDs, all of `connection_id_length`, such as
    /// `quic_lb::Generator` with the feature `quic-lb`. Set both by
    /// [`make_connection_ids_by`](Self::make_connection_ids_by). `None`: they are random.
    /// Default: `None`.
    pub connection_ids: Option<SharedConnectionIds>,
    /// What stateless reset tokens are derived from (RFC 9000 §10.3.2). Keep it over restarts, so
    /// that peers learn that their connections are gone; servers that share it can reset each
    /// other's connections. `None`: no resets are sent. Default: `None`.
    pub keyring: Option<Keyring>,
    /// Most connections and attempts that may exist at a time. Default: 1,000,000.
    pub max_connections: usize,
    /// Bytes by which the receive windows of all connections together may grow beyond the
    /// [`receive_window`](crate::TransportConfig::receive_window) that each begins with. Those who
    /// need more share it equally once it becomes scarce; `u64::MAX` is no bound. Default: 1 GiB.
    pub receive_budget: u64,
    /// Stateless resets sent per second at the most. Default: 1,000.
    pub max_resets_per_second: u32,
    /// Is asked at the start of every connection who records it. Default: `None`.
    pub recorder: Option<SharedRecorder>,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            connection_id_length: 8,
            connection_ids: None,
            keyring: None,
            max_connections: 1_000_000,
            receive_budget: 1 << 30,
            max_resets_per_second: 1000,
            recorder: None,
        }
    }
}

impl EndpointConfig {
    /// Lets `generator` make all connection IDs, and takes their length from it.
    pub fn make_connection_ids_by(&mut self, generator: SharedConnectionIds) {
        self.connection_id_length = generator.length();
        self.connection_ids = Some(generator);
    }

    /// A connection ID of this endpoint.
    pub(crate) fn new_connection_id(&self, random: &mut dyn RandomSource) -> ConnectionId {
        let key = self.keyring.as_ref().map(Keyring::active);
        match &self.connection_ids {
            Some(generator) => generator.generate(key, random),
            None => random_connection_id(self.connection_id_length, key, random),
        }
    }

    /// Whether peers get further connection IDs, and may move to other addresses.
    pub(crate) fn permits_migration(&self) -> bool {
        self.connection_ids.as_ref().is_none_or(SharedConnectionIds::permits_migration)
    }

    /// The shard that a connection ID is of, if it is another one than this endpoint's.
    pub(crate) fn other_shard(&self, id: &ConnectionId) -> Option<ShardId> {
        self.connection_ids.as_ref()?.other_shard(id)
    }

    /// The stateless reset token of a connection ID, if resets are sent.
    pub(crate) fn reset_token(&self, id: &ConnectionId) -> Option<StatelessResetToken> {
        reset_token(self.keyring.as_ref()?, id)
    }
}
