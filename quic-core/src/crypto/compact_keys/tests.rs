use rustls::quic::{Keys, Suite, Version};
use rustls::{Side, SupportedCipherSuite};

use super::super::InitialKeys;
use super::header_key::CompactHeaderKey;
use super::packet_key::CompactPacketKey;
use super::{BRIEF_USES, SHORT, plain_provider, provider};

const ID: &[u8] = b"any connection";

fn suites() -> impl Iterator<Item = (Suite, Suite)> {
    let suite = |suite: SupportedCipherSuite| suite.tls13().unwrap().quic_suite().unwrap();
    let find = move |plain: SupportedCipherSuite| {
        let all = provider().cipher_suites;
        suite(*all.iter().find(|compact| compact.suite() == plain.suite()).unwrap())
    };
    let plain = plain_provider().cipher_suites.into_iter();
    plain.filter(|plain| plain.tls13().is_some()).map(move |plain| (find(plain), suite(plain)))
}

fn keys(suite: Suite, side: Side) -> Keys {
    suite.keys(ID, side, Version::V1)
}

#[test]
fn every_suite_of_tls_1_3_is_there_in_the_same_order() {
    let names = |suites: Vec<SupportedCipherSuite>| -> Vec<_> {
        suites
            .iter()
            .filter(|suite| suite.tls13().is_some())
            .map(SupportedCipherSuite::suite)
            .collect()
    };
    assert_eq!(names(provider().cipher_suites), names(plain_provider().cipher_suites));
    assert_eq!(suites().count(), 3);
}

#[test]
fn limits_and_lengths_are_those_of_plain_keys() {
    for (compact, plain) in suites() {
        let (compact, plain) = (keys(compact, Side::Client), keys(plain, Side::Client));
        let (a, b) = (compact.local.packet, plain.local.packet);
        assert_eq!(a.confidentiality_limit(), b.confidentiality_limit());
        assert_eq!(a.integrity_limit(), b.integrity_limit());
        assert_eq!(a.tag_len(), b.tag_len());
        assert_eq!(compact.local.header.sample_len(), plain.local.header.sample_len());
    }
}

#[test]
fn packets_are_the_same_as_with_plain_keys_however_many_there_are() {
    for (compact, plain) in suites() {
        let (sender, receiver) = (keys(compact, Side::Client), keys(compact, Side::Server));
        let model = keys(plain, Side::Client);
        for number in 0..u64::from(3 * BRIEF_USES) {
            let mut sealed = vec![7; 100];
            let mut expected = sealed.clone();
            let tag = sender.local.packet.encrypt_in_place(number, b"header", &mut sealed);
            let expected_tag =
                model.local.packet.encrypt_in_place(number, b"header", &mut expected);
            sealed.extend(tag.unwrap().as_ref());
            expected.extend(expected_tag.unwrap().as_ref());
            assert_eq!(sealed, expected);
            let opened = receiver.remote.packet.decrypt_in_place(number, b"header", &mut sealed);
            assert_eq!(opened.unwrap(), [7; 100]);
            let forged = receiver.remote.packet.decrypt_in_place(number, b"HEADER", &mut expected);
            assert!(forged.is_err());
        }
    }
}

#[test]
fn headers_are_the_same_as_with_plain_keys_however_many_there_are() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.3
    //= type=test
    //# A cipher suite MUST NOT be negotiated unless a header protection scheme
    //# is defined for the cipher suite.
    let is_protected = |suite: &SupportedCipherSuite| suite.tls13()?.quic_suite();
    assert!(provider().cipher_suites.iter().all(|suite| is_protected(suite).is_some()));
    for (compact, plain) in suites() {
        let (sender, receiver) = (keys(compact, Side::Client), keys(compact, Side::Server));
        let model = keys(plain, Side::Client);
        for first in 0..=u8::MAX {
            let sample = [first; 16];
            let (mut a, mut b) = ((first, [1, 2, 3, 4]), (first, [1, 2, 3, 4]));
            sender.local.header.encrypt_in_place(&sample, &mut a.0, &mut a.1).unwrap();
            model.local.header.encrypt_in_place(&sample, &mut b.0, &mut b.1).unwrap();
            assert_eq!(a, b);
            receiver.remote.header.decrypt_in_place(&sample, &mut a.0, &mut a.1).unwrap();
            assert_eq!(a, (first, [1, 2, 3, 4]));
        }
    }
}

#[test]
fn a_sample_or_number_of_a_wrong_length_changes_nothing() {
    for (compact, _) in suites() {
        let key = keys(compact, Side::Client).local.header;
        let (mut first, mut number) = (0x43, [1, 2, 3, 4, 5]);
        assert!(key.encrypt_in_place(&[0; 15], &mut first, &mut number[..4]).is_err());
        assert!(key.decrypt_in_place(&[0; 17], &mut first, &mut number[..4]).is_err());
        assert!(key.encrypt_in_place(&[0; 16], &mut first, &mut number).is_err());
        assert_eq!((first, number), (0x43, [1, 2, 3, 4, 5]));
    }
}

pub(in crate::crypto) mod records {
    //! The suites do for TLS over TCP, too.

    use std::io::{Read as _, Write as _};
    use std::sync::Arc;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

    use super::{plain_provider, provider};

    pub(in crate::crypto) fn configs() -> (ClientConfig, ServerConfig) {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certified.cert.der().clone()).unwrap();
        let key = certified.signing_key.serialize_der().try_into().unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server = ServerConfig::builder_with_provider(Arc::new(plain_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        (client, server)
    }

    #[test]
    fn tls_runs_between_compact_and_plain_record_keys() {
        let (client, server) = configs();
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
        let mut server = ServerConnection::new(Arc::new(server)).unwrap();
        client.writer().write_all(b"question").unwrap();
        server.writer().write_all(b"answer").unwrap();
        for _ in 0..10 {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            let mut bytes = &wire[..];
            while !bytes.is_empty() {
                server.read_tls(&mut bytes).unwrap();
                server.process_new_packets().unwrap();
            }
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            let mut bytes = &wire[..];
            while !bytes.is_empty() {
                client.read_tls(&mut bytes).unwrap();
                client.process_new_packets().unwrap();
            }
        }
        let (mut question, mut answer) = ([0; 8], [0; 6]);
        server.reader().read_exact(&mut question).unwrap();
        client.reader().read_exact(&mut answer).unwrap();
        assert_eq!((&question, &answer), (b"question", b"answer"));
    }
}

#[test]
fn keys_that_are_hardly_used_take_no_more_than_is_said() {
    let largest = size_of::<CompactPacketKey<SHORT>>().max(size_of::<CompactHeaderKey<SHORT>>());
    let said = InitialKeys::worst_case_bytes();
    assert!(said >= (size_of::<Keys>() + 4 * largest) as u64, "{said}: {largest} each");
}
