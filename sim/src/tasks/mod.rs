//! Async programs over the handles of `driver`, in virtual time on a simulated network.
//!
//! A whole program, with its own futures, tasks and timers, runs on hosts of a [`Simulation`]: on
//! one thread, without a socket, as fast as it computes, and the same way again with the same seed.
//! What no test with real sockets can wait for, or bring about at will, is a line here: a link that
//! loses every tenth datagram, an hour of silence, a server that crashes and starts again, a clock
//! that jumps, an error of a socket at its seventh call.
//!
//! ```
//! use std::net::Ipv4Addr;
//! use std::time::Duration;
//!
//! use driver::{Connection, TransportConfig};
//! use quic_sim::tasks::{Endpoint, Simulation, now, null_configs};
//!
//! /// What is tested: a server that says every word twice.
//! async fn serve(endpoint: driver::Endpoint) {
//!     while let Some(incoming) = endpoint.accept().await {
//!         let Ok(connection) = incoming.await else { continue };
//!         while let Ok((mut send, mut recv)) = connection.accept_bi().await {
//!             let Ok(word) = recv.read_to_end(1000).await else { break };
//!             if send.write_all(&[&word[..], &word[..]].concat()).await.is_err() {
//!                 break;
//!             }
//!         }
//!     }
//! }
//!
//! async fn ask(connection: &Connection, word: &[u8]) -> Vec<u8> {
//!     let (mut send, mut recv) = connection.open_bi().await.unwrap();
//!     send.write_all(word).await.unwrap();
//!     send.finish().unwrap();
//!     recv.read_to_end(1000).await.unwrap()
//! }
//!
//! for seed in 0..20 {
//!     let mut simulation = Simulation::new(seed);
//!     // Who relies on the order in which tasks happen to run, fails for some seed.
//!     simulation.shuffle();
//!     let (here, there) = (simulation.host(), simulation.host());
//!     simulation.with_network(|network| {
//!         for link in network.links(here.id(), there.id()) {
//!             link.delay = Duration::from_millis(50);
//!             link.loss = 0.1;
//!         }
//!     });
//!     let (client_config, server_config) = null_configs(TransportConfig::default());
//!     let any = |port| (Ipv4Addr::UNSPECIFIED, port).into();
//!     simulation.block_on(async {
//!         let server = Endpoint::server(&there, server_config, any(443)).unwrap();
//!         let address = server.local_addr().unwrap();
//!         there.spawn(serve((*server).clone()));
//!
//!         let endpoint = Endpoint::client(&here, any(0)).unwrap();
//!         let connecting = endpoint.connect_with(client_config, address, "there").unwrap();
//!         let connection = connecting.await.unwrap();
//!         let asked = now();
//!         assert_eq!(ask(&connection, b"hello").await, b"hellohello");
//!         assert!(now() - asked < Duration::from_secs(5));
//!
//!         // The power fails there, and nobody ever hears of it.
//!         there.crash().await;
//!         let (mut send, _recv) = connection.open_bi().await.unwrap();
//!         send.write_all(b"hello?").await.unwrap();
//!         connection.closed().await;
//!         assert!(now() - asked > Duration::from_secs(20));
//!     });
//! }
//! ```
//!
//! # What a program has to keep to
//!
//! [`Endpoint`] is [`driver::Endpoint`] with a constructor of its own, and so is that of each driver
//! for a runtime: programs that take the endpoint ready made, or `driver`'s handles, run here as they
//! are. For time and tasks they call [`sleep`], [`timeout`], [`now`] and [`spawn`] in place of what
//! their runtime has. Nothing else may wait: not for a thread, nor for a socket of the system.
//!
//! # What is found
//!
//! A future that nobody will ever wake is told at once and not by a test that hangs:
//! [`block_on`](Simulation::block_on) panics when nothing is due, with the seed and with where the
//! tasks were spawned that wait. So do tasks that wake each other without end, and what takes longer
//! than the [limit](Simulation::set_limit). A run ends when its future does; [`Simulation::run`] lets
//! everything else come to its end, so that [`living_tasks`](Simulation::living_tasks) and
//! [`timers`](Simulation::timers) tell what was left behind.
#![expect(clippy::panic, reason = "it serves tests, which panic where something is wrong")]

mod configs;
mod context;
mod endpoint;
mod executor;
mod host;
mod join;
mod simulation;
mod socket;
mod surroundings;
mod time;
mod timers;

pub use configs::null_configs;
pub use endpoint::Endpoint;
pub use host::Host;
pub use join::{Aborted, JoinHandle};
pub use simulation::Simulation;
pub use socket::Socket;
pub use time::{Elapsed, Sleep, now, sleep, timeout, yield_now};

/// Lets a task run beside the calling one, on the same host.
///
/// # Panics
/// Outside of tasks that run on a host of a simulation.
#[track_caller]
pub fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output> {
    let context::Context { surroundings, spawner, host } = context::Context::current();
    let host = host.expect("the calling task runs on a host");
    Host::new(host, surroundings, spawner).spawn(future)
}

#[cfg(test)]
mod tests;
