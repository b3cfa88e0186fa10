//! One multiplexer of an endpoint with its connections, behind a lock, and what its loop needs.

mod state;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use quic_core::crypto::SeededRandom;
use quic_core::{
    ClientConfig, Connect, ConnectionHandle, EndpointConfig, PacketHandlerManager as _,
    PathAddresses, SocketId, VarInt,
};

use crate::bell::Bell;
use crate::clock::Clock;
use crate::connection::Connecting;
use crate::error::ConnectError;
use crate::manager::{self, Multiplexer};
use crate::punctuality::Punctuality;
use crate::shared::{self, ConnectionRef, SharedConnection};
use crate::socket::SocketCounters;
use crate::sockets::Sockets;
use crate::sync::{Mutex, MutexGuard};
use crate::waiting::WaitList;

/// One multiplexer of an endpoint with its connections. Handles and the shard's pump share it; it
/// shares nothing with the other shards but what it is configured by.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) bell: Arc<Bell>,
    pub(crate) counters: SocketCounters,
    pub(crate) punctuality: Punctuality,
    /// Whether others are to receive on its sockets: its loop sees that when the bell was rung.
    pub(crate) should_be_deaf: AtomicBool,
    state: Mutex<ShardState>,
}

/// What the lock of a shard guards.
#[derive(Debug)]
pub(crate) struct ShardState {
    pub(crate) multiplexer: Multiplexer,
    /// What all sockets have in common.
    config: Arc<EndpointConfig>,
    /// The socket that new connections go over, unless it cannot reach whom they are for.
    pub(crate) socket: SocketId,
    /// All sockets, the oldest first.
    pub(crate) sockets: Sockets,
    /// Every connection that is not over.
    pub(crate) connections: BTreeMap<ConnectionHandle, SharedConnection>,
    /// Attempts that wait for the application, and some that do no longer.
    incoming: VecDeque<ConnectionHandle>,
    /// When to look for attempts that do not wait any longer.
    prune_incoming_at: usize,
    pub(crate) client: Option<Arc<ClientConfig>>,
    listening: bool,
    /// Whether nothing is received any more.
    deaf: bool,
    lifecycle: Lifecycle,
    /// Whether something may have to be sent.
    pub(crate) unsent: bool,
    pub(crate) accepting: WaitList,
    pub(crate) idling: WaitList,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lifecycle {
    Open,
    /// The application closed it.
    Closed,
    /// The loop ended: nothing will happen any more.
    Gone,
}

impl Shard {
    /// A shard whose first socket is bound to `local`.
    pub(crate) fn new(
        local: SocketAddr,
        config: EndpointConfig,
        clock: Clock,
        random: SeededRandom,
    ) -> io::Result<Self> {
        let config = Arc::new(config);
        let (multiplexer, socket) = manager::multiplexer(Arc::clone(&config), local, random)?;
        let state = ShardState {
            multiplexer,
            config,
            socket,
            sockets: Sockets::new(socket, local),
            connections: BTreeMap::new(),
            incoming: VecDeque::new(),
            prune_incoming_at: FEWEST_TO_PRUNE,
            client: None,
            listening: false,
            deaf: false,
            lifecycle: Lifecycle::Open,
            unsent: false,
            accepting: WaitList::default(),
            idling: WaitList::default(),
        };
        Ok(Self {
            bell: Arc::new(Bell::new(clock)),
            counters: SocketCounters::default(),
            punctuality: Punctuality::default(),
            should_be_deaf: AtomicBool::new(false),
            state: Mutex::new(state),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, ShardState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a connection; with the default configuration if none is given.
    pub(crate) fn connect(
        &self,
        config: Option<Arc<ClientConfig>>,
        address: SocketAddr,
        server_name: &str,
    ) -> Result<Connecting, ConnectError> {
        let now = self.bell.now();
        let mut state = self.lock();
        let config = config.or_else(|| state.client.clone()).ok_or(ConnectError::NoClientConfig)?;
        let (socket, remote) = state
            .sockets
            .reaching(address, state.socket)
            .ok_or(quic_core::ConnectError::InvalidRemoteAddress(address))?;
        if !state.is_open() {
            return Err(ConnectError::EndpointClosed);
        }
        let path = PathAddresses { socket, local_ip: None, remote };
        let connected = state
            .with_manager(|manager| manager.connect(now, Connect { path, server_name, config }))
            .ok_or(ConnectError::EndpointClosed)?;
        let connecting = self.start(&mut state, connected?);
        drop(state);
        self.bell.ring();
        connecting.ok_or(ConnectError::EndpointClosed)
    }

    /// Takes a connection that the manager has just made into the table. The caller rings the bell
    /// once it let go of the lock.
    pub(crate) fn start(
        &self,
        state: &mut ShardState,
        handle: ConnectionHandle,
    ) -> Option<Connecting> {
        let cell = state.with_manager(|manager| manager.cell(handle).cloned()).flatten()?;
        state.connections.insert(handle, cell.clone());
        state.unsent = true;
        let bell = Arc::clone(&self.bell);
        Some(Connecting::new(Arc::new(ConnectionRef::new(cell, bell))))
    }

    pub(crate) fn stop_listening(&self) {
        let mut woken = Vec::new();
        let mut state = self.lock();
        state.stop_listening(&mut woken);
        drop(state);
        self.bell.ring();
        shared::wake(&mut woken);
    }

    pub(crate) fn close(&self, code: VarInt, reason: &Bytes) {
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

    /// See [`Endpoint::rebind_to`](crate::Endpoint::rebind_to).
    pub(crate) fn rebind_to(&self, local: SocketAddr) -> io::Result<SocketId> {
        let now = self.bell.now();
        let mut changed = Vec::new();
        let mut state = self.lock();
        let socket = state.add_socket(local)?;
        state.sockets.use_until_idle(socket, local);
        state.socket = socket;
        state.move_connections(now, true, &mut changed);
        drop(state);
        self.bell.ring_for_all(&changed);
        Ok(socket)
    }

    /// See [`Endpoint::add_socket_at`](crate::Endpoint::add_socket_at).
    pub(crate) fn add_socket_at(&self, local: SocketAddr) -> io::Result<SocketId> {
        let mut state = self.lock();
        let socket = state.add_socket(local)?;
        state.sockets.keep(socket, local);
        drop(state);
        self.bell.ring();
        Ok(socket)
    }

    /// See [`Endpoint::remove_socket`](crate::Endpoint::remove_socket).
    pub(crate) fn remove_socket(&self, local: SocketAddr) -> io::Result<()> {
        let now = self.bell.now();
        let (mut changed, mut woken) = (Vec::new(), Vec::new());
        let mut state = self.lock();
        let removed = state.remove_socket_at(now, local, &mut changed);
        state.drain_events(&mut woken);
        drop(state);
        self.bell.ring_for_all(&changed);
        shared::wake(&mut woken);
        removed
    }
}

/// Below this many attempts in the queue nothing is gained by looking for stale ones.
const FEWEST_TO_PRUNE: usize = 64;
