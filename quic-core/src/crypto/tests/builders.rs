//! What the builders of TLS configurations promise.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use rustls::{CipherSuite, NamedGroup, RootCertStore};

use super::super::{SessionFactory, TlsClientConfig, TlsConfigError, TlsServerConfig};
use super::handshake::{Certified, End, certified, client, run, server};
use crate::error::TransportError;

/// A certificate for `name`, and its root.
fn certificate(name: &str) -> (Certified, RootCertStore) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let chain = vec![made.cert.der().clone()];
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    (Certified { chain, key: key(&made.signing_key) }, roots)
}

fn key(pair: &rcgen::KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(pair.serialize_der()).unwrap()
}

/// A key and its public half.
fn raw_key() -> (PrivateKeyDer<'static>, SubjectPublicKeyInfoDer<'static>) {
    let pair = rcgen::KeyPair::generate().unwrap();
    let public = rcgen::PublicKeyData::subject_public_key_info(&pair);
    (key(&pair), SubjectPublicKeyInfoDer::from(public))
}

/// What the two ends make of each other.
fn meet(
    client: &dyn SessionFactory,
    server: &dyn SessionFactory,
) -> Result<(End, End), TransportError> {
    let (mut client, mut server) = (End::client(client), End::server(server));
    run(&mut client, &mut server)?;
    assert!(!client.session.is_handshaking() && !server.session.is_handshaking());
    Ok((client, server))
}

#[track_caller]
fn check_alert(result: Result<(End, End), TransportError>, alert: u64) {
    assert_eq!(result.err().unwrap().code.value(), 0x100 + alert);
}

fn certificates_of(end: &End) -> Option<Vec<CertificateDer<'static>>> {
    let identity = end.session.peer_identity()?;
    Some(identity.downcast_ref::<Vec<CertificateDer<'static>>>().unwrap().clone())
}

fn server_builder() -> super::super::TlsServerBuilder {
    let Certified { chain, key } = certified();
    TlsServerConfig::builder().certificate(chain, key).unwrap()
}

#[test]
fn a_server_that_requires_client_certificates_knows_its_clients_and_refuses_all_others() {
    let (own, roots) = certificate("client.example");
    let (strange, _) = certificate("stranger.example");
    let required = server_builder().require_client_certificates(roots.clone()).unwrap();
    let required = required.build().unwrap();
    let requested = server_builder().request_client_certificates(roots).unwrap().build().unwrap();
    let nobody = || client(&[]);
    let anyone = |Certified { chain, key }| {
        let trust = super::super::tls_config::trust_anyone();
        let builder = TlsClientConfig::builder().verifier(trust);
        builder.certificate(chain, key).unwrap().build().unwrap()
    };
    let chain = own.chain.clone();
    let known = anyone(own);
    let stranger = anyone(strange);
    for server in [&required, &requested] {
        let (_, mut server) = meet(&known, server).unwrap();
        assert_eq!(certificates_of(&server).as_ref(), Some(&chain));
        server.session.on_confirmed();
        assert_eq!(certificates_of(&server).as_ref(), Some(&chain), "after TLS is dropped, too");
    }
    // certificate_required, and decrypt_error: the root of the same name has another key.
    check_alert(meet(&nobody(), &required), 116);
    check_alert(meet(&stranger, &required), 51);
    let (_, server) = meet(&nobody(), &requested).unwrap();
    assert_eq!(certificates_of(&server), None);
    check_alert(meet(&stranger, &requested), 51);
}

#[test]
fn raw_public_keys_identify_both_ends_without_certificates() {
    let ((server_key, server_public), (client_key, client_public)) = (raw_key(), raw_key());
    let (other_key, other_public) = raw_key();
    let server = TlsServerConfig::builder()
        .raw_public_key(server_key)
        .unwrap()
        .require_client_raw_public_keys(vec![client_public.clone()])
        .build()
        .unwrap();
    let trusting = |trusted: &SubjectPublicKeyInfoDer<'static>, key: &PrivateKeyDer<'static>| {
        TlsClientConfig::builder()
            .trust_raw_public_keys(vec![trusted.clone()])
            .raw_public_key(key.clone_key())
            .unwrap()
            .build()
            .unwrap()
    };
    let (client, server_end) = meet(&trusting(&server_public, &client_key), &server).unwrap();
    assert_eq!(certificates_of(&client).unwrap()[0].as_ref(), server_public.as_ref());
    assert_eq!(certificates_of(&server_end).unwrap()[0].as_ref(), client_public.as_ref());
    // access_denied: neither end takes another key.
    check_alert(meet(&trusting(&other_public, &client_key), &server), 49);
    check_alert(meet(&trusting(&server_public, &other_key), &server), 49);
    let nobody = TlsClientConfig::builder().trust_raw_public_keys(vec![server_public.clone()]);
    assert!(meet(&nobody.build().unwrap(), &server).is_err());
}

