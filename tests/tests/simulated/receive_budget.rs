//! Connections that share what the receive windows of their endpoint may grow by.

use quic_core::ConnectionHandle;
use quic_sim::pair::{Pair, Setup};

use super::{millis, seconds};

const INITIAL: u64 = 64 << 10;
const BUDGET: u64 = 2 << 20;
/// The round-trip time, in milliseconds.
const RTT: u64 = 100;

/// A pair whose client can send as fast as the server's windows allow.
fn wide_pair() -> Pair {
    let mut setup = Setup::new(1).link(|link| {
        link.delay = millis(RTT / 2);
        link.rate_bytes_per_second = Some(50_000_000);
    });
    setup.server_endpoint.receive_budget = BUDGET;
    setup.server_transport.receive_window = INITIAL;
    setup.server_transport.stream_receive_window = 16 << 20;
    let mut pair = setup.build();
    pair.server.application.keep = false;
    pair
}

/// Opens a connection that sends without end; its handles at both ends.
fn upload(pair: &mut Pair) -> (ConnectionHandle, ConnectionHandle) {
    let (client, server) = pair.connect();
    pair.client.send_endlessly(client);
    (client, server)
}

/// Bytes in a round trip that come on each of the server's connections.
fn speeds(pair: &mut Pair, servers: &[ConnectionHandle]) -> Vec<u64> {
    let read = |pair: &Pair| -> Vec<u64> {
        servers.iter().map(|server| pair.server.bytes_read(*server)).collect()
    };
    let before = read(pair);
    pair.run_for(millis(20 * RTT));
    let after = read(pair);
    after.iter().zip(before).map(|(after, before)| (after - before) / 20).collect()
}

#[test]
fn who_was_first_gives_an_equal_share_back_and_gets_it_again_when_the_others_are_gone() {
    let mut pair = wide_pair();
    let first = upload(&mut pair);
    pair.run_for(seconds(5));
    let alone = speeds(&mut pair, &[first.1])[0];
    assert!(alone > BUDGET * 7 / 10 && alone <= BUDGET + INITIAL, "{alone} alone");

    let others = [upload(&mut pair), upload(&mut pair), upload(&mut pair)];
    pair.run_for(seconds(10));
    let all = [first.1, others[0].1, others[1].1, others[2].1];
    let together = speeds(&mut pair, &all);
    let sum: u64 = together.iter().sum();
    let share = BUDGET / 4;
    assert!(sum <= BUDGET + 4 * INITIAL, "{together:?}");
    assert!(together.iter().all(|speed| *speed > share / 2), "{together:?}");
    assert!(together.iter().all(|speed| *speed <= share + INITIAL), "{together:?}");

    for (client, _) in others {
        pair.client.close(client, 0, b"done");
    }
    pair.run_for(seconds(5));
    let again = speeds(&mut pair, &[first.1])[0];
    assert!(again > alone * 9 / 10, "{again} alone again, after {alone}");
}
