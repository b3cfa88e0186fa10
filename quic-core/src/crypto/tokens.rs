//! Tokens by which a client shows that it receives at its address (RFC 9000 §8.1).
//!
//! A token is 16 random bytes, of which the first three bits are replaced by the name of the key,
//! the sealed contents, and a tag. From the random bytes and the
//! server's secret a key is derived that is used for this token alone, so that no number of
//! tokens, of servers that share the secret, or of restarts wears the secret out.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;

use super::keyring::{KeyId, Keyring};
use super::packet_protection::TAG_LENGTH;
use super::provider::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use super::provider::hmac;
use super::random::RandomSource;
use crate::instant::Instant;
use crate::wire::{ConnectionId, Reader, Truncated};

/// Random bytes at the start of a token.
const RANDOM_LENGTH: usize = 16;
/// Longest contents: kind, version, time, address, port and two connection IDs of 20 bytes.
const MAXIMUM_CONTENTS: usize = 1 + 4 + 8 + 17 + 2 + 2 * (1 + ConnectionId::MAXIMUM_LENGTH);
/// Longest token; longer ones are not ours.
pub(crate) const MAXIMUM_TOKEN_LENGTH: usize = RANDOM_LENGTH + MAXIMUM_CONTENTS + TAG_LENGTH;

//= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.1
//# A token sent in a NEW_TOKEN frame or a Retry packet MUST be constructed
//# in a way that allows the server to identify how it was provided to a
//# client.
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

/// Seals `token` with the active key so that only holders of it can read it, or make one.
pub(crate) fn seal(keyring: &Keyring, token: &Token, source: &mut dyn RandomSource) -> TokenBytes {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
    //# A token issued with NEW_TOKEN MUST NOT include information that would
    //# allow values to be linked by an observer to the connection on which it
    //# was issued.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
    //# A server MUST ensure that every NEW_TOKEN frame it sends is unique
    //# across all clients, with the exception of those sent to repair losses of
    //# previously sent NEW_TOKEN frames.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
    //# An address validation token MUST be difficult to guess.
    let mut random = [0; RANDOM_LENGTH];
    source.fill(&mut random);
    if let Some(first) = random.first_mut() {
        *first = keyring.active().mark(*first);
    }
    let mut bytes = TokenBytes::new();
    bytes.extend_from_slice(&random);
    encode(token, &mut bytes);
    let contents = bytes.get_mut(RANDOM_LENGTH..).unwrap_or_default();
    let Some((key, nonce)) = token_key(keyring, &random) else { return TokenBytes::new() };
    let Ok(tag) = key.seal_in_place_separate_tag(nonce, Aad::empty(), contents) else {
        return TokenBytes::new();
    };
    bytes.extend_from_slice(tag.as_ref());
    bytes
}

/// What `bytes` vouch for; `None` if they are not a token of ours, whole and unchanged.
///
/// Whether it is for this address and still good is for the caller to check.
pub(crate) fn unseal(keyring: &Keyring, bytes: &[u8]) -> Option<Token> {
    if bytes.len() > MAXIMUM_TOKEN_LENGTH {
        return None;
    }
    let (random, sealed) = bytes.split_first_chunk::<RANDOM_LENGTH>()?;
    let (key, nonce) = token_key(keyring, random)?;
    let mut sealed = TokenBytes::from_slice(sealed);
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
    //# For this design to work, the token MUST be covered by integrity
    //# protection against modification or falsification by clients.
    let contents = key.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
    decode(contents).ok()?
}

/// The bytes of a token that no other token has, to remember it by.
pub(crate) fn token_identity(bytes: &[u8]) -> Option<[u8; RANDOM_LENGTH]> {
    bytes.first_chunk().copied()
}

/// The key for one token, under the one that it names. As it is used once, its nonce can be fixed.
fn token_key(keyring: &Keyring, random: &[u8; RANDOM_LENGTH]) -> Option<(LessSafeKey, Nonce)> {
    let key = keyring.token_secret(KeyId::of(*random.first()?))?;
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
