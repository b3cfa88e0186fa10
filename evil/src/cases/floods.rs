//! Much of what is permitted, and more of what is not (RFC 9000 §21).

use super::prelude::*;

const COSTS: &str = "RFC 9000 §21.9";
const HANDSHAKES: &str = "RFC 9000 §21.2";
const IDS: &str = "RFC 9000 §5.1.2";
const GAPS: &str = "RFC 9000 §21.7";

/// Packets of a flood; small enough for real sockets and their buffers.
const MANY: u64 = 3000;
/// Answers to [`MANY`] packets: an ACK for every second one, and then some.
const ACKED: Reaction = Bounded { bytes: 200_000 };
/// Answers that do not grow with the flood.
const FEW: Reaction = Bounded { bytes: 40_000 };

pub(super) const CASES: &[Case] = &[
    server("floods/PING", COSTS, Steps(|s| flood(s, |_| Payload::ping())), ACKED),
    server(
        "floods/PADDING alone",
        COSTS,
        Steps(|s| flood(s, |_| Payload::new().raw(&[0; 30]))),
        FEW,
    ),
    server(
        "floods/a thousand PING in each packet",
        COSTS,
        Steps(|s| flood(s, |_| Payload::new().raw(&[1; 1000]))),
        ACKED,
    ),
    server(
        "floods/STREAM without data",
        COSTS,
        Steps(|s| flood(s, |_| Payload::new().raw(&[0x0a, 2, 0]))),
        ACKED,
    ),
    server(
        "floods/DATA_BLOCKED",
        COSTS,
        Steps(|s| flood(s, |n| Payload::new().numbers(&[0x14, n, 0x15, 2, n, 0x16, n]))),
        ACKED,
    ),
    server(
        "floods/MAX_DATA",
        COSTS,
        Steps(|s| flood(s, |n| Payload::new().numbers(&[0x10, n << 20, 0x12, 100 + n]))),
        ACKED,
    ),
    server(
        "floods/NEW_CONNECTION_ID that retires the one before, no ACK",
        IDS,
        Steps(|s| deaf(s, |n| Payload::new().new_connection_id(n + 1, n + 1))),
        FEW,
    ),
    server(
        "floods/RETIRE_CONNECTION_ID for one that is gone",
        COSTS,
        Steps(|s| deaf(s, |_| Payload::new().numbers(&[0x19, 1]))),
        ACKED,
    ),
    server(
        "floods/PATH_CHALLENGE, no ACK",
        "RFC 9000 §8.2",
        Steps(|s| deaf(s, |n| Payload::new().numbers(&[0x1a]).raw(&n.to_be_bytes()))),
        ACKED,
    ),
    server(
        "floods/ACK of the same packet",
        COSTS,
        Steps(|s| flood(s, |_| Payload::new().ack(0, 0).ack(0, 0).ack(0, 0))),
        FEW,
    ),
    server(
        "floods/streams that are reset at once",
        COSTS,
        Steps(churn),
        Bounded { bytes: 400_000 },
    ),
    server("floods/STOP_SENDING on each stream", COSTS, Steps(stops), Bounded { bytes: 400_000 }),
    server("floods/every second byte of a stream", GAPS, Steps(gaps), ACKED),
    server("floods/every second byte of many streams", GAPS, Steps(gaps_everywhere), ACKED),
    server("floods/every second byte of CRYPTO", "RFC 9000 §7.5", Steps(crypto_gaps), FEW),
    server(
        "floods/every second packet number",
        "RFC 9000 §13.2.3",
        Steps(number_gaps),
        Bounded { bytes: 1_000_000 },
    ),
    server(
        "floods/datagrams",
        "RFC 9221 §5.3",
        Steps(|s| flood(s, |_| Payload::new().numbers(&[0x31]).prefixed(&[7; 500]))),
        ACKED,
    ),
    server(
        "floods/requests without an ACK for the answers",
        "RFC 9000 §21.4",
        Steps(requests),
        Bounded { bytes: 400_000 },
    ),
    server(
        "floods/Initials that never go on",
        HANDSHAKES,
        Steps(half_open),
        Bounded { bytes: 3 * 1200 * 200 },
    ),
    server(
        "floods/Initials that are not authentic",
        HANDSHAKES,
        Steps(false_initials),
        // The server need not look at them to ask each for a proof of its address, by a Retry
        // (RFC 9000 §8.1.2).
        Bounded { bytes: 200 * 1000 },
    ),
    server(
        "floods/sixty packets coalesced behind an Initial",
        HANDSHAKES,
        Steps(coalesced),
        Bounded { bytes: 4000 },
    ),
    server(
        "floods/short headers to nobody",
        "RFC 9000 §10.3.3",
        Steps(nobody),
        Bounded { bytes: 300 * 96 },
    ),
    server(
        "floods/unknown versions",
        "RFC 9000 §6.1",
        Steps(versions),
        Bounded { bytes: 300 * 200 },
    ),
    server("floods/an Initial and silence", "RFC 9000 §8.1", Steps(silent), Reaction::Unamplified),
    server(
        "floods/two Initials and silence",
        "RFC 9000 §8.1",
        Steps(twice_silent),
        Reaction::Unamplified,
    ),
    server(
        "floods/Handshake packets that are not authentic, to make credit",
        "RFC 9000 §8.1",
        Steps(false_credit),
        Reaction::Unamplified,
    ),
    client("floods/PING, to a client", COSTS, Steps(|s| flood(s, |_| Payload::ping())), ACKED),
    client(
        "floods/NEW_CONNECTION_ID that retires the one before, to a client",
        IDS,
        Steps(|s| deaf(s, |n| Payload::new().new_connection_id(n + 1, n + 1))),
        FEW,
    ),
    client(
        "floods/PATH_CHALLENGE to a client, no ACK",
        "RFC 9000 §8.2",
        Steps(|s| deaf(s, |n| Payload::new().numbers(&[0x1a]).raw(&n.to_be_bytes()))),
        ACKED,
    ),
    client("floods/every second byte of the answer", GAPS, Steps(answer_gaps), ACKED),
    client("floods/tickets", "RFC 8446 §4.6.1", Steps(tickets), ACKED),
];

