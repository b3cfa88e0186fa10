//! Key updates and packets that are not authentic (RFC 9001 §6, §5.4, §9.5).

use super::prelude::*;

const UPDATES: &str = "RFC 9001 §6.1";
const KEY_UPDATE_ERROR: Reaction = Reaction::close(Code::KEY_UPDATE_ERROR);

const TWO_UPDATES: Reaction = Reaction::OneOf(
    &[KEY_UPDATE_ERROR, Ignored],
    Permission(
        "An endpoint MAY treat such consecutive key updates as a connection error of type \
         KEY_UPDATE_ERROR.",
    ),
);

const OLD_KEYS: Reaction = Reaction::OneOf(
    &[KEY_UPDATE_ERROR, Ignored],
    Permission(
        "a recovered packet number that is higher than any packet number from the current key \
         phase requires the use of the next packet protection keys.",
    ),
);

pub(super) const CASES: &[Case] = &[
    server(
        "keys/an update has to be answered with new keys",
        "RFC 9001 §6.2",
        Steps(update),
        Ignored,
    ),
    server("keys/twenty updates in order", UPDATES, Steps(many_updates), Ignored),
    server(
        "keys/two updates without an acknowledgment between",
        UPDATES,
        Steps(two_updates),
        TWO_UPDATES,
    ),
    server(
        "keys/old ones between new ones",
        "RFC 9001 §6.4",
        Steps(old_keys_between),
        KEY_UPDATE_ERROR,
    ),
    server("keys/old ones for the newest packet", "RFC 9001 §6.4", Steps(old_keys), OLD_KEYS),
    server("keys/old ones for an old packet", "RFC 9001 §6.5", Steps(old_packet), Ignored),
    server("keys/the key phase of others", "RFC 9001 §6.3", Steps(wrong_phase), Ignored),
    server(
        "keys/a thousand packets that are not authentic",
        "RFC 9001 §5.2",
        Steps(not_authentic),
        Ignored,
    ),
    server(
        "keys/Handshake packets after the handshake",
        "RFC 9001 §4.9.2",
        Steps(late_handshake),
        Ignored,
    ),
    client("keys/an update by the server", "RFC 9001 §6.2", Steps(update), Ignored),
    client(
        "keys/old ones between new ones of the server",
        "RFC 9001 §6.4",
        Steps(old_keys_between),
        KEY_UPDATE_ERROR,
    ),
    client(
        "keys/a thousand packets that are not authentic, to a client",
        "RFC 9001 §5.2",
        Steps(not_authentic),
        Ignored,
    ),
];

fn update(script: &mut Script<'_>) -> Step {
    script.connect()?;
    script.peer()?.update_keys();
    let answered = script.is_answered()?;
    script.demand(answered, "a packet with new keys was not acknowledged")?;
    let (ours, theirs) = script.peer()?.generations();
    script.demand(ours == theirs, "the answer came with old keys")
}

fn many_updates(script: &mut Script<'_>) -> Step {
    for round in 0..20 {
        if round == 0 {
            script.connect()?;
        }
        script.peer()?.update_keys();
        let answered = script.is_answered()?;
        script.demand(answered, "a packet with new keys was not acknowledged")?;
        script.listen(Duration::from_millis(300))?;
    }
    Ok(())
}

fn two_updates(script: &mut Script<'_>) -> Step {
    script.connect()?;
    for _ in 0..2 {
        script.peer()?.update_keys();
        script.send(Payload::ping())?;
    }
    script.listen(Duration::from_millis(500))?;
    if !script.is_closed() {
        // The target did not follow the second update; honest packets have the keys of the first.
        script.peer()?.set_generation(1);
    }
    Ok(())
}

fn old_keys(script: &mut Script<'_>) -> Step {
    update(script)?;
    let packet = Packet { generation: Some(0), ..Packet::one_rtt(Payload::ping()) };
    script.send_packet(packet).map(|_| ())
}

fn old_keys_between(script: &mut Script<'_>) -> Step {
    update(script)?;
    let between = script.peer()?.next_number(SpaceId::Application);
    script.peer()?.skip_to(SpaceId::Application, between + 1);
    let answered = script.is_answered()?;
    script.demand(answered, "a packet with new keys was not acknowledged")?;
    let old =
        Packet { generation: Some(0), number: Some(between), ..Packet::one_rtt(Payload::ping()) };
    script.send_packet(old).map(|_| ())
}

fn old_packet(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let number = script.peer()?.next_number(SpaceId::Application);
    script.peer()?.skip_to(SpaceId::Application, number + 1);
    script.peer()?.update_keys();
    let answered = script.is_answered()?;
    script.demand(answered, "a packet with new keys was not acknowledged")?;
    let late =
        Packet { number: Some(number), generation: Some(0), ..Packet::one_rtt(Payload::ping()) };
    script.send_packet(late)?;
    let taken = script.wait_until(Duration::from_millis(300), |peer| {
        peer.is_acked(SpaceId::Application, number)
    })?;
    script.demand(taken, "a late packet with old keys was not taken")
}

fn wrong_phase(script: &mut Script<'_>) -> Step {
    script.connect()?;
    for _ in 0..20 {
        let packet = Packet { set_bits: 0x04, ..Packet::one_rtt(Payload::ping()) };
        script.send_packet(packet)?;
    }
    Ok(())
}

fn not_authentic(script: &mut Script<'_>) -> Step {
    script.connect()?;
    for _ in 0..1000 {
        script.send_packet(Packet { spoil: true, ..Packet::one_rtt(Payload::ping()) })?;
    }
    script.listen(Duration::from_millis(100))
}

fn late_handshake(script: &mut Script<'_>) -> Step {
    script.connect()?;
    for payload in
        [Payload::ping(), Payload::new().raw(&[0x1c, 0, 0, 0]), Payload::new().raw(&[0x2f])]
    {
        script.send_packet(Packet::handshake(payload))?;
    }
    Ok(())
}
