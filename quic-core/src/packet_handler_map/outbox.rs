//! What waits to be sent, by socket.

use std::collections::VecDeque;

use super::response::{MAXIMUM_RESPONSES, Response};
use crate::event::ConnectionHandle;
use crate::memory;
use crate::net::SocketId;

/// What waits to be sent on one socket.
#[derive(Debug)]
struct Outbox {
    socket: SocketId,
    /// Connections that may have something to send, each once, in turn.
    ready: VecDeque<ConnectionHandle>,
    responses: VecDeque<Response>,
    /// Whether the next turn is a response's, if there is one.
    responds_next: bool,
    /// The connection that had the last turn, if it was one's.
    last: Option<ConnectionHandle>,
}

/// Whose turn it is.
#[derive(Debug)]
pub(super) enum Turn {
    Connection(ConnectionHandle),
    Response(Response),
}

/// What waits to be sent. The sockets of one manager are few.
#[derive(Debug, Default)]
pub(super) struct Outboxes(Vec<Outbox>);

impl Outboxes {
    /// Heap at the most, in bytes, on so many sockets; without the connections that wait.
    pub(super) fn worst_case_bytes(sockets: u64) -> u64 {
        let responses = Response::worst_case_bytes(MAXIMUM_RESPONSES as u64);
        memory::list::<Outbox>(sockets).saturating_add(sockets.saturating_mul(responses))
    }

    /// Queues an answer on a socket, or drops it if too many wait.
    pub(super) fn respond(&mut self, socket: SocketId, response: Response) {
        if let Some(outbox) = self.on(socket)
            && outbox.responses.len() < MAXIMUM_RESPONSES
        {
            outbox.responses.push_back(response);
        }
    }

    /// Puts a connection, which must not be in it, at the end of the queue.
    pub(super) fn add(&mut self, socket: SocketId, handle: ConnectionHandle) {
        if let Some(outbox) = self.on(socket) {
            outbox.ready.push_back(handle);
        }
    }

    /// Takes a connection out of the queue, wherever it stands.
    pub(super) fn remove(&mut self, socket: SocketId, handle: ConnectionHandle) {
        if let Some(outbox) = self.0.iter_mut().find(|outbox| outbox.socket == socket) {
            // Mostly it has just been put at the end, by its turn in which it sent nothing.
            if outbox.ready.back() == Some(&handle) {
                outbox.ready.pop_back();
            } else {
                outbox.ready.retain(|ready| *ready != handle);
            }
        }
    }

    /// Who may send next: connections and responses take turns, so that a flood that provokes
    /// responses delays connections by half at most.
    pub(super) fn next(&mut self, socket: SocketId) -> Option<Turn> {
        let outbox = self.0.iter_mut().find(|outbox| outbox.socket == socket)?;
        let responds = outbox.ready.is_empty() || outbox.responds_next;
        if responds && let Some(response) = outbox.responses.pop_front() {
            outbox.responds_next = false;
            outbox.last = None;
            return Some(Turn::Response(response));
        }
        outbox.responds_next = true;
        outbox.last = outbox.ready.pop_front();
        outbox.last.map(Turn::Connection)
    }

    /// The connection that had the last turn on this socket, if it was one's.
    pub(super) fn last(&self, socket: SocketId) -> Option<ConnectionHandle> {
        self.0.iter().find(|outbox| outbox.socket == socket)?.last
    }

    /// Number of connections and responses that wait.
    #[cfg(test)]
    pub(super) fn length(&self, socket: SocketId) -> (usize, usize) {
        let outbox = self.0.iter().find(|outbox| outbox.socket == socket);
        outbox.map_or((0, 0), |outbox| (outbox.ready.len(), outbox.responses.len()))
    }

    fn on(&mut self, socket: SocketId) -> Option<&mut Outbox> {
        let place = self.0.iter().position(|outbox| outbox.socket == socket);
        let place = place.unwrap_or_else(|| {
            // Sockets come and go, and their names do not come back.
            self.0.retain(|outbox| !outbox.ready.is_empty() || !outbox.responses.is_empty());
            self.0.push(Outbox {
                socket,
                ready: VecDeque::new(),
                responses: VecDeque::new(),
                responds_next: false,
                last: None,
            });
            self.0.len() - 1
        });
        self.0.get_mut(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCKET: SocketId = SocketId(1);

    fn handle(slot: u32) -> ConnectionHandle {
        ConnectionHandle { manager: 0, slot, generation: 0 }
    }

    #[test]
    fn connections_and_responses_take_turns() {
        let mut outboxes = Outboxes::default();
        for slot in 0..3 {
            outboxes.respond(SOCKET, Response::CloseAgain(handle(slot)));
            outboxes.add(SOCKET, handle(slot));
        }
        assert!(outboxes.next(SocketId(2)).is_none());
        let turns = std::iter::from_fn(|| outboxes.next(SOCKET));
        let connections: Vec<bool> =
            turns.map(|turn| matches!(turn, Turn::Connection(_))).collect();
        assert_eq!(connections, [true, false, true, false, true, false]);
    }

    #[test]
    fn sockets_that_are_gone_leave_nothing() {
        let mut outboxes = Outboxes::default();
        for socket in 0..100 {
            outboxes.add(SocketId(socket), handle(socket));
            outboxes.remove(SocketId(socket), handle(socket));
        }
        assert_eq!(outboxes.0.len(), 1);
    }
}
