//! Sessions that are resumed, with early data, and messages that QUIC does not allow TLS.
#![expect(clippy::disallowed_types, reason = "what keeps sessions is shared by configurations")]

use std::sync::{Arc, Mutex};

use super::super::{ClientSession, Level, SessionKey, SessionStore, TlsClientConfig};
use super::handshake::{End, client, client_from, complete, run, server};
use crate::error::{TransportError, TransportErrorCode};
use crate::wire::transport_parameters::{TransportParameters, encode};

const PROTOCOL: &[&[u8]] = &[b"h3"];

/// Extensions of a ClientHello (RFC 8446 §4.2).
pub(super) const PRE_SHARED_KEY: u16 = 41;
const EARLY_DATA: u16 = 42;

/// Keeps everything.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<(SessionKey, ClientSession)>>);

impl SessionStore for Kept {
    fn insert(&self, server: &SessionKey, session: ClientSession) {
        self.0.lock().unwrap().push((server.clone(), session));
    }

    fn take(&self, server: &SessionKey) -> Option<ClientSession> {
        let mut kept = self.0.lock().unwrap();
        let at = kept.iter().rposition(|(key, _)| key == server)?;
        Some(kept.remove(at).1)
    }
}

fn client_with(store: &Arc<Kept>) -> TlsClientConfig {
    let store: Arc<dyn SessionStore> = Arc::<Kept>::clone(store);
    client(PROTOCOL).session_store(store).offer_early_data(true)
}

/// Transport parameters of a server that can be read.
fn parameters() -> Vec<u8> {
    let mut encoded = Vec::new();
    encode(&TransportParameters::default(), &mut encoded);
    encoded
}

/// The code of the error that a server, or a client after the handshake, gives to a message.
fn refusal(end: &mut End, level: Level, message: &[u8]) -> TransportErrorCode {
    let refused = end.read(&(level, message.to_vec()));
    refused.expect_err("it was taken").code
}

/// A ClientHello.
fn hello() -> Vec<u8> {
    let (level, hello) = End::client(&client(PROTOCOL)).write().remove(0);
    assert_eq!(level, Level::Initial);
    hello
}

/// Where in a ClientHello the extension of this type is: its type, its length and what it holds.
pub(super) fn extension(hello: &[u8], ty: u16) -> Option<std::ops::Range<usize>> {
    let two = |at: usize| usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
    let suites = 38 + 1 + usize::from(hello[38]);
    let methods = suites + 2 + two(suites);
    let mut at = methods + 1 + usize::from(hello[methods]) + 2;
    while at < hello.len() {
        let end = at + 4 + two(at + 2);
        if two(at) == usize::from(ty) {
            return Some(at..end);
        }
        at = end;
    }
    None
}

#[test]
fn a_client_asks_for_tls_1_3_and_nothing_of_before() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.2
    //= type=test
    //# Clients MUST NOT offer TLS versions older than 1.3.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-8.4
    //= type=test
    //# A client MUST NOT request the use of the TLS 1.3 compatibility mode.
    let hello = hello();
    assert_eq!(hello[38], 0, "no compatibility mode");
    let versions = extension(&hello, 43).unwrap();
    assert_eq!(hello[versions][4..], [2, 3, 4]);
    assert!(extension(&hello, 57).is_some(), "transport parameters");
}

#[test]
fn a_server_takes_no_older_version_and_no_compatibility_mode() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.2
    //= type=test
    //# An endpoint MUST terminate the connection if a version of TLS older than 1.3 is
    //# negotiated.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-8.4
    //= type=test
    //# A server SHOULD treat the receipt of a TLS ClientHello with a non-empty
    //# legacy_session_id field as a connection error of type PROTOCOL_VIOLATION.
    let mut old = hello();
    let versions = extension(&old, 43).unwrap();
    old[versions.end - 1] = 3;
    let code = refusal(&mut End::server(&server(PROTOCOL)), Level::Initial, &old);
    assert_eq!(code, TransportErrorCode::crypto(70));
    let mut compatible = hello();
    compatible[38] = 32;
    let code = refusal(&mut End::server(&server(PROTOCOL)), Level::Initial, &compatible);
    assert_eq!(code, TransportErrorCode::PROTOCOL_VIOLATION);
}

