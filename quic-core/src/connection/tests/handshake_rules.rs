//! Rules of the handshake: keys, Retry, limits, and what nobody may bring about by guessing.

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use super::Pair;
use super::pair::{DELAY, client, deliver, error_of, one_sent_by, sent_by};
use crate::config::TransportConfig;
use crate::connection::Connection;
use crate::connection::parameters::{HandshakeIds, check, local_parameters};
use crate::crypto::retry_tag;
use crate::error::{ConnectionError, TransportErrorCode};
use crate::instant::Instant;
use crate::net::SocketId;
use crate::packet::{PacketWriter, SentFrame};
use crate::transmit::TransmitBuffer;
use crate::wire::frame::NewConnectionId;
use crate::wire::header::{
    Header, LongHeader, LongType, RetryParts, parse, write_retry_without_tag,
    write_version_negotiation,
};
use crate::wire::transport_parameters::{PreferredAddress, TransportParameters, encode};
use crate::wire::{ConnectionId, Side, SpaceId, StatelessResetToken, Writer};

const PING: &[u8] = &[0x01];
const NOW: Instant = Instant::from_nanos(1_000_000_000);

fn id(byte: u8) -> ConnectionId {
    ConnectionId::new(&[byte; 8]).unwrap()
}

/// The Retry of a server that calls itself `source_id`.
fn retry(connection: &Connection, source_id: ConnectionId, token: &[u8]) -> Vec<u8> {
    let mut memory = [0; 1500];
    let mut writer = Writer::new(&mut memory);
    let destination_id = connection.ids_seen.local_source;
    let parts = RetryParts { version: 1, destination_id, source_id, token };
    write_retry_without_tag(&mut writer, &parts, 0).unwrap();
    let mut packet = writer.written().to_vec();
    let tag = retry_tag(1, &connection.ids_seen.original_destination, &packet).unwrap();
    packet.extend(tag);
    packet
}

/// Destination connection ID and token of the Initial at the start of a datagram.
fn initial(datagram: &[u8]) -> (ConnectionId, Vec<u8>) {
    match parse(datagram, 8) {
        Ok(Header::Long(LongHeader { destination_id, token, .. })) => {
            (destination_id, token.to_vec())
        }
        other => panic!("no Initial: {other:?}"),
    }
}

