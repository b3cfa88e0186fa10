//! The extension for datagrams (RFC 9221).

use super::prelude::*;

pub(super) const CASES: &[Case] = &[
    server(
        "datagrams/longer than its packet",
        "RFC 9221 §4",
        Steps(|s| with_extension(s, Payload::new().raw(&[0x31, 32, 1]))),
        encoding(0x31),
    ),
    server(
        "datagrams/empty ones of both kinds",
        "RFC 9221 §4",
        Steps(|s| with_extension(s, Payload::new().raw(&[0x31, 0, 0x31, 0, 0x30]))),
        Ignored,
    ),
    server(
        "datagrams/up to the end of the packet",
        "RFC 9221 §4",
        Steps(|s| with_extension(s, Payload::new().raw(b"\x30all the rest \x01\x02\x03"))),
        Ignored,
    ),
    server("datagrams/many that nobody reads", "RFC 9221 §5.3", Steps(unread), Ignored),
    server(
        "datagrams/in Initial",
        "RFC 9221 §4",
        FramesIn(PacketKind::Initial, b"\x31\x01x"),
        violation(0x31),
    ),
    server(
        "datagrams/the parameter with bytes behind it",
        "RFC 9000 §18",
        Parameters(|b| b.parameters.set(id::MAX_DATAGRAM_FRAME_SIZE, &[1, 1])),
        PARAMETER_ERROR,
    ),
    server("datagrams/from one that takes none", "RFC 9221 §3", Steps(one_way), Ignored),
    client(
        "datagrams/longer than its packet, to a client",
        "RFC 9221 §4",
        Steps(|s| with_extension(s, Payload::new().raw(&[0x31, 32, 1]))),
        encoding(0x31),
    ),
    client(
        "datagrams/empty ones, to a client",
        "RFC 9221 §4",
        Steps(|s| with_extension(s, Payload::new().raw(&[0x31, 0, 0x30]))),
        Ignored,
    ),
];

/// Connects to a target that takes datagrams, and sends these frames.
fn with_extension(script: &mut Script<'_>, payload: Payload) -> Step {
    script.connect()?;
    let parameters = script.peer()?.target_parameters();
    if parameters.is_none_or(|parameters| parameters.max_datagram_frame_size == 0) {
        return Err(Obstacle::Lacks("datagrams"));
    }
    script.send(payload).map(|_| ())
}

fn unread(script: &mut Script<'_>) -> Step {
    with_extension(script, Payload::new().raw(&[0x31, 0]))?;
    for _ in 0..2000 {
        script.send(Payload::new().numbers(&[0x31]).prefixed(&[7; 1000]))?;
        script.take(Duration::ZERO);
    }
    script.listen(Duration::from_millis(200))
}

fn one_way(script: &mut Script<'_>) -> Step {
    let mut beginning = script.beginning();
    beginning.parameters.remove(id::MAX_DATAGRAM_FRAME_SIZE);
    script.connect_with(beginning)?;
    let parameters = script.peer()?.target_parameters();
    if parameters.is_none_or(|parameters| parameters.max_datagram_frame_size == 0) {
        return Err(Obstacle::Lacks("datagrams"));
    }
    script.send(Payload::new().raw(b"\x31\x03abc")).map(|_| ())
}
