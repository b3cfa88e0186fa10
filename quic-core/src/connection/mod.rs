//! The router between the components of one connection.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::config::{ClientConfig, EndpointConfig, ServerConfig};
use crate::crypto::{HandshakeData, SeededRandom, StartSessionError};
use crate::error::ConnectionError;
use crate::event::Event;
use crate::ids::Registration;
use crate::instant::Instant;
use crate::net::{PathAddresses, SocketId, UdpDatagram};
use crate::streams::{OpenStreamError, RecvStream, SendStream};
use crate::transmit::{Transmit, TransmitBuffer};
use crate::wire::{ConnectionId, Direction, Side, StreamId, VarInt};

/// One QUIC connection: a router between the components that do the work.
#[derive(Debug)]
pub struct Connection {}

/// What a client's connection starts from.
#[derive(Debug)]
pub(crate) struct ClientStart<'a> {
    pub(crate) path: PathAddresses,
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) endpoint: Arc<EndpointConfig>,
    pub(crate) server_name: &'a str,
    pub(crate) random: SeededRandom,
    /// From an earlier connection's NEW_TOKEN; empty if there is none.
    pub(crate) token: Bytes,
}

/// What a server's connection starts from.
#[derive(Debug)]
pub(crate) struct ServerStart {
    pub(crate) path: PathAddresses,
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) endpoint: Arc<EndpointConfig>,
    pub(crate) random: SeededRandom,
    pub(crate) version: u32,
    /// Source Connection ID of the client's Initial.
    pub(crate) client_source_id: ConnectionId,
    /// Destination Connection ID of the Initial that is accepted.
    pub(crate) destination_id: ConnectionId,
    /// Destination Connection ID of the client's very first Initial; differs from
    /// `destination_id` after a Retry.
    pub(crate) original_destination_id: ConnectionId,
    /// Whether a token proved the client's address.
    pub(crate) validated: bool,
    /// Whether that token came from a Retry, whose Source Connection ID was `destination_id`.
    pub(crate) retried: bool,
}

/// What is left of a connection once it needs nothing but to be remembered for a while.
#[derive(Debug)]
pub(crate) struct Closing {
    /// The sealed CONNECTION_CLOSE datagram to repeat when provoked; `None` while draining.
    pub(crate) datagram: Option<Box<[u8]>>,
    pub(crate) path: PathAddresses,
    /// When it can be forgotten (RFC 9000 §10.2).
    pub(crate) until: Instant,
}

impl Connection {
    pub(crate) fn client(
        _now: Instant,
        _start: ClientStart<'_>,
    ) -> Result<Self, StartSessionError> {
        loop {}
    }
    pub(crate) fn server(_now: Instant, _start: ServerStart) -> Result<Self, StartSessionError> {
        loop {}
    }
    /// Takes a datagram, or a train of them, of this connection.
    pub fn handle_datagram(&mut self, _now: Instant, _datagram: UdpDatagram<'_>) {}
    /// A datagram that ends in a stateless reset token of the peer's.
    pub(crate) fn handle_stateless_reset(&mut self, _now: Instant) {}
    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, _now: Instant) {}
    /// Fills `buffer` with the next datagrams to send on `socket`.
    pub fn poll_transmit(
        &mut self,
        _now: Instant,
        _socket: SocketId,
        _buffer: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit> {
        None
    }
    /// The socket that the next datagrams leave from, if there may be any.
    pub(crate) fn transmit_socket(&self) -> Option<SocketId> {
        None
    }
    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
    /// When `handle_timeout` is next due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    pub(crate) fn poll_registration(&mut self) -> Option<Registration> {
        None
    }
    /// A NEW_TOKEN token for the client's store.
    pub(crate) fn poll_new_token(&mut self) -> Option<Bytes> {
        None
    }
    /// Once: the connection ended, and what the manager has to keep of it.
    pub(crate) fn poll_closed(&mut self) -> Option<Closing> {
        None
    }

    /// Opens a stream.
    /// # Errors
    /// See [`OpenStreamError`].
    pub fn open_stream(&mut self, _direction: Direction) -> Result<StreamId, OpenStreamError> {
        loop {}
    }
    /// Takes the next stream that the peer opened.
    pub fn accept_stream(&mut self, _direction: Direction) -> Option<StreamId> {
        None
    }
    /// The sending part of a stream.
    pub fn send_stream(&mut self, _id: StreamId) -> SendStream<'_> {
        loop {}
    }
    /// The receiving part of a stream.
    pub fn recv_stream(&mut self, _id: StreamId) -> RecvStream<'_> {
        loop {}
    }
    /// Closes the connection at once (RFC 9000 §10.2); no effect if it is over.
    pub fn close(&mut self, _now: Instant, _code: VarInt, _reason: Bytes) {}
    /// Starts a key update (RFC 9001 §6); whether one could be started.
    pub fn update_keys(&mut self) -> bool {
        false
    }
    /// Sends a PING.
    pub fn ping(&mut self) {}
    /// This end's role.
    pub fn side(&self) -> Side {
        Side::Client
    }
    /// Whether the handshake is still going on.
    pub fn is_handshaking(&self) -> bool {
        false
    }
    /// Whether every byte written to any stream, and every FIN and reset, was acknowledged.
    pub fn is_flushed(&self) -> bool {
        true
    }
    /// How the connection ended, if it did.
    pub fn close_reason(&self) -> Option<&ConnectionError> {
        None
    }
    /// What TLS agreed on so far.
    pub fn handshake_data(&self) -> Option<HandshakeData> {
        None
    }
    /// The peer's certificates.
    pub fn peer_identity(&self) -> Option<Box<dyn Any + Send>> {
        None
    }
    /// Derives keying material; whether it could.
    pub fn export_keying_material(&self, _out: &mut [u8], _label: &[u8], _context: &[u8]) -> bool {
        false
    }
    /// The path in use.
    pub fn path(&self) -> PathAddresses {
        loop {}
    }
    /// The smoothed round-trip time.
    pub fn rtt(&self) -> Duration {
        Duration::ZERO
    }
    /// Counters.
    pub fn statistics(&self) -> Statistics {
        Statistics::default()
    }
}

/// Counters of a connection, since its start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Statistics {
    /// UDP datagrams sent.
    pub datagrams_sent: u64,
    /// UDP datagrams received.
    pub datagrams_received: u64,
    /// Bytes of UDP payload sent.
    pub bytes_sent: u64,
    /// Bytes of UDP payload received.
    pub bytes_received: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Authentic packets received.
    pub packets_received: u64,
    /// Packets declared lost.
    pub packets_lost: u64,
    /// Of those, packets that were acknowledged after all.
    pub packets_lost_spuriously: u64,
    /// Packets and datagrams that were dropped unread.
    pub packets_discarded: u64,
    /// Congestion events.
    pub congestion_events: u64,
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// Smallest round-trip time.
    pub minimum_rtt: Duration,
    /// Congestion window, in bytes.
    pub congestion_window: u64,
    /// Bytes in flight.
    pub bytes_in_flight: u64,
    /// Maximum datagram size of the path, in bytes.
    pub mtu: u16,
    /// Key updates since the handshake.
    pub key_updates: u64,
}
