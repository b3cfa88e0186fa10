//! Paths and moves between them (RFC 9000 §8.2, §9).

use std::net::SocketAddr;

use super::prelude::*;

const RESPONSE: &str = "RFC 9000 §8.2.2";
const MOVE: &str = "RFC 9000 §9.3";

pub(super) const CASES: &[Case] = &[
    server(
        "paths/a challenge has to be answered where it came",
        RESPONSE,
        Steps(challenge),
        Ignored,
    ),
    server(
        "paths/a hundred challenges in a packet",
        "RFC 9000 §21.9",
        Steps(|s| challenges(s, 100)),
        Bounded { bytes: 20_000 },
    ),
    server("paths/a response to nothing", "RFC 9000 §19.18", Frames(b"\x1bwhatever"), Ignored),
    server(
        "paths/a move to an address that does not answer",
        "RFC 9000 §8",
        Steps(silent_move),
        Ignored,
    ),
    server(
        "paths/a small packet from an address that does not answer",
        "RFC 9000 §9.3.1",
        Steps(small_move),
        Ignored,
    ),
    server("paths/an old packet from another address", MOVE, Steps(old_packet), Ignored),
    server(
        "paths/probing frames alone from another address",
        "RFC 9000 §9.1",
        Steps(probing),
        Ignored,
    ),
    server("paths/a move to another port", MOVE, Steps(rebinding), Ignored),
    server("paths/from forty addresses at once", "RFC 9000 §9.3.1", Steps(forty), Ignored),
    server(
        "paths/a copy of a packet from another address, first",
        "RFC 9000 §9.3.3",
        Steps(overtaken),
        Ignored,
    ),
    server(
        "paths/the handshake from another address",
        "RFC 9000 §9",
        Steps(moved_handshake),
        Ignored,
    ),
    server("paths/a forged packet from another address", MOVE, Steps(forged), Ignored),
    client(
        "paths/a challenge of the server has to be answered",
        RESPONSE,
        Steps(challenge),
        Ignored,
    ),
    client("paths/a server that moves", "RFC 9000 §9", Steps(server_moves), Ignored),
    client(
        "paths/a response to nothing, to a client",
        "RFC 9000 §19.18",
        Frames(b"\x1bwhatever"),
        Ignored,
    ),
    client(
        "paths/a preferred address that does not answer",
        "RFC 9000 §9.6.1",
        Steps(silent_preferred),
        Ignored,
    ),
    client(
        "paths/a preferred address that cannot be reached",
        "RFC 9000 §9.6.1",
        Steps(|s| preferred(s, |_| (ipv4([240, 0, 0, 1], 4433), NO_IPV6))),
        Ignored,
    ),
    client(
        "paths/a preferred address in another family only",
        "RFC 9000 §9.6.3",
        Steps(|s| preferred(s, in_other_family)),
        Ignored,
    ),
    client(
        "paths/preferred addresses that are none",
        "RFC 9000 §18.2",
        Steps(|s| preferred(s, |_| (NO_IPV4, NO_IPV6))),
        Ignored,
    ),
    client(
        "paths/a preferred address without a port",
        "RFC 9000 §18.2",
        Steps(|s| preferred(s, |_| (ipv4([192, 0, 2, 2], 0), ipv6(1, 0)))),
        Ignored,
    ),
    client(
        "paths/the address in use as the preferred one",
        "RFC 9000 §9.6",
        Steps(|s| preferred(s, same)),
        Ignored,
    ),
    client(
        "paths/a preferred address that is nobody's",
        "RFC 9000 §18.2",
        Steps(|s| preferred(s, |_| (ipv4([0, 0, 0, 0], 4433), ipv6(0, 4433)))),
        Ignored,
    ),
    client(
        "paths/a preferred address of everybody",
        "RFC 9000 §21.5.6",
        Steps(|s| preferred(s, |_| (ipv4([255, 255, 255, 255], 4433), ipv6(0xff02 << 112, 4433)))),
        Ignored,
    ),
    client(
        "paths/a preferred address of the client itself",
        "RFC 9000 §21.5.6",
        Steps(|s| preferred(s, |_| (ipv4([127, 0, 0, 1], 9), ipv6(1, 9)))),
        Ignored,
    ),
];

/// The two addresses in a preferred_address, each with its port.
type Addresses = ([u8; 6], [u8; 18]);

const NO_IPV4: [u8; 6] = [0; 6];
const NO_IPV6: [u8; 18] = [0; 18];

const DATA: [u8; 8] = *b"a b c d ";

fn is_response(frame: &Frame<'_>) -> bool {
    matches!(frame, Frame::PathResponse(response) if response.0 == DATA)
}

fn is_challenge(frame: &Frame<'_>) -> bool {
    matches!(frame, Frame::PathChallenge(_))
}

