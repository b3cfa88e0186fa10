//! Acknowledgments (RFC 9000 §13, §19.3, §21.4).

use std::collections::BTreeSet;

use super::prelude::*;

const UNSENT: &str = "RFC 9000 §13.1";
const ECN: &str = "RFC 9000 §13.4.2.2";
const CE: &str = "RFC 9002 §7.1";
const NUMBER: u64 = 5000;

pub(super) const CASES: &[Case] = &[
    server(
        "acks/of a packet that was not sent, 1-RTT",
        UNSENT,
        Steps(|s| unsent(s, 0)),
        violation(0x02),
    ),
    server(
        "acks/of many packets that were not sent",
        UNSENT,
        Steps(|s| unsent(s, NUMBER)),
        violation(0x02),
    ),
    server(
        "acks/of a packet that was not sent, Initial",
        UNSENT,
        FramesIn(PacketKind::Initial, &[0x02, 63, 0, 0, 0]),
        violation(0x02),
    ),
    server(
        "acks/of a packet that was not sent, Handshake",
        UNSENT,
        FramesIn(PacketKind::Handshake, &[0x02, 63, 0, 0, 0]),
        violation(0x02),
    ),
    server(
        "acks/of a number that was skipped",
        "RFC 9000 §21.4",
        Steps(optimistic),
        violation(0x02),
    ),
    server(
        "acks/the largest number there is",
        UNSENT,
        Frames(b"\x02\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00"),
        violation(0x02),
    ),
    server("acks/of ACKs alone have no answer", "RFC 9000 §13.2.1", Steps(acks_alone), Silence),
    server("acks/of PADDING have no answer", "RFC 9000 §13.2.1", Steps(padding_alone), Silence),
    server("acks/old ones again", "RFC 9000 §13.2.3", Steps(old_ones), Ignored),
    server("acks/with the longest delay", "RFC 9000 §19.3", Steps(longest_delay), Ignored),
    server("acks/with ECN counts that cannot be", "RFC 9000 §13.4.2.1", Steps(wild_ecn), Ignored),
    server("acks/never for anything but the handshake", "RFC 9002 §6.2", Steps(no_acks), Ignored),
    server("acks/of each packet sixty times", "RFC 9000 §19.3", Steps(many_in_one), Ignored),
    server("acks/with ECN counts that go down", ECN, Steps(|s| marks(s, fewer)), Ignored),
    server("acks/with more ECN marks than packets", ECN, Steps(|s| marks(s, more)), Ignored),
    server("acks/with ECN marks of another kind", ECN, Steps(|s| marks(s, other)), Ignored),
    server("acks/with congestion for each packet", CE, Steps(|s| marks(s, congestion)), Ignored),
    client(
        "acks/of a packet that the client did not send, 1-RTT",
        UNSENT,
        Steps(|s| unsent(s, 0)),
        violation(0x02),
    ),
    client(
        "acks/of a packet that the client did not send, Initial",
        UNSENT,
        FramesIn(PacketKind::Initial, &[0x02, 63, 0, 0, 0]),
        violation(0x02),
    ),
    client(
        "acks/of a packet that the client did not send, Handshake",
        UNSENT,
        FramesIn(PacketKind::Handshake, &[0x02, 63, 0, 0, 0]),
        violation(0x02),
    ),
    client(
        "acks/with the longest delay, to a client",
        "RFC 9000 §19.3",
        Steps(longest_delay),
        Ignored,
    ),
    client(
        "acks/with ECN counts that cannot be, to a client",
        "RFC 9000 §13.4.2.1",
        Steps(wild_ecn),
        Ignored,
    ),
    client(
        "acks/with ECN counts that go down, to a client",
        ECN,
        Steps(|s| marks(s, fewer)),
        Ignored,
    ),
    client(
        "acks/with more ECN marks than packets, to a client",
        ECN,
        Steps(|s| marks(s, more)),
        Ignored,
    ),
    client(
        "acks/with ECN marks of another kind, to a client",
        ECN,
        Steps(|s| marks(s, other)),
        Ignored,
    ),
    client(
        "acks/with congestion for each packet, to a client",
        CE,
        Steps(|s| marks(s, congestion)),
        Ignored,
    ),
];

/// Acknowledges a number far above all that were sent, and so many below it.
fn unsent(script: &mut Script<'_>, first_range: u64) -> Step {
    script.connect()?;
    script.send(Payload::new().ack(NUMBER, first_range)).map(|_| ())
}

fn largest(script: &mut Script<'_>) -> Step<u64> {
    let largest = script.peer()?.largest_received(SpaceId::Application);
    largest.ok_or_else(|| Obstacle::not_set_up("nothing was received"))
}

