//! Paths that begin: the peer moves, or seems to, or this end does (RFC 9000 §9).

use std::mem;

use super::path::Role;
use super::{Amplification, MAXIMUM_OTHERS, Path, PathNews, Paths, PeerId, is_same};
use crate::crypto::SeededRandom;
use crate::instant::Instant;
use crate::net::{PathAddresses, is_reflector};
use crate::wire::Side;

/// What is to be known of an authentic packet to judge whether the peer moved (RFC 9000 §9.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) path: PathAddresses,
    /// Bytes of its datagram, of which it is the last packet; 0 if they were counted before.
    pub(crate) datagram_bytes: u64,
    /// It has the highest packet number so far.
    pub(crate) is_newest: bool,
    /// It has only PATH_CHALLENGE, PATH_RESPONSE, NEW_CONNECTION_ID and PADDING (RFC 9000 §9.1).
    pub(crate) is_probing: bool,
    /// There is an ID of the peer's that packets on a new path may carry.
    pub(crate) may_answer: bool,
    /// Sequence number of this end's ID that it came to, if that is in use.
    pub(crate) came_to: Option<u64>,
}

impl Paths {
    /// An authentic packet arrived: the peer may have moved (RFC 9000 §9.3), or is probing.
    pub(crate) fn on_authenticated(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        random: &mut SeededRandom,
    ) {
        if self.side == Side::Client || !self.is_handshake_confirmed {
            return;
        }
        let moves = arrival.is_newest && !arrival.is_probing;
        if self.is_active(&arrival.path) {
            if moves && !self.others.is_empty() {
                self.stay();
            }
            return;
        }
        let Some(index) = self.find_or_add(arrival) else {
            if moves {
                self.stop_waiting();
            }
            return;
        };
        let Some(interval) = self.others.get(index).map(|path| self.interval(path)) else { return };
        let Some(path) = self.others.get_mut(index) else { return };
        if !path.is_proved() && !path.validation.is_running() {
            // Even where this end has asked its peer not to move.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-9
            //# If the peer
            //# violates this requirement, the endpoint MUST either drop the incoming
            //# packets on that path without generating a Stateless Reset or proceed
            //# with path validation and allow the peer to migrate.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-9
            //# An endpoint MUST
            //# perform path validation (Section 8.2) if it detects any change to a
            //# peer's address, unless it has previously validated that address.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.2
            //# The server MUST probe on the path toward the client from its
            //# preferred address.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.3
            //# Servers SHOULD initiate path validation to the client's new address
            //# upon receiving a probe packet from a different address; see
            //# Section 8.
            path.validation.start(now, interval, random);
        }
        if !moves || path.peer_id == PeerId::None {
            return;
        }
        if !path.is_proved() && must_be_proved_first(&path.addresses, &self.active.addresses) {
            path.role = Role::Candidate;
            return;
        }
        self.follow(now, index, random);
    }

    /// The peer did not go where it seemed to.
    fn stay(&mut self) {
        for path in self.others.iter_mut() {
            path.role = Role::Other;
        }
        self.forget_others();
    }

    /// The newest packet came from where it cannot be answered, for want of an ID: those that are
    /// kept for other places go back to the peer, which gives others for them.
    fn stop_waiting(&mut self) {
        for path in self.others.iter_mut().filter(|path| path.role == Role::Awaited) {
            path.role = Role::Other;
        }
        self.forget_others();
    }

    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3
    //# If the recipient permits the migration, it MUST send subsequent
    //# packets to the new peer address and MUST initiate path validation
    //# (Section 8.2) to verify the peer's ownership of the address if
    //# validation is not already underway.
    fn follow(&mut self, now: Instant, index: usize, random: &mut SeededRandom) {
        let local = local(&self.active.addresses);
        let Some(mut previous) = self.activate(index) else { return };
        self.is_at_preferred |= local != self::local(&self.active.addresses);
        if self.active.is_proved() {
            self.active.validation.cancel();
        }
        let interval = self.interval(&previous);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3.3
        //# In response to an apparent migration, endpoints MUST validate the
        //# previously active path using a PATH_CHALLENGE frame.
        previous.validation.start(now, interval, random);
        self.others.push(previous);
    }

