//! Every transport parameter, wrong in every way (RFC 9000 §7.4, §18.2).

use std::fmt;
use std::sync::Arc;

use quic_core::crypto::{Session, SessionFactory, StartSessionError};
use quic_core::rustls::quic::Keys;
use quic_core::{AddressValidation, ConnectionError, ConnectionId, Side, TransportErrorCode};
use quic_sim::null_tls::NullTls;
use quic_sim::pair::{Pair, Setup};

use super::seconds;

const BOTH: [Side; 2] = [Side::Client, Side::Server];

type Edit = Arc<dyn Fn(&mut Vec<Parameter>) + Send + Sync>;

/// A parameter as it is sent.
#[derive(Clone, Debug)]
struct Parameter {
    id: u64,
    value: Vec<u8>,
}

/// The null TLS with other transport parameters than the endpoint wants to send.
#[derive(Clone)]
struct Tampering(Edit);

impl fmt::Debug for Tampering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tampering")
    }
}

impl SessionFactory for Tampering {
    fn start(
        &self,
        version: u32,
        server_name: Option<&str>,
        parameters: Vec<u8>,
    ) -> Result<Box<dyn Session>, StartSessionError> {
        let mut list = parse(&parameters);
        (self.0)(&mut list);
        NullTls::default().start(version, server_name, write(&list))
    }

    fn initial_keys(&self, version: u32, id: &ConnectionId, side: Side) -> Option<Keys> {
        NullTls::default().initial_keys(version, id, side)
    }
}

fn take_varint(bytes: &mut &[u8]) -> u64 {
    let length = 1 << (bytes[0] >> 6);
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    let first = u64::from(taken[0] & 0x3f);
    taken[1..].iter().fold(first, |value, byte| value << 8 | u64::from(*byte))
}

fn varint(value: u64) -> Vec<u8> {
    match value {
        0..0x40 => vec![value as u8],
        0x40..0x4000 => (value as u16 | 0x4000).to_be_bytes().to_vec(),
        0x4000..0x4000_0000 => (value as u32 | 0x8000_0000).to_be_bytes().to_vec(),
        _ => (value | 0xc000_0000_0000_0000).to_be_bytes().to_vec(),
    }
}

fn parse(mut bytes: &[u8]) -> Vec<Parameter> {
    let mut list = Vec::new();
    while !bytes.is_empty() {
        let id = take_varint(&mut bytes);
        let length = take_varint(&mut bytes) as usize;
        let (value, rest) = bytes.split_at(length);
        list.push(Parameter { id, value: value.to_vec() });
        bytes = rest;
    }
    list
}

fn write(list: &[Parameter]) -> Vec<u8> {
    let written = list.iter().map(|Parameter { id, value }| {
        [varint(*id), varint(value.len() as u64), value.clone()].concat()
    });
    written.collect::<Vec<_>>().concat()
}

fn set(id: u64, value: &[u8]) -> Edit {
    let value = value.to_vec();
    Arc::new(move |list| {
        list.retain(|parameter| parameter.id != id);
        list.push(Parameter { id, value: value.clone() });
    })
}

/// What goes with the max_ack_delay of the sender, and may not with another (min_ack_delay).
const MAX_ACK_DELAY: u64 = 0x0b;
const MIN_ACK_DELAY: u64 = 0xff04_de1b;

fn set_integer(id: u64, value: u64) -> Edit {
    let set = set(id, &varint(value));
    Arc::new(move |list| {
        if id == MAX_ACK_DELAY {
            list.retain(|parameter| parameter.id != MIN_ACK_DELAY);
        }
        set(list);
    })
}

fn without(id: u64) -> Edit {
    Arc::new(move |list| list.retain(|parameter| parameter.id != id))
}

fn twice(id: u64, value: &[u8]) -> Edit {
    let set = set(id, value);
    Arc::new(move |list| {
        set(list);
        list.extend(list.last().cloned());
    })
}

/// A pair of which `sender` sends other parameters.
fn setup(sender: Side, edit: &Edit) -> Setup {
    let mut setup = Setup::new(1);
    let tls = Arc::new(Tampering(Arc::clone(edit)));
    match sender {
        Side::Client => setup.client_tls = tls,
        Side::Server => setup.server_tls = tls,
    }
    setup
}

