//! A connection for those who poll.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use quic_core::{ConnectionError, Direction};

use crate::connection::{Connection, attempt_accept, attempt_open};
use crate::datagrams::attempt_read;
use crate::recv_stream::RecvStream;
use crate::send_stream::SendStream;
use crate::shared::{ConnectionState, wake};
use crate::waiting::{Ticket, Topic};

/// What a task that polls waits for on a [`Connection`]: for implementations of traits with
/// `poll_` functions, which would have to keep the futures of the `async` methods in a box.
///
/// Each `poll_` function remembers the task that called it last, and wakes that one alone. Clones
/// are of the same connection, and wait for themselves.
#[derive(Debug)]
pub struct PolledConnection {
    connection: Connection,
    /// A place in the list of each of [`TOPICS`].
    tickets: [Option<Ticket>; TOPICS.len()],
}

const TOPICS: [Topic; 5] = [
    Topic::Accept(Direction::Bidirectional),
    Topic::Accept(Direction::Unidirectional),
    Topic::Open(Direction::Bidirectional),
    Topic::Open(Direction::Unidirectional),
    Topic::Datagrams,
];

impl PolledConnection {
    /// Nobody waits yet.
    pub fn new(connection: Connection) -> Self {
        Self { connection, tickets: [None; TOPICS.len()] }
    }

    /// The connection.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// [`Connection::accept_bi`] for those who poll.
    ///
    /// # Errors
    /// How the connection ended, if it did.
    pub fn poll_accept_bi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(SendStream, RecvStream), ConnectionError>> {
        let direction = Direction::Bidirectional;
        let accept = |state: &mut ConnectionState| attempt_accept(state, direction);
        let id = ready!(self.poll(cx, Topic::Accept(direction), accept))?;
        Poll::Ready(Ok(self.connection.both_parts(id, false)))
    }

    /// [`Connection::accept_uni`] for those who poll.
    ///
    /// # Errors
    /// How the connection ended, if it did.
    pub fn poll_accept_uni(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RecvStream, ConnectionError>> {
        let direction = Direction::Unidirectional;
        let accept = |state: &mut ConnectionState| attempt_accept(state, direction);
        let id = ready!(self.poll(cx, Topic::Accept(direction), accept))?;
        Poll::Ready(Ok(self.connection.receiving_part(id, false)))
    }

    /// [`Connection::open_bi`] for those who poll.
    ///
    /// # Errors
    /// How the connection ended, if it did.
    pub fn poll_open_bi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(SendStream, RecvStream), ConnectionError>> {
        let direction = Direction::Bidirectional;
        let open = |state: &mut ConnectionState| attempt_open(state, direction);
        let (id, early) = ready!(self.poll(cx, Topic::Open(direction), open))?;
        Poll::Ready(Ok(self.connection.both_parts(id, early)))
    }

    /// [`Connection::open_uni`] for those who poll.
    ///
    /// # Errors
    /// How the connection ended, if it did.
    pub fn poll_open_uni(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<SendStream, ConnectionError>> {
        let direction = Direction::Unidirectional;
        let open = |state: &mut ConnectionState| attempt_open(state, direction);
        let (id, early) = ready!(self.poll(cx, Topic::Open(direction), open))?;
        Poll::Ready(Ok(self.connection.sending_part(id, early)))
    }

    /// [`Connection::read_datagram`] for those who poll.
    ///
    /// # Errors
    /// How the connection ended, once everything that had arrived was read.
    pub fn poll_read_datagram(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, ConnectionError>> {
        self.poll(cx, Topic::Datagrams, attempt_read)
    }

    fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        topic: Topic,
        attempt: impl FnOnce(&mut ConnectionState) -> Option<R>,
    ) -> Poll<R> {
        let mut state = self.connection.inner.lock();
        if let Some(result) = attempt(&mut state) {
            return Poll::Ready(result);
        }
        let mut places = TOPICS.iter().zip(&mut self.tickets);
        if let Some((_, ticket)) = places.find(|(other, _)| **other == topic) {
            state.waiting.wait(topic, ticket, cx);
        }
        Poll::Pending
    }
}

impl Clone for PolledConnection {
    fn clone(&self) -> Self {
        Self::new(self.connection.clone())
    }
}

impl From<Connection> for PolledConnection {
    fn from(connection: Connection) -> Self {
        Self::new(connection)
    }
}

impl Drop for PolledConnection {
    fn drop(&mut self) {
        if self.tickets.iter().all(Option::is_none) {
            return;
        }
        let mut woken = Vec::new();
        let mut state = self.connection.inner.lock();
        for (topic, ticket) in TOPICS.into_iter().zip(self.tickets) {
            if let Some(ticket) = ticket {
                state.give_up(topic, ticket, &mut woken);
            }
        }
        drop(state);
        wake(&mut woken);
    }
}
