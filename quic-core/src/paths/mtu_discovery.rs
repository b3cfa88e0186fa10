//! How large datagrams may be: DPLPMTUD (RFC 8899, RFC 9000 §14.3).

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::deadline::Deadline;
use crate::instant::Instant;
use crate::net::MINIMUM_MTU;

/// The search ends when it is this close, in bytes.
const GRANULARITY: u16 = 20;

/// A size is too large when this many probes of it were lost (RFC 8899 §5.1.2, MAX_PROBES).
const MAXIMUM_PROBES: u8 = 3;

/// Until the next search, after one that ended below the bound (RFC 8899 §5.1.1,
/// PMTU_RAISE_TIMER).
const RAISE_INTERVAL: Duration = Duration::from_mins(10);

/// Until the next search, after a black hole. RFC 8899 §5.2 searches again as soon as the small
/// size is confirmed; this is a little more patient, since a route may flap.
const BLACK_HOLE_INTERVAL: Duration = Duration::from_mins(1);

/// Losses of large packets, each with smaller ones acknowledged before the next, that make a black
/// hole.
const BLACK_HOLE_LOSSES: u8 = 3;

/// Searches for the largest datagram that the path carries. Sizes are bytes of UDP payload.
#[derive(Debug)]
pub(crate) struct MtuDiscovery {
    /// Known to be carried.
    current: u16,
    /// What is fallen back to.
    base: u16,
    /// Nothing larger is tried.
    bound: u16,
    /// Largest size that was not found too large in this search.
    ceiling: u16,
    enabled: bool,
    searching: bool,
    in_flight: Option<u16>,
    /// Lost probes of the size that is being tried.
    lost_probes: u8,
    raise: Deadline,
    black_hole: BlackHole,
}

/// Large packets are lost while small ones arrive.
#[derive(Clone, Copy, Debug)]
struct BlackHole {
    losses: u8,
    /// Size of the smallest packet among the losses; one that arrives ends the suspicion.
    smallest_lost: u16,
    /// No small packet was acknowledged since the last loss, so another says nothing new.
    counted: bool,
}

impl BlackHole {
    const NONE: Self = Self { losses: 0, smallest_lost: u16::MAX, counted: false };
}

impl MtuDiscovery {
    /// `base` is assumed to be carried, nothing above `bound` is tried.
    pub(crate) fn new(base: u16, bound: u16) -> Self {
        let base = base.max(MINIMUM_MTU);
        let bound = bound.max(base);
        Self {
            current: base,
            base,
            bound,
            ceiling: bound,
            enabled: false,
            searching: true,
            in_flight: None,
            lost_probes: 0,
            raise: Deadline::default(),
            black_hole: BlackHole::NONE,
        }
    }

    /// Takes the peer's max_udp_payload_size (RFC 9000 §18.2); whether the MTU changed.
    pub(crate) fn set_peer_maximum(&mut self, maximum: u64) -> bool {
        let maximum = u16::try_from(maximum).unwrap_or(u16::MAX).max(MINIMUM_MTU);
        self.base = self.base.min(maximum);
        self.bound = self.bound.min(maximum);
        self.ceiling = self.ceiling.min(maximum);
        let changed = self.current > maximum;
        self.current = self.current.min(maximum);
        changed
    }

    /// The handshake is confirmed: the search may begin.
    pub(crate) fn enable(&mut self) {
        self.enabled = true;
    }

    /// The maximum datagram size.
    pub(crate) fn current(&self) -> u16 {
        self.current
    }

    /// The size of the probe to send now, if one is due. It counts as sent.
    pub(crate) fn poll_probe(&mut self, now: Instant) -> Option<u16> {
        self.handle_timeout(now);
        if !self.enabled || !self.searching || self.in_flight.is_some() {
            return None;
        }
        let Some(size) = self.candidate() else {
            self.searching = false;
            if self.current < self.bound {
                self.raise.set_after(now, RAISE_INTERVAL);
            }
            return None;
        };
        self.in_flight = Some(size);
        Some(size)
    }

    /// The bound first, since most paths carry it; then halfway between what is carried and what
    /// is not.
    fn candidate(&self) -> Option<u16> {
        let open = self.ceiling.saturating_sub(self.current);
        if open > 0 && self.ceiling == self.bound {
            return Some(self.bound);
        }
        (open >= GRANULARITY).then(|| self.current.saturating_add(open.div_ceil(2)))
    }

    /// A probe was acknowledged; whether the MTU changed.
    pub(crate) fn on_probe_acked(&mut self, size: u16) -> bool {
        self.end_probe(size);
        if size <= self.current || size > self.bound {
            return false;
        }
        self.current = size;
        self.ceiling = self.ceiling.max(size);
        self.lost_probes = 0;
        self.black_hole = BlackHole::NONE;
        true
    }

    /// A probe was lost. That is no sign of congestion (RFC 9000 §14.4).
    pub(crate) fn on_probe_lost(&mut self, size: u16) {
        let awaited = self.end_probe(size);
        if !awaited || size <= self.current {
            return;
        }
        self.lost_probes = self.lost_probes.saturating_add(1);
        if self.lost_probes >= MAXIMUM_PROBES {
            self.ceiling = size.saturating_sub(1);
            self.lost_probes = 0;
        }
    }

    /// Whether the probe was the one in flight, which it no longer is.
    fn end_probe(&mut self, size: u16) -> bool {
        let awaited = self.in_flight == Some(size);
        if awaited {
            self.in_flight = None;
        }
        awaited
    }

    /// An ordinary packet of `size` bytes was acknowledged.
    pub(crate) fn on_acked(&mut self, size: u16) {
        if size >= self.black_hole.smallest_lost {
            self.black_hole = BlackHole::NONE;
        } else {
            self.black_hole.counted = false;
        }
    }

    /// An ordinary packet of `size` bytes was lost; whether the MTU changed.
    pub(crate) fn on_lost(&mut self, size: u16, now: Instant) -> bool {
        if size <= self.floor() || size > self.current || self.black_hole.counted {
            return false;
        }
        self.black_hole.counted = true;
        self.black_hole.smallest_lost = self.black_hole.smallest_lost.min(size);
        self.black_hole.losses = self.black_hole.losses.saturating_add(1);
        self.black_hole.losses >= BLACK_HOLE_LOSSES && self.fall_back(now)
    }

    /// Nothing was acknowledged for so long that the size may be to blame (persistent congestion,
    /// or several PTOs in a row); whether the MTU changed.
    pub(crate) fn on_persistent_loss(&mut self, now: Instant) -> bool {
        self.fall_back(now)
    }

    /// The largest size that is trusted more than the current one.
    pub(crate) fn floor(&self) -> u16 {
        if self.current > self.base { self.base } else { MINIMUM_MTU }
    }

    fn fall_back(&mut self, now: Instant) -> bool {
        let floor = self.floor();
        let changed = self.current != floor;
        self.black_hole = BlackHole::NONE;
        if changed {
            self.current = floor;
            self.searching = false;
            self.in_flight = None;
            self.raise.set_after(now, BLACK_HOLE_INTERVAL);
        }
        changed
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.raise.get()
    }

    /// Starts the next search if it is time.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.raise.expire(now) {
            self.searching = true;
            self.ceiling = self.bound;
            self.lost_probes = 0;
        }
    }
}
