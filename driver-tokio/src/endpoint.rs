//! Endpoints whose loop tokio runs.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Deref;

use driver::{Clock, EndpointConfig, EndpointOptions, RunningEndpoint, ServerConfig};
use tokio::task::unconstrained;

use crate::runtime;
use crate::socket::TokioSocket;
use crate::timer::TokioTimer;

/// A UDP socket with any number of QUIC connections, run by tokio. Clones are handles of the same
/// endpoint; see [`driver::Endpoint`] for what it can do.
///
/// The constructors have to be called inside of a tokio runtime with I/O and time, and return an
/// error elsewhere. Where the runtime lacks one of the two, tokio itself can only panic: that is
/// caught and becomes an error as well, but the program's panic hook hears of it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    inner: RunningEndpoint<TokioSocket>,
}

impl Endpoint {
    /// An endpoint that accepts connections on `address`, and can open some.
    ///
    /// # Errors
    /// If the address cannot be bound, or there is no tokio runtime with I/O and time.
    pub fn server(config: ServerConfig, address: SocketAddr) -> io::Result<Self> {
        Self::new(EndpointConfig::default(), Some(config), UdpSocket::bind(address)?)
    }

    /// An endpoint that only opens connections, from `address`: with port 0 from any port.
    ///
    /// # Errors
    /// If the address cannot be bound, or there is no tokio runtime with I/O and time.
    pub fn client(address: SocketAddr) -> io::Result<Self> {
        Self::new(EndpointConfig::default(), None, UdpSocket::bind(address)?)
    }

    /// An endpoint on a socket that is bound already; accepts connections if `server` is given.
    ///
    /// # Errors
    /// If the socket cannot be used, or there is no tokio runtime with I/O and time.
    pub fn new(
        config: EndpointConfig,
        server: Option<ServerConfig>,
        socket: UdpSocket,
    ) -> io::Result<Self> {
        let tokio = runtime::current()?;
        let (socket, warnings) = TokioSocket::new(socket)?;
        let clock = Clock::system();
        let timer = TokioTimer::new(clock.clone())?;
        let options = EndpointOptions::new(config)
            .with_server(server)
            .with_warnings(warnings)
            .with_clock(clock);
        let (inner, run) = RunningEndpoint::new(socket, timer, options)?;
        // Tokio's budget would report a socket or timer that is ready as not ready.
        tokio.spawn(unconstrained(run));
        Ok(Self { inner })
    }

    /// Goes over to another socket, as when the network has changed; see
    /// [`RunningEndpoint::rebind`].
    ///
    /// # Errors
    /// If the socket cannot be used, the endpoint was closed, or there is no tokio runtime with
    /// I/O.
    pub fn rebind(&self, socket: UdpSocket) -> io::Result<()> {
        let (socket, _) = TokioSocket::new(socket)?;
        self.inner.rebind(socket)
    }

    /// Accepts connections on another socket as well, for as long as the endpoint lives: as that of
    /// a [`preferred_address_v4`](ServerConfig::preferred_address_v4).
    ///
    /// # Errors
    /// If the socket cannot be used, the endpoint was closed, or there is no tokio runtime with
    /// I/O.
    pub fn add_socket(&self, socket: UdpSocket) -> io::Result<()> {
        let (socket, _) = TokioSocket::new(socket)?;
        self.inner.add_socket(socket)
    }
}

impl Deref for Endpoint {
    type Target = driver::Endpoint;

    fn deref(&self) -> &driver::Endpoint {
        &self.inner
    }
}
