//! Network address translation between a host and the rest of the world (RFC 4787).

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use quic_core::Instant;

/// Remote addresses that a mapping remembers having sent to; the oldest go first.
const MAX_REMOTES: usize = 64;
/// The first port that is given to a mapping which cannot have that of the host.
const FIRST_PORT: u16 = 20_001;

/// From whom a NAT lets datagrams in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Filtering {
    /// From everybody, while there is a mapping.
    #[default]
    Off,
    /// From addresses that the mapping has sent to, whatever their port.
    Addresses,
    /// From addresses and ports that the mapping has sent to ("port-restricted").
    Ports,
}

/// A NAT. As it is at first, it preserves addresses and forgets nothing.
#[derive(Clone, Debug, Default)]
pub struct Nat {
    /// From whom it lets datagrams in.
    pub filtering: Filtering,
    /// Whether every remote address gets a mapping of its own ("symmetric").
    pub symmetric: bool,
    /// Mappings that were not used for this time are gone. The next datagram gets another port.
    pub timeout: Option<Duration>,
    /// Whether only what comes from the inside counts as use.
    pub ignores_arrivals: bool,
    /// Mappings get another port after this time, however busy they are.
    pub lifetime: Option<Duration>,
    /// Numbers of datagrams from the inside, counted from 0, before which all mappings get another
    /// port.
    pub rebind_at: BTreeSet<u64>,
    /// The outer address of new mappings; `None`: that of the host, with the host's port at first.
    pub outer_ip: Option<IpAddr>,
    mappings: Vec<Mapping>,
    sent: u64,
    next_port: u16,
    has_changed: bool,
}

#[derive(Clone, Debug)]
struct Mapping {
    inner: SocketAddr,
    /// Whom it is for, if each remote address has its own.
    remote: Option<SocketAddr>,
    outer: SocketAddr,
    made: Instant,
    used: Instant,
    /// Whom it has sent to.
    remotes: Vec<SocketAddr>,
}

impl Nat {
    /// Gives all mappings another port now.
    pub fn rebind(&mut self) {
        for index in 0..self.mappings.len() {
            self.renew(index);
        }
    }

    /// Gives all mappings another address and port now.
    pub fn move_to(&mut self, outer: IpAddr) {
        self.outer_ip = Some(outer);
        self.rebind();
    }

    /// Lets the socket with the address `inner` appear as `outer` now. Only if there is no mapping
    /// for it, one is made.
    pub fn rebind_to(&mut self, now: Instant, inner: SocketAddr, outer: SocketAddr) {
        let mut any = false;
        for mapping in self.mappings.iter_mut().filter(|mapping| mapping.inner == inner) {
            mapping.outer = outer;
            (mapping.made, mapping.used) = (now, now);
            any = true;
        }
        if !any {
            let remotes = Vec::new();
            let (made, used) = (now, now);
            self.mappings.push(Mapping { inner, remote: None, outer, made, used, remotes });
        }
    }

    /// Forgets all mappings, like one that lost power: nothing gets in before the host sent
    /// something, which then gets another port.
    pub fn forget(&mut self) {
        self.rebind();
        for mapping in &mut self.mappings {
            mapping.used = Instant::EPOCH;
            mapping.remotes.clear();
        }
    }

    /// Datagrams from the inside so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// The outer addresses of its mappings.
    pub fn outer_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.mappings.iter().map(|mapping| mapping.outer)
    }

    /// What an inner address appears as, by its first mapping.
    pub fn outer_of(&self, inner: SocketAddr) -> Option<SocketAddr> {
        self.mappings.iter().find(|mapping| mapping.inner == inner).map(|mapping| mapping.outer)
    }

    /// Whether a datagram changed its mappings, since it was asked last.
    pub(super) fn has_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// Where a datagram from the inside comes from, for those outside.
    pub(super) fn outbound(
        &mut self,
        now: Instant,
        inner: SocketAddr,
        remote: SocketAddr,
    ) -> SocketAddr {
        if self.rebind_at.contains(&self.sent) {
            self.rebind();
        }
        self.sent += 1;
        let index = self.index_for(now, inner, remote);
        let mapping = &self.mappings[index];
        let is_worn = self.lifetime.is_some_and(|lifetime| now - mapping.made >= lifetime);
        if is_worn || self.is_forgotten(mapping, now) {
            self.renew(index);
            let mapping = &mut self.mappings[index];
            mapping.made = now;
            mapping.remotes.clear();
        }
        let mapping = &mut self.mappings[index];
        mapping.used = now;
        if !mapping.remotes.contains(&remote) {
            if mapping.remotes.len() >= MAX_REMOTES {
                mapping.remotes.remove(0);
            }
            mapping.remotes.push(remote);
        }
        mapping.outer
    }

    /// Where a datagram from `remote` to `outer` goes to inside, if it may come in.
    pub(super) fn inbound(
        &mut self,
        now: Instant,
        outer: SocketAddr,
        remote: SocketAddr,
    ) -> Option<SocketAddr> {
        let index = self.mappings.iter().position(|mapping| mapping.outer == outer)?;
        let mapping = &self.mappings[index];
        let passes = match self.filtering {
            Filtering::Off => true,
            Filtering::Addresses => mapping.remotes.iter().any(|known| known.ip() == remote.ip()),
            Filtering::Ports => mapping.remotes.contains(&remote),
        };
        if !passes || self.is_forgotten(mapping, now) {
            return None;
        }
        let counts = !self.ignores_arrivals;
        let mapping = &mut self.mappings[index];
        if counts {
            mapping.used = now;
        }
        Some(mapping.inner)
    }

    fn is_forgotten(&self, mapping: &Mapping, now: Instant) -> bool {
        mapping.used == Instant::EPOCH
            || self.timeout.is_some_and(|timeout| now - mapping.used >= timeout)
    }

    /// The mapping for what goes from `inner` to `remote`.
    fn index_for(&mut self, now: Instant, inner: SocketAddr, remote: SocketAddr) -> usize {
        let remote = self.symmetric.then_some(remote);
        let fits = |mapping: &Mapping| mapping.inner == inner && mapping.remote == remote;
        if let Some(index) = self.mappings.iter().position(fits) {
            return index;
        }
        let first = SocketAddr::new(self.outer_ip.unwrap_or(inner.ip()), inner.port());
        let outer = if self.is_taken(first) { self.fresh(first.ip()) } else { first };
        let (made, used, remotes) = (now, now, Vec::new());
        self.mappings.push(Mapping { inner, remote, outer, made, used, remotes });
        self.has_changed = true;
        self.mappings.len() - 1
    }

    fn is_taken(&self, outer: SocketAddr) -> bool {
        self.mappings.iter().any(|mapping| mapping.outer == outer)
    }

    /// Gives a mapping another port.
    fn renew(&mut self, index: usize) {
        let ip = self.outer_ip.unwrap_or(self.mappings[index].outer.ip());
        let outer = self.fresh(ip);
        self.mappings[index].outer = outer;
        self.has_changed = true;
    }

    /// An address that no mapping has, if there is one left.
    fn fresh(&mut self, ip: IpAddr) -> SocketAddr {
        let mut next = || {
            let port = self.next_port.max(FIRST_PORT);
            self.next_port = port.wrapping_add(1);
            SocketAddr::new(ip, port)
        };
        let mut outer = next();
        for _ in FIRST_PORT..=u16::MAX {
            if !self.mappings.iter().any(|mapping| mapping.outer == outer) {
                break;
            }
            outer = next();
        }
        outer
    }
}
