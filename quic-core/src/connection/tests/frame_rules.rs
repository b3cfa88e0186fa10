//! What packets are made of, and what of it an end never sends (RFC 9000 §12, §19).

use std::time::Duration;

use bytes::Bytes;

use super::Pair;
use super::pair::{deliver, one_sent_by, sent_by};
use crate::config::{AckFrequencyConfig, CongestionAlgorithm, TransportConfig};
use crate::congestion::Rtt;
use crate::error::ConnectionError;
use crate::net::SocketId;
use crate::packet::SentFrame;
use crate::recovery::Recovery;
use crate::streams::WriteError;
use crate::transmit::TransmitBuffer;
use crate::wire::header::{Header, parse};
use crate::wire::{Direction, Side, SpaceId, VarInt};

/// The long headers of a datagram: type and destination.
fn long_packets(datagram: &[u8]) -> Vec<(String, Vec<u8>)> {
    let (mut rest, mut packets) = (datagram, Vec::new());
    while let Ok(Header::Long(long)) = parse(rest, 8) {
        packets.push((format!("{:?}", long.ty), long.destination_id.as_slice().to_vec()));
        rest = &rest[long.packet_length.min(rest.len())..];
    }
    packets
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-12.2
//= type=test
//# An endpoint SHOULD include multiple frames in a single packet if they
//# are to be sent at the same encryption level, instead of coalescing
//# multiple packets at the same encryption level.
//= https://www.rfc-editor.org/rfc/rfc9000#section-12.2
//= type=test
//# Senders MUST NOT coalesce QUIC packets with different connection IDs
//# into a single UDP datagram.
#[test]
fn a_datagram_has_one_packet_of_a_kind_and_one_destination() {
    let mut pair = Pair::started();
    let (mut coalesced, now) = (0, pair.now);
    for _ in 0..6 {
        for side in [Side::Server, Side::Client] {
            for datagram in sent_by(pair.end(side), now) {
                let packets = long_packets(&datagram);
                let repeated =
                    |at: usize| packets[..at].iter().any(|(kind, _)| *kind == packets[at].0);
                assert!(!(0..packets.len()).any(repeated));
                assert!(packets.iter().all(|(_, destination)| *destination == packets[0].1));
                coalesced += usize::from(packets.len() > 1);
                deliver(pair.end(!side), now, &datagram);
            }
        }
    }
    assert!(coalesced > 0);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-12.2
//= type=test
//# The receiver of coalesced QUIC packets MUST individually process each
//# QUIC packet and separately acknowledge them, as if they were received as
//# the payload of different UDP datagrams.
#[test]
fn coalesced_packets_are_acknowledged_each_in_its_space() {
    let mut pair = Pair::started();
    let flight = sent_by(&mut pair.server, pair.now);
    // A long ServerHello takes more than one datagram.
    let both = flight.iter().position(|datagram| long_packets(datagram).len() == 2).unwrap();
    for datagram in &flight[..=both] {
        deliver(&mut pair.client, pair.now, datagram);
    }
    for space in [SpaceId::Initial, SpaceId::Handshake] {
        let largest = pair.client.space(space).received.largest();
        assert_eq!(largest, Some(if space == SpaceId::Initial { both as u64 } else { 0 }));
        assert!(pair.client.space(space).received.has_unacked());
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-12.3
//= type=test
//# Duplicate suppression MUST happen after removing packet protection for
//# the reasons described in Section 9.5 of [QUIC-TLS].
#[test]
fn only_an_authentic_packet_makes_its_number_a_duplicate() {
    let mut pair = Pair::confirmed();
    let before = pair.server.statistics();
    let ping = pair.client.forge(SpaceId::Application, &[&[0; 20][..], &[1]].concat());
    let mut forged = ping.clone();
    *forged.last_mut().unwrap() ^= 1;
    for (datagram, received, discarded) in [(&forged, 0, 1), (&ping, 1, 1), (&ping, 1, 2)] {
        deliver(&mut pair.server, pair.now, datagram);
        let after = pair.server.statistics();
        assert_eq!(after.packets_received - before.packets_received, received);
        assert_eq!(after.packets_discarded - before.packets_discarded, discarded);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-12.3
//= type=test
//# If the packet number for sending reaches 2^62-1, the sender MUST close
//# the connection without sending a CONNECTION_CLOSE frame or any further
//# packets; an endpoint MAY send a Stateless Reset (Section 10.3) in
//# response to further packets that it receives.
#[test]
fn an_end_that_runs_out_of_packet_numbers_falls_silent() {
    let mut pair = Pair::confirmed();
    // A number is left out now and then, and here first of all: this one.
    let left_out = VarInt::MAX.into_inner() - 2;
    pair.client.space_mut(SpaceId::Application).sent.jump_to(left_out);
    pair.client.ping();
    assert!(one_sent_by(&mut pair.client, pair.now).is_some(), "the last number");
    pair.client.ping();
    assert!(sent_by(&mut pair.client, pair.now).is_empty());
    assert!(matches!(pair.client.close_reason(), Some(ConnectionError::TransportError(_))));
    assert!(sent_by(&mut pair.client, pair.now).is_empty(), "not even CONNECTION_CLOSE");
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-12.5
//= type=test
//# CONNECTION_CLOSE frames signaling application errors (type 0x1d) MUST
//# only appear in the application data packet number space.
#[test]
fn an_application_close_is_in_1_rtt_packets_only() {
    let mut pair = Pair::started();
    let now = pair.now;
    pair.server.close(now, VarInt::from_u32(9), Bytes::from_static(b"secret"));
    let sent = sent_by(&mut pair.server, now);
    assert!(!sent.is_empty());
    for datagram in sent {
        deliver(&mut pair.client, now, &datagram);
    }
    let Some(ConnectionError::ConnectionClosed(heard)) = pair.client.close_reason() else {
        panic!("{:?}", pair.client.close_reason());
    };
    assert_eq!(heard.code, crate::TransportErrorCode::APPLICATION_ERROR);
    assert_eq!(heard.reason, "");
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-19.7
//= type=test
//# Clients MUST NOT send NEW_TOKEN frames.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.20
//= type=test
//# Servers MUST NOT send a HANDSHAKE_DONE frame before completing the
//# handshake.
#[test]
fn tokens_are_a_servers_to_send_and_so_is_the_end_of_the_handshake_when_it_is_there() {
    let mut pair = Pair::confirmed();
    let now = pair.now;
    pair.client.queue_new_tokens(now);
    assert!(!pair.client.wants_transmit());
    pair.server.queue_new_tokens(now);
    assert!(pair.server.wants_transmit());
    let mut pair = Pair::started();
    assert!(!pair.server.handshake.confirm());
    assert!(!pair.server.handshake.has_frames(SpaceId::Application));
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-4.5
//= type=test
//# An endpoint MUST NOT send data on a stream at or beyond the final size.
#[test]
fn nothing_is_written_behind_the_end() {
    let mut pair = Pair::confirmed();
    let id = pair.client.open_stream(Direction::Unidirectional).unwrap();
    pair.client.send_stream(id).write(&[7; 10]).unwrap();
    pair.client.send_stream(id).finish().unwrap();
    assert_eq!(pair.client.send_stream(id).write(&[7]), Err(WriteError::Closed));
    let id = pair.client.open_stream(Direction::Unidirectional).unwrap();
    pair.client.send_stream(id).reset(VarInt::default()).unwrap();
    assert_eq!(pair.client.send_stream(id).write(&[7]), Err(WriteError::Closed));
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-19.19
//= type=test
//# This SHOULD be a UTF-8 encoded string [RFC3629], though the frame does
//# not carry information, such as language tags, that would aid
//# comprehension by any entity other than the one that created the text.
//= https://www.rfc-editor.org/rfc/rfc9000#section-11
//= type=test
//# An endpoint that detects an error SHOULD signal the existence of that
//# error to its peer.
#[test]
fn the_reason_for_a_close_can_be_read() {
    let mut pair = Pair::confirmed();
    pair.attack(Side::Server, SpaceId::Application, &[0x19, 9]);
    let said = pair.server.close_reason().cloned();
    let Some(ConnectionError::TransportError(said)) = said else { panic!("{said:?}") };
    pair.carry_to_client();
    let Some(ConnectionError::ConnectionClosed(heard)) = pair.client.close_reason() else {
        panic!("{:?}", pair.client.close_reason());
    };
    assert!(!said.reason.is_empty());
    assert_eq!(heard.reason, said.reason);
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-3
//= type=test
//# Endpoints MUST NOT remember the value of the min_ack_delay transport
//# parameter they received for use in a subsequent connection.
#[test]
fn nobody_is_asked_for_other_acknowledgments_before_this_handshake_said_so() {
    let asking = TransportConfig {
        ack_frequency: Some(AckFrequencyConfig::default()),
        ..TransportConfig::default()
    };
    let mut pair = Pair::started_with(asking, TransportConfig::default());
    assert!(pair.client.ack_frequency.is_none());
    pair.settle();
    assert!(pair.client.ack_frequency.is_some());
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-7
//= type=test
//# Therefore, if Reordering Threshold is set to 0, the PTO MUST be larger
//# than the peer's max_ack_delay.
#[test]
fn a_probe_timeout_is_longer_than_the_delay_of_acknowledgments() {
    let delay = Duration::from_millis(25);
    let mut rtt = Rtt::new(Duration::from_millis(1));
    rtt.update(crate::Instant::EPOCH, Duration::from_nanos(1), Duration::ZERO);
    assert!(Recovery::pto(&rtt, delay, SpaceId::Application) > delay);
}

#[test]
fn probes_of_the_mtu_carry_no_data_and_need_no_credit() {
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# Probe loss recovery: It is RECOMMENDED to use probe packets that do not carry any user
    //# data that would require retransmission if lost.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# Flow control SHOULD NOT apply to DPLPMTU when probe packets use a design that does not
    //# carry user data to the remote application.
    let of_server = TransportConfig {
        receive_window: 1000,
        stream_receive_window: 1000,
        ..TransportConfig::default()
    };
    let mut pair = Pair::started_with(TransportConfig::default(), of_server);
    while !pair.client.handshake.is_confirmed() {
        assert!(pair.carry_to_client() > 0, "the handshake goes on");
        if !pair.client.handshake.is_confirmed() {
            pair.carry_to_server();
        }
    }
    let id = pair.client.open_stream(Direction::Unidirectional).unwrap();
    assert_eq!(pair.client.send_stream(id).write(&[7; 5000]), Ok(1000));
    assert_eq!(pair.client.send_stream(id).write(&[7; 5000]), Err(WriteError::Blocked));
    let (mut memory, space) = ([0; 1500], SpaceId::Application);
    let frames = pair.client.space_mut(space).sent.frames_mut().len();
    let mut buffer = TransmitBuffer::new(&mut memory, 1);
    let probe = pair.client.transmit_mtu_probe(pair.now, SocketId(0), &mut buffer).unwrap();
    assert!(probe.length > 1200, "it is a probe");
    let frames_after = pair.client.space_mut(space).sent.frames_mut();
    assert_eq!(frames_after.len(), frames + 1);
    assert_eq!(frames_after.back(), Some(&SentFrame::Ping));
}

#[test]
fn nothing_is_remembered_of_an_mtu_probe_that_the_interface_refused() {
    let congestion = CongestionAlgorithm::Bbr;
    let of_client = TransportConfig { congestion, ..TransportConfig::default() };
    let mut pair = Pair::started_with(of_client, TransportConfig::default());
    while !pair.client.handshake.is_confirmed() {
        assert!(pair.carry_to_client() > 0, "the handshake goes on");
        if !pair.client.handshake.is_confirmed() {
            pair.carry_to_server();
        }
    }
    let before = pair.client.paths.active().sampled_packets();
    let in_flight = pair.client.statistics().bytes_in_flight;
    let mut memory = [0; 2000];
    let mut buffer = TransmitBuffer::new(&mut memory, 1);
    let probe = pair.client.transmit_mtu_probe(pair.now, SocketId(0), &mut buffer).unwrap();
    assert_eq!(pair.client.paths.active().sampled_packets(), before + 1);
    pair.client.handle_too_large(pair.now, probe.length);
    assert_eq!(pair.client.paths.active().sampled_packets(), before);
    assert_eq!(pair.client.statistics().bytes_in_flight, in_flight);
}
