//! Connections that move (RFC 9000 §9).

use super::work_account::COSTLY;
use super::{Connection, Role};
use crate::error::{ConnectionError, TransportError};
use crate::event::{Event, PathEvent};
use crate::instant::Instant;
use crate::net::PathAddresses;
use crate::paths::{self, PathNews, PeerId};
use crate::wire::{ConnectionId, Side};

/// Why a connection cannot move to, or probe, another path.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// The connection is over.
    #[error("the connection is over")]
    ConnectionOver,
    /// Only clients move (RFC 9000 §9).
    #[error("a server cannot move")]
    Server,
    /// The handshake is not confirmed yet (RFC 9000 §9).
    #[error("the handshake is not confirmed yet")]
    NotConfirmed,
    /// The server does not want its clients to move (disable_active_migration, RFC 9000 §18.2).
    #[error("the server does not want its clients to move")]
    Forbidden,
    /// The path does not lead to an address of the server that is in use.
    #[error("the path leads to another address than the server's")]
    OtherServer,
    /// The server has given no connection ID that is not in use on another path; it may do so
    /// soon. Never, if its connection IDs are empty (RFC 9000 §9.5).
    #[error("the server has given no connection ID for another path")]
    NoConnectionId,
}

/// What is to be known of an authentic 1-RTT packet to judge where its sender is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    pub(super) now: Instant,
    pub(super) path: PathAddresses,
    pub(super) datagram_bytes: u64,
    /// The connection ID that it was sent to.
    pub(super) to: ConnectionId,
    pub(super) is_newest: bool,
    pub(super) is_probing: bool,
}

impl Connection {
    /// Moves to another path at once, as when the old one is dead, and validates it meanwhile; goes
    /// back to the old one if that fails (RFC 9000 §9.2).
    ///
    /// The path may have another socket, of the same manager, or another local address; the
    /// server's address is that of [`path`](Self::path). A path that is in use is moved to already.
    /// One [`PathEvent::Validated`] or [`PathEvent::Failed`] follows: at once if the path was
    /// validated before, by [`probe_path`](Self::probe_path), and also if the connection moves on
    /// before it is known. Whoever asks again meanwhile gets the same answer, once.
    ///
    /// # Errors
    /// See [`MigrationError`]; nothing has changed then.
    pub fn migrate(&mut self, now: Instant, path: PathAddresses) -> Result<(), MigrationError> {
        self.check_may_use(&path)?;
        let now = self.clock.advance(now);
        self.paths.migrate(now, path, &mut self.random);
        self.settle_paths(now);
        self.probe_preferred_from_here(now);
        Ok(())
    }

    /// Finds out whether another path works, while the old one stays in use (RFC 9000 §9.1).
    ///
    /// [`PathEvent::Validated`] or [`PathEvent::Failed`] follows. A path that works is kept, with a
    /// connection ID of its own, for [`migrate`](Self::migrate); at most three at a time, of which
    /// the oldest has to go, and is told to have failed. See there for what a path may be.
    ///
    /// # Errors
    /// See [`MigrationError`]; nothing has changed then.
    pub fn probe_path(&mut self, now: Instant, path: PathAddresses) -> Result<(), MigrationError> {
        self.check_may_use(&path)?;
        let now = self.clock.advance(now);
        self.paths.probe(now, path, false, &mut self.random);
        self.settle_paths(now);
        Ok(())
    }

    /// A socket is gone: other paths than the active one that lead over it are, too.
    pub(crate) fn on_socket_removed(&mut self, now: Instant, socket: crate::net::SocketId) {
        if self.lifecycle.is_alive() {
            self.paths.forget_socket(socket);
            self.settle_paths(now);
        }
    }

