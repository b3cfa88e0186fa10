//! Datagrams kept until there is a connection to take them.

use crate::memory;
use crate::net::{EcnCodepoint, PathAddresses, UdpDatagram};

/// How much may be held in one place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HoldLimit {
    pub(crate) datagrams: usize,
    pub(crate) bytes: usize,
}

impl HoldLimit {
    /// Heap at the most, in bytes.
    pub(crate) fn worst_case_bytes(self) -> u64 {
        memory::list::<Held>(self.datagrams as u64).saturating_add(self.bytes as u64)
    }
}

/// Copies of datagrams, in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct HeldDatagrams {
    datagrams: Vec<Held>,
    bytes: usize,
}

#[derive(Debug)]
struct Held {
    path: PathAddresses,
    ecn: Option<EcnCodepoint>,
    payload: Box<[u8]>,
}

impl HeldDatagrams {
    /// Keeps a copy if the limit permits it; returns whether it does.
    pub(crate) fn push(
        &mut self,
        limit: HoldLimit,
        path: PathAddresses,
        ecn: Option<EcnCodepoint>,
        payload: &[u8],
    ) -> bool {
        let bytes = self.bytes.saturating_add(payload.len());
        let fits = self.datagrams.len() < limit.datagrams && bytes <= limit.bytes;
        if fits {
            self.bytes = bytes;
            self.datagrams.push(Held { path, ecn, payload: payload.into() });
        }
        fits
    }

    /// Hands each datagram to `take`.
    pub(crate) fn replay(self, mut take: impl FnMut(UdpDatagram<'_>)) {
        for mut held in self.datagrams {
            let Held { path, ecn, payload } = &mut held;
            take(UdpDatagram { path: *path, ecn: *ecn, payload, segment_length: None });
        }
    }

    /// Number of datagrams and bytes held.
    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.datagrams.len(), self.bytes)
    }
}