#[test]
fn a_client_believes_one_authentic_retry_and_keeps_its_token() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.2
    //= type=test
    //# A client MUST change the Destination Connection ID it uses for sending packets in
    //# response to only the first received Initial or Retry packet.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.1
    //= type=test
    //# A client MUST discard a Retry packet that contains a Source Connection ID field that is
    //# identical to the Destination Connection ID field of its Initial packet.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.1
    //= type=test
    //# The client MUST use the value from the Source Connection ID field of the Retry packet in
    //# the Destination Connection ID field of subsequent packets that it sends.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.2
    //= type=test
    //# A client MUST accept and process at most one Retry packet for each connection attempt.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.2
    //= type=test
    //# After the client has received and processed an Initial or Retry packet from the server,
    //# it MUST discard any subsequent Retry packets that it receives.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.2
    //= type=test
    //# Clients MUST discard Retry packets that have a Retry Integrity Tag that cannot be
    //# validated; see Section 5.8 of [QUIC-TLS].
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.2
    //= type=test
    //# The client MUST NOT change the Source Connection ID because the server could include the
    //# connection ID as part of its token validation logic; see Section 8.1.4.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.3
    //= type=test
    //# A client MUST NOT reset the packet number for any packet number space after processing a
    //# Retry packet.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
    //= type=test
    //# Clients MUST ensure that UDP datagrams containing Initial packets have
    //# UDP payloads of at least 1200 bytes, adding PADDING frames as necessary.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.2
    //= type=test
    //# This token MUST be repeated by the client in all Initial packets it
    //# sends for that connection after it receives the Retry packet.
    let mut client = client(NOW, TransportConfig::default());
    let first = sent_by(&mut client, NOW);
    assert_eq!(initial(&first[0]).1, []);
    let mut forged = retry(&client, id(5), b"token");
    *forged.last_mut().unwrap() ^= 1;
    deliver(&mut client, NOW, &forged);
    assert_eq!(sent_by(&mut client, NOW).len(), 0, "a forged Retry changes nothing");
    let same = retry(&client, client.ids_seen.original_destination, b"token");
    deliver(&mut client, NOW, &same);
    assert_eq!(sent_by(&mut client, NOW).len(), 0, "a Retry has to bring a new ID");
    let own = mem::replace(&mut client.ids_seen.local_source, id(9));
    let astray = retry(&client, id(5), b"token");
    client.ids_seen.local_source = own;
    deliver(&mut client, NOW, &astray);
    assert_eq!(sent_by(&mut client, NOW).len(), 0, "a Retry is for whoever asked");
    let numbers = client.space(SpaceId::Initial).sent.next_number();
    let good = retry(&client, id(5), b"token");
    deliver(&mut client, NOW, &good);
    assert_eq!(client.statistics().bytes_in_flight, 0, "nothing waits for an acknowledgment");
    let again = sent_by(&mut client, NOW);
    assert_eq!(again.len(), first.len());
    assert!(again.iter().all(|datagram| initial(datagram) == (id(5), b"token".to_vec())));
    assert!(again.iter().all(|datagram| datagram.len() >= 1200));
    let source = |datagram: &Vec<u8>| match parse(datagram, 8) {
        Ok(Header::Long(header)) => header.source_id,
        other => panic!("no Initial: {other:?}"),
    };
    assert!(again.iter().all(|datagram| source(datagram) == source(&first[0])));
    assert_eq!(client.space(SpaceId::Initial).sent.next_number(), 2 * numbers);
    let other = retry(&client, id(6), b"other");
    deliver(&mut client, NOW, &other);
    let later = client.poll_timeout().unwrap();
    client.handle_timeout(later);
    let probe = one_sent_by(&mut client, later).unwrap();
    assert_eq!(initial(&probe), (id(5), b"token".to_vec()), "in every later Initial");
}

#[test]
fn a_client_believes_no_retry_and_no_version_negotiation_after_a_packet_of_the_server() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-6.2
    //= type=test
    //# A client MUST discard any Version Negotiation packet if it has received and successfully
    //# processed any other packet, including an earlier Version Negotiation packet.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.2
    //= type=test
    //# After the client has received and processed an Initial or Retry packet from the server,
    //# it MUST discard any subsequent Retry packets that it receives.
    let mut pair = Pair::started();
    let ping = pair.server.forge(SpaceId::Initial, PING);
    deliver(&mut pair.client, pair.now, &ping);
    let _ack = sent_by(&mut pair.client, pair.now);
    let late = retry(&pair.client, id(5), b"token");
    deliver(&mut pair.client, pair.now, &late);
    assert_eq!(pair.client.token(), []);
    let mut memory = [0; 100];
    let mut writer = Writer::new(&mut memory);
    let (to, from) = (pair.client.ids_seen.local_source, pair.client.ids_seen.original_destination);
    write_version_negotiation(&mut writer, 0, to.as_slice(), from.as_slice(), &[9]).unwrap();
    let negotiation = writer.written().to_vec();
    deliver(&mut pair.client, pair.now, &negotiation);
    assert!(!pair.client.is_over());
}

#[test]
fn a_client_ends_on_version_negotiation_unless_its_version_is_listed() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-6.2
    //= type=test
    //# A client MUST discard a Version Negotiation packet that lists the QUIC version selected
    //# by the client.
    for (versions, ends) in [(&[9, 1][..], false), (&[9], true)] {
        let mut client = client(NOW, TransportConfig::default());
        let _first = sent_by(&mut client, NOW);
        let mut memory = [0; 100];
        let mut writer = Writer::new(&mut memory);
        let (to, from) = (client.ids_seen.local_source, client.ids_seen.original_destination);
        write_version_negotiation(&mut writer, 0, to.as_slice(), from.as_slice(), versions)
            .unwrap();
        let negotiation = writer.written().to_vec();
        deliver(&mut client, NOW, &negotiation);
        let reason = client.close_reason();
        assert_eq!(reason, ends.then_some(&ConnectionError::VersionMismatch));
        assert_eq!(sent_by(&mut client, NOW), Vec::<Vec<u8>>::new());
    }
}

