//! Transport parameters (RFC 9000 §18).

use arbitrary::{Arbitrary as _, Unstructured};

use crate::wire::Side;
use crate::wire::transport_parameters::{TransportParameters, decode, encode};

/// Reads the transport parameters of a client, and writes some that are made of the same bytes.
///
/// # Panics
/// If they are read differently after they were written again, or have a value that is not allowed.
pub fn client_parameters(bytes: &[u8]) {
    parameters(bytes, Side::Client);
}

/// The same for those of a server.
///
/// # Panics
/// If they are read differently after they were written again, or have a value that is not allowed.
pub fn server_parameters(bytes: &[u8]) {
    parameters(bytes, Side::Server);
}

fn parameters(bytes: &[u8], sender: Side) {
    if let Ok(parameters) = decode(bytes, sender) {
        are_allowed(&parameters, sender);
        are_read_again(&parameters, sender);
    }
    if let Ok(made) = TransportParameters::arbitrary(&mut Unstructured::new(bytes)) {
        let client = made.clone().without_those_of_servers();
        are_read_again(if sender == Side::Client { &client } else { &made }, sender);
        if sender == Side::Client && made != client {
            let mut encoded = Vec::new();
            encode(&made, &mut encoded);
            assert!(decode(&encoded, sender).is_err(), "a client sends none of servers");
        }
    }
}

fn are_read_again(parameters: &TransportParameters, sender: Side) {
    let mut encoded = Vec::new();
    encode(parameters, &mut encoded);
    assert_eq!(decode(&encoded, sender).as_ref(), Ok(parameters), "what was written is read");
    // Each of them once is all that there may be.
    let twice = [encoded.as_slice(), &encoded].concat();
    assert_eq!(decode(&twice, sender).is_ok(), encoded.is_empty(), "none comes twice");
}

/// The limits of RFC 9000 §18.2 and of the extensions.
fn are_allowed(parameters: &TransportParameters, sender: Side) {
    let TransportParameters {
        max_udp_payload_size,
        initial_max_streams_bidi,
        initial_max_streams_uni,
        ack_delay_exponent,
        max_ack_delay,
        active_connection_id_limit,
        min_ack_delay,
        preferred_address,
        version_information,
        ..
    } = parameters;
    assert!(*max_udp_payload_size >= 1200, "{max_udp_payload_size}");
    assert!(*initial_max_streams_bidi <= 1 << 60, "{initial_max_streams_bidi}");
    assert!(*initial_max_streams_uni <= 1 << 60, "{initial_max_streams_uni}");
    assert!(*ack_delay_exponent <= 20, "{ack_delay_exponent}");
    assert!(*max_ack_delay < 1 << 14, "{max_ack_delay}");
    assert!(*active_connection_id_limit >= 2, "{active_connection_id_limit}");
    assert!(min_ack_delay.is_none_or(|it| it <= 1000 * max_ack_delay), "{min_ack_delay:?}");
    assert!(preferred_address.is_none_or(|it| !it.id.is_empty()), "{preferred_address:?}");
    if let Some(versions) = version_information {
        assert!(versions.chosen != 0 && !versions.available.contains(&0), "{versions:?}");
        let listed = versions.available.contains(&versions.chosen);
        assert!(listed || sender == Side::Server, "{versions:?}");
    }
    let of_servers = parameters.original_destination_connection_id.is_some()
        || parameters.stateless_reset_token.is_some()
        || preferred_address.is_some()
        || parameters.retry_source_connection_id.is_some();
    assert!(sender == Side::Server || !of_servers, "a client sends none of servers");
}
