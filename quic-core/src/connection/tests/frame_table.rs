//! Every frame in every packet at every role (RFC 9000 §12.4, Table 3, and §19).

use super::Pair;
use super::pair::{deliver, error_of, sent_by};
use crate::error::{ConnectionError, TransportErrorCode as Code};
use crate::wire::{Reader, Side, SpaceId};

/// A frame, and what a server and a client have to make of it in a 1-RTT packet.
struct Row {
    name: &'static str,
    frame: &'static [u8],
    on_server: Result<(), Code>,
    on_client: Result<(), Code>,
    /// Whether Table 3 permits it in Initial and Handshake packets.
    in_handshake: bool,
}

const fn same(
    name: &'static str,
    frame: &'static [u8],
    expected: Result<(), Code>,
    in_handshake: bool,
) -> Row {
    Row { name, frame, on_server: expected, on_client: expected, in_handshake }
}

/// Streams 0 and 2 are the client's, 1 and 3 the server's; neither end has opened any.
const ROWS: &[Row] = &[
    same("PADDING", &[0x00], Ok(()), true),
    same("PING", &[0x01], Ok(()), true),
    // Both ends have sent packet 0 in each space at the time.
    same("ACK", &[0x02, 0, 0, 0, 0], Ok(()), true),
    same(
        "ACK of what was not sent",
        &[0x02, 0x7f, 0xff, 0, 0, 0],
        Err(Code::PROTOCOL_VIOLATION),
        true,
    ),
    same("ACK below zero", &[0x02, 0, 0, 0, 1], Err(Code::FRAME_ENCODING_ERROR), true),
    same("ACK with ECN", &[0x03, 0, 0, 0, 0, 0, 0, 0], Ok(()), true),
    Row {
        name: "RESET_STREAM of the client's bidirectional stream",
        frame: &[0x04, 0, 0, 0],
        on_server: Ok(()),
        on_client: Err(Code::STREAM_STATE_ERROR),
        in_handshake: false,
    },
    Row {
        name: "RESET_STREAM of the client's unidirectional stream",
        frame: &[0x04, 2, 0, 0],
        on_server: Ok(()),
        on_client: Err(Code::STREAM_STATE_ERROR),
        in_handshake: false,
    },
    Row {
        name: "STOP_SENDING of the client's bidirectional stream",
        frame: &[0x05, 0, 0],
        on_server: Ok(()),
        on_client: Err(Code::STREAM_STATE_ERROR),
        in_handshake: false,
    },
    same(
        "STOP_SENDING of a stream to receive on",
        &[0x05, 2, 0],
        Err(Code::STREAM_STATE_ERROR),
        false,
    ),
    same(
        "CRYPTO far ahead",
        &[0x06, 0x80, 0x10, 0, 0, 1, 0],
        Err(Code::CRYPTO_BUFFER_EXCEEDED),
        true,
    ),
    Row {
        name: "NEW_TOKEN",
        frame: &[0x07, 1, 0],
        on_server: Err(Code::PROTOCOL_VIOLATION),
        on_client: Ok(()),
        in_handshake: false,
    },
    same("NEW_TOKEN without a token", &[0x07, 0], Err(Code::FRAME_ENCODING_ERROR), false),
    Row {
        name: "STREAM",
        frame: &[0x08, 0],
        on_server: Ok(()),
        on_client: Err(Code::STREAM_STATE_ERROR),
        in_handshake: false,
    },
    Row {
        name: "STREAM with FIN",
        frame: &[0x09, 0],
        on_server: Ok(()),
        on_client: Err(Code::STREAM_STATE_ERROR),
        in_handshake: false,
    },
    Row {
        name: "STREAM with length",
        frame: &[0x0a, 2, 1, 0],
        on_server: Ok(()),
        on_client: Err(Code::STREAM_STATE_ERROR),
        in_handshake: false,
    },
    Row {
        name: "STREAM with length and FIN",
        frame: &[0x0b, 3, 0],
        on_server: Err(Code::STREAM_STATE_ERROR),
        on_client: Ok(()),
        in_handshake: false,
    },
    Row {
        name: "STREAM with offset",
        frame: &[0x0c, 1, 7],
        on_server: Err(Code::STREAM_STATE_ERROR),
        on_client: Ok(()),
        in_handshake: false,
    },
    Row {
        name: "STREAM with offset and FIN",
        frame: &[0x0d, 1, 7],
        on_server: Err(Code::STREAM_STATE_ERROR),
        on_client: Ok(()),
        in_handshake: false,
    },
    Row {
        name: "STREAM beyond flow control",
        frame: &[0x0e, 0, 0x90, 0, 0, 0, 1, 0],
        on_server: Err(Code::FLOW_CONTROL_ERROR),
        on_client: Err(Code::STREAM_STATE_ERROR),
        in_handshake: false,
    },
    Row {
        name: "STREAM with everything",
        frame: &[0x0f, 0, 0, 1, 0],
        on_server: Ok(()),
        on_client: Err(Code::STREAM_STATE_ERROR),
        in_handshake: false,
    },
    Row {
        name: "STREAM beyond the stream limit",
        frame: &[0x0a, 0x80, 0, 0x10, 0, 0],
        on_server: Err(Code::STREAM_LIMIT_ERROR),
        on_client: Err(Code::STREAM_STATE_ERROR),
        in_handshake: false,
    },
    same(
        "STREAM beyond 2^62",
        &[0x0e, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0],
        Err(Code::FRAME_ENCODING_ERROR),
        false,
    ),
    same("MAX_DATA", &[0x10, 0], Ok(()), false),
    Row {
        name: "MAX_STREAM_DATA",
        frame: &[0x11, 0, 0],
        on_server: Ok(()),
        on_client: Err(Code::STREAM_STATE_ERROR),
        in_handshake: false,
    },
    same(
        "MAX_STREAM_DATA of a stream to receive on",
        &[0x11, 2, 0],
        Err(Code::STREAM_STATE_ERROR),
        false,
    ),
    same("MAX_STREAMS (bidirectional)", &[0x12, 0], Ok(()), false),
    same("MAX_STREAMS (unidirectional)", &[0x13, 0], Ok(()), false),
    same(
        "MAX_STREAMS beyond 2^60",
        &[0x12, 0xd0, 0, 0, 0, 0, 0, 0, 1],
        Err(Code::FRAME_ENCODING_ERROR),
        false,
    ),
    same("DATA_BLOCKED", &[0x14, 0], Ok(()), false),
    Row {
        name: "STREAM_DATA_BLOCKED",
        frame: &[0x15, 0, 0],
        on_server: Ok(()),
        on_client: Err(Code::STREAM_STATE_ERROR),
        in_handshake: false,
    },
    same("STREAMS_BLOCKED (bidirectional)", &[0x16, 0], Ok(()), false),
    same("STREAMS_BLOCKED (unidirectional)", &[0x17, 0], Ok(()), false),
    same(
        "NEW_CONNECTION_ID",
        &[0x18, 4, 0, 4, 9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
        Err(Code::CONNECTION_ID_LIMIT_ERROR),
        false,
    ),
    same(
        "NEW_CONNECTION_ID that makes room for itself",
        &[0x18, 4, 1, 4, 9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
        Ok(()),
        false,
    ),
    same(
        "NEW_CONNECTION_ID that retires itself",
        &[0x18, 4, 5, 4, 9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
        Err(Code::FRAME_ENCODING_ERROR),
        false,
    ),
    same(
        "NEW_CONNECTION_ID without an ID",
        &[0x18, 4, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
        Err(Code::FRAME_ENCODING_ERROR),
        false,
    ),
    same("RETIRE_CONNECTION_ID", &[0x19, 1], Ok(()), false),
    same(
        "RETIRE_CONNECTION_ID of the one in use",
        &[0x19, 0],
        Err(Code::PROTOCOL_VIOLATION),
        false,
    ),
    same("RETIRE_CONNECTION_ID of none", &[0x19, 9], Err(Code::PROTOCOL_VIOLATION), false),
    same("PATH_CHALLENGE", &[0x1a, 1, 2, 3, 4, 5, 6, 7, 8], Ok(()), false),
    // RFC 9000 §19.18: one that answers nothing MAY be an error.
    same("PATH_RESPONSE", &[0x1b, 1, 2, 3, 4, 5, 6, 7, 8], Ok(()), false),
    Row {
        name: "HANDSHAKE_DONE",
        frame: &[0x1e],
        on_server: Err(Code::PROTOCOL_VIOLATION),
        on_client: Ok(()),
        in_handshake: false,
    },
    same("a frame of an unknown type", &[0x3f], Err(Code::FRAME_ENCODING_ERROR), true),
    same("a frame of a long unknown type", &[0x40, 0x52], Err(Code::FRAME_ENCODING_ERROR), true),
    same(
        "a type that is not in its shortest encoding",
        &[0x40, 0x01],
        Err(Code::PROTOCOL_VIOLATION),
        true,
    ),
    same("a frame that is cut off", &[0x06, 0], Err(Code::FRAME_ENCODING_ERROR), true),
    same("nothing", &[], Err(Code::PROTOCOL_VIOLATION), true),
];

const SIDES: [Side; 2] = [Side::Client, Side::Server];

/// A connection that can open packets of `space`, at either end.
fn pair_with_keys(victim: Side, space: SpaceId) -> Pair {
    match space {
        SpaceId::Initial => {
            let mut pair = Pair::started();
            if victim == Side::Server {
                // So that packet 0 of the server was sent.
                let _flight = sent_by(&mut pair.server, pair.now);
            }
            pair
        }
        SpaceId::Handshake => {
            let mut pair = Pair::answered();
            if victim == Side::Client {
                let _flight = sent_by(&mut pair.client, pair.now);
            }
            pair
        }
        SpaceId::Application => Pair::confirmed(),
    }
}

/// Sends the frame as the last of its packet, or none at all.
fn attack(pair: &mut Pair, victim: Side, space: SpaceId, frame: &[u8]) {
    let liar = pair.end(!victim);
    let mut datagram = if frame.is_empty() {
        liar.forge_empty(space)
    } else {
        // PADDING in front makes the packet long enough to be sealed as it is.
        let frames = [&[0; 20], frame].concat();
        liar.forge_with(space, &frames, 0, |_| {})
    };
    if space == SpaceId::Initial {
        // An invalid packet makes the datagram large enough (RFC 9000 §14.1).
        datagram.resize(1200, 0);
    }
    let now = pair.now;
    deliver(pair.end(victim), now, &datagram);
}

fn check(row: &Row, victim: Side, space: SpaceId) {
    let on_victim = if victim == Side::Server { row.on_server } else { row.on_client };
    let malformed = row.on_server == Err(Code::FRAME_ENCODING_ERROR)
        && row.on_client == Err(Code::FRAME_ENCODING_ERROR);
    let mut pair = pair_with_keys(victim, space);
    attack(&mut pair, victim, space, row.frame);
    let found = error_of(pair.end(victim)).map_or(Ok(()), Err);
    let context = format!("{} at the {victim:?} in {space:?}", row.name);
    let frame_type = type_of(row.frame);
    if space == SpaceId::Application || row.in_handshake {
        assert_eq!(found, on_victim, "{context}");
    } else if malformed {
        // Malformed and not permitted: either code is true.
        let codes = [Err(Code::PROTOCOL_VIOLATION), Err(Code::FRAME_ENCODING_ERROR)];
        assert!(codes.contains(&found), "{context}: {found:?}");
    } else {
        assert_eq!(found, Err(Code::PROTOCOL_VIOLATION), "{context}");
    }
    // The peer hears of it, or the connection goes on.
    let now = pair.now;
    let said = sent_by(pair.end(victim), now);
    if found.is_err() {
        assert_eq!(said.len(), 1, "{context}: one CONNECTION_CLOSE");
        deliver(pair.end(!victim), now, &said[0]);
        let heard = pair.end(!victim).close_reason().cloned();
        let Some(ConnectionError::ConnectionClosed(heard)) = heard else {
            panic!("{context}: the peer heard {heard:?}");
        };
        assert_eq!(Err(heard.code), found, "{context}");
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.19
        //= type=test
        //# A variable-length integer encoding the type of frame
        //# that triggered the error.
        assert_eq!(heard.frame_type.unwrap_or(0), frame_type, "{context}");
    }
}

/// The type as it travels; 0, which stands for none, if there is no frame.
fn type_of(frame: &[u8]) -> u64 {
    Reader::new(frame).varint().unwrap_or(0)
}

fn check_all(space: SpaceId) {
    for row in ROWS {
        for victim in SIDES {
            check(row, victim, space);
        }
    }
}

#[test]
fn every_frame_in_an_initial_packet_gets_what_the_rfc_says() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2
    //= type=test
    //# An endpoint MUST generate a connection error if processing the contents
    //# of these packets prior to discovering an error, or fully revert any
    //# changes made during that processing.
    check_all(SpaceId::Initial);
}

#[test]
fn every_frame_in_a_handshake_packet_gets_what_the_rfc_says() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.4
    //= type=test
    //# Endpoints MUST treat receipt of Handshake packets with other frames as a connection
    //# error of type PROTOCOL_VIOLATION.
    check_all(SpaceId::Handshake);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-12.4
//= type=test
//# An endpoint MUST treat receipt of a packet containing no frames as a
//# connection error of type PROTOCOL_VIOLATION.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.16
//= type=test
//# Receipt of a RETIRE_CONNECTION_ID frame containing a sequence number
//# greater than any previously sent to the peer MUST be treated as a
//# connection error of type PROTOCOL_VIOLATION.
#[test]
fn every_frame_in_a_1_rtt_packet_gets_what_the_rfc_says() {
    check_all(SpaceId::Application);
}

#[test]
fn a_close_is_believed_in_every_packet_and_answered_with_silence() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.2
    //= type=test
    //# While otherwise identical to the closing state, an endpoint in the draining state MUST
    //# NOT send any packets.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.2
    //= type=test
    //# An endpoint MUST NOT send further packets.
    for space in SpaceId::ALL {
        for victim in SIDES {
            let mut pair = pair_with_keys(victim, space);
            // Packets to acknowledge, and an answer, wait to be sent.
            pair.attack(victim, space, &[0x01]);
            pair.attack(victim, space, &[0x01]);
            if space == SpaceId::Application {
                pair.attack(victim, space, &[0x1a, 1, 2, 3, 4, 5, 6, 7, 8]);
            }
            pair.attack(victim, space, &[0x1c, 0x0a, 0, 0]);
            let now = pair.now;
            let end = pair.end(victim);
            let reason = end.close_reason().cloned();
            assert!(
                matches!(&reason, Some(ConnectionError::ConnectionClosed(error))
                    if error.code == Code::PROTOCOL_VIOLATION),
                "{victim:?} in {space:?}: {reason:?}"
            );
            assert!(sent_by(end, now).is_empty());
        }
    }
}

#[test]
fn an_application_close_is_believed_in_1_rtt_packets_only() {
    for space in SpaceId::ALL {
        for victim in SIDES {
            let mut pair = pair_with_keys(victim, space);
            pair.attack(victim, space, &[0x1d, 7, 0, 0, 0, 0]);
            let reason = pair.end(victim).close_reason().cloned();
            match (space, reason) {
                (SpaceId::Application, Some(ConnectionError::ApplicationClosed(close))) => {
                    assert_eq!(close.error_code.into_inner(), 7);
                }
                (
                    SpaceId::Initial | SpaceId::Handshake,
                    Some(ConnectionError::TransportError(error)),
                ) => {
                    assert_eq!(error.code, Code::PROTOCOL_VIOLATION);
                }
                (space, reason) => panic!("{victim:?} in {space:?}: {reason:?}"),
            }
        }
    }
}