#[test]
fn a_transport_parameter_tells_a_retry_that_the_server_did_not_send() {
    let mut pair = Pair::started();
    // The client would believe that somebody on the way sent a Retry.
    pair.client.ids_seen.retry_source = Some(id(7));
    pair.carry_to_client();
    assert_eq!(error_of(&pair.client), Some(TransportErrorCode::TRANSPORT_PARAMETER_ERROR));
}

#[test]
fn both_ends_compare_connection_ids_with_transport_parameters() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-7
    //= type=test
    //# Implementations SHOULD use caution in relying on any data that is
    //# contained in Initial packets that is not otherwise authenticated.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.3
    //= type=test
    //# The values provided by a peer for these transport parameters MUST match the values
    //# that an endpoint used in the Destination and Source Connection ID fields of Initial
    //# packets that it sent (and received, for servers).
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.3
    //= type=test
    //# Endpoints MUST validate that received transport parameters match received connection
    //# ID values.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.3
    //= type=test
    //# An endpoint MUST treat the following as a connection error of type
    //# TRANSPORT_PARAMETER_ERROR or PROTOCOL_VIOLATION:
    for victim in [Side::Client, Side::Server] {
        let mut pair = Pair::started();
        match victim {
            Side::Client => pair.client.ids_seen.original_destination = id(7),
            Side::Server => {
                // The server checked its half already; the client is told of another ID.
                pair.client.ids_seen.peer_initial_source = None;
                pair.server.ids_seen.local_source = id(7);
            }
        }
        pair.carry_to_client();
        let found = error_of(&pair.client);
        assert_eq!(found, Some(TransportErrorCode::TRANSPORT_PARAMETER_ERROR), "{victim:?}");
    }
}

#[test]
fn initial_keys_go_with_the_first_handshake_packet() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9.2
    //= type=test
    //# An endpoint MUST discard its Handshake keys when the TLS handshake is confirmed
    //# (Section 4.1.2).
    let mut pair = Pair::started();
    assert!(pair.client.keys.initial.is_some() && pair.server.keys.initial.is_some());
    pair.carry_to_client();
    assert!(pair.client.keys.initial.is_some(), "the client has sent no Handshake packet");
    let flight = sent_by(&mut pair.client, pair.now);
    assert!(pair.client.keys.initial.is_none());
    assert!(pair.server.keys.initial.is_some());
    for datagram in flight {
        deliver(&mut pair.server, pair.now, &datagram);
    }
    assert!(pair.server.keys.initial.is_none() && pair.server.keys.handshake.is_none());
    assert!(pair.client.keys.handshake.is_some(), "the handshake is not confirmed there");
    pair.carry_to_client();
    assert!(pair.client.keys.handshake.is_none());
}

