//! The application's handle of a connection.

use std::any::Any;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use quic_core::crypto::HandshakeData;
use quic_core::{
    ConnectionError, ConnectionRecorder, Direction, OpenStreamError, PathStatistics, Side,
    Statistics, StreamId, Subject, VarInt,
};

use crate::early_data::EarlyData;
use crate::error::ExportKeyingMaterialError;
use crate::recv_stream::RecvStream;
use crate::send_stream::SendStream;
use crate::shared::{ConnectionRef, ConnectionState, Place};
use crate::waiting::Topic;

/// A connection that is being established: a future of the [`Connection`].
///
/// Dropped before it is complete, it gives the connection up.
#[derive(Debug)]
#[must_use = "dropping it gives the connection up"]
pub struct Connecting {
    place: Place<Arc<ConnectionRef>>,
}

impl Connecting {
    pub(crate) fn new(connection: Arc<ConnectionRef>) -> Self {
        Self { place: Place { connection, topic: Topic::Connected, ticket: None } }
    }

    /// The handshake's first results: the application protocol and the server name.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// How the connection ended, if it did.
    pub async fn handshake_data(&mut self) -> Result<HandshakeData, ConnectionError> {
        let connection = &self.place.connection;
        connection
            .wait_for(Topic::HandshakeData, |state| match state.connection.handshake_data() {
                Some(data) => Some(Ok(data)),
                None => state.check().err().map(Err),
            })
            .await
    }

    /// The connection before the handshake is complete.
    ///
    /// On a client whose server allowed it in an earlier connection, and whose
    /// [`TlsClientConfig`](crate::crypto::TlsClientConfig::offer_early_data) offers early data:
    /// what is written now is sent at once, in 0-RTT. Others can replay it to the server, and it
    /// has no forward secrecy. The server may not take it; see
    /// [`EarlyDataOutcome`](crate::EarlyDataOutcome).
    ///
    /// On a server, always: what is written now reaches the client before it has proved to be
    /// there, and what is read may be replayed ([`RecvStream::is_0rtt`]).
    ///
    /// # Errors
    /// This attempt, on a client that cannot send 0-RTT.
    pub fn into_0rtt(self) -> Result<(Connection, EarlyData), Self> {
        let state = self.place.connection.lock();
        let early = state.opens_early() || state.connection.side() == Side::Server;
        drop(state);
        if !early {
            return Err(self);
        }
        let inner = Arc::clone(&self.place.connection);
        let early_data = EarlyData::new(Arc::clone(&inner));
        Ok((Connection { inner }, early_data))
    }

    /// The address of the peer.
    pub fn remote_address(&self) -> SocketAddr {
        remote_address(&self.place.connection)
    }

    /// The local address that the peer sends to, where the system reports it.
    pub fn local_ip(&self) -> Option<IpAddr> {
        local_ip(&self.place.connection)
    }
}

impl Future for Connecting {
    type Output = Result<Connection, ConnectionError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // A peer that has what it wants may have closed already; what it sent can still be read.
        let result = self.place.poll(cx, |state| match &state.over {
            _ if state.connected => Some(Ok(())),
            Some(error) => Some(Err(error.clone())),
            None => None,
        });
        let connection = &self.place.connection;
        result.map(|result| result.map(|()| Connection { inner: Arc::clone(connection) }))
    }
}

/// A QUIC connection. Clones are handles of the same connection.
///
/// The connection closes with the code 0 and no reason when the last handle is dropped: of the
/// connection itself and of its streams. What was not delivered by then is lost; see
/// [`shutdown`](Self::shutdown).
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) inner: Arc<ConnectionRef>,
}

