//! Where to send, and whether (RFC 9000 §8, §9, §14).

mod amplification;
mod migration;
mod mtu_discovery;
mod path;
mod permit;
mod validation;

#[cfg(test)]
mod tests;

pub(crate) use amplification::Amplification;
pub(crate) use migration::{Arrival, PathChange};
pub(crate) use path::Path;
pub(crate) use permit::{Permit, Wish};
pub(crate) use validation::Answer;

use std::sync::Arc;

use smallvec::SmallVec;

use permit::USEFUL_BYTES;

use crate::config::TransportConfig;
use crate::crypto::SeededRandom;
use crate::deadline::{Deadline, earliest};
use crate::instant::Instant;
use crate::net::{PathAddresses, SocketId, is_reflector};
use crate::wire::Side;
use crate::wire::frame::PathResponse;

/// Paths besides the active one: previous ones, and those that the peer probes. Further ones take
/// the place of the oldest that is not validated.
const MAXIMUM_OTHERS: usize = 3;

/// The paths of a connection, one of which is active.
#[derive(Debug)]
pub(crate) struct Paths {
    side: Side,
    config: Arc<TransportConfig>,
    active: Path,
    /// Oldest first; at most [`MAXIMUM_OTHERS`].
    others: SmallVec<[Box<Path>; MAXIMUM_OTHERS]>,
    next_generation: u32,
    /// Before, the peer's address cannot change.
    is_handshake_confirmed: bool,
    /// The peer's max_udp_payload_size; as large as can be before it told.
    peer_maximum: u64,
    pacing: Deadline,
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
    /// None that the peer may use now: drop the datagram.
    Ignored,
}

/// What a timeout did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PathTimeout {
    /// Nothing to be told.
    Nothing,
    /// The active path failed validation; the last validated one is active again.
    Reverted,
    /// The active path failed validation, and there is no other: the connection is over, silently
    /// (RFC 9000 §9.3.2).
    NoPath,
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
            others: SmallVec::new(),
            next_generation: 1,
            is_handshake_confirmed: false,
            peer_maximum: u64::MAX,
            pacing: Deadline::default(),
        }
    }

    pub(crate) fn active(&self) -> &Path {
        &self.active
    }

    pub(crate) fn active_mut(&mut self) -> &mut Path {
        &mut self.active
    }

    /// The path that packets of this generation are accounted to; `None` if it is given up.
    pub(crate) fn by_generation(&mut self, generation: u32) -> Option<&mut Path> {
        self.all_mut().find(|path| path.generation == generation)
    }

    /// The path that a datagram came from, once it is known.
    pub(crate) fn by_addresses(&mut self, addresses: &PathAddresses) -> Option<&mut Path> {
        self.all_mut().find(|path| is_same(&path.addresses, addresses))
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

    /// Takes the peer's max_udp_payload_size, in bytes.
    pub(crate) fn set_peer_maximum(&mut self, maximum: u64) {
        self.peer_maximum = maximum;
        self.active.set_peer_maximum(maximum);
    }

    /// Judges a datagram by where it came from, before anything of it is read, and counts its
    /// bytes towards the amplification limit.
    pub(crate) fn on_datagram(&mut self, addresses: &PathAddresses, bytes: u64) -> PathVerdict {
        if is_same(&self.active.addresses, addresses) {
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
        //= https://www.rfc-editor.org/rfc/rfc9000#section-9
        //# If a
        //# client receives packets from an unknown server address, the client
        //# MUST discard these packets.
        if self.side == Side::Client || !self.is_handshake_confirmed {
            return PathVerdict::Ignored;
        }
        // Whoever moves there wants this end to send to someone else (RFC 9000 §21.5.4).
        //= https://www.rfc-editor.org/rfc/rfc9000#section-21.5.6
        //# Endpoints SHOULD NOT refuse to use an address unless they have
        //# specific knowledge about the network indicating that sending datagrams
        //# to unvalidated addresses in a given range is not safe.
        if is_reflector(addresses.remote.port()) {
            return PathVerdict::Ignored;
        }
        // What comes from the network cannot come from this machine.
        let loopback = |path: &PathAddresses| path.remote.ip().is_loopback();
        //= https://www.rfc-editor.org/rfc/rfc9000#section-21.5.6
        //# Endpoints SHOULD NOT allow connections or migration to a loopback
        //# address if the same service was previously available at a different
        //# interface or if the address was provided by a service at a
        //# non-loopback address.
        if loopback(addresses) && !loopback(&self.active.addresses) {
            return PathVerdict::Ignored;
        }
        PathVerdict::Unknown
    }

    /// The peer answered a challenge, on whichever path.
    pub(crate) fn handle_response(
        &mut self,
        now: Instant,
        frame: PathResponse,
        random: &mut SeededRandom,
    ) {
        for path in self.all_mut() {
            match path.validation.handle_response(frame) {
                Answer::Unknown => continue,
                Answer::Validated => path.amplification.validate(),
                Answer::AddressOnly => {
                    path.amplification.validate();
                    path.validation.start(now, path.validation_interval(), random);
                }
            }
            break;
        }
        self.forget_others();
    }

    /// Forgets paths that nothing is expected of, once the active one is proved.
    fn forget_others(&mut self) {
        if self.active.amplification.is_validated() {
            self.others
                .retain(|path| path.validation.is_running() || path.validation.wants_padding());
        }
    }

    /// A path other than the active one on which a challenge or an answer is due and may be sent:
    /// write them in a datagram of their own, padded to 1,200 bytes if its limit permits.
    pub(crate) fn off_path(&mut self, socket: SocketId) -> Option<&mut Path> {
        self.others.iter_mut().map(|path| &mut **path).find(|path| {
            path.addresses.socket == socket
                && path.validation.wants_padding()
                && path.amplification.allowance() >= USEFUL_BYTES
        })
    }

    /// The socket of the next [`Self::off_path`], if there is any.
    pub(crate) fn off_path_socket(&self) -> Option<SocketId> {
        self.others
            .iter()
            .find(|path| {
                path.validation.wants_padding() && path.amplification.allowance() >= USEFUL_BYTES
            })
            .map(|path| path.addresses.socket)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let others = self.others.iter().filter_map(|path| path.validation.deadline()).min();
        let active = self.active.validation.deadline();
        earliest([self.pacing.get(), self.active.mtu.deadline(), active, others])
    }

    /// Does what is due. Ask for a [`Permit`] again afterwards.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> PathTimeout {
        self.pacing.expire(now);
        self.active.mtu.handle_timeout(now);
        let has_failed = self.active.validation.handle_timeout(now);
        for path in &mut self.others {
            path.validation.handle_timeout(now);
        }
        if has_failed && !self.active.amplification.is_validated() {
            return self.revert();
        }
        self.forget_others();
        PathTimeout::Nothing
    }
}

/// A local address makes no difference where one of them does not know it.
fn is_same(a: &PathAddresses, b: &PathAddresses) -> bool {
    let local = match (a.local_ip, b.local_ip) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    a.socket == b.socket && a.remote == b.remote && local
}
