//! The contract of what owns connections.

use std::sync::Arc;

use crate::config::{ClientConfig, EndpointConfig, ServerConfig};
use crate::connection::Connection;
use crate::crypto::StartSessionError;
use crate::event::{ConnectionHandle, Event};
use crate::instant::Instant;
use crate::net::{Misdirected, PathAddresses, SocketId, UdpDatagram};
use crate::transmit::{Transmit, TransmitBuffer};

/// Where a connection lives: in place, or behind a lock that handles share.
pub trait ConnectionCell {
    /// A home for a new connection.
    fn new(handle: ConnectionHandle, connection: Connection) -> Self;

    /// Lets `act` work on the connection. The only way to it.
    fn with<R>(&mut self, act: impl FnOnce(&mut Connection) -> R) -> R;
}

impl ConnectionCell for Box<Connection> {
    fn new(_: ConnectionHandle, connection: Connection) -> Self {
        Self::new(connection)
    }

    fn with<R>(&mut self, act: impl FnOnce(&mut Connection) -> R) -> R {
        act(self)
    }
}

/// Owns the packet handlers of a socket and routes each UDP datagram to one of them.
///
/// Two methods put the world in (`handle_*`) and three take the consequences out (`poll_*`).
/// Call every `poll_*` until it is empty after any other call.
///
/// Time does not go back: a manager takes a `now` before the latest that it was given for that one.
/// If all that it is given lie before, the clock was set back, and time goes on from where it was.
pub trait PacketHandlerManager {
    /// Where its connections live.
    type Cell: ConnectionCell;

    /// Takes a datagram, or a train of them. Never fails: what cannot be processed is dropped, and
    /// counted by the connection that it is for, or closes it.
    fn handle_datagram(&mut self, now: Instant, datagram: UdpDatagram<'_>);
    /// Does what is due by `now`.
    fn handle_timeout(&mut self, now: Instant);
    /// Fills `buffer` with the next datagrams to send on `socket`.
    fn poll_transmit(
        &mut self,
        now: Instant,
        socket: SocketId,
        buffer: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit>;
    /// The next event.
    fn poll_event(&mut self) -> Option<(ConnectionHandle, Event)>;
    /// The next datagram that belongs to another shard: see [`Multiplexer::poll_misdirected`].
    ///
    /// [`Multiplexer::poll_misdirected`]: crate::Multiplexer::poll_misdirected
    fn poll_misdirected(&mut self) -> Option<Misdirected>;
    /// See [`Multiplexer::handle_unclaimed`].
    ///
    /// [`Multiplexer::handle_unclaimed`]: crate::Multiplexer::handle_unclaimed
    fn handle_unclaimed(&mut self, now: Instant, datagram: UdpDatagram<'_>);
    /// When `handle_timeout` is next due; `None` if not before something else happens.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Accepts connections from now on, or with another configuration.
    fn listen(&mut self, config: Arc<ServerConfig>);
    /// Refuses new connections from now on; attempts that wait are refused, connections live on.
    fn stop_listening(&mut self);
    /// Replaces the configuration by one that differs in the keyring and in what makes connection
    /// IDs, of the same length, only. New connections, attempts and resets go by it at once; each
    /// connection when it is next worked on: if something else makes connection IDs now, it asks
    /// its peer to retire those that were made before.
    fn reconfigure(&mut self, config: Arc<EndpointConfig>);

    /// Opens a connection.
    ///
    /// # Errors
    /// See [`ConnectError`].
    fn connect(
        &mut self,
        now: Instant,
        target: Connect<'_>,
    ) -> Result<ConnectionHandle, ConnectError>;

    /// The datagrams that left this socket last did not leave: the system refused one of `length`
    /// bytes as too large for the interface. It is not tried again soon; if it had no more than
    /// 1,200 bytes, and that goes on for three probe timeouts, the connection ends with
    /// NO_VIABLE_PATH (RFC 9000 §14.2).
    ///
    /// Call it after that `poll_transmit` and before the next one of the socket. What an ICMP
    /// message says must not come here, since anybody can send one (RFC 9000 §14.2.1).
    fn handle_too_large(&mut self, now: Instant, socket: SocketId, length: usize);

    /// What is known of an attempt that waits to be accepted.
    fn incoming(&self, handle: ConnectionHandle) -> Option<Incoming>;
    /// Accepts an attempt; with `config` instead of the listening one, if given.
    ///
    /// # Errors
    /// See [`AcceptError`].
    fn accept(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        config: Option<Arc<ServerConfig>>,
    ) -> Result<(), AcceptError>;
    /// Answers an attempt with CONNECTION_REFUSED (RFC 9000 §5.2.2).
    fn refuse(&mut self, handle: ConnectionHandle);
    /// Answers an attempt with Retry; returns whether it could: not if the client's address is
    /// validated already.
    fn retry(&mut self, now: Instant, handle: ConnectionHandle) -> bool;
    /// Drops an attempt without an answer.
    fn ignore(&mut self, handle: ConnectionHandle);

    /// A socket is gone. Connections give up what they have on it besides the path in use.
    fn on_socket_removed(&mut self, socket: SocketId);

    /// The home of a connection.
    fn cell(&self, handle: ConnectionHandle) -> Option<&Self::Cell>;
    /// Carries out what follows from an action on a connection that did not come through
    /// [`with_connection`](Self::with_connection).
    fn on_changed(&mut self, now: Instant, handle: ConnectionHandle);
    /// Lets the application act on a connection, then carries out what follows from it.
    ///
    /// Returns `None` if there is no such connection, or it is over and
    /// [`poll_event`](Self::poll_event) has returned `None` since: who hears of the end can still
    /// read what had arrived, and the final statistics.
    fn with_connection<R>(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        act: impl FnOnce(&mut Connection) -> R,
    ) -> Option<R>;
}

/// Tells the packet handler managers of a multiplexer apart, and so their connection handles.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ManagerId(u16);

impl ManagerId {
    /// The manager with this number. Whoever makes managers gives each another one.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    pub(crate) const fn number(self) -> u16 {
        self.0
    }
}

/// Whom to connect to.
#[derive(Clone, Debug)]
pub struct Connect<'a> {
    /// The socket to use and the server's address.
    pub path: PathAddresses,
    /// The name to ask for, and to find in the server's certificate.
    pub server_name: &'a str,
    /// How.
    pub config: Arc<ClientConfig>,
}

/// An attempt of a client to connect, that waits to be accepted.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Incoming {
    /// Where the attempt came from.
    pub path: PathAddresses,
    /// Whether the client proved that it receives at its address (RFC 9000 §8.1).
    pub validated: bool,
}

/// A connection cannot be opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The remote address is not one host's: port 0, an unspecified or a multicast address.
    #[error("{0} is not an address that can be connected to")]
    InvalidRemoteAddress(std::net::SocketAddr),
    /// The session cannot be started.
    #[error(transparent)]
    Session(#[from] StartSessionError),
    /// There are as many connections as the configuration allows.
    #[error("too many connections; raise EndpointConfig::max_connections")]
    TooManyConnections,
}

/// An attempt cannot be accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The attempt is gone: answered already, or given up.
    #[error("the attempt to connect is gone")]
    Gone,
    /// The attempt's first packets broke the protocol, or the handshake failed at once;
    /// [`Event::Lost`] tells how.
    #[error("the attempt to connect was not valid")]
    Invalid,
    /// The session cannot be started.
    #[error(transparent)]
    Session(#[from] StartSessionError),
}
