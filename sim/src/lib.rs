//! QUIC endpoints on a simulated network in virtual time, in which everything follows from one seed.
//!
//! For tests, fuzzers and property tests of protocols on top of `quic-core`: an hour of a bad network
//! takes milliseconds, the same seed gives the same bytes at the same nanoseconds, and a test that
//! fails prints the command that plays it again. There are three floors:
//!
//! - [`network`]: hosts with clocks and sockets, links with rates, queues, losses and all else that
//!   goes wrong, and NATs. It carries datagrams and knows nothing of QUIC.
//! - [`world`]: any number of hosts with endpoints of `quic-core` and applications on them.
//! - [`pair`]: the usual case, a client and a server, with TLS that encrypts nothing
//!   ([`null_tls`]), so that runs repeat bit by bit, or with rustls.
//!
//! Beside them, `tasks` (feature `driver`) runs whole async programs over the handles of `driver`.
//!
//! ```
//! use std::time::Duration;
//!
//! use quic_core::Direction;
//! use quic_sim::pair::Setup;
//! use quic_sim::seeds::seeds;
//!
//! // One run for each seed: eight, or as many as QUIC_SEEDS says, or the one that QUIC_SEED is.
//! for seed in seeds(8) {
//!     let mut pair = Setup::new(seed)
//!         .link(|link| {
//!             link.delay = Duration::from_millis(40);
//!             link.loss = 0.02;
//!             link.rate_bytes_per_second = Some(1_000_000);
//!             link.queue_bytes = 64_000;
//!         })
//!         .build();
//!     let (client, server) = pair.connect();
//!     let id = pair.client.send_all(client, Direction::Unidirectional, vec![7; 100_000]);
//!
//!     // In the middle of the transfer, the client's NAT picks another port, and its clock jumps.
//!     pair.run_for(Duration::from_millis(100));
//!     pair.rebind_port(4321);
//!     pair.network.host(pair.client.host).jump(Duration::from_secs(3));
//!
//!     pair.wait("received", Duration::from_secs(30), |pair| pair.server.is_finished(server, id));
//!     assert_eq!(pair.server.received(server, id), vec![7; 100_000]);
//! }
//! ```
//!
//! # Environment
//!
//! | variable | what it does |
//! | --- | --- |
//! | `QUIC_SEED` | [`seeds`](seeds::seeds) gives this seed alone |
//! | `QUIC_SEEDS` | [`seeds`](seeds::seeds) gives so many seeds |
//! | `QUIC_QLOG_DIR` | with the feature `qlog`: writes qlog of both ends of failing runs there |
//! | `QUIC_QLOG_ALL` | of all runs, not only of failing ones |
//!
//! # Speed
//!
//! `cargo run --release -p quic-sim --example throughput` measures datagrams a second through a bare
//! network and through a pair that sends in bulk. A network that is warm allocates nothing for a
//! datagram.
#![forbid(unsafe_code)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "it serves tests, which panic where something is wrong"
)]

pub mod network;
pub mod null_tls;
pub mod pair;
pub mod seeds;
#[cfg(feature = "driver")]
pub mod tasks;
pub mod world;
