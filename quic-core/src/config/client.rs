//! What a client chooses for its connections.

use std::sync::Arc;

use super::{ConfigError, QUIC_V1, QUIC_V2, TransportConfig};
use crate::crypto::SessionFactory;

/// How to open connections. Cheap to clone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// TLS: whom to trust, which application protocols to offer.
    pub crypto: Arc<dyn SessionFactory>,
    /// Limits and timings.
    pub transport: Arc<TransportConfig>,
    /// The QUIC version to start with. Default: [`QUIC_V1`](crate::QUIC_V1), which every server
    /// knows.
    pub version: u32,
    /// The QUIC versions that the connection may be in in the end, most wanted first: a server
    /// that knows one of them may go on in it at once, if `version` is compatible with it
    /// (RFC 9368 §2.3), and a server that does not know `version` is tried again with the first
    /// of these that it knows (§2.1). Without `version` among them, that comes last. At most 16;
    /// give only `version`, or nothing, to accept no other. Default: version 1, then
    /// [`QUIC_V2`](crate::QUIC_V2).
    pub versions: Vec<u32>,
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
        //= https://www.rfc-editor.org/rfc/rfc9368#section-2.5
        //# When the client picks its Original Version, it SHOULD try to avoid incompatible
        //# version negotiation to save a round trip.
        //= https://www.rfc-editor.org/rfc/rfc9368#section-2.5
        //# Therefore, the client SHOULD pick an Original Version to maximize the combined
        //# probability that both:
        Ok(Self {
            crypto,
            transport: Arc::new(transport),
            version: QUIC_V1,
            versions: vec![QUIC_V1, QUIC_V2],
            use_preferred_address: true,
        })
    }
}
