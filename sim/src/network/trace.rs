//! What was sent, so that runs can be compared.

use std::net::{IpAddr, SocketAddr};

use quic_core::{EcnCodepoint, Instant};

use super::HostId;
use super::random::mix;

/// What became of a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It arrived, or is on its way.
    Passes,
    /// Nobody has the address that it goes to.
    NoRoute,
    /// Its sender or receiver is in [`Network::dead`](super::Network::dead).
    Dead,
    /// The link lost it: by chance, by its number, or for its ECN mark.
    Lost,
    /// The link passed nothing then.
    Cut,
    /// It was larger than the link's MTU.
    TooLarge,
    /// There was no room in the link's queue.
    QueueFull,
    /// The link's queue dropped it after it waited for too long.
    Stale,
    /// The receiver's NAT has no mapping for it, or lets nobody in from there.
    Filtered,
    /// No socket was bound to the address when it arrived.
    NoSocket,
    /// The buffer of the socket was full.
    Overflow,
}

/// A datagram that was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// By whom.
    pub by: HostId,
    /// Where it comes from, as the receiver sees it.
    pub from: SocketAddr,
    /// Where it goes to, as the sender sees it.
    pub to: SocketAddr,
    /// Length of its payload, in bytes.
    pub length: usize,
    /// A hash of its payload.
    pub hash: u64,
    /// What became of it, or of the copy of it that came to its end last.
    pub fate: Fate,
    /// Its first byte.
    pub first_byte: u8,
    /// Its first bytes, and zeros.
    pub head: [u8; 26],
    /// Its ECN mark.
    pub ecn: Option<EcnCodepoint>,
}

/// Every datagram that was sent, in order, and a digest of all that happened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Trace {
    /// The datagrams, if they are kept.
    pub sent: Vec<Sent>,
    /// Whether datagrams are kept: about 150 bytes each.
    pub keep: bool,
    /// Datagrams that were kept so far.
    kept: u64,
    digest: u64,
}

impl Trace {
    /// A number that follows from all that was sent and arrived so far, byte by byte and nanosecond
    /// by nanosecond, whether it is kept or not.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Times, senders and lengths, without what the datagrams said.
    pub fn shape(&self) -> Vec<(Instant, HostId, usize)> {
        self.sent.iter().map(|sent| (sent.at, sent.by, sent.length)).collect()
    }

    /// Bytes that a host sent.
    pub fn bytes_sent_by(&self, host: impl Into<HostId>) -> u64 {
        self.by(host).map(|sent| sent.length as u64).sum()
    }

    /// Datagrams that a host sent.
    pub fn by(&self, host: impl Into<HostId>) -> impl Iterator<Item = &Sent> + Clone {
        let host = host.into();
        self.sent.iter().filter(move |sent| sent.by == host)
    }

    /// Notes a datagram that is sent, when and by whom, from where to where, and what. Returns its
    /// number among those that are kept, counted from 1.
    pub(super) fn note(
        &mut self,
        (at, by): (Instant, HostId),
        (from, to, ecn): (SocketAddr, SocketAddr, Option<EcnCodepoint>),
        (payload, hash): (&[u8], u64),
        fate: Fate,
    ) -> u64 {
        let length = payload.len();
        self.stir(at, &[hash, length as u64, fate as u64]);
        self.stir_flow(from, to, ecn);
        if !self.keep {
            return 0;
        }
        let first_byte = payload.first().copied().unwrap_or_default();
        let head = head(payload);
        self.sent.push(Sent { at, by, from, to, length, hash, fate, first_byte, head, ecn });
        self.kept += 1;
        self.kept
    }

    /// What became of a datagram in the end.
    pub(super) fn note_fate(&mut self, at: Instant, number: u64, fate: Fate) {
        self.stir(at, &[1000 + fate as u64]);
        // From the end, since others may have taken away what is old.
        let back = self.kept.checked_sub(number).filter(|_| number > 0);
        let back = back.and_then(|back| usize::try_from(back).ok());
        let place = back.and_then(|back| self.sent.len().checked_sub(back.saturating_add(1)));
        if let Some(sent) = place.and_then(|place| self.sent.get_mut(place)) {
            sent.fate = fate;
        }
    }

    /// Lets the digest depend on something.
    pub(super) fn stir(&mut self, at: Instant, words: &[u64]) {
        self.digest = words.iter().fold(mix(self.digest ^ at.as_nanos()), |digest, word| {
            mix(digest.rotate_left(23) ^ word)
        });
    }

    pub(super) fn stir_flow(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        ecn: Option<EcnCodepoint>,
    ) {
        let words = |address: SocketAddr| {
            let bits = match address.ip() {
                IpAddr::V4(ip) => u128::from(ip.to_bits()),
                IpAddr::V6(ip) => ip.to_bits(),
            };
            (bits as u64 ^ (bits >> 64) as u64).rotate_left(16) ^ u64::from(address.port())
        };
        let mark = ecn.map_or(0, |ecn| ecn as u64);
        let word = words(from).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ words(to);
        self.digest = mix(self.digest.rotate_left(31) ^ word.wrapping_add(mark << 62));
    }
}

/// The first bytes of a datagram, and zeros.
fn head(payload: &[u8]) -> [u8; 26] {
    let mut head = [0; 26];
    head.iter_mut().zip(payload).for_each(|(to, from)| *to = *from);
    head
}
