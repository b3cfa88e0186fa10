//! What is known of each path.

use std::time::Duration;

use smallvec::SmallVec;

use super::Connection;
use super::statistics::Counters;
use crate::memory;
use crate::net::{EcnState, PathAddresses};
use crate::paths::Path;

/// One path of a connection: its state, and counters since it was first used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PathStatistics {
    /// Where it begins and ends.
    pub addresses: PathAddresses,
    /// Whether it is the path in use; the others are probed, or were left.
    pub is_active: bool,
    /// Whether the peer proved that it is there (RFC 9000 §8).
    pub is_validated: bool,
    /// Smoothed round-trip time; the assumed one before anything was measured (RFC 9002 §5.3).
    pub rtt: Duration,
    /// Smallest round-trip time (RFC 9002 §5.2).
    pub minimum_rtt: Duration,
    /// The last round-trip time that was measured.
    pub latest_rtt: Duration,
    /// Mean variation of the round-trip time (RFC 9002 §5.3).
    pub rtt_variation: Duration,
    /// Congestion window, in bytes.
    pub congestion_window: u64,
    /// Bytes in flight.
    pub bytes_in_flight: u64,
    /// Maximum datagram size, in bytes.
    pub mtu: u16,
    /// Whether it carries ECN marks (RFC 9000 §13.4).
    pub ecn: EcnState,
    /// UDP datagrams sent.
    pub datagrams_sent: u64,
    /// UDP datagrams received.
    pub datagrams_received: u64,
    /// Bytes of UDP payload sent.
    pub bytes_sent: u64,
    /// Bytes of UDP payload received.
    pub bytes_received: u64,
    /// Packets that were sent on it and declared lost, in its time and after it.
    pub packets_lost: u64,
}

/// What is counted by path.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    datagrams_sent: u64,
    datagrams_received: u64,
    bytes_sent: u64,
    bytes_received: u64,
    packets_lost: u64,
}

impl Counts {
    fn minus(self, other: Self) -> Self {
        Self {
            datagrams_sent: self.datagrams_sent.saturating_sub(other.datagrams_sent),
            datagrams_received: self.datagrams_received.saturating_sub(other.datagrams_received),
            bytes_sent: self.bytes_sent.saturating_sub(other.bytes_sent),
            bytes_received: self.bytes_received.saturating_sub(other.bytes_received),
            packets_lost: self.packets_lost.saturating_sub(other.packets_lost),
        }
    }
}

/// Paths of a connection at a time.
const MAXIMUM_PATHS: usize = 4;

/// Tells the paths' shares of the counters apart. Nothing is counted twice for the active path: it
/// has what the connection has and no other path does.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Everything that is not the active path's.
    elsewhere: Counts,
    /// The shares of the other paths that still exist.
    by_path: SmallVec<[(u32, Counts); MAXIMUM_PATHS]>,
}

impl Ledger {
    /// Heap in use at the most, in bytes. A path that was just left may be one too many.
    pub(super) const fn worst_case_bytes() -> u64 {
        memory::boxes::<Self>(1) + memory::list::<(u32, Counts)>(MAXIMUM_PATHS as u64 + 1)
    }

    fn of(&mut self, path: u32) -> &mut Counts {
        let index = self.by_path.iter().position(|(known, _)| *known == path);
        let index = index.unwrap_or_else(|| {
            self.by_path.push((path, Counts::default()));
            self.by_path.len().saturating_sub(1)
        });
        match self.by_path.get_mut(index) {
            Some((_, counts)) => counts,
            None => &mut self.elsewhere,
        }
    }

    /// A datagram was sent on a path besides the active one.
    pub(super) fn on_sent(&mut self, path: u32, bytes: u64) {
        self.elsewhere.datagrams_sent += 1;
        self.elsewhere.bytes_sent += bytes;
        let counts = self.of(path);
        counts.datagrams_sent += 1;
        counts.bytes_sent += bytes;
    }

    /// A datagram came on a path besides the active one, which need not be known.
    pub(super) fn on_received(&mut self, path: Option<u32>, bytes: u64) {
        self.elsewhere.datagrams_received += 1;
        self.elsewhere.bytes_received += bytes;
        if let Some(path) = path {
            let counts = self.of(path);
            counts.datagrams_received += 1;
            counts.bytes_received += bytes;
        }
    }

    /// Packets of a path besides the active one are lost; it need not be known any more.
    pub(super) fn on_lost(&mut self, path: Option<u32>, packets: u64) {
        self.elsewhere.packets_lost += packets;
        if let Some(path) = path {
            self.of(path).packets_lost += packets;
        }
    }

    pub(super) fn on_forgotten(&mut self, path: u32) {
        self.by_path.retain(|(known, _)| *known != path);
    }
}

impl Counters {
    fn totals(&self) -> Counts {
        Counts {
            datagrams_sent: self.datagrams_sent,
            datagrams_received: self.datagrams_received,
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            packets_lost: self.packets_lost,
        }
    }

    /// Where the other paths' shares are kept.
    pub(super) fn ledger(&mut self) -> &mut Ledger {
        self.ledger.get_or_insert_default()
    }

    /// Another path is the active one.
    pub(super) fn on_moved(&mut self, from: u32, to: u32) {
        let totals = self.totals();
        let ledger = self.ledger();
        *ledger.of(from) = totals.minus(ledger.elsewhere);
        let own = *ledger.of(to);
        ledger.on_forgotten(to);
        ledger.elsewhere = totals.minus(own);
    }

    /// The share of a path.
    fn of_path(&self, path: u32, is_active: bool) -> Counts {
        let ledger = self.ledger.as_deref();
        if is_active {
            return self.totals().minus(ledger.map_or_else(Counts::default, |it| it.elsewhere));
        }
        let mut shares = ledger.iter().flat_map(|ledger| &ledger.by_path);
        shares.find(|(known, _)| *known == path).map_or_else(Counts::default, |share| share.1)
    }
}

impl Connection {
    /// The paths that are in use, probed, or were left a moment ago; the one in use comes first.
    /// At most four.
    pub fn paths(&self) -> impl Iterator<Item = PathStatistics> {
        let active = self.paths.active().id;
        self.paths.iter().map(move |path| self.describe(path, path.id == active))
    }

    /// The path in use.
    pub fn path_statistics(&self) -> PathStatistics {
        self.describe(self.paths.active(), true)
    }

    fn describe(&self, path: &Path, is_active: bool) -> PathStatistics {
        let counts = self.counters.of_path(path.id, is_active);
        PathStatistics {
            addresses: path.addresses,
            is_active,
            is_validated: path.is_proved(),
            rtt: path.rtt.smoothed(),
            minimum_rtt: path.rtt.minimum(),
            latest_rtt: path.rtt.latest(),
            rtt_variation: path.rtt.variation(),
            congestion_window: path.congestion.window(),
            bytes_in_flight: path.in_flight(),
            mtu: path.mtu.current(),
            ecn: path.ecn.state(),
            datagrams_sent: counts.datagrams_sent,
            datagrams_received: counts.datagrams_received,
            bytes_sent: counts.bytes_sent,
            bytes_received: counts.bytes_received,
            packets_lost: counts.packets_lost,
        }
    }

    /// A datagram came that is not the active path's.
    pub(super) fn count_received_elsewhere(&mut self, path: &PathAddresses, bytes: u64) {
        let path = self.paths.by_addresses(path).map(|path| path.id);
        self.counters.ledger().on_received(path, bytes);
    }
}
