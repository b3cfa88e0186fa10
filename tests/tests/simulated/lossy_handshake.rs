//! Handshakes survive any loss (RFC 9002 §6.2).

use std::collections::BTreeSet;

use quic_core::Side;
use quic_sim::pair::{Pair, Setup};
use quic_sim::seeds::seeds;
use quic_tests::handshakes::play;

use super::{echo, seconds};

/// A handshake and an echo, while these datagrams of one end are lost.
fn check(seed: u64, from: Side, drops: BTreeSet<u64>, rustls: bool) -> Pair {
    let setup = if rustls { Setup::with_rustls(seed) } else { Setup::new(seed) };
    let mut pair = setup
        .transport(|transport| {
            transport.handshake_timeout = seconds(600);
            transport.max_idle_timeout = Some(seconds(600));
        })
        .build();
    let link = if from == Side::Client { pair.to_server() } else { pair.to_client() };
    link.drops = drops;
    let client = pair.start();
    let at_once = pair.run_until(seconds(600), |pair| {
        pair.client.connected.contains(&client) && !pair.server.connected.is_empty()
    });
    assert!(at_once, "{from:?} loses: not connected");
    echo(&mut pair, client, 5000, seconds(60));
    pair
}

#[test]
fn any_one_of_the_first_datagrams_may_be_lost() {
    for from in [Side::Client, Side::Server] {
        for lost in 0..20 {
            let pair = check(lost, from, [lost].into(), false);
            assert!(pair.elapsed() < seconds(3), "{from:?} {lost}: {:?}", pair.elapsed());
        }
    }
}

#[test]
fn any_one_of_the_first_datagrams_may_be_lost_rustls() {
    for from in [Side::Client, Side::Server] {
        for lost in 0..8 {
            check(lost, from, [lost].into(), true);
        }
    }
}

#[test]
fn any_of_the_first_eight_datagrams_may_be_lost_together() {
    for from in [Side::Client, Side::Server] {
        for mask in 0..256_u64 {
            let drops: BTreeSet<u64> = (0..8).filter(|bit| mask >> bit & 1 == 1).collect();
            check(mask, from, drops, false);
        }
    }
}

#[test]
fn any_of_the_first_four_datagrams_of_both_ends_may_be_lost_together() {
    for mask in 0..256_u64 {
        let mut pair = Setup::new(mask)
            .transport(|transport| {
                transport.handshake_timeout = seconds(600);
                transport.max_idle_timeout = Some(seconds(600));
            })
            .build();
        pair.to_server().drops = (0..4).filter(|bit| mask >> bit & 1 == 1).collect();
        pair.to_client().drops = (0..4).filter(|bit| mask >> (bit + 4) & 1 == 1).collect();
        let client = pair.start();
        pair.wait("connected", seconds(600), |pair| !pair.server.connected.is_empty());
        echo(&mut pair, client, 5000, seconds(60));
    }
}

#[test]
fn handshakes_over_links_of_all_kinds_are_completed_or_say_why_and_leave_nothing() {
    // `cargo run --release -p tests --example handshakes` plays as many as it is told to.
    for seed in seeds(1000) {
        play(seed).unwrap();
    }
}
