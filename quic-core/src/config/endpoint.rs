//! What all connections of a socket share.

use std::fmt;

use crate::recorder::SharedRecorder;
use crate::wire::header::{VERSION_1, VERSION_2};

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
    /// The key that stateless reset tokens are derived from (RFC 9000 §10.3.2). Keep it over
    /// restarts, so that peers learn that their connections are gone. `None`: no resets are sent.
    /// Default: `None`.
    pub reset_key: Option<StatelessResetKey>,
    /// Most connections and attempts that may exist at a time. Default: 1,000,000.
    pub max_connections: usize,
    /// Bytes by which the receive windows of all connections together may grow beyond the
    /// [`receive_window`](crate::TransportConfig::receive_window) that each begins with. Those who
    /// need more share it equally; `u64::MAX` is no bound. Default: 1 GiB.
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
            reset_key: None,
            max_connections: 1_000_000,
            receive_budget: 1 << 30,
            max_resets_per_second: 1000,
            recorder: None,
        }
    }
}

/// The secret from which stateless reset tokens are derived (RFC 9000 §10.3.2).
#[derive(Clone, Eq, PartialEq)]
pub struct StatelessResetKey([u8; 32]);

impl StatelessResetKey {
    /// A key from 32 bytes that nobody can guess.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for StatelessResetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StatelessResetKey(secret)")
    }
}
