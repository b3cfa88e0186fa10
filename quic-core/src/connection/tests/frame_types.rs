//! Every type of frame in every type of packet at both roles, and what comes of it (RFC 9000 §12.4,
//! Table 3, §12.5, §20.1).
//!
//! The values are such that nothing but the type, the packet and the role can be wrong; what other
//! values come to is in `frame_table`.

use super::Pair;
use super::pair::{deliver, sent_by};
use crate::config::TransportConfig;
use crate::connection::Connection;
use crate::connection::frames::Received;
use crate::error::{ConnectionError, TransportErrorCode as Code};
use crate::wire::{ConnectionId, Direction, PacketType, Reader, Side, SpaceId};

/// What comes of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cell {
    /// It is processed, or ignored as the RFC says.
    Ok,
    /// The peer closed the connection.
    Closed,
    /// PROTOCOL_VIOLATION, with the type of the frame.
    Violation,
    /// The packet is not even opened: a client has no keys to receive 0-RTT packets.
    Dropped,
}

use Cell::{Closed as CL, Dropped as __, Ok as OK, Violation as PV};

/// Type, name, a frame, and what comes of it in Initial, 0-RTT, Handshake and 1-RTT packets: at a
/// server, and at a client.
type Row = (u64, &'static str, &'static [u8], [[Cell; 2]; 4]);

