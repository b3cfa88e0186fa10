//! Handshakes of rustls with itself, and what its errors become.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CipherSuite, KeyLog, NamedGroup, RootCertStore, ServerConfig};

use super::super::compact_keys::default_provider;
use super::super::{
    KeyChange, Level, Session, SessionFactory, StartSessionError, TlsClientConfig, TlsConfigError,
    TlsServerConfig,
};
use crate::error::{TransportError, TransportErrorCode};

const VERSION: u32 = 1;
pub(super) const NAME: &str = "server.example";

pub(super) struct Certified {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

pub(super) fn certified() -> Certified {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    Certified {
        chain: vec![made.cert.der().clone()],
        key: PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap(),
    }
}

pub(super) fn server(alpn: &[&[u8]]) -> TlsServerConfig {
    let Certified { chain, key } = certified();
    TlsServerConfig::from_certificate(chain, key, alpn).unwrap()
}

pub(super) fn client(alpn: &[&[u8]]) -> TlsClientConfig {
    TlsClientConfig::dangerous_without_verification(alpn).unwrap()
}

/// A server whose configuration was changed.
pub(super) fn server_from(change: impl FnOnce(&mut ServerConfig)) -> TlsServerConfig {
    let Certified { chain, key } = certified();
    let mut config = ServerConfig::builder_with_provider(default_provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h3".to_vec()];
    change(&mut config);
    TlsServerConfig::new(Arc::new(config)).unwrap()
}

/// A client whose configuration was changed.
pub(super) fn client_from(change: impl FnOnce(&mut rustls::ClientConfig)) -> TlsClientConfig {
    let mut config = client(&[b"h3"]).rustls_config().clone();
    change(&mut config);
    TlsClientConfig::new(Arc::new(config)).unwrap()
}

/// One end, and the level that it writes at.
pub(super) struct End {
    pub(super) session: Box<dyn Session>,
    level: Level,
    changes: Vec<Level>,
    /// What the server chooses.
    version: u32,
}

impl End {
    pub(super) fn client(config: &dyn SessionFactory) -> Self {
        Self::new(config.start(VERSION, Some(NAME), b"of the client".to_vec()).unwrap())
    }

    pub(super) fn server(config: &dyn SessionFactory) -> Self {
        Self::server_with(config, b"of the server".to_vec())
    }

    pub(super) fn server_with(config: &dyn SessionFactory, parameters: Vec<u8>) -> Self {
        Self::new(config.start(VERSION, None, parameters).unwrap())
    }

    fn new(session: Box<dyn Session>) -> Self {
        Self { session, level: Level::Initial, changes: Vec::new(), version: VERSION }
    }

    /// Reads a flight in pieces, and writes what there is to answer.
    pub(super) fn read(
        &mut self,
        (level, bytes): &(Level, Vec<u8>),
    ) -> Result<Vec<(Level, Vec<u8>)>, TransportError> {
        for piece in bytes.chunks(100) {
            self.session.read_handshake(*level, piece)?;
        }
        if self.session.client_offer().is_some() {
            self.session.choose_version(self.version, b"")?;
        }
        Ok(self.write())
    }

    pub(super) fn write(&mut self) -> Vec<(Level, Vec<u8>)> {
        let mut flights = Vec::new();
        loop {
            let mut bytes = Vec::new();
            let change = self.session.write_handshake(&mut bytes);
            if change.is_none() && bytes.is_empty() {
                return flights;
            }
            if !bytes.is_empty() {
                flights.push((self.level, bytes));
            }
            self.level = match change {
                Some(KeyChange::Handshake(_)) => Level::Handshake,
                Some(KeyChange::OneRtt(_)) => Level::OneRtt,
                None => continue,
            };
            self.changes.push(self.level);
        }
    }
}

/// Carries all that each end writes to the other until both fall silent. Each end writes, and
/// makes keys, before it reads the next level.
pub(super) fn run(client: &mut End, server: &mut End) -> Result<(), TransportError> {
    let mut to_server = VecDeque::from(client.write());
    let mut to_client = VecDeque::new();
    loop {
        if let Some(flight) = to_server.pop_front() {
            to_client.extend(server.read(&flight)?);
        } else if let Some(flight) = to_client.pop_front() {
            to_server.extend(client.read(&flight)?);
        } else {
            return Ok(());
        }
    }
}

pub(super) fn complete(client: &TlsClientConfig, server: &TlsServerConfig) -> (End, End) {
    let (mut client, mut server) = (End::client(client), End::server(server));
    run(&mut client, &mut server).unwrap();
    (client, server)
}

#[test]
fn a_client_that_resumes_a_session_does_not_take_the_last_parameters_for_new_ones() {
    let (client_config, server_config) = (client(&[b"h3"]), server(&[b"h3"]));
    let (mut first, mut server) = complete(&client_config, &server_config);
    // Tickets come after the handshake.
    for flight in server.write() {
        first.read(&flight).unwrap();
    }
    let mut second = End::client(&client_config);
    second.write();
    assert_eq!(second.session.peer_parameters(), None);
    assert_eq!(second.session.handshake_data(), None);
    let (second, _) = complete(&client_config, &server_config);
    assert_eq!(second.session.peer_parameters(), Some(&b"of the server"[..]));
}

#[test]
fn both_ends_agree_on_everything() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7
    //= type=test
    //# The cryptographic handshake MUST provide the following properties:
    let Certified { chain, key } = certified();
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let server_config = TlsServerConfig::from_certificate(chain.clone(), key, &[b"h3"]).unwrap();
    let client_config = TlsClientConfig::from_roots(roots, &[b"other", b"h3"]).unwrap();
    let (client, server) = complete(&client_config, &server_config);
    let (mut client, mut server) = (client.session, server.session);

    assert!(!client.is_handshaking() && !server.is_handshaking());
    assert_eq!(client.peer_parameters(), Some(&b"of the server"[..]));
    assert_eq!(server.peer_parameters(), Some(&b"of the client"[..]));
    assert_eq!(client.handshake_data().unwrap().protocol.as_deref(), Some(&b"h3"[..]));
    assert_eq!(server.handshake_data().unwrap().server_name.as_deref(), Some(NAME));
    let identity = client.peer_identity().unwrap();
    assert_eq!(identity.downcast_ref::<Vec<CertificateDer<'static>>>(), Some(&chain));
    let (mut a, mut b) = ([0; 32], [1; 32]);
    assert!(client.export_keying_material(&mut a, b"label", b"context"));
    assert!(server.export_keying_material(&mut b, b"label", b"context"));
    assert_eq!(a, b);

    for number in 0..3 {
        let (client, server) = (client.next_keys().unwrap(), server.next_keys().unwrap());
        let mut packet = *b"a payload and the room for a tag";
        let (payload, tag) = packet.split_last_chunk_mut::<16>().unwrap();
        let made = client.local.encrypt_in_place(number, b"header", payload).unwrap();
        tag.copy_from_slice(made.as_ref());
        let opened = server.remote.decrypt_in_place(number, b"header", &mut packet).unwrap();
        assert_eq!(opened, b"a payload and th");
    }
}

#[test]
fn keys_come_for_each_level_once_and_in_order() {
    let (client, server) = complete(&client(&[b"h3"]), &server(&[b"h3"]));
    assert_eq!(client.changes, [Level::Handshake, Level::OneRtt]);
    assert_eq!(server.changes, [Level::Handshake, Level::OneRtt]);
}

fn server_with(provider: CryptoProvider) -> Result<TlsServerConfig, TlsConfigError> {
    let Certified { chain, key } = certified();
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h3".to_vec()];
    TlsServerConfig::new(Arc::new(config))
}

#[test]
fn a_client_whose_key_share_does_not_suit_is_asked_again() {
    let mut provider = CryptoProvider::clone(&default_provider());
    provider.kx_groups.retain(|group| group.name() == NamedGroup::secp384r1);
    let (client, server) = complete(&client(&[b"h3"]), &server_with(provider).unwrap());
    assert!(!client.session.is_handshaking() && !server.session.is_handshaking());
    assert_eq!(client.changes, [Level::Handshake, Level::OneRtt]);
}

#[test]
fn initial_packets_are_protected_whatever_is_permitted_later() {
    let mut provider = CryptoProvider::clone(&default_provider());
    provider
        .cipher_suites
        .retain(|suite| suite.suite() == CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
    let (client, server) = complete(&client(&[b"h3"]), &server_with(provider).unwrap());
    assert!(!client.session.is_handshaking() && !server.session.is_handshaking());
    let chosen = server.session.handshake_data().unwrap().cipher_suite;
    assert_eq!(chosen, Some(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256));
}

#[test]
fn a_certificate_and_the_key_of_another_are_refused() {
    let (one, other) = (certified(), certified());
    let error = TlsServerConfig::from_certificate(one.chain, other.key, &[]).unwrap_err();
    assert!(matches!(error, TlsConfigError::Rejected(_)));
}

#[test]
fn a_server_drops_tls_when_confirmed_and_keeps_what_was_agreed() {
    let (_, mut server) = complete(&client(&[b"h3"]), &server(&[b"h3"]));
    let agreed = server.session.handshake_data();
    server.session.on_confirmed();
    assert_eq!(server.session.handshake_data(), agreed);
    assert!(!server.session.is_handshaking());
    assert!(server.session.next_keys().is_some());
    assert!(!server.session.export_keying_material(&mut [0; 8], b"label", b""));
    let error = server.session.read_handshake(Level::OneRtt, &[0]).unwrap_err();
    assert_eq!(error.code, TransportErrorCode::crypto(10));
}

#[test]
fn a_server_that_keeps_the_exporter_can_export_when_confirmed() {
    let (_, mut server) = complete(&client(&[b"h3"]), &server(&[b"h3"]).keep_exporter(true));
    server.session.on_confirmed();
    assert!(server.session.export_keying_material(&mut [0; 8], b"label", b""));
}

#[test]
fn the_end_of_the_handshake_has_to_be_reached_before_tls_is_dropped() {
    let mut server = End::server(&server(&[b"h3"]));
    server.session.on_confirmed();
    let mut client = End::client(&client(&[b"h3"]));
    assert_eq!(run(&mut client, &mut server), Ok(()));
}

#[test]
fn a_tls_key_update_is_an_unexpected_message() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6
    //= type=test
    //# Endpoints MUST NOT send a TLS KeyUpdate message.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6
    //= type=test
    //# Endpoints MUST treat the receipt of a TLS KeyUpdate message as a
    //# connection error of type 0x010a, equivalent to a fatal TLS alert of
    //# unexpected_message; see Section 4.8.
    let (mut client, mut server) =
        complete(&client(&[b"h3"]), &server(&[b"h3"]).keep_exporter(true));
    for end in [&mut client, &mut server] {
        end.write();
        assert!(end.session.next_keys().is_some());
        assert_eq!(end.write(), [], "keys change without a word of TLS");
        let error = end.session.read_handshake(Level::OneRtt, &[24, 0, 0, 1, 0]).unwrap_err();
        assert_eq!(error.code, TransportErrorCode::crypto(10));
    }
}

#[test]
fn without_a_common_protocol_the_server_closes() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-8.1
    //= type=test
    //# When using ALPN, endpoints MUST immediately close a connection (see Section 10.2 of
    //# [QUIC-TRANSPORT]) with a no_application_protocol TLS alert (QUIC error code 0x0178;
    //# see Section 4.8) if an application protocol is not negotiated.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-8.1
    //= type=test
    //# The server MUST treat the inability to select a compatible application protocol as a
    //# connection error of type 0x0178 (no_application_protocol).
    for offers in [&[&b"other"[..]][..], &[]] {
        let (mut client, mut server) =
            (End::client(&client(offers)), End::server(&server(&[b"h3"])));
        let error = run(&mut client, &mut server).unwrap_err();
        assert_eq!(error.code, TransportErrorCode::crypto(120));
    }
}

#[test]
fn a_client_closes_if_the_server_selects_what_was_not_offered() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-8.1
    //= type=test
    //# Similarly, a client MUST treat the selection of an incompatible application protocol by
    //# a server as a connection error of type 0x0178.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-8.1
    //= type=test
    //# While [ALPN] only specifies that servers use this alert, QUIC clients MUST use error
    //# 0x0178 to terminate a connection when ALPN negotiation fails.
    let (mut client, mut server) = (End::client(&client(&[b"h3"])), End::server(&server(&[b"h3"])));
    let hello = client.write().remove(0);
    let mut flights = server.read(&hello).unwrap();
    assert_eq!(client.read(&flights[0]), Ok(Vec::new()));
    let extensions = &mut flights[1].1;
    let protocol = extensions.windows(3).position(|bytes| bytes == b"\x02h3").unwrap();
    extensions[protocol + 2] = b'4';
    let error = client.read(&flights[1]).unwrap_err();
    assert_eq!(error.code, TransportErrorCode::crypto(120));
}