impl Connection {
    /// Opens a stream that goes both ways; waits while the peer allows no more.
    ///
    /// The peer hears of the stream with the first data, or its end. Cancel safe.
    ///
    /// # Errors
    /// How the connection ended, if it did.
    pub async fn open_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        let (id, early) = self.open(Direction::Bidirectional).await?;
        Ok(self.both_parts(id, early))
    }

    /// Opens a stream that goes from here to the peer; waits while the peer allows no more.
    ///
    /// The peer hears of the stream with the first data, or its end. Cancel safe.
    ///
    /// # Errors
    /// How the connection ended, if it did.
    pub async fn open_uni(&self) -> Result<SendStream, ConnectionError> {
        let (id, early) = self.open(Direction::Unidirectional).await?;
        Ok(self.sending_part(id, early))
    }

    /// The next stream that the peer opened and that goes both ways.
    ///
    /// Cancel safe: no stream is lost.
    ///
    /// # Errors
    /// How the connection ended, if it did.
    pub async fn accept_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        let id = self.accept(Direction::Bidirectional).await?;
        Ok(self.both_parts(id, false))
    }

    /// The next stream that the peer opened and that goes from there to here.
    ///
    /// Cancel safe: no stream is lost.
    ///
    /// # Errors
    /// How the connection ended, if it did.
    pub async fn accept_uni(&self) -> Result<RecvStream, ConnectionError> {
        let id = self.accept(Direction::Unidirectional).await?;
        Ok(self.receiving_part(id, false))
    }

    /// Closes the connection at once (RFC 9000 §10.2). Pending operations fail with
    /// [`ConnectionError::LocallyClosed`]; what was not delivered may be lost. No effect if the
    /// connection is over.
    ///
    /// To let the peer hear of it before the program ends, await
    /// [`Endpoint::wait_idle`](crate::Endpoint::wait_idle).
    pub fn close(&self, code: VarInt, reason: &[u8]) {
        self.inner.close(code, Bytes::copy_from_slice(reason));
    }

    /// Waits until the peer acknowledged everything that was written, every end and every reset,
    /// then closes the connection.
    ///
    /// What is written meanwhile counts too. The ends of streams are the application's:
    /// [`finish`](SendStream::finish) them before. Cancel safe: dropped, it closes nothing.
    ///
    /// # Errors
    /// How the connection ended, if it did before everything was acknowledged.
    pub async fn shutdown(&self, code: VarInt, reason: &[u8]) -> Result<(), ConnectionError> {
        let flushed = self.inner.wait_for(Topic::Flushed, |state| {
            if state.connection.is_flushed() {
                return Some(Ok(()));
            }
            state.connection.notify_when_flushed();
            state.check().err().map(Err)
        });
        flushed.await?;
        self.close(code, reason);
        Ok(())
    }

    /// Waits until the connection is over, and says how it ended. Cancel safe.
    pub async fn closed(&self) -> ConnectionError {
        self.inner.wait_for(Topic::Closed, |state| state.over.clone()).await
    }

    /// How the connection ended; `None` while it lives.
    pub fn close_reason(&self) -> Option<ConnectionError> {
        self.inner.lock().over.clone()
    }

    /// How many streams that go both ways the peer may have open at a time from now on, instead
    /// of what [`TransportConfig`](crate::TransportConfig) says. Fewer than before takes none away
    /// that the peer was promised: it gets no new ones until so many ended (RFC 9000 §4.6).
    pub fn set_max_concurrent_bi_streams(&self, count: VarInt) {
        self.set_max_concurrent_streams(Direction::Bidirectional, count);
    }

    /// How many streams that go from the peer to here it may have open at a time from now on; see
    /// [`set_max_concurrent_bi_streams`](Self::set_max_concurrent_bi_streams).
    pub fn set_max_concurrent_uni_streams(&self, count: VarInt) {
        self.set_max_concurrent_streams(Direction::Unidirectional, count);
    }

    /// The address of the peer. An IPv4 address that an IPv6 socket maps is given as IPv4.
    pub fn remote_address(&self) -> SocketAddr {
        remote_address(&self.inner)
    }

    /// The local address that the peer sends to, where the system reports it.
    pub fn local_ip(&self) -> Option<IpAddr> {
        local_ip(&self.inner)
    }

    /// How many streams of a direction can be opened without waiting: what the peer allows
    /// (RFC 9000 §4.6) less those that were opened.
    pub fn streams_left(&self, direction: Direction) -> u64 {
        self.inner.lock().connection.streams_left(direction)
    }

    /// The smoothed round-trip time.
    pub fn rtt(&self) -> Duration {
        self.inner.lock().connection.rtt()
    }

    /// Counters since the start of the connection.
    pub fn stats(&self) -> Statistics {
        self.inner.lock().connection.statistics()
    }

    /// What is known of the path in use: round-trip time, window, counters.
    pub fn path_stats(&self) -> PathStatistics {
        self.inner.lock().connection.path_statistics()
    }

    /// What is known of all paths: the one in use first, then those that are validated, or were
    /// left a moment ago. At most four.
    pub fn paths(&self) -> Vec<PathStatistics> {
        self.inner.lock().connection.paths().collect()
    }

    /// This end's role.
    pub fn side(&self) -> Side {
        self.inner.lock().connection.side()
    }

    /// What the handshake agreed on.
    pub fn handshake_data(&self) -> Option<HandshakeData> {
        self.inner.lock().connection.handshake_data()
    }

    /// The peer's certificates, if it gave any: over rustls a `Vec<CertificateDer<'static>>`.
    pub fn peer_identity(&self) -> Option<Box<dyn Any + Send>> {
        self.inner.lock().connection.peer_identity()
    }

    /// Fills `out` with bytes that both ends share and no one else has (RFC 8446 §7.5).
    ///
    /// # Errors
    /// [`ExportKeyingMaterialError`] if `out` is too long.
    pub fn export_keying_material(
        &self,
        out: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        let state = self.inner.lock();
        let exported = state.connection.export_keying_material(out, label, context);
        if exported { Ok(()) } else { Err(ExportKeyingMaterialError) }
    }

    /// Whether any data of this stream of the peer's came in 0-RTT, for those who know only its ID:
    /// see [`RecvStream::is_0rtt`].
    pub fn is_stream_0rtt(&self, id: StreamId) -> bool {
        id.initiator() != self.side() && self.inner.lock().connection.recv_stream(id).is_early()
    }

    /// Starts a key update (RFC 9001 §6). Keys are updated as often as the protocol demands
    /// without it. Returns whether it could: not before the handshake is confirmed, nor while an
    /// update is going on.
    pub fn force_key_update(&self) -> bool {
        let mut state = self.inner.lock();
        let updated = state.connection.update_keys(self.inner.now());
        self.inner.changed(state);
        updated
    }

    /// Has this connection recorded from now on, or no more, whatever the configuration says. The
    /// recorder is told the present state first.
    ///
    /// It is called with the connection locked: it must not use it.
    pub fn set_recorder(&self, recorder: Option<Box<dyn ConnectionRecorder>>) {
        let mut state = self.inner.lock();
        state.connection.set_recorder(self.inner.now(), recorder);
    }

    /// What the connection is known by in records: both ends know the ID.
    pub fn subject(&self) -> Subject {
        self.inner.lock().connection.subject()
    }

    /// A number that all handles of this connection share and no other living connection has.
    pub fn stable_id(&self) -> usize {
        Arc::as_ptr(&self.inner).addr()
    }

    fn set_max_concurrent_streams(&self, direction: Direction, count: VarInt) {
        let mut state = self.inner.lock();
        if state.over.is_none() {
            state.connection.set_max_concurrent_streams(direction, count);
            self.inner.changed(state);
        }
    }

    async fn open(&self, direction: Direction) -> Result<(StreamId, bool), ConnectionError> {
        self.inner.wait_for(Topic::Open(direction), |state| attempt_open(state, direction)).await
    }

    async fn accept(&self, direction: Direction) -> Result<StreamId, ConnectionError> {
        self.inner
            .wait_for(Topic::Accept(direction), |state| attempt_accept(state, direction))
            .await
    }

    pub(crate) fn both_parts(&self, id: StreamId, early: bool) -> (SendStream, RecvStream) {
        (self.sending_part(id, early), self.receiving_part(id, early))
    }

    pub(crate) fn sending_part(&self, id: StreamId, early: bool) -> SendStream {
        SendStream::new(Arc::clone(&self.inner), id, early)
    }

    pub(crate) fn receiving_part(&self, id: StreamId, early: bool) -> RecvStream {
        RecvStream::new(Arc::clone(&self.inner), id, early)
    }
}

