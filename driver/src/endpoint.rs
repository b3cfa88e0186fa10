//! The application's handle of an endpoint: a socket and its connections.

mod options;
mod state;

use std::collections::{BTreeMap, VecDeque};
use std::future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use quic_core::crypto::SeededRandom;
use quic_core::{
    ClientConfig, Connect, ConnectionHandle, EndpointConfig, PacketHandlerManager as _,
    PathAddresses, ServerConfig, SocketId, VarInt,
};

use crate::bell::{Bell, User};
use crate::chance;
use crate::connection::Connecting;
use crate::error::ConnectError;
use crate::incoming::Incoming;
use crate::manager::{self, Multiplexer};
use crate::pump::Pump;
use crate::shared::{self, ConnectionRef, SharedConnection};
use crate::socket::{SocketCounters, SocketStatistics, Warning};
use crate::sockets::Sockets;
use crate::sync::{Mutex, MutexGuard};
use crate::waiting::{Ticket, WaitList};

pub use options::EndpointOptions;

/// A UDP socket with any number of QUIC connections, incoming and outgoing. Clones are handles of
/// the same endpoint.
///
/// When the last handle is dropped, no more connections are accepted; those that live, live on.
/// The loop behind it ends when the application holds nothing of it any more, after the last
/// CONNECTION_CLOSE was sent.
#[derive(Clone, Debug)]
pub struct Endpoint {
    handle: Arc<EndpointRef>,
}

/// What all handles share; the last one to go stops listening.
#[derive(Debug)]
struct EndpointRef {
    inner: Arc<EndpointInner>,
    _user: User,
}

/// What handles and the pump share.
#[derive(Debug)]
pub(crate) struct EndpointInner {
    pub(crate) bell: Arc<Bell>,
    pub(crate) counters: SocketCounters,
    warnings: Vec<Warning>,
    state: Mutex<EndpointState>,
}

/// What the lock of an endpoint guards.
#[derive(Debug)]
pub(crate) struct EndpointState {
    pub(crate) multiplexer: Multiplexer,
    /// What all sockets have in common.
    config: Arc<EndpointConfig>,
    /// The socket that new connections go over.
    pub(crate) socket: SocketId,
    /// What that one is bound to.
    local: SocketAddr,
    /// All sockets, the oldest first.
    pub(crate) sockets: Sockets,
    /// Every connection that is not over.
    connections: BTreeMap<ConnectionHandle, SharedConnection>,
    /// Attempts that wait for the application, and some that do no longer.
    incoming: VecDeque<ConnectionHandle>,
    /// When to look for attempts that do not wait any longer.
    prune_incoming_at: usize,
    client: Option<Arc<ClientConfig>>,
    listening: bool,
    lifecycle: Lifecycle,
    /// Whether something may have to be sent.
    pub(crate) unsent: bool,
    accepting: WaitList,
    idling: WaitList,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lifecycle {
    Open,
    /// The application closed it.
    Closed,
    /// The loop ended: nothing will happen any more.
    Gone,
}

impl Endpoint {
    /// An endpoint for a socket that is bound to `local`, and the pump that a loop has to run.
    ///
    /// Applications use the constructors of the driver for their runtime instead.
    ///
    /// # Errors
    /// If the system has no randomness to give, or the configuration cannot be used.
    pub fn new(local: SocketAddr, options: EndpointOptions) -> io::Result<(Self, Pump)> {
        let EndpointOptions { config, server, warnings, clock, seed } = options;
        let seed = match seed {
            Some(seed) => seed,
            None => chance::seed()?,
        };
        let config = Arc::new(config);
        let seed = SeededRandom::from_seed(seed);
        let (multiplexer, socket) = manager::multiplexer(Arc::clone(&config), local, seed)?;
        let bell = Arc::new(Bell::new(clock));
        let state = EndpointState {
            multiplexer,
            config,
            socket,
            local,
            sockets: Sockets::new(socket),
            connections: BTreeMap::new(),
            incoming: VecDeque::new(),
            prune_incoming_at: FEWEST_TO_PRUNE,
            client: None,
            listening: false,
            lifecycle: Lifecycle::Open,
            unsent: false,
            accepting: WaitList::default(),
            idling: WaitList::default(),
        };
        let inner = Arc::new(EndpointInner {
            bell: Arc::clone(&bell),
            counters: SocketCounters::default(),
            warnings,
            state: Mutex::new(state),
        });
        let pump = Pump::new(Arc::clone(&inner), socket);
        let endpoint = Self { handle: Arc::new(EndpointRef { inner, _user: User::new(bell) }) };
        endpoint.set_server_config(server);
        Ok((endpoint, pump))
    }

    /// Uses `config` for [`connect`](Self::connect).
    pub fn set_default_client_config(&self, config: ClientConfig) {
        self.lock().client = Some(Arc::new(config));
    }