#[test]
fn a_server_handles_no_1_rtt_packet_before_the_handshake_is_complete() {
    let mut pair = Pair::answered();
    assert!(pair.client.keys.one_rtt.is_some());
    let early = pair.client.forge(SpaceId::Application, &[0x0a, 2, 1, 42]);
    let flight = sent_by(&mut pair.client, pair.now);
    let before = pair.server.statistics().packets_received;
    deliver(&mut pair.server, pair.now, &early);
    assert_eq!(pair.server.statistics().packets_received, before);
    for datagram in flight {
        deliver(&mut pair.server, pair.now, &datagram);
    }
    assert!(!pair.server.is_handshaking());
    let accepted = pair.server.accept_stream(crate::wire::Direction::Unidirectional);
    assert!(accepted.is_some(), "it was kept until then");
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-14.1
//= type=test
//# The server MUST also limit the number of bytes it sends before
//# validating the address of the client; see Section 8.
#[test]
fn a_server_never_sends_more_than_three_times_what_it_received() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
    //= type=test
    //# Prior to validating the client address, servers MUST NOT send more than
    //# three times as many bytes as the number of bytes they have received.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
    //= type=test
    //# For the purposes of avoiding amplification prior to address validation,
    //# servers MUST count all of the payload bytes received in datagrams that
    //# are uniquely attributed to a single connection.
    let mut pair = Pair::started();
    let stream = crate::wire::Direction::Unidirectional;
    let _blocked = pair.server.open_stream(stream);
    let check = |server: &Connection| {
        let statistics = server.statistics();
        let (sent, received) = (statistics.bytes_sent, statistics.bytes_received);
        assert!(sent <= 3 * received, "{sent} for {received}");
    };
    // Nothing of the server arrives; the client's datagrams are of all sizes.
    for round in 0..40_usize {
        let _lost = sent_by(&mut pair.server, pair.now);
        check(&pair.server);
        let garbage = vec![0x40; 1 + round * 31 % 700];
        deliver(&mut pair.server, pair.now, &garbage);
        let _lost = sent_by(&mut pair.server, pair.now);
        check(&pair.server);
        pair.now += Duration::from_millis(200);
        pair.server.handle_timeout(pair.now);
        if round == 30 {
            pair.server.fail(pair.now, crate::error::TransportError::internal("enough"));
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.2.1
//= type=test
//# When the PTO fires, the client MUST send a Handshake packet if it has
//# Handshake keys, otherwise it MUST send an Initial packet in a UDP
//# datagram with a payload of at least 1200 bytes.
//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.4
//= type=test
//# When a PTO timer expires, a sender MUST send at least one
//# ack-eliciting packet in the packet number space as a probe.
//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.4
//= type=test
//# When there is no data to send, the sender SHOULD send a PING or other
//# ack-eliciting frame in a single packet, rearming the PTO timer.
#[test]
fn a_client_speaks_up_until_the_server_can_have_validated_its_address() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
    //= type=test
    //# To prevent this deadlock, clients MUST send a packet on a Probe Timeout
    //# (PTO); see Section 6.2 of [QUIC-RECOVERY].
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
    //= type=test
    //# Specifically, the client MUST send an Initial packet in a UDP datagram
    //# that contains at least 1200 bytes if it does not have Handshake keys,
    //# and otherwise send a Handshake packet.
    let mut pair = Pair::started();
    // The server acknowledges the ClientHello, and then has to be silent.
    let sent = pair.client.space(SpaceId::Initial).sent.next_number();
    let last = u8::try_from(sent - 1).unwrap();
    let ack = pair.server.forge(SpaceId::Initial, &[0x02, last, 0, 0, last]);
    deliver(&mut pair.client, pair.now, &ack);
    let _nothing = sent_by(&mut pair.client, pair.now);
    assert!(!pair.client.space(SpaceId::Initial).sent.has_ack_eliciting_in_flight());
    for _ in 0..3 {
        pair.now = pair.client.recovery.deadline().expect("a probe timer");
        pair.client.handle_timeout(pair.now);
        let probe = one_sent_by(&mut pair.client, pair.now).expect("a probe");
        assert!(probe.len() >= 1200);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.1
//= type=test
//# A packet MUST NOT be acknowledged until packet protection has been
//# successfully removed and all frames contained in the packet have been
//# processed.
#[test]
fn packets_that_are_not_authentic_change_nothing_but_counters() {
    let mut pair = Pair::started();
    let mut datagram = pair.server.forge(SpaceId::Initial, PING);
    let end = datagram.len();
    datagram[end - 1] ^= 1;
    let before = (pair.client.poll_timeout(), *pair.client.remote_ids.active());
    deliver(&mut pair.client, pair.now, &datagram);
    assert_eq!(pair.client.ids_seen.peer_initial_source, None);
    assert_eq!((pair.client.poll_timeout(), *pair.client.remote_ids.active()), before);
    assert_eq!(pair.client.statistics().packets_discarded, 1);
    assert_eq!(sent_by(&mut pair.client, pair.now), Vec::<Vec<u8>>::new());
}

#[test]
fn the_server_keeps_to_its_first_connection_id() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.2
    //= type=test
    //# Once a client has received a valid Initial packet from the server, it MUST discard any
    //# subsequent packet it receives on that connection with a different Source Connection
    //# ID.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.2
    //= type=test
    //# Any further changes to the Destination Connection ID are only permitted if the values
    //# are taken from NEW_CONNECTION_ID frames; if subsequent Initial packets include a
    //# different Source Connection ID, they MUST be discarded.
    let mut pair = Pair::answered();
    let known = pair.client.statistics().packets_received;
    pair.server.ids_seen.local_source = id(9);
    let datagram = pair.server.forge(SpaceId::Handshake, PING);
    deliver(&mut pair.client, pair.now, &datagram);
    assert_eq!(pair.client.statistics().packets_received, known);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-12.4
//= type=test
//# The payload of a packet that contains frames MUST contain at least one
//# frame, and MAY contain multiple frames and multiple frame types.
//= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
//= type=test
//# The HANDSHAKE_DONE frame MUST be retransmitted until it is
//# acknowledged.
#[test]
fn every_handshake_survives_the_loss_of_any_single_datagram() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4
    //= type=test
    //# If QUIC needs to retransmit that data, it MUST use the same keys even if TLS has
    //# already updated to newer keys.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9
    //= type=test
    //# If packets from a lower encryption level contain CRYPTO frames, frames that retransmit
    //# that data MUST be sent at the same encryption level.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9
    //= type=test
    //# Though an endpoint might retain older keys, new data MUST be sent at the highest
    //# currently available encryption level.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.1.4
    //= type=test
    //# While waiting for TLS processing to complete, an endpoint SHOULD buffer received
    //# packets if they might be processed using keys that are not yet available.
    for lost in 0..12 {
        let mut pair = Pair::started();
        let mut sent = 0;
        for _ in 0..200 {
            for side in [Side::Server, Side::Client] {
                let now = pair.now;
                let datagrams = sent_by(pair.end(side), now);
                let arrive = datagrams.iter().zip(sent..).filter(|(_, at)| *at != lost);
                arrive.for_each(|(datagram, _)| deliver(pair.end(!side), now, datagram));
                sent += datagrams.len();
            }
            if pair.client.handshake.is_confirmed() && pair.server.handshake.is_confirmed() {
                break;
            }
            let next = [pair.client.poll_timeout(), pair.server.poll_timeout()];
            let next = next.into_iter().flatten().min().unwrap();
            pair.now = (pair.now + DELAY).max(next.min(pair.now + Duration::from_secs(2)));
            pair.client.handle_timeout(pair.now);
            pair.server.handle_timeout(pair.now);
        }
        assert!(pair.client.handshake.is_confirmed(), "datagram {lost}");
        assert!(pair.server.handshake.is_confirmed(), "datagram {lost}");
    }
}

fn preferred(id: ConnectionId) -> TransportParameters {
    let ipv4 = Some("192.0.2.1:443".parse().unwrap());
    let reset_token = StatelessResetToken::new([7; 16]);
    let preferred_address = Some(PreferredAddress { ipv4, ipv6: None, id, reset_token });
    TransportParameters { preferred_address, ..TransportParameters::default() }
}

#[test]
fn the_connection_id_of_a_preferred_address_is_the_second_one_and_is_given_back() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
    //= type=test
    //# If the preferred_address transport
    //# parameter is sent, the sequence number of the supplied connection ID
    //# is 1.
    let mut client = client(NOW, TransportConfig::default());
    client.take_peer_parameters(NOW, &preferred(id(5))).unwrap();
    assert_eq!(client.remote_ids.next_unused(), Some(&id(5)));
    let reset_token = StatelessResetToken::new([8; 16]);
    let mut frame = NewConnectionId { sequence: 1, retire_prior_to: 0, id: id(6), reset_token };
    assert!(client.remote_ids.handle_new_connection_id(&frame).is_err(), "1 is taken");
    (frame.sequence, frame.retire_prior_to) = (2, 2);
    client.remote_ids.handle_new_connection_id(&frame).unwrap();
    let (mut memory, mut ring) = ([0; 100], VecDeque::new());
    client.remote_ids.write_frames(&mut PacketWriter::new(&mut memory, &mut ring)).unwrap();
    let retired = |sequence| SentFrame::RetireConnectionId { sequence };
    assert_eq!(ring, [retired(1), retired(0)]);
}

#[test]
fn a_server_with_an_empty_connection_id_has_no_preferred_address() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
    //= type=test
    //# A server that chooses a zero-length
    //# connection ID MUST NOT provide a preferred address.
    for (source, fits) in [(ConnectionId::EMPTY, false), (id(2), true)] {
        let ids = HandshakeIds {
            local_source: id(1),
            original_destination: id(3),
            peer_initial_source: Some(source),
            retry_source: None,
        };
        let mut bytes = Vec::new();
        let parameters = TransportParameters {
            initial_source_connection_id: Some(source),
            original_destination_connection_id: Some(id(3)),
            ..preferred(id(5))
        };
        encode(&parameters, &mut bytes);
        let found = check(&bytes, Side::Server, &ids).map_err(|error| error.code).err();
        assert_eq!(found, (!fits).then_some(TransportErrorCode::TRANSPORT_PARAMETER_ERROR));
    }
}

#[test]
fn handshake_data_above_a_gap_of_a_level_that_tls_leaves_is_an_error() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.1.3
    //= type=test
    //# When TLS provides keys for a higher encryption level, if there is data
    //# from a previous encryption level that TLS has not consumed, this MUST be
    //# treated as a connection error of type PROTOCOL_VIOLATION.
    // One byte of CRYPTO data at 4,000.
    let beyond = [0x06, 0x4f, 0xa0, 1, 0];
    for (victim, space) in [
        (Side::Client, SpaceId::Initial),
        (Side::Client, SpaceId::Handshake),
        (Side::Server, SpaceId::Handshake),
    ] {
        let mut pair = Pair::started();
        if victim == Side::Server {
            pair.carry_to_client();
        }
        pair.attack(victim, space, &beyond);
        match victim {
            Side::Client => pair.carry_to_client(),
            Side::Server => pair.carry_to_server(),
        };
        let found = error_of(pair.end(victim));
        assert_eq!(found, Some(TransportErrorCode::PROTOCOL_VIOLATION), "{victim:?} {space:?}");
    }
}

