//! Packet headers, as far as they can be read before header protection is removed
//! (RFC 8999, RFC 9000 §17).

mod long;
mod retry;
mod short;
mod version_negotiation;

#[cfg(test)]
mod tests;

pub use long::{
    LengthField, LongHeader, LongHeaderParts, LongType, patch_length, write_long_header,
};
#[cfg(feature = "wire")]
pub use retry::RETRY_TAG_LENGTH;
pub use retry::{RetryHeader, RetryParts, write_retry_without_tag};
pub use short::{ShortHeader, ShortHeaderParts, write_short_header};
pub use version_negotiation::{VersionNegotiationHeader, Versions, write_version_negotiation};

use super::{ConnectionId, Full, PacketNumberLength, Reader, Truncated, Writer};

/// The version field of QUIC version 1 (RFC 9000 §15).
pub const VERSION_1: u32 = 1;
/// The version field of QUIC version 2 (RFC 9369 §3.1).
pub const VERSION_2: u32 = 0x6b33_43cf;

/// The version field that makes a packet a Version Negotiation packet (RFC 8999 §6).
const VERSION_NEGOTIATION: u32 = 0;

/// Set in the first byte of packets with a long header (RFC 8999 §5.1).
const LONG_FORM: u8 = 0x80;
/// The QUIC Bit: set in the first byte of every packet (RFC 9000 §17.2, §17.3.1), unless its
/// receiver said that it does without (RFC 9287).
pub const FIXED_BIT: u8 = 0x40;

/// The header of the first packet in a datagram.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Header<'a> {
    /// Initial, 0-RTT or Handshake of version 1 or 2.
    Long(LongHeader<'a>),
    /// 1-RTT, which is the same in versions 1 and 2; short headers carry no version.
    Short(ShortHeader),
    /// Retry of version 1 or 2.
    Retry(RetryHeader<'a>),
    /// Version Negotiation, which all versions share.
    VersionNegotiation(VersionNegotiationHeader<'a>),
    /// A long header of another version, of which only the invariants can be read.
    UnknownVersion(InvariantHeader<'a>),
}

/// What every version of QUIC has in a long header (RFC 8999 §5.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvariantHeader<'a> {
    /// 0 in Version Negotiation packets.
    pub version: u32,
    /// Up to 255 bytes.
    pub destination_id: &'a [u8],
    /// Up to 255 bytes.
    pub source_id: &'a [u8],
}

/// Why the bytes are no packet. The datagram, or what is left of it, is to be dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HeaderError {
    /// A connection ID of version 1 or 2 has more than 20 bytes (RFC 9000 §17.2).
    ConnectionIdTooLong,
    /// A Retry packet without a token (RFC 9000 §17.2.5.2).
    EmptyToken,
    /// A Version Negotiation packet without versions, or with half a version (RFC 8999 §6).
    NoVersions,
    /// The datagram ends before the packet does.
    Truncated,
}

impl From<Truncated> for HeaderError {
    fn from(_: Truncated) -> Self {
        Self::Truncated
    }
}

impl<'a> InvariantHeader<'a> {
    /// Reads what follows the first byte.
    #[inline]
    fn read(reader: &mut Reader<'a>) -> Result<Self, Truncated> {
        let version = reader.u32()?;
        let length = reader.u8()?;
        let destination_id = reader.bytes(usize::from(length))?;
        let length = reader.u8()?;
        let source_id = reader.bytes(usize::from(length))?;
        Ok(Self { version, destination_id, source_id })
    }

    /// The destination and source connection IDs, if they have a length of versions 1 and 2.
    #[inline]
    fn ids(&self) -> Result<(ConnectionId, ConnectionId), HeaderError> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2
        //# In QUIC version 1, this value MUST NOT exceed 20 bytes.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2
        //# Endpoints that receive a version 1 long header with a value larger than 20 MUST drop
        //# the packet.
        match (ConnectionId::new(self.destination_id), ConnectionId::new(self.source_id)) {
            (Some(destination_id), Some(source_id)) => Ok((destination_id, source_id)),
            _ => Err(HeaderError::ConnectionIdTooLong),
        }
    }
}

/// Reads the header of the first packet in `datagram`.
///
/// The QUIC Bit is not looked at, see [`has_fixed_bit`]: whether it may be 0 is known to who sent
/// the transport parameter. Connection IDs in short headers have `local_id_length` bytes, which is at most 20. Nothing that
/// header protection hides is read, and it is not checked that the packet is long enough for the
/// sample that removing it takes (RFC 9001 §5.4.2).
#[inline]
pub fn parse(datagram: &[u8], local_id_length: usize) -> Result<Header<'_>, HeaderError> {
    let first = *datagram.first().ok_or(HeaderError::Truncated)?;
    if first & LONG_FORM == 0 {
        return short::parse(first, datagram, local_id_length).map(Header::Short);
    }
    parse_long(first, datagram)
}

