//! All of QUIC on one socket.

use std::sync::Arc;

use bytes::Bytes;

use crate::config::{EndpointConfig, ServerConfig};
use crate::connection::Connection;
use crate::crypto::SeededRandom;
use crate::event::{ConnectionHandle, Event};
use crate::instant::Instant;
use crate::multiplexer::{AddSocketError, check_length};
use crate::net::{SocketId, UdpDatagram};
use crate::packet_handler_manager::{
    AcceptError, Connect, ConnectError, ConnectionCell, Incoming, ManagerId,
    PacketHandlerManager as _,
};
use crate::packet_handler_map::PacketHandlerMap;
use crate::transmit::{Transmit, TransmitBuffer};
use crate::wire::VarInt;

#[cfg(test)]
mod tests;

/// All of QUIC on one socket: any number of connections, as client, as server, or both.
///
/// What most loops of one's own begin with. It is a [`PacketHandlerMap`] whose one socket needs no
/// name: an address alone is a [path](crate::PathAddresses) of it. Several sockets, as for connections
/// that move from one to another, take a [`SocketMultiplexer`](crate::SocketMultiplexer).
///
/// After any call but those of `poll_*`, call [`poll_event`](Self::poll_event) and
/// [`poll_transmit`](Self::poll_transmit) until they return `None`; then wait for a datagram, or
/// until [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Endpoint<C: ConnectionCell = Box<Connection>> {
    manager: PacketHandlerMap<C>,
}

impl Endpoint {
    /// An endpoint with the default [`EndpointConfig`]. `random` has to be seeded by what nobody
    /// can guess.
    pub fn new(random: SeededRandom) -> Self {
        let config = Arc::new(EndpointConfig::default());
        Self { manager: PacketHandlerMap::new(config, random, ManagerId::default()) }
    }
}

impl<C: ConnectionCell> Endpoint<C> {
    /// An endpoint with a configuration of one's own. `random` has to be seeded by what nobody can
    /// guess.
    ///
    /// # Errors
    /// [`AddSocketError::InvalidConnectionIdLength`].
    pub fn with_config(
        config: Arc<EndpointConfig>,
        random: SeededRandom,
    ) -> Result<Self, AddSocketError> {
        check_length(&config)?;
        Ok(Self { manager: PacketHandlerMap::new(config, random, ManagerId::default()) })
    }

    /// The manager beneath, for what is asked of it more rarely.
    pub fn manager(&mut self) -> &mut PacketHandlerMap<C> {
        &mut self.manager
    }

    /// Takes a datagram, or a train of them, whatever it says of its socket. Never fails: what
    /// cannot be processed is dropped, and counted by the connection that it is for, or closes it.
    pub fn handle_datagram(&mut self, now: Instant, mut datagram: UdpDatagram<'_>) {
        datagram.path.socket = SocketId::FIRST;
        self.manager.handle_datagram(now, datagram);
    }

    /// Does what is due by `now`; nothing if it is called early.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.manager.handle_timeout(now);
    }

    /// Fills `buffer` with the next datagrams to send; `None` if there is nothing to send before
    /// something else happens.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit> {
        self.manager.poll_transmit(now, SocketId::FIRST, buffer)
    }

    /// The next event, and which connection it is of.
    pub fn poll_event(&mut self) -> Option<(ConnectionHandle, Event)> {
        self.manager.poll_event()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is next due; `None` if not before something
    /// else happens. While an event waits, that is a time in the past: to send something can make
    /// events, too, which a loop that takes events first would sleep over.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let waits = self.manager.has_events().then_some(Instant::EPOCH);
        waits.or_else(|| self.manager.poll_timeout())
    }

    /// See [`handle_too_large`](crate::PacketHandlerManager::handle_too_large) and [`EMSGSIZE`](crate::EMSGSIZE).
    pub fn handle_too_large(&mut self, now: Instant, length: usize) {
        self.manager.handle_too_large(now, SocketId::FIRST, length);
    }

    /// Accepts connections from now on, or with another configuration.
    pub fn listen(&mut self, config: Arc<ServerConfig>) {
        self.manager.listen(config);
    }

    /// Opens a connection; [`Event::Connected`] or [`Event::Lost`] follows.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect(
        &mut self,
        now: Instant,
        mut target: Connect<'_>,
    ) -> Result<ConnectionHandle, ConnectError> {
        target.path.socket = SocketId::FIRST;
        self.manager.connect(now, target)
    }

    /// What is known of an attempt that waits to be accepted.
    pub fn incoming(&self, handle: ConnectionHandle) -> Option<Incoming> {
        self.manager.incoming(handle)
    }

    /// Accepts an attempt that [`Event::Incoming`] told of. Besides, the [`manager`](Self::manager)
    /// can refuse it, ignore it, ask for a proof of its address, or accept it with a configuration
    /// of its own.
    ///
    /// # Errors
    /// See [`AcceptError`]. None of them needs an answer.
    pub fn accept(&mut self, now: Instant, handle: ConnectionHandle) -> Result<(), AcceptError> {
        self.manager.accept(now, handle, None)
    }

    /// Lets the application act on a connection, then carries out what follows from it; `None` if
    /// there is no such connection. Who hears of the end can still read what had arrived, and the
    /// final statistics, until [`poll_event`](Self::poll_event) returns `None`.
    pub fn with_connection<R>(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        act: impl FnOnce(&mut Connection) -> R,
    ) -> Option<R> {
        self.manager.with_connection(now, handle, act)
    }

    /// Accepts no more connections, and closes all there are with the application's `code` and
    /// `reason` (RFC 9000 §10.2). The peers are told by what
    /// [`poll_transmit`](Self::poll_transmit) gives next, and once more when they send anything
    /// until [`is_empty`](Self::is_empty): who stays so long can be sure that they heard of it,
    /// unless they are unreachable.
    pub fn close(&mut self, now: Instant, code: VarInt, reason: &Bytes) {
        self.manager.stop_listening();
        for handle in self.manager.connections() {
            self.with_connection(now, handle, |connection| {
                connection.close(now, code, reason.clone());
            });
        }
    }

    /// Whether nothing is left of any connection: none is open, none is being opened, and none was
    /// closed so lately that its peer may have to be told again (three probe timeouts, RFC 9000
    /// §10.2).
    pub fn is_empty(&self) -> bool {
        self.manager.is_empty()
    }
}
