//! Sessions that go on in later connections.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::messages::{put, take};

/// What a client keeps of a session, and what a ticket says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Ticket {
    pub(super) id: u64,
    pub(super) secret: u64,
    /// Whether the server offered to take early data.
    pub(super) early_data: bool,
    /// The server's transport parameters in the connection that the ticket came on.
    pub(super) parameters: Vec<u8>,
}

impl Ticket {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, &self.id.to_be_bytes());
        put(&mut out, &self.secret.to_be_bytes());
        put(&mut out, &[u8::from(self.early_data)]);
        out
    }

    /// The ticket in a message, without parameters.
    pub(super) fn decode(mut contents: &[u8]) -> Option<Self> {
        let id = u64::from_be_bytes(take(&mut contents)?.try_into().ok()?);
        let secret = u64::from_be_bytes(take(&mut contents)?.try_into().ok()?);
        let early_data = take(&mut contents)? == [1];
        Some(Self { id, secret, early_data, parameters: Vec::new() })
    }
}

/// The sessions of a client or a server. Clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct Sessions(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// A client's, the newest last.
    tickets: Vec<Ticket>,
    /// A server's: secret and protocol by ticket.
    issued: BTreeMap<u64, (u64, Option<Vec<u8>>)>,
}

impl Sessions {
    fn with<R>(&self, act: impl FnOnce(&mut Kept) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn keep(&self, ticket: Ticket) {
        self.with(|kept| kept.tickets.push(ticket));
    }

    pub(super) fn newest(&self) -> Option<Ticket> {
        self.with(|kept| kept.tickets.pop())
    }

    pub(super) fn issue(&self, ticket: &Ticket, protocol: Option<Vec<u8>>) {
        self.with(|kept| kept.issued.insert(ticket.id, (ticket.secret, protocol)));
    }

    /// What was issued, once.
    pub(super) fn redeem(&self, id: u64) -> Option<(u64, Option<Vec<u8>>)> {
        self.with(|kept| kept.issued.remove(&id))
    }
}
