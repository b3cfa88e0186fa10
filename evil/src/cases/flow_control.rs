//! Data and its limits (RFC 9000 §4.1, §4.2, §19.9 to §19.14).

use super::prelude::*;

const LIMITS: &str = "RFC 9000 §4.1";
const OLD: &str = "RFC 9000 §13.3";

pub(super) const CASES: &[Case] = &[
    server(
        "flow_control/beyond a stream's limit, bidirectional",
        LIMITS,
        Steps(|s| on_stream(s, false, |id, limit| Payload::new().stream(id, limit, b"x", false))),
        flow_control(0x0e),
    ),
    server(
        "flow_control/beyond a stream's limit, unidirectional",
        LIMITS,
        Steps(|s| on_stream(s, true, |id, limit| Payload::new().stream(id, limit, b"x", false))),
        flow_control(0x0e),
    ),
    server(
        "flow_control/empty end beyond a stream's limit",
        LIMITS,
        Steps(|s| on_stream(s, true, |id, limit| Payload::new().stream(id, limit + 1, b"", true))),
        flow_control(0x0f),
    ),
    server(
        "flow_control/reset beyond a stream's limit",
        LIMITS,
        Steps(|s| {
            on_stream(s, true, |id, limit| Payload::new().numbers(&[0x04, id, 0, limit + 1]))
        }),
        flow_control(0x04),
    ),
    server(
        "flow_control/the last byte within a stream's limit",
        LIMITS,
        Steps(|s| on_stream(s, true, |id, limit| Payload::new().stream(id, limit - 1, b"x", true))),
        Ignored,
    ),
    server(
        "flow_control/beyond the connection's limit with data",
        LIMITS,
        Steps(|s| on_connection(s, |id, limit| Payload::new().stream(id, limit - 1, b"x", false))),
        Reaction::close_in(Code::FLOW_CONTROL_ERROR, 0x0e),
    ),
    server(
        "flow_control/beyond the connection's limit with resets",
        LIMITS,
        Steps(|s| on_connection(s, |id, limit| Payload::new().numbers(&[0x04, id, 0, limit]))),
        flow_control(0x04),
    ),
    server("flow_control/less credit than before", OLD, Steps(less_credit), Ignored),
    server("flow_control/all the credit there is", "RFC 9000 §19.9", Steps(all_credit), Ignored),
    server(
        "flow_control/blocked at limits that never were",
        "RFC 9000 §19.12",
        Frames(&[0x14, 0, 0x14, 63, 0x16, 0, 0x17, 63, 0x15, 2, 7]),
        Ignored,
    ),
    client(
        "flow_control/beyond a stream's limit, to a client",
        LIMITS,
        Steps(|s| on_stream(s, false, |id, limit| Payload::new().stream(id, limit, b"x", false))),
        flow_control(0x0e),
    ),
    client(
        "flow_control/reset beyond a stream's limit, to a client",
        LIMITS,
        Steps(|s| {
            on_stream(s, true, |id, limit| Payload::new().numbers(&[0x04, id, 0, limit + 1]))
        }),
        flow_control(0x04),
    ),
    client(
        "flow_control/beyond the connection's limit, to a client",
        LIMITS,
        Steps(|s| on_connection(s, |id, limit| Payload::new().stream(id, limit - 1, b"x", false))),
        flow_control(0x0e),
    ),
    client(
        "flow_control/the answer beyond its limit",
        LIMITS,
        Steps(answer_beyond),
        flow_control(0x0e),
    ),
    client("flow_control/less credit than before, to a client", OLD, Steps(less_credit), Ignored),
];

/// What the target permits on one stream of ours in this direction, on how many of them, and on all
/// streams.
fn limits(script: &mut Script<'_>, unidirectional: bool) -> Step<(u64, u64, u64)> {
    let parameters = script.peer()?.target_parameters();
    let parameters = parameters.ok_or_else(|| Obstacle::not_set_up("no transport parameters"))?;
    let (stream, count) = if unidirectional {
        (parameters.initial_max_stream_data_uni, parameters.initial_max_streams_uni)
    } else {
        (parameters.initial_max_stream_data_bidi_remote, parameters.initial_max_streams_bidi)
    };
    Ok((stream, count, parameters.initial_max_data))
}

fn on_stream(
    script: &mut Script<'_>,
    unidirectional: bool,
    frame: fn(u64, u64) -> Payload,
) -> Step {
    script.connect()?;
    let (limit, count, connection) = limits(script, unidirectional)?;
    if limit == 0 || count == 0 {
        return Err(Obstacle::Lacks("streams of this direction"));
    }
    if limit >= connection {
        return Err(Obstacle::Lacks("limit for a stream that is below the connection's"));
    }
    let id = script.own_stream(unidirectional, 0);
    script.send(frame(id, limit)).map(|_| ())
}

/// Fills one stream after another up to its limit.
fn on_connection(script: &mut Script<'_>, frame: fn(u64, u64) -> Payload) -> Step {
    script.connect()?;
    let (limit, count, connection) = limits(script, true)?;
    if limit.saturating_mul(count) <= connection {
        return Err(Obstacle::Lacks("limit for the connection that streams can reach"));
    }
    let mut payload = Payload::new();
    for index in 0..=connection / limit {
        let id = script.own_stream(true, index);
        let left = connection.saturating_sub(index * limit);
        payload = payload.raw(&Vec::from(frame(id, limit.min(left + 1))));
        if payload.length() > 1000 {
            script.send(std::mem::take(&mut payload))?;
        }
    }
    if payload.length() > 0 {
        script.send(payload)?;
    }
    Ok(())
}

fn less_credit(script: &mut Script<'_>) -> Step {
    script.connect()?;
    script.send(Payload::new().numbers(&[0x10, 0, 0x12, 0, 0x13, 1, 0x10, 1])).map(|_| ())
}

fn all_credit(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let most = (1 << 62) - 1;
    script.send(Payload::new().numbers(&[0x10, most, 0x12, 1 << 60, 0x13, 1 << 60])).map(|_| ())
}

/// On the stream of the client's request.
fn answer_beyond(script: &mut Script<'_>) -> Step {
    script.connect()?;
    let parameters = script.peer()?.target_parameters();
    let limit = parameters.map_or(0, |parameters| parameters.initial_max_stream_data_bidi_local);
    let asked = script.wait_until(Duration::from_secs(1), |peer| {
        let is_request =
            |frame: Frame<'_>| matches!(frame, Frame::Stream(data) if data.stream_id.value() == 0);
        peer.packets().any(|packet| packet.has(is_request))
    })?;
    if !asked {
        return Err(Obstacle::not_set_up("the client asked for nothing"));
    }
    script.send(Payload::new().stream(0, limit, b"x", false)).map(|_| ())
}
