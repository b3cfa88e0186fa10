//! What an endpoint is made of.

use std::fmt;
use std::num::NonZeroU16;
use std::sync::Arc;

use quic_core::{EndpointConfig, ServerConfig};

use crate::clock::Clock;
use crate::neighbourhood::Neighbours;
use crate::socket::{Train, Warning};

/// What an endpoint is made of, beside its socket. By default it only opens connections.
#[derive(Debug)]
#[non_exhaustive]
pub struct EndpointOptions {
    /// What all its connections have in common. Limits hold for all shards together.
    pub config: EndpointConfig,
    /// How it accepts connections; `None` if it accepts none. Limits hold for all shards together.
    pub server: Option<ServerConfig>,
    /// How many multiplexers with a socket and a loop of their own share the work. Connections stay
    /// where they were opened or accepted; what the system delivers elsewhere is handed over. With
    /// more than one, connection IDs are made by the endpoint itself. Default: 1.
    pub shards: NonZeroU16,
    /// Other endpoints that share its addresses, as those of a process that it takes over from.
    /// Default: `None`.
    pub neighbours: Option<Neighbours>,
    /// Sees every datagram first, and takes those that are not QUIC. Default: `None`.
    pub filter: Option<Arc<dyn DatagramFilter>>,
    /// Kept for [`Endpoint::warnings`](crate::Endpoint::warnings).
    pub warnings: Vec<Warning>,
    /// What it reads the time from. Default: the clock of the system.
    pub clock: Clock,
    /// What all its random choices follow from: connection IDs, challenges, numbers left out. They
    /// are as secret as the seed is. Default: randomness of the system.
    pub seed: Option<[u8; 32]>,
}

/// Takes datagrams of other protocols from the sockets of an endpoint: STUN, DTLS, RTP (RFC 9443).
///
/// What is QUIC, its second bit tells ([`is_quic`](quic_core::is_quic)): so the endpoint must not
/// let peers clear it ([`grease_quic_bit`](quic_core::TransportConfig::grease_quic_bit), RFC 9287
/// §3.1), in any of its configurations.
///
/// To send such datagrams, keep a clone of the socket (`UdpSocket::try_clone`) that the endpoint was
/// made with.
pub trait DatagramFilter: fmt::Debug + Send + Sync {
    /// Whether the endpoint is not to see a datagram, or a train of equally long ones from one peer.
    /// Called by the loop for everything that arrives, so that it must be quick and not block: pass
    /// on what it takes through a bounded channel, say. It may use the endpoint; but if it keeps a
    /// handle of it, the endpoint's loop does not end before it gives that up.
    fn takes(&self, train: &Train<'_>) -> bool;
}

impl Default for EndpointOptions {
    fn default() -> Self {
        Self::new(EndpointConfig::default())
    }
}

impl EndpointOptions {
    /// The default with another configuration.
    pub fn new(config: EndpointConfig) -> Self {
        Self {
            config,
            server: None,
            shards: NonZeroU16::MIN,
            neighbours: None,
            filter: None,
            warnings: Vec::new(),
            clock: Clock::default(),
            seed: None,
        }
    }

    /// The same, accepting connections with `server` if it is given.
    #[must_use]
    pub fn with_server(self, server: Option<ServerConfig>) -> Self {
        Self { server, ..self }
    }

    /// The same with so many shards.
    #[must_use]
    pub fn with_shards(self, shards: NonZeroU16) -> Self {
        Self { shards, ..self }
    }

    /// The same beside other endpoints.
    #[must_use]
    pub fn with_neighbours(self, neighbours: Neighbours) -> Self {
        Self { neighbours: Some(neighbours), ..self }
    }

    /// The same with something that takes datagrams of other protocols.
    #[must_use]
    pub fn with_filter(self, filter: Arc<dyn DatagramFilter>) -> Self {
        Self { filter: Some(filter), ..self }
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
