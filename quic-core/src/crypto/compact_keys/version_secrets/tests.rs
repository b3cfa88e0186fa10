use std::sync::Arc;

use rustls::crypto::tls13::OkmBlock;
use rustls::quic::{Connection, KeyChange, ServerConnection, Version};
use rustls::{CipherSuite, KeyLog, Side};

use super::VersionSecrets;
use crate::crypto::secret_capture::SecretCapture;

/// RFC 9369 Appendix A.5.
const SECRET: [u8; 32] = [
    0x9a, 0xc3, 0x12, 0xa7, 0xf8, 0x77, 0x46, 0x8e, 0xbe, 0x69, 0x42, 0x27, 0x48, 0xad, 0x00, 0xa1,
    0x54, 0x43, 0xf1, 0x82, 0x03, 0xa0, 0x7d, 0x60, 0x60, 0xf6, 0x88, 0xf3, 0x0f, 0x21, 0x63, 0x2b,
];
const UPDATED: [u8; 32] = [
    0xc6, 0x93, 0x74, 0xc4, 0x9e, 0x3d, 0x2a, 0x94, 0x66, 0xfa, 0x68, 0x9e, 0x49, 0xd4, 0x76, 0xdb,
    0x5d, 0x0d, 0xfb, 0xc8, 0x7d, 0x32, 0xce, 0xea, 0xa6, 0x34, 0x3f, 0xd0, 0xae, 0x4c, 0x7d, 0x88,
];

fn secrets(version: Version, side: Side) -> VersionSecrets {
    let suite = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
    let pair = [OkmBlock::new(&SECRET), OkmBlock::new(&SECRET)];
    VersionSecrets::new(suite, version, side, pair).unwrap()
}

#[test]
fn the_packet_and_its_keys_are_as_in_rfc_9369_appendix_a5() {
    let keys = secrets(Version::V2, Side::Client).keys().unwrap();
    let mut packet = [0x42, 0x00, 0xbf, 0xf4, 0x01];
    let (header, payload) = packet.split_at_mut(4);
    let tag = keys.local.packet.encrypt_in_place(654_360_564, header, payload).unwrap();
    let mut sealed = [&packet[..], tag.as_ref()].concat();
    let sample: [u8; 16] = *sealed.last_chunk().unwrap();
    let (first, rest) = sealed.split_first_mut().unwrap();
    keys.local.header.encrypt_in_place(&sample, first, &mut rest[..3]).unwrap();
    assert_eq!(
        sealed,
        *b"\x55\x58\xb1\xc6\x0a\xe7\xb6\xb9\x32\xbc\x27\xd7\x86\xf4\xbc\x2b\xb2\x0f\x21\x62\xba"
    );
}

#[test]
fn the_next_secret_is_as_in_rfc_9369_appendix_a5() {
    let mut secrets = secrets(Version::V2, Side::Client);
    secrets.next_packet_keys().unwrap();
    assert_eq!(secrets.client.as_ref(), UPDATED);
    assert_eq!(secrets.server.as_ref(), UPDATED);
}

/// One handshake whose secrets are kept: our keys are those that TLS made of them.
#[test]
fn keys_are_those_that_tls_makes_for_either_version() {
    for version in [Version::V1, Version::V2] {
        for capture in [true, false] {
            check_against_tls(version, capture);
        }
    }
}

fn check_against_tls(version: Version, keeps: bool) {
    let (mut client, mut server) = super::super::tests::records::configs();
    let capture = Arc::new(SecretCapture::new(Arc::new(rustls::NoKeyLog)));
    if keeps {
        capture.keep();
    }
    client.key_log = Arc::clone(&capture) as Arc<dyn KeyLog>;
    let name = "localhost".try_into().unwrap();
    let client = rustls::quic::ClientConnection::new(Arc::new(client), version, name, vec![1]);
    let mut client = Connection::from(client.unwrap());
    server.send_tls13_tickets = 0;
    let server = ServerConnection::new(Arc::new(server), version, vec![2]);
    let mut server = Connection::from(server.unwrap());
    let mut changes = Vec::new();
    for _ in 0..4 {
        pump(&mut client, &mut server, &mut changes);
        pump(&mut server, &mut client, &mut Vec::new());
    }
    let suite = client.negotiated_cipher_suite().unwrap().suite();
    assert_eq!((capture.handshake().is_some(), capture.one_rtt().is_some()), (keeps, keeps));
    let (Some(handshake), Some(one_rtt)) = (capture.handshake(), capture.one_rtt()) else { return };
    let ours = |pair| VersionSecrets::new(suite, version, Side::Client, pair).unwrap();
    let mut changes = changes.into_iter();
    let Some(KeyChange::Handshake { keys }) = changes.next() else { panic!("no Handshake keys") };
    check_same(&keys, &ours(handshake).keys().unwrap());
    let Some(KeyChange::OneRtt { keys, mut next }) = changes.next() else {
        panic!("no 1-RTT keys")
    };
    let mut secrets = ours(one_rtt);
    check_same(&keys, &secrets.keys().unwrap());
    for _ in 0..3 {
        let (theirs, ours) = (next.next_packet_keys(), secrets.next_packet_keys().unwrap());
        check_same_packet_keys(&*theirs.local, &*ours.local);
        check_same_packet_keys(&*theirs.remote, &*ours.remote);
    }
}

fn pump(from: &mut Connection, to: &mut Connection, changes: &mut Vec<KeyChange>) {
    loop {
        let mut bytes = Vec::new();
        let change = from.write_hs(&mut bytes);
        if bytes.is_empty() && change.is_none() {
            return;
        }
        to.read_hs(&bytes).unwrap();
        changes.extend(change);
    }
}

fn check_same(theirs: &rustls::quic::Keys, ours: &rustls::quic::Keys) {
    for (theirs, ours) in [(&theirs.local, &ours.local), (&theirs.remote, &ours.remote)] {
        check_same_packet_keys(&*theirs.packet, &*ours.packet);
        let (mut a, mut b) = ((0x43, [1, 2, 3, 4]), (0x43, [1, 2, 3, 4]));
        theirs.header.encrypt_in_place(&[7; 16], &mut a.0, &mut a.1).unwrap();
        ours.header.encrypt_in_place(&[7; 16], &mut b.0, &mut b.1).unwrap();
        assert_eq!(a, b);
    }
}

fn check_same_packet_keys(
    theirs: &dyn rustls::quic::PacketKey,
    ours: &dyn rustls::quic::PacketKey,
) {
    let (mut a, mut b) = ([5; 40], [5; 40]);
    let theirs = theirs.encrypt_in_place(9, b"header", &mut a).unwrap();
    let ours = ours.encrypt_in_place(9, b"header", &mut b).unwrap();
    assert_eq!((a, theirs.as_ref()), (b, ours.as_ref()));
}