fn challenge(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let payload = Payload::new().numbers(&[0x1a]).raw(&DATA);
    script.send_packet(Packet { pad_to: 1200, ..Packet::one_rtt(payload) })?;
    script.wait_until(Duration::from_secs(1), |peer| {
        peer.packets().any(|packet| packet.has(|frame| is_response(&frame)))
    })?;
    let answers: Vec<(usize, usize)> = script
        .peer()?
        .packets()
        .filter(|packet| packet.has(|frame| is_response(&frame)))
        .map(|packet| (packet.socket, packet.datagram_length))
        .collect();
    script.demand(answers.len() == 1, "not one answer to a challenge")?;
    let right = answers.iter().all(|(socket, length)| *socket == 0 && *length >= 1200);
    script.demand(right, "the answer came elsewhere, or in less than 1,200 bytes")
}

fn challenges(script: &mut Script<'_>, count: u64) -> Step {
    script.connect()?;
    script.peer()?.acks = false;
    let payload = (0..count).fold(Payload::new(), |payload, number| {
        payload.numbers(&[0x1a]).raw(&number.to_be_bytes())
    });
    script.send(payload).map(|_| ())
}

/// Another connection ID to send to, as a client that moves has to take (the same if there is
/// none), and others for the target, which has to change it, too (RFC 9000 §9.5).
fn take_another_id(script: &mut Script<'_>) -> Step {
    script.send(Payload::new().new_connection_id(1, 0).new_connection_id(2, 0))?;
    script.listen(Duration::from_millis(100))?;
    let other = script.peer()?.target_ids().iter().find(|id| id.sequence > 0);
    if let Some(id) = other.map(|id| id.id.clone()) {
        script.peer()?.send_to(&id);
    }
    Ok(())
}

/// Moves, and lets the new address fall silent: at most three times what it sent may come to it.
fn silent_move(script: &mut Script<'_>) -> Step {
    script.connect()?;
    take_another_id(script)?;
    script.peer()?.answers_challenges = false;
    script.send_from(1, Payload::ping())?;
    script.pause(Duration::from_secs(3));
    let came = script.traffic_at(1);
    script.demand(came > 0, "no challenge came to the new address")?;
    script.demand(came <= 3 * 1200, "more than three times the bytes to a new address")
}

fn small_move(script: &mut Script<'_>) -> Step {
    script.connect()?;
    take_another_id(script)?;
    script.peer()?.answers_challenges = false;
    let datagram = script.peer()?.seal(Packet::one_rtt(Payload::ping()))?;
    script.send_datagram(1, &datagram);
    script.pause(Duration::from_secs(3));
    let (came, sent) = (script.traffic_at(1), datagram.len() as u64);
    script.demand(came <= 3 * sent, "more than three times the bytes to a new address")
}

/// Only the newest packet moves a connection.
fn old_packet(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let number = script.peer()?.next_number(SpaceId::Application);
    script.peer()?.skip_to(SpaceId::Application, number + 1);
    let answered = script.is_answered()?;
    script.demand(answered, "a PING was not acknowledged")?;
    let old = Packet { number: Some(number), pad_to: 1200, ..Packet::one_rtt(Payload::ping()) };
    script.send_packets(1, vec![old])?;
    script.pause(Duration::from_millis(500));
    stays(script)
}

/// What the target has to say still comes to the first address.
fn stays(script: &mut Script<'_>) -> Step {
    let before = script.traffic_at(0);
    let answered = script.is_answered()?;
    script.demand(answered, "a PING was not acknowledged")?;
    // What the target asks at another address may have told so first.
    script.pause(Duration::from_millis(200));
    let more = script.traffic_at(0) > before;
    script.demand(more, "the answers come to another address")
}

fn probing(script: &mut Script<'_>) -> Step {
    script.connect()?;
    take_another_id(script)?;
    script.send_from(1, Payload::new().numbers(&[0x1a]).raw(&DATA))?;
    script.pause(Duration::from_millis(500));
    let answered = script
        .peer()?
        .packets()
        .any(|packet| packet.socket == 1 && packet.has(|frame| is_response(&frame)));
    script.demand(answered, "a challenge on a new path was not answered there")?;
    stays(script)
}

/// As behind a NAT that forgot: the same connection ID from another port.
fn rebinding(script: &mut Script<'_>) -> Step {
    script.connect()?;
    script.move_to(1);
    let answered = script.is_answered()?;
    script.demand(answered, "the connection did not survive a new port")?;
    let challenged = script.wait_until(Duration::from_secs(2), |peer| {
        peer.packets().any(|packet| packet.has(|frame| is_challenge(&frame)))
    })?;
    script.demand(challenged, "the new address was not validated")?;
    script.listen(Duration::from_millis(500))
}

fn forty(script: &mut Script<'_>) -> Step {
    script.connect()?;
    script.peer()?.answers_challenges = false;
    for socket in 1..12 {
        for _ in 0..4 {
            script.send_from(socket, Payload::ping())?;
        }
    }
    script.pause(Duration::from_millis(500));
    script.peer()?.answers_challenges = true;
    let answered = script.is_answered()?;
    script.demand(answered, "the first address is forgotten")
}

