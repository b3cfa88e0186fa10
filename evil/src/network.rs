//! What lies between the evil peer and its target.

use std::net::SocketAddr;
use std::time::Duration;

use quic_core::Instant;

/// Carries datagrams between the sockets of the evil peer and one target.
///
/// In a simulation, waiting moves virtual time; over real sockets, it waits.
pub trait Network {
    /// The time.
    fn now(&self) -> Instant;

    /// Sends a datagram from one of our sockets, which are numbered from 0. What cannot be sent is
    /// lost.
    fn send(&mut self, socket: usize, datagram: &[u8]);

    /// The next datagram of the target and the socket that it came to; `None` if there was none for
    /// so long.
    fn receive(&mut self, wait: Duration) -> Option<(usize, Vec<u8>)>;

    /// The address of one of our sockets, as the target can reach it.
    fn address(&mut self, socket: usize) -> Option<SocketAddr>;
}