/// The types of handshake messages (RFC 8446 §4).
fn message_types(mut bytes: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    while let [kind, a, b, c, rest @ ..] = bytes {
        types.push(*kind);
        let length = u32::from_be_bytes([0, *a, *b, *c]);
        bytes = &rest[usize::try_from(length).unwrap()..];
    }
    types
}

#[test]
fn after_the_handshake_a_server_sends_tickets_and_asks_for_nothing() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.4
    //= type=test
    //# A server MUST NOT use post-handshake client authentication (as defined in Section 4.6.2
    //# of [TLS13]) because the multiplexing offered by QUIC prevents clients from correlating
    //# the certificate request with the application-level event that triggered it (see
    //# [HTTP2-TLS13]).
    let (mut client, mut server) = (End::client(&client(&[b"h3"])), End::server(&server(&[b"h3"])));
    let mut to_client = server.read(&client.write().remove(0)).unwrap();
    let finished: Vec<_> =
        to_client.iter().flat_map(|flight| client.read(flight).unwrap()).collect();
    to_client.clear();
    for flight in &finished {
        to_client.extend(server.read(flight).unwrap());
    }
    assert!(!to_client.is_empty());
    for (level, bytes) in to_client {
        assert_eq!(level, Level::OneRtt);
        assert!(message_types(&bytes).iter().all(|kind| *kind == 4), "something but a ticket");
    }
}

