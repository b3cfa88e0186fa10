//! Retry packets (RFC 9000 §17.2.5).

use super::{
    FIXED_BIT, HeaderError, InvariantHeader, LONG_FORM, type_bits, whole_or_not, write_invariant,
};
use crate::wire::{ConnectionId, Full, Reader, Writer};

/// Bytes of the Retry Integrity Tag, which ends the packet (RFC 9001 §5.8).
pub const RETRY_TAG_LENGTH: usize = 16;

/// The type of a Retry packet, as version 1 numbers it (RFC 9000 §17.2, Table 5).
const RETRY: u8 = 0b11;

/// A Retry packet. It is all of its datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RetryHeader<'a> {
    /// The version of QUIC; not 0.
    pub version: u32,
    /// What the client has as its own.
    pub destination_id: ConnectionId,
    /// What the client is to send to from now on.
    pub source_id: ConnectionId,
    /// Never empty.
    pub token: &'a [u8],
    /// Covers everything before it (RFC 9001 §5.8).
    pub tag: [u8; RETRY_TAG_LENGTH],
}

pub(super) fn parse<'a>(
    invariant: &InvariantHeader<'a>,
    reader: &Reader<'a>,
) -> Result<RetryHeader<'a>, HeaderError> {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5
    //# The value in the Unused field is set to an arbitrary value by the server; a client MUST
    //# ignore these bits.
    let (destination_id, source_id) = invariant.ids()?;
    let (token, tag) =
        reader.rest().split_last_chunk::<RETRY_TAG_LENGTH>().ok_or(HeaderError::Truncated)?;
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.2
    //# A client MUST discard a Retry packet with a zero-length
    //# Retry Token field.
    if token.is_empty() {
        return Err(HeaderError::EmptyToken);
    }
    Ok(RetryHeader { version: invariant.version, destination_id, source_id, token, tag: *tag })
}

/// What to write into a Retry packet.
#[derive(Clone, Copy, Debug)]
pub struct RetryParts<'a> {
    /// The version of QUIC; not 0.
    pub version: u32,
    /// What the client has as its own.
    pub destination_id: ConnectionId,
    /// What the client is to send to from now on.
    pub source_id: ConnectionId,
    /// What the client is to bring along.
    pub token: &'a [u8],
}

/// Writes a Retry packet but for its integrity tag; whole or not at all.
///
/// The low four bits of `random_bits` fill the unused bits of the first byte.
pub fn write_retry_without_tag(
    writer: &mut Writer<'_>,
    parts: &RetryParts<'_>,
    random_bits: u8,
) -> Result<(), Full> {
    let invariant = InvariantHeader {
        version: parts.version,
        destination_id: parts.destination_id.as_slice(),
        source_id: parts.source_id.as_slice(),
    };
    let first = LONG_FORM | FIXED_BIT | type_bits(parts.version, RETRY) | (random_bits & 0x0f);
    whole_or_not(writer, |writer| {
        write_invariant(writer, first, &invariant)?;
        writer.bytes(parts.token)
    })
}
