//! Stands in for the core's packet handler map.
#![allow(missing_docs, reason = "replaced by the core's")]
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use quic_core::*;

use crate::shared::SharedConnection;

#[derive(Debug)]
pub(crate) struct Multiplexer;

pub(crate) type Manager = Multiplexer;

pub(crate) fn multiplexer(
    _config: EndpointConfig,
    _local: SocketAddr,
    _random: crypto::SeededRandom,
) -> io::Result<(Multiplexer, SocketId)> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Multiplexer {
    pub(crate) fn manager(&mut self, _: SocketId) -> Option<&mut Self> {
        Some(self)
    }
}

impl PacketHandlerManager for Multiplexer {
    type Cell = SharedConnection;
    fn handle_datagram(&mut self, _: Instant, _: UdpDatagram<'_>) {}
    fn handle_timeout(&mut self, _: Instant) {}
    fn poll_transmit(
        &mut self,
        _: Instant,
        _: SocketId,
        _: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit> {
        None
    }
    fn poll_event(&mut self) -> Option<(ConnectionHandle, Event)> {
        None
    }
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    fn listen(&mut self, _: Arc<ServerConfig>) {}
    fn stop_listening(&mut self) {}
    fn connect(&mut self, _: Instant, _: Connect<'_>) -> Result<ConnectionHandle, ConnectError> {
        Err(ConnectError::TooManyConnections)
    }
    fn incoming(&self, _: ConnectionHandle) -> Option<Incoming> {
        None
    }
    fn accept(
        &mut self,
        _: Instant,
        _: ConnectionHandle,
        _: Option<Arc<ServerConfig>>,
    ) -> Result<(), AcceptError> {
        Err(AcceptError::Gone)
    }
    fn refuse(&mut self, _: ConnectionHandle) {}
    fn retry(&mut self, _: Instant, _: ConnectionHandle) -> bool {
        false
    }
    fn ignore(&mut self, _: ConnectionHandle) {}
    fn cell(&self, _: ConnectionHandle) -> Option<&SharedConnection> {
        None
    }
    fn on_changed(&mut self, _: Instant, _: ConnectionHandle) {}
    fn with_connection<R>(
        &mut self,
        _: Instant,
        _: ConnectionHandle,
        _: impl FnOnce(&mut Connection) -> R,
    ) -> Option<R> {
        None
    }
}
