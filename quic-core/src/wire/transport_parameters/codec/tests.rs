use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

use super::{ParametersError, decode, encode, encode_reserved};
use crate::wire::strategies::{connection_id, integer};
use crate::wire::transport_parameters::{
    PreferredAddress, TransportParameters, VersionInformation,
};
use crate::wire::{ConnectionId, Side, StatelessResetToken};

fn encoded(parameters: &TransportParameters) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(parameters, &mut bytes);
    bytes
}

/// One parameter with an identifier below 2^14 and a length below 64.
fn parameter(id: u16, value: &[u8]) -> Vec<u8> {
    let id = match u8::try_from(id) {
        Ok(id @ ..64) => vec![id],
        _ => (id | 0x4000).to_be_bytes().to_vec(),
    };
    [&id[..], &[u8::try_from(value.len()).unwrap()], value].concat()
}

/// Takes one parameter off the front.
fn take(reader: &mut crate::wire::Reader<'_>) -> Vec<u8> {
    let before = reader.rest();
    let _id = reader.varint().unwrap();
    let _value = reader.prefixed_bytes().unwrap();
    before[..before.len() - reader.remaining()].to_vec()
}

fn parameters_of_any_side() -> impl Strategy<Value = TransportParameters> {
    let numbers = [integer(), integer(), integer(), integer(), integer(), integer()];
    let small = (1200_u64..1 << 62, 0_u8..=20, 0_u64..1 << 14, 2_u64..1 << 62, any::<bool>());
    let streams = (0_u64..=1 << 60, 0_u64..=1 << 60);
    let versions = option::of((1_u32.., vec(1_u32.., 0..5)));
    let extensions = (option::of(connection_id()), versions, any::<bool>());
    (numbers, small, streams, extensions).prop_map(
        |(
            numbers,
            (payload, exponent, delay, ids, disable),
            (bidi, uni),
            (id, versions, grease),
        )| {
            let information = |(chosen, mut available): (u32, Vec<u32>)| {
                available.push(chosen);
                VersionInformation { chosen, available }
            };
            let [idle, data, local, remote, one_way, _] = numbers;
            TransportParameters {
                max_idle_timeout: idle,
                max_udp_payload_size: payload,
                initial_max_data: data,
                initial_max_stream_data_bidi_local: local,
                initial_max_stream_data_bidi_remote: remote,
                initial_max_stream_data_uni: one_way,
                initial_max_streams_bidi: bidi,
                initial_max_streams_uni: uni,
                ack_delay_exponent: exponent,
                max_ack_delay: delay,
                disable_active_migration: disable,
                active_connection_id_limit: ids,
                initial_source_connection_id: id,
                version_information: versions.map(information),
                grease_quic_bit: grease,
                ..TransportParameters::default()
            }
        },
    )
}

fn preferred_address() -> impl Strategy<Value = PreferredAddress> {
    let ipv4 = option::of((1_u32.., 1_u16..));
    let ipv6 = option::of((1_u128.., 1_u16..));
    let id = connection_id().prop_filter("an ID with bytes", |id| !id.is_empty());
    (ipv4, ipv6, id, any::<[u8; 16]>()).prop_map(|(ipv4, ipv6, id, token)| PreferredAddress {
        ipv4: ipv4.map(|(ip, port)| SocketAddrV4::new(Ipv4Addr::from_bits(ip), port)),
        ipv6: ipv6.map(|(ip, port)| SocketAddrV6::new(Ipv6Addr::from_bits(ip), port, 0, 0)),
        id,
        reset_token: StatelessResetToken::new(token),
    })
}

fn server_parameters() -> impl Strategy<Value = TransportParameters> {
    let ids = (option::of(connection_id()), option::of(connection_id()));
    let token = option::of(any::<[u8; 16]>());
    (parameters_of_any_side(), ids, token, option::of(preferred_address())).prop_map(
        |(parameters, (original, retry), token, preferred_address)| TransportParameters {
            original_destination_connection_id: original,
            retry_source_connection_id: retry,
            stateless_reset_token: token.map(StatelessResetToken::new),
            preferred_address,
            ..parameters
        },
    )
}

