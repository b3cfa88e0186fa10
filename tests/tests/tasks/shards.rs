//! An endpoint of 2 to 64 shards, on sockets that share an address.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use driver::crypto::{Session, SessionFactory, StartSessionError};
use driver::rustls::quic::Keys;
use driver::{Connection, ConnectionId, EndpointOptions, SocketStatistics};
use quic_core::Side;
use quic_sim::tasks::{Endpoint, Host, Socket};

use crate::support::{Hosts, Stage, any, ask, echo_server, pattern};

/// What all shards share of a configuration, counting how often anybody uses it.
#[derive(Debug)]
struct Counted {
    inner: Arc<dyn SessionFactory>,
    uses: Arc<AtomicUsize>,
}

impl SessionFactory for Counted {
    fn start(
        &self,
        version: u32,
        server_name: Option<&str>,
        parameters: Vec<u8>,
    ) -> Result<Box<dyn Session>, StartSessionError> {
        self.uses.fetch_add(1, Ordering::Relaxed);
        self.inner.start(version, server_name, parameters)
    }

    fn initial_keys(&self, version: u32, id: &ConnectionId, side: Side) -> Option<Keys> {
        self.uses.fetch_add(1, Ordering::Relaxed);
        self.inner.initial_keys(version, id, side)
    }
}

/// What a run came to.
#[derive(Debug, Eq, PartialEq)]
struct Outcome {
    digest: u64,
    spread: Vec<usize>,
    /// After all connections were used where they were opened, and after all of them moved.
    statistics: [SocketStatistics; 2],
    /// Uses of what shards share: by then, and after the handshakes.
    uses: [usize; 3],
}

/// Clients of a server with so many shards, three for each, that use their connections, move to
/// another address, and use them again.
fn run(shards: u16) -> Outcome {
    let mut stage = Stage::new(u64::from(shards));
    let uses = Arc::new(AtomicUsize::new(0));
    let inner = Arc::clone(&stage.hosts.server_config.crypto);
    stage.hosts.server_config.crypto = Arc::new(Counted { inner, uses: Arc::clone(&uses) });
    let mut outcome = stage.run(async |hosts| program(hosts, shards, &uses).await);
    outcome.digest = stage.simulation.digest();
    outcome
}

async fn program(hosts: Hosts, shards: u16, uses: &AtomicUsize) -> Outcome {
    let options = EndpointOptions::default()
        .with_server(Some(hosts.server_config.clone()))
        .with_shards(NonZeroU16::new(shards).unwrap());
    let socket = Socket::bind(&hosts.server, any(4433)).unwrap();
    let server = Endpoint::open(&hosts.server, options, socket).unwrap();
    let address = server.local_addr().unwrap();
    drop(hosts.server.spawn(echo_server(server.clone())));
    let mut clients: Vec<(Endpoint, Connection)> = Vec::new();
    for _ in 0..3 * shards {
        let client = hosts.start_client();
        let connection = client.connect(address, "server").unwrap().await.unwrap();
        clients.push((client, connection));
    }
    let count = || uses.load(Ordering::Relaxed);
    // A confirmed handshake needs nothing more.
    ask_all(&hosts.client, &clients).await;
    let after_handshakes = count();
    ask_all(&hosts.client, &clients).await;
    let (before, used_before) = (server.socket_stats(), count());
    for (client, _) in &clients {
        client.rebind(Socket::bind(&hosts.client, any(0)).unwrap()).unwrap();
    }
    ask_all(&hosts.client, &clients).await;
    let statistics = [before, server.socket_stats()];
    let uses = [after_handshakes, used_before, count()];
    let spread = (0..server.shard_count()).map(|it| server.shard(it).unwrap().open_connections());
    let spread = spread.collect();
    server.close(0_u32.into(), b"");
    server.wait_idle().await;
    Outcome { digest: 0, spread, statistics, uses }
}

/// Lets all connections be used at the same time.
async fn ask_all(host: &Host, clients: &[(Endpoint, Connection)]) {
    let asked = clients.iter().map(|(_, connection)| {
        let connection = connection.clone();
        host.spawn(
            async move { assert!(ask(&connection, &pattern(30_000)).await == pattern(30_000)) },
        )
    });
    let asked: Vec<_> = asked.collect();
    for one in asked {
        one.await.unwrap();
    }
}

#[test]
fn shards_touch_nothing_that_they_share_unless_somebody_arrives_or_moves() {
    for shards in [2, 3, 8, 64] {
        let Outcome { spread, statistics: [before, after], uses, .. } = run(shards);
        assert_eq!(spread.iter().sum::<usize>(), 3 * usize::from(shards));
        let busy = spread.iter().filter(|connections| **connections > 0).count();
        assert!(busy > usize::from(shards) / 2, "of {shards} shards {busy} have connections");
        // Packets need neither each other's shards nor what configurations share.
        assert_eq!((before, uses[0]), (SocketStatistics::default(), uses[1]));
        // Who moves arrives at another shard most often, and is heard at his own.
        assert!(after.handed_over > 0, "nobody arrived at another of {shards} shards");
        assert_eq!((after.hand_overs_dropped, uses[2]), (0, uses[1]));
    }
}

#[test]
fn runs_with_shards_repeat_bit_by_bit() {
    assert_eq!(run(8), run(8));
}
