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

impl Transmit {
    /// The payloads, each for a UDP datagram of its own, in the memory that the buffer was made of:
    /// what to send where the system takes single datagrams only.
    pub fn datagrams<'a>(
        &self,
        memory: &'a [u8],
    ) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let contents = memory.get(..self.length).unwrap_or(memory);
        contents.chunks(self.segment_length.unwrap_or(self.length).max(1))
    }
}

/// What [`raw_os_error`](std::io::Error::raw_os_error) of a failed send says when the datagram is
/// larger than the interface's MTU, and fragmentation is off: the occasion for
/// [`Endpoint::handle_too_large`](crate::Endpoint::handle_too_large). Other failures to send are
/// losses, as anywhere on the way; nobody has to be told of them.
pub const EMSGSIZE: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    90
} else if cfg!(windows) {
    10_040
} else {
    40
};

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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn a_batch_falls_into_its_datagrams() {
        let path = PathAddresses::from(SocketAddr::from(([192, 0, 2, 1], 443)));
        let batch = |length, segment_length| Transmit { path, ecn: None, length, segment_length };
        let lengths = |transmit: &Transmit, memory: &[u8]| -> Vec<usize> {
            transmit.datagrams(memory).map(<[u8]>::len).collect()
        };
        assert_eq!(lengths(&batch(1200, None), &[0; 5000]), [1200]);
        assert_eq!(lengths(&batch(3000, Some(1200)), &[0; 5000]), [1200, 1200, 600]);
        assert_eq!(lengths(&batch(2400, Some(1200)), &[0; 5000]), [1200, 1200]);
        // With other memory than that of the batch, something is sent, and nothing panics.
        assert_eq!(lengths(&batch(3000, Some(1200)), &[0; 1500]), [1200, 300]);
        assert_eq!(lengths(&batch(0, None), &[0; 1500]), []);
    }
}
