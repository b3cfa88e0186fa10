//! NATs between the client and the server.

use quic_core::{ConnectionError, Direction, Event};
use quic_sim::network::Filtering;
use quic_sim::pair::{CLIENT, Pair, Setup};

use super::super::{millis, seconds};
use super::{exchange, part};

#[test]
fn a_nat_may_rebind_before_any_datagram_but_the_first() {
    for number in 1..40 {
        let mut pair = rebound_before(number);
        pair.wait("connected", seconds(10), |pair| {
            pair.client.connected.len() == 1 && pair.server.connected.len() == 1
        });
        let (client, server) = (pair.client.connected[0], pair.server.connected[0]);
        exchange(&mut pair, (client, server), 100_000, seconds(20));
        assert_ne!(pair.seen_client(), CLIENT, "number {number}");
        assert_eq!(pair.server.with(server, |c| c.path()).remote, pair.seen_client());
        part(pair, client);
    }
}

#[test]
fn a_nat_that_rebinds_before_the_client_has_heard_of_the_server_ends_the_attempt_at_worst() {
    let mut pair = rebound_before(1);
    // Initial packets can be anybody's. So the client, which has no other keys yet, is not followed:
    // addresses are to stay as they are until the handshake is confirmed (RFC 9000 §9).
    pair.to_client().drops = (0..4).collect();
    pair.run_for(seconds(60));
    assert_ne!(pair.seen_client(), CLIENT);
    let lost: Vec<_> = pair.client.lost.values().collect();
    assert!(matches!(lost[..], [ConnectionError::HandshakeTimedOut | ConnectionError::TimedOut]));
    assert!(pair.server.connected.is_empty());
    let handles = pair.connect();
    exchange(&mut pair, handles, 100_000, seconds(20));
}

/// A client that begins to connect behind a NAT that rebinds before the datagram with this number.
fn rebound_before(number: u64) -> Pair {
    let mut pair = Pair::new(number);
    let host = pair.client.host;
    pair.network.nat(host).rebind_at.insert(number);
    pair.start();
    pair
}

#[test]
fn a_port_restricted_nat_that_forgets_is_kept_awake() {
    let mut setup = Setup::new(1);
    setup.client_transport.keep_alive_interval = Some(seconds(10));
    let mut pair = setup.build();
    let host = pair.client.host;
    let nat = pair.network.nat(host);
    nat.filtering = Filtering::Ports;
    nat.timeout = Some(seconds(20));
    nat.ignores_arrivals = true;
    let handles = pair.connect();
    pair.run_for(seconds(600));
    assert_eq!(pair.seen_client(), CLIENT, "no mapping timed out");
    exchange(&mut pair, handles, 100_000, seconds(5));
    part(pair, handles.0);
}

#[test]
fn a_client_behind_a_nat_that_forgot_it_is_found_again_when_it_speaks() {
    let setup = Setup::new(1).transport(|t| t.max_idle_timeout = Some(seconds(300)));
    let mut pair = setup.build();
    let host = pair.client.host;
    let nat = pair.network.nat(host);
    nat.filtering = Filtering::Ports;
    nat.timeout = Some(seconds(30));
    let handles = pair.connect();
    pair.run_for(seconds(100));
    // Nobody inside has said anything: nothing comes in.
    let id = pair.server.send_all(handles.1, Direction::Unidirectional, &b"anybody there?"[..]);
    pair.run_for(seconds(20));
    assert!(!pair.client.is_finished(handles.0, id));
    exchange(&mut pair, handles, 100_000, seconds(30));
    pair.wait("found", seconds(30), |pair| pair.client.is_finished(handles.0, id));
    assert_ne!(pair.seen_client(), CLIENT);
    part(pair, handles.0);
}

#[test]
fn a_nat_that_forgot_and_a_client_that_is_silent_end_by_the_timeout() {
    let mut pair = Pair::new(1);
    let host = pair.client.host;
    pair.network.nat(host).timeout = Some(seconds(5));
    let (client, server) = pair.connect();
    pair.run_for(seconds(20));
    pair.server.send_all(server, Direction::Unidirectional, &b"anybody there?"[..]);
    pair.run_for(seconds(60));
    assert_eq!(pair.client.lost[&client], ConnectionError::TimedOut);
    assert_eq!(pair.server.lost[&server], ConnectionError::TimedOut);
}

#[test]
fn fifty_new_ports_a_second_do_not_stop_a_transfer() {
    let mut setup = Setup::new(1);
    // One that has nothing to send would not be found.
    setup.client_transport.keep_alive_interval = Some(seconds(1));
    let mut pair = setup.link(|link| link.rate_bytes_per_second = Some(1_000_000)).build();
    let handles = pair.connect();
    let host = pair.client.host;
    pair.network.nat(host).lifetime = Some(millis(20));
    exchange(&mut pair, handles, 300_000, seconds(60));
    let moves = pair.server.events.iter().filter(|(_, _, event)| matches!(event, Event::Path(_)));
    assert!(moves.count() > 5);
    pair.network.nat(host).lifetime = None;
    exchange(&mut pair, handles, 300_000, seconds(60));
    part(pair, handles.0);
}