/// Sends the payloads, and takes what comes without an answer. A close ends it.
fn pour(script: &mut Script<'_>, count: u64, payload: impl Fn(u64) -> Payload) -> Step {
    for number in 0..count {
        script.send(payload(number))?;
        if number % 8 == 0 {
            while script.take(Duration::ZERO) {}
        }
        if script.is_closed() {
            return Ok(());
        }
    }
    Ok(())
}

/// Floods with acknowledgments at the end, as far as there are any.
fn flood(script: &mut Script<'_>, payload: fn(u64) -> Payload) -> Step {
    script.connect()?;
    pour(script, MANY, payload)?;
    if script.is_closed() { Ok(()) } else { script.listen(Duration::from_millis(100)) }
}

/// Floods and acknowledges nothing.
fn deaf(script: &mut Script<'_>, payload: fn(u64) -> Payload) -> Step {
    script.connect()?;
    script.peer()?.acks = false;
    pour(script, MANY, payload)
}

fn churn(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let streams = script.own_stream(false, 0);
    for round in 0..MANY {
        let id = streams + 4 * round;
        script.send(Payload::new().stream(id, 0, b"x", false).numbers(&[0x04, id, 0, 1]))?;
        while script.take(Duration::ZERO) {}
        if round % 32 == 0 {
            script.listen(Duration::from_millis(15))?;
        }
        if script.is_closed() {
            return Ok(());
        }
    }
    Ok(())
}

fn stops(script: &mut Script<'_>) -> Step {
    script.connect()?;
    pour(script, 60, |n| {
        Payload::new().stream(4 * n, 0, b"GET /\r\n", true).numbers(&[0x05, 4 * n, 0])
    })?;
    pour(script, MANY, |n| Payload::new().numbers(&[0x05, 4 * (n % 60), n]))
}

fn gaps(script: &mut Script<'_>) -> Step {
    script.connect()?;
    pour(script, MANY / 3, |n| {
        (0..40).fold(Payload::new(), |p, k| p.stream(2, 2 * (40 * n + k) + 1, b"x", false))
    })
}

fn gaps_everywhere(script: &mut Script<'_>) -> Step {
    script.connect()?;
    pour(script, MANY / 3, |n| {
        (0..40).fold(Payload::new(), |p, k| p.stream(2 + 4 * k, 2 * n + 1, b"x", false))
    })
}

fn crypto_gaps(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    for round in 0..200 {
        let payload = (0..40).fold(Payload::new(), |p, k| p.crypto(2 * (40 * round + k) + 1, b"x"));
        script.send_packet(Packet::initial(payload))?;
        script.take(Duration::ZERO);
    }
    Ok(())
}