/// How the connection ends at both ends: found wrong by one, said so to the other.
#[track_caller]
fn check_refused_in(setup: Setup, sender: Side, what: &str) {
    let mut pair = setup.build();
    let client = pair.start();
    assert!(
        pair.run_until(seconds(5), |pair| pair.client.lost.contains_key(&client)),
        "parameters of {sender:?} are taken: {what}",
    );
    pair.run_for(seconds(1));
    let (receiver, other) = match sender {
        Side::Client => (&pair.server, &pair.client),
        Side::Server => (&pair.client, &pair.server),
    };
    let found: Vec<_> = receiver.lost.values().collect();
    let [ConnectionError::TransportError(error)] = &found[..] else {
        panic!("{what} from {sender:?}: {found:?}");
    };
    assert_eq!(error.code, TransportErrorCode::TRANSPORT_PARAMETER_ERROR, "{what}: {error}");
    for told in other.lost.values() {
        let ConnectionError::ConnectionClosed(told) = told else { panic!("{what}: {told:?}") };
        assert_eq!(told.code, TransportErrorCode::TRANSPORT_PARAMETER_ERROR, "{what}");
    }
}

#[track_caller]
fn check_refused(sender: Side, edit: &Edit, what: &str) {
    check_refused_in(setup(sender, edit), sender, what);
}

#[track_caller]
fn check_taken(sender: Side, edit: &Edit) -> Pair {
    let mut pair = setup(sender, edit).build();
    pair.connect();
    pair
}

/// Parameters that are integers, with values that are out of range and such that are not.
fn integers() -> Vec<(u64, Vec<u64>, Vec<u64>)> {
    let maximum = (1 << 62) - 1;
    let streams = (vec![(1 << 60) + 1, maximum], vec![0, 1 << 60]);
    vec![
        (0x01, vec![], vec![0, 30_000, maximum]),
        (0x03, vec![0, 1199], vec![1200, 65_527, 65_528, maximum]),
        (0x04, vec![], vec![0, maximum]),
        (0x05, vec![], vec![0, maximum]),
        (0x06, vec![], vec![0, maximum]),
        (0x07, vec![], vec![0, maximum]),
        (0x08, streams.0.clone(), streams.1.clone()),
        (0x09, streams.0, streams.1),
        (0x0a, vec![21, maximum], vec![0, 20]),
        (0x0b, vec![1 << 14, maximum], vec![0, (1 << 14) - 1]),
        (0x0e, vec![0, 1], vec![2, maximum]),
    ]
}

/// A preferred address with this connection ID.
fn preferred_address(id: &[u8]) -> Vec<u8> {
    [&[1, 2, 3, 4, 0, 80][..], &[0; 18], &[id.len() as u8], id, &[7; 16]].concat()
}

#[test]
fn integers_out_of_range_are_refused_and_those_at_the_limits_taken() {
    for (id, wrong, right) in integers() {
        for sender in BOTH {
            for value in &wrong {
                check_refused(sender, &set_integer(id, *value), &format!("{id:#x} = {value}"));
            }
            for value in &right {
                check_taken(sender, &set_integer(id, *value));
            }
        }
    }
}

#[test]
fn a_max_ack_delay_below_the_min_ack_delay_is_refused() {
    for sender in BOTH {
        check_refused(sender, &set(MAX_ACK_DELAY, &varint(0)), "no max_ack_delay");
    }
}

#[test]
fn integers_that_do_not_fill_their_parameter_are_refused() {
    for (id, _, right) in integers() {
        let value = varint(right[0]);
        let longer = [&value[..], &[0]].concat();
        for sender in BOTH {
            for wrong in [&[][..], &longer, &[0xc0, 0, 0], &[0x40]] {
                check_refused(sender, &set(id, wrong), &format!("{id:#x} = {wrong:02x?}"));
            }
        }
    }
}

#[test]
fn a_parameter_that_comes_twice_is_refused() {
    for (id, _, right) in integers() {
        for sender in BOTH {
            check_refused(sender, &twice(id, &varint(right[1])), &format!("{id:#x} twice"));
        }
    }
    for sender in BOTH {
        check_refused(sender, &twice(0x0c, &[]), "disable_active_migration twice");
        let double: Edit = Arc::new(|list| {
            let source = list.iter().find(|parameter| parameter.id == 0x0f).cloned();
            list.extend(source);
        });
        check_refused(sender, &double, "initial_source_connection_id twice");
    }
    for (id, value) in [(0x02, vec![1; 16]), (0x0d, preferred_address(&[1; 8]))] {
        check_refused(Side::Server, &twice(id, &value), &format!("{id:#x} twice"));
    }
    let double: Edit = Arc::new(|list| {
        let original = list.iter().find(|parameter| parameter.id == 0x00).cloned();
        list.extend(original);
    });
    check_refused(Side::Server, &double, "original_destination_connection_id twice");
}

