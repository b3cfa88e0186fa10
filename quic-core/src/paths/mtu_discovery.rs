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

/// How long an interface has to refuse the smallest datagrams to be believed: systems also refuse
/// what they would carry a moment later, as while one interface takes over from another.
const TOO_NARROW_FOR: Duration = Duration::from_secs(5);

/// Losses of large packets, each with smaller ones acknowledged before the next, that make a black
/// hole.
const BLACK_HOLE_LOSSES: u8 = 3;

/// Searches for the largest datagram that the path carries. Sizes are bytes of UDP payload.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own name")]
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
    /// Larger datagrams would be of use.
    wanted: bool,
    searching: bool,
    /// The ceiling is a limit that the path may well carry, and not what is left of a size that it
    /// did not.
    ceiling_first: bool,
    in_flight: bool,
    /// The size that is being tried; 0 if none is.
    trying: u16,
    /// Lost probes of that size.
    lost_probes: u8,
    raise: Deadline,
    black_hole: BlackHole,
    /// Since when the interface refuses datagrams that any has to carry, nothing acknowledged
    /// since.
    too_narrow_since: Option<Instant>,
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
        //= https://www.rfc-editor.org/rfc/rfc9000#section-14.2
        //# In the absence of these mechanisms, QUIC endpoints SHOULD NOT send
        //# datagrams larger than the smallest allowed maximum datagram size.
        let base = base.max(MINIMUM_MTU);
        let bound = bound.max(base);
        Self {
            current: base,
            base,
            bound,
            ceiling: bound,
            enabled: false,
            wanted: false,
            searching: true,
            ceiling_first: true,
            in_flight: false,
            trying: 0,
            lost_probes: 0,
            raise: Deadline::default(),
            black_hole: BlackHole::NONE,
            too_narrow_since: None,
        }
    }

    /// Takes the peer's max_udp_payload_size (RFC 9000 §18.2); whether the MTU changed.
    pub(crate) fn set_peer_maximum(&mut self, maximum: u64) -> bool {
        let maximum = u16::try_from(maximum).unwrap_or(u16::MAX).max(MINIMUM_MTU);
        self.base = self.base.min(maximum);
        self.bound = self.bound.min(maximum);
        self.ceiling = self.ceiling.min(maximum);
        if self.trying > maximum {
            self.in_flight = false;
            self.start_over();
        }
        let changed = self.current > maximum;
        self.current = self.current.min(maximum);
        changed
    }

    /// The handshake is confirmed: the search may begin.
    pub(crate) fn enable(&mut self) {
        self.enabled = true;
    }

    /// Larger datagrams would be of use from now on: a connection that does little sends no probes,
    /// which would be much of what it sends.
    pub(crate) fn want(&mut self) {
        self.wanted = true;
    }

    /// The maximum datagram size.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //# It is RECOMMENDED that methods avoid forcing an application to use an
    //# arbitrary small MPS for transmission while the method is searching for
    //# the currently supported PLPMTU.
    pub(crate) fn current(&self) -> u16 {
        self.current
    }

    /// The size of the probe to send now, if one is due and there is room for so many bytes. It
    /// counts as sent.
    pub(crate) fn poll_probe(&mut self, now: Instant, room: u64) -> Option<u16> {
        self.handle_timeout(now);
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# When the transmission of probe packets is not controlled by the
        //# congestion controller, the interval between probe packets MUST be at
        //# least one RTT.
        //= https://www.rfc-editor.org/rfc/rfc8899#section-8
        //# To avoid excessive load, the interval between individual probe packets
        //# MUST be at least one RTT, and the interval between rounds of probing
        //# is determined by the PMTU_RAISE_TIMER.
        //= https://www.rfc-editor.org/rfc/rfc8899#section-5.2
        //# When used with an acknowledged PL (e.g., SCTP), DPLPMTUD SHOULD NOT
        //# continue to generate PLPMTU probes in this state.
        if !self.enabled || !self.wanted || !self.searching || self.in_flight {
            return None;
        }
        if self.trying <= self.current {
            self.start_over();
            let Some(size) = self.candidate() else {
                self.end_search(now);
                return None;
            };
            self.trying = self.within(size, room)?;
        }
        self.in_flight = u64::from(self.trying) <= room;
        self.in_flight.then_some(self.trying)
    }

    fn end_search(&mut self, now: Instant) {
        self.searching = false;
        if self.current < self.bound {
            self.raise.set_after(now, RAISE_INTERVAL);
        }
    }

    /// The ceiling first, where most paths carry it; then halfway between what is carried and what
    /// is not.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-5.3.2
    //# Implementations SHOULD select the set of probe packet sizes to
    //# maximize the gain in PLPMTU from each search step.
    fn candidate(&self) -> Option<u16> {
        let open = self.ceiling.saturating_sub(self.current);
        if open > 0 && self.ceiling_first {
            return Some(self.ceiling);
        }
        (open >= GRANULARITY).then(|| self.current.saturating_add(open.div_ceil(2)))
    }

    /// A window too small for `size` may never grow, as long as datagrams are small: then what
    /// there is room for is tried, if that is much more than is carried now.
    fn within(&self, size: u16, room: u64) -> Option<u16> {
        let room = u16::try_from(room).unwrap_or(u16::MAX);
        if size <= room {
            return Some(size);
        }
        (room >= self.current.saturating_mul(2)).then_some(room)
    }

    /// A probe was acknowledged; whether the MTU changed.
    pub(crate) fn on_probe_acked(&mut self, size: u16) -> bool {
        self.end_probe(size);
        self.too_narrow_since = None;
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# Datagram reordering: A method is REQUIRED to be robust to the
        //# possibility that a flow encounters reordering or that the traffic
        //# (including probe packets) is divided over more than one network path.
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# Datagram delay and duplication: The feedback mechanism is REQUIRED to
        //# be robust to the possibility that packets could be significantly
        //# delayed or duplicated along a network path.
        if size <= self.current || size > self.bound {
            return false;
        }
        self.current = size;
        self.ceiling = self.ceiling.max(size);
        self.black_hole = BlackHole::NONE;
        true
    }

    /// A probe was lost. That is no sign of congestion (RFC 9000 §14.4).
    pub(crate) fn on_probe_lost(&mut self, size: u16) {
        let awaited = self.end_probe(size);
        if !awaited {
            return;
        }
        self.lost_probes = self.lost_probes.saturating_add(1);
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# The PL is REQUIRED to be robust in the case where probe packets are
        //# lost due to other reasons (including link transmission error,
        //# congestion).
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# Such methods MUST be robust to the wide variety of underlying network
        //# forwarding behaviors.
        if self.lost_probes >= MAXIMUM_PROBES && size > self.current {
            self.on_too_large(size);
        }
    }

    /// Datagrams of this size do not even leave: the interface does not carry them. Returns
    /// whether the MTU changed.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //# PMTU parameters: A DPLPMTUD sender is RECOMMENDED to utilize
    //# information about the maximum size of packet that can be transmitted
    //# by the sender on the local link (e.g., the local link MTU).
    pub(crate) fn on_refused(&mut self, size: u16) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-14.2.1
        //# An endpoint MUST ignore an ICMP message that claims the PMTU has
        //# decreased below QUIC's smallest allowed maximum datagram size.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-14.2.1
        //# An endpoint MUST NOT increase the PMTU based on ICMP messages; see
        //# Item 6 in Section 3 of [DPLPMTUD].
        if size <= MINIMUM_MTU || size > self.bound {
            return false;
        }
        let floor = self.floor();
        let changed = size <= self.current && self.current != floor;
        if changed {
            self.current = floor;
            self.searching = true;
            self.black_hole = BlackHole::NONE;
        }
        self.end_probe(size);
        self.on_too_large(size);
        changed
    }

    /// Not even a datagram that any path has to carry left; returns whether that has been so for
    /// long enough to be believed.
    pub(crate) fn on_minimum_refused(&mut self, now: Instant) -> bool {
        now - *self.too_narrow_since.get_or_insert(now) >= TOO_NARROW_FOR
    }

    /// The sender has memory for so many bytes only.
    pub(crate) fn on_limit(&mut self, limit: u16) {
        if limit < self.ceiling {
            self.ceiling = limit.max(self.current);
            self.ceiling_first = true;
        }
        self.in_flight = false;
        self.start_over();
    }

    fn on_too_large(&mut self, size: u16) {
        self.ceiling = self.ceiling.min(size.saturating_sub(1));
        self.ceiling_first = false;
        self.start_over();
    }

    fn start_over(&mut self) {
        self.trying = 0;
        self.lost_probes = 0;
    }

    /// The path is gone back to: what became of a probe meanwhile was told to another one.
    pub(crate) fn forget_probe(&mut self) {
        self.in_flight = false;
    }

    /// Whether the probe was the one in flight, which it no longer is.
    fn end_probe(&mut self, size: u16) -> bool {
        let awaited = self.in_flight && self.trying == size;
        self.in_flight &= !awaited;
        awaited
    }

    /// An ordinary packet of `size` bytes was acknowledged.
    pub(crate) fn on_acked(&mut self, size: u16) {
        self.too_narrow_since = None;
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

    //= https://www.rfc-editor.org/rfc/rfc8899#section-8
    //# The design of a PLPMTUD implementation SHOULD consider how to mitigate
    //# the effects of varying path information.
    fn fall_back(&mut self, now: Instant) -> bool {
        let floor = self.floor();
        let changed = self.current != floor;
        self.black_hole = BlackHole::NONE;
        if changed {
            self.current = floor;
            self.searching = false;
            self.in_flight = false;
            self.start_over();
            self.raise.set_after(now, BLACK_HOLE_INTERVAL);
        }
        changed
    }

    //= https://www.rfc-editor.org/rfc/rfc8899#section-5.1.1
    //# CONFIRMATION_TIMER: When an acknowledged PL is used, this timer MUST
    //# NOT be used.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.raise.get()
    }

    /// Starts the next search if it is time.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# Path validation: It is RECOMMENDED that methods are robust to path
        //# changes that could have occurred since the path characteristics were
        //# last confirmed and to the possibility of inconsistent path information
        //# being received.
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# When to probe: It is RECOMMENDED that methods determine whether the
        //# path has changed since it last measured the path.
        if self.raise.expire(now) {
            self.searching = true;
            self.ceiling = self.bound;
            self.ceiling_first = true;
            self.start_over();
        }
    }
}
