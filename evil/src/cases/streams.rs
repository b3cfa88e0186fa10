//! Stream states, limits and final sizes (RFC 9000 §3, §4.5, §4.6, §19).

use super::prelude::*;

const SIZES: &str = "RFC 9000 §4.5";
const LIMITS: &str = "RFC 9000 §4.6";

const DIFFERENT: Reaction = Reaction::OneOf(
    &[violation(0x0e), Ignored],
    Permission(
        "an endpoint MAY treat receipt of different data at the same offset within a stream as a \
         connection error of type PROTOCOL_VIOLATION.",
    ),
);

pub(super) const CASES: &[Case] = &[
    server(
        "streams/STREAM on one of the target's, unidirectional",
        "RFC 9000 §19.8",
        Frames(b"\x0a\x03\x01x"),
        state(0x0a),
    ),
    server(
        "streams/STREAM on one that was not opened",
        "RFC 9000 §19.8",
        Frames(b"\x0a\x01\x01x"),
        state(0x0a),
    ),
    server(
        "streams/RESET_STREAM on one of the target's, unidirectional",
        "RFC 9000 §19.4",
        Frames(&[0x04, 3, 0, 0]),
        state(0x04),
    ),
    server(
        "streams/RESET_STREAM on one that was not opened",
        "RFC 9000 §3.2",
        Frames(&[0x04, 1, 0, 0]),
        state(0x04),
    ),
    server(
        "streams/STOP_SENDING on one of ours, unidirectional",
        "RFC 9000 §19.5",
        Frames(&[0x05, 2, 0]),
        state(0x05),
    ),
    server(
        "streams/STOP_SENDING on one that was not opened",
        "RFC 9000 §19.5",
        Frames(&[0x05, 1, 0]),
        state(0x05),
    ),
    server(
        "streams/MAX_STREAM_DATA on one of ours, unidirectional",
        "RFC 9000 §19.10",
        Frames(&[0x11, 2, 9]),
        state(0x11),
    ),
    server(
        "streams/MAX_STREAM_DATA on one that was not opened",
        "RFC 9000 §19.10",
        Frames(&[0x11, 1, 9]),
        state(0x11),
    ),
    server(
        "streams/STREAM_DATA_BLOCKED on one of the target's, unidirectional",
        "RFC 9000 §19.13",
        Frames(&[0x15, 3, 9]),
        state(0x15),
    ),
    server(
        "streams/above the limit with STREAM, bidirectional",
        LIMITS,
        Steps(|s| beyond(s, false, |id| Payload::new().stream(id, 0, b"x", false))),
        stream_limit(0x0e),
    ),
    server(
        "streams/above the limit with STREAM, unidirectional",
        LIMITS,
        Steps(|s| beyond(s, true, |id| Payload::new().stream(id, 0, b"x", false))),
        stream_limit(0x0e),
    ),
    server(
        "streams/above the limit with RESET_STREAM",
        LIMITS,
        Steps(|s| beyond(s, true, |id| Payload::new().numbers(&[0x04, id, 0, 0]))),
        stream_limit(0x04),
    ),
    server(
        "streams/above the limit with STOP_SENDING",
        LIMITS,
        Steps(|s| beyond(s, false, |id| Payload::new().numbers(&[0x05, id, 0]))),
        stream_limit(0x05),
    ),
    server(
        "streams/above the limit with MAX_STREAM_DATA",
        LIMITS,
        Steps(|s| beyond(s, false, |id| Payload::new().numbers(&[0x11, id, 9]))),
        stream_limit(0x11),
    ),
    server(
        "streams/above the limit with STREAM_DATA_BLOCKED",
        LIMITS,
        Steps(|s| beyond(s, true, |id| Payload::new().numbers(&[0x15, id, 9]))),
        stream_limit(0x15),
    ),
    server(
        "streams/the last one that there can be",
        LIMITS,
        Frames(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xfe\x01x"),
        stream_limit(0x0a),
    ),
    server("streams/the last one within the limit", LIMITS, Steps(last_within), Ignored),
    server(
        "streams/data behind the end",
        SIZES,
        Frames(b"\x0f\x00\x00\x04abcd\x0e\x00\x04\x01e"),
        final_size(0x0e),
    ),
    server(
        "streams/two ends, the second later",
        SIZES,
        Frames(b"\x0f\x00\x00\x04abcd\x0f\x00\x04\x01e"),
        final_size(0x0f),
    ),
    server(
        "streams/two ends, the second earlier",
        SIZES,
        Frames(b"\x0f\x00\x00\x04abcd\x0f\x00\x00\x02ab"),
        final_size(0x0f),
    ),
    server(
        "streams/an end before what came",
        SIZES,
        Frames(b"\x0e\x00\x04\x04efgh\x0f\x00\x00\x02ab"),
        final_size(0x0f),
    ),
    server(
        "streams/reset before what came",
        SIZES,
        Frames(b"\x0e\x00\x04\x04efgh\x04\x00\x07\x05"),
        final_size(0x04),
    ),
    server(
        "streams/reset behind the end",
        SIZES,
        Frames(b"\x0f\x02\x04\x04efgh\x04\x02\x07\x09"),
        final_size(0x04),
    ),
    server(
        "streams/two resets with different sizes",
        SIZES,
        Frames(b"\x0e\x02\x04\x04efgh\x04\x02\x07\x09\x04\x02\x07\x0a"),
        final_size(0x04),
    ),
    server(
        "streams/data behind the reset",
        SIZES,
        Frames(b"\x0e\x02\x04\x04efgh\x04\x02\x07\x09\x0e\x02\x09\x01x"),
        final_size(0x0e),
    ),
    server(
        "streams/data within the size of a reset",
        SIZES,
        Frames(b"\x0e\x02\x04\x04efgh\x04\x02\x07\x09\x0e\x02\x08\x01x"),
        Ignored,
    ),
    server(
        "streams/the same end twice",
        SIZES,
        Frames(b"\x0f\x02\x00\x04abcd\x0f\x02\x00\x04abcd\x0f\x02\x04\x00"),
        Ignored,
    ),
    server(
        "streams/the same data in many ways",
        "RFC 9000 §2.2",
        Frames(b"\x0e\x02\x01\x03bcd\x0e\x02\x00\x03abc\x0e\x02\x02\x01c\x0e\x02\x00\x04abcd"),
        Ignored,
    ),
    server(
        "streams/other data at the same place",
        "RFC 9000 §2.2",
        Frames(b"\x0e\x02\x04\x04efgh\x0e\x02\x04\x04EFGH"),
        DIFFERENT,
    ),
    server(
        "streams/STREAM without data or end",
        "RFC 9000 §19.8",
        Frames(b"\x0e\x02\x00\x00\x0a\x02\x00"),
        Ignored,
    ),
    server(
        "streams/STOP_SENDING has to be answered by RESET_STREAM",
        "RFC 9000 §3.5",
        Steps(stop_sending),
        Ignored,
    ),
    server(
        "streams/STOP_SENDING for what has ended",
        "RFC 9000 §3.5",
        Steps(stop_what_ended),
        Ignored,
    ),
    server(
        "streams/credit for a stream that has ended",
        "RFC 9000 §13.3",
        Steps(credit_for_what_ended),
        Ignored,
    ),
    server("streams/high ones first", "RFC 9000 §2.1", Steps(high_first), Ignored),
    client(
        "streams/STREAM on one of the client's, unidirectional",
        "RFC 9000 §19.8",
        Frames(b"\x0a\x02\x01x"),
        state(0x0a),
    ),
    client(
        "streams/STREAM on one that the client did not open",
        "RFC 9000 §19.8",
        Frames(b"\x0a\x28\x01x"),
        state(0x0a),
    ),
    client(
        "streams/RESET_STREAM on one of the client's, unidirectional",
        "RFC 9000 §19.4",
        Frames(&[0x04, 2, 0, 0]),
        state(0x04),
    ),
    client(
        "streams/STOP_SENDING on one of the server's, unidirectional",
        "RFC 9000 §19.5",
        Frames(&[0x05, 3, 0]),
        state(0x05),
    ),
    client(
        "streams/STOP_SENDING on one that the client did not open",
        "RFC 9000 §19.5",
        Frames(&[0x05, 0x28, 0]),
        state(0x05),
    ),
    client(
        "streams/MAX_STREAM_DATA on one of the server's, unidirectional",
        "RFC 9000 §19.10",
        Frames(&[0x11, 3, 9]),
        state(0x11),
    ),
    client(
        "streams/MAX_STREAM_DATA on one that the client did not open",
        "RFC 9000 §19.10",
        Frames(&[0x11, 0x28, 9]),
        state(0x11),
    ),
    client(
        "streams/STREAM_DATA_BLOCKED on one of the client's, unidirectional",
        "RFC 9000 §19.13",
        Frames(&[0x15, 2, 9]),
        state(0x15),
    ),
    client(
        "streams/above the client's limit, bidirectional",
        LIMITS,
        Steps(|s| beyond(s, false, |id| Payload::new().stream(id, 0, b"x", false))),
        stream_limit(0x0e),
    ),
    client(
        "streams/above the client's limit, unidirectional",
        LIMITS,
        Steps(|s| beyond(s, true, |id| Payload::new().numbers(&[0x04, id, 0, 0]))),
        stream_limit(0x04),
    ),
    client(
        "streams/data behind the end, to a client",
        SIZES,
        Frames(b"\x0f\x00\x00\x04abcd\x0e\x00\x04\x01e"),
        final_size(0x0e),
    ),
    client(
        "streams/reset before what came, to a client",
        SIZES,
        Frames(b"\x0e\x00\x04\x04efgh\x04\x00\x07\x05"),
        final_size(0x04),
    ),
];

/// How many streams the target permits in this direction.
fn limit(script: &mut Script<'_>, unidirectional: bool) -> Step<u64> {
    let parameters = script.peer()?.target_parameters();
    let parameters = parameters.ok_or_else(|| Obstacle::not_set_up("no transport parameters"))?;
    Ok(if unidirectional {
        parameters.initial_max_streams_uni
    } else {
        parameters.initial_max_streams_bidi
    })
}

fn beyond(script: &mut Script<'_>, unidirectional: bool, frame: fn(u64) -> Payload) -> Step {
    script.connect()?;
    let limit = limit(script, unidirectional)?;
    let id = script.own_stream(unidirectional, limit);
    script.send(frame(id)).map(|_| ())
}

fn last_within(script: &mut Script<'_>) -> Step {
    script.connect()?;
    for unidirectional in [false, true] {
        let limit = limit(script, unidirectional)?;
        if let Some(last) = limit.checked_sub(1) {
            let id = script.own_stream(unidirectional, last);
            script.send(Payload::new().numbers(&[0x04, id, 0, 0]))?;
        }
    }
    Ok(())
}

fn require_stream(script: &mut Script<'_>) -> Step<u64> {
    script.connect()?;
    if limit(script, false)? == 0 {
        return Err(Obstacle::Lacks("bidirectional streams for clients"));
    }
    Ok(script.own_stream(false, 0))
}

fn stop_sending(script: &mut Script<'_>) -> Step {
    let id = require_stream(script)?;
    script.send(Payload::new().stream(id, 0, b"GET", false).numbers(&[0x05, id, 7]))?;
    let reset = script.wait_until(Duration::from_secs(1), |peer| {
        let is_reset = |frame: Frame<'_>| {
            matches!(frame, Frame::ResetStream(reset) if reset.stream_id.value() == id)
        };
        peer.close().is_some() || peer.packets().any(|packet| packet.has(is_reset))
    })?;
    script.demand(reset, "STOP_SENDING was not answered")
}

fn stop_what_ended(script: &mut Script<'_>) -> Step {
    let id = require_stream(script)?;
    script.send(Payload::new().stream(id, 0, b"x\r\n", true))?;
    script.listen(Duration::from_millis(300))?;
    for _ in 0..3 {
        script.send(Payload::new().numbers(&[0x05, id, 7]))?;
    }
    Ok(())
}

fn credit_for_what_ended(script: &mut Script<'_>) -> Step {
    let id = require_stream(script)?;
    script.send(Payload::new().stream(id, 0, b"x\r\n", true).numbers(&[0x04, id, 7, 3]))?;
    script.listen(Duration::from_millis(300))?;
    script.send(Payload::new().numbers(&[0x11, id, 1 << 30, 0x15, id, 3])).map(|_| ())
}

fn high_first(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let limit = limit(script, true)?.min(20);
    for index in (0..limit).rev() {
        let id = script.own_stream(true, index);
        script.send(Payload::new().stream(id, 0, b"data", true))?;
    }
    Ok(())
}
