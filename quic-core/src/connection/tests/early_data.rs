//! 0-RTT that a peer makes something else of (RFC 9001 §4.6, §4.9).

use std::time::Duration;

use super::Pair;
use super::pair::{client, deliver, error_of, sent_by};
use crate::config::{CongestionAlgorithm, TransportConfig};
use crate::connection::early_data::{EarlyData, EarlyDataStatus};
use crate::connection::frames::Received;
use crate::connection::parameters::{HandshakeIds, check};
use crate::error::TransportErrorCode;
use crate::instant::Instant;
use crate::wire::header::{Header, LongHeader, parse};
use crate::wire::transport_parameters::{EarlyLimits, TransportParameters, encode};
use crate::wire::{ConnectionId, Direction, PacketType, Side, SpaceId};

const NOW: Instant = Instant::from_nanos(1_000_000_000);

/// What a client has that offers early data, by keys that nobody else has.
fn offered(pair: &Pair) -> EarlyData {
    let keys = pair.client.crypto().initial_keys(1, &ConnectionId::EMPTY, Side::Client).unwrap();
    let limits = EarlyLimits::from(&TransportParameters::default());
    EarlyData::new(EarlyDataStatus::Offered, keys.local, limits)
}

#[test]
fn an_acknowledgment_of_rejected_early_data_is_a_violation() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.6.2
    //= type=test
    //# When 0-RTT was rejected, a client SHOULD treat receipt of an acknowledgment for a
    //# 0-RTT packet as a connection error of type PROTOCOL_VIOLATION, if it is able to detect
    //# the condition.
    for (below, expected) in [(2, Some(TransportErrorCode::PROTOCOL_VIOLATION)), (1, None)] {
        let mut pair = Pair::confirmed();
        // Packets 0 to 3, with numbers that are not left out.
        pair.client.early_data = Some(Box::new(offered(&pair)));
        let next = pair.client.space(SpaceId::Application).sent.next_number();
        assert!(next > 0, "the client has sent something");
        pair.client.forge(SpaceId::Application, &[1]);
        let early = pair.client.early_data.as_mut().unwrap();
        early.reject(next + below - 1);
        // ACK of the last packet.
        let ack = [0x02, u8::try_from(next).unwrap(), 0, 0, 0];
        pair.attack(Side::Client, SpaceId::Application, &ack);
        assert_eq!(error_of(&pair.client), expected, "below {below}");
    }
}

#[test]
fn frames_that_no_client_sends_in_0_rtt_are_a_violation() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-8.3
    //= type=test
    //# A server MUST treat receipt of a CRYPTO frame in a 0-RTT packet as a connection error
    //# of type PROTOCOL_VIOLATION.
    let frames: [(&[u8], bool); 8] = [
        (&[0x06, 0, 1, 1], false),
        (&[0x02, 0, 0, 0, 0], false),
        (&[0x07, 1, 1], false),
        (&[0x19, 0], false),
        (&[0x1b, 1, 2, 3, 4, 5, 6, 7, 8], false),
        (&[0x1e], false),
        (&[0x01], true),
        (&[0x0a, 2, 1, 42], true),
    ];
    for (frame, permitted) in frames {
        let mut pair = Pair::started();
        let received = early_packet(&pair);
        let result = pair.server.handle_frames(&received, frame);
        let code = result.err().map(|error| error.code);
        let expected = (!permitted).then_some(TransportErrorCode::PROTOCOL_VIOLATION);
        assert_eq!(code, expected, "{frame:?}");
    }
}

