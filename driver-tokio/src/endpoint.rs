//! Endpoints whose loop tokio runs.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Deref;

use driver::{EndpointConfig, ServerConfig, UdpOffload, enlarge_buffers};

use crate::run::Run;
use crate::socket::TokioSocket;

/// A UDP socket with any number of QUIC connections, run by tokio. Clones are handles of the same
/// endpoint; see [`driver::Endpoint`] for what it can do.
///
/// # Panics
/// The constructors do not panic outside of a runtime; they return an error.
#[derive(Clone, Debug)]
pub struct Endpoint(driver::Endpoint);

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
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let offload = UdpOffload::new((&socket).into())?;
        let warnings = enlarge_buffers(&socket, &offload);
        let local = socket.local_addr()?;
        let socket = TokioSocket::new(socket, offload)?;
        let (endpoint, pump) = driver::Endpoint::new(config, server, local, warnings)?;
        runtime.spawn(tokio::task::unconstrained(Run::new(socket, pump)));
        Ok(Self(endpoint))
    }
}

impl Deref for Endpoint {
    type Target = driver::Endpoint;

    fn deref(&self) -> &driver::Endpoint {
        &self.0
    }
}
