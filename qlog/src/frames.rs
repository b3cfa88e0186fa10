//! Frames as qlog has them (draft-ietf-quic-qlog-quic-events §8.13).

use quic_core::{Direction, EcnTotals, FrameRecord};

use crate::errors;
use crate::json::{Array, Object, plain};
use crate::time::milliseconds;

#[expect(clippy::too_many_lines, reason = "a table: one row for each frame")]
pub(crate) fn write(out: &mut String, frame: &FrameRecord<'_>) {
    let mut object = Object::begin(out);
    object.quoted("frame_type", name(frame));
    match frame {
        FrameRecord::Padding { length } => {
            object.object("raw").plain("payload_length", length);
        }
        FrameRecord::Ack { delay, ranges, ecn } => {
            object.float("ack_delay", milliseconds(*delay));
            write_ranges(&mut object.array("acked_ranges"), ranges.clone());
            if let Some(EcnTotals { ect0, ect1, ce }) = ecn {
                object.plain("ect1", ect1);
                object.plain("ect0", ect0);
                object.plain("ce", ce);
            }
        }
        FrameRecord::ResetStream { stream, error_code, final_size } => {
            object.plain("stream_id", stream.value());
            errors::unknown(&mut object, "error", *error_code);
            object.plain("final_size", final_size);
        }
        FrameRecord::StopSending { stream, error_code } => {
            object.plain("stream_id", stream.value());
            errors::unknown(&mut object, "error", *error_code);
        }
        FrameRecord::Crypto { offset, length } => {
            object.plain("offset", offset);
            object.object("raw").plain("length", length);
        }
        FrameRecord::NewToken { length } => {
            let mut token = object.object("token");
            token.quoted("type", "resumption");
            token.object("raw").plain("length", length);
        }
        FrameRecord::Stream { stream, offset, length, fin } => {
            object.plain("stream_id", stream.value());
            object.plain("offset", offset);
            if *fin {
                object.plain("fin", true);
            }
            object.object("raw").plain("length", length);
        }
        FrameRecord::MaxStreamData { stream, maximum } => {
            object.plain("stream_id", stream.value());
            object.plain("maximum", maximum);
        }
        FrameRecord::MaxStreams { direction, maximum } => {
            object.quoted("stream_type", stream_type(*direction));
            object.plain("maximum", maximum);
        }
        FrameRecord::MaxData { maximum } => object.plain("maximum", maximum),
        FrameRecord::DataBlocked { limit } => object.plain("limit", limit),
        FrameRecord::StreamDataBlocked { stream, limit } => {
            object.plain("stream_id", stream.value());
            object.plain("limit", limit);
        }
        FrameRecord::StreamsBlocked { direction, limit } => {
            object.quoted("stream_type", stream_type(*direction));
            object.plain("limit", limit);
        }
        FrameRecord::NewConnectionId { sequence, retire_prior_to, id } => {
            object.plain("sequence_number", sequence);
            object.plain("retire_prior_to", retire_prior_to);
            object.plain("connection_id_length", id.length());
            object.hex("connection_id", id.as_slice());
        }
        FrameRecord::RetireConnectionId { sequence } => object.plain("sequence_number", sequence),
        FrameRecord::PathChallenge { data } | FrameRecord::PathResponse { data } => {
            object.hex("data", data);
        }
        FrameRecord::ConnectionClose { error_code, frame_type, reason } => {
            write_close(&mut object, *error_code, *frame_type, reason);
        }
        FrameRecord::Datagram { length } => object.object("raw").plain("length", length),
        FrameRecord::ResetStreamAt { stream, error_code, final_size, reliable_size } => {
            object.plain("stream_id", stream.value());
            errors::unknown(&mut object, "error", *error_code);
            object.plain("final_size", final_size);
            object.plain("reliable_size", reliable_size);
        }
        FrameRecord::AckFrequency { sequence, threshold, max_ack_delay, reordering_threshold } => {
            object.plain("sequence_number", sequence);
            object.plain("ack_eliciting_threshold", threshold);
            object.float("requested_max_ack_delay", milliseconds(*max_ack_delay));
            object.plain("reordering_threshold", reordering_threshold);
        }
        FrameRecord::Ping | FrameRecord::HandshakeDone | FrameRecord::ImmediateAck => {}
    }
}

fn name(frame: &FrameRecord<'_>) -> &'static str {
    match frame {
        FrameRecord::Padding { .. } => "padding",
        FrameRecord::Ping => "ping",
        FrameRecord::Ack { .. } => "ack",
        FrameRecord::ResetStream { .. } => "reset_stream",
        FrameRecord::StopSending { .. } => "stop_sending",
        FrameRecord::Crypto { .. } => "crypto",
        FrameRecord::NewToken { .. } => "new_token",
        FrameRecord::Stream { .. } => "stream",
        FrameRecord::MaxData { .. } => "max_data",
        FrameRecord::MaxStreamData { .. } => "max_stream_data",
        FrameRecord::MaxStreams { .. } => "max_streams",
        FrameRecord::DataBlocked { .. } => "data_blocked",
        FrameRecord::StreamDataBlocked { .. } => "stream_data_blocked",
        FrameRecord::StreamsBlocked { .. } => "streams_blocked",
        FrameRecord::NewConnectionId { .. } => "new_connection_id",
        FrameRecord::RetireConnectionId { .. } => "retire_connection_id",
        FrameRecord::PathChallenge { .. } => "path_challenge",
        FrameRecord::PathResponse { .. } => "path_response",
        FrameRecord::ConnectionClose { .. } => "connection_close",
        FrameRecord::HandshakeDone => "handshake_done",
        FrameRecord::Datagram { .. } => "datagram",
        FrameRecord::ResetStreamAt { .. } => "reset_stream_at",
        FrameRecord::AckFrequency { .. } => "ack_frequency",
        FrameRecord::ImmediateAck => "immediate_ack",
    }
}

fn write_ranges(array: &mut Array<'_>, ranges: quic_core::AckedRanges<'_>) {
    for range in ranges {
        let mut pair = Array::begin(array.value());
        plain(pair.value(), range.start());
        if range.start() != range.end() {
            plain(pair.value(), range.end());
        }
    }
}

fn write_close(object: &mut Object<'_>, code: u64, frame_type: Option<u64>, reason: &[u8]) {
    if let Some(cause) = frame_type {
        object.quoted("error_space", "transport");
        errors::transport(object, "error", code);
        object.plain("trigger_frame_type", cause);
    } else {
        object.quoted("error_space", "application");
        errors::unknown(object, "error", code);
    }
    match str::from_utf8(reason) {
        Ok(reason) => object.text("reason", reason),
        Err(_) => object.hex("reason_bytes", reason),
    }
}

pub(crate) fn stream_type(direction: Direction) -> &'static str {
    match direction {
        Direction::Bidirectional => "bidirectional",
        Direction::Unidirectional => "unidirectional",
    }
}
