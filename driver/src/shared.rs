//! A connection behind a lock, shared by the loop and the application's handles.

use std::ops::Deref;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::{future, mem};

use quic_core::{
    Connection, ConnectionCell, ConnectionError, ConnectionHandle, DatagramEvent, Direction, Event,
    MigrationError, PathAddresses, SocketId, StreamEvent, VarInt,
};

use crate::bell::{Bell, User};
use crate::sync::{Mutex, MutexGuard};
use crate::waiting::{Ticket, Topic, Waiting};

/// Where the packet handler map keeps a connection.
#[derive(Clone, Debug)]
pub(crate) struct SharedConnection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    handle: ConnectionHandle,
    state: Mutex<ConnectionState>,
}

/// What the lock of a connection guards.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own name")]
#[derive(Debug)]
pub(crate) struct ConnectionState {
    pub(crate) connection: Connection,
    pub(crate) waiting: Waiting,
    /// How the connection ended. Set before anybody is woken because of it.
    pub(crate) over: Option<ConnectionError>,
    /// Whether the handshake is complete.
    pub(crate) connected: bool,
    /// Whether the application decides what becomes of 0-RTT that is rejected.
    pub(crate) keeps_rejected: bool,
    /// Streams that were opened in 0-RTT were given up; their IDs are used again.
    pub(crate) early_streams_gone: bool,
    /// Whether the connection is in the bell's list of changed ones.
    queued: bool,
    /// Whether it is to move to the endpoint's socket, and could not yet.
    pub(crate) wants_move: bool,
}

impl ConnectionCell for SharedConnection {
    fn new(handle: ConnectionHandle, connection: Connection) -> Self {
        let state = ConnectionState {
            connection,
            waiting: Waiting::default(),
            over: None,
            connected: false,
            keeps_rejected: false,
            early_streams_gone: false,
            queued: false,
            wants_move: false,
        };
        Self(Arc::new(Inner { handle, state: Mutex::new(state) }))
    }

    fn with<R>(&mut self, act: impl FnOnce(&mut Connection) -> R) -> R {
        act(&mut self.lock().connection)
    }
}

impl SharedConnection {
    pub(crate) fn lock(&self) -> MutexGuard<'_, ConnectionState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn handle(&self) -> ConnectionHandle {
        self.0.handle
    }

    /// Takes note that the loop is about to see to the changes; returns whether the connection is
    /// over.
    pub(crate) fn settling(&self) -> bool {
        let mut state = self.lock();
        state.queued = false;
        state.over.is_some()
    }
}

impl ConnectionState {
    /// Notes what an event means, and moves those who waited for it to `woken`.
    pub(crate) fn handle_event(&mut self, event: Event, woken: &mut Vec<Waker>) {
        match event {
            Event::Connected => {
                self.connected = true;
                self.waiting.take(Topic::HandshakeData, woken);
                self.waiting.take(Topic::Connected, woken);
            }
            Event::HandshakeDataReady => self.waiting.take(Topic::HandshakeData, woken),
            Event::EarlyDataRejected => self.on_early_data_rejected(woken),
            Event::Lost(error) => self.end(error, woken),
            Event::Stream(event) => self.handle_stream_event(event, woken),
            Event::Datagram(event) => self.handle_datagram_event(event, woken),
            // Attempts are no connections yet.
            Event::Incoming | _ => {}
        }
    }

    fn handle_datagram_event(&mut self, event: DatagramEvent, woken: &mut Vec<Waker>) {
        match event {
            DatagramEvent::Readable => self.waiting.take(Topic::Datagrams, woken),
            DatagramEvent::Reported => self.waiting.take(Topic::DatagramReports, woken),
            DatagramEvent::Writable => self.waiting.take(Topic::DatagramRoom, woken),
            _ => {}
        }
    }

    fn handle_stream_event(&mut self, event: StreamEvent, woken: &mut Vec<Waker>) {
        match event {
            StreamEvent::Available(direction) => self.offer_streams(direction, woken),
            StreamEvent::Flushed => self.waiting.take(Topic::Flushed, woken),
            StreamEvent::Finished(id) => self.waiting.take(Topic::Stopped(id), woken),
            StreamEvent::Opened(direction) => self.waiting.take(Topic::Accept(direction), woken),
            StreamEvent::Readable(id) => self.waiting.take_reader(id, woken),
            StreamEvent::Stopped(id) => {
                self.waiting.take_writer(id, woken);
                self.waiting.take(Topic::Stopped(id), woken);
            }
            StreamEvent::Writable(id) => self.waiting.take_writer(id, woken),
            _ => {}
        }
    }

    /// Moves as many to `woken` as can open a stream now, of those who wait for that.
    fn offer_streams(&mut self, direction: Direction, woken: &mut Vec<Waker>) {
        let left = self.connection.streams_left(direction);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        self.waiting.take_openers(direction, left, woken);
    }

    /// Lets `ticket` wait for `topic` no longer. If it was woken already, for a stream that it
    /// does not open, `woken` are those who can have that.
    pub(crate) fn give_up(&mut self, topic: Topic, ticket: Ticket, woken: &mut Vec<Waker>) {
        let waited = self.waiting.cancel(topic, ticket);
        if let (false, Topic::Open(direction)) = (waited, topic) {
            self.offer_streams(direction, woken);
        }
    }

