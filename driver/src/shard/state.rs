//! What happens under the lock of a shard: connections come, act and go.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;

use quic_core::{
    ConnectionHandle, EndpointConfig, Event, Multiplexer as _, PacketHandlerManager as _,
    ServerConfig, SocketId,
};

use super::{FEWEST_TO_PRUNE, Lifecycle, ShardState};
use crate::manager;
use crate::shared::{self, SharedConnection};

impl ShardState {
    /// Lets the manager of the socket act; `None` if there is none any more.
    pub(crate) fn with_manager<R>(
        &mut self,
        act: impl FnOnce(&mut manager::Manager) -> R,
    ) -> Option<R> {
        self.multiplexer.manager(self.socket).map(act)
    }

    /// Follows what the application changed, also for sockets that come later: only those with
    /// the same configuration share the manager of the connections.
    pub(crate) fn reconfigure(&mut self, config: Arc<EndpointConfig>) -> io::Result<()> {
        let changed = self.multiplexer.reconfigure(self.socket, Arc::clone(&config));
        changed.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.config = config;
        Ok(())
    }

    pub(super) fn add_socket(&mut self, local: SocketAddr) -> io::Result<SocketId> {
        if self.lifecycle != Lifecycle::Open {
            return Err(io::Error::other("the endpoint is closed"));
        }
        let socket = self.multiplexer.add_socket(local, Arc::clone(&self.config));
        socket.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }

    /// Gives a socket up, with what its connections have on it.
    pub(super) fn remove_socket_at(
        &mut self,
        now: quic_core::Instant,
        local: SocketAddr,
        changed: &mut Vec<ConnectionHandle>,
    ) -> io::Result<()> {
        let invalid = |reason| io::Error::new(io::ErrorKind::InvalidInput, reason);
        let found = self.sockets.at(local);
        let socket = found.ok_or_else(|| invalid("no socket of the endpoint has this address"))?;
        if socket == self.socket {
            let reason =
                "the endpoint opens connections on this socket: rebind it to another first";
            return Err(invalid(reason));
        }
        self.sockets.remove(socket);
        self.multiplexer.remove_socket(socket);
        for cell in self.connections.values() {
            let mut state = cell.lock();
            let uses = state.connection.paths().any(|path| path.addresses.socket == socket);
            if uses && state.over.is_none() {
                state.move_to(now, self.socket);
                if shared::queue(&mut state) {
                    changed.push(cell.handle());
                }
            }
        }
        Ok(())
    }

    /// The next attempt of a client to connect that waits still.
    pub(crate) fn next_attempt(&mut self) -> Option<(ConnectionHandle, quic_core::Incoming)> {
        while let Some(handle) = self.incoming.pop_front() {
            let attempt = self.with_manager(|manager| manager.incoming(handle)).flatten();
            if let Some(attempt) = attempt {
                return Some((handle, attempt));
            }
        }
        None
    }

    /// Moves the clients' connections to the socket in use: all, or those that could not before.
    pub(super) fn move_connections(
        &mut self,
        now: quic_core::Instant,
        all: bool,
        changed: &mut Vec<ConnectionHandle>,
    ) {
        for cell in self.connections.values() {
            let mut state = cell.lock();
            if (all || state.wants_move) && state.over.is_none() {
                state.move_to(now, self.socket);
                if shared::queue(&mut state) {
                    changed.push(cell.handle());
                }
            }
        }
    }

    /// Moves whom could not be moved before, and closes the sockets that are left.
    pub(crate) fn tidy_sockets(
        &mut self,
        now: quic_core::Instant,
        changed: &mut Vec<ConnectionHandle>,
    ) {
        self.move_connections(now, false, changed);
        for socket in self.sockets.idle(self.socket) {
            let is_used = |cell: &SharedConnection| {
                let state = cell.lock();
                state.wants_move || state.connection.paths().any(|it| it.addresses.socket == socket)
            };
            if !self.connections.values().any(is_used) {
                self.sockets.remove(socket);
                self.multiplexer.remove_socket(socket);
            }
        }
    }