/// Has the server send until a number is missing, and acknowledges that.
fn optimistic(script: &mut Script<'_>) -> Step {
    script.connect()?;
    for index in 0..20 {
        let id = script.own_stream(false, index);
        script.send(Payload::new().stream(id, 0, b"GET /\r\n", true))?;
        // One that has nothing to say has to acknowledge.
        for _ in 0..10 {
            script.send(Payload::ping())?;
            script.send(Payload::ping())?;
            script.listen(Duration::from_millis(2))?;
        }
        script.listen(Duration::from_millis(400))?;
        let received: Vec<u64> = script
            .peer()?
            .packets()
            .filter(|packet| packet.kind == PacketKind::OneRtt)
            .map(|packet| packet.number)
            .collect();
        let newest = received.iter().max().copied().unwrap_or_default();
        if let Some(missing) = (0..newest).find(|number| !received.contains(number)) {
            return script.send(Payload::new().ack(missing, 0)).map(|_| ());
        }
    }
    Err(Obstacle::Lacks("number that it skips"))
}

fn acks_alone(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let largest = largest(script)?;
    script.listen(Duration::from_millis(300))?;
    script.mark();
    for _ in 0..30 {
        script.send(Payload::new().ack(largest, 0))?;
    }
    Ok(())
}

fn padding_alone(script: &mut Script<'_>) -> Step {
    script.connect()?;
    script.listen(Duration::from_millis(300))?;
    script.mark();
    for _ in 0..30 {
        script.send(Payload::new().raw(&[0; 50]))?;
    }
    Ok(())
}

fn old_ones(script: &mut Script<'_>) -> Step {
    script.connect()?;
    for number in (0..=largest(script)?).rev() {
        let is_sent = script
            .peer()?
            .packets()
            .any(|packet| packet.kind == PacketKind::OneRtt && packet.number == number);
        if is_sent {
            script.send(Payload::new().ack(number, 0).ack(number, 0))?;
        }
    }
    Ok(())
}

fn longest_delay(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let largest = largest(script)?;
    script.send(Payload::new().numbers(&[0x02, largest, (1 << 62) - 1, 0, 0])).map(|_| ())
}

fn wild_ecn(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let largest = largest(script)?;
    let most = (1 << 62) - 1;
    for counts in [[most, most, most], [0, 0, 0], [0, 0, most]] {
        let ack = Payload::new().numbers(&[0x03, largest, 0, 0, 0]).numbers(&counts);
        script.send(ack)?;
    }
    Ok(())
}

/// ECT(0), ECT(1) and CE that are claimed after so many packets were acknowledged.
type Claim = fn(u64) -> [u64; 3];

fn fewer(acked: u64) -> [u64; 3] {
    [3_u64.saturating_sub(acked), 0, 0]
}

fn more(acked: u64) -> [u64; 3] {
    [1000 * acked, 0, 0]
}

fn other(acked: u64) -> [u64; 3] {
    [0, acked, 0]
}

fn congestion(acked: u64) -> [u64; 3] {
    [0, 0, acked]
}

/// Acknowledges nothing before the target has sent what it can at first, so that no count is
/// missing, and then one packet after the other. What the counts say is no error: at worst, the
/// target marks nothing any more.
fn marks(script: &mut Script<'_>, claim: Claim) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    script.peer()?.acks = false;
    script.finish()?;
    let is_ready = script.peer()?.stage() == Stage::Confirmed;
    if !is_ready {
        return Err(Obstacle::not_set_up("no handshake without acknowledgments"));
    }
    let id = script.own_stream(false, 0);
    script.send(Payload::new().stream(id, 0, b"GET /\r\n", true))?;
    script.pause(Duration::from_millis(300));
    let of_data = script.peer()?.packets().filter(|packet| packet.kind == PacketKind::OneRtt);
    let received: BTreeSet<u64> = of_data.map(|packet| packet.number).collect();
    script.demand(!received.is_empty(), "nothing came")?;
    for (acked, number) in (1..).zip(received) {
        let ack = Payload::new().numbers(&[0x03, number, 0, 0, 0]).numbers(&claim(acked));
        script.send(ack)?;
    }
    script.peer()?.acks = true;
    Ok(())
}

fn no_acks(script: &mut Script<'_>) -> Step {
    script.connect()?;
    script.peer()?.acks = false;
    let id = script.own_stream(false, 0);
    script.send(Payload::new().stream(id, 0, b"GET /\r\n", true))?;
    script.listen(Duration::from_secs(2))?;
    script.peer()?.acks = true;
    Ok(())
}

fn many_in_one(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let largest = largest(script)?;
    let payload = (0..60).fold(Payload::new(), |payload, _| payload.ack(largest, 0));
    for _ in 0..20 {
        script.send(payload.clone())?;
    }
    Ok(())
}