fn parse_long(first: u8, datagram: &[u8]) -> Result<Header<'_>, HeaderError> {
    let mut reader = Reader::new(datagram.get(1..).unwrap_or_default());
    let invariant = InvariantHeader::read(&mut reader)?;
    match invariant.version {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-6.1
        //# An endpoint MUST NOT send a Version Negotiation packet in response to receiving
        //# a Version Negotiation packet.
        VERSION_NEGOTIATION => {
            return version_negotiation::parse(&invariant, &reader).map(Header::VersionNegotiation);
        }
        VERSION_1 | VERSION_2 => {}
        _ => return Ok(Header::UnknownVersion(invariant)),
    }
    match LongType::from_first_byte(invariant.version, first) {
        Some(ty) => long::parse(ty, &invariant, reader, datagram.len()).map(Header::Long),
        None => retry::parse(&invariant, &reader).map(Header::Retry),
    }
}

/// Whether the QUIC Bit of the packet at the start of `datagram` is set (RFC 9287 §3).
#[inline]
pub fn has_fixed_bit(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first & FIXED_BIT != 0)
}

/// What every version has in a long header; `None` if `datagram` has a short one, or is cut off.
pub fn invariant_header(datagram: &[u8]) -> Option<InvariantHeader<'_>> {
    let (first, rest) = datagram.split_first()?;
    let is_long = first & LONG_FORM != 0;
    InvariantHeader::read(&mut Reader::new(rest)).ok().filter(|_| is_long)
}

//= https://www.rfc-editor.org/rfc/rfc9369#section-3
//# Except for a few differences, QUIC version 2 endpoints MUST implement the QUIC version 1
//# specification as described in [QUIC], [QUIC-TLS], and [QUIC-RECOVERY].
/// How far the types of long headers are moved on from those of version 1 (RFC 9369 §3.2). A
/// version that nobody knows is dressed as version 1.
#[inline]
fn type_shift(version: u32) -> u8 {
    u8::from(version == VERSION_2)
}

/// The bits in the first byte for a type as version 1 numbers it.
#[inline]
fn type_bits(version: u32, ty: u8) -> u8 {
    (ty.wrapping_add(type_shift(version)) & 0b11) << 4
}

/// Whether the version is of the form 0x?a?a?a?a, which exercises version negotiation and is none
/// that anyone speaks (RFC 9000 §15).
pub fn is_reserved_version(version: u32) -> bool {
    version & 0x0f0f_0f0f == 0x0a0a_0a0a
}

/// The reserved version that these bits choose (RFC 9000 §15).
pub fn reserved_version(bits: u32) -> u32 {
    bits & 0xf0f0_f0f0 | 0x0a0a_0a0a
}

/// The connection ID that `datagram` is to be routed by, read from the invariants alone.
///
/// `None` if there is none, or if it is longer than any that this endpoint issues: such a packet
/// can only be of another version, and [`parse`] tells.
#[inline]
pub fn destination_id(datagram: &[u8], local_id_length: usize) -> Option<ConnectionId> {
    let (first, rest) = datagram.split_first()?;
    let id = if first & LONG_FORM == 0 {
        rest.get(..local_id_length)?
    } else {
        let (_version, rest) = rest.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first()?;
        rest.get(..usize::from(*length))?
    };
    ConnectionId::new(id)
}

/// The truncated packet number in the 1 to 4 `bytes` of its unprotected field.
#[cfg(any(test, feature = "fuzzing", feature = "wire"))]
pub fn read_truncated_number(bytes: &[u8]) -> u32 {
    debug_assert!((1..=4).contains(&bytes.len()), "a packet number field has 1 to 4 bytes");
    bytes.iter().take(4).fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

/// Writes the low bytes of `number`.
#[inline]
fn write_number(
    writer: &mut Writer<'_>,
    number: u64,
    length: PacketNumberLength,
) -> Result<(), Full> {
    let bytes = number.to_be_bytes();
    writer.bytes(bytes.get(bytes.len() - length.bytes()..).unwrap_or_default())
}

/// Writes what RFC 8999 §5.1 puts at the front of long headers.
fn write_invariant(
    writer: &mut Writer<'_>,
    first: u8,
    header: &InvariantHeader<'_>,
) -> Result<(), Full> {
    writer.u8(first)?;
    writer.u32(header.version)?;
    for id in [header.destination_id, header.source_id] {
        // No ID is longer than 255 bytes where it comes from; a longer one has no encoding.
        writer.u8(u8::try_from(id.len()).map_err(|_| Full)?)?;
        writer.bytes(id)?;
    }
    Ok(())
}

/// Runs `write`; if it fails, nothing of what it wrote stays.
#[inline]
fn whole_or_not<T>(
    writer: &mut Writer<'_>,
    write: impl FnOnce(&mut Writer<'_>) -> Result<T, Full>,
) -> Result<T, Full> {
    let start = writer.length();
    let written = write(writer);
    if written.is_err() {
        writer.rewind(start);
    }
    written
}