#[rustfmt::skip]
const TABLE_3: [Row; 31] = [
    //                                                  Initial    0-RTT      Handshake  1-RTT
    (0x00, "PADDING", &[0x00],                        [[OK, OK], [OK, __], [OK, OK], [OK, OK]]),
    (0x01, "PING", &[0x01],                           [[OK, OK], [OK, __], [OK, OK], [OK, OK]]),
    (0x02, "ACK", &[0x02, 0, 0, 0, 0],                [[OK, OK], [PV, __], [OK, OK], [OK, OK]]),
    (0x03, "ACK with ECN", &[0x03, 0, 0, 0, 0, 0, 0, 0],
                                                      [[OK, OK], [PV, __], [OK, OK], [OK, OK]]),
    (0x04, "RESET_STREAM", &[0x04, 0, 0, 0],          [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x05, "STOP_SENDING", &[0x05, 0, 0],             [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x06, "CRYPTO", &[0x06, 0, 0],                   [[OK, OK], [PV, __], [OK, OK], [OK, OK]]),
    (0x07, "NEW_TOKEN", &[0x07, 1, 0],                [[PV, PV], [PV, __], [PV, PV], [PV, OK]]),
    (0x08, "STREAM", &[0x08, 0],                      [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x09, "STREAM FIN", &[0x09, 0],                  [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x0a, "STREAM LEN", &[0x0a, 0, 0],               [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x0b, "STREAM LEN FIN", &[0x0b, 0, 0],           [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x0c, "STREAM OFF", &[0x0c, 0, 7],               [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x0d, "STREAM OFF FIN", &[0x0d, 0, 7],           [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x0e, "STREAM OFF LEN", &[0x0e, 0, 7, 0],        [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x0f, "STREAM OFF LEN FIN", &[0x0f, 0, 7, 0],    [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x10, "MAX_DATA", &[0x10, 0],                    [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x11, "MAX_STREAM_DATA", &[0x11, 0, 0],          [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x12, "MAX_STREAMS bidi", &[0x12, 0],            [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x13, "MAX_STREAMS uni", &[0x13, 0],             [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x14, "DATA_BLOCKED", &[0x14, 0],                [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x15, "STREAM_DATA_BLOCKED", &[0x15, 0, 0],      [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x16, "STREAMS_BLOCKED bidi", &[0x16, 0],        [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x17, "STREAMS_BLOCKED uni", &[0x17, 0],         [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x18, "NEW_CONNECTION_ID", &[0x18, 4, 1, 4, 9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
        13, 14, 15, 16],                              [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x19, "RETIRE_CONNECTION_ID", &[0x19, 1],        [[PV, PV], [PV, __], [PV, PV], [OK, OK]]),
    (0x1a, "PATH_CHALLENGE", &[0x1a, 1, 2, 3, 4, 5, 6, 7, 8],
                                                      [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x1b, "PATH_RESPONSE", &[0x1b, 1, 2, 3, 4, 5, 6, 7, 8],
                                                      [[PV, PV], [PV, __], [PV, PV], [OK, OK]]),
    (0x1c, "CONNECTION_CLOSE", &[0x1c, 0, 0, 0],      [[CL, CL], [CL, __], [CL, CL], [CL, CL]]),
    (0x1d, "CONNECTION_CLOSE of an application", &[0x1d, 0, 0],
                                                      [[PV, PV], [CL, __], [PV, PV], [CL, CL]]),
    (0x1e, "HANDSHAKE_DONE", &[0x1e],                 [[PV, PV], [PV, __], [PV, PV], [PV, OK]]),
];

/// The same of extensions that were negotiated.
#[rustfmt::skip]
const EXTENSIONS: [Row; 5] = [
    (0x1f, "IMMEDIATE_ACK", &[0x1f],                  [[PV, PV], [PV, __], [PV, PV], [OK, OK]]),
    (0x24, "RESET_STREAM_AT", &[0x24, 0, 0, 0, 0],    [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x30, "DATAGRAM", &[0x30, 7],                    [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0x31, "DATAGRAM LEN", &[0x31, 1, 7],             [[PV, PV], [OK, __], [PV, PV], [OK, OK]]),
    (0xaf, "ACK_FREQUENCY", &[0x40, 0xaf, 0, 1, 0x80, 0, 0x61, 0xa8, 1],
                                                      [[PV, PV], [PV, __], [PV, PV], [OK, OK]]),
];

/// And of those that this end has not agreed to. The others are always agreed to.
#[rustfmt::skip]
const NOT_NEGOTIATED: [Row; 2] = [
    (0x30, "DATAGRAM", &[0x30, 7],                    [[PV, PV], [PV, __], [PV, PV], [PV, PV]]),
    (0x31, "DATAGRAM LEN", &[0x31, 1, 7],             [[PV, PV], [PV, __], [PV, PV], [PV, PV]]),
];

const PACKETS: [PacketType; 4] =
    [PacketType::Initial, PacketType::ZeroRtt, PacketType::Handshake, PacketType::OneRtt];
const SIDES: [Side; 2] = [Side::Server, Side::Client];

/// A connection that can open packets of this type, at either end; packet 0 was sent by both.
fn pair_for(victim: Side, packet: PacketType, config: &TransportConfig) -> Pair {
    let mut pair = Pair::started_with(config.clone(), config.clone());
    match packet {
        PacketType::Initial | PacketType::ZeroRtt => {
            if victim == Side::Server {
                let _flight = sent_by(&mut pair.server, pair.now);
            }
        }
        PacketType::Handshake => {
            pair.carry_to_client();
            if victim == Side::Client {
                let _flight = sent_by(&mut pair.client, pair.now);
            }
        }
        PacketType::OneRtt => {
            pair.settle();
            // Stream 0 is there on both ends.
            pair.client.open_stream(Direction::Bidirectional).unwrap();
        }
    }
    pair
}

/// What a connection makes of a frame in a packet of another type than 0-RTT, and whether the peer
/// hears the same.
fn outcome(pair: &mut Pair, victim: Side, packet: PacketType, row: &Row) -> Cell {
    let (ty, name, frame, _) = row;
    let space = match packet {
        PacketType::Initial => SpaceId::Initial,
        PacketType::Handshake => SpaceId::Handshake,
        PacketType::ZeroRtt | PacketType::OneRtt => SpaceId::Application,
    };
    let frames = [&[0; 20], *frame].concat();
    let mut datagram = pair.end(!victim).forge_with(space, &frames, 0, |_| {});
    if packet == PacketType::Initial {
        datagram.resize(1200, 0);
    }
    let now = pair.now;
    deliver(pair.end(victim), now, &datagram);
    let reason = pair.end(victim).close_reason().cloned();
    match reason {
        None => Cell::Ok,
        Some(ConnectionError::ConnectionClosed(_) | ConnectionError::ApplicationClosed(_)) => {
            assert!(sent_by(pair.end(victim), now).is_empty(), "{name}: no answer");
            Cell::Closed
        }
        Some(ConnectionError::TransportError(error)) => {
            assert_eq!((error.code, error.frame_type), (Code::PROTOCOL_VIOLATION, Some(*ty)));
            for datagram in sent_by(pair.end(victim), now) {
                deliver(pair.end(!victim), now, &datagram);
            }
            let heard = pair.end(!victim).close_reason().cloned();
            let Some(ConnectionError::ConnectionClosed(heard)) = heard else {
                panic!("{name}: the peer heard {heard:?}");
            };
            assert_eq!((heard.code, heard.frame_type), (error.code, Some(*ty)), "{name}");
            Cell::Violation
        }
        other => panic!("{name}: {other:?}"),
    }
}

/// The same of a 0-RTT packet at a server, behind the keys.
fn outcome_in_0_rtt(server: &mut Connection, row: &Row) -> Cell {
    let (ty, name, frame, _) = row;
    let received = Received {
        now: crate::Instant::EPOCH,
        at: crate::Instant::EPOCH,
        packet_type: PacketType::ZeroRtt,
        length: 0,
        destination_id: ConnectionId::EMPTY,
        source_id: None,
        other_version: None,
    };
    match server.handle_frames(&received, frame) {
        Err(error) => {
            assert_eq!(
                (error.code, error.frame_type),
                (Code::PROTOCOL_VIOLATION, Some(*ty)),
                "{name}"
            );
            Cell::Violation
        }
        Ok(_) if server.close_reason().is_some() => Cell::Closed,
        Ok(_) => Cell::Ok,
    }
}

/// A client drops a 0-RTT packet, whatever is in it.
fn dropped_0_rtt(pair: &mut Pair, frame: &[u8]) -> Cell {
    let mut datagram = pair.server.forge(SpaceId::Initial, frame);
    // The type bits of a long header: 0-RTT.
    datagram[0] = datagram[0] & 0xcf | 0x10;
    let before = pair.client.statistics();
    deliver(&mut pair.client, pair.now, &datagram);
    let after = pair.client.statistics();
    assert!(pair.client.close_reason().is_none());
    assert_eq!(after.packets_received, before.packets_received);
    assert!(after.packets_discarded > before.packets_discarded);
    Cell::Dropped
}

fn check(rows: &[Row], config: &TransportConfig) {
    for row in rows {
        let (ty, name, frame, cells) = row;
        assert_eq!(Reader::new(frame).varint(), Ok(*ty), "{name}");
        for (packet, expected) in PACKETS.into_iter().zip(cells) {
            for (victim, expected) in SIDES.into_iter().zip(expected) {
                let mut pair = pair_for(victim, packet, config);
                let found = match (packet, victim) {
                    (PacketType::ZeroRtt, Side::Server) => outcome_in_0_rtt(&mut pair.server, row),
                    (PacketType::ZeroRtt, Side::Client) => dropped_0_rtt(&mut pair, frame),
                    _ => outcome(&mut pair, victim, packet, row),
                };
                assert_eq!(found, *expected, "{name} in {packet:?} at the {victim:?}");
            }
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-12.4
//= type=test
//# An endpoint MUST treat
//# receipt of a frame in a packet type that is not permitted as a
//# connection error of type PROTOCOL_VIOLATION.
//= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
//= type=test
//# An endpoint that wishes to communicate a fatal connection error MUST
//# use a CONNECTION_CLOSE frame if it is able.
//= https://www.rfc-editor.org/rfc/rfc9000#section-11.1
//= type=test
//# Errors that result in the connection being unusable, such as an
//# obvious violation of protocol semantics or corruption of state that
//# affects an entire connection, MUST be signaled using a
//# CONNECTION_CLOSE frame (Section 19.19).
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.7
//= type=test
//# A server MUST treat receipt of a NEW_TOKEN frame as a connection error
//# of type PROTOCOL_VIOLATION.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.20
//= type=test
//# A server MUST treat receipt of a HANDSHAKE_DONE frame as a connection
//# error of type PROTOCOL_VIOLATION.
#[test]
fn every_frame_of_version_1_gets_in_every_packet_what_the_rfc_says() {
    for (ty, row) in (0..).zip(&TABLE_3) {
        assert_eq!(row.0, ty, "every type once");
    }
    check(&TABLE_3, &TransportConfig::default());
}

#[test]
fn every_frame_of_an_extension_gets_in_every_packet_what_its_specification_says() {
    check(&EXTENSIONS, &TransportConfig::default());
}

//= https://www.rfc-editor.org/rfc/rfc9221#section-3
//= type=test
//# An endpoint that receives a DATAGRAM frame when it has not indicated
//# support via the transport parameter MUST terminate the connection
//# with an error of type PROTOCOL_VIOLATION.
#[test]
fn frames_of_an_extension_that_was_not_negotiated_are_violations() {
    let config = TransportConfig { max_datagram_frame_size: 0, ..TransportConfig::default() };
    check(&NOT_NEGOTIATED, &config);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-12.4
//= type=test
//# An endpoint MUST treat the receipt of a frame of unknown type as a
//# connection error of type FRAME_ENCODING_ERROR.
#[test]
fn a_frame_of_any_other_type_is_an_encoding_error() {
    for (ty, frame) in
        [(0x20, &[0x20][..]), (0x3f, &[0x3f]), (0x40, &[0x40, 0x40]), (0x4000, &[0x80, 0, 0x40, 0])]
    {
        let mut pair = Pair::confirmed();
        pair.attack(Side::Server, SpaceId::Application, &[&[0; 20], frame].concat());
        let Some(ConnectionError::TransportError(error)) = pair.server.close_reason() else {
            panic!("{ty:#x} is taken");
        };
        assert_eq!((error.code, error.frame_type), (Code::FRAME_ENCODING_ERROR, Some(ty)));
    }
}
