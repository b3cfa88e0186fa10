//! Rules of transport parameters: what binds whom, and what both ends compare.

use std::collections::VecDeque;
use std::time::Duration;

use super::Pair;
use super::pair::{client, error_of};
use crate::config::TransportConfig;
use crate::connection::parameters::{HandshakeIds, check, local_parameters};
use crate::error::TransportErrorCode;
use crate::instant::Instant;
use crate::packet::{PacketWriter, SentFrame};
use crate::wire::frame::NewConnectionId;
use crate::wire::transport_parameters::{PreferredAddress, TransportParameters, encode};
use crate::wire::{ConnectionId, Side, StatelessResetToken};

const NOW: Instant = Instant::from_nanos(1_000_000_000);

fn id(byte: u8) -> ConnectionId {
    ConnectionId::new(&[byte; 8]).unwrap()
}

fn preferred(id: ConnectionId) -> TransportParameters {
    let ipv4 = Some("192.0.2.1:443".parse().unwrap());
    let reset_token = StatelessResetToken::new([7; 16]);
    let preferred_address = Some(PreferredAddress { ipv4, ipv6: None, id, reset_token });
    TransportParameters { preferred_address, ..TransportParameters::default() }
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
fn no_datagram_is_longer_than_the_peer_says_it_takes() {
    let mut client = client(NOW, TransportConfig { max_mtu: 1452, ..TransportConfig::default() });
    let parameters = TransportParameters { max_udp_payload_size: 1300, ..preferred(id(5)) };
    client.take_peer_parameters(NOW, &parameters).unwrap();
    let mtu = &mut client.paths.active_mut().mtu;
    mtu.enable();
    mtu.want();
    assert!(mtu.current() <= 1300 && mtu.poll_probe(NOW, u64::MAX).is_none_or(|size| size <= 1300));
}
