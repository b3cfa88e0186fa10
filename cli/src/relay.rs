//! A lossy UDP path on loopback: a relay that drops a share of the datagrams each way.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::data::SplitMix;
use crate::network;

/// How often a waiting direction looks whether it should stop.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// A running relay between one client and one server. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    client_side: UdpSocket,
    server_side: UdpSocket,
    client: OnceLock<SocketAddr>,
    stopped: AtomicBool,
    relayed: AtomicU64,
    dropped: AtomicU64,
}

/// Drops datagrams by chance, and the same ones whenever the seed is the same.
#[derive(Debug)]
struct Dice {
    random: SplitMix,
    /// Drop if the next number is below this.
    threshold: u64,
}

impl Dice {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a share of all numbers; the cast saturates"
    )]
    fn new(seed: u64, share: f64) -> Self {
        Self { random: SplitMix::new(seed), threshold: (share * u64::MAX as f64) as u64 }
    }

    const fn drops(&mut self) -> bool {
        self.random.next() < self.threshold
    }
}

impl Relay {
    /// Relays to and from `server`, dropping `loss` (0 to 1) of the datagrams each way.
    ///
    /// # Errors
    /// No sockets or threads are to be had.
    pub(crate) fn start(server: SocketAddr, loss: f64, seed: u64) -> io::Result<Self> {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let client_side = network::udp_socket(loopback)?;
        let server_side = network::udp_socket(loopback)?;
        server_side.connect(server)?;
        for socket in [&client_side, &server_side] {
            socket.set_nonblocking(false)?;
            socket.set_read_timeout(Some(STOP_CHECK_INTERVAL))?;
        }
        let address = client_side.local_addr()?;
        let shared = Arc::new(Shared {
            client_side,
            server_side,
            client: OnceLock::new(),
            stopped: AtomicBool::new(false),
            relayed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        });
        let mut relay = Self { address, shared, threads: Vec::new() };
        let (up, down) = (Dice::new(seed, loss), Dice::new(!seed, loss));
        relay.spawn("relay-up", move |shared| shared.relay_up(up))?;
        relay.spawn("relay-down", move |shared| shared.relay_down(down))?;
        Ok(relay)
    }

    fn spawn(
        &mut self,
        name: &str,
        direction: impl FnOnce(&Shared) + Send + 'static,
    ) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name(name.into()).spawn(move || direction(&shared))?;
        self.threads.push(thread);
        Ok(())
    }

    /// Where clients find the relay.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many datagrams came, both ways.
    pub(crate) fn relayed(&self) -> u64 {
        self.shared.relayed.load(Ordering::Relaxed)
    }

    /// How many of them were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic has been reported where it happened.
            let _: thread::Result<()> = thread.join();
        }
    }
}

impl Shared {
    fn relay_up(&self, mut dice: Dice) {
        let mut memory = vec![0; 1 << 16];
        while !self.stopped.load(Ordering::Relaxed) {
            let Ok((length, from)) = self.client_side.recv_from(&mut memory) else { continue };
            let client = self.client.get_or_init(|| from);
            if *client == from && !self.loses(&mut dice) {
                // What the socket refuses is lost, as on any path.
                let _: Option<usize> =
                    memory.get(..length).and_then(|data| self.server_side.send(data).ok());
            }
        }
    }

    fn relay_down(&self, mut dice: Dice) {
        let mut memory = vec![0; 1 << 16];
        while !self.stopped.load(Ordering::Relaxed) {
            let Ok(length) = self.server_side.recv(&mut memory) else { continue };
            let Some(client) = self.client.get() else { continue };
            if !self.loses(&mut dice) {
                // What the socket refuses is lost, as on any path.
                let _: Option<usize> = memory
                    .get(..length)
                    .and_then(|data| self.client_side.send_to(data, client).ok());
            }
        }
    }

    fn loses(&self, dice: &mut Dice) -> bool {
        self.relayed.fetch_add(1, Ordering::Relaxed);
        let lost = dice.drops();
        self.dropped.fetch_add(lost.into(), Ordering::Relaxed);
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::{Dice, Relay};
    use crate::network;

    #[test]
    fn the_dice_drop_the_share_that_was_asked_for_and_repeat() {
        let drops = |seed, share| {
            let mut dice = Dice::new(seed, share);
            (0..100_000).map(|_| dice.drops()).collect::<Vec<_>>()
        };
        let count = drops(1, 0.1).iter().filter(|dropped| **dropped).count();
        assert!((9_500..10_500).contains(&count), "{count}");
        assert_eq!(drops(1, 0.1), drops(1, 0.1));
        assert!(!drops(1, 0.0).contains(&true));
    }

    #[test]
    fn datagrams_pass_both_ways() {
        let server = network::udp_socket("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = network::udp_socket("127.0.0.1:0".parse().unwrap()).unwrap();
        server.set_nonblocking(false).unwrap();
        client.set_nonblocking(false).unwrap();
        let relay = Relay::start(server.local_addr().unwrap(), 0.0, 1).unwrap();
        let mut memory = [0; 16];
        client.send_to(b"up", relay.address()).unwrap();
        let (length, from) = server.recv_from(&mut memory).unwrap();
        assert_eq!(memory[..length], *b"up");
        server.send_to(b"down", from).unwrap();
        let (length, from) = client.recv_from(&mut memory).unwrap();
        assert_eq!((&memory[..length], from), (&b"down"[..], relay.address()));
        assert_eq!((relay.relayed(), relay.dropped()), (2, 0));
    }
}