#[test]
fn an_unknown_certificate_is_refused_with_an_alert() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.4
    //= type=test
    //# A client MUST authenticate the identity of the server.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.8
    //= type=test
    //# As QUIC provides alternative mechanisms for connection termination and the TLS
    //# connection is only closed if an error is encountered, a QUIC endpoint MUST treat any
    //# alert from TLS as if it were at the "fatal" level.
    let client = TlsClientConfig::from_roots(RootCertStore::empty(), &[b"h3"]).unwrap();
    let (mut client, mut server) = (End::client(&client), End::server(&server(&[b"h3"])));
    let error = run(&mut client, &mut server).unwrap_err();
    assert_eq!(error.code, TransportErrorCode::crypto(48));
}

#[test]
fn bytes_at_a_wrong_level_are_refused() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.1.3
    //= type=test
    //# If the packet is from a previously installed encryption level, it MUST NOT contain
    //# data that extends past the end of previously received data in that flow.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.1.3
    //= type=test
    //# Implementations MUST treat any violations of this requirement as a connection error of
    //# type PROTOCOL_VIOLATION.
    let (client_config, server_config) = (client(&[b"h3"]), server(&[b"h3"]));
    for level in [Level::Handshake, Level::OneRtt] {
        let mut server = End::server(&server_config);
        let (_, hello) = End::client(&client_config).write().remove(0);
        let error = server.session.read_handshake(level, &hello).unwrap_err();
        assert_eq!(error.code, TransportErrorCode::PROTOCOL_VIOLATION);
    }
    let (mut client, mut server) = complete(&client_config, &server_config);
    for end in [&mut client, &mut server] {
        for level in [Level::Initial, Level::Handshake] {
            let error = end.session.read_handshake(level, &[0]).unwrap_err();
            assert_eq!(error.code, TransportErrorCode::PROTOCOL_VIOLATION);
        }
    }
}

