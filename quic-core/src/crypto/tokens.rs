//! Tokens by which a client shows that it receives at its address (RFC 9000 §8.1).
//!
//! A token is 16 random bytes, the sealed contents, and a tag. From the random bytes and the
//! server's secret a key is derived that is used for this token alone, so that no number of
//! tokens, of servers that share the secret, or of restarts wears the secret out.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;

use super::SeededRandom;
use super::packet_protection::TAG_LENGTH;
use super::provider::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use super::provider::hmac;
use crate::instant::Instant;
use crate::wire::{ConnectionId, Reader, Truncated};

/// Random bytes at the start of a token.
const RANDOM_LENGTH: usize = 16;
/// Longest contents: kind, version, time, address, port and two connection IDs of 20 bytes.
const MAXIMUM_CONTENTS: usize = 1 + 4 + 8 + 17 + 2 + 2 * (1 + ConnectionId::MAXIMUM_LENGTH);
/// Longest token; longer ones are not ours.
pub(crate) const MAXIMUM_TOKEN_LENGTH: usize = RANDOM_LENGTH + MAXIMUM_CONTENTS + TAG_LENGTH;

const RETRY: u8 = 0;
const NEW_TOKEN: u8 = 1;
const IPV4: u8 = 4;
const IPV6: u8 = 6;

/// A token as it goes into a packet.
pub(crate) type TokenBytes = SmallVec<[u8; MAXIMUM_TOKEN_LENGTH]>;

/// What a token vouches for. `issued` is as good as the epoch of the caller's [`Instant`]s: a
/// server whose tokens shall outlive it has to keep to one epoch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Token {
    /// From a Retry packet: for the one connection attempt that it answered.
    Retry {
        /// Address and port; of IPv6 addresses without flow label and scope.
        remote: SocketAddr,
        original_destination_id: ConnectionId,
        retry_source_id: ConnectionId,
        issued: Instant,
        /// The version of QUIC of the Retry packet.
        version: u32,
    },
    /// From a NEW_TOKEN frame: for one later connection from the same IP address.
    NewToken {
        ip: IpAddr,
        issued: Instant,
        /// The version of QUIC that the connection was in.
        version: u32,
    },
}

/// Seals `token` so that only holders of `key` can read it, or make one.
pub(crate) fn seal(key: &[u8; 32], token: &Token, random: &mut SeededRandom) -> TokenBytes {
    let random = random.array::<RANDOM_LENGTH>();
    let mut bytes = TokenBytes::new();
    bytes.extend_from_slice(&random);
    encode(token, &mut bytes);
    let contents = bytes.get_mut(RANDOM_LENGTH..).unwrap_or_default();
    let Some((key, nonce)) = token_key(key, &random) else { return TokenBytes::new() };
    let Ok(tag) = key.seal_in_place_separate_tag(nonce, Aad::empty(), contents) else {
        return TokenBytes::new();
    };
    bytes.extend_from_slice(tag.as_ref());
    bytes
}

/// What `bytes` vouch for; `None` if they are not a token of ours, whole and unchanged.
///
/// Whether it is for this address and still good is for the caller to check.
pub(crate) fn unseal(key: &[u8; 32], bytes: &[u8]) -> Option<Token> {
    if bytes.len() > MAXIMUM_TOKEN_LENGTH {
        return None;
    }
    let (random, sealed) = bytes.split_first_chunk::<RANDOM_LENGTH>()?;
    let (key, nonce) = token_key(key, random)?;
    let mut sealed = TokenBytes::from_slice(sealed);
    let contents = key.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
    decode(contents).ok()?
}

/// The bytes of a token that no other token has, to remember it by.
pub(crate) fn token_identity(bytes: &[u8]) -> Option<[u8; RANDOM_LENGTH]> {
    bytes.first_chunk().copied()
}

/// The key for one token. As it is used once, its nonce can be fixed.
fn token_key(key: &[u8; 32], random: &[u8; RANDOM_LENGTH]) -> Option<(LessSafeKey, Nonce)> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    context.update(b"quic address validation token");
    context.update(random);
    let derived = UnboundKey::new(&AES_256_GCM, context.sign().as_ref()).ok()?;
    Some((LessSafeKey::new(derived), Nonce::assume_unique_for_key([0; 12])))
}

fn encode(token: &Token, out: &mut TokenBytes) {
    match token {
        Token::Retry { remote, original_destination_id, retry_source_id, issued, version } => {
            out.push(RETRY);
            out.extend_from_slice(&version.to_be_bytes());
            out.extend_from_slice(&issued.as_nanos().to_be_bytes());
            encode_ip(remote.ip(), out);
            out.extend_from_slice(&remote.port().to_be_bytes());
            encode_id(original_destination_id, out);
            encode_id(retry_source_id, out);
        }
        Token::NewToken { ip, issued, version } => {
            out.push(NEW_TOKEN);
            out.extend_from_slice(&version.to_be_bytes());
            out.extend_from_slice(&issued.as_nanos().to_be_bytes());
            encode_ip(*ip, out);
        }
    }
}

fn encode_ip(ip: IpAddr, out: &mut TokenBytes) {
    match ip {
        IpAddr::V4(ip) => {
            out.push(IPV4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(IPV6);
            out.extend_from_slice(&ip.octets());
        }
    }
}

fn encode_id(id: &ConnectionId, out: &mut TokenBytes) {
    out.push(u8::try_from(id.length()).unwrap_or_default());
    out.extend_from_slice(id.as_slice());
}

/// `None` for contents that this version of the code does not make.
fn decode(contents: &[u8]) -> Result<Option<Token>, Truncated> {
    let mut reader = Reader::new(contents);
    let kind = reader.u8()?;
    let version = reader.u32()?;
    let issued = Instant::from_nanos(u64::from_be_bytes(reader.array()?));
    let Some(ip) = decode_ip(&mut reader)? else { return Ok(None) };
    let token = match kind {
        RETRY => Token::Retry {
            remote: SocketAddr::new(ip, reader.u16()?),
            original_destination_id: decode_id(&mut reader)?,
            retry_source_id: decode_id(&mut reader)?,
            issued,
            version,
        },
        NEW_TOKEN => Token::NewToken { ip, issued, version },
        _ => return Ok(None),
    };
    Ok(reader.is_empty().then_some(token))
}

fn decode_ip(reader: &mut Reader<'_>) -> Result<Option<IpAddr>, Truncated> {
    Ok(match reader.u8()? {
        IPV4 => Some(reader.array::<4>()?.into()),
        IPV6 => Some(reader.array::<16>()?.into()),
        _ => None,
    })
}

fn decode_id(reader: &mut Reader<'_>) -> Result<ConnectionId, Truncated> {
    let length = usize::from(reader.u8()?);
    ConnectionId::new(reader.bytes(length)?).ok_or(Truncated)
}