    /// Accepts connections with `config` from now on; with `None`, see
    /// [`stop_accepting`](Self::stop_accepting).
    pub fn set_server_config(&self, config: Option<ServerConfig>) {
        let Some(config) = config else {
            return self.stop_accepting();
        };
        let mut state = self.lock();
        if state.lifecycle == Lifecycle::Open {
            state.listening = true;
            state.with_manager(|manager| manager.listen(Arc::new(config)));
        }
    }

    /// Replaces the configuration while the endpoint is in use, to rotate secrets: the keyring of
    /// stateless resets, and what makes connection IDs, of the same length. Everything else has to
    /// stay as it is. Connections follow when they are next heard of.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if anything else differs.
    pub fn reconfigure(&self, config: EndpointConfig) -> io::Result<()> {
        self.lock().reconfigure(Arc::new(config))
    }

    /// Connects to the server at `address`, whose certificate has to be for `server_name`, with
    /// the default configuration.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect(
        &self,
        address: SocketAddr,
        server_name: &str,
    ) -> Result<Connecting, ConnectError> {
        let config = self.lock().client.clone().ok_or(ConnectError::NoClientConfig)?;
        self.connect_to(config, address, server_name)
    }

    /// Connects to the server at `address`, whose certificate has to be for `server_name`.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect_with(
        &self,
        config: ClientConfig,
        address: SocketAddr,
        server_name: &str,
    ) -> Result<Connecting, ConnectError> {
        self.connect_to(Arc::new(config), address, server_name)
    }

    fn connect_to(
        &self,
        config: Arc<ClientConfig>,
        address: SocketAddr,
        server_name: &str,
    ) -> Result<Connecting, ConnectError> {
        let now = self.inner().bell.now();
        let mut state = self.lock();
        let remote = reachable_from(state.local, address)?;
        if state.lifecycle != Lifecycle::Open {
            return Err(ConnectError::EndpointClosed);
        }
        let path = PathAddresses { socket: state.socket, local_ip: None, remote };
        let connected = state
            .with_manager(|manager| manager.connect(now, Connect { path, server_name, config }))
            .ok_or(ConnectError::EndpointClosed)?;
        let connecting = self.start(&mut state, connected?);
        drop(state);
        self.inner().bell.ring();
        connecting.ok_or(ConnectError::EndpointClosed)
    }

    /// The next attempt of a client to connect; `None` if the endpoint accepts none, or none any
    /// more. Cancel safe: no attempt is lost.
    pub async fn accept(&self) -> Option<Incoming> {
        let mut place = EndpointPlace { inner: self.inner(), list: accepting, ticket: None };
        future::poll_fn(|cx| {
            let mut state = place.inner.lock();
            while let Some(handle) = state.incoming.pop_front() {
                let attempt = state.with_manager(|manager| manager.incoming(handle)).flatten();
                if let Some(attempt) = attempt {
                    return Poll::Ready(Some(Incoming::new(self.clone(), handle, attempt)));
                }
            }
            if !state.listening {
                return Poll::Ready(None);
            }
            state.accepting.wait(&mut place.ticket, cx);
            Poll::Pending
        })
        .await
    }

    /// Refuses all attempts to connect from now on, also those that wait; connections live on.
    pub fn stop_accepting(&self) {
        self.inner().stop_listening();
    }

    /// Closes all connections and accepts and opens none from now on. Pending operations fail.
    ///
    /// Await [`wait_idle`](Self::wait_idle) before the program ends, so that peers hear of it.
    pub fn close(&self, code: VarInt, reason: &[u8]) {
        self.inner().close(code, &Bytes::copy_from_slice(reason));
    }

    /// Waits until there is no connection left and everything was sent. Cancel safe.
    ///
    /// Awaited after [`close`](Self::close), it lets the peers hear of the end.
    pub async fn wait_idle(&self) {
        let mut place = EndpointPlace { inner: self.inner(), list: idling, ticket: None };
        future::poll_fn(|cx| {
            let mut state = place.inner.lock();
            if state.is_idle() {
                return Poll::Ready(());
            }
            state.idling.wait(&mut place.ticket, cx);
            Poll::Pending
        })
        .await;
    }

    /// Goes over to another socket, which is bound to `local`: new connections are opened on it,
    /// and every client's connection moves to it (RFC 9000 §9.2), at once or as soon as its
    /// handshake is confirmed. Connections that were accepted stay where they are, since servers
    /// do not move, and new ones are accepted on both. The old socket is in use until no connection
    /// needs it any more.
    ///
    /// Applications use the method of the driver for their runtime instead, which gives the socket
    /// to its loop under the name that this returns: the same name as before if `local` is the
    /// address of a socket in use, which the new one replaces.
    ///
    /// Connections over IPv4 do not move to sockets of IPv6, nor the other way round; neither do
    /// those whose server forbids it. They stay on the old socket.
    ///
    /// # Errors
    /// If the endpoint was closed.
    pub fn rebind_to(&self, local: SocketAddr) -> io::Result<SocketId> {
        let now = self.inner().bell.now();
        let mut changed = Vec::new();
        let mut state = self.lock();
        let socket = state.add_socket(local)?;
        state.sockets.use_until_idle(socket);
        (state.socket, state.local) = (socket, local);
        state.move_connections(now, true, &mut changed);
        drop(state);
        self.inner().bell.ring_for_all(&changed);
        Ok(socket)
    }

    /// Accepts connections on another socket as well, which is bound to `local`, for as long as the
    /// endpoint lives: as that of a
    /// [`preferred_address_v4`](ServerConfig::preferred_address_v4).
    ///
    /// Applications use the method of the driver for their runtime instead; see
    /// [`rebind_to`](Self::rebind_to).
    ///
    /// # Errors
    /// If the endpoint was closed.
    pub fn add_socket_at(&self, local: SocketAddr) -> io::Result<SocketId> {
        let mut state = self.lock();
        let socket = state.add_socket(local)?;
        state.sockets.keep(socket);
        drop(state);
        self.inner().bell.ring();
        Ok(socket)
    }

    /// Lets the loop look for what is new.
    pub fn wake(&self) {
        self.inner().bell.ring();
    }

    /// The address that the socket is bound to.
    ///
    /// # Errors
    /// None; the result is for compatibility with sockets.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.lock().local)
    }

    /// How many connections live.
    pub fn open_connections(&self) -> usize {
        self.lock().connections.len()
    }

    /// What about the socket works, but worse than it could, and how to fix it. Does not change.
    pub fn warnings(&self) -> &[Warning] {
        &self.inner().warnings
    }

    /// Counters of what went wrong on the socket.
    pub fn socket_stats(&self) -> SocketStatistics {
        self.inner().counters.snapshot()
    }

    /// Takes a connection that the manager has just made into the table. The caller rings the bell
    /// once it let go of the lock.
    pub(crate) fn start(
        &self,
        state: &mut EndpointState,
        handle: ConnectionHandle,
    ) -> Option<Connecting> {
        let cell = state.with_manager(|manager| manager.cell(handle).cloned()).flatten()?;
        state.connections.insert(handle, cell.clone());
        state.unsent = true;
        let bell = Arc::clone(&self.inner().bell);
        Some(Connecting::new(Arc::new(ConnectionRef::new(cell, bell))))
    }

    pub(crate) fn inner(&self) -> &EndpointInner {
        &self.handle.inner
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, EndpointState> {
        self.inner().lock()
    }
}

