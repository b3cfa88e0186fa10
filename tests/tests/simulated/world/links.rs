//! Queues, truncation and black holes.

use quic_core::{ConnectionError, Side};
use quic_sim::network::CoDel;
use quic_sim::pair::{Pair, Setup};
use quic_sim::seeds::seeds;

use super::super::{millis, seconds};
use super::{exchange, part};

/// A transfer through a bottleneck with a queue of a second; how long datagrams waited there on
/// average, and how many it dropped.
fn through_a_bottleneck(codel: Option<CoDel>) -> (Pair, std::time::Duration, u64) {
    let mut pair = Setup::new(1).build();
    let link = pair.to_server();
    link.rate_bytes_per_second = Some(1_000_000);
    link.queue_bytes = 1_000_000;
    link.codel = codel;
    let handles = pair.connect();
    exchange(&mut pair, handles, 4 << 20, seconds(30));
    let statistics = pair.link_statistics(Side::Client);
    (pair, statistics.mean_wait(), statistics.queue_drops)
}

#[test]
fn codel_keeps_the_queue_short_and_the_transfer_whole() {
    let (_, full, _) = through_a_bottleneck(None);
    let (_, wait, drops) = through_a_bottleneck(Some(CoDel::default()));
    assert!(drops > 0, "CoDel had nothing to do");
    assert!(wait * 3 < full, "{wait:?} is not much less than {full:?}");
    assert!(wait < millis(30), "{wait:?}");
}

#[test]
fn codel_that_marks_slows_a_sender_without_a_loss() {
    let (mut pair, wait, drops) =
        through_a_bottleneck(Some(CoDel { marks: true, ..CoDel::default() }));
    assert!(wait < millis(40), "{wait:?}");
    // What only acknowledges and the handshake have no marks; data has.
    let client = pair.client.connected[0];
    let statistics = pair.client.with(client, |c| c.statistics());
    assert!(drops < 10 && statistics.bytes_lost < 64 * drops.max(1), "data was dropped");
    assert!(statistics.congestion_events > 0);
    part(pair, client);
}

#[test]
fn truncated_datagrams_are_as_good_as_lost() {
    for seed in seeds(8) {
        let setup = Setup::new(seed).transport(|t| t.handshake_timeout = seconds(60));
        let mut pair = setup.link(|link| link.truncate = 0.05).build();
        let client = pair.start();
        pair.wait("connected", seconds(60), |pair| !pair.server.connected.is_empty());
        let server = pair.server.connected[0];
        exchange(&mut pair, (client, server), 200_000, seconds(60));
        part(pair, client);
    }
}

/// Runs a transfer into a hole of this length, in the direction from one end or in both.
fn through_a_hole(from: Option<Side>, length: u64) {
    let mut pair = Pair::new(1);
    let handles = pair.connect();
    let begin = pair.now() + millis(30);
    let hole = begin..begin + millis(length);
    for side in [Side::Client, Side::Server] {
        if from.is_none_or(|from| from == side) {
            let link = pair.network.link(side.into(), (!side).into());
            link.outages.push(hole.clone());
            link.rate_bytes_per_second = Some(2_000_000);
        }
    }
    exchange(&mut pair, handles, 1 << 20, seconds(90));
    assert!(pair.now() > hole.end, "too fast to mean anything");
    part(pair, handles.0);
}

#[test]
fn black_holes_of_one_direction_or_both_are_survived() {
    for from in [Some(Side::Client), Some(Side::Server), None] {
        for length in [100, 1_000, 5_000, 12_000] {
            through_a_hole(from, length);
        }
    }
}

#[test]
fn a_black_hole_of_one_direction_that_stays_ends_both_ends() {
    for side in [Side::Client, Side::Server] {
        let mut pair = Pair::new(1);
        let (client, server) = pair.connect();
        pair.run_for(seconds(1));
        pair.network.link(side.into(), (!side).into()).cut = true;
        pair.client.send_endlessly(client);
        pair.server.send_endlessly(server);
        pair.run_for(seconds(200));
        for lost in [&pair.client.lost[&client], &pair.server.lost[&server]] {
            assert_eq!(*lost, ConnectionError::TimedOut, "{side:?} is not heard");
        }
        pair.run_to_end();
    }
}