#[test]
fn an_end_that_wants_raw_public_keys_takes_no_certificates() {
    let (_, public) = raw_key();
    let client = TlsClientConfig::builder().trust_raw_public_keys(vec![public]).build().unwrap();
    assert!(meet(&client, &server(&[])).is_err());
}

#[test]
fn the_server_proves_the_name_that_the_client_asks_for() {
    let (one, one_root) = certificate("server.example");
    let (other, other_root) = certificate("other.example");
    let (any, any_root) = certificate("server.example");
    let trusting = |roots: &RootCertStore| {
        let builder = TlsClientConfig::builder().trust_roots(roots.clone()).unwrap();
        builder.build().unwrap()
    };
    let Certified { chain, key } = other;
    let only_other =
        TlsServerConfig::builder().certificate_for("other.example", chain, key).unwrap();
    let both =
        only_other.certificate_for("Server.Example.", one.chain.clone(), one.key.clone_key());
    let both = both.unwrap().build().unwrap();
    meet(&trusting(&one_root), &both).unwrap();
    check_alert(meet(&trusting(&other_root), &both), 51);
    // The default is for other names.
    let (strange, _) = certificate("strange.example");
    let with_default = TlsServerConfig::builder()
        .certificate_for("strange.example", strange.chain, strange.key)
        .unwrap()
        .certificate(any.chain, any.key)
        .unwrap();
    meet(&trusting(&any_root), &with_default.build().unwrap()).unwrap();
    let (strange, _) = certificate("strange.example");
    let without = TlsServerConfig::builder()
        .certificate_for("strange.example", strange.chain, strange.key)
        .unwrap();
    // access_denied
    check_alert(meet(&trusting(&any_root), &without.build().unwrap()), 49);
}

#[test]
fn the_server_chooses_the_application_protocol_by_its_own_order() {
    let server = server_builder().alpn(&[b"best", b"good"]).build().unwrap();
    let (client_end, server_end) = meet(&client(&[b"good", b"best"]), &server).unwrap();
    for end in [client_end, server_end] {
        assert_eq!(end.session.handshake_data().unwrap().protocol.as_deref(), Some(&b"best"[..]));
    }
    // no_application_protocol
    check_alert(meet(&client(&[b"bad"]), &server), 120);
}

#[test]
fn both_ends_can_choose_the_cipher_suite() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.3
    //= type=test
    //# An endpoint MUST NOT reject a ClientHello that offers a cipher suite
    //# that it does not support, or it would be impossible to deploy a new
    //# cipher suite.
    let wanted = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
    let server = server_builder().cipher_suites(&[wanted]).build().unwrap();
    let (client, server) = meet(&client(&[]), &server).unwrap();
    for end in [client, server] {
        assert_eq!(end.session.handshake_data().unwrap().cipher_suite, Some(wanted));
    }
    assert!(server_builder().cipher_suites(&[]).build().is_err());
}

#[test]
fn both_ends_can_choose_the_key_exchange() {
    let wanted = NamedGroup::secp384r1;
    let server = server_builder().key_exchange_groups(&[wanted]).build().unwrap();
    let (client, server) = meet(&client(&[]), &server).unwrap();
    for end in [client, server] {
        assert_eq!(end.session.handshake_data().unwrap().key_exchange_group, Some(wanted));
    }
    assert!(server_builder().key_exchange_groups(&[]).build().is_err());
}

#[cfg(all(feature = "aws-lc-rs", not(feature = "ring")))]
#[test]
fn with_aws_lc_the_key_exchange_is_post_quantum() {
    let (client, server) = meet(&client(&[]), &server(&[])).unwrap();
    for end in [client, server] {
        let group = end.session.handshake_data().unwrap().key_exchange_group;
        assert_eq!(group, Some(NamedGroup::X25519MLKEM768));
    }
}

#[test]
fn a_configuration_that_says_too_little_is_refused() {
    let nobody = TlsServerConfig::builder().build().unwrap_err();
    assert_eq!(nobody, TlsConfigError::Rejected("the server has no certificate".to_owned()));
    let credulous = TlsClientConfig::builder().build().unwrap_err();
    assert_eq!(credulous, TlsConfigError::Rejected("the client trusts nobody".to_owned()));
    assert!(TlsClientConfig::builder().trust_roots(RootCertStore::empty()).is_err());
    assert!(server_builder().require_client_certificates(RootCertStore::empty()).is_err());
    let (one, other) = (certified(), certified());
    assert!(TlsServerConfig::builder().certificate(one.chain, other.key).is_err());
}
