//! Transport parameters (RFC 9000 §7.3, §7.4, §18).

use super::prelude::*;

const AUTHENTICATION: &str = "RFC 9000 §7.3";
const VALUES: &str = "RFC 9000 §18.2";
const FORMAT: &str = "RFC 9000 §18";
const DUPLICATES: &str = "RFC 9000 §7.4";

const MISMATCH: Reaction = Reaction::OneOf(
    &[PARAMETER_ERROR, VIOLATION],
    Permission(
        "An endpoint MUST treat the following as a connection error of type \
         TRANSPORT_PARAMETER_ERROR or PROTOCOL_VIOLATION",
    ),
);
/// missing_extension (RFC 8446 §6).
const MISSING_EXTENSION: Reaction = Reaction::alert(109);

/// What is above 2^60.
const TOO_MANY_STREAMS: u64 = (1 << 60) + 1;
/// The transport parameters in a TLS extension, and what drafts had for it.
const EXTENSION: [u8; 2] = [0x00, 0x39];
const EXTENSION_OF_DRAFTS: [u8; 2] = [0xff, 0xa5];

const fn wrong(name: &'static str, section: &'static str, change: fn(&mut Beginning)) -> Case {
    server(name, section, Parameters(change), PARAMETER_ERROR)
}

const fn fine(name: &'static str, section: &'static str, change: fn(&mut Beginning)) -> Case {
    server(name, section, Parameters(change), Ignored)
}

const fn wrong_to_client(
    name: &'static str,
    section: &'static str,
    change: fn(&mut Beginning),
) -> Case {
    client(name, section, Parameters(change), PARAMETER_ERROR)
}

