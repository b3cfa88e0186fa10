//! Connection IDs from which a load balancer reads which server they are for
//! (draft-ietf-quic-load-balancers-21).
//!
//! An ID is one octet that names the configuration, then the server ID and a nonce, which are
//! encrypted if the configuration has a key. Servers make IDs by a [`Generator`] in
//! [`EndpointConfig::make_connection_ids_by`](crate::EndpointConfig::make_connection_ids_by); a
//! [`LoadBalancer`] reads them.
//!
//! ```
//! use std::sync::Arc;
//!
//! use quic_core::crypto::SeededRandom;
//! use quic_core::quic_lb::{Config, Generator, LoadBalancer};
//! use quic_core::{ConnectionIdGenerator, EndpointConfig, SharedConnectionIds};
//!
//! # fn main() -> Result<(), quic_core::quic_lb::ConfigError> {
//! let mut random = SeededRandom::from_seed([7; 32]); // From the system, outside of an example.
//! let config = Config::new(0, 2, 6)?.encrypted(&[8; 16]);
//!
//! let generator = Generator::new(config.clone(), b"s1", &mut random)?;
//! let id = generator.generate(None, &mut random);
//! let mut endpoint = EndpointConfig::default();
//! endpoint.make_connection_ids_by(SharedConnectionIds::new(Arc::new(generator)));
//!
//! let mut balancer = LoadBalancer::default();
//! balancer.set(config);
//! assert_eq!(balancer.server_id(id.as_slice()).unwrap().as_slice(), b"s1");
//! # Ok(())
//! # }
//! ```

mod cipher;
mod config;
mod generator;
mod load_balancer;

#[cfg(test)]
mod tests;

pub use config::{Config, ConfigError};
pub use generator::{Generator, Unroutable};
pub use load_balancer::{LoadBalancer, ServerId};
