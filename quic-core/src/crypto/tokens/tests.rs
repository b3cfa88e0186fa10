use proptest::prelude::*;

use super::*;
use crate::crypto::SeededRandom;

fn keyring() -> Keyring {
    Keyring::new([7; 32])
}

fn random() -> SeededRandom {
    SeededRandom::from_seed([1; 32])
}

fn any_id() -> impl Strategy<Value = ConnectionId> {
    prop::collection::vec(any::<u8>(), 0..=20).prop_map(|bytes| ConnectionId::new(&bytes).unwrap())
}

fn any_ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from),]
}

fn any_token() -> impl Strategy<Value = Token> {
    let issued = any::<u64>().prop_map(Instant::from_nanos);
    prop_oneof![
        (any_ip(), any::<u16>(), any_id(), any_id(), issued.clone(), any::<u32>()).prop_map(
            |(ip, port, original_destination_id, retry_source_id, issued, version)| Token::Retry {
                remote: SocketAddr::new(ip, port),
                original_destination_id,
                retry_source_id,
                issued,
                version,
            }
        ),
        (any_ip(), issued, any::<u32>()).prop_map(|(ip, issued, version)| Token::NewToken {
            ip,
            issued,
            version
        }),
    ]
}

proptest! {
    #[test]
    fn every_token_comes_back_as_it_was(token in any_token()) {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.1
        //= type=test
        //# A token sent in a NEW_TOKEN frame or a Retry packet MUST be constructed
        //# in a way that allows the server to identify how it was provided to a
        //# client.
        let sealed = seal(&keyring(), &token, &mut random());
        prop_assert!(!sealed.spilled());
        prop_assert_eq!(unseal(&keyring(), &sealed), Some(token));
        prop_assert_eq!(unseal(&Keyring::new([8; 32]), &sealed), None);
    }

    #[test]
    fn no_bytes_but_a_token_are_a_token(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
        //= type=test
        //# An address validation token MUST be difficult to guess.
        prop_assert_eq!(unseal(&keyring(), &bytes), None);
    }

    #[test]
    fn no_contents_break_the_decoder(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(Some(token)) = decode(&bytes) {
            let mut again = TokenBytes::new();
            encode(&token, &mut again);
            prop_assert_eq!(&*again, &*bytes);
        }
    }
}

#[test]
fn a_token_with_any_bit_changed_or_cut_anywhere_is_none() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
    //= type=test
    //# For this design to work, the token MUST be covered by integrity
    //# protection against modification or falsification by clients.
    let token = Token::Retry {
        remote: "[2001:db8::1]:443".parse().unwrap(),
        original_destination_id: ConnectionId::new(&[3; 20]).unwrap(),
        retry_source_id: ConnectionId::new(&[4; 20]).unwrap(),
        issued: Instant::from_nanos(5),
        version: 1,
    };
    let mut sealed = seal(&keyring(), &token, &mut random());
    assert_eq!(sealed.len(), MAXIMUM_TOKEN_LENGTH);
    for bit in 0..sealed.len() * 8 {
        sealed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(unseal(&keyring(), &sealed), None);
        sealed[bit / 8] ^= 1 << (bit % 8);
    }
    assert_eq!(unseal(&keyring(), &sealed), Some(token));
    for length in 0..sealed.len() {
        assert_eq!(unseal(&keyring(), &sealed[..length]), None);
    }
}

#[test]
fn tokens_of_equal_contents_differ() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
    //= type=test
    //# An address validation token MUST be difficult to guess.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
    //= type=test
    //# A token issued with NEW_TOKEN MUST NOT include information that would
    //# allow values to be linked by an observer to the connection on which it
    //# was issued.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
    //= type=test
    //# A server MUST ensure that every NEW_TOKEN frame it sends is unique
    //# across all clients, with the exception of those sent to repair losses of
    //# previously sent NEW_TOKEN frames.
    let token = Token::NewToken { ip: [127, 0, 0, 1].into(), issued: Instant::EPOCH, version: 1 };
    let mut random = random();
    let (a, b) = (seal(&keyring(), &token, &mut random), seal(&keyring(), &token, &mut random));
    assert_ne!(token_identity(&a), token_identity(&b));
    assert_ne!(a.get(RANDOM_LENGTH..), b.get(RANDOM_LENGTH..));
}