impl Drop for EndpointRef {
    fn drop(&mut self) {
        self.inner.stop_listening();
    }
}

impl EndpointInner {
    pub(crate) fn lock(&self) -> MutexGuard<'_, EndpointState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop_listening(&self) {
        let mut woken = Vec::new();
        let mut state = self.lock();
        state.stop_listening(&mut woken);
        drop(state);
        self.bell.ring();
        shared::wake(&mut woken);
    }

    fn close(&self, code: VarInt, reason: &Bytes) {
        let (mut woken, mut changed) = (Vec::new(), Vec::new());
        let mut state = self.lock();
        if state.lifecycle != Lifecycle::Open {
            return;
        }
        state.lifecycle = Lifecycle::Closed;
        state.stop_listening(&mut woken);
        for cell in state.connections.values() {
            let mut connection = cell.lock();
            if connection.over.is_some() {
                continue;
            }
            shared::close(&mut connection, &self.bell, code, reason.clone(), &mut woken);
            if shared::queue(&mut connection) {
                changed.push(cell.handle());
            }
        }
        drop(state);
        self.bell.ring_for_all(&changed);
        shared::wake(&mut woken);
    }
}

/// A place in one of the endpoint's lists, given up when dropped.
struct EndpointPlace<'a> {
    inner: &'a EndpointInner,
    list: fn(&mut EndpointState) -> &mut WaitList,
    ticket: Option<Ticket>,
}

fn accepting(state: &mut EndpointState) -> &mut WaitList {
    &mut state.accepting
}

fn idling(state: &mut EndpointState) -> &mut WaitList {
    &mut state.idling
}

impl Drop for EndpointPlace<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            (self.list)(&mut self.inner.lock()).cancel(ticket);
        }
    }
}

/// The address as a socket bound to `local` has to be given it.
fn reachable_from(local: SocketAddr, remote: SocketAddr) -> Result<SocketAddr, ConnectError> {
    match (local.ip(), remote.ip()) {
        (IpAddr::V6(_), IpAddr::V4(ip)) => {
            Ok(SocketAddr::from((ip.to_ipv6_mapped(), remote.port())))
        }
        (IpAddr::V4(_), IpAddr::V6(_)) => {
            Err(quic_core::ConnectError::InvalidRemoteAddress(remote).into())
        }
        _ => Ok(remote),
    }
}

/// Below this many attempts in the queue nothing is gained by looking for stale ones.
const FEWEST_TO_PRUNE: usize = 64;
