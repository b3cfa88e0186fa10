//! What the core knows of the network: sockets by name, addresses, ECN marks, datagrams.

use std::net::{IpAddr, SocketAddr};

/// What every path of QUIC carries, in bytes of UDP payload: the smallest allowed maximum datagram
/// size (RFC 9000 §14).
pub(crate) const MINIMUM_MTU: u16 = 1200;

/// Ports of UDP services that answer whatever they get: echo and its like, DNS, portmapper, NTP,
/// NetBIOS, SNMP, LDAP, RIP, SSDP, WS-Discovery, mDNS, memcached, game servers. A datagram from
/// one of them is forged or an echo, and an answer to it would feed a loop or a flood
/// (RFC 9000 §21.5).
const REFLECTOR_PORTS: [u16; 17] =
    [0, 7, 13, 17, 19, 53, 111, 123, 137, 161, 389, 520, 1900, 3702, 5353, 11211, 27015];

/// Whether no stranger may be answered at this port, nor a peer move there.
pub(crate) fn is_reflector(port: u16) -> bool {
    REFLECTOR_PORTS.contains(&port)
}

/// Whether a datagram may be for QUIC, by its first byte, where other protocols come to the same
/// socket (RFC 9443 §3): STUN (0 to 3), ZRTP (16 to 19), DTLS (20 to 63), RTP (128 to 191).
///
/// Channels of TURN (64 to 79) are told from QUIC by their source alone, a TURN server that the
/// application knows: look for these first. Both ends must have
/// [`grease_quic_bit`](crate::TransportConfig::grease_quic_bit) off, or packets look like something
/// else. What is no QUIC packet in spite of this is dropped by the core, as always.
pub const fn is_quic(first_byte: u8) -> bool {
    matches!(first_byte, 64..=127 | 192..=255)
}

/// Names a socket of a [`Multiplexer`](crate::Multiplexer). The core never touches the socket.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SocketId(pub(crate) u32);

impl SocketId {
    /// The first socket of a [`Multiplexer`](crate::Multiplexer), and the only one of an
    /// [`Endpoint`](crate::Endpoint).
    pub const FIRST: Self = Self(0);
}

/// A network path: the socket, the local IP address where it is known, and the peer's address.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PathAddresses {
    /// The socket that datagrams arrive on and leave from.
    pub socket: SocketId,
    /// The local address that the peer sends to, where the socket reports it (packet info).
    pub local_ip: Option<IpAddr>,
    /// The address of the peer.
    pub remote: SocketAddr,
}

/// Names one of several that share addresses, each with sockets of its own: see
/// [`Shards`](crate::Shards).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ShardId(pub u16);

impl From<SocketAddr> for PathAddresses {
    /// The path between the [first socket](SocketId::FIRST), whatever its local address is, and a
    /// peer.
    fn from(remote: SocketAddr) -> Self {
        Self { socket: SocketId::FIRST, local_ip: None, remote }
    }
}

/// An ECN codepoint other than Not-ECT (RFC 3168 §5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EcnCodepoint {
    /// ECT(1), ECN-capable transport.
    Ect1 = 0b01,
    /// ECT(0), ECN-capable transport.
    Ect0 = 0b10,
    /// Congestion experienced.
    Ce = 0b11,
}

impl EcnCodepoint {
    /// The codepoint in the two low bits of an IP traffic class; `None` for Not-ECT.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits & 0b11 {
            0b01 => Some(Self::Ect1),
            0b10 => Some(Self::Ect0),
            0b11 => Some(Self::Ce),
            _ => None,
        }
    }
}

/// Whether a path carries ECN marks (RFC 9000 §13.4.2).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum EcnState {
    /// Packets are not marked, since the configuration says so.
    #[default]
    Off,
    /// The first packets are marked, to see what becomes of the marks.
    Testing,
    /// Enough packets are marked: no further ones before the peer says what became of them.
    Unknown,
    /// Marks arrive: packets are marked.
    Capable,
    /// Marks, or what is marked, do not arrive, or the peer does not count them rightly: packets
    /// are not marked any more.
    Failed,
}

/// A UDP datagram that arrived, or a train of them that the kernel coalesced (GRO).
///
/// The payload is decrypted in place: after the call its content is unspecified, and the memory is
/// the caller's again.
#[derive(Debug)]
pub struct UdpDatagram<'a> {
    /// Where it came from and on which socket.
    pub path: PathAddresses,
    /// The ECN mark of the IP packets, the same for the whole train.
    pub ecn: Option<EcnCodepoint>,
    /// The UDP payload; for a train, the payloads one after the other.
    pub payload: &'a mut [u8],
    /// Length of each datagram of a train but the last, in bytes. `None`: a single datagram.
    pub segment_length: Option<usize>,
}

impl<'a> UdpDatagram<'a> {
    /// A single datagram without an ECN mark. On an [`Endpoint`](crate::Endpoint), the peer's
    /// address will do for a path.
    pub fn new(path: impl Into<PathAddresses>, payload: &'a mut [u8]) -> Self {
        Self { path: path.into(), ecn: None, payload, segment_length: None }
    }
}

/// A datagram, or a train of them, that arrived at the wrong shard: see
/// [`Multiplexer::poll_misdirected`](crate::Multiplexer::poll_misdirected).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Misdirected {
    /// The shard that its connection ID is of.
    pub shard: ShardId,
    /// Where it came from and on which socket of the shard that it arrived at.
    pub path: PathAddresses,
    /// See [`UdpDatagram::ecn`].
    pub ecn: Option<EcnCodepoint>,
    /// See [`UdpDatagram::payload`].
    pub payload: Vec<u8>,
    /// See [`UdpDatagram::segment_length`].
    pub segment_length: Option<usize>,
}

impl Misdirected {
    /// The datagram for the shard that it is of, whose own `socket` it has to name: the one with
    /// the same local address.
    pub fn datagram(&mut self, socket: SocketId) -> UdpDatagram<'_> {
        let Self { path, ecn, payload, segment_length, .. } = self;
        let path = PathAddresses { socket, ..*path };
        UdpDatagram { path, ecn: *ecn, payload, segment_length: *segment_length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_like_another_protocol_of_rfc_9443_is_not_quic() {
        let others = [0..=3, 16..=19, 20..=63, 128..=191];
        assert!(others.into_iter().flatten().all(|byte| !is_quic(byte)));
        // Long and short headers with the QUIC Bit set (RFC 9000 §17).
        assert!((0x40..=0x7f).chain(0xc0..=0xff).all(is_quic));
    }
}
