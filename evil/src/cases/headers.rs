//! Datagrams, packet headers and packet numbers (RFC 9000 §12, §14.1, §17).

use super::prelude::*;
use crate::tls::initial_keys;

const RESERVED: &str = "RFC 9000 §17.2";
const SMALL: &str = "RFC 9000 §14.1";
const LONG: &str = "RFC 9000 §17.2";
const COALESCED: &str = "RFC 9000 §12.2";
const UNKNOWN: &str = "RFC 9000 §10.3";

const RESET: Reaction = Reaction::OneOf(
    &[Reaction::StatelessReset, Silence],
    Permission(
        "An endpoint MAY send a Stateless Reset in response to receiving a packet that it cannot \
         associate with an active connection.",
    ),
);

const WITHOUT_BIT: Reaction = Reaction::OneOf(
    &[Silence, Ignored],
    Permission(
        "An endpoint that advertises the grease_quic_bit transport parameter MUST accept packets \
         with the QUIC Bit set to a value of 0. (RFC 9287 §3)",
    ),
);

pub(super) const CASES: &[Case] = &[
    server(
        "headers/reserved bits in Initial",
        RESERVED,
        Steps(|s| first_initial(s, |p| p.set_bits = 0x0c)),
        VIOLATION,
    ),
    server("headers/reserved bits in Handshake", RESERVED, Steps(reserved_in_handshake), VIOLATION),
    server(
        "headers/reserved bits in 1-RTT",
        "RFC 9000 §17.3.1",
        Steps(|s| reserved_in_one_rtt(s, 0x18)),
        VIOLATION,
    ),
    server(
        "headers/one reserved bit in 1-RTT",
        "RFC 9000 §17.3.1",
        Steps(|s| reserved_in_one_rtt(s, 0x08)),
        VIOLATION,
    ),
    server(
        "headers/Initial without QUIC Bit",
        LONG,
        Steps(|s| first_initial(s, |p| p.clear_bits = 0x40)),
        WITHOUT_BIT,
    ),
    server(
        "headers/Initial in 1199 bytes",
        SMALL,
        Steps(|s| first_initial(s, |p| p.pad_to = 1199)),
        Silence,
    ),
    server(
        "headers/Initial in 300 bytes",
        SMALL,
        Steps(|s| first_initial(s, |p| p.pad_to = 300)),
        Silence,
    ),
    server("headers/Initial padded by bytes behind it", SMALL, Steps(padded_outside), Ignored),
    server(
        "headers/Initial that is not authentic",
        "RFC 9001 §5.2",
        Steps(|s| first_initial(s, |p| p.spoil = true)),
        Silence,
    ),
    server(
        "headers/Initial with a destination of 21 bytes",
        LONG,
        Steps(|s| first_initial(s, |p| p.destination = Some(vec![7; 21]))),
        Silence,
    ),
    server(
        "headers/Initial with a source of 21 bytes",
        LONG,
        Steps(|s| first_initial(s, |p| p.source = Some(vec![7; 21]))),
        Silence,
    ),
    server(
        "headers/Length beyond the datagram",
        LONG,
        Steps(|s| first_initial(s, |p| p.length_lie = 100)),
        Silence,
    ),
    server(
        "headers/Length too short for a packet",
        "RFC 9001 §5.4.2",
        Steps(|s| first_initial(s, |p| p.length_lie = -1150)),
        Silence,
    ),
    server(
        "headers/token longer than the datagram",
        "RFC 9000 §17.2.2",
        Steps(token_beyond),
        Silence,
    ),
    server(
        "headers/Initial with the keys of others",
        "RFC 9001 §5.2",
        Steps(foreign_keys),
        Silence,
    ),
    server(
        "headers/Retry to a server",
        "RFC 9000 §17.2.5",
        Steps(|s| raw(s, &retry_shaped())),
        Silence,
    ),
    server(
        "headers/Handshake to nobody",
        "RFC 9000 §5.2.2",
        Steps(|s| raw(s, &long_shaped(0xe0, 1))),
        Silence,
    ),
    server(
        "headers/0-RTT to nobody",
        "RFC 9000 §5.2.2",
        Steps(|s| raw(s, &long_shaped(0xd0, 1))),
        Silence,
    ),
    server("headers/short header to nobody", UNKNOWN, Steps(|s| raw(s, &short_shaped(200))), RESET),
    server(
        "headers/short header to nobody in 43 bytes",
        UNKNOWN,
        Steps(|s| raw(s, &short_shaped(43))),
        RESET,
    ),
    server(
        "headers/short header to nobody in 21 bytes",
        UNKNOWN,
        Steps(|s| raw(s, &short_shaped(21))),
        Silence,
    ),
    server("headers/one byte", "RFC 9000 §5.2", Steps(|s| raw(s, &[0x40])), Silence),
    server("headers/no byte", "RFC 9000 §5.2", Steps(|s| raw(s, &[])), Silence),
    server(
        "headers/all ones, a version with long IDs",
        "RFC 8999 §6",
        Steps(|s| raw(s, &[0xff; 1200])),
        Bounded { bytes: 600 },
    ),
    server("headers/all zeros", "RFC 9000 §5.2", Steps(|s| raw(s, &[0; 20])), Silence),
    server("headers/a packet three times", "RFC 9000 §12.3", Steps(three_times), Ignored),
    server("headers/two destinations in one datagram", COALESCED, Steps(two_destinations), Ignored),
    server("headers/garbage behind a packet", COALESCED, Steps(garbage_behind), Ignored),
    server("headers/one spoiled of two in a datagram", COALESCED, Steps(spoiled_first), Ignored),
    server(
        "headers/numbers in one byte, two, three and four",
        "RFC 9000 §17.1",
        Steps(number_lengths),
        Ignored,
    ),
    server("headers/number a billion ahead", "RFC 9000 §12.3", Steps(far_ahead), Ignored),
    server("headers/numbers backwards", "RFC 9000 §12.3", Steps(backwards), Ignored),
    server("headers/spin bit at random", "RFC 9000 §17.4", Steps(spinning), Ignored),
    client(
        "headers/reserved bits in Initial, to a client",
        RESERVED,
        Steps(reserved_to_client),
        VIOLATION,
    ),
    client(
        "headers/reserved bits in 1-RTT, to a client",
        "RFC 9000 §17.3.1",
        Steps(|s| reserved_in_one_rtt(s, 0x18)),
        VIOLATION,
    ),
    client(
        "headers/a packet three times, to a client",
        "RFC 9000 §12.3",
        Steps(three_times),
        Ignored,
    ),
    client("headers/garbage to a client", "RFC 9000 §5.2.1", Steps(garbage_to_client), Ignored),
    client(
        "headers/stateless reset",
        "RFC 9000 §10.3.1",
        Steps(|s| reset(s, &[0x5e; 16], 50)),
        Silence,
    ),
    client(
        "headers/stateless reset with another token",
        "RFC 9000 §10.3.1",
        Steps(|s| reset(s, &[0x5f; 16], 50)),
        Ignored,
    ),
    client(
        "headers/stateless reset that is too short",
        "RFC 9000 §10.3",
        Steps(|s| reset(s, &[0x5e; 16], 20)),
        Ignored,
    ),
];