#[test]
fn names_and_versions_that_do_not_exist_start_no_session() {
    let config = client(&[b"h3"]);
    for name in [None, Some(""), Some("a name")] {
        let error = config.start(VERSION, name, Vec::new()).unwrap_err();
        assert_eq!(error, StartSessionError::InvalidServerName(name.unwrap_or("").to_owned()));
    }
    let error = config.start(0x1a2a_3a4a, Some(NAME), Vec::new()).unwrap_err();
    assert_eq!(error, StartSessionError::UnsupportedVersion(0x1a2a_3a4a));
}

#[test]
fn secrets_go_to_the_key_log() {
    #[derive(Debug, Default)]
    struct Logged(AtomicBool);
    impl KeyLog for Logged {
        fn log(&self, label: &str, _client_random: &[u8], _secret: &[u8]) {
            self.0.fetch_or(label == "SERVER_TRAFFIC_SECRET_0", Ordering::Relaxed);
        }
    }
    let [by_client, by_server] = [Arc::new(Logged::default()), Arc::new(Logged::default())];
    let client = client(&[b"h3"]).key_log(Arc::<Logged>::clone(&by_client));
    complete(&client, &server(&[b"h3"]).key_log(Arc::<Logged>::clone(&by_server)));
    assert!(by_client.0.load(Ordering::Relaxed) && by_server.0.load(Ordering::Relaxed));
}
