//! The peer moves, or seems to (RFC 9000 §9.3).

use std::mem;

use super::{Amplification, MAXIMUM_OTHERS, Path, PathTimeout, Paths, is_same};
use crate::crypto::SeededRandom;
use crate::instant::Instant;
use crate::net::PathAddresses;
use crate::wire::Side;

/// What is to be known of an authentic packet to judge whether the peer moved (RFC 9000 §9.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) path: PathAddresses,
    /// Bytes of the datagram; only those of its first packet, 0 for the others.
    pub(crate) datagram_bytes: u64,
    /// It has the highest packet number so far.
    pub(crate) is_newest: bool,
    /// It has only PATH_CHALLENGE, PATH_RESPONSE, NEW_CONNECTION_ID and PADDING (RFC 9000 §9.1).
    pub(crate) is_probing: bool,
}

/// What an authentic packet did to the active path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PathChange {
    /// Nothing.
    Unchanged,
    /// The peer moved. Switch to another of the peer's IDs if there is one.
    Moved,
}

impl Paths {
    /// An authentic packet arrived: the peer may have moved (RFC 9000 §9.3), or is probing.
    pub(crate) fn on_authenticated(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        random: &mut SeededRandom,
    ) -> PathChange {
        if is_same(&self.active.addresses, &arrival.path)
            || self.side == Side::Client
            || !self.is_handshake_confirmed
        {
            return PathChange::Unchanged;
        }
        let index = self.find_or_add(arrival);
        if arrival.is_probing || !arrival.is_newest {
            return PathChange::Unchanged;
        }
        let Some(mut previous) = index.and_then(|index| self.activate(index)) else {
            return PathChange::Unchanged;
        };
        self.active.mtu.enable();
        let interval = self.active.validation_interval().max(previous.validation_interval());
        if self.active.amplification.is_validated() {
            self.active.validation.cancel();
        } else {
            self.active.validation.start(now, interval, random);
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3.3
        //# In response to an apparent migration, endpoints MUST validate the
        //# previously active path using a PATH_CHALLENGE frame.
        previous.validation.start(now, interval, random);
        self.others.push(previous);
        PathChange::Moved
    }

    /// The index of the path among the others.
    fn find_or_add(&mut self, arrival: &Arrival) -> Option<usize> {
        let known = self.others.iter().position(|path| is_same(&path.addresses, &arrival.path));
        if known.is_some() {
            return known;
        }
        if self.others.len() >= MAXIMUM_OTHERS {
            let unproved = self.others.iter().position(|path| !path.amplification.is_validated());
            self.others.remove(unproved.unwrap_or(0));
        }
        let generation = self.next_generation;
        self.next_generation = self.next_generation.wrapping_add(1);
        let limit = Amplification::limited();
        let mut path = Box::new(Path::new(arrival.path, generation, &self.config, limit));
        path.amplification.received(arrival.datagram_bytes);
        path.set_peer_maximum(self.peer_maximum);
        self.others.push(path);
        self.others.len().checked_sub(1)
    }

    /// Makes one of the others the active path; returns the one that was.
    fn activate(&mut self, index: usize) -> Option<Box<Path>> {
        let mut path = (index < self.others.len()).then(|| self.others.remove(index))?;
        mem::swap(&mut self.active, &mut path);
        let (active, previous) = (&self.active.addresses, &path.addresses);
        if active.remote.ip() == previous.remote.ip() && active.socket == previous.socket {
            self.active.swap_estimates(&mut path);
        }
        self.pacing.cancel();
        Some(path)
    }

    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3.2
    //# To protect the connection from failing due to such a spurious
    //# migration, an endpoint MUST revert to using the last validated peer
    //# address when validation of a new peer address fails.
    pub(super) fn revert(&mut self) -> PathTimeout {
        let validated = self.others.iter().rposition(|path| path.amplification.is_validated());
        if validated.and_then(|index| self.activate(index)).is_none() {
            return PathTimeout::NoPath;
        }
        self.active.validation.cancel();
        PathTimeout::Reverted
    }
}
