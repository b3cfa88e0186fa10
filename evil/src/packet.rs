//! Packets as cases want them.

use quic_core::wire::SpaceId;

/// A type of packet that carries frames (RFC 9000 §17).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PacketKind {
    /// Initial.
    Initial,
    /// 0-RTT.
    ZeroRtt,
    /// Handshake.
    Handshake,
    /// 1-RTT.
    OneRtt,
}

impl PacketKind {
    /// Where its packet numbers come from.
    pub const fn space(self) -> SpaceId {
        match self {
            Self::Initial => SpaceId::Initial,
            Self::Handshake => SpaceId::Handshake,
            Self::ZeroRtt | Self::OneRtt => SpaceId::Application,
        }
    }
}

/// A packet to be sealed: honest but for what a case changes.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Whose keys, and which header.
    pub kind: PacketKind,
    /// What is sealed.
    pub payload: Vec<u8>,
    /// The packet number; the next one unless given. A given one is not taken note of.
    pub number: Option<u64>,
    /// Bytes of the packet number in the header, 1 to 4.
    pub number_length: u8,
    /// Bits that are set in the first byte before it is protected.
    pub set_bits: u8,
    /// Bits that are cleared in the first byte before it is protected.
    pub clear_bits: u8,
    /// The version in a long header.
    pub version: Option<u32>,
    /// The destination connection ID, of any length.
    pub destination: Option<Vec<u8>>,
    /// The source connection ID in a long header, of any length.
    pub source: Option<Vec<u8>>,
    /// The token in an Initial.
    pub token: Option<Vec<u8>>,
    /// What is added to the true value of the Length field.
    pub length_lie: i64,
    /// The generation of 1-RTT keys; the current one unless given.
    pub generation: Option<usize>,
    /// Break the authentication tag.
    pub spoil: bool,
    /// Pad the payload with PADDING until the packet has so many bytes.
    pub pad_to: usize,
}

impl Packet {
    /// A packet of this type.
    pub fn new(kind: PacketKind, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            payload: payload.into(),
            number: None,
            number_length: 4,
            set_bits: 0,
            clear_bits: 0,
            version: None,
            destination: None,
            source: None,
            token: None,
            length_lie: 0,
            generation: None,
            spoil: false,
            pad_to: 0,
        }
    }

    /// An Initial packet in a datagram of 1,200 bytes.
    pub fn initial(payload: impl Into<Vec<u8>>) -> Self {
        Self { pad_to: 1200, ..Self::new(PacketKind::Initial, payload) }
    }

    /// A Handshake packet.
    pub fn handshake(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(PacketKind::Handshake, payload)
    }

    /// A 1-RTT packet.
    pub fn one_rtt(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(PacketKind::OneRtt, payload)
    }
}
