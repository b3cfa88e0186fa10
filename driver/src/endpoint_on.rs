//! Endpoints on sockets of the system, whose loop a runtime runs.

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::ops::Deref;

use quic_core::{EndpointConfig, ServerConfig};

use crate::clock::Clock;
use crate::endpoint::{Endpoint, EndpointOptions};
use crate::running::RunningEndpoint;
use crate::runtime::{CurrentRuntime, Runtime};
use crate::share;

/// A UDP socket with any number of QUIC connections, run by a runtime. Clones are handles of the
/// same endpoint; see [`Endpoint`] for what it can do.
///
/// Drivers give it the name `Endpoint`. Constructors that are not told a runtime take the one that
/// they are called in, and return an error where there is none.
pub struct EndpointOn<R: Runtime> {
    inner: RunningEndpoint<R::Socket>,
    runtime: R,
}

impl<R: CurrentRuntime> EndpointOn<R> {
    /// An endpoint that accepts connections on `address`, and can open some. On Linux, it has as many
    /// shards as the runtime can run loops at the same time, which is one for each core by default;
    /// see [`EndpointOptions::shards`].
    ///
    /// # Errors
    /// If the address cannot be bound, or the runtime is not there or lacks a part.
    pub fn server(config: ServerConfig, address: SocketAddr) -> io::Result<Self> {
        let runtime = R::current()?;
        let shards = share::shards_of_a_server(runtime.parallelism());
        let options = EndpointOptions::default().with_server(Some(config)).with_shards(shards);
        Self::open_on(runtime, options, UdpSocket::bind(address)?)
    }

    /// An endpoint that only opens connections, from `address`: with port 0 from any port.
    ///
    /// # Errors
    /// If the address cannot be bound, or the runtime is not there or lacks a part.
    pub fn client(address: SocketAddr) -> io::Result<Self> {
        Self::open(EndpointOptions::default(), UdpSocket::bind(address)?)
    }

    /// An endpoint on a socket that is bound already; accepts connections if `server` is given.
    ///
    /// # Errors
    /// If the socket cannot be used, or the runtime is not there or lacks a part.
    pub fn new(
        config: EndpointConfig,
        server: Option<ServerConfig>,
        socket: UdpSocket,
    ) -> io::Result<Self> {
        Self::open(EndpointOptions::new(config).with_server(server), socket)
    }

    /// An endpoint made of `options`, with the clock of the system, on a socket that is bound
    /// already. If it has several shards, it binds as many sockets more to the same address
    /// (`SO_REUSEPORT`), which only Linux can; it needs the right to do so.
    ///
    /// # Errors
    /// If the socket cannot be used or shared, or the runtime is not there or lacks a part.
    pub fn open(options: EndpointOptions, socket: UdpSocket) -> io::Result<Self> {
        Self::open_on(R::current()?, options, socket)
    }
}

impl<R: Runtime> EndpointOn<R> {
    /// An endpoint on this runtime, wherever it is called, and on a socket that is bound already;
    /// accepts connections if `server` is given.
    ///
    /// # Errors
    /// If the socket cannot be used, or the runtime lacks a part.
    pub fn new_on(
        runtime: R,
        config: EndpointConfig,
        server: Option<ServerConfig>,
        socket: UdpSocket,
    ) -> io::Result<Self> {
        Self::open_on(runtime, EndpointOptions::new(config).with_server(server), socket)
    }

    /// The same as [`open`](EndpointOn::open), on this runtime, wherever it is called.
    ///
    /// # Errors
    /// If the socket cannot be used or shared, or the runtime lacks a part.
    pub fn open_on(runtime: R, options: EndpointOptions, socket: UdpSocket) -> io::Result<Self> {
        let clock = Clock::system();
        let mut warnings = Vec::new();
        let parts = share::share(socket, options.shards)?.into_iter().map(|socket| {
            let (socket, more) = runtime.socket(socket)?;
            // Those of one socket are those of all.
            warnings = more;
            Ok((socket, runtime.timer(clock.clone())?))
        });
        let parts = parts.collect::<io::Result<_>>()?;
        let options = options.with_clock(clock).with_warnings(warnings);
        let (inner, runs) = RunningEndpoint::sharded(parts, options)?;
        for run in runs {
            runtime.spawn(run);
        }
        Ok(Self { inner, runtime })
    }

    /// Goes over to another socket, as when the network has changed; see
    /// [`RunningEndpoint::rebind`]. If the endpoint has several shards, it binds as many sockets more
    /// to the same address.
    ///
    /// # Errors
    /// If the socket cannot be used or shared, or the endpoint was closed.
    pub fn rebind(&self, socket: UdpSocket) -> io::Result<()> {
        self.inner.rebind(self.sockets(socket)?)
    }

    /// Uses another socket as well; see [`Endpoint::add_socket_at`]: to accept connections on several
    /// addresses, and over both versions of IP. If the endpoint has several shards, it binds as many
    /// sockets more to the same address.
    ///
    /// # Errors
    /// If the socket cannot be used or shared, or the endpoint was closed.
    pub fn add_socket(&self, socket: UdpSocket) -> io::Result<()> {
        self.inner.add_socket(self.sockets(socket)?)
    }

    /// A socket of the runtime for each shard.
    fn sockets(&self, socket: UdpSocket) -> io::Result<Vec<R::Socket>> {
        let count = u16::try_from(self.shard_count()).ok().and_then(NonZeroU16::new);
        let sockets = share::share(socket, count.unwrap_or(NonZeroU16::MIN))?;
        sockets.into_iter().map(|socket| Ok(self.runtime.socket(socket)?.0)).collect()
    }
}

impl<R: Runtime> Clone for EndpointOn<R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), runtime: self.runtime.clone() }
    }
}

impl<R: Runtime> fmt::Debug for EndpointOn<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EndpointOn").field(&self.inner).finish()
    }
}

impl<R: Runtime> Deref for EndpointOn<R> {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        &self.inner
    }
}
