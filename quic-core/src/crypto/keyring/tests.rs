use super::*;
use crate::crypto::{SeededRandom, Token, open_token, reset_token, seal_token};
use crate::instant::Instant;

fn key_id(number: u8) -> KeyId {
    KeyId::new(number).unwrap()
}

fn token() -> Token {
    Token::NewToken { ip: [192, 0, 2, 1].into(), issued: Instant::EPOCH, version: 1 }
}

fn id_of(key: KeyId) -> ConnectionId {
    ConnectionId::new(&[key.mark(0xff), 1, 2, 3, 4, 5, 6, 7]).unwrap()
}

#[test]
fn there_are_eight_names_and_they_are_the_first_bits() {
    assert!((0..8).all(|number| key_id(number).number() == number));
    assert_eq!(KeyId::new(8), None);
    for byte in 0..=u8::MAX {
        let marked = key_id(5).mark(byte);
        assert_eq!(KeyId::of(marked), key_id(5));
        assert_eq!(marked & 0x1f, byte & 0x1f);
    }
}

#[test]
fn new_tokens_are_made_with_the_active_key_and_old_ones_open_until_theirs_is_removed() {
    let mut random = SeededRandom::from_seed([1; 32]);
    let mut keyring = Keyring::new([1; 32]);
    let old = seal_token(&keyring, &token(), &mut random);
    keyring.announce(key_id(6), [2; 32]).unwrap();
    let still_old = seal_token(&keyring, &token(), &mut random);
    assert_eq!(KeyId::of(still_old[0]), KeyId::FIRST, "announced is not active");
    keyring.activate(key_id(6)).unwrap();
    let new = seal_token(&keyring, &token(), &mut random);
    assert_eq!(KeyId::of(new[0]), key_id(6));
    for sealed in [&old, &still_old, &new] {
        assert_eq!(open_token(&keyring, sealed), Some(token()));
    }
    keyring.remove(KeyId::FIRST).unwrap();
    assert_eq!(open_token(&keyring, &old), None);
    assert_eq!(open_token(&keyring, &new), Some(token()));
}

#[test]
fn a_server_that_was_only_told_of_a_key_opens_what_others_make_with_it() {
    let mut random = SeededRandom::from_seed([1; 32]);
    let mut one = Keyring::new([1; 32]);
    one.announce(key_id(1), [2; 32]).unwrap();
    let mut other = one.clone();
    other.activate(key_id(1)).unwrap();
    let sealed = seal_token(&other, &token(), &mut random);
    assert_eq!(open_token(&one, &sealed), Some(token()));
}

#[test]
fn a_token_that_names_another_key_is_none() {
    let mut random = SeededRandom::from_seed([1; 32]);
    let mut keyring = Keyring::new([1; 32]);
    keyring.announce(key_id(1), [1; 32]).unwrap();
    let mut sealed = seal_token(&keyring, &token(), &mut random);
    sealed[0] = key_id(1).mark(sealed[0]);
    assert_eq!(open_token(&keyring, &sealed), None, "the same secret, another random part");
}

#[test]
fn the_reset_token_of_an_id_outlives_a_rotation() {
    let mut keyring = Keyring::new([1; 32]);
    let id = id_of(KeyId::FIRST);
    let before = reset_token(&keyring, &id).unwrap();
    keyring.announce(key_id(1), [2; 32]).unwrap();
    keyring.activate(key_id(1)).unwrap();
    assert_eq!(reset_token(&keyring, &id), Some(before));
    assert_ne!(reset_token(&keyring, &id_of(key_id(1))), Some(before));
    let newer = reset_token(&keyring, &id_of(key_id(1)));
    keyring.remove(KeyId::FIRST).unwrap();
    assert_ne!(reset_token(&keyring, &id), Some(before), "the key is gone");
    assert_eq!(reset_token(&keyring, &id_of(key_id(1))), newer);
}

#[test]
fn an_id_that_names_no_key_belongs_to_the_oldest() {
    let mut keyring = Keyring::new([1; 32]);
    let before = reset_token(&keyring, &id_of(key_id(5)));
    keyring.announce(key_id(1), [2; 32]).unwrap();
    keyring.activate(key_id(1)).unwrap();
    assert_eq!(reset_token(&keyring, &id_of(key_id(5))), before);
}

#[test]
fn the_active_key_and_names_in_use_are_guarded() {
    let mut keyring = Keyring::new([1; 32]);
    assert_eq!(keyring.announce(KeyId::FIRST, [2; 32]), Err(KeyringError::NameInUse));
    assert_eq!(keyring.activate(key_id(3)), Err(KeyringError::Unknown));
    assert_eq!(keyring.remove(key_id(3)), Err(KeyringError::Unknown));
    assert_eq!(keyring.remove(KeyId::FIRST), Err(KeyringError::Active));
    assert_eq!(keyring, Keyring::new([1; 32]));
    for number in 1..8 {
        keyring.announce(key_id(number), [number; 32]).unwrap();
    }
    assert_eq!(keyring.ids().count(), 8);
}

#[test]
fn every_purpose_has_a_secret_of_its_own_and_none_is_shown() {
    let keyring = Keyring::new([1; 32]);
    let tickets = keyring.derive(KeyId::FIRST, b"tickets").unwrap();
    let ids = keyring.derive(KeyId::FIRST, b"connection IDs").unwrap();
    let tokens = *keyring.token_secret(KeyId::FIRST).unwrap();
    let resets = *keyring.reset_secret(&id_of(KeyId::FIRST)).unwrap();
    let all = [tickets, ids, tokens, resets, [1; 32]];
    for (at, one) in all.iter().enumerate() {
        assert!(all.iter().skip(at + 1).all(|other| other != one));
    }
    assert_eq!(keyring.derive(key_id(1), b"tickets"), None);
    assert_eq!(format!("{keyring:?}"), "Keyring { ids: [0], active: KeyId(0) }");
}
