//! Connection IDs (RFC 9000 §5.1, §19.15, §19.16).

use super::prelude::*;

const GIVEN: &str = "RFC 9000 §19.15";
const TAKEN: &str = "RFC 9000 §19.16";

const CHANGED: Reaction = Reaction::OneOf(
    &[violation(0x18), Ignored],
    Permission(
        "the endpoint MAY treat that receipt as a connection error of type PROTOCOL_VIOLATION.",
    ),
);
const IN_USE: Reaction = Reaction::OneOf(
    &[violation(0x19), Ignored],
    Permission("The peer MAY treat this as a connection error of type PROTOCOL_VIOLATION."),
);
const TOO_MANY: Reaction = Reaction::close_in(Code::CONNECTION_ID_LIMIT_ERROR, 0x18);

pub(super) const CASES: &[Case] = &[
    server("ids/more than the limit", "RFC 9000 §5.1.1", Steps(too_many), TOO_MANY),
    server("ids/as many as the limit", "RFC 9000 §5.1.1", Steps(as_many), Ignored),
    server(
        "ids/one number for two IDs",
        GIVEN,
        Steps(|s| twice(s, |p| p.numbers(&[0x18, 1, 0]).prefixed(b"other id").raw(&[7; 16]))),
        CHANGED,
    ),
    server(
        "ids/one ID with two tokens",
        GIVEN,
        Steps(|s| {
            twice(s, |p| {
                p.numbers(&[0x18, 1, 0]).prefixed(&crate::payload::made_id(1)).raw(&[9; 16])
            })
        }),
        CHANGED,
    ),
    server(
        "ids/one ID with two numbers",
        GIVEN,
        Steps(|s| {
            twice(s, |p| {
                p.numbers(&[0x18, 2, 0]).prefixed(&crate::payload::made_id(1)).raw(&[9; 16])
            })
        }),
        CHANGED,
    ),
    server(
        "ids/the same frame many times",
        "RFC 9000 §13.3",
        Steps(|s| {
            twice(s, |p| p.new_connection_id(1, 0).new_connection_id(1, 0).new_connection_id(1, 0))
        }),
        Ignored,
    ),
    server("ids/all retired at once", GIVEN, Steps(retired_at_once), Ignored),
    server("ids/one that is retired when it comes", GIVEN, Steps(retired_on_arrival), Ignored),
    server("ids/Retire Prior To that goes back", GIVEN, Steps(retiring_back), Ignored),
    server("ids/given to one that sends to no ID", GIVEN, Steps(without_id), violation(0x18)),
    server("ids/retired though never issued", TAKEN, Frames(&[0x19, 0x43, 0xe8]), violation(0x19)),
    server("ids/retired while it is used", TAKEN, Frames(&[0x19, 0]), IN_USE),
    server("ids/retired twice", TAKEN, Steps(retired_twice), Ignored),
    server(
        "ids/packets to a retired one, later",
        "RFC 9000 §5.1.2",
        Steps(retired_and_used),
        Ignored,
    ),
    server("ids/every one that the target issued", "RFC 9000 §5.1.1", Steps(each_issued), Ignored),
    client("ids/more than the client's limit", "RFC 9000 §5.1.1", Steps(too_many), TOO_MANY),
    client(
        "ids/retired though the client never issued it",
        TAKEN,
        Frames(&[0x19, 0x43, 0xe8]),
        violation(0x19),
    ),
    client("ids/all of the client's retired at once", GIVEN, Steps(retired_at_once), Ignored),
    client("ids/given to a client that sends to no ID", GIVEN, Steps(without_id), violation(0x18)),
];

/// How many of our connection IDs the target keeps.
fn limit(script: &mut Script<'_>) -> Step<u64> {
    script.connect()?;
    let parameters = script.peer()?.target_parameters();
    let parameters = parameters.ok_or_else(|| Obstacle::not_set_up("no transport parameters"))?;
    Ok(parameters.active_connection_id_limit)
}

fn too_many(script: &mut Script<'_>) -> Step {
    // The first one counts, too.
    let limit = limit(script)?.min(64);
    let payload = (1..=limit).fold(Payload::new(), |p, sequence| p.new_connection_id(sequence, 0));
    for frame in Vec::from(payload).chunks(1 + 1 + 1 + 9 + 16) {
        script.send(Payload::new().raw(frame))?;
    }
    Ok(())
}

