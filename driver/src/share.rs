//! Several sockets on one address, among which the system spreads what arrives.

use std::io;
use std::net::UdpSocket;
use std::num::NonZeroU16;

/// How many shards a server has by default: as many as `loops` that can run at the same time, where
/// the system spreads what arrives over the sockets of an address; else one.
pub(crate) fn shards_of_a_server(loops: NonZeroU16) -> NonZeroU16 {
    if cfg!(target_os = "linux") { loops } else { NonZeroU16::MIN }
}

/// A socket, and as many more on its address as make `count` together.
///
/// The first one was bound for itself: so an address that another program has is refused, and only
/// then is it shared.
#[cfg(target_os = "linux")]
pub(crate) fn share(first: UdpSocket, count: NonZeroU16) -> io::Result<Vec<UdpSocket>> {
    use nix::sys::socket::{getsockopt, setsockopt, sockopt};

    let others = count.get().saturating_sub(1);
    if others == 0 {
        return Ok(vec![first]);
    }
    let address = first.local_addr()?;
    let only_v6 = address.is_ipv6() && getsockopt(&first, sockopt::Ipv6V6Only)?;
    setsockopt(&first, sockopt::ReusePort, &true)?;
    let mut sockets = vec![first];
    for _ in 0..others {
        sockets.push(linux::bind(address, only_v6)?);
    }
    Ok(sockets)
}

/// A socket, if it is to be the only one.
#[cfg(not(target_os = "linux"))]
pub(crate) fn share(first: UdpSocket, count: NonZeroU16) -> io::Result<Vec<UdpSocket>> {
    if count == NonZeroU16::MIN {
        return Ok(vec![first]);
    }
    let reason = "this system does not spread what arrives over several sockets: use one shard";
    Err(io::Error::new(io::ErrorKind::Unsupported, reason))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::net::{SocketAddr, UdpSocket};
    use std::os::fd::AsRawFd as _;

    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrStorage, bind as bind_raw, setsockopt, socket,
        sockopt,
    };

    /// A socket that shares its address.
    pub(super) fn bind(address: SocketAddr, only_v6: bool) -> io::Result<UdpSocket> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::Inet,
            SocketAddr::V6(_) => AddressFamily::Inet6,
        };
        let made = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        if address.is_ipv6() {
            setsockopt(&made, sockopt::Ipv6V6Only, &only_v6)?;
        }
        setsockopt(&made, sockopt::ReusePort, &true)?;
        bind_raw(made.as_raw_fd(), &SockaddrStorage::from(address))?;
        Ok(made.into())
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;

    fn count(shards: u16) -> NonZeroU16 {
        NonZeroU16::new(shards).unwrap()
    }

    /// How many datagrams each of the sockets has got.
    fn received(sockets: &[UdpSocket]) -> Vec<usize> {
        let received = sockets.iter().map(|socket| {
            socket.set_nonblocking(true).unwrap();
            std::iter::from_fn(|| socket.recv(&mut [0; 10]).ok()).count()
        });
        received.collect()
    }

    #[test]
    fn the_sockets_of_an_address_share_what_arrives_peer_by_peer() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let local: SocketAddr = local.parse().unwrap();
            let sockets = share(UdpSocket::bind(local).unwrap(), count(4)).unwrap();
            let address = sockets[0].local_addr().unwrap();
            assert!(sockets.iter().all(|socket| socket.local_addr().unwrap() == address));
            let peers = (0..64).map(|_| {
                let peer = UdpSocket::bind(local).unwrap();
                (0..2).for_each(|_| assert_eq!(peer.send_to(b"hello", address).unwrap(), 5));
                peer
            });
            let peers: Vec<UdpSocket> = peers.collect();
            let received = received(&sockets);
            assert_eq!(received.iter().sum::<usize>(), 2 * peers.len());
            assert!(received.iter().all(|one| one % 2 == 0), "each peer has its socket");
        }
    }

    #[test]
    fn an_address_that_a_program_shares_is_in_use_for_others() {
        let sockets = share(UdpSocket::bind("127.0.0.1:0").unwrap(), count(2)).unwrap();
        let error = UdpSocket::bind(sockets[0].local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_socket_for_one_shard_is_left_alone() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(7))).unwrap();
        let sockets = share(socket, count(1)).unwrap();
        assert_eq!(sockets.len(), 1);
        assert_eq!(sockets[0].read_timeout().unwrap(), Some(Duration::from_secs(7)));
    }
}
