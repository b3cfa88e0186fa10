//! Owns connections and what else datagrams can be for, and routes each datagram to its handler.

mod attempts;
mod clock;
mod closed_connection;
mod deadlines;
mod memory;
mod misdirections;
mod outbox;
mod reset_limiter;
mod response;
mod retired;
mod routes;
mod settle;
mod slots;
mod token_store;
mod train;
mod unrouted;
mod zero_rtt_queue;

#[cfg(test)]
mod tests;

use std::mem;
use std::sync::Arc;

use crate::config::{EndpointConfig, ServerConfig};
use crate::connection::{ClientStart, Closing, Connection};
use crate::crypto::{BufferedRandom, SeededRandom};
use crate::event::{ConnectionHandle, Event};
use crate::instant::Instant;
use crate::net::{Misdirected, SocketId, UdpDatagram};
use crate::packet_handler_manager::{
    AcceptError, Connect, ConnectError, ConnectionCell, Incoming, ManagerId, PacketHandlerManager,
};
use crate::server::{Attempt, Server};
use crate::transmit::{Transmit, TransmitBuffer};
use crate::wire::ConnectionId;

use clock::Clock;
use closed_connection::ClosedConnection;
use misdirections::Misdirections;
use outbox::Turn;
use reset_limiter::{RefusalLimiter, ResetLimiter};
use response::Response;
use settle::Book;
use slots::{Slot, Slots};
use train::{segments, split};
use zero_rtt_queue::ZeroRttQueue;

/// Whatever a connection ID can lead to.
#[derive(Debug)]
enum PacketHandler<C> {
    /// Waits for the application.
    Incoming(Box<Attempt>),
    Connection(C),
    /// Repeats the same CONNECTION_CLOSE until the closing period ends.
    Closed(Box<ClosedConnection>),
    /// Keeps 0-RTT packets that overtook their Initial.
    ZeroRttQueue(Box<ZeroRttQueue>),
}

/// The packet handlers of one or more sockets that share a configuration: connections, attempts
/// at them, and what remains of them.
///
/// Routing looks a connection ID up once per train of datagrams. Datagrams that cannot be routed
/// may be stateless resets, which are looked for here; whether a datagram that was routed is one,
/// its connection has to check, once it could not authenticate it (RFC 9000 §10.3.1).
///
/// What is kept without a connection is bounded: 256 answers per socket, attempts by
/// [`ServerConfig::accept_backlog`] with at most 20 KiB each, 32 queues of 0-RTT packets, 4,096
/// retired connection IDs, 8 tokens for each of 256 server names, and 1 MiB for other shards.
#[derive(Debug)]
pub struct PacketHandlerMap<C: ConnectionCell = Box<Connection>> {
    config: Arc<EndpointConfig>,
    random: BufferedRandom,
    slots: Slots<C>,
    book: Book,
    server: Option<Server>,
    resets: ResetLimiter,
    refusals: RefusalLimiter,
    /// Connections that are over, until the application has taken all events: as long as it is
    /// hearing of the end, it can read what had arrived.
    over: Vec<(ConnectionHandle, C)>,
    clock: Clock,
    /// Slots whose deadline has come, while `handle_timeout` works on them.
    due: Vec<u32>,
    misdirections: Misdirections,
}

impl<C: ConnectionCell> PacketHandlerMap<C> {
    /// A map without connections that opens none but its own; `random` has to be seeded by what
    /// nobody can guess, and `id` by no other manager of the same multiplexer.
    pub fn new(config: Arc<EndpointConfig>, mut random: SeededRandom, id: ManagerId) -> Self {
        let book = Book::new(config.receive_budget, &mut random);
        let resets = ResetLimiter::new(config.max_resets_per_second, &mut random);
        Self {
            config,
            random: BufferedRandom::new(random),
            slots: Slots::new(id.number()),
            book,
            server: None,
            resets,
            refusals: RefusalLimiter::default(),
            over: Vec::new(),
            clock: Clock::new(),
            due: Vec::new(),
            misdirections: Misdirections::default(),
        }
    }