proptest! {
    #[test]
    fn a_clients_parameters_survive_their_encoding(parameters in parameters_of_any_side()) {
        prop_assert_eq!(decode(&encoded(&parameters), Side::Client), Ok(parameters));
    }

    #[test]
    fn a_servers_parameters_survive_their_encoding(parameters in server_parameters()) {
        prop_assert_eq!(decode(&encoded(&parameters), Side::Server), Ok(parameters));
    }

    #[test]
    fn the_order_of_parameters_does_not_matter(parameters in server_parameters()) {
        let bytes = encoded(&parameters);
        let mut reader = crate::wire::Reader::new(&bytes);
        let mut reversed = Vec::new();
        while !reader.is_empty() {
            reversed.splice(0..0, take(&mut reader));
        }
        prop_assert_eq!(decode(&reversed, Side::Server), Ok(parameters));
    }

    #[test]
    fn parameters_cut_off_are_refused_or_fewer(parameters in server_parameters()) {
        let bytes = encoded(&parameters);
        for end in 0..bytes.len() {
            if let Ok(fewer) = decode(&bytes[..end], Side::Server) {
                prop_assert!(bytes.starts_with(&encoded(&fewer)) || encoded(&fewer).len() <= end);
                prop_assert!(fewer != parameters);
            }
        }
    }

    #[test]
    fn what_is_accepted_survives_being_encoded_again(bytes in vec(any::<u8>(), 0..100)) {
        if let Ok(parameters) = decode(&bytes, Side::Server) {
            prop_assert_eq!(decode(&encoded(&parameters), Side::Server), Ok(parameters));
        }
    }
}

#[test]
fn nothing_means_the_defaults_and_the_other_way_round() {
    assert_eq!(decode(&[], Side::Client), Ok(TransportParameters::default()));
    assert!(encoded(&TransportParameters::default()).is_empty());
}

#[track_caller]
fn check_refused(bytes: &[u8], reason: &'static str) {
    assert_eq!(decode(bytes, Side::Server), Err(ParametersError(reason)));
}

#[test]
fn every_known_parameter_may_appear_once() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4
    //= type=test
    //# An endpoint MUST NOT send a parameter more than once in a given transport parameters
    //# extension.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4
    //= type=test
    //# An endpoint SHOULD treat receipt of duplicate transport parameters as a connection
    //# error of type TRANSPORT_PARAMETER_ERROR.
    let mut parameters = TransportParameters {
        original_destination_connection_id: Some(ConnectionId::EMPTY),
        stateless_reset_token: Some(StatelessResetToken::new([1; 16])),
        disable_active_migration: true,
        max_datagram_frame_size: 9,
        min_ack_delay: Some(1),
        reset_stream_at: true,
        initial_source_connection_id: Some(ConnectionId::EMPTY),
        retry_source_connection_id: Some(ConnectionId::EMPTY),
        version_information: Some(VersionInformation { chosen: 1, available: vec![1] }),
        grease_quic_bit: true,
        ..TransportParameters::default()
    };
    for value in [
        &mut parameters.max_idle_timeout,
        &mut parameters.max_udp_payload_size,
        &mut parameters.initial_max_data,
        &mut parameters.initial_max_stream_data_bidi_local,
        &mut parameters.initial_max_stream_data_bidi_remote,
        &mut parameters.initial_max_stream_data_uni,
        &mut parameters.initial_max_streams_bidi,
        &mut parameters.initial_max_streams_uni,
        &mut parameters.max_ack_delay,
        &mut parameters.active_connection_id_limit,
    ] {
        *value = 5000;
    }
    parameters.ack_delay_exponent = 4;
    let bytes = encoded(&parameters);
    let mut reader = crate::wire::Reader::new(&bytes);
    let mut count = 0;
    while !reader.is_empty() {
        let repeated = [bytes.clone(), take(&mut reader)].concat();
        check_refused(&repeated, "transport parameter is repeated");
        count += 1;
    }
    assert_eq!(count, 22, "all but preferred_address");
}

#[test]
fn unknown_and_reserved_parameters_are_ignored() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.2
    //= type=test
    //# An endpoint MUST ignore transport parameters that it does not support.
    // 27 is the first of the reserved identifiers, 31 * N + 27 (RFC 9000 §18.1).
    let bytes = [parameter(27, b"any"), parameter(58, &[]), parameter(0x04, &[9])].concat();
    let expected = TransportParameters { initial_max_data: 9, ..TransportParameters::default() };
    assert_eq!(decode(&bytes, Side::Client), Ok(expected));
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
//= type=test
//# If either is received, the connection MUST be closed immediately with a
//# connection error of type TRANSPORT_PARAMETER_ERROR if the offending
//# value was received in a transport parameter or of type
//# FRAME_ENCODING_ERROR if it was received in a frame; see Section 10.2.
#[test]
fn values_out_of_range_are_refused() {
    check_refused(&parameter(0x03, &[0x44, 0xaf]), "max_udp_payload_size is below 1200");
    check_refused(&parameter(0x0a, &[21]), "ack_delay_exponent is above 20");
    check_refused(&parameter(0x0b, &[0x80, 0, 0x40, 0]), "max_ack_delay is 2^14 ms or more");
    check_refused(&parameter(0x0e, &[1]), "active_connection_id_limit is below 2");
    let beyond = 0xd000_0000_0000_0001_u64.to_be_bytes();
    for id in [0x08, 0x09] {
        check_refused(&parameter(id, &beyond), "initial_max_streams is above 2^60");
    }
}