#[test]
fn no_initial_packet_follows_the_first_handshake_packet_in_the_same_batch() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9.1
    //= type=test
    //# Thus, a client MUST discard Initial keys when it first sends a
    //# Handshake packet and a server MUST discard Initial keys when it first
    //# successfully processes a Handshake packet.  Endpoints MUST NOT send
    //# Initial packets after this point.
    let mut pair = Pair::answered();
    for space in [SpaceId::Initial, SpaceId::Handshake] {
        pair.client.space_mut(space).probes = 2;
    }
    let mut memory = vec![0; 10 * 1200];
    let mut buffer = TransmitBuffer::new(&mut memory, 10);
    let sent = pair.client.poll_transmit(pair.now, SocketId(0), &mut buffer).unwrap();
    let mut first = true;
    for datagram in memory[..sent.length].chunks(sent.segment_length.unwrap_or(sent.length)) {
        let header = parse(datagram, 8);
        let is_initial =
            matches!(header, Ok(Header::Long(LongHeader { ty: LongType::Initial, .. })));
        assert_eq!(is_initial, first, "{header:?}");
        first = false;
    }
    assert!(pair.client.keys.initial.is_none());
}

#[test]
fn times_are_announced_in_whole_milliseconds_that_they_do_not_exceed() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
    //= type=test
    //# This value SHOULD include the receiver's expected delays in alarms
    //# firing.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
    //= type=test
    //# An endpoint MUST acknowledge all ack-eliciting Initial and Handshake
    //# packets immediately and all ack-eliciting 0-RTT and 1-RTT packets
    //# within its advertised max_ack_delay, with the following exception.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
    //= type=test
    //# This value SHOULD include the
    //# receiver's expected delays in alarms firing.
    for (micros, announced) in [(0, 0), (1, 1), (1000, 1), (1500, 2), (25_000, 25)] {
        let duration = Duration::from_micros(micros);
        let config = TransportConfig {
            max_ack_delay: duration,
            max_idle_timeout: Some(duration),
            ..TransportConfig::default()
        };
        let parameters = local_parameters(&config, id(1));
        assert_eq!(parameters.max_ack_delay, announced + 1, "a timer may be late");
        assert_eq!(parameters.max_idle_timeout, announced);
    }
}

