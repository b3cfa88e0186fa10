//! Extensions beside datagrams: reliable resets, ACK frequency, versions, the QUIC Bit.

use super::prelude::*;

const RESET_AT: &str = "draft-ietf-quic-reliable-stream-reset §4";
const FREQUENCY: &str = "draft-ietf-quic-ack-frequency §4";

pub(super) const CASES: &[Case] = &[
    server(
        "extensions/RESET_STREAM_AT with more than the final size",
        RESET_AT,
        Steps(|s| reset_at(s, &[2, 0, 3, 4])),
        encoding(0x24),
    ),
    server(
        "extensions/RESET_STREAM_AT on one of the target's",
        RESET_AT,
        Steps(|s| reset_at(s, &[3, 0, 3, 1])),
        state(0x24),
    ),
    server(
        "extensions/RESET_STREAM_AT above the limit",
        RESET_AT,
        Steps(|s| reset_at(s, &[0x1_0002, 0, 3, 1])),
        stream_limit(0x24),
    ),
    server(
        "extensions/RESET_STREAM_AT beyond the credit",
        RESET_AT,
        Steps(|s| reset_at(s, &[2, 0, 1 << 40, 1])),
        flow_control(0x24),
    ),
    server(
        "extensions/RESET_STREAM_AT with other final sizes",
        RESET_AT,
        Steps(|s| reset_at(s, &[2, 0, 9, 1, 0x24, 2, 0, 8, 1])),
        final_size(0x24),
    ),
    server(
        "extensions/reset_stream_at with a value",
        "draft-ietf-quic-reliable-stream-reset §3",
        Parameters(|b| b.parameters.add(id::RESET_STREAM_AT, &[1])),
        PARAMETER_ERROR,
    ),
    server(
        "extensions/ACK_FREQUENCY below the minimum",
        FREQUENCY,
        Steps(too_frequent),
        violation(0xaf),
    ),
    server("extensions/ACK_FREQUENCY that goes back", FREQUENCY, Steps(old_frequency), Ignored),
    server(
        "extensions/min_ack_delay above max_ack_delay",
        "draft-ietf-quic-ack-frequency §3",
        Parameters(|b| b.parameters.set_number(id::MIN_ACK_DELAY, 25_001)),
        PARAMETER_ERROR,
    ),
    server(
        "extensions/grease_quic_bit with a value",
        "RFC 9287 §3",
        Parameters(|b| b.parameters.set(id::GREASE_QUIC_BIT, &[1])),
        PARAMETER_ERROR,
    ),
    server("extensions/QUIC Bit of 0 where it may be", "RFC 9287 §3", Steps(greased), Ignored),
    client(
        "extensions/RESET_STREAM_AT with more than the final size, to a client",
        RESET_AT,
        Steps(|s| reset_at(s, &[3, 0, 3, 4])),
        encoding(0x24),
    ),
    client(
        "extensions/grease_quic_bit with a value, to a client",
        "RFC 9287 §3",
        Parameters(|b| b.parameters.set(id::GREASE_QUIC_BIT, &[1])),
        PARAMETER_ERROR,
    ),
    client(
        "extensions/min_ack_delay above max_ack_delay, to a client",
        "draft-ietf-quic-ack-frequency §3",
        Parameters(|b| b.parameters.set_number(id::MIN_ACK_DELAY, 25_001)),
        PARAMETER_ERROR,
    ),
];

/// RESET_STREAM_AT with these fields, to a target that understands it.
fn reset_at(script: &mut Script<'_>, fields: &[u64]) -> Step {
    let mut beginning = script.beginning();
    beginning.parameters.add(id::RESET_STREAM_AT, &[]);
    script.connect_with(beginning)?;
    if script.peer()?.target_parameters().is_none_or(|parameters| !parameters.reset_stream_at) {
        return Err(Obstacle::Lacks("RESET_STREAM_AT"));
    }
    script.send(Payload::new().numbers(&[0x24]).numbers(fields)).map(|_| ())
}

/// What the target needs at least to delay acknowledgments.
fn minimum_delay(script: &mut Script<'_>) -> Step<u64> {
    script.connect()?;
    let parameters = script.peer()?.target_parameters();
    let minimum = parameters.and_then(|parameters| parameters.min_ack_delay);
    minimum.ok_or(Obstacle::Lacks("ACK_FREQUENCY"))
}

fn too_frequent(script: &mut Script<'_>) -> Step {
    let minimum = minimum_delay(script)?;
    let Some(less) = minimum.checked_sub(1) else { return Err(Obstacle::Lacks("minimum delay")) };
    script.send(Payload::new().numbers(&[0xaf, 0, 1, less, 1])).map(|_| ())
}

fn old_frequency(script: &mut Script<'_>) -> Step {
    let minimum = minimum_delay(script)?;
    for sequence in [7, 3, 7, 0] {
        script.send(Payload::new().numbers(&[0xaf, sequence, 1, minimum.max(1000), 1, 0x1f]))?;
    }
    Ok(())
}

fn greased(script: &mut Script<'_>) -> Step {
    script.connect()?;
    if script.peer()?.target_parameters().is_none_or(|parameters| !parameters.grease_quic_bit) {
        return Err(Obstacle::Lacks("grease_quic_bit"));
    }
    let packet = Packet { clear_bits: 0x40, ..Packet::one_rtt(Payload::ping()) };
    let number = script.send_packet(packet)?;
    let taken = script
        .wait_until(Duration::from_secs(1), |peer| peer.is_acked(SpaceId::Application, number))?;
    script.demand(taken, "a packet without QUIC Bit was not taken")
}