#[test]
fn values_at_the_limits_are_taken() {
    let most = 0xd000_0000_0000_0000_u64.to_be_bytes();
    for (id, value) in [
        (0x03, &[0x44, 0xb0][..]),
        (0x08, &most),
        (0x09, &most),
        (0x0a, &[20]),
        (0x0b, &[0x7f, 0xff]),
        (0x0e, &[2]),
    ] {
        assert!(decode(&parameter(id, value), Side::Client).is_ok(), "{id:#x}");
    }
}

#[test]
fn integers_must_fill_their_length() {
    let reason = "integer does not fill its transport parameter";
    for id in [0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0e] {
        check_refused(&parameter(id, &[]), reason);
        check_refused(&parameter(id, &[5, 5]), reason);
        check_refused(&parameter(id, &[0x80, 0, 0]), reason);
    }
}

#[test]
fn fixed_lengths_are_exact() {
    for length in [0, 15, 17] {
        check_refused(
            &parameter(0x02, &vec![1; length]),
            "stateless_reset_token does not have 16 bytes",
        );
    }
    check_refused(&parameter(0x0c, &[0]), "disable_active_migration is not empty");
    for id in [0x00, 0x0f, 0x10] {
        check_refused(&parameter(id, &[1; 21]), "connection ID is longer than 20 bytes");
    }
}

#[test]
fn a_client_may_not_send_what_is_the_servers() {
    for id in [0x00, 0x02, 0x0d, 0x10] {
        assert_eq!(
            decode(&parameter(id, &[]), Side::Client),
            Err(ParametersError("client sent a transport parameter of servers")),
        );
    }
}

#[test]
fn a_preferred_address_has_an_id_and_the_length_of_its_fields() {
    let address = |id: &[u8]| {
        let id_length = u8::try_from(id.len()).unwrap();
        [&[1, 2, 3, 4, 0, 80], &[0; 18][..], &[id_length], id, &[7; 16]].concat()
    };
    let wrong_length = "preferred_address does not have the length of its fields";
    assert!(decode(&parameter(0x0d, &address(&[1])), Side::Server).is_ok());
    check_refused(&parameter(0x0d, &address(&[])), "preferred_address has an empty connection ID");
    check_refused(&parameter(0x0d, &address(&[1; 21])), "connection ID is longer than 20 bytes");
    check_refused(&parameter(0x0d, &[address(&[1]), vec![0]].concat()), wrong_length);
    let whole = address(&[1]);
    for end in 0..whole.len() {
        check_refused(&parameter(0x0d, &whole[..end]), wrong_length);
    }
}

#[test]
fn half_an_address_is_no_preferred_address() {
    let no_port = [&[1, 2, 3, 4, 0, 0], &[0; 16][..], &[0, 80], &[1, 9], &[7; 16]].concat();
    let parameters = decode(&parameter(0x0d, &no_port), Side::Server).unwrap();
    let address = parameters.preferred_address.unwrap();
    assert_eq!((address.ipv4, address.ipv6), (None, None));
}

#[test]
fn parameters_cut_off_within_are_refused() {
    for bytes in [&[0x04][..], &[0x40], &[0x04, 2, 0x40], &[27, 5, 1], &[0x04, 0xff]] {
        check_refused(bytes, "transport parameters are cut off");
    }
}

#[test]
fn extensions_have_their_values() {
    let early = 0xc017_f758_6d2c_b571_u64.to_be_bytes();
    for bytes in [parameter(0x1d, &[]), [&early[..], &[0]].concat()] {
        assert!(decode(&bytes, Side::Server).is_ok_and(|parameters| parameters.reset_stream_at));
    }
    let delay = [&[0xc0, 0, 0, 0, 0xff, 0x04, 0xde, 0x1b, 2][..], &[0x43, 0xe8]].concat();
    let parameters = decode(&delay, Side::Client).unwrap();
    assert_eq!(parameters.min_ack_delay, Some(1000));
    let frame_size = decode(&parameter(0x20, &[0x80, 0, 0xff, 0xff]), Side::Client).unwrap();
    assert_eq!(frame_size.max_datagram_frame_size, 65_535);
}

