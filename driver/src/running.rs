//! Endpoints whose loop a runtime runs.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, PoisonError};

use quic_core::SocketId;

use crate::endpoint::{Endpoint, EndpointOptions};
use crate::run::Run;
use crate::runtime::{AsyncSocket, Timer};
use crate::sync::{Mutex, MutexGuard};

/// An [`Endpoint`] and the way on which its loop gets more sockets. Clones are handles of the same
/// endpoint.
///
/// The driver for a runtime makes it, spawns the loop and wraps the handle into an endpoint of its
/// own, which makes sockets for the runtime out of what its users have.
pub struct RunningEndpoint<S> {
    inner: Endpoint,
    sockets: Arc<NewSockets<S>>,
}

impl<S: AsyncSocket> RunningEndpoint<S> {
    /// An endpoint on a socket, and its loop, which the runtime has to spawn. The loop needs no
    /// more than that and ends by itself.
    ///
    /// `timer` fires on the clock of `options`.
    ///
    /// # Errors
    /// If the socket does not know its address, the system has no randomness to give, or the
    /// configuration cannot be used.
    pub fn new<T: Timer>(
        socket: S,
        timer: T,
        options: EndpointOptions,
    ) -> io::Result<(Self, Run<S, T>)> {
        let (inner, pump) = Endpoint::new(socket.local_addr()?, options)?;
        let sockets = Arc::new(NewSockets::default());
        if let Some(id) = pump.first_socket() {
            sockets.lock().push((id, socket));
        }
        let run = Run::new(Arc::clone(&sockets), pump, timer);
        Ok((Self { inner, sockets }, run))
    }

    /// Goes over to another socket, as when the network has changed: new connections are opened on
    /// it, and every connection that was opened here moves to it (RFC 9000 §9.2), at once or as
    /// soon as its handshake is confirmed; their streams go on. Connections that were accepted stay
    /// on the old socket, since servers do not move, and new ones are accepted on both. The old
    /// socket is closed once no connection needs it.
    ///
    /// A socket with the address of the old one takes its place. Connections over IPv4 do not move
    /// to sockets of IPv6, nor the other way round; neither do those whose server forbids it.
    ///
    /// # Errors
    /// If the socket does not know its address, or the endpoint was closed.
    pub fn rebind(&self, socket: S) -> io::Result<()> {
        self.take(socket, Endpoint::rebind_to)
    }

    /// Accepts connections on another socket as well, for as long as the endpoint lives: as that of
    /// a [`preferred_address_v4`](crate::ServerConfig::preferred_address_v4).
    ///
    /// # Errors
    /// If the socket does not know its address, or the endpoint was closed.
    pub fn add_socket(&self, socket: S) -> io::Result<()> {
        self.take(socket, Endpoint::add_socket_at)
    }

    fn take(
        &self,
        socket: S,
        name: impl FnOnce(&Endpoint, SocketAddr) -> io::Result<SocketId>,
    ) -> io::Result<()> {
        let local = socket.local_addr()?;
        // The loop must not see the name before the socket.
        let mut sockets = self.sockets.lock();
        let id = name(&self.inner, local)?;
        sockets.push((id, socket));
        drop(sockets);
        self.inner.wake();
        Ok(())
    }
}

impl<S> Clone for RunningEndpoint<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), sockets: Arc::clone(&self.sockets) }
    }
}

impl<S> Deref for RunningEndpoint<S> {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        &self.inner
    }
}

impl<S> fmt::Debug for RunningEndpoint<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunningEndpoint").field(&self.inner).finish()
    }
}

/// Sockets that the application brought and the loop has not taken yet.
pub(crate) struct NewSockets<S>(Mutex<Vec<(SocketId, S)>>);

impl<S> NewSockets<S> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<(SocketId, S)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Default for NewSockets<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
