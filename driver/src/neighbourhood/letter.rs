//! What one endpoint hands over to another.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use quic_core::{EcnCodepoint, Misdirected, PathAddresses, ShardId, SocketId};

/// The first byte of a letter between processes, so that another form can be told from this one.
const FORM: u8 = 1;
/// In place of the length of segments: there is one.
const SINGLE: u16 = 0;

/// In place of the version of an address.
const NO_ADDRESS: u8 = 0;

/// A datagram, or a train of them, for a shard of another endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Letter {
    /// Whom it is for.
    pub shard: ShardId,
    /// The address of the socket that it arrived on.
    pub local: SocketAddr,
    /// The local address that it was sent to, if the socket knows.
    pub local_ip: Option<IpAddr>,
    /// Where it came from.
    pub remote: SocketAddr,
    /// The ECN mark.
    pub ecn: Option<EcnCodepoint>,
    /// The payloads, one after the other.
    pub payload: Vec<u8>,
    /// Length of every payload but the last, in bytes. `None`: a single datagram.
    pub segment_length: Option<usize>,
}

impl Letter {
    /// What the core made of it, at a socket with this address.
    pub(super) fn new(misdirected: Misdirected, local: SocketAddr) -> Self {
        let Misdirected { shard, path, ecn, payload, segment_length } = misdirected;
        let PathAddresses { local_ip, remote, .. } = path;
        Self { shard, local, local_ip, remote, ecn, payload, segment_length }
    }

    /// The same for the core of the shard that it is for.
    pub(crate) fn at(self, socket: SocketId) -> Misdirected {
        let Self { shard, local_ip, remote, ecn, payload, segment_length, .. } = self;
        let path = PathAddresses { socket, local_ip, remote };
        Misdirected { shard, path, ecn, payload, segment_length }
    }

    /// A form to send to another process of the same version, in one datagram of a Unix socket, say:
    /// at most 100 bytes more than the payload has.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.payload.len() + 100);
        bytes.push(FORM);
        bytes.extend(self.shard.0.to_be_bytes());
        bytes.push(self.ecn.map_or(0, |ecn| ecn as u8));
        let segment = self.segment_length.and_then(|length| u16::try_from(length).ok());
        bytes.extend(segment.unwrap_or(SINGLE).to_be_bytes());
        write_address(&mut bytes, self.local);
        write_address(&mut bytes, self.remote);
        match self.local_ip {
            Some(ip) => write_ip(&mut bytes, ip),
            None => bytes.push(NO_ADDRESS),
        }
        bytes.extend(&self.payload);
        bytes
    }

    /// What [`to_bytes`](Self::to_bytes) made bytes of; `None` if these are of something else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        if rest.byte()? != FORM {
            return None;
        }
        let shard = ShardId(rest.number()?);
        let ecn = EcnCodepoint::from_bits(rest.byte()?);
        let segment_length = Some(rest.number()?).filter(|length| *length != SINGLE);
        let (local, remote) = (rest.address()?, rest.address()?);
        let local_ip = if rest.skip_none() { None } else { Some(rest.ip()?) };
        let segment_length = segment_length.map(usize::from);
        let payload = rest.0.to_vec();
        Some(Self { shard, local, local_ip, remote, ecn, payload, segment_length })
    }
}

fn write_ip(bytes: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            bytes.push(4);
            bytes.extend(ip.octets());
        }
        IpAddr::V6(ip) => {
            bytes.push(6);
            bytes.extend(ip.octets());
        }
    }
}

/// Scopes of link-local addresses stay behind: the system knows them by the socket's.
fn write_address(bytes: &mut Vec<u8>, address: SocketAddr) {
    write_ip(bytes, address.ip());
    bytes.extend(address.port().to_be_bytes());
}

/// What of a letter is not read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn ip(&mut self) -> Option<IpAddr> {
        match self.byte()? {
            4 => Some(Ipv4Addr::from(self.array::<4>()?).into()),
            6 => Some(Ipv6Addr::from(self.array::<16>()?).into()),
            _ => None,
        }
    }

    fn address(&mut self) -> Option<SocketAddr> {
        let ip = self.ip()?;
        Some(SocketAddr::new(ip, self.number()?))
    }

    /// Passes over what says that there is no address, if it does.
    fn skip_none(&mut self) -> bool {
        let rest = self.0.strip_prefix(&[NO_ADDRESS]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters() -> [Letter; 2] {
        let single = Letter {
            shard: ShardId(0x102),
            local: ([192, 0, 2, 1], 443).into(),
            local_ip: None,
            remote: ([192, 0, 2, 2], 50_000).into(),
            ecn: None,
            payload: vec![7; 1200],
            segment_length: None,
        };
        let ip = Ipv6Addr::LOCALHOST;
        let train = Letter {
            local: (ip, 443).into(),
            local_ip: Some(ip.into()),
            remote: (ip, 1).into(),
            ecn: Some(EcnCodepoint::Ce),
            segment_length: Some(1000),
            ..single.clone()
        };
        [single, train]
    }

    #[test]
    fn a_letter_is_read_as_it_was_written() {
        for letter in letters() {
            let bytes = letter.to_bytes();
            assert!(bytes.len() <= letter.payload.len() + 100);
            assert_eq!(Letter::from_bytes(&bytes), Some(letter));
        }
    }

    #[test]
    fn a_train_reaches_the_other_shard_as_it_came() {
        let local = SocketAddr::from(([192, 0, 2, 1], 443));
        let remote = SocketAddr::from(([192, 0, 2, 2], 50_000));
        let path = PathAddresses { socket: SocketId::FIRST, local_ip: Some(local.ip()), remote };
        let sent = Misdirected {
            shard: ShardId(3),
            path,
            ecn: Some(EcnCodepoint::Ect0),
            payload: vec![7; 2500],
            segment_length: Some(1000),
        };
        let letter = Letter::new(sent.clone(), local);
        assert_eq!((letter.shard, letter.local), (ShardId(3), local));
        assert_eq!(letter.at(SocketId::FIRST), sent);
    }

    #[test]
    fn what_is_cut_short_or_of_another_form_is_no_letter() {
        for letter in letters() {
            let bytes = letter.to_bytes();
            let head = bytes.len() - letter.payload.len();
            assert!((0..head).all(|length| Letter::from_bytes(&bytes[..length]).is_none()));
            for form in (0..=255).filter(|form| *form != FORM) {
                assert_eq!(Letter::from_bytes(&[&[form], &bytes[1..]].concat()), None);
            }
        }
    }
}
