//! Sockets by name, and the managers that they share.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::EndpointConfig;

use crate::crypto::SeededRandom;
use crate::event::{ConnectionHandle, Event};
use crate::instant::Instant;
use crate::multiplexer::{AddSocketError, Multiplexer, check_length};
use crate::net::{Misdirected, SocketId, UdpDatagram};
use crate::packet_handler_manager::{ConnectionCell, ManagerId, PacketHandlerManager};
use crate::packet_handler_map::PacketHandlerMap;
use crate::transmit::{Transmit, TransmitBuffer};

#[cfg(test)]
mod tests;

/// Makes the manager for a configuration that no socket has yet.
type Factory<M> = Box<dyn FnMut(Arc<EndpointConfig>, ManagerId) -> M + Send>;

/// Sockets by name, and the managers that they share. Sockets and managers are few, and all of
/// them are the application's doing.
pub struct SocketMultiplexer<M, F = Factory<M>> {
    factory: F,
    sockets: Vec<Socket>,
    managers: Vec<Shared<M>>,
    next_socket: Option<u32>,
    next_manager: Option<u16>,
    /// The manager whose events come first next time.
    turn: usize,
}

#[derive(Debug)]
struct Socket {
    id: SocketId,
    local: SocketAddr,
    manager: ManagerId,
}

#[derive(Debug)]
struct Shared<M> {
    id: ManagerId,
    config: Arc<EndpointConfig>,
    manager: M,
}

impl<M, F> SocketMultiplexer<M, F>
where
    M: PacketHandlerManager,
    F: FnMut(Arc<EndpointConfig>, ManagerId) -> M,
{
    /// A multiplexer without sockets, whose managers `factory` makes.
    pub fn new(factory: F) -> Self {
        Self {
            factory,
            sockets: Vec::new(),
            managers: Vec::new(),
            next_socket: Some(0),
            next_manager: Some(0),
            turn: 0,
        }
    }

    /// The manager that gave a handle, if it still exists.
    pub fn manager_of(&mut self, handle: ConnectionHandle) -> Option<&mut M> {
        self.shared(ManagerId::new(handle.manager)).map(|shared| &mut shared.manager)
    }

    fn shared(&mut self, id: ManagerId) -> Option<&mut Shared<M>> {
        self.managers.iter_mut().find(|shared| shared.id == id)
    }

    /// The manager for sockets with this configuration, made if need be.
    fn manager_for(&mut self, config: Arc<EndpointConfig>) -> Result<ManagerId, AddSocketError> {
        if let Some(shared) = self.managers.iter().find(|shared| shared.config == config) {
            return Ok(shared.id);
        }
        let number = self.next_manager.ok_or(AddSocketError::Exhausted)?;
        self.next_manager = number.checked_add(1);
        let id = ManagerId::new(number);
        let manager = (self.factory)(config.clone(), id);
        self.managers.push(Shared { id, config, manager });
        Ok(id)
    }
}

impl<C: ConnectionCell + 'static> SocketMultiplexer<PacketHandlerMap<C>> {
    /// A multiplexer without sockets over [`PacketHandlerMap`]s, each with randomness of its own
    /// from `random`, which has to be seeded by what nobody can guess.
    pub fn with_random(mut random: SeededRandom) -> Self {
        Self::new(Box::new(move |config, id| {
            PacketHandlerMap::new(config, SeededRandom::forked_from(&mut random), id)
        }))
    }
}

