//! What each shard gets of what an endpoint was given.

use std::num::NonZeroU16;
use std::sync::Arc;

use quic_core::{EndpointConfig, ServerConfig, ShardId, Shards};

/// Divides an endpoint's limits among its shards, so that they hold for all together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    count: NonZeroU16,
    /// The number of the first shard.
    first: u16,
    /// By what connection IDs tell shards apart, if there are several.
    shards: Option<Shards>,
}

impl Shares {
    pub(super) fn new(count: NonZeroU16, first: u16, shards: Option<Shards>) -> Self {
        Self { count, first, shards }
    }

    /// What the connections of the shard at `index` have in common.
    pub(super) fn endpoint(&self, index: u16, config: &EndpointConfig) -> EndpointConfig {
        let mut own = config.clone();
        own.max_connections = self.of(config.max_connections);
        own.receive_budget = config.receive_budget.div_ceil(u64::from(self.count.get()));
        own.max_resets_per_second = self.of_u32(config.max_resets_per_second);
        if let Some(shards) = self.shards {
            let shard = ShardId(self.first.saturating_add(index));
            let ids = shards.connection_ids(shard, config.connection_id_length);
            own.make_connection_ids_by(ids);
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