/// The packet of a ClientHello, changed; alone in its datagram.
fn first_initial(script: &mut Script<'_>, change: fn(&mut Packet)) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    let hello = script.peer()?.take_crypto(SpaceId::Initial);
    let mut packet = Packet::initial(Payload::new().crypto(0, &hello));
    change(&mut packet);
    script.send_packet(packet).map(|_| ())
}

fn raw(script: &mut Script<'_>, datagram: &[u8]) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    script.send_datagram(0, datagram);
    Ok(())
}

/// A packet with a long header of version 1 to an ID that nobody knows.
fn long_shaped(first: u8, version: u32) -> Vec<u8> {
    let mut bytes = vec![first];
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend_from_slice(b"\x08nobody's\x08our own!\x44\x00");
    bytes.resize(1200, 0x77);
    bytes
}

fn retry_shaped() -> Vec<u8> {
    let mut bytes = long_shaped(0xf0, 1);
    bytes.truncate(100);
    bytes
}

fn short_shaped(length: usize) -> Vec<u8> {
    let mut bytes = b"\x43 nobody knows this one".to_vec();
    bytes.resize(length, 0x77);
    bytes
}

fn reserved_in_handshake(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.until(beginning, Stage::Handshake)?;
    let packet = Packet { set_bits: 0x0c, ..Packet::handshake(Payload::ping()) };
    script.send_packet(packet).map(|_| ())
}

fn reserved_in_one_rtt(script: &mut Script<'_>, bits: u8) -> Step {
    script.connect()?;
    let packet = Packet { set_bits: bits, ..Packet::one_rtt(Payload::ping()) };
    script.send_packet(packet).map(|_| ())
}

fn reserved_to_client(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    let packet = Packet { set_bits: 0x0c, ..Packet::initial(Payload::ping()) };
    script.send_packet(packet).map(|_| ())
}

fn padded_outside(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    let hello = script.peer()?.take_crypto(SpaceId::Initial);
    let packet = Packet { pad_to: 0, ..Packet::initial(Payload::new().crypto(0, &hello)) };
    let mut datagram = script.peer()?.seal(packet)?;
    datagram.resize(1200, 0);
    script.send_datagram(0, &datagram);
    Ok(())
}

