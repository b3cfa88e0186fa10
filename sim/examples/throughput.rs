//! Simulated datagrams for each second of the processor's time: `cargo run --release -p quic-sim --example
//! throughput`. With an argument, only the bare network, for so many rounds of 64 datagrams.
#![expect(
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that measures"
)]

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use quic_sim::network::{Network, Outgoing};
use quic_sim::pair::Setup;

/// Datagrams that are sent at a time, and how often, if nobody says otherwise.
const BATCH: u64 = 64;
const ROUNDS: u64 = 50_000;

/// How long the processor has worked for this thread, if the system says so (Linux); or else how much
/// time has passed since this was asked for the first time.
fn worked() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = told.split(' ').next().and_then(|nanos| nanos.parse().ok());
    nanos.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// Full datagrams through a network without anything on it, with or without a queue.
fn bare(rate_bytes_per_second: Option<u64>, rounds: u64) -> f64 {
    let mut network = Network::new(1);
    let hosts = [network.add_host(), network.add_host()];
    let addresses = [1, 2].map(|number| SocketAddr::from(([10, 0, 0, number], 1000)));
    let sender = network.bind(hosts[0], addresses[0]).unwrap();
    let receiver = network.bind(hosts[1], addresses[1]).unwrap();
    network.link(hosts[0], hosts[1]).rate_bytes_per_second = rate_bytes_per_second;
    let (payload, mut inbox) = (vec![7; 1200], Vec::new());
    let start = worked();
    for _ in 0..rounds {
        for _ in 0..BATCH {
            network.send(sender, Outgoing::new(addresses[1], &payload)).unwrap();
        }
        network.advance(network.now() + Duration::from_millis(1));
        while network.receive(receiver, &mut inbox).is_ok() {}
    }
    (BATCH * rounds) as f64 / worked().saturating_sub(start).as_secs_f64()
}

/// Datagrams of both directions while a client sends as fast as it can.
fn pair() -> (f64, f64) {
    let mut pair = Setup::new(1)
        .link(|link| {
            link.rate_bytes_per_second = Some(125_000_000);
            link.queue_bytes = 2_000_000;
        })
        .transport(|transport| {
            transport.stream_receive_window = 8 << 20;
            transport.receive_window = 8 << 20;
        })
        .build();
    pair.network.trace.keep = false;
    pair.server.application.keep = false;
    let (client, server) = pair.connect();
    let sent = |pair: &quic_sim::pair::Pair| {
        let sides = [quic_core::Side::Client, quic_core::Side::Server];
        sides.map(|side| pair.link_statistics(side).sent).iter().sum::<u64>()
    };
    pair.client.send_endlessly(client);
    let (start, before) = (worked(), sent(&pair));
    pair.run_for(Duration::from_secs(20));
    let time = worked().saturating_sub(start).as_secs_f64();
    ((sent(&pair) - before) as f64 / time, pair.server.bytes_read(server) as f64 / time)
}

fn main() {
    let rounds = std::env::args().nth(1).map(|rounds| rounds.parse().unwrap());
    for (name, rate) in [("without a queue", None), ("with a queue", Some(1_000_000_000))] {
        let datagrams = bare(rate, rounds.unwrap_or(ROUNDS));
        println!("bare network {name}: {:.2} million datagrams a second", datagrams / 1e6);
    }
    if rounds.is_some() {
        return;
    }
    let (datagrams, bytes) = pair();
    println!(
        "pair in bulk, null TLS: {:.2} million datagrams a second, {:.0} MB/s of stream data",
        datagrams / 1e6,
        bytes / 1e6
    );
}
