//! What a server has to know of a ClientHello before TLS answers it: the version of QUIC that the
//! connection goes on with depends on it, and all keys on the version (RFC 9368 §2.3).

use super::ClientOffer;
use crate::wire::{Reader, Truncated};

/// The type of the message (RFC 8446 §4).
const CLIENT_HELLO: u8 = 1;
/// Longest message that is waited for; TLS takes none that is longer.
const MAXIMUM_LENGTH: usize = 0xffff;
/// The extension with a ticket to resume a session with (RFC 8446 §4.2.11).
const PRE_SHARED_KEY: u16 = 41;
/// The extension with the transport parameters (RFC 9001 §8.2).
const QUIC_TRANSPORT_PARAMETERS: u16 = 57;

/// What the bytes offer; `None` as long as the message is not whole. What is no ClientHello, or a
/// malformed one, offers nothing: TLS tells what is wrong with it.
pub(super) fn read_offer(bytes: &[u8]) -> Option<ClientOffer<'_>> {
    let (kind, rest) = bytes.split_first()?;
    if *kind != CLIENT_HELLO {
        return Some(ClientOffer::default());
    }
    let ([a, b, c], rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap_or(usize::MAX);
    if length > MAXIMUM_LENGTH {
        return Some(ClientOffer::default());
    }
    let message = rest.get(..length)?;
    Some(read_extensions(message).unwrap_or_default())
}

fn read_extensions(message: &[u8]) -> Result<ClientOffer<'_>, Truncated> {
    let mut reader = Reader::new(message);
    let (_legacy_version, _random) = (reader.u16()?, reader.array::<32>()?);
    let session_id = reader.u8()?;
    reader.bytes(session_id.into())?;
    let cipher_suites = reader.u16()?;
    reader.bytes(cipher_suites.into())?;
    let compression_methods = reader.u8()?;
    reader.bytes(compression_methods.into())?;
    let extensions = reader.u16()?;
    let mut reader = Reader::new(reader.bytes(extensions.into())?);
    let mut offer = ClientOffer::default();
    while !reader.is_empty() {
        let kind = reader.u16()?;
        let length = reader.u16()?;
        let contents = reader.bytes(length.into())?;
        match kind {
            PRE_SHARED_KEY => offer.resumes = true,
            QUIC_TRANSPORT_PARAMETERS => offer.parameters = contents,
            _ => {}
        }
    }
    Ok(offer)
}

#[cfg(test)]
mod tests;