#[test]
fn what_is_remembered_is_what_streams_need_and_nothing_of_the_last_connection_itself() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
    //= type=test
    //# A client MUST NOT use remembered values for the following parameters:
    //# ack_delay_exponent, max_ack_delay, initial_source_connection_id,
    //# original_destination_connection_id, preferred_address, retry_source_connection_id, and
    //# stateless_reset_token.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
    //= type=test
    //# A client that attempts to send 0-RTT data MUST remember all other transport parameters
    //# used by the server that it is able to process.
    let mut client = client(NOW, TransportConfig::default());
    let (peer, id) = (format!("{:?}", client.peer), *client.remote_ids.active());
    client.apply_remembered(
        NOW,
        &TransportParameters {
            ack_delay_exponent: 9,
            max_ack_delay: 99,
            initial_source_connection_id: Some(ConnectionId::new(&[9; 8]).unwrap()),
            initial_max_streams_uni: 2,
            initial_max_data: 10,
            initial_max_stream_data_uni: 7,
            ..TransportParameters::default()
        },
    );
    assert_eq!(format!("{:?}", client.peer), peer);
    assert_eq!(*client.remote_ids.active(), id);
    let [one, two] = [(); 2].map(|()| client.open_stream(Direction::Unidirectional).unwrap());
    assert!(client.open_stream(Direction::Unidirectional).is_err());
    assert!(client.open_stream(Direction::Bidirectional).is_err());
    assert_eq!(client.send_stream(one).write(&[1; 20]), Ok(7));
    assert_eq!(client.send_stream(two).write(&[1; 20]), Ok(3));
}

#[test]
fn a_client_uses_one_long_random_id_of_the_server_until_it_hears_of_another() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.2
    //= type=test
    //# This Destination Connection ID MUST be at least 8 bytes in length.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.2
    //= type=test
    //# Until a packet is received from the server, the client MUST use the same Destination
    //# Connection ID value on all packets in this connection.
    let mut client = client(NOW, TransportConfig::default());
    let mut now = NOW;
    let mut ids = Vec::new();
    for _ in 0..4 {
        for datagram in sent_by(&mut client, now) {
            let Ok(Header::Long(LongHeader { destination_id, .. })) = parse(&datagram, 8) else {
                panic!("no Initial");
            };
            ids.push(destination_id);
        }
        now = now.max(client.poll_timeout().unwrap());
        client.handle_timeout(now);
    }
    assert!(ids.len() >= 3 && ids[0].length() >= 8);
    // It is that which the keys of its packets are made from.
    let expected = client.ids_seen.original_destination;
    assert!(ids.iter().all(|id| *id == expected));
}

#[test]
fn both_kinds_of_packets_of_a_servers_first_flight_share_a_datagram() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4
    //= type=test
    //# When packets of different types need to be sent, endpoints SHOULD use coalesced
    //# packets to send them in the same UDP datagram.
    let mut pair = Pair::started();
    let shared = sent_by(&mut pair.server, pair.now).iter().any(|datagram| {
        let Ok(Header::Long(first)) = parse(datagram, 8) else { panic!("no long header") };
        let second = parse(&datagram[first.packet_length..], 8);
        matches!(second, Ok(Header::Long(second)) if second.ty != first.ty)
    });
    assert!(shared);
}

#[test]
fn the_end_of_the_handshake_is_announced_as_soon_as_it_is_there() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.1.2
    //= type=test
    //# The server MUST send a HANDSHAKE_DONE frame as soon as the handshake is complete.
    let mut pair = Pair::answered();
    for datagram in sent_by(&mut pair.client, pair.now) {
        deliver(&mut pair.server, pair.now, &datagram);
    }
    assert!(pair.server.handshake.is_complete() && !pair.client.handshake.is_confirmed());
    for datagram in sent_by(&mut pair.server, pair.now) {
        deliver(&mut pair.client, pair.now, &datagram);
    }
    assert!(pair.client.handshake.is_confirmed());
}

/// What a client has of its own parameters that says nothing against the handshake.
fn parameters_of(ids: &HandshakeIds) -> TransportParameters {
    TransportParameters {
        original_destination_connection_id: Some(ids.original_destination),
        initial_source_connection_id: ids.peer_initial_source,
        ..TransportParameters::default()
    }
}