pub(super) const CASES: &[Case] = &[
    wrong("parameters/without initial_source_connection_id", AUTHENTICATION, |b| {
        b.without.push(id::INITIAL_SOURCE_CONNECTION_ID);
    }),
    server(
        "parameters/another initial_source_connection_id",
        AUTHENTICATION,
        Parameters(|b| b.parameters.set(id::INITIAL_SOURCE_CONNECTION_ID, b"another!")),
        MISMATCH,
    ),
    wrong("parameters/initial_source_connection_id of 21 bytes", VALUES, |b| {
        b.parameters.set(id::INITIAL_SOURCE_CONNECTION_ID, &[7; 21]);
    }),
    wrong("parameters/original_destination_connection_id from a client", VALUES, |b| {
        b.parameters.add(id::ORIGINAL_DESTINATION_CONNECTION_ID, b"original");
    }),
    wrong("parameters/stateless_reset_token from a client", VALUES, |b| {
        b.parameters.add(id::STATELESS_RESET_TOKEN, &[7; 16]);
    }),
    wrong("parameters/preferred_address from a client", VALUES, |b| {
        b.parameters.add(id::PREFERRED_ADDRESS, &preferred(&[7; 8]));
    }),
    wrong("parameters/retry_source_connection_id from a client", VALUES, |b| {
        b.parameters.add(id::RETRY_SOURCE_CONNECTION_ID, b"retry id");
    }),
    wrong("parameters/max_udp_payload_size of 1199", VALUES, |b| {
        b.parameters.set_number(id::MAX_UDP_PAYLOAD_SIZE, 1199);
    }),
    wrong("parameters/ack_delay_exponent of 21", VALUES, |b| {
        b.parameters.set_number(id::ACK_DELAY_EXPONENT, 21);
    }),
    wrong("parameters/max_ack_delay of 2^14", VALUES, |b| {
        b.parameters.set_number(id::MAX_ACK_DELAY, 1 << 14);
    }),
    wrong("parameters/active_connection_id_limit of 0", VALUES, |b| {
        b.parameters.set_number(id::ACTIVE_CONNECTION_ID_LIMIT, 0);
    }),
    wrong("parameters/active_connection_id_limit of 1", VALUES, |b| {
        b.parameters.set_number(id::ACTIVE_CONNECTION_ID_LIMIT, 1);
    }),
    wrong("parameters/initial_max_streams_bidi above 2^60", "RFC 9000 §4.6", |b| {
        b.parameters.set_number(id::INITIAL_MAX_STREAMS_BIDI, TOO_MANY_STREAMS);
    }),
    wrong("parameters/initial_max_streams_uni above 2^60", "RFC 9000 §4.6", |b| {
        b.parameters.set_number(id::INITIAL_MAX_STREAMS_UNI, TOO_MANY_STREAMS);
    }),
    wrong("parameters/max_idle_timeout twice", DUPLICATES, |b| {
        b.parameters.add_number(id::MAX_IDLE_TIMEOUT, 30_000);
    }),
    wrong("parameters/initial_source_connection_id twice", DUPLICATES, |b| {
        let id = b.local_id.clone();
        b.parameters.add(id::INITIAL_SOURCE_CONNECTION_ID, &id);
        b.parameters.add(id::INITIAL_SOURCE_CONNECTION_ID, &id);
    }),
    wrong("parameters/disable_active_migration with a value", VALUES, |b| {
        b.parameters.set(id::DISABLE_ACTIVE_MIGRATION, &[0]);
    }),
    wrong("parameters/number with bytes behind it", FORMAT, |b| {
        b.parameters.set(id::INITIAL_MAX_DATA, &[1, 1]);
    }),
    wrong("parameters/number of no bytes", FORMAT, |b| b.parameters.set(id::INITIAL_MAX_DATA, &[])),
    wrong("parameters/number that is cut off", FORMAT, |b| {
        b.parameters.set(id::INITIAL_MAX_DATA, &[0xc0, 1]);
    }),
    wrong("parameters/value longer than all of them", FORMAT, |b| {
        b.parameters.end_in(&[0x2f, 0x20, 1]);
    }),
    wrong("parameters/length that is cut off", FORMAT, |b| b.parameters.end_in(&[0x2f, 0xc0])),
    wrong("parameters/identifier that is cut off", FORMAT, |b| b.parameters.end_in(&[0xc0])),
    wrong("parameters/none at all", AUTHENTICATION, |b| {
        b.parameters = crate::parameters::Parameters::default();
        b.without.push(id::INITIAL_SOURCE_CONNECTION_ID);
    }),
    server(
        "parameters/no TLS extension for them",
        "RFC 9001 §8.2",
        Parameters(|b| {
            b.edit = Some((SpaceId::Initial, |hello| rename_extension(hello, [0x7a, 0x7a])));
        }),
        MISSING_EXTENSION,
    ),
    server(
        "parameters/TLS extension of drafts",
        "RFC 9001 §8.2",
        Parameters(|b| {
            b.edit = Some((SpaceId::Initial, |hello| rename_extension(hello, EXTENSION_OF_DRAFTS)));
        }),
        MISSING_EXTENSION,
    ),
    fine("parameters/only those that must be", VALUES, |b| {
        b.parameters = crate::parameters::Parameters::default();
    }),
    fine("parameters/in the opposite order", "RFC 9000 §7.4", |b| b.parameters.reverse()),
    fine("parameters/reserved ones", "RFC 9000 §18.1", |b| {
        b.parameters.add(31 * 7 + 27, b"whatever");
        b.parameters.add(31 * (1 << 50) + 27, &[]);
    }),
    fine("parameters/unknown one of 700 bytes", "RFC 9000 §7.4.2", |b| {
        b.parameters.add(0x7e57, &[7; 700]);
    }),
    fine("parameters/numbers in eight bytes", "RFC 9000 §16", |b| {
        b.parameters.set(id::INITIAL_MAX_DATA, &[0xc0, 0, 0, 0, 0, 1, 0, 0]);
        b.parameters.set(id::ACK_DELAY_EXPONENT, &[0xc0, 0, 0, 0, 0, 0, 0, 3]);
    }),
    fine("parameters/largest numbers there are", VALUES, |b| {
        let largest = (1 << 62) - 1;
        b.parameters.set_number(id::MAX_IDLE_TIMEOUT, largest);
        b.parameters.set_number(id::MAX_UDP_PAYLOAD_SIZE, largest);
        b.parameters.set_number(id::INITIAL_MAX_DATA, largest);
        b.parameters.set_number(id::INITIAL_MAX_STREAM_DATA_BIDI_REMOTE, largest);
        b.parameters.set_number(id::ACTIVE_CONNECTION_ID_LIMIT, largest);
    }),
    fine("parameters/largest that are permitted", VALUES, |b| {
        b.parameters.set_number(id::ACK_DELAY_EXPONENT, 20);
        b.parameters.set_number(id::MAX_ACK_DELAY, (1 << 14) - 1);
        b.parameters.set_number(id::INITIAL_MAX_STREAMS_BIDI, 1 << 60);
        b.parameters.set_number(id::MAX_UDP_PAYLOAD_SIZE, 1200);
    }),
    wrong_to_client(
        "parameters/without initial_source_connection_id, to a client",
        AUTHENTICATION,
        |b| b.without.push(id::INITIAL_SOURCE_CONNECTION_ID),
    ),
    wrong_to_client("parameters/without original_destination_connection_id", AUTHENTICATION, |b| {
        b.without.push(id::ORIGINAL_DESTINATION_CONNECTION_ID);
    }),
    client(
        "parameters/another initial_source_connection_id, to a client",
        AUTHENTICATION,
        Parameters(|b| b.parameters.set(id::INITIAL_SOURCE_CONNECTION_ID, b"another!")),
        MISMATCH,
    ),
    client(
        "parameters/another original_destination_connection_id",
        AUTHENTICATION,
        Parameters(|b| b.parameters.set(id::ORIGINAL_DESTINATION_CONNECTION_ID, b"another!")),
        MISMATCH,
    ),
    client(
        "parameters/retry_source_connection_id without a Retry",
        AUTHENTICATION,
        Parameters(|b| b.parameters.add(id::RETRY_SOURCE_CONNECTION_ID, b"no retry")),
        MISMATCH,
    ),
    wrong_to_client("parameters/stateless_reset_token of 15 bytes", VALUES, |b| {
        b.parameters.set(id::STATELESS_RESET_TOKEN, &[7; 15]);
    }),
    wrong_to_client("parameters/max_udp_payload_size of 1199, to a client", VALUES, |b| {
        b.parameters.set_number(id::MAX_UDP_PAYLOAD_SIZE, 1199);
    }),
    wrong_to_client("parameters/ack_delay_exponent of 21, to a client", VALUES, |b| {
        b.parameters.set_number(id::ACK_DELAY_EXPONENT, 21);
    }),
    wrong_to_client("parameters/max_ack_delay of 2^14, to a client", VALUES, |b| {
        b.parameters.set_number(id::MAX_ACK_DELAY, 1 << 14);
    }),
    wrong_to_client("parameters/active_connection_id_limit of 1, to a client", VALUES, |b| {
        b.parameters.set_number(id::ACTIVE_CONNECTION_ID_LIMIT, 1);
    }),
    wrong_to_client(
        "parameters/initial_max_streams_bidi above 2^60, to a client",
        "RFC 9000 §4.6",
        |b| b.parameters.set_number(id::INITIAL_MAX_STREAMS_BIDI, TOO_MANY_STREAMS),
    ),
    wrong_to_client("parameters/max_idle_timeout twice, to a client", DUPLICATES, |b| {
        b.parameters.add_number(id::MAX_IDLE_TIMEOUT, 30_000);
    }),
    wrong_to_client("parameters/preferred_address with an empty ID", VALUES, |b| {
        b.parameters.add(id::PREFERRED_ADDRESS, &preferred(&[]));
    }),
    wrong_to_client("parameters/preferred_address of a server with empty IDs", VALUES, |b| {
        b.local_id = Vec::new();
        b.parameters.add(id::PREFERRED_ADDRESS, &preferred(&[7; 8]));
    }),
    wrong_to_client("parameters/preferred_address with an ID of 21 bytes", VALUES, |b| {
        b.parameters.add(id::PREFERRED_ADDRESS, &preferred(&[7; 21]));
    }),
    wrong_to_client("parameters/preferred_address with more behind it", VALUES, |b| {
        let longer = [preferred(&[7; 8]), vec![7]].concat();
        b.parameters.add(id::PREFERRED_ADDRESS, &longer);
    }),
    wrong_to_client("parameters/preferred_address that is cut off", VALUES, |b| {
        b.parameters.add(id::PREFERRED_ADDRESS, &[1; 30]);
    }),
    wrong_to_client("parameters/value longer than all of them, to a client", FORMAT, |b| {
        b.parameters.end_in(&[0x2f, 0x20, 1]);
    }),
    client(
        "parameters/reserved ones, to a client",
        "RFC 9000 §18.1",
        Parameters(|b| b.parameters.add(31 * 7 + 27, b"whatever")),
        Ignored,
    ),
    client(
        "parameters/no TLS extension for them, to a client",
        "RFC 9001 §8.2",
        Parameters(|b| {
            b.edit = Some((SpaceId::Handshake, |flight| rename_extension(flight, [0x7a, 0x7a])));
        }),
        Reaction::OneOf(
            &[MISSING_EXTENSION, Reaction::alert(110)],
            Permission(
                "Upon receiving such an extension, an endpoint MUST abort the handshake with an \
             \"unsupported_extension\" alert.",
            ),
        ),
    ),
];

/// A preferred_address with this connection ID.
fn preferred(id: &[u8]) -> Vec<u8> {
    let mut bytes = vec![192, 0, 2, 3, 0x12, 0x34];
    bytes.extend_from_slice(&[0; 18]);
    bytes.push(u8::try_from(id.len()).unwrap_or(0));
    bytes.extend_from_slice(id);
    bytes.extend_from_slice(&[7; 16]);
    bytes
}

/// Gives the TLS extension for transport parameters another number. It is found by what it begins
/// with: its own number, a length, and a parameter that [`Parameters`](crate::Parameters) has
/// first.
fn rename_extension(message: &mut [u8], name: [u8; 2]) {
    let is_here =
        |bytes: &[u8]| bytes.starts_with(&EXTENSION) && bytes.get(4..6) == Some(&[0x01, 0x04]);
    let at = message.windows(6).position(is_here);
    if let Some(bytes) = at.and_then(|at| message.get_mut(at..at + 2)) {
        bytes.copy_from_slice(&name);
    }
}
