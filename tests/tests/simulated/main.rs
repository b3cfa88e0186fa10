//! Two ends in virtual time.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that finds something else has failed"
)]

mod closing;
mod connection_ids;
mod early_data;
mod early_data_beside_others;
mod ecn;
mod gaps;
mod handshake;
mod idle;
mod keyring;
mod keys;
mod lossy_handshake;
mod migration;
mod outages;
mod pacing;
mod parameters;
mod paths;
#[cfg(feature = "post-quantum")]
mod post_quantum;
mod preferred_address;
mod qlog;
mod quic_bit;
mod random;
mod receive_budget;
mod recording;
mod replay;
mod throughput;
mod tokens;
mod transfer;
mod version_information;
mod versions;
mod world;

use std::time::Duration;

use quic_core::{ConnectionHandle, Direction};
use quic_sim::network::{Link, Random};
use quic_sim::pair::Pair;

/// Bytes that do not repeat.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed, 99);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.u64().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Sends `length` bytes there and has them come back on the same stream.
#[track_caller]
fn echo(pair: &mut Pair, client: ConnectionHandle, length: usize, within: Duration) {
    pair.server.application.echo = true;
    let sent = noise(length, 1);
    let id = pair.client.send_all(client, Direction::Bidirectional, sent.clone());
    pair.wait("echoed", within, |pair| pair.client.is_finished(client, id));
    assert!(pair.client.received(client, id) == sent, "something else came back");
}

/// A link on which a transfer of megabytes takes seconds.
fn slow(link: &mut Link) {
    link.rate_bytes_per_second = Some(1_000_000);
    link.queue_bytes = 100_000;
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

const fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}
