//! What each shard gets of what an endpoint was given.

use std::io;
use std::num::NonZeroU16;
use std::sync::Arc;

use quic_core::{EndpointConfig, ServerConfig, ShardId, Shards, SharedConnectionIds};

/// Divides an endpoint's limits among its shards, so that they hold for all together.
#[derive(Debug)]
pub(super) struct Shares {
    count: NonZeroU16,
    /// What makes the connection IDs of each shard; none if there is one without neighbours.
    ids: Vec<SharedConnectionIds>,
}

impl Shares {
    /// For one shard that shares its addresses with nobody.
    pub(super) fn of_one() -> Self {
        Self { count: NonZeroU16::MIN, ids: Vec::new() }
    }

    /// For `count` of all `shards`, the first of which has the number `first`.
    pub(super) fn new(
        config: &EndpointConfig,
        shards: Shards,
        first: u16,
        count: NonZeroU16,
    ) -> io::Result<Self> {
        if config.connection_ids.is_some() || config.connection_id_length == 0 {
            return Err(invalid(
                "an endpoint with several shards or with neighbours makes its connection IDs \
                 itself: leave `connection_ids` unset, and their length at 4 to 20 bytes",
            ));
        }
        let own: Vec<ShardId> = shards.ids().skip(first.into()).take(count.get().into()).collect();
        if own.len() < count.get().into() {
            return Err(invalid("there are fewer shards in all than this endpoint would have"));
        }
        let length = config.connection_id_length;
        let ids = own.into_iter().map(|shard| shards.connection_ids(shard, length)).collect();
        Ok(Self { count, ids })
    }

    /// What the connections of the shard at `index` have in common.
    pub(super) fn endpoint(&self, index: usize, config: &EndpointConfig) -> EndpointConfig {
        let mut own = config.clone();
        own.max_connections = self.of(config.max_connections);
        own.receive_budget = config.receive_budget.div_ceil(u64::from(self.count.get()));
        own.max_resets_per_second = self.of_u32(config.max_resets_per_second);
        if let Some(ids) = self.ids.get(index) {
            own.make_connection_ids_by(ids.clone());
        }
        own
    }

    /// How each shard accepts connections.
    pub(super) fn server(&self, mut config: ServerConfig) -> Arc<ServerConfig> {
        config.accept_backlog = self.of(config.accept_backlog);
        config.max_half_open = self.of(config.max_half_open);
        config.unvalidated_per_second = self.of_u32(config.unvalidated_per_second);
        Arc::new(config)
    }

    fn of(&self, limit: usize) -> usize {
        limit.div_ceil(usize::from(self.count.get()))
    }

    fn of_u32(&self, limit: u32) -> u32 {
        limit.div_ceil(u32::from(self.count.get()))
    }
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(shards: u16) -> NonZeroU16 {
        NonZeroU16::new(shards).unwrap()
    }

    fn shares(config: &EndpointConfig, first: u16, own: u16) -> io::Result<Shares> {
        Shares::new(config, Shards::new([1; 16], count(4)), first, count(own))
    }

    #[test]
    fn what_all_shards_may_is_what_the_endpoint_may() {
        let mut config = EndpointConfig::default();
        config.max_connections = 1000;
        config.receive_budget = 4096;
        config.max_resets_per_second = 10;
        let shares = shares(&config, 0, 4).unwrap();
        let own = shares.endpoint(2, &config);
        assert_eq!((own.max_connections, own.receive_budget), (250, 1024));
        assert_eq!(own.max_resets_per_second, 3, "rounded up");
    }

    #[test]
    fn a_shard_keeps_what_makes_its_connection_ids_when_secrets_change() {
        let config = EndpointConfig::default();
        let shares = shares(&config, 1, 2).unwrap();
        let ids = |index| shares.endpoint(index, &config).connection_ids;
        assert!(ids(0) == ids(0) && ids(0) != ids(1));
        assert!(Shares::of_one().endpoint(0, &config) == config);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let config = EndpointConfig::default();
        assert!(shares(&config, 2, 2).is_ok() && shares(&config, 3, 2).is_err());
        assert!(shares(&config, u16::MAX, 1).is_err());
        let mut empty = config.clone();
        empty.connection_id_length = 0;
        assert!(shares(&empty, 0, 2).is_err());
        let mut own = config;
        own.make_connection_ids_by(Shards::new([2; 16], count(1)).connection_ids(ShardId(0), 8));
        assert!(shares(&own, 0, 2).is_err());
    }
}