    /// The connections there are, those included whose handshake goes on, or whose last datagram
    /// was not sent yet.
    pub fn connections(&self) -> Vec<ConnectionHandle> {
        self.slots.handles().filter(|handle| self.cell(*handle).is_some()).collect()
    }

    /// Whether there is no connection, no attempt at one, and nothing to repeat of one that was
    /// closed.
    pub fn is_empty(&self) -> bool {
        self.slots.length() == 0
    }

    /// Whether [`poll_event`](PacketHandlerManager::poll_event) has something to tell.
    pub(crate) fn has_events(&self) -> bool {
        !self.book.events.is_empty()
    }

    /// Lets `action` work on a connection and settles what follows; `None` if there is none.
    fn act<R>(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        action: impl FnOnce(&mut Connection) -> R,
    ) -> Option<R> {
        let slot = self.slots.get_mut(handle)?;
        let PacketHandler::Connection(cell) = &mut slot.handler else { return None };
        let (book, notes, config) = (&mut self.book, &mut slot.notes, &self.config);
        let (result, closing) = cell.with(|connection| {
            connection.tell_time(now);
            connection.follow(config);
            let result = action(connection);
            (result, book.settle(now, handle, notes, connection))
        });
        if let Some(closing) = closing {
            self.close(handle, closing);
        }
        Some(result)
    }

    /// Replaces a connection by what has to be kept of it.
    fn close(&mut self, handle: ConnectionHandle, closing: Closing) {
        let Some(slot) = self.slots.get_mut(handle) else { return };
        self.book.on_not_half_open(&mut slot.notes);
        let closed = ClosedConnection::new(closing);
        // Nothing else of the connection is due any more.
        self.book.deadlines.reset(handle.slot, closed.until());
        let closed = PacketHandler::Closed(Box::new(closed));
        if let PacketHandler::Connection(cell) = mem::replace(&mut slot.handler, closed) {
            self.over.push((handle, cell));
        }
    }

    /// Frees a slot; its connection IDs are remembered for a while as retired.
    fn forget(&mut self, now: Instant, handle: ConnectionHandle) -> Option<PacketHandler<C>> {
        let mut slot = self.slots.remove(handle)?;
        self.book.forget(now, handle, &mut slot.notes);
        self.book.deadlines.give_back(self.slots.room());
        match &slot.handler {
            PacketHandler::Incoming(_) => self.book.waiting = self.book.waiting.saturating_sub(1),
            PacketHandler::ZeroRttQueue(_) => {
                self.book.zero_rtt_queues = self.book.zero_rtt_queues.saturating_sub(1);
            }
            PacketHandler::Connection(_) | PacketHandler::Closed(_) => {}
        }
        Some(slot.handler)
    }

    /// Hands a train to the connection, or else each datagram to what its ID leads to.
    fn deliver(&mut self, now: Instant, id: Option<ConnectionId>, train: UdpDatagram<'_>) {
        let handle = id.and_then(|id| self.book.route(now, &id));
        if handle.is_none() && self.hand_over_train(id, &train) {
            return;
        }
        let slot = handle.and_then(|handle| Some((handle, self.slots.get(handle)?)));
        match slot {
            Some((handle, Slot { handler: PacketHandler::Connection(_), .. })) => {
                self.act(now, handle, |connection| connection.handle_datagram(now, train));
            }
            _ => segments(&train).for_each(|segment| self.handle_segment(now, segment)),
        }
    }

    /// What is due for the handler in a slot.
    fn on_deadline(&mut self, now: Instant, handle: ConnectionHandle) {
        let Some(slot) = self.slots.get(handle) else { return };
        let until = match &slot.handler {
            PacketHandler::Connection(_) => {
                self.act(now, handle, |connection| handle_timeout(now, connection));
                return;
            }
            PacketHandler::Incoming(attempt) => attempt.until,
            PacketHandler::Closed(closed) => closed.until(),
            PacketHandler::ZeroRttQueue(queue) => queue.until(),
        };
        if until <= now {
            self.forget(now, handle);
        } else {
            self.book.deadlines.set(handle.slot, until);
        }
    }

