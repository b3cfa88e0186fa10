//! What links, NATs, clocks, timers, sockets and hosts can do to a connection.

mod clocks;
mod determinism;
mod hosts;
mod links;
mod nats;
mod sockets;

use std::time::Duration;

use quic_core::{ConnectionHandle, Direction, Side};
use quic_sim::pair::{Pair, Setup};

use super::noise;

/// Sends this many bytes each way at once, and waits until all have arrived as they were sent.
#[track_caller]
fn exchange(
    pair: &mut Pair,
    handles: (ConnectionHandle, ConnectionHandle),
    length: usize,
    within: Duration,
) {
    let (client, server) = handles;
    let (up, down) = (noise(length, 1), noise(length, 2));
    let up_id = pair.client.send_all(client, Direction::Unidirectional, up.clone());
    let down_id = pair.server.send_all(server, Direction::Unidirectional, down.clone());
    pair.wait("exchanged", within, |pair| {
        pair.server.is_finished(server, up_id) && pair.client.is_finished(client, down_id)
    });
    assert!(pair.server.received(server, up_id) == up, "something else came up");
    assert!(pair.client.received(client, down_id) == down, "something else came down");
}

/// Lets both ends of a connection end it in order, and what they say of it.
#[track_caller]
fn part(mut pair: Pair, client: ConnectionHandle) {
    assert!(pair.client.lost.is_empty() && pair.server.lost.is_empty());
    pair.client.close(client, 7, b"done");
    pair.run_to_end();
    assert_eq!((pair.client.lost.len(), pair.server.lost.len()), (1, 1));
}

/// A pair with links that lose a little and are slow enough to send for minutes.
fn slow_pair() -> Pair {
    Setup::new(1)
        .link(|link| {
            link.loss = 0.01;
            link.rate_bytes_per_second = Some(250_000);
            link.queue_bytes = 50_000;
        })
        .build()
}

/// The host of an end.
fn host(side: Side) -> quic_sim::network::HostId {
    side.into()
}
