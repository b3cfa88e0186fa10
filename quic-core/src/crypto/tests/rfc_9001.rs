//! The examples of RFC 9001 Appendix A, byte by byte.

use rustls::crypto::cipher::{AeadKey, Iv};
use rustls::quic::{DirectionalKeys, Keys};
use rustls::{CipherSuite, SupportedCipherSuite};

use super::super::compact_keys::default_provider;
use super::super::initial::{initial_keys, initial_suite};
use super::super::packet_protection::{OpenError, Opened, TAG_LENGTH, open, seal};
use super::super::retry_tag::{is_retry_authentic, retry_tag};
use crate::wire::header::VERSION_1;
use crate::wire::{ConnectionId, Side};

/// The CRYPTO frame of the client's Initial, before padding.
const CLIENT_FRAMES: &str = "
    060040f1010000ed0303ebf8fa56f129 39b9584a3896472ec40bb863cfd3e868
    04fe3a47f06a2b69484c000004130113 02010000c000000010000e00000b6578
    616d706c652e636f6dff01000100000a 00080006001d00170018001000070005
    04616c706e0005000501000000000033 00260024001d00209370b2c9caa47fba
    baf4559fedba753de171fa71f50f1ce1 5d43e994ec74d748002b000302030400
    0d0010000e0403050306030203080408 050806002d00020101001c0002400100
    3900320408ffffffffffffffff050480 00ffff07048000ffff08011001048000
    75300901100f088394c8f03e51570806 048000ffff
";

/// The client's Initial, protected.
const CLIENT_PACKET: &str = "
    c000000001088394c8f03e5157080000 449e7b9aec34d1b1c98dd7689fb8ec11
    d242b123dc9bd8bab936b47d92ec356c 0bab7df5976d27cd449f63300099f399
    1c260ec4c60d17b31f8429157bb35a12 82a643a8d2262cad67500cadb8e7378c
    8eb7539ec4d4905fed1bee1fc8aafba1 7c750e2c7ace01e6005f80fcb7df6212
    30c83711b39343fa028cea7f7fb5ff89 eac2308249a02252155e2347b63d58c5
    457afd84d05dfffdb20392844ae81215 4682e9cf012f9021a6f0be17ddd0c208
    4dce25ff9b06cde535d0f920a2db1bf3 62c23e596d11a4f5a6cf3948838a3aec
    4e15daf8500a6ef69ec4e3feb6b1d98e 610ac8b7ec3faf6ad760b7bad1db4ba3
    485e8a94dc250ae3fdb41ed15fb6a8e5 eba0fc3dd60bc8e30c5c4287e53805db
    059ae0648db2f64264ed5e39be2e20d8 2df566da8dd5998ccabdae053060ae6c
    7b4378e846d29f37ed7b4ea9ec5d82e7 961b7f25a9323851f681d582363aa5f8
    9937f5a67258bf63ad6f1a0b1d96dbd4 faddfcefc5266ba6611722395c906556
    be52afe3f565636ad1b17d508b73d874 3eeb524be22b3dcbc2c7468d54119c74
    68449a13d8e3b95811a198f3491de3e7 fe942b330407abf82a4ed7c1b311663a
    c69890f4157015853d91e923037c227a 33cdd5ec281ca3f79c44546b9d90ca00
    f064c99e3dd97911d39fe9c5d0b23a22 9a234cb36186c4819e8b9c5927726632
    291d6a418211cc2962e20fe47feb3edf 330f2c603a9d48c0fcb5699dbfe58964
    25c5bac4aee82e57a85aaf4e2513e4f0 5796b07ba2ee47d80506f8d2c25e50fd
    14de71e6c418559302f939b0e1abd576 f279c4b2e0feb85c1f28ff18f58891ff
    ef132eef2fa09346aee33c28eb130ff2 8f5b766953334113211996d20011a198
    e3fc433f9f2541010ae17c1bf202580f 6047472fb36857fe843b19f5984009dd
    c324044e847a4f4a0ab34f719595de37 252d6235365e9b84392b061085349d73
    203a4a13e96f5432ec0fd4a1ee65accd d5e3904df54c1da510b0ff20dcc0c77f
    cb2c0e0eb605cb0504db87632cf3d8b4 dae6e705769d1de354270123cb11450e
    fc60ac47683d7b8d0f811365565fd98c 4c8eb936bcab8d069fc33bd801b03ade
    a2e1fbc5aa463d08ca19896d2bf59a07 1b851e6c239052172f296bfb5e724047
    90a2181014f3b94a4e97d117b4381303 68cc39dbb2d198065ae3986547926cd2
    162f40a29f0c3c8745c0f50fba3852e5 66d44575c29d39a03f0cda721984b6f4
    40591f355e12d439ff150aab7613499d bd49adabc8676eef023b15b65bfc5ca0
    6948109f23f350db82123535eb8a7433 bdabcb909271a6ecbcb58b936a88cd4e
    8f2e6ff5800175f113253d8fa9ca8885 c2f552e657dc603f252e1a8e308f76f0
    be79e2fb8f5d5fbbe2e30ecadd220723 c8c0aea8078cdfcb3868263ff8f09400
    54da48781893a7e49ad5aff4af300cd8 04a6b6279ab3ff3afb64491c85194aab
    760d58a606654f9f4400e8b38591356f bf6425aca26dc85244259ff2b19c41b9
    f96f3ca9ec1dde434da7d2d392b905dd f3d1f9af93d1af5950bd493f5aa731b4
    056df31bd267b6b90a079831aaf579be 0a39013137aac6d404f518cfd4684064
    7e78bfe706ca4cf5e9c5453e9f7cfd2b 8b4c8d169a44e55c88d4a9a7f9474241
    e221af44860018ab0856972e194cd934