/// The new stream, and whether it is one of 0-RTT; `None` while the peer allows no more.
pub(crate) fn attempt_open(
    state: &mut ConnectionState,
    direction: Direction,
) -> Option<Result<(StreamId, bool), ConnectionError>> {
    if let Err(error) = state.check() {
        return Some(Err(error));
    }
    match state.connection.open_stream(direction) {
        Ok(id) => Some(Ok((id, state.opens_early()))),
        Err(OpenStreamError::ConnectionOver) => Some(Err(over(&state.connection))),
        Err(_) => None,
    }
}

/// The next stream of the peer's; `None` while there is none.
pub(crate) fn attempt_accept(
    state: &mut ConnectionState,
    direction: Direction,
) -> Option<Result<StreamId, ConnectionError>> {
    match state.connection.accept_stream(direction) {
        Some(id) => Some(Ok(id)),
        None => state.check().err().map(Err),
    }
}

fn over(connection: &quic_core::Connection) -> ConnectionError {
    connection.close_reason().cloned().unwrap_or(ConnectionError::LocallyClosed)
}

fn remote_address(connection: &ConnectionRef) -> SocketAddr {
    canonical(connection.lock().connection.path().remote)
}

fn local_ip(connection: &ConnectionRef) -> Option<IpAddr> {
    let ip = connection.lock().connection.path().local_ip?;
    Some(ip.to_canonical())
}

/// The address without the mapping of IPv4 into IPv6.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, address.port())),
        IpAddr::V6(_) => address,
    }
}
