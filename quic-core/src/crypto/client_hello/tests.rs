use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::read_offer;
use crate::crypto::{ClientOffer, SessionFactory as _, TlsClientConfig};

/// The first message of a client with these transport parameters.
fn hello(parameters: &[u8]) -> Vec<u8> {
    let config = TlsClientConfig::dangerous_without_verification(&[b"test"]).unwrap();
    let mut session = config.start(1, Some("server.example"), parameters.to_vec()).unwrap();
    let mut bytes = Vec::new();
    assert!(session.write_handshake(&mut bytes).is_none());
    bytes
}

/// A message with these extensions and nothing else.
fn message(extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let mut list = Vec::new();
    for (kind, contents) in extensions {
        list.extend(kind.to_be_bytes());
        list.extend(u16::try_from(contents.len()).unwrap().to_be_bytes());
        list.extend(*contents);
    }
    let mut body = vec![0; 2 + 32 + 1 + 2 + 1];
    body.extend(u16::try_from(list.len()).unwrap().to_be_bytes());
    body.extend(list);
    let [_, length @ ..] = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[1][..], &length, &body].concat()
}

proptest! {
    #[test]
    fn the_parameters_of_a_real_client_are_found_once_the_message_is_whole(
        parameters in vec(any::<u8>(), 0..300),
    ) {
        let bytes = hello(&parameters);
        let offer = ClientOffer { parameters: &parameters, resumes: false };
        prop_assert_eq!(read_offer(&bytes), Some(offer));
        for end in 0..bytes.len() {
            prop_assert_eq!(read_offer(&bytes[..end]), None);
        }
    }

    #[test]
    fn no_bytes_upset_the_reader(bytes in vec(any::<u8>(), 0..100)) {
        let framed = [&[1, 0, 0, u8::try_from(bytes.len()).unwrap()], &bytes[..]].concat();
        prop_assert!(read_offer(&framed).is_some());
        read_offer(&bytes);
    }
}

#[test]
fn who_brings_a_ticket_resumes() {
    let with = message(&[(57, b"parameters"), (43, b"x"), (41, b"ticket")]);
    assert_eq!(read_offer(&with), Some(ClientOffer { parameters: b"parameters", resumes: true }));
    let without = message(&[(43, b"x")]);
    assert_eq!(read_offer(&without), Some(ClientOffer::default()));
}

#[test]
fn what_is_no_client_hello_offers_nothing_and_is_not_waited_for() {
    assert_eq!(read_offer(&[2]), Some(ClientOffer::default()), "another message");
    assert_eq!(read_offer(&[1, 1, 0, 0]), Some(ClientOffer::default()), "an endless one");
    assert_eq!(read_offer(&[1, 0, 0xff, 0xff]), None, "a long one");
    assert_eq!(read_offer(&[]), None);
}