#[test]
fn parameters_that_are_missing_or_out_of_range_close_the_connection() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.3
    //= type=test
    //# An endpoint MUST treat the absence of the initial_source_connection_id transport
    //# parameter from either endpoint or the absence of the
    //# original_destination_connection_id transport parameter from the server as a connection
    //# error of type TRANSPORT_PARAMETER_ERROR.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4
    //= type=test
    //# An endpoint MUST treat receipt of a transport parameter with an invalid value as a
    //# connection error of type TRANSPORT_PARAMETER_ERROR.
    let id = |byte| ConnectionId::new(&[byte; 8]).unwrap();
    let ids = HandshakeIds {
        local_source: id(1),
        original_destination: id(2),
        peer_initial_source: Some(id(3)),
        retry_source: None,
    };
    let good = parameters_of(&ids);
    let cases = [
        (good.clone(), None),
        (TransportParameters { initial_source_connection_id: None, ..good.clone() }, Some(())),
        (
            TransportParameters { original_destination_connection_id: None, ..good.clone() },
            Some(()),
        ),
        (TransportParameters { ack_delay_exponent: 21, ..good }, Some(())),
    ];
    for (parameters, fails) in cases {
        let mut encoded = Vec::new();
        encode(&parameters, &mut encoded);
        let code = check(&encoded, Side::Server, &ids).err().map(|error| error.code);
        assert_eq!(code, fails.map(|()| TransportErrorCode::TRANSPORT_PARAMETER_ERROR));
    }
}

#[test]
fn the_first_packet_of_the_client_says_where_the_server_answers_to() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.2
    //= type=test
    //# A server MUST set the Destination Connection ID it uses for sending packets based on
    //# the first received Initial packet.
    let mut pair = Pair::started();
    let source = pair.client.ids_seen.local_source;
    for datagram in sent_by(&mut pair.server, pair.now) {
        let Ok(Header::Long(first)) = parse(&datagram, 8) else { panic!("no long header") };
        assert_eq!(first.destination_id, source);
    }
    pair.client.ids_seen.local_source = ConnectionId::new(&[9; 8]).unwrap();
    let other = pair.client.forge(SpaceId::Initial, &[1]);
    let known = pair.server.statistics().packets_received;
    deliver(&mut pair.server, pair.now, &other);
    assert_eq!(pair.server.statistics().packets_received, known);
    assert_eq!(*pair.server.remote_ids.active(), source);
}

#[test]
fn a_client_goes_by_the_new_parameters_of_the_server_after_the_handshake() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
    //= type=test
    //# The client MUST use the server's new values in the handshake instead; if the server
    //# does not provide new values, the default values are used.
    let mut pair = Pair::started_with(
        TransportConfig::default(),
        TransportConfig { max_ack_delay: Duration::from_millis(70), ..TransportConfig::default() },
    );
    pair.client.early_data = Some(Box::new(offered(&pair)));
    pair.client.apply_remembered(
        NOW,
        &TransportParameters {
            max_ack_delay: 5,
            ack_delay_exponent: 9,
            ..TransportParameters::default()
        },
    );
    pair.settle();
    assert_eq!(pair.client.early_data(), Some(EarlyDataStatus::Rejected));
    assert_eq!(Duration::from(pair.client.peer.max_ack_delay), Duration::from_millis(71));
    assert_eq!(pair.client.peer.ack_delay_exponent, 3);
}

#[test]
fn handshake_data_out_of_order_is_kept_for_a_while() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.5
    //= type=test
    //# Implementations MUST support buffering at least 4096 bytes of data received in
    //# out-of-order CRYPTO frames.
    let mut pair = Pair::started();
    // CRYPTO frames that leave the first byte out, up to an offset of 4,096.
    for offset in (1..4096).step_by(819) {
        let mut frame = vec![0x06];
        frame.extend((u16::try_from(offset).unwrap() | 0x4000).to_be_bytes());
        // 819 bytes, their count in two.
        frame.extend((0x0333_u16 | 0x4000).to_be_bytes());
        frame.extend([7; 0x0333]);
        pair.attack(Side::Client, SpaceId::Initial, &frame);
        assert_eq!(error_of(&pair.client), None, "at {offset}");
    }
}

