//! What an endpoint is made of.

use quic_core::{EndpointConfig, ServerConfig};

use crate::clock::Clock;
use crate::socket::Warning;

/// What an endpoint is made of, beside its socket. By default it only opens connections.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct EndpointOptions {
    /// What all its connections have in common.
    pub config: EndpointConfig,
    /// How it accepts connections; `None` if it accepts none.
    pub server: Option<ServerConfig>,
    /// Kept for [`Endpoint::warnings`](crate::Endpoint::warnings).
    pub warnings: Vec<Warning>,
    /// What it reads the time from. Default: the clock of the system.
    pub clock: Clock,
    /// What all its random choices follow from: connection IDs, challenges, numbers left out. They
    /// are as secret as the seed is. Default: randomness of the system.
    pub seed: Option<[u8; 32]>,
}

impl EndpointOptions {
    /// The default with another configuration.
    pub fn new(config: EndpointConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// The same, accepting connections with `server` if it is given.
    #[must_use]
    pub fn with_server(self, server: Option<ServerConfig>) -> Self {
        Self { server, ..self }
    }

    /// The same with something to tell of the socket.
    #[must_use]
    pub fn with_warnings(self, warnings: Vec<Warning>) -> Self {
        Self { warnings, ..self }
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The same with a seed of the caller's own.
    #[must_use]
    pub fn with_seed(self, seed: [u8; 32]) -> Self {
        Self { seed: Some(seed), ..self }
    }
}
