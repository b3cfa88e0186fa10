//! The contract of what shares sockets between packet handler managers.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::{EndpointConfig, SharedConnectionIds};
use crate::event::{ConnectionHandle, Event};
use crate::instant::Instant;
use crate::net::{Misdirected, SocketId, UdpDatagram};
use crate::packet_handler_manager::PacketHandlerManager;
use crate::transmit::{Transmit, TransmitBuffer};
use crate::wire::ConnectionId;

/// Shares sockets between the server and any number of clients, and connections between sockets.
///
/// Sockets added with equal configurations share one [`PacketHandlerManager`], so that a
/// connection can migrate from one to another. Sockets come and go at any time.
pub trait Multiplexer {
    /// What owns the connections.
    type Manager: PacketHandlerManager;

    /// Adds a socket that is bound to `local`.
    ///
    /// A `local` that was added before with an equal configuration gives the same [`SocketId`]
    /// again, and is to be removed once. Port 0 stands for an address that is not known yet: such
    /// a socket is always another one.
    ///
    /// # Errors
    /// See [`AddSocketError`].
    fn add_socket(
        &mut self,
        local: SocketAddr,
        config: Arc<EndpointConfig>,
    ) -> Result<SocketId, AddSocketError>;
    /// Removes a socket: datagrams of it are dropped, and nothing is sent on it any more. With the
    /// last socket of a manager go the manager and, without a word to their peers, its
    /// connections; close them before. The ID is never given again.
    fn remove_socket(&mut self, socket: SocketId);
    /// Replaces the configuration of a socket, and of all that share its manager, while they are in
    /// use, to rotate secrets: see [`PacketHandlerManager::reconfigure`]. Does nothing for a socket
    /// that was removed.
    ///
    /// # Errors
    /// [`AddSocketError`], if anything but the keyring and what makes connection IDs differs, or
    /// the length of connection IDs.
    fn reconfigure(
        &mut self,
        socket: SocketId,
        config: Arc<EndpointConfig>,
    ) -> Result<(), AddSocketError>;
    /// The manager of a socket; `None` if the socket was removed.
    fn manager(&mut self, socket: SocketId) -> Option<&mut Self::Manager>;

    /// Takes a datagram, or a train of them, for the manager of `datagram.path.socket`.
    fn handle_datagram(&mut self, now: Instant, datagram: UdpDatagram<'_>);
    /// Does what is due by `now`, in all managers.
    fn handle_timeout(&mut self, now: Instant);
    /// Fills `buffer` with the next datagrams to send on `socket`.
    fn poll_transmit(
        &mut self,
        now: Instant,
        socket: SocketId,
        buffer: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit>;
    /// See [`PacketHandlerManager::handle_too_large`].
    fn handle_too_large(&mut self, now: Instant, socket: SocketId, length: usize);
    /// The next event of any manager. Handles are unique among all of them.
    fn poll_event(&mut self) -> Option<(ConnectionHandle, Event)>;
    /// The next datagram that is for no connection here, and whose connection ID is another
    /// [shard](crate::Shards)'s: it has to reach `handle_datagram` of that one, on its socket with
    /// the same address. What is left here is bounded, so poll it after each `handle_datagram`; it
    /// is always `None` where connection IDs know of no shards.
    fn poll_misdirected(&mut self) -> Option<Misdirected>;
    /// Takes back what [`poll_misdirected`](Self::poll_misdirected) gave, on the socket that it
    /// arrived on, because nobody has the shard: its peers are answered as those of any connection
    /// that is gone, with a stateless reset (RFC 9000 §10.3). Only for shards that are surely
    /// nobody's: what was lost on the way is not to be answered, since its connection lives.
    fn handle_unclaimed(&mut self, now: Instant, datagram: UdpDatagram<'_>);
    /// When `handle_timeout` is next due; `None` if not before something else happens.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// A socket cannot be added.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AddSocketError {
    /// The address is in use with connection IDs of another length: packets with short headers
    /// could not be told apart (RFC 9000 §5.1).
    #[error("{local} is in use with connection IDs of {in_use} bytes, not {wanted}")]
    ConnectionIdLengthMismatch {
        /// The address.
        local: SocketAddr,
        /// The length in use, in bytes.
        in_use: usize,
        /// The length asked for, in bytes.
        wanted: usize,
    },
    /// The address is in use with another keyring, or one of the two has none.
    #[error("{0} is in use with another keyring")]
    KeyringMismatch(SocketAddr),
    /// The address is in use with another generator of connection IDs, or one of the two has none.
    #[error("{0} is in use with another generator of connection IDs")]
    ConnectionIdGeneratorMismatch(SocketAddr),
    /// The address is in use with another recorder, or one of the two has none.
    #[error("{0} is in use with another recorder")]
    RecorderMismatch(SocketAddr),
    /// The address is in use with other limits: on connections, or on stateless resets.
    #[error("{0} is in use with other limits")]
    LimitMismatch(SocketAddr),
    /// Connection IDs are empty, or have 4 to 20 bytes (RFC 9000 §17.2), as many as the
    /// configuration says.
    #[error("connection IDs have 4 to 20 bytes as configured, or none, not {0}")]
    InvalidConnectionIdLength(usize),
    /// All [`SocketId`]s, or all identities of managers, were given.
    #[error("too many sockets were added")]
    Exhausted,
}

/// Whether the length of connection IDs is one that works, and that of what makes them.
pub(crate) fn check_length(config: &EndpointConfig) -> Result<(), AddSocketError> {
    let length = config.connection_id_length;
    let made = config.connection_ids.as_ref().map_or(length, SharedConnectionIds::length);
    // Shorter ones would be guessed, and run out, too soon.
    if !matches!(length, 0 | 4..=ConnectionId::MAXIMUM_LENGTH) || made != length {
        return Err(AddSocketError::InvalidConnectionIdLength(made));
    }
    Ok(())
}
