//! What the application can do with a client's attempt to connect.

use std::sync::Arc;

use crate::config::ServerConfig;
use crate::connection::{Connection, ServerStart};
use crate::crypto::{InitialKeys, SeededRandom};
use crate::error::TransportErrorCode;
use crate::event::{ConnectionHandle, Event};
use crate::instant::Instant;
use crate::packet_handler_manager::{AcceptError, ConnectionCell};
use crate::server::{Attempt, HeldDatagrams, InitialFacts};

use super::train::Segment;
use super::{PacketHandler, PacketHandlerMap, Response};

impl<C: ConnectionCell> PacketHandlerMap<C> {
    /// Begins an attempt with its first datagram; in place of a queue of 0-RTT packets, if there
    /// is one.
    pub(super) fn begin_attempt(
        &mut self,
        now: Instant,
        (facts, keys): (InitialFacts, InitialKeys),
        segment: Segment<'_>,
        queue: Option<ConnectionHandle>,
    ) {
        let early = queue.and_then(|handle| self.slots.get_mut(handle)).and_then(|slot| {
            let PacketHandler::ZeroRttQueue(queue) = &mut slot.handler else { return None };
            Some(queue.take(facts.path))
        });
        if let Some(handle) = queue {
            self.forget(now, handle);
        }
        let Some(handle) = self.slots.next_handle() else { return };
        if !self.book.routes.add(facts.destination_id, handle) {
            return;
        }
        let mut attempt = Attempt::new(now, facts, keys, early.unwrap_or_default());
        attempt.hold(segment.path, segment.ecn, segment.bytes);
        self.book.deadlines.set(handle.slot, attempt.until);
        self.slots.insert(handle, PacketHandler::Incoming(Box::new(attempt)));
        if let Some(slot) = self.slots.get_mut(handle) {
            slot.notes.ids.push(facts.destination_id);
            self.book.on_half_open(&mut slot.notes);
        }
        self.book.waiting = self.book.waiting.saturating_add(1);
        self.book.events.push_back((handle, Event::Incoming));
    }

    /// Turns an attempt into a connection, which gets the datagrams that were held.
    pub(super) fn accept_attempt(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        config: Option<Arc<ServerConfig>>,
    ) -> Result<(), AcceptError> {
        let config = config
            .or_else(|| Some(self.server.as_ref()?.config().clone()))
            .ok_or(AcceptError::Gone)?;
        let Some(PacketHandler::Incoming(attempt)) =
            self.slots.get_mut(handle).map(|slot| &mut slot.handler)
        else {
            return Err(AcceptError::Gone);
        };
        let initial_keys = attempt.take_keys().ok_or(AcceptError::Gone)?;
        let facts = attempt.facts;
        let start = ServerStart {
            path: facts.path,
            config,
            endpoint: self.config.clone(),
            random: SeededRandom::forked_from(&mut self.random),
            version: facts.version,
            client_source_id: facts.source_id,
            destination_id: facts.destination_id,
            original_destination_id: facts.original_destination_id,
            validated: facts.validated,
            retried: facts.retried,
            initial_keys,
        };
        let connection = Connection::server(now, start).inspect_err(|_| {
            self.refuse_attempt(handle);
        })?;
        let slot = self.slots.get_mut(handle).ok_or(AcceptError::Gone)?;
        let cell = PacketHandler::Connection(C::new(handle, connection));
        let PacketHandler::Incoming(attempt) = std::mem::replace(&mut slot.handler, cell) else {
            return Err(AcceptError::Gone);
        };
        self.book.waiting = self.book.waiting.saturating_sub(1);
        self.replay(now, handle, attempt.into_datagrams())
    }

    fn replay(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        datagrams: [HeldDatagrams; 2],
    ) -> Result<(), AcceptError> {
        let failed = self.act(now, handle, |connection| {
            for held in datagrams {
                held.replay(|datagram| connection.handle_datagram(now, datagram));
            }
            connection.close_reason().is_some()
        });
        if failed == Some(false) { Ok(()) } else { Err(AcceptError::Invalid) }
    }

    /// Ends an attempt with CONNECTION_REFUSED.
    pub(super) fn refuse_attempt(&mut self, handle: ConnectionHandle) {
        if let (Some(attempt), Some(server)) = (self.take_attempt(handle), &self.server) {
            let (facts, config) = (attempt.facts, server.config().clone());
            //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.2
            //# If a server refuses to accept a new connection, it SHOULD send an
            //# Initial packet containing a CONNECTION_CLOSE frame with error code
            //# CONNECTION_REFUSED.
            let code = TransportErrorCode::CONNECTION_REFUSED;
            let response = Response::Close { facts, config, code };
            self.book.outboxes.respond(facts.path.socket, response);
        }
    }

    /// Ends all attempts with CONNECTION_REFUSED, or without an answer where too many wait.
    pub(super) fn refuse_all(&mut self) {
        let handles: Vec<ConnectionHandle> = self.slots.handles().collect();
        for handle in handles {
            self.refuse_attempt(handle);
        }
    }

    /// Ends an attempt with a Retry, unless the client's address is validated.
    pub(super) fn retry_attempt(&mut self, now: Instant, handle: ConnectionHandle) -> bool {
        let Some(PacketHandler::Incoming(attempt)) =
            self.slots.get(handle).map(|slot| &slot.handler)
        else {
            return false;
        };
        let facts = attempt.facts;
        let Some(server) = self.server.as_ref().filter(|_| !facts.validated) else {
            return false;
        };
        let config = server.config().clone();
        self.book
            .outboxes
            .respond(facts.path.socket, Response::Retry { facts, config, issued: now });
        self.take_attempt(handle);
        true
    }

    /// Takes an attempt out of the map, without an answer.
    pub(super) fn take_attempt(&mut self, handle: ConnectionHandle) -> Option<Box<Attempt>> {
        let slot = self.slots.get(handle)?;
        if !matches!(slot.handler, PacketHandler::Incoming(_)) {
            return None;
        }
        match self.forget(self.clock.latest(), handle)? {
            PacketHandler::Incoming(attempt) => Some(attempt),
            PacketHandler::Connection(_)
            | PacketHandler::Closed(_)
            | PacketHandler::ZeroRttQueue(_) => None,
        }
    }
}
