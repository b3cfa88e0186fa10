//! Datagrams on their way out.

use crate::net::{EcnCodepoint, PathAddresses};

/// Where to send the bytes that a `poll_transmit` call left in its [`TransmitBuffer`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct Transmit {
    /// The socket to send from, the source address to use if given, and the destination.
    pub path: PathAddresses,
    /// The ECN mark for the IP packets.
    pub ecn: Option<EcnCodepoint>,
    /// Length of the whole payload, in bytes.
    pub length: usize,
    /// Length of every datagram but the last, in bytes, where there is more than one (UDP GSO).
    pub segment_length: Option<usize>,
}

/// The caller's memory for one batch of outgoing datagrams.
#[derive(Debug)]
pub struct TransmitBuffer<'a> {
    memory: &'a mut [u8],
    maximum_segments: usize,
}

impl<'a> TransmitBuffer<'a> {
    /// A buffer for up to `maximum_segments` datagrams to one destination: as many as the socket
    /// takes in one call (UDP GSO), 1 where it takes single datagrams only.
    ///
    /// The memory should have room for `maximum_segments` datagrams of the path's MTU, and must
    /// have room for one: at least 1,500 bytes; with less, nothing is ever written.
    pub fn new(memory: &'a mut [u8], maximum_segments: usize) -> Self {
        Self { memory, maximum_segments: maximum_segments.max(1) }
    }

    /// How many datagrams may be put into the buffer.
    pub fn maximum_segments(&self) -> usize {
        self.maximum_segments
    }

    pub(crate) fn memory(&mut self) -> &mut [u8] {
        self.memory
    }
}