#[test]
fn a_client_hello_fills_its_datagram() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-9.3
    //= type=test
    //# First, the packet containing a ClientHello MUST be padded to a minimum size.
    let mut client = client(NOW, TransportConfig::default());
    for datagram in sent_by(&mut client, NOW) {
        assert!(datagram.len() >= 1200);
    }
}

/// A 0-RTT packet as it comes to a server.
fn early_packet(pair: &Pair) -> Received {
    Received {
        now: pair.now,
        at: pair.now,
        packet_type: PacketType::ZeroRtt,
        destination_id: ConnectionId::EMPTY,
        source_id: None,
        other_version: None,
        length: 100,
    }
}

#[test]
fn early_data_beyond_the_limits_is_an_error_of_the_limit() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.3
    //= type=test
    //# A server SHOULD treat a violation of remembered limits (Section 7.4.1) as a connection
    //# error of an appropriate type (for instance, a FLOW_CONTROL_ERROR for exceeding stream
    //# data limits).
    let beyond = [0x0e, 2, 0xc0, 0, 1, 0, 0, 0, 0, 0, 1, 42];
    let too_many = [0x0a, 0x80, 1, 0, 2, 1, 42];
    for (frame, expected) in [
        (&beyond[..], TransportErrorCode::FLOW_CONTROL_ERROR),
        (&too_many, TransportErrorCode::STREAM_LIMIT_ERROR),
    ] {
        let mut pair = Pair::started();
        let received = early_packet(&pair);
        let error = pair.server.handle_frames(&received, frame).unwrap_err();
        assert_eq!(error.code, expected);
    }
}

#[test]
fn only_clients_seal_with_0_rtt_keys_and_only_servers_open() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.6
    //= type=test
    //# A server MUST NOT use 0-RTT keys to protect packets; it uses 1-RTT keys to protect
    //# acknowledgments of 0-RTT packets.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.6
    //= type=test
    //# A client MUST NOT attempt to decrypt 0-RTT packets it receives and instead MUST discard
    //# them.
    let mut pair = Pair::started();
    pair.client.early_data = Some(Box::new(offered(&pair)));
    pair.server.early_data = Some(Box::new(offered(&pair)));
    pair.server.keys.one_rtt = None;
    assert!(pair.client.can_seal(SpaceId::Application) && pair.server.opens_early());
    assert!(!pair.server.can_seal(SpaceId::Application));
    assert!(!pair.client.opens_early() && !pair.client.may_open_early());
}

#[test]
fn a_client_with_1_rtt_keys_has_no_use_for_others() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9.3
    //= type=test
    //# Therefore, a client SHOULD discard 0-RTT keys as soon as it installs 1-RTT keys as they
    //# have no use after that moment.
    let mut pair = Pair::started();
    for end in [Side::Client, Side::Server] {
        let early = offered(&pair);
        let connection = pair.end(end);
        connection.early_data = Some(Box::new(early));
        connection.on_one_rtt_keys();
        assert_eq!(connection.has_early_keys(), end == Side::Server);
    }
}

/// What a server said that allows streams in 0-RTT.
fn remembered() -> TransportParameters {
    TransportParameters {
        initial_max_streams_uni: 2,
        initial_max_data: 10_000,
        initial_max_stream_data_uni: 10_000,
        ..TransportParameters::default()
    }
}

#[test]
fn a_server_that_took_no_early_data_keeps_nothing_of_what_comes() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.6.2
    //= type=test
    //# When rejecting 0-RTT, a server MUST NOT process any 0-RTT packets, even if it could.
    let mut pair = Pair::started();
    pair.client.early_data = Some(Box::new(offered(&pair)));
    pair.client.apply_remembered(pair.now, &remembered());
    let id = pair.client.open_stream(Direction::Unidirectional).unwrap();
    pair.client.send_stream(id).write(&[7; 3000]).unwrap();
    let early = sent_by(&mut pair.client, pair.now);
    assert!(early.len() > 2);
    let before = pair.server.statistics();
    for datagram in early {
        deliver(&mut pair.server, pair.now, &datagram);
    }
    let after = pair.server.statistics();
    assert_eq!(after.packets_received, before.packets_received);
    assert!(after.packets_discarded > before.packets_discarded + 2);
    assert!(pair.server.undecryptable.take(PacketType::ZeroRtt).is_empty());
}

