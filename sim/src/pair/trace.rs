//! What was sent, so that runs can be compared.

use quic_core::{EcnCodepoint, Instant, QUIC_V2, Side};

/// A datagram that was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// By whom.
    pub by: Side,
    /// Length of its payload, in bytes.
    pub length: usize,
    /// A hash of its payload.
    pub hash: u64,
    /// Whether it arrives.
    pub arrives: bool,
    /// Its first byte, which tells what kind of packet it begins with.
    pub first_byte: u8,
    /// Its first bytes, up to the end of a destination connection ID, and zeros.
    pub head: [u8; 26],
    /// Its ECN mark.
    pub ecn: Option<EcnCodepoint>,
    /// The version in its first packet, if that has a long header.
    pub version: Option<u32>,
}

impl Sent {
    /// Whether it is a Retry packet (RFC 9000 §17.2.5, RFC 9369 §3.2).
    pub fn is_retry(&self) -> bool {
        let retry = if self.version == Some(QUIC_V2) { 0x00 } else { 0x30 };
        self.version.is_some_and(|version| version != 0) && self.first_byte & 0x30 == retry
    }
}

/// Every datagram that was sent, in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Trace {
    /// The datagrams.
    pub sent: Vec<Sent>,
}

impl Trace {
    /// Times, ends and lengths, without what the datagrams said.
    pub fn shape(&self) -> Vec<(Instant, Side, usize)> {
        self.sent.iter().map(|sent| (sent.at, sent.by, sent.length)).collect()
    }

    /// Bytes that `side` sent.
    pub fn bytes_sent_by(&self, side: Side) -> u64 {
        self.by(side).map(|sent| sent.length as u64).sum()
    }

    /// Datagrams that `side` sent.
    pub fn by(&self, side: Side) -> impl Iterator<Item = &Sent> + Clone {
        self.sent.iter().filter(move |sent| sent.by == side)
    }
}
