//! Version Negotiation packets (RFC 8999 §6, RFC 9000 §17.2.1).

use super::{
    FIXED_BIT, HeaderError, InvariantHeader, LONG_FORM, VERSION_NEGOTIATION, whole_or_not,
    write_invariant,
};
use crate::wire::{Full, Reader, Writer};

/// A Version Negotiation packet. It is all of its datagram.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VersionNegotiationHeader<'a> {
    /// Up to 255 bytes.
    pub destination_id: &'a [u8],
    /// Up to 255 bytes.
    pub source_id: &'a [u8],
    /// At least one.
    pub versions: Versions<'a>,
}

/// The versions that a server supports, by its own account; iterate over it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Versions<'a>(&'a [u8]);

impl Iterator for Versions<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (version, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*version))
    }
}

pub(super) fn parse<'a>(
    invariant: &InvariantHeader<'a>,
    reader: &Reader<'a>,
) -> Result<VersionNegotiationHeader<'a>, HeaderError> {
    //= https://www.rfc-editor.org/rfc/rfc8999#section-6
    //# The remaining 7 bits, labeled "Unused", can be set to any value when sending and MUST be
    //# ignored on receipt.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.1
    //# Clients MUST ignore the value of this field.
    let versions = reader.rest();
    //= https://www.rfc-editor.org/rfc/rfc8999#section-6
    //# An endpoint MUST ignore a packet that contains no Supported Version
    //# fields or contains a truncated Supported Version value.
    if versions.is_empty() || !versions.len().is_multiple_of(size_of::<u32>()) {
        return Err(HeaderError::NoVersions);
    }
    let InvariantHeader { destination_id, source_id, .. } = *invariant;
    Ok(VersionNegotiationHeader { destination_id, source_id, versions: Versions(versions) })
}

/// Writes a Version Negotiation packet; whole or not at all.
///
/// The IDs have up to 255 bytes. `random_first_byte` fills the unused bits of the first byte but
/// one: 0x40 is set, so that the packet looks like QUIC to those who multiplex protocols
/// (RFC 9000 §17.2.1).
pub fn write_version_negotiation(
    writer: &mut Writer<'_>,
    random_first_byte: u8,
    destination_id: &[u8],
    source_id: &[u8],
    versions: &[u32],
) -> Result<(), Full> {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.1
    //# Where QUIC might be multiplexed with other protocols (see [RFC7983]), servers SHOULD set
    //# the most significant bit of this field (0x40) to 1 so that Version Negotiation packets
    //# appear to have the Fixed Bit field.
    let first = LONG_FORM | FIXED_BIT | random_first_byte;
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.1
    //# The Version field of a Version Negotiation packet MUST be set to 0x00000000.
    let invariant = InvariantHeader { version: VERSION_NEGOTIATION, destination_id, source_id };
    whole_or_not(writer, |writer| {
        write_invariant(writer, first, &invariant)?;
        versions.iter().try_for_each(|version| writer.u32(*version))
    })
}