    /// Hands the events of the core to those who wait for them.
    pub(crate) fn drain_events(&mut self, woken: &mut Vec<Waker>) {
        let mut current: Option<SharedConnection> = None;
        while let Some((handle, event)) = self.multiplexer.poll_event() {
            if event == Event::Incoming {
                self.on_incoming(handle);
                self.accepting.take(woken);
                continue;
            }
            if current.as_ref().is_none_or(|cell| cell.handle() != handle) {
                current = self.connections.get(&handle).cloned();
            }
            let Some(cell) = &current else { continue };
            let over = matches!(event, Event::Lost(_));
            cell.lock().handle_event(event, woken);
            if over {
                self.remove(handle);
            }
        }
    }

    /// Carries out what follows from what the application did on its connections.
    pub(crate) fn settle(
        &mut self,
        now: quic_core::Instant,
        changed: &mut Vec<ConnectionHandle>,
        woken: &mut Vec<Waker>,
    ) {
        self.unsent = true;
        for handle in changed.drain(..) {
            let Some(cell) = self.connections.get(&handle) else { continue };
            let over = cell.settling();
            self.with_manager(|manager| manager.on_changed(now, handle));
            if over {
                self.remove(handle);
            }
        }
        self.drain_events(woken);
    }

    /// Everything was sent for now.
    pub(crate) fn on_flushed(&mut self, woken: &mut Vec<Waker>) {
        self.unsent = false;
        if self.is_idle() {
            self.idling.take(woken);
        }
    }

    /// Nothing is received any more: no attempt comes after those that wait.
    pub(crate) fn on_deaf(&mut self, woken: &mut Vec<Waker>) {
        self.deaf = true;
        self.accepting.take(woken);
    }

    /// Whether attempts to connect may come.
    pub(crate) fn is_listening(&self) -> bool {
        self.listening && !self.deaf
    }

    /// The loop ended; everything that waits fails.
    pub(crate) fn on_gone(&mut self, woken: &mut Vec<Waker>) {
        self.lifecycle = Lifecycle::Gone;
        self.listening = false;
        self.incoming.clear();
        self.unsent = false;
        for (_, cell) in mem::take(&mut self.connections) {
            cell.lock().end(quic_core::ConnectionError::LocallyClosed, woken);
        }
        self.accepting.take(woken);
        self.idling.take(woken);
    }

    /// Whether no connection is left and everything was sent, or nothing will be sent any more.
    pub(crate) fn is_idle(&self) -> bool {
        self.lifecycle == Lifecycle::Gone || (self.connections.is_empty() && !self.unsent)
    }

    /// Whether connections can be opened and accepted.
    pub(crate) fn is_open(&self) -> bool {
        self.lifecycle == Lifecycle::Open
    }

    fn remove(&mut self, handle: ConnectionHandle) {
        self.connections.remove(&handle);
        self.unsent = true;
    }

    fn on_incoming(&mut self, handle: ConnectionHandle) {
        // The core bounds the attempts that wait; those that gave up are still in the queue.
        if self.incoming.len() >= self.prune_incoming_at {
            let mut incoming = mem::take(&mut self.incoming);
            self.with_manager(|manager| {
                incoming.retain(|handle| manager.incoming(*handle).is_some());
            });
            self.incoming = incoming;
            self.prune_incoming_at = self.incoming.len().saturating_mul(2).max(FEWEST_TO_PRUNE);
        }
        self.incoming.push_back(handle);
    }

    /// Accepts connections from now on, unless the endpoint is closed.
    pub(crate) fn listen(&mut self, config: &Arc<ServerConfig>) {
        if self.is_open() {
            self.listening = true;
            self.with_manager(|manager| manager.listen(Arc::clone(config)));
        }
    }

    pub(super) fn stop_listening(&mut self, woken: &mut Vec<Waker>) {
        if mem::take(&mut self.listening) {
            self.incoming.clear();
            self.unsent = true;
            self.with_manager(quic_core::PacketHandlerManager::stop_listening);
            self.accepting.take(woken);
        }
    }
}