impl<M, F> Multiplexer for SocketMultiplexer<M, F>
where
    M: PacketHandlerManager,
    F: FnMut(Arc<EndpointConfig>, ManagerId) -> M,
{
    type Manager = M;

    fn add_socket(
        &mut self,
        local: SocketAddr,
        config: Arc<EndpointConfig>,
    ) -> Result<SocketId, AddSocketError> {
        check_length(&config)?;
        let known = self.sockets.iter().find(|socket| socket.local == local && local.port() != 0);
        let same = known.and_then(|socket| {
            Some((socket.id, self.managers.iter().find(|shared| shared.id == socket.manager)?))
        });
        if let Some((id, shared)) = same {
            return compare(local, &shared.config, &config).map(|()| id);
        }
        let number = self.next_socket.ok_or(AddSocketError::Exhausted)?;
        let manager = self.manager_for(config)?;
        self.next_socket = number.checked_add(1);
        let id = SocketId(number);
        self.sockets.push(Socket { id, local, manager });
        Ok(id)
    }

    fn remove_socket(&mut self, socket: SocketId) {
        if let Some(manager) = self.manager(socket) {
            manager.on_socket_removed(socket);
        }
        self.sockets.retain(|known| known.id != socket);
        let sockets = &self.sockets;
        self.managers.retain(|shared| sockets.iter().any(|socket| socket.manager == shared.id));
    }

    fn reconfigure(
        &mut self,
        socket: SocketId,
        config: Arc<EndpointConfig>,
    ) -> Result<(), AddSocketError> {
        check_length(&config)?;
        let Some(known) = self.sockets.iter().find(|known| known.id == socket) else {
            return Ok(());
        };
        let (local, id) = (known.local, known.manager);
        let Some(shared) = self.shared(id) else { return Ok(()) };
        let in_use = EndpointConfig {
            keyring: config.keyring.clone(),
            connection_ids: config.connection_ids.clone(),
            ..EndpointConfig::clone(&shared.config)
        };
        compare(local, &in_use, &config)?;
        shared.config = Arc::clone(&config);
        shared.manager.reconfigure(config);
        Ok(())
    }

    fn manager(&mut self, socket: SocketId) -> Option<&mut M> {
        let id = self.sockets.iter().find(|known| known.id == socket)?.manager;
        self.shared(id).map(|shared| &mut shared.manager)
    }

    fn handle_datagram(&mut self, now: Instant, datagram: UdpDatagram<'_>) {
        if let Some(manager) = self.manager(datagram.path.socket) {
            manager.handle_datagram(now, datagram);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        for shared in &mut self.managers {
            shared.manager.handle_timeout(now);
        }
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        socket: SocketId,
        buffer: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit> {
        self.manager(socket)?.poll_transmit(now, socket, buffer)
    }

    fn handle_too_large(&mut self, now: Instant, socket: SocketId, length: usize) {
        if let Some(manager) = self.manager(socket) {
            manager.handle_too_large(now, socket, length);
        }
    }

    fn poll_event(&mut self) -> Option<(ConnectionHandle, Event)> {
        let count = self.managers.len();
        for _ in 0..count {
            self.turn = self.turn.wrapping_add(1).checked_rem(count)?;
            if let Some(event) = self.managers.get_mut(self.turn)?.manager.poll_event() {
                return Some(event);
            }
        }
        None
    }

    fn poll_misdirected(&mut self) -> Option<Misdirected> {
        self.managers.iter_mut().find_map(|shared| shared.manager.poll_misdirected())
    }

    fn handle_unclaimed(&mut self, now: Instant, datagram: UdpDatagram<'_>) {
        if let Some(manager) = self.manager(datagram.path.socket) {
            manager.handle_unclaimed(now, datagram);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.managers.iter().filter_map(|shared| shared.manager.poll_timeout()).min()
    }
}

impl<M: std::fmt::Debug, F> std::fmt::Debug for SocketMultiplexer<M, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketMultiplexer")
            .field("sockets", &self.sockets)
            .field("managers", &self.managers)
            .finish_non_exhaustive()
    }
}

/// Whether a socket that has one configuration can be shared by who asks for the other.
fn compare(
    local: SocketAddr,
    in_use: &EndpointConfig,
    wanted: &EndpointConfig,
) -> Result<(), AddSocketError> {
    if in_use == wanted {
        return Ok(());
    }
    let (in_use_length, wanted_length) = (in_use.connection_id_length, wanted.connection_id_length);
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.2
    //# An endpoint that uses this design MUST either use the same connection ID
    //# length for all connections or encode the length of the connection ID
    //# such that it can be recovered without state.
    if in_use_length != wanted_length {
        return Err(AddSocketError::ConnectionIdLengthMismatch {
            local,
            in_use: in_use_length,
            wanted: wanted_length,
        });
    }
    if in_use.keyring != wanted.keyring {
        return Err(AddSocketError::KeyringMismatch(local));
    }
    if in_use.connection_ids != wanted.connection_ids {
        return Err(AddSocketError::ConnectionIdGeneratorMismatch(local));
    }
    if in_use.recorder != wanted.recorder {
        return Err(AddSocketError::RecorderMismatch(local));
    }
    Err(AddSocketError::LimitMismatch(local))
}