    fn check_may_use(&self, path: &PathAddresses) -> Result<(), MigrationError> {
        if !self.lifecycle.is_alive() {
            return Err(MigrationError::ConnectionOver);
        }
        let Role::Client(client) = &self.role else { return Err(MigrationError::Server) };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-9
        //# An endpoint MUST NOT initiate connection migration before the
        //# handshake is confirmed, as defined in Section 4.1.2 of [QUIC-TLS].
        if !self.handshake.is_confirmed() {
            return Err(MigrationError::NotConfirmed);
        }
        if path.remote != self.paths.active().addresses.remote {
            return Err(MigrationError::OtherServer);
        }
        if *path == self.paths.active().addresses {
            return Ok(());
        }
        if let Some(known) = self.paths.others().find(|known| known.addresses == *path) {
            // The server may have taken back the ID that it had.
            let has_id = known.peer_id() != PeerId::None;
            return if has_id { Ok(()) } else { Err(MigrationError::NoConnectionId) };
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-9
        //# If the peer sent the disable_active_migration transport parameter, an
        //# endpoint also MUST NOT send packets (including probing packets; see
        //# Section 9.1) from a different local address to the address the peer
        //# used during the handshake, unless the endpoint has acted on a
        //# preferred_address transport parameter from the peer.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
        //# An endpoint that receives this transport parameter MUST NOT use a new
        //# local address when sending to the address that the peer used during the
        //# handshake.
        if self.peer.forbids_migration && !client.preferred.is_used() {
            return Err(MigrationError::Forbidden);
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-9.5
        //# An endpoint SHOULD NOT initiate migration with a peer that has
        //# requested a zero-length connection ID, because traffic over the new
        //# path might be trivially linkable to traffic over the old one.
        if self.remote_ids.active().is_empty() || !self.remote_ids.has_spare() {
            return Err(MigrationError::NoConnectionId);
        }
        Ok(())
    }

    /// The peer may have moved (RFC 9000 §9.3).
    pub(super) fn judge_path(&mut self, judged: &Judged) -> Result<(), TransportError> {
        let Judged { now, path, datagram_bytes, to, is_newest, is_probing } = *judged;
        self.paths.set_silent(self.recovery.pto_count() > 0);
        let is_elsewhere = !self.paths.is_active(&path);
        let came_to = if is_elsewhere { self.local_ids.sequence_of(&to) } else { None };
        // Whoever comes from elsewhere with the same connection ID may not know that it does
        // (RFC 9000 §9.5). Who has changed that needs an answer with another one, too.
        let is_same_id = came_to == Some(self.paths.active().came_to);
        let may_share = || came_to.is_some_and(|came_to| self.paths.may_share(came_to, &path));
        let has_id = || self.remote_ids.has_spare() || is_same_id || may_share();
        let may_answer = is_elsewhere && has_id();
        let arrival =
            paths::Arrival { path, datagram_bytes, is_newest, is_probing, may_answer, came_to };
        self.paths.on_authenticated(now, &arrival, &mut self.random);
        if !is_elsewhere {
            return Ok(());
        }
        if let (Some(came_to), Some(known)) = (came_to, self.paths.by_addresses(&path)) {
            known.came_to = came_to;
        }
        self.follow_paths(now)
    }

    /// Carries out what the application's or the clock's change of paths brings.
    pub(super) fn settle_paths(&mut self, now: Instant) {
        if let Err(error) = self.follow_paths(now) {
            self.fail(now, error);
        }
        self.after_input(now);
    }

    /// Carries out what follows from changes of the paths.
    pub(super) fn follow_paths(&mut self, now: Instant) -> Result<(), TransportError> {
        while let Some(news) = self.paths.poll_news() {
            self.on_path_news(now, news)?;
        }
        if self.paths.take_owed_tokens() {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3
            //# After verifying a new client address, the server SHOULD send new
            //# address validation tokens (Section 8) to the client.
            self.queue_new_tokens(now);
        }
        Ok(())
    }

    fn on_path_news(&mut self, now: Instant, news: PathNews) -> Result<(), TransportError> {
        let active = self.paths.active().addresses;
        match news {
            PathNews::Added { path } => {
                self.charge_peer(now);
                if !self.remote_ids.bind(path)
                    && let Some(other) = self.paths.sharing_with(path)
                {
                    self.remote_ids.share(path, other);
                }
                self.settle_peer_id(path);
            }
            PathNews::Moved { from, to } => {
                self.charge_peer(now);
                self.remote_ids.on_moved(from, to);
                self.settle_peer_id(from);
                self.counters.on_moved(from, to);
                self.on_path_changed();
                if self.side() == Side::Client {
                    // The server has to hear of it even if there is nothing to say: it moves with a
                    // packet that is more than a probe (RFC 9000 §9.2).
                    self.ping();
                }
                self.tell_path(PathEvent::Active(active));
                self.on_moved_to_preferred(active.remote);
            }
            PathNews::Validated { addresses } => self.tell_path(PathEvent::Validated(addresses)),
            PathNews::Failed { addresses } => {
                self.on_preferred_failed(addresses.remote);
                self.tell_path(PathEvent::Failed(addresses));
            }
            PathNews::Forgotten { path } => {
                self.counters.ledger().on_forgotten(path);
                self.remote_ids.release(path)?;
            }
            PathNews::NoPath => self.vanish(now, ConnectionError::TimedOut),
        }
        Ok(())
    }

    /// A path that has no ID of its own goes on with the active one's.
    fn settle_peer_id(&mut self, path: u32) {
        let is_own = self.remote_ids.of_path(path).is_some();
        self.paths.set_peer_id(path, if is_own { PeerId::Own } else { PeerId::Shared });
    }

    /// Paths cost this end more than most packets do.
    fn charge_peer(&mut self, now: Instant) {
        if self.side() == Side::Server {
            self.work.charge(now, COSTLY);
        }
    }

    /// A peer that moves all the time must not make events pile up: only the last counts.
    fn tell_path(&mut self, event: PathEvent) {
        if let (Some(Event::Path(last @ PathEvent::Active(_))), PathEvent::Active(_)) =
            (self.events.back_mut(), event)
        {
            *last = event;
        } else if self.lifecycle.is_alive() {
            self.events.push_back(Event::Path(event));
        }
    }

    /// The peer's IDs changed: paths without one of their own may get one now.
    pub(super) fn refresh_path_ids(&mut self) {
        let ids: smallvec::SmallVec<[(u32, PeerId); 3]> =
            self.paths.others().map(|path| (path.id, path.peer_id())).collect();
        for (path, before) in ids {
            let after = match before {
                _ if self.remote_ids.bind(path) => PeerId::Own,
                PeerId::Shared => PeerId::Shared,
                PeerId::Own | PeerId::None => PeerId::None,
            };
            self.paths.set_peer_id(path, after);
        }
    }
}