#[test]
fn a_client_hello_without_transport_parameters_misses_an_extension() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-8.2
    //= type=test
    //# Endpoints MUST send the quic_transport_parameters extension; endpoints that receive
    //# ClientHello or EncryptedExtensions messages without the quic_transport_parameters
    //# extension MUST close the connection with an error of type 0x016d (equivalent to a
    //# fatal TLS missing_extension alert, see Section 4.8).
    let mut hello = hello();
    let parameters = extension(&hello, 57).unwrap();
    hello[parameters.start] = 0x7a;
    let code = refusal(&mut End::server(&server(PROTOCOL)), Level::Initial, &hello);
    assert_eq!(code, TransportErrorCode::crypto(109));
}

#[test]
fn transport_parameters_by_the_number_of_drafts_are_none() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-8.2
    //= type=test
    //# Endpoints MUST send the quic_transport_parameters extension; endpoints that receive
    //# ClientHello or EncryptedExtensions messages without the quic_transport_parameters
    //# extension MUST close the connection with an error of type 0x016d (equivalent to a
    //# fatal TLS missing_extension alert, see Section 4.8).
    let mut hello = hello();
    let parameters = extension(&hello, 57).unwrap();
    hello[parameters.start..parameters.start + 2].copy_from_slice(&[0xff, 0xa5]);
    let code = refusal(&mut End::server(&server(PROTOCOL)), Level::Initial, &hello);
    assert_eq!(code, TransportErrorCode::crypto(109));
}

#[test]
fn handshake_data_that_goes_on_where_the_keys_change_is_a_violation() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.1.3
    //= type=test
    //# When TLS provides keys for a higher encryption level, if there is data
    //# from a previous encryption level that TLS has not consumed, this MUST be
    //# treated as a connection error of type PROTOCOL_VIOLATION.
    let hello = [hello(), vec![20, 0, 0, 4, 1, 2, 3, 4]].concat();
    let code = refusal(&mut End::server(&server(PROTOCOL)), Level::Initial, &hello);
    assert_eq!(code, TransportErrorCode::PROTOCOL_VIOLATION);
}

#[test]
fn a_client_whose_protocols_the_server_passes_over_closes() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-8.1
    //= type=test
    //# While [ALPN] only specifies that servers use this alert, QUIC clients MUST use error
    //# 0x0178 to terminate a connection when ALPN negotiation fails.
    let (mut client, mut server) = (End::client(&client(PROTOCOL)), End::server(&server(&[])));
    let error: TransportError = run(&mut client, &mut server).unwrap_err();
    assert_eq!(error.code, TransportErrorCode::crypto(120));
}

#[test]
fn a_request_for_a_certificate_after_the_handshake_is_a_violation() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.4
    //= type=test
    //# More specifically, servers MUST NOT send post-handshake TLS CertificateRequest
    //# messages, and clients MUST treat receipt of such messages as a connection error of
    //# type PROTOCOL_VIOLATION.
    let (mut client, _) = complete(&client(PROTOCOL), &server(PROTOCOL));
    // No context; signature_algorithms with one algorithm.
    let request = [13, 0, 0, 11, 0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3];
    let code = refusal(&mut client, Level::OneRtt, &request);
    assert_eq!(code, TransportErrorCode::PROTOCOL_VIOLATION);
}

/// A ticket with this max_early_data_size (RFC 8446 §4.6.1).
fn ticket(early_data: u32) -> Vec<u8> {
    let mut message =
        vec![4, 0, 0, 24, 0, 0, 1, 0, 0, 0, 0, 0, 1, 9, 0, 2, 8, 8, 0, 8, 0, 42, 0, 4];
    message.extend(early_data.to_be_bytes());
    message
}

