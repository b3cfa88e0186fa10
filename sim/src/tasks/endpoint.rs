//! Endpoints on simulated hosts.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::task::{Context, Poll};

use driver::{
    Clock, EndpointConfig, EndpointOptions, RunningEndpoint, ServerConfig, TimeSource, Timer,
};
use quic_core::Instant;

use super::host::Host;
use super::socket::Socket;
use super::surroundings::Surroundings;
use super::timers::TimerKey;
use crate::network::HostId;

/// A UDP socket on a simulated host with any number of QUIC connections. Clones are handles of the
/// same endpoint; see [`driver::Endpoint`] for what it can do.
///
/// It has the methods of the endpoints of other drivers; only the constructors are told the host,
/// whose clock it reads and whose task its loop is. Its random choices follow from the seed of the
/// simulation.
#[derive(Clone, Debug)]
pub struct Endpoint {
    inner: RunningEndpoint<Socket>,
}

impl Endpoint {
    /// An endpoint that accepts connections on `address`, and can open some.
    ///
    /// # Errors
    /// If the address is taken, or the configuration cannot be used.
    #[track_caller]
    pub fn server(host: &Host, config: ServerConfig, address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::bind(host, address)?;
        Self::new(host, EndpointConfig::default(), Some(config), socket)
    }

    /// An endpoint that only opens connections, from `address`: with port 0 from any port.
    ///
    /// # Errors
    /// If the address is taken.
    #[track_caller]
    pub fn client(host: &Host, address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::bind(host, address)?;
        Self::new(host, EndpointConfig::default(), None, socket)
    }

    /// An endpoint on a socket that is bound already; accepts connections if `server` is given.
    ///
    /// # Errors
    /// If the configuration cannot be used.
    #[track_caller]
    pub fn new(
        host: &Host,
        config: EndpointConfig,
        server: Option<ServerConfig>,
        socket: Socket,
    ) -> io::Result<Self> {
        Self::open(host, EndpointOptions::new(config).with_server(server), socket)
    }

    /// An endpoint made of `options`, with the clock of the host and a seed of the simulation, on a
    /// socket that is bound already, and as many more on its address as it has shards.
    ///
    /// # Errors
    /// If the configuration cannot be used.
    #[track_caller]
    pub fn open(host: &Host, options: EndpointOptions, socket: Socket) -> io::Result<Self> {
        let surroundings = Arc::clone(&host.surroundings);
        let clock = Clock::of(Arc::new(HostClock(host.id(), Arc::clone(&surroundings))));
        let parts = share(socket, options.shards.get().into()).into_iter().map(|socket| {
            let surroundings = Arc::clone(&surroundings);
            (socket, HostTimer { host: host.id(), surroundings, key: None })
        });
        let options = options.with_seed(surroundings.seed()).with_clock(clock);
        let (inner, runs) = RunningEndpoint::sharded(parts.collect(), options)?;
        for run in runs {
            host.spawn(run);
        }
        Ok(Self { inner })
    }

    /// Goes over to another socket, as when the network has changed; see
    /// [`RunningEndpoint::rebind`].
    ///
    /// # Errors
    /// If the endpoint was closed.
    pub fn rebind(&self, socket: Socket) -> io::Result<()> {
        self.inner.rebind(share(socket, self.shard_count()))
    }

    /// Accepts connections on another socket as well, for as long as the endpoint lives: as that of
    /// a [`preferred_address_v4`](ServerConfig::preferred_address_v4).
    ///
    /// # Errors
    /// If the endpoint was closed.
    pub fn add_socket(&self, socket: Socket) -> io::Result<()> {
        self.inner.add_socket(share(socket, self.shard_count()))
    }
}

impl Deref for Endpoint {
    type Target = driver::Endpoint;

    fn deref(&self) -> &driver::Endpoint {
        &self.inner
    }
}

/// A socket, and as many more on its address as make `count` together.
fn share(first: Socket, count: usize) -> Vec<Socket> {
    let mut sockets: Vec<Socket> = (1..count).map(|_| first.share()).collect();
    sockets.insert(0, first);
    sockets
}

/// The clock of a host.
struct HostClock(HostId, Arc<Surroundings>);

impl TimeSource for HostClock {
    fn now(&self) -> Instant {
        self.1.now(Some(self.0))
    }
}

impl fmt::Debug for HostClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostClock").field(&self.0.index()).finish()
    }
}

/// A timer of a host.
struct HostTimer {
    host: HostId,
    surroundings: Arc<Surroundings>,
    key: Option<TimerKey>,
}

impl Timer for HostTimer {
    fn reset(&mut self, at: Instant) {
        if let Some(key) = self.key.take() {
            self.surroundings.cancel_timer(key);
        }
        self.key = Some(self.surroundings.set_timer(Some(self.host), at));
    }

    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.key.map_or(Poll::Pending, |key| self.surroundings.poll_timer(key, cx))
    }
}

impl Drop for HostTimer {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.surroundings.cancel_timer(key);
        }
    }
}