    /// Moves a client's connection to another socket, or notes that it wants to. One that must
    /// not stays where it is.
    pub(crate) fn move_to(&mut self, now: quic_core::Instant, socket: SocketId) {
        let current = self.connection.path();
        self.wants_move = false;
        if current.socket == socket {
            return;
        }
        let path = PathAddresses { socket, local_ip: None, remote: current.remote };
        self.wants_move = matches!(
            self.connection.migrate(now, path),
            Err(MigrationError::NotConfirmed | MigrationError::NoConnectionId)
        );
    }

    /// Notes that the connection is over; the first reason counts.
    pub(crate) fn end(&mut self, error: ConnectionError, woken: &mut Vec<Waker>) {
        self.over.get_or_insert(error);
        self.waiting.take_all(woken);
    }

    /// Fails if the connection is over.
    pub(crate) fn check(&self) -> Result<(), ConnectionError> {
        match &self.over {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }
}

/// The application's share of a connection: the last one to go closes it.
#[derive(Debug)]
pub(crate) struct ConnectionRef {
    shared: SharedConnection,
    user: User,
}

impl ConnectionRef {
    pub(crate) fn new(shared: SharedConnection, bell: Arc<Bell>) -> Self {
        Self { shared, user: User::new(bell) }
    }

    /// The time now, on the clock of the endpoint.
    pub(crate) fn now(&self) -> quic_core::Instant {
        self.user.bell().now()
    }

    /// Unlocks, and tells the loop if something has to be sent.
    pub(crate) fn changed(&self, mut state: MutexGuard<'_, ConnectionState>) {
        // Whoever acted before has told the loop, which has not looked yet.
        if state.queued || !state.connection.wants_transmit() {
            return;
        }
        state.queued = true;
        drop(state);
        self.user.bell().ring_for(self.handle());
    }

    /// Closes the connection, unless it is over.
    pub(crate) fn close(&self, code: VarInt, reason: bytes::Bytes) {
        let mut state = self.lock();
        if state.over.is_some() {
            return;
        }
        let mut woken = Vec::new();
        close(&mut state, self.user.bell(), code, reason, &mut woken);
        self.changed(state);
        wake(&mut woken);
    }

    /// Asks `attempt` until it gives something; in between, waits for `topic`.
    ///
    /// `attempt` runs under the lock of the connection, which is where waiting begins too: what
    /// happens in between cannot be missed. Nothing is left behind if the future is dropped.
    pub(crate) async fn wait_for<R>(
        &self,
        topic: Topic,
        mut attempt: impl FnMut(&mut ConnectionState) -> Option<R>,
    ) -> R {
        let mut place = Place { connection: self, topic, ticket: None };
        future::poll_fn(|cx| place.poll(cx, &mut attempt)).await
    }
}

impl Deref for ConnectionRef {
    type Target = SharedConnection;

    fn deref(&self) -> &SharedConnection {
        &self.shared
    }
}

impl Drop for ConnectionRef {
    fn drop(&mut self) {
        self.close(VarInt::default(), bytes::Bytes::new());
    }
}

/// Closes a connection that is not over and notes it.
pub(crate) fn close(
    state: &mut ConnectionState,
    bell: &Bell,
    code: VarInt,
    reason: bytes::Bytes,
    woken: &mut Vec<Waker>,
) {
    state.connection.close(bell.now(), code, reason);
    let error = state.connection.close_reason().cloned();
    state.end(error.unwrap_or(ConnectionError::LocallyClosed), woken);
}

/// Marks a connection that the loop itself changed as in need of its attention.
pub(crate) fn queue(state: &mut ConnectionState) -> bool {
    !mem::replace(&mut state.queued, true)
}

/// Wakes everybody and leaves `woken` empty, with its memory.
pub(crate) fn wake(woken: &mut Vec<Waker>) {
    for waker in woken.drain(..) {
        waker.wake();
    }
}

/// A place in one of the connection's lists, given up when dropped.
#[derive(Debug)]
pub(crate) struct Place<C: Deref<Target = ConnectionRef>> {
    pub(crate) connection: C,
    pub(crate) topic: Topic,
    pub(crate) ticket: Option<Ticket>,
}

impl<C: Deref<Target = ConnectionRef>> Place<C> {
    pub(crate) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: impl FnOnce(&mut ConnectionState) -> Option<R>,
    ) -> Poll<R> {
        let mut state = self.connection.lock();
        if let Some(result) = attempt(&mut state) {
            if let Some(ticket) = self.ticket.take() {
                state.waiting.cancel(self.topic, ticket);
            }
            return Poll::Ready(result);
        }
        state.waiting.wait(self.topic, &mut self.ticket, cx);
        Poll::Pending
    }
}

impl<C: Deref<Target = ConnectionRef>> Drop for Place<C> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let mut woken = Vec::new();
            self.connection.lock().give_up(self.topic, ticket, &mut woken);
            wake(&mut woken);
        }
    }
}