/// The copy comes first, the packet itself right after it: the real path is validated again.
fn overtaken(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let copied = Packet { pad_to: 1200, ..Packet::one_rtt(Payload::ping()) };
    let datagram = script.peer()?.seal(copied)?;
    script.send_datagram(1, &datagram);
    script.send_datagram(0, &datagram);
    script.peer()?.answers_challenges = false;
    script.pause(Duration::from_millis(200));
    script.peer()?.answers_challenges = true;
    stays(script)
}

fn moved_handshake(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.until(beginning, Stage::Handshake)?;
    script.send_packets(1, vec![Packet::handshake(Payload::ping())])?;
    script.pause(Duration::from_millis(200));
    Ok(())
}

fn forged(script: &mut Script<'_>) -> Step {
    script.connect()?;
    for socket in 1..5 {
        let packet = Packet { spoil: true, pad_to: 1200, ..Packet::one_rtt(Payload::ping()) };
        script.send_packets(socket, vec![packet])?;
    }
    script.pause(Duration::from_millis(500));
    let came = script.traffic_at(1);
    script.demand(came == 0, "a packet that is not authentic was answered")?;
    stays(script)
}

fn server_moves(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let number = script.peer()?.next_number(SpaceId::Application);
    script.send_from(1, Payload::ping())?;
    let taken = script.wait_until(Duration::from_millis(500), |peer| {
        peer.is_acked(SpaceId::Application, number)
    })?;
    script.demand(!taken, "a packet from an unknown server address was taken")
}

fn ipv4(ip: [u8; 4], port: u16) -> [u8; 6] {
    let ([a, b, c, d], [high, low]) = (ip, port.to_be_bytes());
    [a, b, c, d, high, low]
}

fn ipv6(ip: u128, port: u16) -> [u8; 18] {
    let mut bytes = [0; 18];
    let (address, end) = bytes.split_at_mut(16);
    address.copy_from_slice(&ip.to_be_bytes());
    end.copy_from_slice(&port.to_be_bytes());
    bytes
}

fn of(address: SocketAddr) -> Addresses {
    match address {
        SocketAddr::V4(v4) => (ipv4(v4.ip().octets(), v4.port()), NO_IPV6),
        SocketAddr::V6(v6) => (NO_IPV4, ipv6(v6.ip().to_bits(), v6.port())),
    }
}

fn same(addresses: [SocketAddr; 2]) -> Addresses {
    let [used, _] = addresses;
    of(used)
}

/// Our second socket, as if it had an address of the family that the client does not use.
fn in_other_family(addresses: [SocketAddr; 2]) -> Addresses {
    let [_, second] = addresses;
    match second {
        SocketAddr::V4(v4) => (NO_IPV4, ipv6(v4.ip().to_ipv6_mapped().to_bits(), v4.port())),
        SocketAddr::V6(v6) => (ipv4([192, 0, 2, 2], v6.port()), NO_IPV6),
    }
}

/// Connects with what `choose` makes of the address in use and that of our second socket, and
/// answers no challenge.
fn connect_preferring(
    script: &mut Script<'_>,
    choose: impl Fn([SocketAddr; 2]) -> Addresses,
) -> Step {
    let (v4, v6) = choose([script.address(0)?, script.address(1)?]);
    let value = [&v4[..], &v6, &[8], b"new home", &[7; 16]].concat();
    let mut beginning = script.beginning();
    beginning.parameters.add(id::PREFERRED_ADDRESS, &value);
    script.begin(beginning)?;
    script.peer()?.answers_challenges = false;
    script.finish()
}

/// A preferred address to which nobody can move: everything stays as it is.
fn preferred(script: &mut Script<'_>, choose: fn([SocketAddr; 2]) -> Addresses) -> Step {
    connect_preferring(script, choose)?;
    script.listen(Duration::from_secs(4))?;
    let elsewhere = script.traffic_at(1);
    script.demand(elsewhere == 0, "something came to another socket")?;
    stays(script)
}

/// Whoever is at the preferred address answers nothing: all goes on where it began.
fn silent_preferred(script: &mut Script<'_>) -> Step {
    let beginning = |addresses: [SocketAddr; 2]| of(addresses[1]);
    connect_preferring(script, beginning)?;
    script.pause(Duration::from_secs(4));
    let packets = script.peer()?.packets().filter(|packet| packet.socket == 1);
    let probing = |frame: Frame<'_>| {
        matches!(frame, Frame::PathChallenge(_) | Frame::Padding | Frame::NewConnectionId(_))
    };
    let probes: Vec<bool> = packets.map(|packet| packet.frames().all(probing)).collect();
    if probes.is_empty() {
        return Err(Obstacle::Lacks("interest in preferred addresses"));
    }
    let only_probes = probes.iter().all(|probes| *probes);
    script.demand(only_probes, "more than probes before the address was validated")?;
    script.demand(probes.len() < 10, "no end of probes")?;
    stays(script)
}