    /// Lets a connection whose turn it is fill the buffer, then puts it at the end of the queue.
    fn transmit_connection(
        &mut self,
        now: Instant,
        socket: SocketId,
        handle: ConnectionHandle,
        buffer: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit> {
        self.slots.get_mut(handle)?.notes.ready_on = None;
        let transmit = self
            .act(now, handle, |connection| connection.poll_transmit(now, socket, buffer))
            .flatten();
        if transmit.is_none()
            && let Some(slot) = self.slots.get_mut(handle)
            && slot.notes.ready_on == Some(socket)
        {
            // It had its turn and nothing to send: the next change gives it another one.
            slot.notes.ready_on = None;
            self.book.outboxes.remove(socket, handle);
        }
        transmit
    }

    fn transmit_response(
        &mut self,
        response: &Response,
        buffer: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit> {
        if let Response::CloseAgain(handle) = response {
            let PacketHandler::Closed(closed) = &self.slots.get(*handle)?.handler else {
                return None;
            };
            return closed.transmit(buffer);
        }
        response.transmit(&self.config, &mut self.random, buffer)
    }
}

/// Does what is due, if the deadline has not moved on since its entry was made.
fn handle_timeout(now: Instant, connection: &mut Connection) {
    if connection.poll_timeout().is_some_and(|at| at <= now) {
        connection.handle_timeout(now);
    }
}

impl<C: ConnectionCell> PacketHandlerManager for PacketHandlerMap<C> {
    type Cell = C;

    fn handle_datagram(&mut self, now: Instant, datagram: UdpDatagram<'_>) {
        let now = self.clock.advance(now);
        let mut rest = Some(datagram);
        while let Some(train) = rest.take() {
            let Some(parts) = split(train, self.config.connection_id_length) else { return };
            rest = parts.rest;
            self.deliver(now, parts.id, parts.first);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        let mut due = mem::take(&mut self.due);
        // All of them first: what is put back for a time that has come waits for the next call.
        while let Some(slot) = self.book.deadlines.pop(now) {
            due.push(slot);
        }
        for slot in due.drain(..) {
            if let Some(handle) = self.slots.handle(slot) {
                self.on_deadline(now, handle);
            }
        }
        self.due = due;
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        socket: SocketId,
        buffer: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit> {
        let now = self.clock.advance(now);
        loop {
            let transmit = match self.book.outboxes.next(socket)? {
                Turn::Connection(handle) => self.transmit_connection(now, socket, handle, buffer),
                Turn::Response(response) => self.transmit_response(&response, buffer),
            };
            if transmit.is_some() {
                return transmit;
            }
        }
    }

    fn handle_too_large(&mut self, now: Instant, socket: SocketId, length: usize) {
        if let Some(handle) = self.book.outboxes.last(socket) {
            self.with_connection(now, handle, |connection| {
                connection.handle_too_large(now, length);
            });
        }
    }

    fn poll_event(&mut self) -> Option<(ConnectionHandle, Event)> {
        let event = self.book.events.pop_front();
        if event.is_none() {
            self.over = Vec::new();
        }
        event
    }

    fn poll_misdirected(&mut self) -> Option<Misdirected> {
        self.misdirections.pop()
    }

    fn handle_unclaimed(&mut self, now: Instant, datagram: UdpDatagram<'_>) {
        let now = self.clock.advance(now);
        self.answer_for_nobody(now, &datagram);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.book.deadlines.next().map(|at| self.clock.shown(at))
    }

    fn listen(&mut self, config: Arc<ServerConfig>) {
        match &mut self.server {
            Some(server) => server.listen(config),
            None => self.server = Some(Server::new(config)),
        }
    }

    fn stop_listening(&mut self) {
        if let Some(server) = &mut self.server {
            server.stop_listening();
            self.refuse_all();
        }
    }

    fn reconfigure(&mut self, config: Arc<EndpointConfig>) {
        self.config = config;
    }

    fn connect(
        &mut self,
        now: Instant,
        target: Connect<'_>,
    ) -> Result<ConnectionHandle, ConnectError> {
        let now = self.clock.advance(now);
        let remote = target.path.remote;
        if remote.port() == 0 || remote.ip().is_unspecified() || remote.ip().is_multicast() {
            return Err(ConnectError::InvalidRemoteAddress(remote));
        }
        // Packets with an empty connection ID can be of one connection only.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1
        //# An endpoint MUST NOT use the same IP
        //# address and port for multiple concurrent connections with zero-length
        //# connection IDs, unless it is certain that those protocol features are
        //# not in use.
        let room = self.slots.length() < self.config.max_connections
            && self.book.routes.get(&ConnectionId::EMPTY).is_none();
        let handle = room.then(|| self.slots.next_handle()).flatten();
        let handle = handle.ok_or(ConnectError::TooManyConnections)?;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
        //# The client MUST include the token in all Initial packets it sends,
        //# unless a Retry replaces the token with a newer one.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
        //# When connecting to a server for which the client retains an applicable
        //# and unused token, it SHOULD include that token in the Token field of its
        //# Initial packet.
        let version = target.config.version;
        let token = self.book.tokens.take(target.server_name, version).unwrap_or_default();
        let start = ClientStart {
            path: target.path,
            config: target.config,
            endpoint: self.config.clone(),
            server_name: target.server_name,
            random: SeededRandom::forked_from(&mut self.random),
            token: token.clone(),
        };
        let connection = Connection::client(now, start).inspect_err(|_| {
            self.book.tokens.add(target.server_name, version, token);
        })?;
        self.slots.insert(handle, PacketHandler::Connection(C::new(handle, connection)));
        self.act(now, handle, |_| ());
        Ok(handle)
    }

    fn incoming(&self, handle: ConnectionHandle) -> Option<Incoming> {
        let PacketHandler::Incoming(attempt) = &self.slots.get(handle)?.handler else {
            return None;
        };
        Some(Incoming { path: attempt.facts.path, validated: attempt.facts.validated })
    }

    fn accept(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        config: Option<Arc<ServerConfig>>,
    ) -> Result<(), AcceptError> {
        let now = self.clock.advance(now);
        self.accept_attempt(now, handle, config)
    }

    fn refuse(&mut self, handle: ConnectionHandle) {
        self.refuse_attempt(handle);
    }

    fn retry(&mut self, now: Instant, handle: ConnectionHandle) -> bool {
        let now = self.clock.advance(now);
        self.retry_attempt(now, handle)
    }

    fn ignore(&mut self, handle: ConnectionHandle) {
        self.take_attempt(handle);
    }

    fn on_socket_removed(&mut self, socket: SocketId) {
        let now = self.clock.latest();
        let handles: Vec<ConnectionHandle> = self.slots.handles().collect();
        for handle in handles {
            self.act(now, handle, |connection| connection.on_socket_removed(now, socket));
        }
    }

    fn cell(&self, handle: ConnectionHandle) -> Option<&C> {
        match &self.slots.get(handle)?.handler {
            PacketHandler::Connection(cell) => Some(cell),
            PacketHandler::Incoming(_)
            | PacketHandler::Closed(_)
            | PacketHandler::ZeroRttQueue(_) => None,
        }
    }

    fn on_changed(&mut self, now: Instant, handle: ConnectionHandle) {
        let now = self.clock.advance(now);
        self.act(now, handle, |_| ());
    }

    fn with_connection<R>(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        act: impl FnOnce(&mut Connection) -> R,
    ) -> Option<R> {
        let now = self.clock.advance(now);
        match self.over.iter_mut().find(|(over, _)| *over == handle) {
            Some((_, cell)) => Some(cell.with(act)),
            None => self.act(now, handle, act),
        }
    }
}
