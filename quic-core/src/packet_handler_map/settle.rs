//! A connection's consequences become the map's.

use std::collections::VecDeque;

use crate::connection::{Closing, Connection};
use crate::crypto::SeededRandom;
use crate::event::{ConnectionHandle, Event};
use crate::ids::Registration;
use crate::instant::Instant;
use crate::streams::ReceiveBudget;
use crate::wire::ConnectionId;

use super::deadlines::Deadlines;
use super::outbox::Outboxes;
use super::retired::RetiredIds;
use super::routes::Routes;
use super::slots::Notes;
use super::token_store::TokenStore;

/// What the map knows of all handlers, apart from the handlers.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) routes: Routes,
    pub(super) retired: RetiredIds,
    pub(super) deadlines: Deadlines,
    pub(super) outboxes: Outboxes,
    pub(super) events: VecDeque<(ConnectionHandle, Event)>,
    pub(super) tokens: TokenStore,
    pub(super) receive_budget: ReceiveBudget,
    /// Attempts, and connections to the server whose handshake goes on.
    pub(super) half_open: usize,
    /// Attempts that wait for the application.
    pub(super) waiting: usize,
    /// Queues for 0-RTT packets.
    pub(super) zero_rtt_queues: usize,
}

impl Book {
    pub(super) fn new(receive_budget: u64, random: &mut SeededRandom) -> Self {
        Self {
            routes: Routes::new(random),
            retired: RetiredIds::new(random),
            deadlines: Deadlines::default(),
            outboxes: Outboxes::default(),
            events: VecDeque::new(),
            tokens: TokenStore::default(),
            receive_budget: ReceiveBudget::new(receive_budget),
            half_open: 0,
            waiting: 0,
            zero_rtt_queues: 0,
        }
    }

    /// The one place where a connection's consequences become the map's. Everything that touches
    /// a connection ends here, under the same access to it.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        notes: &mut Notes,
        connection: &mut Connection,
    ) -> Option<Closing> {
        while let Some(registration) = connection.poll_registration() {
            self.register(now, handle, notes, registration);
        }
        while let Some(event) = connection.poll_event() {
            self.events.push_back((handle, event));
        }
        connection.take_new_tokens(|server_name, version, token| {
            self.tokens.add(server_name, version, token);
        });
        if notes.half_open && !connection.is_handshaking() {
            self.on_not_half_open(notes);
        }
        if let Some(at) = connection.poll_timeout() {
            self.deadlines.set(handle.slot, at);
        }
        let closing = connection.poll_closed();
        connection.share_receive_budget(&mut self.receive_budget, closing.is_some());
        let socket = connection.transmit_socket().filter(|_| closing.is_none());
        if socket != notes.ready_on {
            if let Some(other) = notes.ready_on {
                self.outboxes.remove(other, handle);
            }
            if let Some(socket) = socket {
                self.outboxes.add(socket, handle);
            }
            notes.ready_on = socket;
        }
        closing
    }

    /// Notes that a new connection or attempt is half-open.
    pub(super) fn on_half_open(&mut self, notes: &mut Notes) {
        if !notes.half_open {
            notes.half_open = true;
            self.half_open = self.half_open.saturating_add(1);
        }
    }

    pub(super) fn on_not_half_open(&mut self, notes: &mut Notes) {
        if notes.half_open {
            notes.half_open = false;
            self.half_open = self.half_open.saturating_sub(1);
        }
    }

    pub(super) fn register(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        notes: &mut Notes,
        registration: Registration,
    ) {
        match registration {
            Registration::AddId(id) => {
                if self.routes.add(id, handle) && !notes.ids.contains(&id) {
                    notes.ids.push(id);
                }
            }
            Registration::RemoveId(id) => {
                notes.ids.retain(|known| *known != id);
                if self.routes.remove(&id, handle) {
                    self.retired.add(now, id, handle);
                }
            }
            Registration::AddResetToken(token) => {
                if self.routes.add_token(token, handle) && !notes.tokens.contains(&token) {
                    notes.tokens.push(token);
                }
            }
            Registration::RemoveResetToken(token) => {
                notes.tokens.retain(|known| *known != token);
                self.routes.remove_token(token, handle);
            }
        }
    }

    /// Whom a datagram to this connection ID is for.
    pub(super) fn route(&mut self, now: Instant, id: &ConnectionId) -> Option<ConnectionHandle> {
        // Packets that were on their way when the peer retired their ID, on its new path, are
        // not lost.
        self.routes.get(id).or_else(|| self.retired.get(now, id))
    }

    /// Takes everything back that leads to a handler.
    pub(super) fn forget(&mut self, now: Instant, handle: ConnectionHandle, notes: &mut Notes) {
        for id in notes.ids.drain(..) {
            if self.routes.remove(&id, handle) {
                self.retired.add(now, id, handle);
            }
        }
        for token in notes.tokens.drain(..) {
            self.routes.remove_token(token, handle);
        }
        if let Some(socket) = notes.ready_on.take() {
            self.outboxes.remove(socket, handle);
        }
        self.on_not_half_open(notes);
        self.deadlines.remove(handle.slot);
    }
}
