//! Endpoints whose loop a runtime runs.

use std::fmt;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::ops::Deref;
use std::sync::{Arc, PoisonError};

use quic_core::SocketId;

use crate::endpoint::{Endpoint, EndpointOptions};
use crate::run::Run;
use crate::runtime::{AsyncSocket, Timer};
use crate::sync::{Mutex, MutexGuard};

/// An [`Endpoint`] and the way on which its loops get more sockets. Clones are handles of the same
/// endpoint.
///
/// The driver for a runtime makes it, spawns the loops and wraps the handle into an endpoint of its
/// own, which makes sockets for the runtime out of what its users have.
pub struct RunningEndpoint<S> {
    inner: Endpoint,
    /// Of each shard.
    sockets: Arc<[NewSockets<S>]>,
}

impl<S: AsyncSocket> RunningEndpoint<S> {
    /// An endpoint on a socket, and its loop, which the runtime has to spawn. The loop needs no
    /// more than that and ends by itself.
    ///
    /// `timer` fires on the clock of `options`, whose number of shards does not count.
    ///
    /// # Errors
    /// If the socket does not know its address, the system has no randomness to give, or the
    /// configuration cannot be used.
    pub fn new<T: Timer>(
        socket: S,
        timer: T,
        options: EndpointOptions,
    ) -> io::Result<(Self, Run<S, T>)> {
        let options = options.with_shards(NonZeroU16::MIN);
        let (endpoint, mut runs) = Self::sharded(vec![(socket, timer)], options)?;
        let run = runs.pop().ok_or_else(|| io::Error::other("an endpoint has a shard"))?;
        Ok((endpoint, run))
    }

    /// An endpoint with a shard for each of `parts`, whose sockets are all bound to one address, and
    /// their loops.
    ///
    /// # Errors
    /// If there are as many parts as no endpoint has shards, or for one of the reasons that
    /// [`new`](Self::new) has.
    pub fn sharded<T: Timer>(
        parts: Vec<(S, T)>,
        options: EndpointOptions,
    ) -> io::Result<(Self, Vec<Run<S, T>>)> {
        let count = u16::try_from(parts.len()).ok().and_then(NonZeroU16::new);
        let first = count.zip(parts.first());
        let (count, (first, _)) = first.ok_or_else(|| wrong_number(parts.len()))?;
        let local = first.local_addr()?;
        let (inner, pumps) = Endpoint::sharded(local, options.with_shards(count))?;
        let (mut sockets, mut timers) = (Vec::new(), Vec::new());
        for ((socket, timer), pump) in parts.into_iter().zip(&pumps) {
            sockets.push(NewSockets::with(pump.first_socket().map(|id| (id, socket))));
            timers.push(timer);
        }
        let sockets: Arc<[NewSockets<S>]> = sockets.into();
        let runs = pumps.into_iter().zip(timers).enumerate().map(|(index, (pump, timer))| {
            Run::new(ShardSockets { all: Arc::clone(&sockets), index }, pump, timer)
        });
        let runs = runs.collect();
        Ok((Self { inner, sockets }, runs))
    }

    /// Goes over to other sockets, one for each shard, all bound to one address, as when the network
    /// has changed: new connections are opened on them, and every connection that was opened here
    /// moves to them (RFC 9000 §9.2), at once or as soon as its handshake is confirmed; their
    /// streams go on. Connections that were accepted stay on the old sockets, since servers do not
    /// move, and new ones are accepted on both. The old sockets are closed once no connection needs
    /// them.
    ///
    /// Sockets with the address of the old ones take their place. Connections over IPv4 do not move
    /// to sockets of IPv6, nor the other way round; neither do those whose server forbids it.
    ///
    /// # Errors
    /// If these are not as many sockets as there are shards, the first one does not know its
    /// address, or the endpoint was closed.
    pub fn rebind(&self, sockets: Vec<S>) -> io::Result<()> {
        self.take(sockets, Endpoint::rebind_to)
    }

    /// Uses other sockets as well, one for each shard, all bound to one address: see
    /// [`Endpoint::add_socket_at`].
    ///
    /// # Errors
    /// As those of [`rebind`](Self::rebind).
    pub fn add_socket(&self, sockets: Vec<S>) -> io::Result<()> {
        self.take(sockets, Endpoint::add_socket_at)
    }

    fn take(
        &self,
        sockets: Vec<S>,
        name: impl FnOnce(&Endpoint, SocketAddr) -> io::Result<SocketId>,
    ) -> io::Result<()> {
        let first = sockets.first().filter(|_| sockets.len() == self.sockets.len());
        let local = first.ok_or_else(|| wrong_number(sockets.len()))?.local_addr()?;
        // No loop must see the name before the socket.
        let mut places: Vec<_> = self.sockets.iter().map(NewSockets::lock).collect();
        let id = name(&self.inner, local)?;
        for (place, socket) in places.iter_mut().zip(sockets) {
            place.push((id, socket));
        }
        drop(places);
        self.inner.wake();
        Ok(())
    }
}

fn wrong_number(sockets: usize) -> io::Error {
    let reason = format!("each shard takes one socket, not {sockets} together");
    io::Error::new(io::ErrorKind::InvalidInput, reason)
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

/// The new sockets of one shard.
pub(crate) struct ShardSockets<S> {
    all: Arc<[NewSockets<S>]>,
    index: usize,
}

impl<S> ShardSockets<S> {
    /// Takes them.
    pub(crate) fn take(&self) -> Vec<(SocketId, S)> {
        self.all.get(self.index).map(|own| mem::take(&mut *own.lock())).unwrap_or_default()
    }
}

/// Sockets that the application brought and the loop has not taken yet.
struct NewSockets<S>(Mutex<Vec<(SocketId, S)>>);

impl<S> NewSockets<S> {
    fn with(first: Option<(SocketId, S)>) -> Self {
        Self(Mutex::new(first.into_iter().collect()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(SocketId, S)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
