//! Frames in packets that must not carry them (RFC 9000 §12.4, Table 3).

use super::prelude::*;
use PacketKind::{Handshake, Initial, ZeroRtt};

const NEW_ID: &[u8] = b"\x18\x01\x00\x0812345678token67890abcdef";

const TABLE: &str = "RFC 9000 §12.4";
const HANDSHAKE: &str = "RFC 9000 §17.2.4";
const EARLY: &str = "RFC 9000 §12.5";

const fn early(name: &'static str, frames: &'static [u8], frame_type: u64) -> Case {
    server(name, EARLY, FramesIn(ZeroRtt, frames), violation(frame_type)).needing(Needs::EarlyData)
}

pub(super) const CASES: &[Case] = &[
    server(
        "packets/RESET_STREAM in Initial",
        TABLE,
        FramesIn(Initial, &[0x04, 0, 0, 0]),
        violation(0x04),
    ),
    server(
        "packets/STOP_SENDING in Initial",
        TABLE,
        FramesIn(Initial, &[0x05, 0, 0]),
        violation(0x05),
    ),
    server(
        "packets/STREAM in Initial",
        TABLE,
        FramesIn(Initial, b"\x0a\x00\x01x"),
        violation(0x0a),
    ),
    server("packets/MAX_DATA in Initial", TABLE, FramesIn(Initial, &[0x10, 1]), violation(0x10)),
    server("packets/MAX_STREAMS in Initial", TABLE, FramesIn(Initial, &[0x12, 1]), violation(0x12)),
    server(
        "packets/NEW_CONNECTION_ID in Initial",
        TABLE,
        FramesIn(Initial, NEW_ID),
        violation(0x18),
    ),
    server(
        "packets/PATH_CHALLENGE in Initial",
        TABLE,
        FramesIn(Initial, b"\x1a12345678"),
        violation(0x1a),
    ),
    server(
        "packets/application close in Initial",
        TABLE,
        FramesIn(Initial, &[0x1d, 0, 0]),
        violation(0x1d),
    ),
    server("packets/HANDSHAKE_DONE in Initial", TABLE, FramesIn(Initial, &[0x1e]), violation(0x1e)),
    server("packets/unknown frame in Initial", TABLE, FramesIn(Initial, &[0x2f]), encoding(0x2f)),
    server(
        "packets/RESET_STREAM in Handshake",
        HANDSHAKE,
        FramesIn(Handshake, &[0x04, 0, 0, 0]),
        violation(0x04),
    ),
    server(
        "packets/NEW_TOKEN in Handshake",
        HANDSHAKE,
        FramesIn(Handshake, b"\x07\x01t"),
        violation(0x07),
    ),
    server(
        "packets/STREAM in Handshake",
        HANDSHAKE,
        FramesIn(Handshake, b"\x0a\x00\x01x"),
        violation(0x0a),
    ),
    server(
        "packets/DATA_BLOCKED in Handshake",
        HANDSHAKE,
        FramesIn(Handshake, &[0x14, 1]),
        violation(0x14),
    ),
    server(
        "packets/RETIRE_CONNECTION_ID in Handshake",
        HANDSHAKE,
        FramesIn(Handshake, &[0x19, 0]),
        violation(0x19),
    ),
    server(
        "packets/PATH_CHALLENGE in Handshake",
        HANDSHAKE,
        FramesIn(Handshake, b"\x1a12345678"),
        violation(0x1a),
    ),
    server(
        "packets/PATH_RESPONSE in Handshake",
        HANDSHAKE,
        FramesIn(Handshake, b"\x1b12345678"),
        violation(0x1b),
    ),
    server(
        "packets/application close in Handshake",
        HANDSHAKE,
        FramesIn(Handshake, &[0x1d, 0, 0]),
        violation(0x1d),
    ),
    server(
        "packets/HANDSHAKE_DONE in Handshake",
        HANDSHAKE,
        FramesIn(Handshake, &[0x1e]),
        violation(0x1e),
    ),
    server(
        "packets/DATAGRAM in Handshake",
        "RFC 9221 §4",
        FramesIn(Handshake, b"\x31\x01x"),
        violation(0x31),
    ),
    server("packets/no frames in Handshake", TABLE, FramesIn(Handshake, &[]), VIOLATION),
    early("packets/ACK in 0-RTT", &[0x02, 0, 0, 0, 0], 0x02),
    early("packets/CRYPTO in 0-RTT", b"\x06\x00\x01x", 0x06),
    early("packets/NEW_TOKEN in 0-RTT", b"\x07\x01t", 0x07),
    early("packets/RETIRE_CONNECTION_ID in 0-RTT", &[0x19, 0], 0x19),
    early("packets/PATH_RESPONSE in 0-RTT", b"\x1b12345678", 0x1b),
    early("packets/HANDSHAKE_DONE in 0-RTT", &[0x1e], 0x1e),
    client(
        "packets/STREAM in Initial, to a client",
        TABLE,
        FramesIn(Initial, b"\x0a\x01\x01x"),
        violation(0x0a),
    ),
    client(
        "packets/NEW_TOKEN in Initial, to a client",
        TABLE,
        FramesIn(Initial, b"\x07\x01t"),
        violation(0x07),
    ),
    client(
        "packets/HANDSHAKE_DONE in Initial, to a client",
        TABLE,
        FramesIn(Initial, &[0x1e]),
        violation(0x1e),
    ),
    client(
        "packets/application close in Initial, to a client",
        TABLE,
        FramesIn(Initial, &[0x1d, 0, 0]),
        violation(0x1d),
    ),
    client(
        "packets/no frames in Initial, to a client",
        TABLE,
        Steps(nothing_in_initial),
        VIOLATION,
    ),
    client(
        "packets/STREAM in Handshake, to a client",
        HANDSHAKE,
        FramesIn(Handshake, b"\x0a\x01\x01x"),
        violation(0x0a),
    ),
    client(
        "packets/NEW_CONNECTION_ID in Handshake, to a client",
        HANDSHAKE,
        FramesIn(Handshake, NEW_ID),
        violation(0x18),
    ),
    client(
        "packets/HANDSHAKE_DONE in Handshake, to a client",
        HANDSHAKE,
        FramesIn(Handshake, &[0x1e]),
        violation(0x1e),
    ),
    client(
        "packets/PATH_CHALLENGE in Handshake, to a client",
        HANDSHAKE,
        FramesIn(Handshake, b"\x1a12345678"),
        violation(0x1a),
    ),
];

/// Padding would be a frame.
fn nothing_in_initial(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    script.send_packet(Packet::new(Initial, Payload::new())).map(|_| ())
}
