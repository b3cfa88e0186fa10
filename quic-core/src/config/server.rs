//! What a server chooses for the connections it accepts.

use std::net::{SocketAddrV4, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use super::{ConfigError, ServerVersions, TransportConfig};
use crate::crypto::{Keyring, SessionFactory};

/// How to accept connections. Cheap to clone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// TLS: certificate, key, application protocols.
    pub crypto: Arc<dyn SessionFactory>,
    /// Limits and timings.
    pub transport: Arc<TransportConfig>,
    /// What seals Retry and NEW_TOKEN tokens. Share it between servers that share an address; a
    /// random one makes tokens worthless after a restart. With one that is kept, and an
    /// [`Instant`](crate::Instant) that goes on from where it was, they stay good; which of them
    /// were used is not remembered then, so that each is good once more.
    pub keyring: Keyring,
    /// When clients have to prove their address before anything else (RFC 9000 §8.1.2).
    /// Default: above 1,000 half-open connections.
    pub validation: AddressValidation,
    /// Clients without a token that are taken at their word per second, where `validation` leaves
    /// that open. A tenth of these in a tenth of a second; beyond, all have to prove their address
    /// until a second passed without so many. About as many as the processor has time for their
    /// handshakes: above it, it would be the proof that costs less. Default: 2,000.
    pub unvalidated_per_second: u32,
    /// Attempts that may wait for the application to accept them. More are refused.
    /// Default: 1,024.
    pub accept_backlog: usize,
    /// Handshakes that may go on at a time, attempts that wait included. The Initials of more are
    /// dropped without an answer and before any keys are made, so that not even clients that
    /// proved their address can make the server hold more. Default: 65,536.
    pub max_half_open: usize,
    /// How long a Retry token is good. Default: 15 s.
    pub retry_token_lifetime: Duration,
    /// How long a NEW_TOKEN token is good. Default: 14 days.
    pub new_token_lifetime: Duration,
    /// NEW_TOKEN tokens given to each client (RFC 9000 §8.1.3). Default: 1.
    pub new_tokens: u8,
    /// The versions of QUIC to speak. Default: 1 and 2; the client chooses.
    pub versions: ServerVersions,
    /// Where clients that connect over IPv4 should move to after the handshake (RFC 9000 §9.6):
    /// an address of this server alone, whose datagrams reach a socket of the same manager. Not
    /// offered where connection IDs are empty. Default: `None`.
    pub preferred_address_v4: Option<SocketAddrV4>,
    /// The same for clients that connect over IPv6. Default: `None`.
    pub preferred_address_v6: Option<SocketAddrV6>,
}

/// When clients have to prove that they receive at the address they send from, by a Retry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AddressValidation {
    /// Every client without a token.
    Always,
    /// None, except where the application asks for it.
    Never,
    /// Every client without a token, while there are more than this many half-open connections,
    /// while more than [`ServerConfig::unvalidated_per_second`] come, or while half of the attempts
    /// that [`ServerConfig::accept_backlog`] permits wait: the other half is for those with proof.
    AboveHalfOpen(usize),
}

impl ServerConfig {
    /// Checks and takes the configuration.
    ///
    /// # Errors
    /// The first field of `transport` that cannot work.
    pub fn new(
        crypto: Arc<dyn SessionFactory>,
        transport: TransportConfig,
        keyring: Keyring,
    ) -> Result<Self, ConfigError> {
        transport.check()?;
        Ok(Self {
            crypto,
            transport: Arc::new(transport),
            keyring,
            validation: AddressValidation::AboveHalfOpen(1000),
            unvalidated_per_second: 2000,
            accept_backlog: 1024,
            max_half_open: 65_536,
            retry_token_lifetime: Duration::from_secs(15),
            new_token_lifetime: Duration::from_hours(14 * 24),
            new_tokens: 1,
            versions: ServerVersions::default(),
            preferred_address_v4: None,
            preferred_address_v6: None,
        })
    }
}