fn as_many(script: &mut Script<'_>) -> Step {
    let limit = limit(script)?.min(64);
    for sequence in 1..limit {
        script.send(Payload::new().new_connection_id(sequence, 0))?;
    }
    Ok(())
}

fn twice(script: &mut Script<'_>, second: fn(Payload) -> Payload) -> Step {
    script.connect()?;
    script.send(Payload::new().new_connection_id(1, 0))?;
    script.send(second(Payload::new())).map(|_| ())
}

/// Whether the target retires our ID of this number.
fn is_retired(script: &mut Script<'_>, sequence: u64) -> Step<bool> {
    script.wait_until(Duration::from_secs(1), |peer| {
        let retires = |frame: Frame<'_>| {
            matches!(frame, Frame::RetireConnectionId(retire) if retire.sequence == sequence)
        };
        peer.close().is_some() || peer.packets().any(|packet| packet.has(retires))
    })
}

fn retired_at_once(script: &mut Script<'_>) -> Step {
    script.connect()?;
    script.send(Payload::new().new_connection_id(5, 5))?;
    let retired = is_retired(script, 0)?;
    script.demand(retired, "the first connection ID was not retired")?;
    let number = script.send(Payload::ping())?;
    script.wait_until(Duration::from_secs(1), |peer| {
        peer.close().is_some() || peer.is_acked(SpaceId::Application, number)
    })?;
    let peer = script.peer()?;
    let to = peer.packets().next_back().map(|packet| packet.destination_id.clone());
    let is_new = to.as_deref() == Some(&crate::payload::made_id(5));
    script.demand(is_new, "a retired connection ID is still used")
}

fn retired_on_arrival(script: &mut Script<'_>) -> Step {
    script.connect()?;
    script.send(Payload::new().new_connection_id(5, 5))?;
    script.send(Payload::new().new_connection_id(2, 0))?;
    let retired = is_retired(script, 2)?;
    script.demand(retired, "an ID below Retire Prior To was not retired")
}

fn retiring_back(script: &mut Script<'_>) -> Step {
    script.connect()?;
    script.send(Payload::new().new_connection_id(5, 5))?;
    script.send(Payload::new().new_connection_id(6, 1))?;
    script.send(Payload::new().new_connection_id(7, 0)).map(|_| ())
}

fn without_id(script: &mut Script<'_>) -> Step {
    let mut beginning = script.beginning();
    beginning.local_id = Vec::new();
    script.connect_with(beginning)?;
    script.send(Payload::new().new_connection_id(1, 0)).map(|_| ())
}

/// Another connection ID that the target issued.
fn another(script: &mut Script<'_>) -> Step<(u64, Vec<u8>)> {
    script.connect()?;
    let ids = script.peer()?.target_ids();
    let other = ids.iter().find(|id| id.sequence > 0).map(|id| (id.sequence, id.id.clone()));
    other.ok_or(Obstacle::Lacks("second connection ID"))
}

fn retired_twice(script: &mut Script<'_>) -> Step {
    let (sequence, _) = another(script)?;
    for _ in 0..3 {
        script.send(Payload::new().numbers(&[0x19, sequence]))?;
    }
    Ok(())
}

fn retired_and_used(script: &mut Script<'_>) -> Step {
    let (_, id) = another(script)?;
    let first = script.peer()?.target_id().to_vec();
    script.peer()?.send_to(&id);
    script.send(Payload::new().numbers(&[0x19, 0]))?;
    script.listen(Duration::from_secs(3))?;
    // Late packets may come: they are dropped or taken, and no reason to close.
    let late = Packet { destination: Some(first), ..Packet::one_rtt(Payload::ping()) };
    script.send_packet(late).map(|_| ())
}

fn each_issued(script: &mut Script<'_>) -> Step {
    another(script)?;
    let ids: Vec<Vec<u8>> = script.peer()?.target_ids().iter().map(|id| id.id.clone()).collect();
    for id in ids {
        script.peer()?.send_to(&id);
        let answered = script.is_answered()?;
        script.demand(answered, "an issued connection ID does not work")?;
    }
    Ok(())
}