fn token_beyond(script: &mut Script<'_>) -> Step {
    let mut bytes = b"\xc0\x00\x00\x00\x01\x08original\x08our own!\x5f\xff".to_vec();
    bytes.resize(1200, 0x77);
    raw(script, &bytes)
}

/// Sealed for one destination, sent to another.
fn foreign_keys(script: &mut Script<'_>) -> Step {
    let mine = initial_keys(1, b"anything", rustls::Side::Client);
    if mine.is_none() {
        return Err(Obstacle::not_set_up("no keys for Initial packets"));
    }
    first_initial(script, |packet| packet.destination = Some(b"elsewhere".to_vec()))
}

fn three_times(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let id = script.own_stream(true, 0);
    let packet = Packet::one_rtt(Payload::new().stream(id, 0, b"once", true));
    let datagram = script.peer()?.seal(packet)?;
    for _ in 0..3 {
        script.send_datagram(0, &datagram);
    }
    Ok(())
}

fn two_destinations(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.until(beginning, Stage::Handshake)?;
    let other =
        Packet { destination: Some(b"another!".to_vec()), ..Packet::handshake(Payload::ping()) };
    let number = script.peer()?.next_number(SpaceId::Handshake);
    // The second one would be authentic, but for whom it is sent to.
    script.send_packets(0, vec![Packet::handshake(Payload::ping()), other])?;
    while script.take(Duration::from_millis(200)) {}
    let peer = script.peer()?;
    let (first, second) =
        (peer.is_acked(SpaceId::Handshake, number), peer.is_acked(SpaceId::Handshake, number + 1));
    script.demand(first, "the first packet was not acknowledged")?;
    script.demand(!second, "a packet for another destination was acknowledged")
}

fn garbage_behind(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.until(beginning, Stage::Handshake)?;
    let mut datagram = script.peer()?.seal(Packet::handshake(Payload::ping()))?;
    datagram.extend_from_slice(&[0x41; 100]);
    script.send_datagram(0, &datagram);
    Ok(())
}

fn spoiled_first(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.until(beginning, Stage::Handshake)?;
    let number = script.peer()?.next_number(SpaceId::Handshake) + 1;
    let spoiled = Packet { spoil: true, ..Packet::handshake(Payload::ping()) };
    script.send_packets(0, vec![spoiled, Packet::handshake(Payload::ping())])?;
    while script.take(Duration::from_millis(200)) {}
    let acked = script.peer()?.is_acked(SpaceId::Handshake, number);
    script.demand(acked, "the packet behind a spoiled one was not acknowledged")
}

fn number_lengths(script: &mut Script<'_>) -> Step {
    script.connect()?;
    for number_length in [1, 2, 3, 4] {
        let packet = Packet { number_length, pad_to: 60, ..Packet::one_rtt(Payload::ping()) };
        let number = script.send_packet(packet)?;
        let taken = script.wait_until(Duration::from_secs(1), |peer| {
            peer.is_acked(SpaceId::Application, number)
        })?;
        script.demand(taken, "a packet number was not understood")?;
    }
    Ok(())
}

fn far_ahead(script: &mut Script<'_>) -> Step {
    script.connect()?;
    script.peer()?.skip_to(SpaceId::Application, 1_000_000_000);
    Ok(())
}

fn backwards(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let start = script.peer()?.next_number(SpaceId::Application);
    script.peer()?.skip_to(SpaceId::Application, start + 100);
    for number in (start..start + 100).rev() {
        let packet = Packet { number: Some(number), ..Packet::one_rtt(Payload::ping()) };
        script.send_packet(packet)?;
    }
    script.listen(Duration::from_millis(100))
}

fn spinning(script: &mut Script<'_>) -> Step {
    script.connect()?;
    for index in 0..50 {
        let set_bits = if index % 3 == 0 { 0x20 } else { 0 };
        script.send_packet(Packet { set_bits, ..Packet::one_rtt(Payload::ping()) })?;
    }
    Ok(())
}

fn garbage_to_client(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let local = script.peer()?.target_id().to_vec();
    for length in [0, 1, 20, 100, 1200] {
        let mut short = vec![0x43];
        short.extend_from_slice(&local);
        short.resize(length, 0x77);
        script.send_datagram(0, &short);
        let mut long = long_shaped(0xe0, 1);
        long.truncate(length);
        script.send_datagram(0, &long);
    }
    Ok(())
}

/// A datagram that ends in a token.
fn reset(script: &mut Script<'_>, token: &[u8; 16], length: usize) -> Step {
    script.connect()?;
    let mut bytes = vec![0x41; length.saturating_sub(16)];
    bytes.extend_from_slice(token);
    script.send_datagram(0, &bytes);
    while script.take(Duration::from_millis(100)) {}
    script.mark();
    Ok(())
}