#[test]
fn extensions_are_refused_values_that_they_may_not_have() {
    //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-3
    //= type=test
    //# An implementation that understands
    //# this transport parameter MUST treat the receipt of a non-empty value
    //# as a connection error of type TRANSPORT_PARAMETER_ERROR.
    check_refused(&parameter(0x1d, &[0]), "reset_stream_at is not empty");
    //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-3
    //= type=test
    //# Endpoints that support this extension MUST treat
    //# receipt of a min_ack_delay that is greater than the max_ack_delay as
    //# a connection error of type TRANSPORT_PARAMETER_ERROR.
    let id = [0xc0, 0, 0, 0, 0xff, 0x04, 0xde, 0x1b];
    let longest = [&id[..], &[2, 0x4b, 0xb8], &[0x0b, 1, 3]].concat();
    assert!(decode(&longest, Side::Server).is_ok(), "3 ms of 3 ms");
    let longer = [&id[..], &[2, 0x4b, 0xb9], &[0x0b, 1, 3]].concat();
    check_refused(&longer, "min_ack_delay is above max_ack_delay");
}

//= https://www.rfc-editor.org/rfc/rfc9368#section-4
//= type=test
//# Both endpoints MUST parse their peer's Version Information during the
//# handshake.  If that leads to a parsing failure (for example, if it is
//# too short or if its length is not divisible by four), then the
//# endpoint MUST close the connection; if the connection was using QUIC
//# version 1, that connection closure MUST use a transport error of type
//# TRANSPORT_PARAMETER_ERROR.
#[test]
fn version_information_has_a_version_and_no_part_of_one() {
    for length in 0..=12 {
        for sender in [Side::Client, Side::Server] {
            let decoded = decode(&parameter(0x11, &vec![7; length]), sender);
            let whole = length % 4 == 0 && length > 0;
            if length == 4 && sender == Side::Client {
                assert!(decoded.is_err(), "what was chosen is available");
            } else if whole {
                let available = vec![0x0707_0707; length / 4 - 1];
                let information = VersionInformation { chosen: 0x0707_0707, available };
                assert_eq!(decoded.unwrap().version_information, Some(information));
            } else {
                let reason = "version_information has a wrong length";
                assert_eq!(decoded, Err(ParametersError(reason)));
            }
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9368#section-4
//= type=test
//# If an endpoint receives a Chosen Version
//# equal to zero, or any Available Version equal to zero, it MUST treat
//# it as a parsing failure.
#[test]
fn no_version_is_0() {
    for value in [&[0; 4][..], &[0, 0, 0, 0, 0, 0, 0, 1], &[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]] {
        for sender in [Side::Client, Side::Server] {
            let reason = "version_information has a version 0";
            assert_eq!(decode(&parameter(0x11, value), sender), Err(ParametersError(reason)));
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9368#section-4
//= type=test
//# If a server receives Version Information
//# where the Chosen Version is not included in Available Versions, it
//# MUST treat it as a parsing failure.
#[test]
fn a_client_can_do_what_it_chose() {
    let value = [0, 0, 0, 1, 0, 0, 0, 2];
    let reason = "the chosen version is none of those available";
    assert_eq!(decode(&parameter(0x11, &value), Side::Client), Err(ParametersError(reason)));
    assert!(decode(&parameter(0x11, &value), Side::Server).is_ok(), "a server need not");
}

//= https://www.rfc-editor.org/rfc/rfc9287#section-3
//= type=test
//# The transport parameter is sent with an empty
//# value; an endpoint that understands this transport parameter MUST
//# treat receipt of a non-empty value of the transport parameter as a
//# connection error of type TRANSPORT_PARAMETER_ERROR.
#[test]
fn grease_quic_bit_is_empty() {
    assert!(decode(&parameter(0x2ab2, &[]), Side::Client).unwrap().grease_quic_bit);
    check_refused(&parameter(0x2ab2, &[0]), "grease_quic_bit is not empty");
    let sent = TransportParameters { grease_quic_bit: true, ..TransportParameters::default() };
    assert_eq!(encoded(&sent), [0x6a, 0xb2, 0]);
}

proptest! {
    #[test]
    fn reserved_parameters_are_of_the_pattern_and_ignored(
        number in any::<u8>(),
        value in vec(any::<u8>(), 0..20),
    ) {
        let mut bytes = Vec::new();
        encode_reserved(number, &value, &mut bytes);
        let id = crate::wire::Reader::new(&bytes).varint().unwrap();
        prop_assert_eq!(id % 31, 27);
        prop_assert_eq!(decode(&bytes, Side::Client), Ok(TransportParameters::default()));
    }
}
