//! The sockets of an endpoint, whom they reach, and which of them may go.

use std::net::{IpAddr, SocketAddr};

use quic_core::SocketId;

/// The sockets of an endpoint: one, until the application brings others.
#[derive(Debug)]
pub(crate) struct Sockets(Vec<Entry>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    socket: SocketId,
    /// What it is bound to.
    local: SocketAddr,
    /// Whether it goes once nothing uses it.
    until_idle: bool,
}

impl Sockets {
    pub(crate) fn new(first: SocketId, local: SocketAddr) -> Self {
        Self(vec![Entry { socket: first, local, until_idle: true }])
    }

    pub(crate) fn use_until_idle(&mut self, socket: SocketId, local: SocketAddr) {
        self.add(Entry { socket, local, until_idle: true });
    }

    pub(crate) fn keep(&mut self, socket: SocketId, local: SocketAddr) {
        self.add(Entry { socket, local, until_idle: false });
    }

    fn add(&mut self, entry: Entry) {
        self.0.retain(|known| known.socket != entry.socket);
        self.0.push(entry);
    }

    pub(crate) fn remove(&mut self, socket: SocketId) {
        self.0.retain(|known| known.socket != socket);
    }

    pub(crate) fn contains(&self, socket: SocketId) -> bool {
        self.0.iter().any(|known| known.socket == socket)
    }

    pub(crate) fn is_single(&self) -> bool {
        self.0.len() == 1
    }

    /// What all of them are bound to, the oldest first.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().map(|entry| entry.local)
    }

    /// What a socket is bound to.
    pub(crate) fn address(&self, socket: SocketId) -> Option<SocketAddr> {
        self.0.iter().find(|entry| entry.socket == socket).map(|entry| entry.local)
    }

    /// The socket that is bound to an address.
    pub(crate) fn at(&self, local: SocketAddr) -> Option<SocketId> {
        self.0.iter().find(|entry| entry.local == local).map(|entry| entry.socket)
    }

    /// A socket for connections to `remote`, and the address that it has to be given: `first` if it
    /// can reach it, else the oldest one that can.
    pub(crate) fn reaching(
        &self,
        remote: SocketAddr,
        first: SocketId,
    ) -> Option<(SocketId, SocketAddr)> {
        let first = self.0.iter().filter(|entry| entry.socket == first);
        let mut inclined = first.chain(&self.0);
        inclined.find_map(|entry| Some((entry.socket, reachable_from(entry.local, remote)?)))
    }

    /// Those that may go if nothing uses them, `current` being in use.
    pub(crate) fn idle(&self, current: SocketId) -> Vec<SocketId> {
        let idle = self.0.iter().filter(|entry| entry.until_idle && entry.socket != current);
        idle.map(|entry| entry.socket).collect()
    }
}

/// The address as a socket bound to `local` has to be given it; `None` if it is of another family.
fn reachable_from(local: SocketAddr, remote: SocketAddr) -> Option<SocketAddr> {
    match (local.ip(), remote.ip()) {
        // Only a socket for all addresses takes mapped ones, and one bound to a mapped one.
        (IpAddr::V6(own), IpAddr::V4(ip)) if takes_ipv4(own) => {
            Some(SocketAddr::from((ip.to_ipv6_mapped(), remote.port())))
        }
        (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => Some(remote),
        (IpAddr::V6(_), IpAddr::V4(_)) | (IpAddr::V4(_), IpAddr::V6(_)) => None,
    }
}

fn takes_ipv4(own: std::net::Ipv6Addr) -> bool {
    own.is_unspecified() || own.to_ipv4_mapped().is_some()
}
