//! Early data (RFC 9000 §7.4.1, §17.2.3, RFC 9001 §4.6, §9.2).

use super::prelude::*;

const EARLY: &str = "RFC 9000 §17.2.3";

const fn early(
    name: &'static str,
    section: &'static str,
    run: fn(&mut Script<'_>) -> Step,
    reaction: Reaction,
) -> Case {
    server(name, section, Steps(run), reaction).needing(Needs::EarlyData)
}

pub(super) const CASES: &[Case] = &[
    early("zero_rtt/as it should be", "RFC 9001 §4.6", accepted, Ignored),
    early(
        "zero_rtt/beyond the remembered limit of a stream",
        "RFC 9000 §7.4.1",
        |s| limited(s, |id, limit| Payload::new().stream(id, limit, b"x", false)),
        flow_control(0x0e),
    ),
    early(
        "zero_rtt/beyond the remembered number of streams",
        "RFC 9000 §7.4.1",
        too_many,
        stream_limit(0x0e),
    ),
    early("zero_rtt/without its Initial", "RFC 9000 §5.2.2", alone, Silence),
    early(
        "zero_rtt/with reserved bits",
        "RFC 9000 §17.2",
        |s| changed(s, |p| p.set_bits = 0x0c),
        VIOLATION,
    ),
    early(
        "zero_rtt/that is not authentic",
        "RFC 9001 §5.2",
        |s| changed(s, |p| p.spoil = true),
        Ignored,
    ),
    early(
        "zero_rtt/without frames",
        "RFC 9000 §12.4",
        |s| changed(s, |p| p.payload.clear()),
        VIOLATION,
    ),
    early("zero_rtt/after the handshake", "RFC 9001 §4.9.3", late, Ignored),
    early(
        "zero_rtt/with a malformed frame",
        "RFC 9000 §12.4",
        |s| {
            s.resume(|_| {})?;
            s.send_early(Payload::new().raw(&[0x2f]))?;
            s.finish()
        },
        encoding(0x2f),
    ),
    early("zero_rtt/the whole of it again", "RFC 9001 §9.2", replayed, Ignored),
    early(
        "zero_rtt/STREAM on one of the server's",
        EARLY,
        |s| {
            s.resume(|_| {})?;
            s.send_early(Payload::new().raw(b"\x0a\x03\x01x"))?;
            s.finish()
        },
        state(0x0a),
    ),
];

fn accepted(script: &mut Script<'_>) -> Step {
    script.resume(|_| {})?;
    let id = script.own_stream(true, 0);
    script.send_early(Payload::new().stream(id, 0, b"early", true))?;
    script.finish()?;
    let accepted = script.peer()?.early_data_accepted();
    if accepted { Ok(()) } else { Err(Obstacle::Lacks("0-RTT that it accepts")) }
}

/// What the last connection's parameters permitted on one stream.
fn limited(script: &mut Script<'_>, frame: fn(u64, u64) -> Payload) -> Step {
    script.resume(|_| {})?;
    let limits = script.last_limits().ok_or(Obstacle::Lacks("remembered limits"))?;
    if limits.initial_max_stream_data_uni == 0 || limits.initial_max_streams_uni == 0 {
        return Err(Obstacle::Lacks("streams of this direction"));
    }
    let id = script.own_stream(true, 0);
    script.send_early(frame(id, limits.initial_max_stream_data_uni))?;
    script.finish()
}

fn too_many(script: &mut Script<'_>) -> Step {
    script.resume(|_| {})?;
    let limits = script.last_limits().ok_or(Obstacle::Lacks("remembered limits"))?;
    let id = script.own_stream(true, limits.initial_max_streams_uni);
    script.send_early(Payload::new().stream(id, 0, b"x", false))?;
    script.finish()
}

fn alone(script: &mut Script<'_>) -> Step {
    script.resume(|_| {})?;
    let packet = Packet::new(PacketKind::ZeroRtt, Payload::ping());
    for _ in 0..50 {
        script.send_packet(Packet { pad_to: 1200, ..packet.clone() })?;
    }
    Ok(())
}

fn changed(script: &mut Script<'_>, change: fn(&mut Packet)) -> Step {
    script.resume(|_| {})?;
    let hello = Payload::new().crypto(0, &script.peer()?.take_crypto(SpaceId::Initial));
    let mut early = Packet::new(PacketKind::ZeroRtt, Payload::ping());
    change(&mut early);
    script.send_packets(0, vec![Packet { pad_to: 1180, ..Packet::initial(hello) }, early])?;
    script.finish()
}

fn late(script: &mut Script<'_>) -> Step {
    accepted(script)?;
    for _ in 0..5 {
        script.send_packet(Packet::new(PacketKind::ZeroRtt, Payload::ping()))?;
    }
    Ok(())
}

/// An attacker sends the first flight once more, from elsewhere; the first connection goes on.
fn replayed(script: &mut Script<'_>) -> Step {
    script.resume(|_| {})?;
    let id = script.own_stream(true, 0);
    let hello = Payload::new().crypto(0, &script.peer()?.take_crypto(SpaceId::Initial));
    let initial = Packet { pad_to: 1000, ..Packet::initial(hello) };
    let early = Payload::new().stream(id, 0, b"early", true);
    let early = Packet { pad_to: 200, ..Packet::new(PacketKind::ZeroRtt, early) };
    let mut datagram = script.peer()?.seal(initial)?;
    datagram.extend_from_slice(&script.peer()?.seal(early)?);
    script.send_datagram(0, &datagram);
    script.finish()?;
    for _ in 0..3 {
        script.send_datagram(2, &datagram);
    }
    script.pause(Duration::from_millis(100));
    Ok(())
}
