//! Endpoints whose loop tokio runs.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Deref;
use std::sync::Arc;

use driver::{EndpointConfig, ServerConfig, SocketId, UdpOffload, enlarge_buffers};
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep_until};

use crate::run::Run;
use crate::runtime;
use crate::socket::{NewSockets, TokioSocket};

/// A UDP socket with any number of QUIC connections, run by tokio. Clones are handles of the same
/// endpoint; see [`driver::Endpoint`] for what it can do.
///
/// The constructors have to be called inside of a tokio runtime with I/O and time, and return an
/// error elsewhere. Where the runtime lacks one of the two, tokio itself can only panic: that is
/// caught and becomes an error as well, but the program's panic hook hears of it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    inner: driver::Endpoint,
    sockets: Arc<NewSockets>,
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
        let offload = UdpOffload::new(&socket)?;
        let warnings = enlarge_buffers(&socket, &offload);
        let local = socket.local_addr()?;
        let socket = runtime::with("enable_io", || TokioSocket::new(socket, offload))??;
        let timer = runtime::with("enable_time", || sleep_until(Instant::now()))?;
        let (inner, pump) = driver::Endpoint::new(config, server, local, warnings)?;
        let sockets = Arc::new(NewSockets::default());
        if let Some(id) = pump.first_socket() {
            sockets.push(id, socket);
        }
        tokio.spawn(unconstrained(Run::new(Arc::clone(&sockets), pump, timer)));
        Ok(Self { inner, sockets })
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
    /// If the socket cannot be used, the endpoint was closed, or there is no tokio runtime with
    /// I/O.
    pub fn rebind(&self, socket: UdpSocket) -> io::Result<()> {
        self.take(socket, driver::Endpoint::rebind_to)
    }

    /// Accepts connections on another socket as well, for as long as the endpoint lives: as that of
    /// a [`preferred_address_v4`](ServerConfig::preferred_address_v4).
    ///
    /// # Errors
    /// If the socket cannot be used, the endpoint was closed, or there is no tokio runtime with
    /// I/O.
    pub fn add_socket(&self, socket: UdpSocket) -> io::Result<()> {
        self.take(socket, driver::Endpoint::add_socket_at)
    }

    fn take(
        &self,
        socket: UdpSocket,
        name: impl FnOnce(&driver::Endpoint, SocketAddr) -> io::Result<SocketId>,
    ) -> io::Result<()> {
        let offload = UdpOffload::new(&socket)?;
        let _warnings: Vec<driver::Warning> = enlarge_buffers(&socket, &offload);
        let local = socket.local_addr()?;
        runtime::current()?;
        let socket = runtime::with("enable_io", || TokioSocket::new(socket, offload))??;
        // The loop must not see the name before the socket.
        let mut sockets = self.sockets.lock();
        let id = name(&self.inner, local)?;
        sockets.push((id, socket));
        drop(sockets);
        self.inner.wake();
        Ok(())
    }
}

impl Deref for Endpoint {
    type Target = driver::Endpoint;

    fn deref(&self) -> &driver::Endpoint {
        &self.inner
    }
}