#[test]
fn early_data_is_allowed_without_a_limit_or_not_at_all() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.6.1
    //= type=test
    //# Servers MUST NOT send the early_data extension with a max_early_data_size field set to
    //# any value other than 0xffffffff.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.6.1
    //= type=test
    //# A client MUST treat receipt of a NewSessionTicket that contains an early_data
    //# extension with any other value as a connection error of type PROTOCOL_VIOLATION.
    for (size, accepted) in [(0, true), (1, false), (u32::MAX - 1, false), (u32::MAX, true)] {
        let (mut client, _) = complete(&client(PROTOCOL), &server(PROTOCOL));
        let taken = client.read(&(Level::OneRtt, ticket(size)));
        let code = taken.err().map(|error| error.code);
        let expected = (!accepted).then_some(TransportErrorCode::PROTOCOL_VIOLATION);
        assert_eq!(code, expected, "max_early_data_size {size}");
    }
    for (accept, expected) in [(false, 0), (true, u32::MAX)] {
        let store = Arc::new(Kept::default());
        let server = server(PROTOCOL).accept_early_data(accept);
        let (mut client, mut server) =
            (End::client(&client_with(&store)), End::server_with(&server, parameters()));
        run(&mut client, &mut server).unwrap();
        let kept = store.0.lock().unwrap();
        assert_eq!(kept.len(), 2);
        assert!(kept.iter().all(|(_, session)| session.maximum_early_data() == expected));
    }
}

#[test]
fn early_data_is_offered_where_the_application_says_so_and_nowhere_else() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.6
    //= type=test
    //# A client therefore MUST NOT use 0-RTT for application data unless specifically
    //# requested by the application that is in use.
    for said in [None, Some(false), Some(true)] {
        let store = Arc::new(Kept::default());
        let sessions: Arc<dyn SessionStore> = Arc::<Kept>::clone(&store);
        // What configures TLS is not what knows whether requests may be replayed.
        let config = client_from(|config| config.enable_early_data = true);
        let mut config = config.session_store(sessions);
        if let Some(offer) = said {
            config = config.offer_early_data(offer);
        }
        let server = server(PROTOCOL).accept_early_data(true);
        let mut first = (End::client(&config), End::server_with(&server, parameters()));
        run(&mut first.0, &mut first.1).unwrap();
        let mut second = End::client(&config);
        let is_offered = said == Some(true);
        assert_eq!(second.session.early_keys().is_some(), is_offered, "{said:?}");
        let (_, hello) = second.write().remove(0);
        assert!(extension(&hello, PRE_SHARED_KEY).is_some(), "the session is resumed");
        assert_eq!(extension(&hello, EARLY_DATA).is_some(), is_offered, "{said:?}");
    }
}

#[test]
fn early_data_ends_without_a_message() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-8.3
    //= type=test
    //# Clients MUST NOT send the EndOfEarlyData message.
    let store = Arc::new(Kept::default());
    let (client_config, server_config) =
        (client_with(&store), server(PROTOCOL).accept_early_data(true));
    for resumes in [false, true] {
        let mut client = End::client(&client_config);
        assert_eq!(client.session.remembered_parameters().is_some(), resumes);
        assert_eq!(client.session.early_keys().is_some(), resumes);
        assert_eq!(client.session.early_data_accepted(), None);
        let mut server = End::server_with(&server_config, parameters());
        let mut flights = client.write();
        let answers = server.read(&flights.remove(0)).unwrap();
        assert_eq!(server.session.early_keys().is_some(), resumes);
        assert!(client.session.early_keys().is_none(), "they come once");
        let mut finished = Vec::new();
        for answer in answers {
            finished.extend(client.read(&answer).unwrap());
        }
        assert_eq!(client.session.early_data_accepted(), Some(resumes));
        let [(level, finished)] = &*finished else { panic!("{finished:?}") };
        assert_eq!((*level, finished[0]), (Level::Handshake, 20), "nothing but Finished");
        for answer in server.read(&(*level, finished.clone())).unwrap() {
            client.read(&answer).unwrap();
        }
    }
}

#[test]
fn sessions_belong_to_a_name_a_version_and_the_protocols_that_were_offered() {
    let store = Arc::new(Kept::default());
    complete(&client_with(&store), &server(PROTOCOL));
    let key = store.0.lock().unwrap()[0].0.clone();
    assert_eq!(key.server_name.to_str(), "server.example");
    assert_eq!(key.version, 1);
    assert_eq!(*key.protocols, [b"h3".to_vec()]);
}
