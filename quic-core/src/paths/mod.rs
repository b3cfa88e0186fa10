//! Where to send, and whether (RFC 9000 §8, §9, §14).

mod amplification;
mod ecn;
mod migration;
mod mtu_discovery;
mod news;
mod others;
mod path;
mod permit;
mod validation;

#[cfg(test)]
mod tests;

pub(crate) use amplification::Amplification;
pub(crate) use ecn::AckedMarks;
pub(crate) use migration::Arrival;
pub(crate) use news::PathNews;
pub(crate) use path::{Path, PeerId};
pub(crate) use permit::{Permit, Wish};
pub(crate) use validation::Answer;

use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ecn::EcnFeedback;
use news::News;
use others::Others;
use path::Role;

use crate::config::TransportConfig;
use crate::congestion::Rtt;
use crate::crypto::SeededRandom;
use crate::deadline::{Deadline, earliest};
use crate::instant::Instant;
use crate::memory;
use crate::net::{PathAddresses, SocketId};
use crate::wire::Side;
use crate::wire::frame::PathResponse;

/// Paths besides the active one: previous ones, and those that the peer probes. Further ones take
/// the place of the oldest that is not validated.
const MAXIMUM_OTHERS: usize = 3;

/// max_ack_delay until the peer has told its own, in milliseconds (RFC 9000 §18.2).
const DEFAULT_ACK_DELAY: u16 = 25;

/// The paths of a connection, one of which is active.
#[derive(Debug)]
pub(crate) struct Paths {
    side: Side,
    config: Arc<TransportConfig>,
    active: Path,
    /// Oldest first; at most [`MAXIMUM_OTHERS`].
    others: Others,
    next_generation: u32,
    /// Before, the peer's address cannot change.
    is_handshake_confirmed: bool,
    /// The peer moved to another address of this end: the one that it was told to prefer.
    is_at_preferred: bool,
    /// Probes of the active path are not answered (RFC 9002 §6.2).
    is_silent: bool,
    /// The peer's max_ack_delay, in milliseconds.
    peer_ack_delay: u16,
    /// The peer's max_udp_payload_size; as large as can be before it told.
    peer_maximum: u64,
    pacing: Deadline,
    /// Made when the first packet is marked.
    ecn: Option<Box<EcnFeedback>>,
    news: News,
}

/// To which path a datagram belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PathVerdict {
    /// The active one.
    Active,
    /// Another one that is known.
    Known,
    /// None that is known. If its packets turn out authentic, tell
    /// [`Paths::on_authenticated`].
    Unknown,
    /// None that is known, and the handshake goes on: only what no one but the peer can have made
    /// is to be read.
    Early,
    /// None that the peer may use now: drop the datagram.
    Ignored,
}

impl Paths {
    /// `is_validated`: this end is the client, or a token proved the client's address
    /// (RFC 9000 §8.1).
    pub(crate) fn new(
        side: Side,
        addresses: PathAddresses,
        config: Arc<TransportConfig>,
        is_validated: bool,
    ) -> Self {
        let amplification = if is_validated || side == Side::Client {
            Amplification::unlimited()
        } else {
            Amplification::limited()
        };
        let active = Path::new(addresses, 0, &config, amplification);
        Self {
            side,
            config,
            active,
            others: Others::default(),
            next_generation: 1,
            is_handshake_confirmed: false,
            is_at_preferred: false,
            is_silent: false,
            peer_ack_delay: DEFAULT_ACK_DELAY,
            peer_maximum: u64::MAX,
            pacing: Deadline::default(),
            ecn: None,
            news: News::default(),
        }
    }

    /// Heap in use at the most, in bytes, without that of a congestion controller of the
    /// application's; `records` is how many packets may be in flight.
    pub(crate) fn worst_case_bytes(config: &TransportConfig, records: u64) -> u64 {
        let others = MAXIMUM_OTHERS as u64;
        memory::sum([
            Others::worst_case_bytes(),
            memory::boxes::<Path>(others),
            Path::worst_case_bytes(config, records).saturating_mul(1 + others),
            memory::boxes::<EcnFeedback>(1),
            News::worst_case_bytes(2 * (1 + others)),
        ])
    }

    /// What is to be seen to. Ask until there is nothing after each [`Self::on_authenticated`],
    /// [`Self::handle_response`], [`Self::handle_timeout`], and whatever moves or probes.
    pub(crate) fn poll_news(&mut self) -> Option<PathNews> {
        self.news.pop()
    }