#[test]
fn values_of_a_wrong_length_are_refused() {
    for sender in BOTH {
        check_refused(sender, &set(0x0c, &[0]), "disable_active_migration with a value");
        check_refused(sender, &set(0x0f, &[1; 21]), "an ID of 21 bytes");
    }
    for id in [0x00, 0x10] {
        check_refused(Side::Server, &set(id, &[1; 21]), "an ID of 21 bytes");
    }
    for length in [0, 15, 17] {
        check_refused(Side::Server, &set(0x02, &vec![1; length]), "stateless_reset_token");
    }
    let whole = preferred_address(&[1; 8]);
    for length in [0, 4, 6, 24, 25, whole.len() - 1] {
        check_refused(Side::Server, &set(0x0d, &whole[..length]), "preferred_address cut off");
    }
    let longer = [&whole[..], &[0]].concat();
    check_refused(Side::Server, &set(0x0d, &longer), "preferred_address with more");
    check_refused(Side::Server, &set(0x0d, &preferred_address(&[1; 21])), "its ID too long");
}

#[test]
fn parameters_cut_off_are_refused() {
    /// Sends the parameters without their last byte.
    #[derive(Debug)]
    struct Cut;

    impl SessionFactory for Cut {
        fn start(
            &self,
            version: u32,
            server_name: Option<&str>,
            mut parameters: Vec<u8>,
        ) -> Result<Box<dyn Session>, StartSessionError> {
            parameters.pop();
            NullTls::default().start(version, server_name, parameters)
        }

        fn initial_keys(&self, version: u32, id: &ConnectionId, side: Side) -> Option<Keys> {
            NullTls::default().initial_keys(version, id, side)
        }
    }

    for sender in BOTH {
        let mut setup = Setup::new(1);
        match sender {
            Side::Client => setup.client_tls = Arc::new(Cut),
            Side::Server => setup.server_tls = Arc::new(Cut),
        }
        check_refused_in(setup, sender, "cut off");
    }
}

#[test]
fn a_client_that_sends_what_is_the_servers_is_refused() {
    let values = [
        (0x00, vec![1; 8]),
        (0x02, vec![1; 16]),
        (0x0d, preferred_address(&[1; 8])),
        (0x10, vec![1; 8]),
    ];
    for (id, value) in values {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
        //= type=test
        //# A server MUST treat receipt of any of these transport
        //# parameters as a connection error of type TRANSPORT_PARAMETER_ERROR.
        check_refused(Side::Client, &set(id, &value), &format!("{id:#x} of a client"));
    }
}

/// The identifiers of all parameters that `sender` sends.
fn sent_by(sender: Side, mut setup: Setup) -> Vec<u64> {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let edit: Edit = Arc::new(move |list| {
        note.lock().unwrap().extend(list.iter().map(|parameter| parameter.id));
    });
    let tls = Arc::new(Tampering(edit));
    match sender {
        Side::Client => setup.client_tls = tls,
        Side::Server => setup.server_tls = tls,
    }
    setup.build().connect();
    let seen = seen.lock().unwrap();
    seen.clone()
}

#[test]
fn a_client_sends_nothing_that_is_the_servers() {
    for validation in [AddressValidation::Never, AddressValidation::Always] {
        let mut setup = Setup::new(1);
        setup.client_endpoint.keyring = setup.server_endpoint.keyring.clone();
        setup.validation = validation;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
        //= type=test
        //# This transport parameter MUST NOT be sent by a client but MAY be sent by
        //# a server.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
        //= type=test
        //# A client MUST NOT include any server-only transport parameter:
        //# original_destination_connection_id, preferred_address,
        //# retry_source_connection_id, or stateless_reset_token.
        let of_client = sent_by(Side::Client, setup.clone());
        assert!(of_client.contains(&0x0f));
        assert!([0x00, 0x02, 0x0d, 0x10].iter().all(|id| !of_client.contains(id)));
        let of_server = sent_by(Side::Server, setup);
        assert!([0x00, 0x02, 0x0f].iter().all(|id| of_server.contains(id)));
        assert_eq!(of_server.contains(&0x10), validation == AddressValidation::Always);
    }
}

#[test]
fn a_server_whose_ids_do_not_follow_clients_asks_them_to_stay() {
    let mut setup = Setup::new(1);
    assert!(!sent_by(Side::Server, setup.clone()).contains(&0x0c));
    let unroutable = quic_core::quic_lb::Unroutable::new(8).unwrap();
    let shared = quic_core::SharedConnectionIds::new(Arc::new(unroutable));
    setup.server_endpoint.make_connection_ids_by(shared);
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.3
    //= type=test
    //# A server in a deployment that does not implement a solution to maintain
    //# connection continuity when the client address changes SHOULD indicate
    //# that migration is not supported by using the disable_active_migration
    //# transport parameter.
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.2
    //= type=test
    //# Servers with no active configuration SHOULD send the
    //# "disable_active_migration" transport parameter, or a similar message in
    //# future QUIC versions.
    assert!(sent_by(Side::Server, setup).contains(&0x0c));
}

