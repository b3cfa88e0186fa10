//! What the first bytes of a datagram say, if they are a packet with a long header
//! (RFC 9000 §17.2).

use quic_core::QUIC_V2;

use crate::network::Sent;

impl Sent {
    /// The version in its first packet, if that has a long header.
    pub fn version(&self) -> Option<u32> {
        let [first, a, b, c, d, ..] = self.head;
        (self.length >= 5 && first & 0x80 != 0).then(|| u32::from_be_bytes([a, b, c, d]))
    }

    /// Whether it is a Retry packet (RFC 9000 §17.2.5, RFC 9369 §3.2).
    pub fn is_retry(&self) -> bool {
        let version = self.version();
        let retry = if version == Some(QUIC_V2) { 0x00 } else { 0x30 };
        version.is_some_and(|version| version != 0) && self.first_byte & 0x30 == retry
    }
}