fn number_gaps(script: &mut Script<'_>) -> Step {
    script.connect()?;
    for _ in 0..MANY {
        let next = script.peer()?.next_number(SpaceId::Application);
        script.peer()?.skip_to(SpaceId::Application, next + 1);
        script.send(Payload::ping())?;
        script.take(Duration::ZERO);
    }
    Ok(())
}

fn requests(script: &mut Script<'_>) -> Step {
    script.connect()?;
    script.peer()?.acks = false;
    pour(script, 100, |n| Payload::new().stream(4 * n, 0, b"GET /\r\n", true))
}

/// The datagram of a ClientHello.
fn first_datagram(script: &mut Script<'_>) -> Step<Vec<u8>> {
    let beginning = script.beginning();
    script.begin(beginning)?;
    let hello = script.peer()?.take_crypto(SpaceId::Initial);
    script.peer()?.seal(Packet::initial(Payload::new().crypto(0, &hello)))
}

fn half_open(script: &mut Script<'_>) -> Step {
    script.mark();
    for _ in 0..200 {
        let datagram = first_datagram(script)?;
        script.send_datagram(0, &datagram);
        script.take(Duration::ZERO);
    }
    Ok(())
}

fn false_initials(script: &mut Script<'_>) -> Step {
    let mut datagram = first_datagram(script)?;
    if let Some(last) = datagram.last_mut() {
        *last ^= 1;
    }
    script.mark();
    for round in 0..1000_u16 {
        // Each for another connection.
        if let Some(bytes) = datagram.get_mut(6..8) {
            bytes.copy_from_slice(&round.to_be_bytes());
        }
        script.send_datagram(0, &datagram);
    }
    Ok(())
}

fn coalesced(script: &mut Script<'_>) -> Step {
    let mut datagram = first_datagram(script)?;
    for index in 0..60 {
        datagram.extend_from_slice(b"\xe0\x00\x00\x00\x01\x08another\x30\x08our own!\x15");
        datagram.extend_from_slice(&[index; 21]);
    }
    script.send_datagram(0, datagram.get(..1400).unwrap_or(&datagram));
    Ok(())
}

fn nobody(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    script.mark();
    for number in 0..MANY {
        let mut datagram = vec![0x43];
        datagram.extend_from_slice(&number.to_be_bytes());
        datagram.resize(100, 0x77);
        script.send_datagram(0, &datagram);
        script.take(Duration::ZERO);
    }
    Ok(())
}

fn versions(script: &mut Script<'_>) -> Step {
    let mut beginning = script.beginning();
    beginning.version = 0x1a2a_3a4a;
    script.begin(beginning)?;
    let datagram = script.peer()?.seal(Packet::initial(Payload::ping()))?;
    script.mark();
    for _ in 0..300 {
        script.send_datagram(0, &datagram);
        script.take(Duration::ZERO);
    }
    Ok(())
}

fn silent(script: &mut Script<'_>) -> Step {
    let datagram = first_datagram(script)?;
    script.mark();
    script.send_datagram(0, &datagram);
    Ok(())
}

fn twice_silent(script: &mut Script<'_>) -> Step {
    let datagram = first_datagram(script)?;
    script.mark();
    script.send_datagram(0, &datagram);
    script.pause(Duration::from_millis(500));
    script.send_packet(Packet::initial(Payload::ping())).map(|_| ())
}

fn false_credit(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.mark();
    script.until(beginning, Stage::Handshake)?;
    for _ in 0..5 {
        script.send_packet(Packet { spoil: true, ..Packet::handshake(Payload::ping()) })?;
        script.pause(Duration::from_millis(100));
    }
    Ok(())
}

fn answer_gaps(script: &mut Script<'_>) -> Step {
    script.connect()?;
    pour(script, MANY / 3, |n| {
        (0..40).fold(Payload::new(), |p, k| p.stream(0, 2 * (40 * n + k) + 1, b"x", false))
    })
}

/// Tickets that are no good, one after another.
fn tickets(script: &mut Script<'_>) -> Step {
    const TICKET: &[u8] = &[4, 0, 0, 16, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 2, 7, 7, 0, 0];
    script.connect()?;
    let mut offset = script.peer()?.crypto(SpaceId::Application).len() as u64;
    for _ in 0..500 {
        script.send(Payload::new().crypto(offset, TICKET))?;
        offset += TICKET.len() as u64;
        script.take(Duration::ZERO);
    }
    Ok(())
}