#[test]
fn early_data_that_is_sent_again_has_new_packet_numbers() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.3
    //= type=test
    //# New packet numbers MUST be used for any new packets that are sent; as described in
    //# Section 17.2.5.3, reusing packet numbers could compromise packet protection.
    let mut pair = Pair::started();
    pair.client.early_data = Some(Box::new(offered(&pair)));
    pair.client.apply_remembered(pair.now, &remembered());
    let id = pair.client.open_stream(Direction::Unidirectional).unwrap();
    pair.client.send_stream(id).write(&[7; 3000]).unwrap();
    let next = |pair: &Pair| pair.client.space(SpaceId::Application).sent.next_number();
    let first = sent_by(&mut pair.client, pair.now).len();
    let before = next(&pair);
    assert!(first > 2 && before > 2);
    pair.client.resend_all(SpaceId::Application);
    assert_eq!(next(&pair), before);
    assert_eq!(sent_by(&mut pair.client, pair.now).len(), first, "all of it is sent again");
    assert!(next(&pair) >= 2 * before);
}

#[test]
fn nothing_is_remembered_of_early_packets_that_were_given_up() {
    let congestion = CongestionAlgorithm::Bbr;
    let of_client = TransportConfig { congestion, ..TransportConfig::default() };
    let mut pair = Pair::started_with(of_client, TransportConfig::default());
    pair.client.early_data = Some(Box::new(offered(&pair)));
    pair.client.apply_remembered(pair.now, &remembered());
    let id = pair.client.open_stream(Direction::Unidirectional).unwrap();
    pair.client.send_stream(id).write(&[7; 3000]).unwrap();
    let sampled = |pair: &Pair| pair.client.paths.active().sampled_packets();
    let before = sampled(&pair);
    assert!(!sent_by(&mut pair.client, pair.now).is_empty());
    assert!(sampled(&pair) > before);
    pair.client.resend_all(SpaceId::Application);
    assert_eq!(sampled(&pair), before);
}

#[test]
fn what_is_remembered_of_the_path_and_the_timeout_holds_until_the_server_says_more() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
    //= type=test
    //# A client that attempts to send 0-RTT data MUST remember all other transport parameters
    //# used by the server that it is able to process.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
    //= type=test
    //# The client MUST use the server's new values in the handshake instead; if the server
    //# does not provide new values, the default values are used.
    let of_client = TransportConfig { initial_mtu: 1400, ..TransportConfig::default() };
    let mut pair = Pair::started_with(of_client, TransportConfig::default());
    pair.client.early_data = Some(Box::new(offered(&pair)));
    let mtu = |pair: &Pair| pair.client.paths.active().mtu.current();
    let half_of_idle = |pair: &Pair| pair.client.idle_timeout.deadline().unwrap();
    assert_eq!(mtu(&pair), 1400);
    let idle = Duration::from_secs(20);
    pair.client.apply_remembered(
        pair.now,
        &TransportParameters {
            max_udp_payload_size: 1250,
            max_idle_timeout: 20_000,
            disable_active_migration: true,
            ..remembered()
        },
    );
    assert_eq!(mtu(&pair), 1250);
    assert!(pair.client.peer.forbids_migration);
    assert_eq!(half_of_idle(&pair), pair.now + idle / 2);
    pair.carry_to_client();
    let heard = pair.now;
    assert_eq!(pair.client.early_data(), Some(EarlyDataStatus::Rejected));
    assert_eq!(mtu(&pair), 1400);
    assert!(!pair.client.peer.forbids_migration);
    assert_eq!(half_of_idle(&pair), heard + Duration::from_secs(15));
    pair.client.datagrams();
    pair.settle();
    assert!(mtu(&pair) > 1440, "the search goes on above what was remembered");
}
