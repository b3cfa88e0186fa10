//! Initial, 0-RTT and Handshake packets (RFC 9000 §17.2.2 to §17.2.4).

use super::{
    FIXED_BIT, HeaderError, InvariantHeader, LONG_FORM, type_bits, type_shift, whole_or_not,
    write_invariant, write_number,
};
use crate::wire::{ConnectionId, Full, PacketNumberLength, Reader, Writer};

/// The long header types of packets with a packet number, as version 1 numbers them (RFC 9000
/// §17.2, Table 5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LongType {
    /// Initial (RFC 9000 §17.2.2).
    Initial = 0b00,
    /// 0-RTT (RFC 9000 §17.2.3).
    ZeroRtt = 0b01,
    /// Handshake (RFC 9000 §17.2.4).
    Handshake = 0b10,
}

impl LongType {
    /// The type in a first byte of a packet of this version; `None` for Retry.
    #[inline]
    pub(super) fn from_first_byte(version: u32, first: u8) -> Option<Self> {
        match (first >> 4).wrapping_sub(type_shift(version)) & 0b11 {
            0b00 => Some(Self::Initial),
            0b01 => Some(Self::ZeroRtt),
            0b10 => Some(Self::Handshake),
            _ => None,
        }
    }

    fn bits(self, version: u32) -> u8 {
        type_bits(version, self as u8)
    }
}

/// The header of an Initial, 0-RTT or Handshake packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LongHeader<'a> {
    /// The packet's type.
    pub ty: LongType,
    /// The version of QUIC; not 0.
    pub version: u32,
    /// The receiver's connection ID, or what a client chose at random.
    pub destination_id: ConnectionId,
    /// The sender's connection ID.
    pub source_id: ConnectionId,
    /// Empty in all packets but Initials, and in many of these.
    pub token: &'a [u8],
    /// Where the packet number is, in bytes from the start of the packet.
    pub number_offset: usize,
    /// Bytes of the whole packet: the next packet of the datagram begins there. At least
    /// `number_offset`, at most the length of the datagram.
    pub packet_length: usize,
}

/// Reads what follows the invariants in a packet at the start of `datagram_length` bytes.
#[inline]
pub(super) fn parse<'a>(
    ty: LongType,
    invariant: &InvariantHeader<'a>,
    mut reader: Reader<'a>,
    datagram_length: usize,
) -> Result<LongHeader<'a>, HeaderError> {
    let (destination_id, source_id) = invariant.ids()?;
    let token = match ty {
        LongType::Initial => reader.prefixed_bytes()?,
        LongType::ZeroRtt | LongType::Handshake => &[],
    };
    let length = usize::try_from(reader.varint()?).map_err(|_| HeaderError::Truncated)?;
    // The length is a claim: the bytes have to be there.
    let left = reader.remaining().checked_sub(length).ok_or(HeaderError::Truncated)?;
    Ok(LongHeader {
        ty,
        version: invariant.version,
        destination_id,
        source_id,
        token,
        number_offset: datagram_length - reader.remaining(),
        packet_length: datagram_length - left,
    })
}

/// What to write into a long header.
#[derive(Clone, Copy, Debug)]
pub struct LongHeaderParts<'a> {
    /// The packet's type.
    pub ty: LongType,
    /// The version of QUIC; not 0.
    pub version: u32,
    /// The receiver's connection ID, or what a client chose at random.
    pub destination_id: ConnectionId,
    /// The sender's connection ID.
    pub source_id: ConnectionId,
    /// For Initials; ignored in other packets, which have no token.
    pub token: &'a [u8],
}

/// A Length field of two bytes that [`patch_length`] fills in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct LengthField {
    /// Where the field is, in bytes from the start of the writer's memory.
    pub offset: usize,
}

/// The longest packet that [`patch_length`] can describe, in bytes after the Length field.
const MAXIMUM_LENGTH: usize = (1 << 14) - 1;

/// Writes a long header up to and with the truncated packet number; whole or not at all.
///
/// The Length field stays 0 until it is patched, when the length of the payload is known.
pub fn write_long_header(
    writer: &mut Writer<'_>,
    parts: &LongHeaderParts<'_>,
    number: u64,
    number_length: PacketNumberLength,
) -> Result<LengthField, Full> {
    debug_assert_ne!(parts.version, 0, "version 0 is for Version Negotiation");
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2
    //# The value included prior to protection MUST be set to 0.
    let first = LONG_FORM | FIXED_BIT | parts.ty.bits(parts.version) | number_length.bits();
    let invariant = InvariantHeader {
        version: parts.version,
        destination_id: parts.destination_id.as_slice(),
        source_id: parts.source_id.as_slice(),
    };
    whole_or_not(writer, |writer| {
        write_invariant(writer, first, &invariant)?;
        if parts.ty == LongType::Initial {
            writer.prefixed_bytes(parts.token)?;
        }
        let field = LengthField { offset: writer.length() };
        writer.varint_in_two_bytes(0)?;
        write_number(writer, number, number_length)?;
        Ok(field)
    })
}

/// Fills in the Length field: the bytes of packet number, payload and AEAD tag.
///
/// `packet` begins where the memory of the writer began that wrote the field. Nothing happens if
/// the field is not within `packet`, or the length has no encoding in two bytes (from 2^14 up);
/// the caller has to prevent both.
pub fn patch_length(
    packet: &mut [u8],
    field: LengthField,
    payload_and_tag_and_number_length: usize,
) {
    let length = payload_and_tag_and_number_length;
    let bytes = packet.get_mut(field.offset..).and_then(<[u8]>::first_chunk_mut::<2>);
    debug_assert!(bytes.is_some(), "the Length field lies outside of the packet");
    debug_assert!(length <= MAXIMUM_LENGTH, "the length does not fit into two bytes");
    if let (Some(bytes), Ok(length), true) =
        (bytes, u16::try_from(length), length <= MAXIMUM_LENGTH)
    {
        *bytes = (length | 0x4000).to_be_bytes();
    }
}
