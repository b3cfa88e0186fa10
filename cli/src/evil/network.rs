//! Real sockets for the evil peer.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant as Clock};

use quic_core::Instant;
use quic_evil::Network;

use crate::errors::Failure;

/// How long to sleep between two looks at the sockets.
const NAP: Duration = Duration::from_micros(300);
/// Longest datagram that is read.
const LONGEST: usize = 65_535;

/// UDP sockets, one for each address that the evil peer has.
#[derive(Debug)]
pub(super) struct UdpNetwork {
    start: Clock,
    local_ip: IpAddr,
    sockets: BTreeMap<usize, UdpSocket>,
    /// The target; of clients, the one that the case at hand is about.
    remote: Option<SocketAddr>,
    /// Clients of earlier cases, which may still send.
    former: HashSet<SocketAddr>,
    /// A client's first datagram.
    first: Option<Vec<u8>>,
    memory: Vec<u8>,
}

impl UdpNetwork {
    fn new(local_ip: IpAddr, remote: Option<SocketAddr>) -> Self {
        Self {
            start: Clock::now(),
            local_ip,
            sockets: BTreeMap::new(),
            remote,
            former: HashSet::new(),
            first: None,
            memory: vec![0; LONGEST],
        }
    }

    /// To a server.
    pub(super) fn to(server: SocketAddr) -> Result<Self, Failure> {
        let local_ip = match server {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let mut network = Self::new(local_ip, Some(server));
        network.open(0, 0)?;
        Ok(network)
    }

    /// For clients that come to this address.
    pub(super) fn at(address: SocketAddr) -> Result<Self, Failure> {
        let mut network = Self::new(address.ip(), None);
        network.open(0, address.port())?;
        Ok(network)
    }

    fn open(&mut self, number: usize, port: u16) -> Result<&UdpSocket, Failure> {
        let bound = UdpSocket::bind((self.local_ip, port));
        let nonblocking = bound.and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
        let socket = nonblocking
            .map_err(|error| Failure::local(format!("cannot open a UDP socket: {error}")))?;
        Ok(self.sockets.entry(number).or_insert(socket))
    }

    /// Where one of the sockets is bound to.
    pub(super) fn local_address(&mut self, number: usize) -> Result<SocketAddr, Failure> {
        let socket = self.sockets.get(&number).map(UdpSocket::local_addr);
        let address = socket.unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()));
        address.map_err(|error| Failure::local(format!("a socket has no address: {error}")))
    }

    /// Waits until a client begins with a packet with a long header, from another address than
    /// those before it.
    pub(super) fn wait_for_client(&mut self) {
        self.former.extend(self.remote.take());
        // Where the case before had other sockets, this one has none.
        self.sockets.retain(|number, _| *number == 0);
        loop {
            match self.poll() {
                Some((0, from, datagram))
                    if !self.former.contains(&from)
                        && datagram.first().is_some_and(|first| first & 0x80 != 0) =>
                {
                    self.remote = Some(from);
                    self.first = Some(datagram);
                    return;
                }
                Some(_) => {}
                None => thread::sleep(NAP),
            }
        }
    }

    /// What is there at once.
    fn poll(&mut self) -> Option<(usize, SocketAddr, Vec<u8>)> {
        for (number, socket) in &self.sockets {
            // An error is of an earlier datagram that did not arrive.
            if let Ok((length, from)) = socket.recv_from(&mut self.memory) {
                let datagram = self.memory.get(..length).unwrap_or_default().to_vec();
                return Some((*number, from, datagram));
            }
        }
        None
    }
}

impl Network for UdpNetwork {
    fn now(&self) -> Instant {
        let nanos = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Instant::from_nanos(nanos)
    }

    fn send(&mut self, socket: usize, datagram: &[u8]) {
        let Some(remote) = self.remote else { return };
        if !self.sockets.contains_key(&socket) && self.open(socket, 0).is_err() {
            return;
        }
        if let Some(socket) = self.sockets.get(&socket) {
            // What does not leave is lost, as on any network.
            let _: io::Result<usize> = socket.send_to(datagram, remote);
        }
    }

    fn receive(&mut self, wait: Duration) -> Option<(usize, Vec<u8>)> {
        if let Some(first) = self.first.take() {
            return Some((0, first));
        }
        let end = Clock::now() + wait;
        loop {
            match self.poll() {
                Some((number, from, datagram)) if Some(from) == self.remote => {
                    return Some((number, datagram));
                }
                Some(_) => continue,
                None => {}
            }
            if Clock::now() >= end {
                return None;
            }
            thread::sleep(NAP);
        }
    }

    fn address(&mut self, socket: usize) -> Option<SocketAddr> {
        self.sockets.get(&socket)?.local_addr().ok()
    }
}
