//! 0-RTT packets that overtook their Initial (RFC 9000 §5.2.2, §17.2.3).

use std::time::Duration;

use crate::instant::Instant;
use crate::net::{EcnCodepoint, PathAddresses};
use crate::server::{HeldDatagrams, HoldLimit};

/// Queues at a time; further early packets are dropped.
pub(super) const MAXIMUM_QUEUES: usize = 32;
/// How long an Initial may be late.
const LIFETIME: Duration = Duration::from_millis(100);
/// What each queue holds.
pub(super) const LIMIT: HoldLimit = HoldLimit { datagrams: 8, bytes: 12_000 };

/// Waits for an Initial with the same Destination Connection ID.
#[derive(Debug)]
pub(super) struct ZeroRttQueue {
    path: PathAddresses,
    until: Instant,
    datagrams: HeldDatagrams,
}

impl ZeroRttQueue {
    pub(super) fn new(now: Instant, path: PathAddresses) -> Self {
        Self { path, until: now + LIFETIME, datagrams: HeldDatagrams::default() }
    }

    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Keeps a datagram, if there is room and it comes from where the first came from.
    pub(super) fn push(
        &mut self,
        path: PathAddresses,
        ecn: Option<EcnCodepoint>,
        payload: &[u8],
    ) -> bool {
        path.remote == self.path.remote && self.datagrams.push(LIMIT, path, ecn, payload)
    }

    /// What it held, if the Initial comes from the same address.
    pub(super) fn take(&mut self, path: PathAddresses) -> HeldDatagrams {
        let datagrams = std::mem::take(&mut self.datagrams);
        if path.remote == self.path.remote { datagrams } else { HeldDatagrams::default() }
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        self.datagrams.size()
    }
}