    /// Whether packets newer than all others are not to come to this address of a server any more,
    /// since the client has moved to the preferred one (RFC 9000 §9.6.2).
    pub(crate) fn is_left_behind(&self, addresses: &PathAddresses) -> bool {
        self.is_at_preferred && local(addresses) != local(&self.active.addresses)
    }

    /// Begins to find out whether a path of this client works. Once it does, it stays, to move to,
    /// or is moved to at once if `moves`. The outcome is told, once.
    pub(crate) fn probe(
        &mut self,
        now: Instant,
        addresses: PathAddresses,
        moves: bool,
        random: &mut SeededRandom,
    ) {
        if addresses == self.active.addresses {
            self.tell_if_proved();
            return;
        }
        let index = self.find_or_make(addresses);
        let Some(interval) = self.others.get(index).map(|path| self.interval(path)) else { return };
        let Some(path) = self.others.get_mut(index) else { return };
        // What worked a while ago may not do so any more.
        path.is_unproved = true;
        path.role = if moves { Role::Candidate } else { Role::Probe };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-21.5.3
        //# A client MUST NOT send non-probing frames to a preferred address
        //# prior to validating that address; see Section 8.
        path.validation.start(now, interval, random);
    }

    /// Moves this client, at once. What was the active path is kept until the new one is proved,
    /// and is gone back to if that fails. The outcome is told, once.
    pub(crate) fn migrate(
        &mut self,
        now: Instant,
        addresses: PathAddresses,
        random: &mut SeededRandom,
    ) {
        if addresses == self.active.addresses {
            self.tell_if_proved();
            return;
        }
        let index = self.find_or_make(addresses);
        self.move_to(now, index);
        self.tell_if_proved();
        if !self.active.is_proved() {
            let interval = self.interval(&self.active);
            self.active.validation.start(now, interval, random);
        }
    }

    /// The active path was asked for. What is not known of it yet is told once it is.
    fn tell_if_proved(&mut self) {
        if self.active.is_proved() {
            let addresses = self.active.addresses;
            self.news.push(PathNews::Validated { addresses });
        }
    }

    /// The server is reached at its preferred address: whether it is at the other one, too, does
    /// not matter any more.
    fn abandon_validation(&mut self) {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.3
        //# If path validation of the server's preferred address succeeds, the
        //# client MUST abandon validation of the original address and migrate to
        //# using the server's preferred address.
        if self.active.validation.is_running() && !self.active.is_proved() {
            self.active.validation.cancel();
            self.news.push(PathNews::Failed { addresses: self.active.addresses });
        }
    }

    fn move_to(&mut self, now: Instant, index: usize) {
        let Some(mut previous) = self.activate(index) else { return };
        if previous.validation.is_running() && !previous.is_proved() {
            previous.role = Role::Left;
        } else {
            let interval = self.interval(&previous);
            previous.validation.linger(now, interval);
        }
        self.others.push(previous);
    }

    /// A path was validated: who waited for that hears of it, or moves there.
    pub(super) fn on_validated(&mut self, now: Instant, path: u32, random: &mut SeededRandom) {
        let Some(index) = self.others.iter().position(|other| other.id == path) else {
            let addresses = self.active.addresses;
            self.news.push(PathNews::Validated { addresses });
            return;
        };
        let Some(interval) = self.others.get(index).map(|path| self.interval(path)) else { return };
        let Some(path) = self.others.get_mut(index) else { return };
        let (role, addresses) = (path.role, path.addresses);
        if matches!(role, Role::Other | Role::Left | Role::Awaited) {
            // The peer may still be about to move there, or something be on its way.
            path.role = Role::Other;
            path.validation.linger(now, interval);
        }
        if !matches!(role, Role::Other | Role::Awaited) {
            self.news.push(PathNews::Validated { addresses });
        }
        match (role, self.side) {
            (Role::Other | Role::Probe | Role::Left | Role::Awaited, _) => {}
            //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.1
            //# As soon as path validation succeeds, the client
            //# SHOULD begin sending all future packets to the new server address
            //# using the new connection ID and discontinue use of the old server
            //# address.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.2
            //# A client that migrates to a preferred address MUST validate the
            //# address it chooses before migrating; see Section 21.5.3.
            (Role::Candidate, Side::Client) => {
                self.abandon_validation();
                self.move_to(now, index);
            }
            //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.2
            //# The server MUST send non-probing packets from its original address
            //# until it receives a non-probing packet from the client at its
            //# preferred address and until the server has validated the new path.
            (Role::Candidate, Side::Server) => self.follow(now, index, random),
        }
    }