#[test]
fn parameters_that_are_missing_are_refused_or_have_their_default() {
    for sender in BOTH {
        check_refused(sender, &without(0x0f), "no initial_source_connection_id");
    }
    check_refused(Side::Server, &without(0x00), "no original_destination_connection_id");
    for id in (0x01..=0x0e).filter(|id| *id != 0x02) {
        for sender in BOTH {
            check_taken(sender, &without(id));
        }
    }
    check_taken(Side::Server, &without(0x02));
}

#[test]
fn parameters_that_contradict_the_handshake_are_refused() {
    for sender in BOTH {
        for id in [&[1; 8][..], &[]] {
            check_refused(sender, &set(0x0f, id), "another initial_source_connection_id");
        }
    }
    for id in [&[1; 8][..], &[]] {
        check_refused(Side::Server, &set(0x00, id), "another original_destination_connection_id");
        check_refused(Side::Server, &set(0x10, id), "retry_source_connection_id without a Retry");
    }
    for (edit, what) in [
        (without(0x10), "no retry_source_connection_id"),
        (set(0x10, &[1; 8]), "another retry_source_connection_id"),
    ] {
        let mut setup = setup(Side::Server, &edit);
        setup.validation = AddressValidation::Always;
        check_refused_in(setup, Side::Server, what);
    }
}

#[test]
fn a_preferred_address_needs_connection_ids() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
    //= type=test
    //# Similarly, a server MUST NOT include a zero-
    //# length connection ID in this transport parameter.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
    //= type=test
    //# A client MUST
    //# treat a violation of these requirements as a connection error of type
    //# TRANSPORT_PARAMETER_ERROR.
    check_refused(Side::Server, &set(0x0d, &preferred_address(&[])), "an empty ID");
    //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
    //= type=test
    //# A server that chooses a zero-length
    //# connection ID MUST NOT provide a preferred address.
    let mut setup = setup(Side::Server, &set(0x0d, &preferred_address(&[1; 8])));
    setup.server_endpoint.connection_id_length = 0;
    check_refused_in(setup, Side::Server, "of a server with an empty ID");
    check_taken(Side::Server, &set(0x0d, &preferred_address(&[1; 8])));
}

#[test]
fn what_nobody_knows_is_ignored() {
    for sender in BOTH {
        // 27 is the first of the reserved identifiers, 31 * N + 27 (RFC 9000 §18.1).
        for id in [27, 58, 0x3fff_ffff, (1 << 62) - 1] {
            check_taken(sender, &set(id, b"anything"));
            check_taken(sender, &set(id, &[]));
        }
    }
}

#[test]
fn a_limit_of_fewer_than_two_connection_ids_is_refused() {
    for sender in BOTH {
        for value in [0, 1] {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
            //= type=test
            //# The value of the
            //# active_connection_id_limit parameter MUST be at least 2.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
            //= type=test
            //# An
            //# endpoint that receives a value less than 2 MUST close the
            //# connection with an error of type TRANSPORT_PARAMETER_ERROR.
            check_refused(sender, &set(0x0e, &[value]), "active_connection_id_limit");
        }
        check_taken(sender, &set(0x0e, &[2]));
    }
}

#[test]
fn grease_quic_bit_has_no_value_and_comes_once() {
    const GREASE_QUIC_BIT: u64 = 0x2ab2;
    for sender in BOTH {
        check_refused(sender, &set(GREASE_QUIC_BIT, &[0]), "grease_quic_bit with a value");
        check_refused(sender, &twice(GREASE_QUIC_BIT, &[]), "grease_quic_bit twice");
        check_taken(sender, &set(GREASE_QUIC_BIT, &[]));
        check_taken(sender, &without(GREASE_QUIC_BIT));
    }
}

/// Version Information with these versions, the chosen one first (RFC 9368 §3).
fn versions(list: &[u32]) -> Vec<u8> {
    list.iter().flat_map(|version| version.to_be_bytes()).collect()
}

#[test]
fn version_information_that_cannot_be_read_is_refused() {
    const VERSION_INFORMATION: u64 = 0x11;
    let right = versions(&[1, 1]);
    for length in [0, 1, 3, 5, 6, 7] {
        let what = format!("version_information of {length} bytes");
        check_refused(Side::Client, &set(VERSION_INFORMATION, &right[..length]), &what);
    }
    for wrong in [&[0, 1][..], &[1, 0], &[1, 1, 0], &[1, 2]] {
        let edit = set(VERSION_INFORMATION, &versions(wrong));
        check_refused(Side::Client, &edit, &format!("version_information {wrong:?}"));
    }
    check_refused(Side::Client, &twice(VERSION_INFORMATION, &right), "it comes twice");
    check_taken(Side::Client, &set(VERSION_INFORMATION, &right));
    check_taken(Side::Client, &without(VERSION_INFORMATION));
    // A server's follows when it has chosen the version, after what it began with.
    check_refused(Side::Server, &set(VERSION_INFORMATION, &right), "it comes twice");
}
