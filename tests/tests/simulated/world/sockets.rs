//! Sockets that refuse, fail and overflow.

use std::io::ErrorKind;

use quic_core::{Direction, Side};
use quic_sim::network::SocketError;
use quic_sim::pair::{Pair, Setup};

use super::super::{millis, seconds};
use super::{exchange, part};

const ERRORS: [SocketError; 6] = [
    SocketError::WouldBlock,
    SocketError::TooLarge,
    SocketError::Refused,
    SocketError::Unreachable,
    SocketError::Other(ErrorKind::PermissionDenied),
    SocketError::Other(ErrorKind::OutOfMemory),
];

/// A connection of which the socket of one end fails as `fail` says.
fn with_faults(side: Side, fail: impl Fn(&mut quic_sim::network::Socket)) {
    let mut pair = Pair::new(1);
    let port = pair.end(side).ports().next().unwrap();
    fail(pair.network.socket(port));
    let client = pair.start();
    pair.wait("connected", seconds(10), |pair| {
        pair.client.connected.len() == 1 && pair.server.connected.len() == 1
    });
    let server = pair.server.connected[0];
    exchange(&mut pair, (client, server), 10_000, seconds(20));
    part(pair, client);
}

#[test]
fn any_call_to_send_may_fail_in_any_way() {
    for side in [Side::Client, Side::Server] {
        for error in ERRORS {
            for call in 0..16 {
                // Twice, since what fails once is tried again.
                with_faults(side, |socket| {
                    socket.send_faults.calls = [(call, error), (call + 1, error)].into();
                });
            }
        }
    }
}

#[test]
fn any_call_to_receive_may_fail_in_any_way() {
    for side in [Side::Client, Side::Server] {
        for error in ERRORS {
            for call in 0..16 {
                with_faults(side, |socket| {
                    socket.receive_faults.calls.insert(call, error);
                });
            }
        }
    }
}

#[test]
fn a_socket_that_fails_half_of_the_time_is_slow_and_no_more() {
    for side in [Side::Client, Side::Server] {
        for error in ERRORS.into_iter().filter(|error| *error != SocketError::TooLarge) {
            with_faults(side, |socket| {
                socket.send_faults.chance = Some((0.5, error));
                socket.receive_faults.chance = Some((0.5, error));
            });
        }
    }
}

#[test]
fn a_socket_that_refuses_everything_for_a_while_ends_nothing() {
    for side in [Side::Client, Side::Server] {
        for error in ERRORS.into_iter().filter(|error| *error != SocketError::WouldBlock) {
            let mut pair = Pair::new(1);
            let handles = pair.connect();
            exchange(&mut pair, handles, 10_000, seconds(5));
            let port = pair.end(side).ports().next().unwrap();
            pair.network.socket(port).send_faults.chance = Some((1.0, error));
            // It has something to say all the time.
            let handle = if side == Side::Client { handles.0 } else { handles.1 };
            pair.end(side).send_all(handle, Direction::Unidirectional, vec![1; 100_000]);
            // What is too large for ever is an end in itself (RFC 9000 §14.2).
            let outage = if error == SocketError::TooLarge { 4 } else { 20 };
            pair.run_for(seconds(outage));
            pair.network.socket(port).send_faults.chance = None;
            exchange(&mut pair, handles, 10_000, seconds(25));
            part(pair, handles.0);
        }
    }
}

#[test]
fn what_a_full_buffer_lost_comes_again() {
    let mut pair = Setup::new(1).build();
    for end in [Side::Client, Side::Server] {
        let port = pair.end(end).ports().next().unwrap();
        pair.network.socket(port).receive_buffer = 8_000;
    }
    // Whatever arrives at a time of the clock's arrives at once.
    let handles = pair.connect();
    exchange(&mut pair, handles, 1 << 20, seconds(60));
    let port = pair.server.ports().next().unwrap();
    assert!(pair.network.socket(port).overflows() > 0, "too large to mean anything");
    part(pair, handles.0);
}

#[test]
fn an_interface_that_becomes_narrow_is_noticed() {
    let mut pair = Pair::new(1);
    let handles = pair.connect();
    exchange(&mut pair, handles, 1 << 20, seconds(10));
    pair.run_for(seconds(1));
    for side in [Side::Client, Side::Server] {
        pair.network.host(side.into()).interface_mtu = 1280;
    }
    exchange(&mut pair, handles, 1 << 20, seconds(20));
    let refused = pair.client.refused;
    assert!(refused > 0);
    pair.run_for(millis(500));
    exchange(&mut pair, handles, 1 << 20, seconds(20));
    part(pair, handles.0);
}
