//! What a client chooses for its connections.

use std::sync::Arc;

use super::{ConfigError, TransportConfig};
use crate::crypto::SessionFactory;

/// How to open connections. Cheap to clone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// TLS: whom to trust, which application protocols to offer.
    pub crypto: Arc<dyn SessionFactory>,
    /// Limits and timings.
    pub transport: Arc<TransportConfig>,
    /// The QUIC version to start with. Default: version 1.
    pub version: u32,
    /// Move to the address that the server prefers, if it says so (RFC 9000 §9.6), once that was
    /// found to work. Default: true.
    pub use_preferred_address: bool,
}

impl ClientConfig {
    /// Checks and takes the configuration.
    ///
    /// # Errors
    /// The first field of `transport` that cannot work.
    pub fn new(
        crypto: Arc<dyn SessionFactory>,
        transport: TransportConfig,
    ) -> Result<Self, ConfigError> {
        transport.check()?;
        Ok(Self {
            crypto,
            transport: Arc::new(transport),
            version: super::QUIC_V1,
            use_preferred_address: true,
        })
    }
}
