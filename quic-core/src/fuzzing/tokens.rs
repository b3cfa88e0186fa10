//! Tokens for address validation.

use std::net::{IpAddr, SocketAddr};

use crate::crypto::{Keyring, SeededRandom, Token, open_token, seal_token};
use crate::instant::Instant;
use crate::wire::{ConnectionId, Reader, Truncated};

/// Opens the input as a token, and seals and opens a token that is made of it.
///
/// # Panics
/// If the input is a token, though nobody sealed it; if a token is not opened as it was sealed; or
/// if it is opened with another key, or changed.
pub fn tokens(input: &[u8]) {
    let keyring = Keyring::new([1; 32]);
    assert_eq!(open_token(&keyring, input), None, "only who has the key makes tokens");
    let Ok(token) = token(&mut Reader::new(input)) else { return };
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

fn token(reader: &mut Reader<'_>) -> Result<Token, Truncated> {
    let kind = reader.u8()?;
    let issued = Instant::from_nanos(u64::from_be_bytes(reader.array()?));
    let ip: IpAddr =
        if kind & 2 == 0 { reader.array::<4>()?.into() } else { reader.array::<16>()?.into() };
    let version = u32::from_be_bytes(reader.array()?);
    if kind & 1 == 0 {
        return Ok(Token::NewToken { ip, issued, version });
    }
    Ok(Token::Retry {
        remote: SocketAddr::new(ip, reader.u16()?),
        original_destination_id: id(reader)?,
        retry_source_id: id(reader)?,
        issued,
        version,
    })
}

fn id(reader: &mut Reader<'_>) -> Result<ConnectionId, Truncated> {
    let length = usize::from(reader.u8()?) % (ConnectionId::MAXIMUM_LENGTH + 1);
    ConnectionId::new(reader.bytes(length)?).ok_or(Truncated)
}