";

/// The frames of the server's Initial.
pub(super) const SERVER_FRAMES: &str = "
    02000000000600405a020000560303ee fce7f7b37ba1d1632e96677825ddf739
    88cfc79825df566dc5430b9a045a1200 130100002e00330024001d00209d3c94
    0d89690b84d08a60993c144eca684d10 81287c834d5311bcf32bb9da1a002b00
    020304
";

/// The server's Initial, protected.
const SERVER_PACKET: &str = "
    cf000000010008f067a5502a4262b500 4075c0d95a482cd0991cd25b0aac406a
    5816b6394100f37a1c69797554780bb3 8cc5a99f5ede4cf73c3ec2493a1839b3
    dbcba3f6ea46c5b7684df3548e7ddeb9 c3bf9c73cc3f3bded74b562bfb19fb84
    022f8ef4cdd93795d77d06edbb7aaf2f 58891850abbdca3d20398c276456cbc4
    2158407dd074ee
";

/// The Retry packet.
const RETRY_PACKET: &str = "
    ff000000010008f067a5502a4262b574 6f6b656e04a265ba2eff4d829058fb3f
    0f2496ba
";

const CLIENT_HEADER: &str = "c300000001088394c8f03e5157080000449e00000002";
const SERVER_HEADER: &str = "c1000000010008f067a5502a4262b50040750001";

pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

pub(super) fn id() -> ConnectionId {
    ConnectionId::new(&bytes("8394c8f03e515708")).unwrap()
}

fn keys(side: Side) -> Keys {
    let suite = initial_suite(&default_provider()).unwrap();
    initial_keys(suite, VERSION_1, &id(), side).unwrap()
}

/// Header, payload, and room for the tag.
pub(super) fn unprotected(header: &str, payload: &[u8]) -> Vec<u8> {
    [&bytes(header)[..], payload, &[0; TAG_LENGTH]].concat()
}

pub(super) fn client_payload() -> Vec<u8> {
    let mut payload = bytes(CLIENT_FRAMES);
    payload.resize(1162, 0);
    payload
}

/// Keys of a suite from their bytes.
fn keys_from(name: CipherSuite, key: AeadKey, iv: &str, header: AeadKey) -> DirectionalKeys {
    let provider = default_provider();
    let mut suites = provider.cipher_suites.iter().filter_map(SupportedCipherSuite::tls13);
    let suite = suites.find(|suite| suite.common.suite == name).unwrap().quic_suite().unwrap();
    DirectionalKeys {
        header: suite.quic.header_protection_key(header),
        packet: suite.quic.packet_key(key, Iv::from(array(iv))),
    }
}

