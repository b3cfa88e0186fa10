//! Tokens for address validation.

use std::net::{IpAddr, SocketAddr};

use crate::crypto::{Keyring, SeededRandom, Token, open_token, seal_token};
use crate::instant::Instant;
use crate::wire::{ConnectionId, Reader, Truncated};

/// Opens the input as a token, and seals and opens one for a Retry packet that is made of it.
///
/// # Panics
/// If the input is a token, though nobody sealed it; if a token is not opened as it was sealed; or
/// if it is opened with another key, or changed.
pub fn retry_token(input: &[u8]) {
    token(input, read_retry_token);
}

/// The same, with one for a NEW_TOKEN frame.
///
/// # Panics
/// As of [`retry_token`].
pub fn new_token(input: &[u8]) {
    token(input, read_new_token);
}

fn token(input: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Result<Token, Truncated>) {
    let keyring = Keyring::new([1; 32]);
    assert_eq!(open_token(&keyring, input), None, "only who has the key makes tokens");
    let Ok(token) = read(&mut Reader::new(input)) else { return };
    let mut random = SeededRandom::from_seed([2; 32]);
    let mut sealed = seal_token(&keyring, &token, &mut random);
    assert_eq!(open_token(&keyring, &sealed), Some(token), "opened as it was sealed");
    assert_eq!(open_token(&Keyring::new([3; 32]), &sealed), None, "not with another key");
    let flips = input.iter().rev().take(4).map(|byte| usize::from(*byte));
    for flip in flips.chain(0..2) {
        let at = flip % sealed.len();
        let bit = 1 << (flip % 8);
        flip_bit(&mut sealed, at, bit);
        assert_eq!(open_token(&keyring, &sealed), None, "a changed bit is noticed");
        flip_bit(&mut sealed, at, bit);
    }
    let cut = sealed.get(1..).unwrap_or_default();
    assert_eq!(open_token(&keyring, cut), None, "a token is whole");
}

fn flip_bit(bytes: &mut [u8], at: usize, bit: u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= bit;
    }
}

fn ip(reader: &mut Reader<'_>) -> Result<IpAddr, Truncated> {
    let is_v4 = reader.u8()? & 2 == 0;
    Ok(if is_v4 { reader.array::<4>()?.into() } else { reader.array::<16>()?.into() })
}

fn issued(reader: &mut Reader<'_>) -> Result<Instant, Truncated> {
    reader.array().map(u64::from_be_bytes).map(Instant::from_nanos)
}

fn read_new_token(reader: &mut Reader<'_>) -> Result<Token, Truncated> {
    Ok(Token::NewToken { ip: ip(reader)?, issued: issued(reader)?, version: reader.u32()? })
}

fn read_retry_token(reader: &mut Reader<'_>) -> Result<Token, Truncated> {
    Ok(Token::Retry {
        remote: SocketAddr::new(ip(reader)?, reader.u16()?),
        original_destination_id: id(reader)?,
        retry_source_id: id(reader)?,
        issued: issued(reader)?,
        version: reader.u32()?,
    })
}

fn id(reader: &mut Reader<'_>) -> Result<ConnectionId, Truncated> {
    let length = usize::from(reader.u8()?) % (ConnectionId::MAXIMUM_LENGTH + 1);
    ConnectionId::new(reader.bytes(length)?).ok_or(Truncated)
}
