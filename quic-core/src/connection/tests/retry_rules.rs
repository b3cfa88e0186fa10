//! Rules of what a server may answer first: Retry, Version Negotiation, or packets of its version.

use std::mem;
use std::sync::Arc;

use super::Pair;
use super::pair::{client, client_of, deliver, error_of, one_sent_by, sent_by};
use crate::config::{ClientConfig, QUIC_V1, QUIC_V2, TransportConfig};
use crate::connection::Connection;
use crate::crypto::{TlsClientConfig, retry_tag, seal};
use crate::error::{ConnectionError, TransportErrorCode};
use crate::instant::Instant;
use crate::wire::header::{
    Header, LongHeader, LongHeaderParts, LongType, RetryParts, parse, patch_length,
    write_long_header, write_retry_without_tag, write_version_negotiation,
};
use crate::wire::{ConnectionId, PacketNumberLength, Side, SpaceId, Writer};

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
    assert!(first.iter().all(|datagram| datagram.len() >= 1200));
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
fn a_retry_whose_token_leaves_no_room_ends_the_attempt_at_once_and_no_shorter_one_does() {
    let tell = |client: &Connection| match client.close_reason() {
        None => None,
        Some(ConnectionError::TransportError(error)) => Some(error.code),
        Some(other) => panic!("{other}"),
    };
    for length in 1..=1300 {
        let mut client = client(NOW, TransportConfig::default());
        let first = sent_by(&mut client, NOW);
        let retry = retry(&client, id(5), &vec![7; length]);
        deliver(&mut client, NOW, &retry);
        let again = sent_by(&mut client, NOW);
        if let Some(code) = tell(&client) {
            assert!(length > 1050, "{length} bytes leave room");
            assert_eq!((code, again.len()), (TransportErrorCode::INTERNAL_ERROR, 0));
            continue;
        }
        assert!(again.len() >= first.len(), "{length}: {} datagrams", again.len());
        for datagram in again {
            assert_eq!((initial(&datagram).1.len(), datagram.len()), (length, 1200));
        }
        assert!(length < 1150, "{length} bytes leave little room");
    }
    // Larger datagrams have room for larger tokens.
    let config = TransportConfig { initial_mtu: 1400, ..TransportConfig::default() };
    let mut client = client(NOW, config);
    let _first = sent_by(&mut client, NOW);
    let retry = retry(&client, id(5), &[7; 1250]);
    deliver(&mut client, NOW, &retry);
    assert_eq!(initial(&sent_by(&mut client, NOW)[0]).1.len(), 1250);
}

/// A server's first packet of version 2, protected by what follows from this ID of the client's.
fn initial_of_version_2(client: &Connection, destination_id: ConnectionId) -> Vec<u8> {
    let keys = client.crypto().initial_keys(QUIC_V2, &destination_id, Side::Server).unwrap();
    let mut packet = vec![0; 1200];
    let mut writer = Writer::new(&mut packet);
    let parts = LongHeaderParts {
        ty: LongType::Initial,
        version: QUIC_V2,
        destination_id: client.ids_seen.local_source,
        source_id: id(5),
        token: &[],
    };
    let number_length = PacketNumberLength::from_first_byte(3);
    let field = write_long_header(&mut writer, &parts, 0, number_length).unwrap();
    let header = writer.length();
    packet[header] = PING[0];
    patch_length(&mut packet, field, 4 + 1200 - header);
    seal(&keys.local, &mut packet, header - 4, 4, 0).unwrap();
    packet
}

#[test]
fn the_server_may_go_on_in_another_version_after_a_retry_whatever_came_before() {
    let tls = TlsClientConfig::dangerous_without_verification(&[]).unwrap();
    let mut config = ClientConfig::new(Arc::new(tls), TransportConfig::default()).unwrap();
    config.versions = vec![QUIC_V2, QUIC_V1];
    let mut client = client_of(NOW, config);
    let _first = sent_by(&mut client, NOW);
    let forged = initial_of_version_2(&client, id(9));
    deliver(&mut client, NOW, &forged);
    assert_eq!(client.version(), QUIC_V1);
    let good = retry(&client, id(5), b"token");
    deliver(&mut client, NOW, &good);
    let authentic = initial_of_version_2(&client, id(5));
    deliver(&mut client, NOW, &authentic);
    assert_eq!(client.version(), QUIC_V2);
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