    /// Whether packets from new addresses, to this end's ID with this sequence number, may be
    /// answered with an ID of the peer's that is on another path already, which they come to, too.
    /// No path that is being validated has to go for that: whoever copies packets in time could
    /// bring in one after the other, and none would last until its answer came.
    pub(crate) fn may_share(&self, came_to: u64, addresses: &PathAddresses) -> bool {
        let has_room = self.others.len() < MAXIMUM_OTHERS
            || self.others().any(Path::is_idle)
            || self.dispensable(came_to, addresses).is_some();
        has_room && self.alike(came_to, addresses).next().is_some()
    }

    /// The index of the oldest path that nobody waits for, and that is neither the last one known
    /// to work nor has an ID to share with a path with these addresses.
    fn dispensable(&self, came_to: u64, addresses: &PathAddresses) -> Option<usize> {
        let is_alone = self.iter().filter(|path| path.is_proved()).count() < 2;
        let is_alike =
            |path: &Path| path.came_to == came_to && local(&path.addresses) == local(addresses);
        let is_found = |path: &Path| path.is_lingering() && !is_alike(path) && !is_alone;
        self.others.iter().position(|path| is_found(path))
    }

    /// A path besides the active one that has an ID of the peer's to share with this one, which has
    /// none.
    pub(crate) fn sharing_with(&self, path: u32) -> Option<u32> {
        let new = self.iter().find(|known| known.id == path)?;
        let alike = self.alike(new.came_to, &new.addresses);
        alike.map(|path| path.id).find(|other| *other != path)
    }

    /// Paths that have an ID of the peer's, and to which it came with the same one of this end's.
    fn alike(&self, came_to: u64, addresses: &PathAddresses) -> impl Iterator<Item = &Path> {
        let local = local(addresses);
        self.others().filter(move |path| {
            path.peer_id == PeerId::Own
                && path.came_to == came_to
                && self::local(&path.addresses) == local
        })
    }