#[test]
fn the_clients_initial_is_as_in_a2() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-9.5
    //= type=test
    //# For the sending of packets, construction and protection of packet payloads and packet
    //# numbers MUST be free from side channels that would reveal the packet number or its
    //# encoded size.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.2
    //= type=test
    //# The HKDF-Expand-Label function defined in TLS 1.3 MUST be used for
    //# Initial packets even where the TLS versions offered do not include TLS
    //# 1.3.
    let mut packet = unprotected(CLIENT_HEADER, &client_payload());
    seal(&keys(Side::Client).local, &mut packet, 18, 4, 2).unwrap();
    assert_eq!(packet, bytes(CLIENT_PACKET));

    let opened = open(&keys(Side::Server).remote, &mut packet, 18, None).unwrap();
    let expected = Opened { number: 2, first_byte: 0xc3, payload: &client_payload() };
    assert_eq!(opened, expected);
}

#[test]
fn the_servers_initial_is_as_in_a3() {
    let mut packet = unprotected(SERVER_HEADER, &bytes(SERVER_FRAMES));
    seal(&keys(Side::Server).local, &mut packet, 18, 2, 1).unwrap();
    assert_eq!(packet, bytes(SERVER_PACKET));

    let opened = open(&keys(Side::Client).remote, &mut packet, 18, None).unwrap();
    let expected = Opened { number: 1, first_byte: 0xc1, payload: &bytes(SERVER_FRAMES) };
    assert_eq!(opened, expected);
}

#[test]
fn the_retry_tag_is_as_in_a4() {
    let mut packet = bytes(RETRY_PACKET);
    let (rest, tag) = packet.split_last_chunk::<16>().unwrap();
    assert_eq!(retry_tag(VERSION_1, &id(), rest), Some(*tag));
    assert_eq!(retry_tag(2, &id(), rest), None);
    assert!(is_retry_authentic(VERSION_1, &id(), &packet));
    assert!(!is_retry_authentic(VERSION_1, &ConnectionId::EMPTY, &packet));
    for index in 0..packet.len() {
        packet[index] ^= 1;
        assert!(!is_retry_authentic(VERSION_1, &id(), &packet));
        packet[index] ^= 1;
        assert!(!is_retry_authentic(VERSION_1, &id(), &packet[..index]));
    }
}

#[test]
fn a_short_packet_under_chacha20_is_as_in_a5() {
    let keys = keys_from(
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        array("c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8").into(),
        "e0459b3474bdd0e44a41c144",
        array("25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4").into(),
    );
    let mut packet = unprotected("4200bff4", &[1]);
    seal(&keys, &mut packet, 1, 3, 654_360_564).unwrap();
    assert_eq!(packet, bytes("4cfe4189655e5cd55c41f69080575d7999c25a5bfb"));

    let opened = open(&keys, &mut packet, 1, Some(654_360_563)).unwrap();
    assert_eq!(opened, Opened { number: 654_360_564, first_byte: 0x42, payload: &[1] });
}

#[test]
fn a_packet_with_any_bit_changed_is_not_authentic() {
    let packet = bytes(SERVER_PACKET);
    let keys = keys(Side::Client);
    for bit in 0..packet.len() * 8 {
        let mut packet = packet.clone();
        packet[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&keys.remote, &mut packet, 18, None), Err(OpenError::NotAuthentic));
    }
}

#[test]
fn a_packet_cut_anywhere_is_refused() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
    //= type=test
    //# Endpoints MUST discard packets that are too small to be valid QUIC
    //# packets.
    let packet = bytes(SERVER_PACKET);
    let keys = keys(Side::Client);
    for length in 0..packet.len() {
        let result = open(&keys.remote, &mut packet[..length].to_vec(), 18, None).map(|_| ());
        let shortest = 18 + 4 + 16;
        let expected =
            if length < shortest { OpenError::TooShort } else { OpenError::NotAuthentic };
        assert_eq!(result, Err(expected));
    }
    let mut packet = packet;
    assert!(open(&keys.remote, &mut packet.clone(), 18, None).is_ok(), "the whole packet");
    let past_the_end = open(&keys.remote, &mut packet, usize::MAX, None).map(|_| ());
    assert_eq!(past_the_end, Err(OpenError::TooShort));
}
