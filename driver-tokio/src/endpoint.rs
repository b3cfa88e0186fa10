//! Endpoints whose loop tokio runs.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Deref;

use driver::{EndpointConfig, ServerConfig, UdpOffload, enlarge_buffers};
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep_until};

use crate::run::Run;
use crate::runtime;
use crate::socket::TokioSocket;

/// A UDP socket with any number of QUIC connections, run by tokio. Clones are handles of the same
/// endpoint; see [`driver::Endpoint`] for what it can do.
///
/// The constructors have to be called inside of a tokio runtime with I/O and time, and return an
/// error elsewhere. Where the runtime lacks one of the two, tokio itself can only panic: that is
/// caught and becomes an error as well, but the program's panic hook hears of it.
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
        let tokio = runtime::current()?;
        let offload = UdpOffload::new(&socket)?;
        let warnings = enlarge_buffers(&socket, &offload);
        let local = socket.local_addr()?;
        let socket = runtime::with("enable_io", || TokioSocket::new(socket, offload))??;
        let timer = runtime::with("enable_time", || sleep_until(Instant::now()))?;
        let (endpoint, pump) = driver::Endpoint::new(config, server, local, warnings)?;
        tokio.spawn(unconstrained(Run::new(socket, pump, timer)));
        Ok(Self(endpoint))
    }
}

impl Deref for Endpoint {
    type Target = driver::Endpoint;

    fn deref(&self) -> &driver::Endpoint {
        &self.0
    }
}