    /// All paths, the active one first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.active).chain(self.others.iter().map(|path| &**path))
    }

    /// The paths besides the active one.
    pub(crate) fn others(&self) -> impl Iterator<Item = &Path> {
        self.others.iter().map(|path| &**path)
    }

    /// Whether datagrams with these addresses belong to the active path.
    pub(crate) fn is_active(&self, addresses: &PathAddresses) -> bool {
        is_same(&self.active.addresses, addresses)
            && !self.others.iter().any(|path| path.addresses == *addresses)
    }

    /// Which of the peer's IDs a path besides the active one has.
    pub(crate) fn set_peer_id(&mut self, path: u32, peer_id: PeerId) {
        if let Some(path) = self.others.iter_mut().find(|other| other.id == path) {
            path.peer_id = peer_id;
        }
    }

    /// Whether the peer is to be given tokens for its new address, and has proved that; once.
    pub(crate) fn take_owed_tokens(&mut self) -> bool {
        self.active.is_proved() && mem::take(&mut self.active.owes_tokens)
    }

    pub(crate) fn active(&self) -> &Path {
        &self.active
    }

    pub(crate) fn active_mut(&mut self) -> &mut Path {
        &mut self.active
    }

    /// Whether the peer leaves probes unanswered (RFC 9002 §6.2).
    pub(crate) fn set_silent(&mut self, is_silent: bool) {
        self.is_silent = is_silent;
    }

    /// The path that packets of this generation are accounted to; `None` if it is given up.
    pub(crate) fn by_generation(&mut self, generation: u32) -> Option<&mut Path> {
        self.all_mut().find(|path| path.generation == generation)
    }

    /// The path that a datagram came from, once it is known.
    pub(crate) fn by_addresses(&mut self, addresses: &PathAddresses) -> Option<&mut Path> {
        if self.is_active(addresses) {
            return Some(&mut self.active);
        }
        let others = self.others.iter_mut().map(|path| &mut **path);
        others.into_iter().find(|path| is_same(&path.addresses, addresses))
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Path> {
        let others = self.others.iter_mut().map(|path| &mut **path);
        std::iter::once(&mut self.active).chain(others)
    }

    /// The handshake is confirmed: the MTU is searched for, and the peer may move.
    pub(crate) fn on_handshake_confirmed(&mut self) {
        self.is_handshake_confirmed = true;
        self.active.mtu.enable();
    }

    /// A Handshake packet, or a token, proved the peer's address (RFC 9000 §8.1).
    pub(crate) fn on_address_validated(&mut self) {
        self.active.amplification.validate();
    }

    /// Takes the peer's max_udp_payload_size, in bytes; a larger one than what was remembered, for
    /// 0-RTT, frees the path from that.
    pub(crate) fn set_peer_maximum(&mut self, maximum: u64) {
        if maximum > mem::replace(&mut self.peer_maximum, maximum) {
            self.active.forget_mtu(&self.config);
            if self.is_handshake_confirmed {
                self.active.mtu.enable();
            }
        }
        self.active.set_peer_maximum(maximum);
    }

    /// Takes the peer's max_ack_delay.
    pub(crate) fn set_peer_ack_delay(&mut self, delay: Duration) {
        self.peer_ack_delay = u16::try_from(delay.as_millis()).unwrap_or(u16::MAX);
    }

    fn peer_ack_delay(&self) -> Duration {
        Duration::from_millis(self.peer_ack_delay.into())
    }

    /// How long the validation of a path waits for an answer: as long as the slowest one may take
    /// of it, the active path, and one of which nothing is known. What was measured of a path a
    /// while ago may not be true any more.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.4
    //# A value of
    //# three times the larger of the current PTO or the PTO for the new path
    //# (using kInitialRtt, as defined in [QUIC-RECOVERY]) is RECOMMENDED.
    fn interval(&self, path: &Path) -> Duration {
        let delay = self.peer_ack_delay();
        let unknown = Rtt::new(self.config.initial_rtt).pto_base().saturating_add(delay);
        let slower = path.validation_interval(delay).max(self.active.validation_interval(delay));
        slower.max(unknown)
    }

    /// Judges a datagram by where it came from, before anything of it is read, and counts its
    /// bytes towards the amplification limit.
    pub(crate) fn on_datagram(&mut self, addresses: &PathAddresses, bytes: u64) -> PathVerdict {
        if self.is_active(addresses) {
            self.active.amplification.received(bytes);
            // A client leaves the choice of its address to the system, which may change it.
            if self.side == Side::Server && self.active.addresses.local_ip.is_none() {
                self.active.addresses.local_ip = addresses.local_ip;
            }
            return PathVerdict::Active;
        }
        if let Some(path) = self.by_addresses(addresses) {
            path.amplification.received(bytes);
            return PathVerdict::Known;
        }
        match self.side {
            // What is late on a path that was left is of the peer nevertheless.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-9
            //# If a
            //# client receives packets from an unknown server address, the client
            //# MUST discard these packets.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6
            //# If a client receives packets from a
            //# new server address when the client has not initiated a migration to
            //# that address, the client SHOULD discard these packets.
            Side::Client if self.iter().any(|path| path.addresses.remote == addresses.remote) => {
                PathVerdict::Unknown
            }
            Side::Client => PathVerdict::Ignored,
            Side::Server if self.is_new_loopback(addresses) => PathVerdict::Ignored,
            Side::Server if self.is_handshake_confirmed => PathVerdict::Unknown,
            // Clients must not move yet, but NATs that they know nothing of do: who waited for the
            // old address would wait in vain.
            Side::Server => PathVerdict::Early,
        }
    }

    /// Whether it is on this machine, which what is in use is not.
    fn is_new_loopback(&self, addresses: &PathAddresses) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-21.5.6
        //# Endpoints SHOULD NOT allow connections or migration to a loopback
        //# address if the same service was previously available at a different
        //# interface or if the address was provided by a service at a
        //# non-loopback address.
        addresses.remote.ip().is_loopback() && !self.active.addresses.remote.ip().is_loopback()
    }

    /// The peer answered a challenge, on whichever path.
    pub(crate) fn handle_response(
        &mut self,
        now: Instant,
        frame: PathResponse,
        random: &mut SeededRandom,
    ) {
        let mut validated = None;
        let (delay, least) = (self.peer_ack_delay(), self.interval(&self.active));
        // On which path the answer came does not matter.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.2
        //# This requirement MUST NOT be enforced by the endpoint
        //# that initiates path validation, as that would enable an attack on
        //# migration; see Section 9.3.3.
        for path in self.all_mut() {
            match path.validation.handle_response(frame) {
                Answer::Unknown => continue,
                Answer::Validated => {
                    path.amplification.validate();
                    path.is_unproved = false;
                    validated = Some(path.id);
                }
                //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.1
                //# To ensure that the path MTU is
                //# large enough, the endpoint MUST perform a second path validation by
                //# sending a PATH_CHALLENGE frame in a datagram of at least 1200 bytes.
                //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.3
                //# However, the endpoint MUST initiate another
                //# path validation with an expanded datagram to verify that the path
                //# supports the required MTU.
                Answer::AddressOnly => {
                    path.amplification.validate();
                    let interval = path.validation_interval(delay).max(least);
                    path.validation.start(now, interval, random);
                }
            }
            break;
        }
        if let Some(path) = validated {
            self.on_validated(now, path, random);
        }
        self.forget_others();
    }

    /// Whether it may be that the peer does not hear what is sent on the active path.
    fn is_silent(&self) -> bool {
        self.is_silent || (!self.active.is_answered && self.active.in_flight() > 0)
    }

    /// Forgets paths that nothing is expected of, once the active one is proved. If the peer is
    /// silent there, it may have gone to one of them and not be heard, nor hear that their IDs are
    /// to be replaced: without any, it could not be answered at all.
    fn forget_others(&mut self) {
        if self.others.is_empty() || !self.active.is_proved() {
            return;
        }
        let is_silent = self.is_silent();
        let news = &mut self.news;
        self.others.retain(|path| {
            let is_kept = path.validation.is_running()
                || path.validation.wants_padding()
                || matches!(path.role, Role::Probe | Role::Awaited)
                || (is_silent && path.is_proved());
            if !is_kept {
                news.push(PathNews::Forgotten { path: path.id });
            }
            is_kept
        });
    }

    /// A socket is gone: nothing is sent there any more.
    pub(crate) fn forget_socket(&mut self, socket: SocketId) {
        while let Some(index) = self.others.iter().position(|it| it.addresses.socket == socket) {
            self.forget(index);
        }
    }

    /// Gives up all paths but the active one that lead there. Nobody waited for them.
    pub(crate) fn forget_remote(&mut self, remote: SocketAddr) {
        while let Some(index) = self.others.iter().position(|it| it.addresses.remote == remote) {
            if let Some(path) = self.others.get_mut(index) {
                path.role = Role::Other;
            }
            self.forget(index);
        }
    }

    /// A path other than the active one on which a challenge or an answer is due and may be sent:
    /// write them in a datagram of their own, padded to 1,200 bytes if its limit permits.
    pub(crate) fn off_path(&mut self, socket: SocketId) -> Option<&mut Path> {
        self.others
            .iter_mut()
            .map(|path| &mut **path)
            .find(|path| path.addresses.socket == socket && path.wants_datagram())
    }

    /// The socket of the next [`Self::off_path`], if there is any.
    pub(crate) fn off_path_socket(&self) -> Option<SocketId> {
        self.others.iter().find(|path| path.wants_datagram()).map(|path| path.addresses.socket)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let others = self.others.iter().filter_map(|path| path.validation.deadline()).min();
        let active = self.active.validation.deadline();
        earliest([self.pacing.get(), self.active.mtu.deadline(), active, others])
    }

    /// Does what is due. Ask for a [`Permit`] again afterwards.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.pacing.expire(now);
        self.active.mtu.handle_timeout(now);
        let has_failed = self.active.validation.handle_timeout(now) && !self.active.is_proved();
        for path in self.others.iter_mut() {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.1
            //# If path validation fails, the client MUST continue sending all future
            //# packets to the server's original IP address.
            if path.validation.handle_timeout(now) && !path.is_proved() && path.is_wanted() {
                path.role = path.role.after_failure(self.side);
                self.news.push(PathNews::Failed { addresses: path.addresses });
            }
        }
        if has_failed {
            self.revert();
        }
        self.forget_others();
    }
}

/// A local address makes no difference where one of them does not know it.
fn is_same(a: &PathAddresses, b: &PathAddresses) -> bool {
    let local = match (a.local_ip, b.local_ip) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    a.remote == b.remote && a.socket == b.socket && local
}