#[test]
fn the_time_that_packets_wait_for_their_keys_is_no_time_of_the_path() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.5
    //= type=test
    //# However, endpoints SHOULD include buffering
    //# delays caused by unavailability of decryption keys, since these
    //# delays can be large and are likely to be non-repeating.
    //= https://www.rfc-editor.org/rfc/rfc9002#section-5.3
    //= type=test
    //# In such cases, an endpoint SHOULD subtract such local
    //# delays from its RTT sample until the handshake is confirmed.
    const WAIT: Duration = Duration::from_secs(1);
    let mut pair = Pair::answered();
    // What the client sends after its Finished comes long before it.
    let flight = sent_by(&mut pair.client, pair.now);
    pair.server.ping();
    assert_eq!(pair.carry_to_client(), 1);
    let number = pair.client.space(SpaceId::Application).sent.next_number();
    pair.client.ping();
    let early = sent_by(&mut pair.client, pair.now);
    pair.now += DELAY;
    for datagram in &early {
        deliver(&mut pair.server, pair.now, datagram);
    }
    pair.now += WAIT;
    for datagram in &flight {
        deliver(&mut pair.server, pair.now, datagram);
    }
    assert!(pair.server.handshake.is_confirmed());
    let answer = sent_by(&mut pair.server, pair.now);
    assert!(pair.server.space(SpaceId::Application).received.is_duplicate(number));
    pair.now += DELAY;
    for datagram in &answer {
        deliver(&mut pair.client, pair.now, datagram);
    }
    assert_eq!(pair.server.paths.active().rtt.latest(), 2 * DELAY);
    assert!(pair.client.rtt() < 3 * DELAY, "{:?}", pair.client.rtt());
}

