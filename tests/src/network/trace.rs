//! What was sent, so that runs can be compared.

use quic_core::{Instant, Side};

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
    pub fn by(&self, side: Side) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(move |sent| sent.by == side)
    }
}
