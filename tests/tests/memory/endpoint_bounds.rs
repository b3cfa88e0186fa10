//! What clients together can make an endpoint hold, against what its configuration says.

use std::time::Duration;

use quic_core::{EndpointMemory, VarInt};
use quic_evil::Payload;

use super::victim::{Victim, address};

/// `taken` is no more than `part`, and reaches so many percent of it.
fn check(name: &str, taken: u64, part: u64, least: u64) {
    let share = 100 * taken / part;
    eprintln!("{name}: {taken} bytes of {part}, {share} %");
    assert!(taken <= part, "{name}: {taken} bytes, not {part}");
    assert!(share >= least, "{name}: only {share} % of {part} bytes, is the bound too loose?");
}

/// A server that one client has come to.
fn warm() -> Victim {
    let mut victim = Victim::new(|_| {}, |_| {});
    victim.connect(1);
    victim
}

fn bound(victim: &Victim) -> EndpointMemory {
    victim.bounds(0).1
}

/// The header of a 0-RTT packet to an ID made of the number, padded to so many bytes.
fn zero_rtt(number: u16, length: usize) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    let mut packet = vec![0xd0, 0, 0, 0, 1, 8, 0xee, 0, 0, 0, 0, 0, high, low, 0];
    let rest = u16::try_from(length - packet.len() - 2).unwrap();
    packet.extend_from_slice(&(rest | 0x4000).to_be_bytes());
    packet.resize(length, 0x55);
    packet
}

#[test]
fn attempts_that_wait_take_no_more_than_is_said() {
    let mut victim = warm();
    victim.accepts = false;
    let before = victim.heap();
    for number in 0..1000 {
        let evil = victim.client(number);
        let mut peer = evil.peer;
        for (_, datagram) in peer.flush().unwrap() {
            // Again and again: each copy may be the one that is authentic.
            for _ in 0..20 {
                victim.deliver(evil.address, &datagram);
            }
        }
    }
    let taken = victim.heap() - before;
    check("an attempt", taken / 1000, bound(&victim).attempt, 10);
}

#[test]
fn packets_that_overtook_their_initial_take_no_more_than_is_said() {
    let mut victim = warm();
    let before = victim.heap();
    for number in 0..500 {
        for _ in 0..20 {
            victim.deliver(address(number), &zero_rtt(number, 1490));
        }
    }
    let taken = victim.heap() - before;
    check("a queue for 0-RTT packets", taken / 32, bound(&victim).zero_rtt_queue, 50);
}

#[test]
fn answers_that_wait_take_no_more_than_is_said() {
    let mut victim = warm();
    let before = victim.heap();
    for number in 0..2000 {
        let mut packet = vec![0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 255];
        packet.resize(6 + 255, 1);
        packet.push(255);
        packet.resize(1200, 2);
        victim.deliver(address(number), &packet);
    }
    check("answers", victim.heap() - before, bound(&victim).socket, 50);
}

#[test]
fn connections_in_their_closing_period_take_no_more_than_is_said() {
    const CLIENTS: u16 = 100;
    let mut victim = warm();
    let before = victim.heap();
    let code = VarInt::from_u32(7);
    for number in 2..2 + CLIENTS {
        victim.connect(number);
        let now = victim.now;
        victim.act(|connection| connection.close(now, code, bytes::Bytes::from(vec![7; 5000])));
        victim.mute();
    }
    let (_, bound) = victim.bounds(0);
    let taken = (victim.heap() - before) / u64::from(CLIENTS);
    check("a closed connection", taken, bound.closed_connection, 0);
    victim.now += Duration::from_mins(1);
    victim.handle_timeout();
    let left = victim.heap() - before;
    check("what is left of them", left, bound.tables + bound.routes, 0);
}

#[test]
fn all_of_an_endpoint_takes_no_more_than_is_said_while_everything_is_attacked() {
    const CONNECTIONS: u16 = 12;
    let mut victim = Victim::new(
        |transport| {
            transport.max_concurrent_bidi_streams = 8;
            transport.max_concurrent_uni_streams = 8;
            transport.receive_window = 64 << 10;
            transport.max_receive_window = 1 << 20;
            transport.send_window = 64 << 10;
        },
        |endpoint| {
            endpoint.max_connections = 20;
            endpoint.receive_budget = 4 << 20;
        },
    );
    for number in 0..CONNECTIONS {
        let mut evil = victim.connect(number);
        for stream in 0..8 {
            let id = 4 * stream;
            for gap in 0..4 {
                let frames = (0..100).fold(Payload::new(), |payload, index| {
                    payload.stream(id, 1 + 2 * (100 * gap + index), b"x", false)
                });
                victim.attack(&mut evil, frames);
            }
            victim.attack(&mut evil, Payload::new().stream(id, 4000, &[7; 1000], false));
            victim.attack(&mut evil, Payload::new().stream(id + 2, 2000, &[7; 100], true));
        }
        for _ in 0..300 {
            victim.attack(&mut evil, Payload::new().numbers(&[0x31]).prefixed(&[7; 1000]));
        }
        for gap in 0..500 {
            victim.attack(&mut evil, Payload::new().crypto(1 + 20 * gap, b"x"));
        }
        let streams = std::mem::take(&mut victim.streams);
        for _ in 0..50 {
            let data = vec![7; 20_000];
            victim.act(|connection| {
                for id in &streams {
                    let _: Result<_, _> = connection.send_stream(*id).write(&data);
                }
            });
            evil.peer.acks = false;
            victim.exchange(&mut evil);
        }
        victim.assert_alive();
    }
    victim.accepts = false;
    for number in 100..200 {
        let mut evil = victim.client(number);
        for (_, datagram) in evil.peer.flush().unwrap() {
            victim.deliver(evil.address, &datagram);
        }
        victim.deliver(address(number), &zero_rtt(number, 1490));
    }
    let bound = bound(&victim);
    eprintln!("{bound}");
    check("everything", victim.heap(), bound.total(), 1);
}
