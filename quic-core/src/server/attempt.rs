//! A client's attempt to connect, before the application decided on it.

use std::time::Duration;

use super::{HeldDatagrams, HoldLimit};
use crate::crypto::InitialKeys;
use crate::instant::Instant;
use crate::net::{EcnCodepoint, PathAddresses};
use crate::wire::ConnectionId;

/// How long the application may take to answer an attempt.
pub(crate) const ATTEMPT_LIFETIME: Duration = Duration::from_secs(10);
/// What is held of an attempt: room for a ClientHello in several Initials.
pub(crate) const ATTEMPT_LIMIT: HoldLimit = HoldLimit { datagrams: 4, bytes: 8192 };

/// What the first Initial, and its token, say about an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct InitialFacts {
    pub(crate) path: PathAddresses,
    pub(crate) version: u32,
    pub(crate) destination_id: ConnectionId,
    pub(crate) source_id: ConnectionId,
    /// Destination Connection ID of the client's very first Initial.
    pub(crate) original_destination_id: ConnectionId,
    /// Whether a token proved the client's address.
    pub(crate) validated: bool,
    /// Whether that token came from a Retry.
    pub(crate) retried: bool,
}

/// An attempt that waits to be accepted.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) facts: InitialFacts,
    pub(crate) until: Instant,
    /// Those that its first Initial was opened with; `None` once it is being accepted.
    keys: Option<InitialKeys>,
    datagrams: HeldDatagrams,
    /// 0-RTT packets that overtook the first Initial.
    early: HeldDatagrams,
}

impl Attempt {
    pub(crate) fn new(
        now: Instant,
        facts: InitialFacts,
        keys: InitialKeys,
        early: HeldDatagrams,
    ) -> Self {
        let until = now + ATTEMPT_LIFETIME;
        Self { facts, until, keys: Some(keys), datagrams: HeldDatagrams::default(), early }
    }

    /// Keeps a datagram for when the attempt is accepted, if there is room.
    pub(crate) fn hold(
        &mut self,
        path: PathAddresses,
        ecn: Option<EcnCodepoint>,
        payload: &[u8],
    ) -> bool {
        // Only one client can have made the attempt, and it has not migrated before it began.
        path.remote == self.facts.path.remote
            && self.datagrams.push(ATTEMPT_LIMIT, path, ecn, payload)
    }

    /// For the connection that it becomes.
    pub(crate) fn take_keys(&mut self) -> Option<InitialKeys> {
        self.keys.take()
    }

    /// The datagrams in the order in which to handle them.
    pub(crate) fn into_datagrams(self) -> [HeldDatagrams; 2] {
        [self.datagrams, self.early]
    }
}
