//! Which of the core's managers the driver uses.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use quic_core::crypto::SeededRandom;
use quic_core::{EndpointConfig, Multiplexer as _, PacketHandlerMap, SocketId, SocketMultiplexer};

use crate::shared::SharedConnection;

pub(crate) type Manager = PacketHandlerMap<SharedConnection>;
pub(crate) type Multiplexer = SocketMultiplexer<Manager>;

/// A multiplexer with one socket, which is bound to `local`.
pub(crate) fn multiplexer(
    config: Arc<EndpointConfig>,
    local: SocketAddr,
    random: SeededRandom,
) -> io::Result<(Multiplexer, SocketId)> {
    let mut multiplexer = Multiplexer::with_random(random);
    let socket = multiplexer
        .add_socket(local, config)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    Ok((multiplexer, socket))
}