    /// The index of the path among the others.
    fn find_or_add(&mut self, arrival: &Arrival) -> Option<usize> {
        let known = self.others.iter().position(|path| is_same(&path.addresses, &arrival.path));
        if known.is_some() || !arrival.may_answer {
            return known;
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3
        //# An endpoint MAY send data to an unvalidated peer address, but it MUST
        //# protect against potential attacks as described in Sections 9.3.1 and
        //# 9.3.2.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.3
        //# If packets received at the server's preferred address have a
        //# different source address than observed from the client during the
        //# handshake, the server MUST protect against potential attacks as
        //# described in Sections 9.3.1 and 9.3.2.
        let mut path = self.make(arrival.path, Amplification::limited());
        path.amplification.received(arrival.datagram_bytes);
        path.came_to = arrival.came_to.unwrap_or(0);
        path.owes_tokens = path.addresses.remote.ip() != self.active.addresses.remote.ip();
        Some(self.add(path))
    }

    /// The index of a path of this client's among the others.
    fn find_or_make(&mut self, addresses: PathAddresses) -> usize {
        let known = self.others.iter().position(|path| path.addresses == addresses);
        known.unwrap_or_else(|| {
            let mut path = self.make(addresses, Amplification::unlimited());
            path.is_unproved = true;
            self.add(path)
        })
    }

    fn make(&mut self, addresses: PathAddresses, limit: Amplification) -> Box<Path> {
        let generation = self.next_generation;
        self.next_generation = self.next_generation.wrapping_add(1);
        let mut path = Box::new(Path::new(addresses, generation, &self.config, limit));
        path.set_peer_maximum(self.peer_maximum);
        path
    }

    fn add(&mut self, path: Box<Path>) -> usize {
        if self.others.len() >= MAXIMUM_OTHERS {
            let shares = path.came_to != self.active.came_to
                && self.alike(path.came_to, &path.addresses).next().is_some();
            let idle = self.others.iter().position(|path| path.is_idle());
            let lingering = || self.dispensable(path.came_to, &path.addresses);
            let unproved = || self.others.iter().position(|path| !path.is_proved());
            // See may_share.
            let first = idle.or_else(|| if shares { lingering() } else { unproved() });
            self.forget(first.or_else(lingering).unwrap_or(0));
        }
        self.news.push(PathNews::Added { path: path.id });
        self.others.push(path);
        self.others.len().saturating_sub(1)
    }

    pub(super) fn forget(&mut self, index: usize) {
        let Some(path) = self.others.take(index) else { return };
        if path.is_wanted() {
            self.news.push(PathNews::Failed { addresses: path.addresses });
        }
        self.news.push(PathNews::Forgotten { path: path.id });
    }

    /// Makes one of the others the active path; returns the one that was.
    fn activate(&mut self, index: usize) -> Option<Box<Path>> {
        let mut path = self.others.take(index)?;
        mem::swap(&mut self.active, &mut path);
        let (active, previous) = (&self.active.addresses, &path.addresses);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-9.4
        //# On confirming a peer's ownership of its new address, an endpoint MUST
        //# immediately reset the congestion controller and round-trip time
        //# estimator for the new path to initial values (see Appendices A.3 and
        //# B.3 of [QUIC-RECOVERY]) unless the only change in the peer's address
        //# is its port number.
        if active.remote.ip() == previous.remote.ip() && local(active) == local(previous) {
            self.active.swap_estimates(&mut path);
        } else {
            self.active.mtu.forget_probe();
            self.active.ecn.forget_test();
        }
        self.active.role = Role::Other;
        self.active.is_answered = false;
        // Both of them have what the new one had.
        path.peer_id = self.active.peer_id;
        self.active.mtu.enable();
        self.pacing.cancel();
        self.news.push(PathNews::Moved { from: path.id, to: self.active.id });
        Some(path)
    }

    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3.2
    //# To protect the connection from failing due to such a spurious
    //# migration, an endpoint MUST revert to using the last validated peer
    //# address when validation of a new peer address fails.
    pub(super) fn revert(&mut self) {
        let validated = self.others.iter().rposition(|path| path.is_proved());
        // A client knows where its server is, and that it may be reached over a path from before.
        let asked = || self.others.iter().rposition(|path| path.validation.is_asking());
        let next = validated.or_else(|| asked().filter(|_| self.side == Side::Client));
        let Some(mut failed) = next.and_then(|index| self.activate(index)) else {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3.2
            //# If an endpoint has no state about the last validated peer address, it
            //# MUST close the connection silently by discarding all connection
            //# state.
            self.news.push(PathNews::NoPath);
            return;
        };
        if self.active.is_proved() {
            self.active.validation.cancel();
        }
        self.is_at_preferred &= local(&failed.addresses) == local(&self.active.addresses);
        self.news.push(PathNews::Failed { addresses: failed.addresses });
        match self.side {
            Side::Client => self.news.push(PathNews::Forgotten { path: failed.id }),
            // Only what the peer should have heard may have been lost.
            Side::Server => {
                failed.role = Role::Awaited;
                self.others.push(failed);
            }
        }
    }
}

/// The end of a path that is here.
fn local(addresses: &PathAddresses) -> (crate::net::SocketId, Option<std::net::IpAddr>) {
    (addresses.socket, addresses.local_ip)
}

/// Whether nothing but a challenge may be sent to where the peer seems to be before it has
/// answered: it would leave this end's address for the preferred one (RFC 9000 §9.6.2), or wants
/// this end to talk to a port whose owner answers whatever it gets (RFC 9000 §21.5.4). An honest
/// peer gets such a port from its NAT now and then, and answers.
fn must_be_proved_first(new: &PathAddresses, active: &PathAddresses) -> bool {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-21.5.6
    //# Endpoints SHOULD NOT refuse to use an address unless they have
    //# specific knowledge about the network indicating that sending datagrams
    //# to unvalidated addresses in a given range is not safe.
    local(new) != local(active) || is_reflector(new.remote.port())
}
