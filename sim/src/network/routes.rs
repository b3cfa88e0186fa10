//! Who has which address.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use quic_core::Instant;

use super::nat::Nat;
use super::random::mix;
use super::{HostId, PortId};

/// The first port that is given to sockets that want any.
const FIRST_FREE_PORT: u16 = 49_152;

/// Why a socket is not bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BindError {
    /// Another socket has the address, or all ports are taken.
    InUse(SocketAddr),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(address) => write!(f, "the address {address} is in use"),
        }
    }
}

impl Error for BindError {}

/// The sockets of a host that are bound to an address.
#[derive(Debug)]
struct Bound {
    host: HostId,
    /// One, unless they share the address. Never empty.
    ports: Vec<PortId>,
}

impl Bound {
    /// The socket for what comes from `remote`: always the same, as long as they are the same.
    fn port_for(&self, remote: SocketAddr) -> Option<PortId> {
        let ip = match remote.ip() {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            IpAddr::V6(ip) => mix(ip.to_bits() as u64 ^ mix((ip.to_bits() >> 64) as u64)),
        };
        let turn = mix(ip ^ u64::from(remote.port()).rotate_left(48)) % self.ports.len() as u64;
        self.ports.get(turn as usize).copied()
    }
}

/// Sockets and NATs by address.
#[derive(Debug, Default)]
pub(super) struct Routes {
    bound: BTreeMap<SocketAddr, Bound>,
    nats: BTreeMap<HostId, Nat>,
    /// Outer addresses of NATs.
    outer: BTreeMap<SocketAddr, HostId>,
    /// NATs that may have been changed from outside.
    touched: Vec<HostId>,
}

impl Routes {
    pub(super) fn bind(
        &mut self,
        host: HostId,
        port: PortId,
        mut address: SocketAddr,
    ) -> Result<SocketAddr, BindError> {
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::from_bits(0x0a00_0001 + host.0).into(),
                IpAddr::V6(_) => {
                    Ipv6Addr::from_bits((0xfd_u128 << 120) + 1 + u128::from(host.0)).into()
                }
            });
        }
        if address.port() == 0 {
            let is_free =
                |port: &u16| !self.bound.contains_key(&SocketAddr::new(address.ip(), *port));
            let free = (FIRST_FREE_PORT..=u16::MAX).find(is_free);
            address.set_port(free.ok_or(BindError::InUse(address))?);
        }
        if self.bound.contains_key(&address) {
            return Err(BindError::InUse(address));
        }
        self.bound.insert(address, Bound { host, ports: vec![port] });
        Ok(address)
    }

    /// Lets another socket share an address that is bound.
    pub(super) fn share(&mut self, port: PortId, address: SocketAddr) {
        self.bound.entry(address).and_modify(|bound| bound.ports.push(port));
    }

    pub(super) fn close(&mut self, port: PortId, address: SocketAddr) {
        let Some(bound) = self.bound.get_mut(&address) else { return };
        bound.ports.retain(|known| *known != port);
        if bound.ports.is_empty() {
            self.bound.remove(&address);
        }
    }

    pub(super) fn nat(&mut self, inside: HostId) -> &mut Nat {
        self.touched.push(inside);
        self.nats.entry(inside).or_default()
    }

    pub(super) fn seen_as(&self, host: HostId, inner: SocketAddr) -> SocketAddr {
        self.nats.get(&host).and_then(|nat| nat.outer_of(inner)).unwrap_or(inner)
    }

    /// Where a datagram that leaves a host comes from, as others see it.
    pub(super) fn leave(
        &mut self,
        now: Instant,
        host: HostId,
        inner: SocketAddr,
        remote: SocketAddr,
    ) -> SocketAddr {
        let Some(nat) = self.nats.get_mut(&host) else { return inner };
        let outer = nat.outbound(now, inner, remote);
        if nat.has_changed() {
            self.touched.push(host);
        }
        outer
    }

    /// Where a datagram that gets to a host goes to there, if its NAT lets it in.
    pub(super) fn enter(
        &mut self,
        now: Instant,
        host: HostId,
        outer: SocketAddr,
        remote: SocketAddr,
    ) -> Option<SocketAddr> {
        let Some(nat) = self.nats.get_mut(&host) else { return Some(outer) };
        nat.inbound(now, outer, remote)
    }

    /// The host that what goes to an address gets to.
    pub(super) fn host_at(&mut self, address: SocketAddr) -> Option<HostId> {
        self.learn();
        let behind = self.outer.get(&address).copied();
        let behind = behind.filter(|host| {
            self.nats.get(host).is_some_and(|nat| nat.outer_addresses().any(|it| it == address))
        });
        behind.or_else(|| self.bound.get(&address).map(|bound| bound.host))
    }

    /// The socket of a host, with an address of the host's own, for what comes from `remote`.
    pub(super) fn port_at(
        &self,
        host: HostId,
        inner: SocketAddr,
        remote: SocketAddr,
    ) -> Option<PortId> {
        self.bound.get(&inner).filter(|bound| bound.host == host)?.port_for(remote)
    }

    /// Learns what NATs were told from outside.
    fn learn(&mut self) {
        while let Some(host) = self.touched.pop() {
            if let Some(nat) = self.nats.get(&host) {
                nat.outer_addresses().for_each(|outer| {
                    self.outer.insert(outer, host);
                });
            }
        }
    }
}
