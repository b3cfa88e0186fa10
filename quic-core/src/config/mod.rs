//! What an application can choose.
//!
//! Plain structs with public fields: start from a constructor or [`Default`] and change what you
//! must. Values are checked once, by the constructor or call that takes the configuration.

mod client;
mod connection_ids;
mod endpoint;
mod memory;
mod server;
mod shards;
mod transport;
mod versions;

pub use client::ClientConfig;
pub use connection_ids::{ConnectionIdGenerator, SharedConnectionIds};
pub use endpoint::{EndpointConfig, QUIC_V1, QUIC_V2};
pub use memory::{ConnectionMemory, EndpointMemory};
pub use server::{AddressValidation, ServerConfig};
pub use shards::Shards;
pub use transport::{AckFrequencyConfig, ConfigError, CongestionAlgorithm, TransportConfig};
pub use versions::{ServerVersions, VersionChoice};

pub(crate) use versions::are_compatible;