#[test]
fn no_datagram_is_longer_than_the_peer_says_it_takes() {
    let mut client = client(NOW, TransportConfig { max_mtu: 1452, ..TransportConfig::default() });
    let parameters = TransportParameters { max_udp_payload_size: 1300, ..preferred(id(5)) };
    client.take_peer_parameters(NOW, &parameters).unwrap();
    let mtu = &mut client.paths.active_mut().mtu;
    mtu.enable();
    assert!(mtu.current() <= 1300 && mtu.poll_probe(NOW, u64::MAX).is_none_or(|size| size <= 1300));
}

#[test]
fn a_server_that_may_send_nothing_waits_without_probing() {
    let mut pair = Pair::started();
    let _lost = sent_by(&mut pair.server, pair.now);
    assert!(pair.server.recovery.deadline().is_some());
    let amplification = &mut pair.server.paths.active_mut().amplification;
    amplification.sent(amplification.allowance());
    pair.server.update_recovery_timer(pair.now);
    assert_eq!(pair.server.recovery.deadline(), None);
}

#[test]
fn an_acknowledgment_in_a_handshake_packet_shows_that_the_address_is_validated() {
    for (space, shows) in [(SpaceId::Initial, false), (SpaceId::Handshake, true)] {
        let mut pair = if shows { Pair::answered() } else { Pair::started() };
        let _flight = sent_by(&mut pair.client, pair.now);
        pair.attack(Side::Client, space, &[0x02, 0, 0, 0, 0]);
        assert_eq!(pair.client.peer.completed_address_validation, shows, "{space:?}");
    }
}

#[test]
fn a_retry_ends_the_waiting() {
    let mut client = client(NOW, TransportConfig::default());
    let mut now = NOW;
    for _ in 0..2 {
        let _lost = sent_by(&mut client, now);
        now = client.recovery.deadline().unwrap();
        client.handle_timeout(now);
    }
    assert_eq!(client.recovery.pto_count(), 2);
    let retry = retry(&client, id(5), b"token");
    deliver(&mut client, now, &retry);
    assert_eq!(client.recovery.pto_count(), 0);
}
