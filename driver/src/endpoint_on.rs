//! Endpoints on sockets of the system, whose loop a runtime runs.

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Deref;

use quic_core::{EndpointConfig, ServerConfig};

use crate::clock::Clock;
use crate::endpoint::{Endpoint, EndpointOptions};
use crate::running::RunningEndpoint;
use crate::runtime::{CurrentRuntime, Runtime};

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
    /// An endpoint that accepts connections on `address`, and can open some.
    ///
    /// # Errors
    /// If the address cannot be bound, or the runtime is not there or lacks a part.
    pub fn server(config: ServerConfig, address: SocketAddr) -> io::Result<Self> {
        Self::new(EndpointConfig::default(), Some(config), UdpSocket::bind(address)?)
    }

    /// An endpoint that only opens connections, from `address`: with port 0 from any port.
    ///
    /// # Errors
    /// If the address cannot be bound, or the runtime is not there or lacks a part.
    pub fn client(address: SocketAddr) -> io::Result<Self> {
        Self::new(EndpointConfig::default(), None, UdpSocket::bind(address)?)
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
        Self::new_on(R::current()?, config, server, socket)
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
        let (socket, warnings) = runtime.socket(socket)?;
        let clock = Clock::system();
        let timer = runtime.timer(clock.clone())?;
        let options = EndpointOptions::new(config)
            .with_server(server)
            .with_warnings(warnings)
            .with_clock(clock);
        let (inner, run) = RunningEndpoint::new(socket, timer, options)?;
        runtime.spawn(run);
        Ok(Self { inner, runtime })
    }

    /// Goes over to another socket, as when the network has changed; see
    /// [`RunningEndpoint::rebind`].
    ///
    /// # Errors
    /// If the socket cannot be used, or the endpoint was closed.
    pub fn rebind(&self, socket: UdpSocket) -> io::Result<()> {
        let (socket, _) = self.runtime.socket(socket)?;
        self.inner.rebind(socket)
    }

    /// Accepts connections on another socket as well, for as long as the endpoint lives: as that of
    /// a [`preferred_address_v4`](ServerConfig::preferred_address_v4).
    ///
    /// # Errors
    /// If the socket cannot be used, or the endpoint was closed.
    pub fn add_socket(&self, socket: UdpSocket) -> io::Result<()> {
        let (socket, _) = self.runtime.socket(socket)?;
        self.inner.add_socket(socket)
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
