//! Takes the protection off packets and puts it on, in place (RFC 9001 §5.3, §5.4).
//!
//! Public under the feature `wire`, for tools that build packets by hand; no promise of stability
//! before 1.0.

use rustls::quic::{DirectionalKeys, HeaderProtectionKey, PacketKey};

use crate::error::TransportError;
use crate::wire::{PacketNumberLength, expand_packet_number};

/// Length of the AEAD tag at the end of every packet; the same for all suites of TLS 1.3 in use.
pub const TAG_LENGTH: usize = 16;
/// Where the sample for header protection starts, after the start of the packet number: the
/// number is taken to be as long as it can be (RFC 9001 §5.4.2).
pub const SAMPLE_OFFSET: usize = 4;

/// An authentic packet without its protection.
#[derive(Debug, Eq, PartialEq)]
pub struct Opened<'a> {
    /// The full packet number.
    pub number: u64,
    /// The first byte without protection. Its reserved bits are to be checked only now, after
    /// authentication (RFC 9001 §9.5).
    pub first_byte: u8,
    /// The frames.
    pub payload: &'a [u8],
}

/// A packet cannot be opened. Its bytes are garbage afterwards: who looks for a stateless reset
/// token at the end of a datagram has to read it before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpenError {
    /// It was not made with these keys, or changed on the way. Anyone can cause this: drop it.
    NotAuthentic,
    /// It is too short to be a protected packet: drop it.
    TooShort,
    /// It is not authentic, and it was one too many for these keys (RFC 9001 §6.6): close.
    LimitReached,
    /// It is authentic, and proves that the peer broke the rules of key updates: close.
    KeyUpdate(&'static str),
}

impl OpenError {
    /// The error to close the connection with; `None` if the packet is only dropped.
    pub fn transport_error(self) -> Option<TransportError> {
        match self {
            Self::NotAuthentic | Self::TooShort => None,
            Self::LimitReached => {
                Some(TransportError::aead_limit_reached("too many packets were not authentic"))
            }
            Self::KeyUpdate(reason) => Some(TransportError::key_update(reason)),
        }
    }
}

/// A packet cannot be sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SealError {
    /// The packet has no room for a sample and a tag, or is too long for the AEAD.
    Length,
    /// The keys protected as many packets as they may (RFC 9001 §6.6): close.
    LimitReached,
}

impl From<SealError> for TransportError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Length => Self::internal("a packet has no room for its protection"),
            //= https://www.rfc-editor.org/rfc/rfc9001#section-6.6
            //# It is RECOMMENDED that endpoints immediately close the connection with a
            //# connection error of type AEAD_LIMIT_REACHED before reaching a state
            //# where key updates are not possible.
            SealError::LimitReached => Self::aead_limit_reached("keys cannot be used any more"),
        }
    }
}

/// Opens a packet with a long header. `packet` holds exactly this packet; its packet number
/// starts at `number_offset`.
pub fn open<'a>(
    keys: &DirectionalKeys,
    packet: &'a mut [u8],
    number_offset: usize,
    largest_received: Option<u64>,
) -> Result<Opened<'a>, OpenError> {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-9.5
    //# For authentication to be free from side channels, the entire process of header
    //# protection removal, packet number recovery, and packet protection removal MUST be
    //# applied together without timing and other side channels.
    let header = remove_header_protection(&*keys.header, packet, number_offset, largest_received)?;
    let payload = decrypt(&*keys.packet, packet, header)?;
    Ok(Opened { number: header.number, first_byte: header.first_byte, payload })
}

/// Protects a packet. `packet` is header, payload and [`TAG_LENGTH`] bytes of room; it has to be
/// at least [`SAMPLE_OFFSET`] + [`TAG_LENGTH`] bytes longer than `number_offset`. The number's
/// low `number_length` bytes, which the first byte tells too, are in place.
pub fn seal(
    keys: &DirectionalKeys,
    packet: &mut [u8],
    number_offset: usize,
    number_length: usize,
    number: u64,
) -> Result<(), SealError> {
    seal_with(&*keys.packet, &*keys.header, packet, Place { number_offset, number_length, number })
}

/// Which number a packet has, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) number_offset: usize,
    pub(super) number_length: usize,
    pub(super) number: u64,
}

#[inline]
pub(super) fn seal_with(
    packet_key: &dyn PacketKey,
    header_key: &dyn HeaderProtectionKey,
    packet: &mut [u8],
    place: Place,
) -> Result<(), SealError> {
    let payload_offset =
        place.number_offset.checked_add(place.number_length).ok_or(SealError::Length)?;
    let (header, rest) = packet.split_at_mut_checked(payload_offset).ok_or(SealError::Length)?;
    let (payload, tag_room) = rest.split_last_chunk_mut::<TAG_LENGTH>().ok_or(SealError::Length)?;
    // One pass over the payload and one mask of five bytes, whatever the number is and however long.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-9.5
    //# For the sending of packets, construction and protection of packet
    //# payloads and packet numbers MUST be free from side channels that would
    //# reveal the packet number or its encoded size.
    let tag = packet_key
        .encrypt_in_place(place.number, header, payload)
        .map_err(|_| SealError::Length)?;
    tag_room.copy_from_slice(tag.as_ref());
    let (first, number, sample) =
        split_for_sample(packet, place.number_offset, header_key).ok_or(SealError::Length)?;
    let number = number.get_mut(..place.number_length).ok_or(SealError::Length)?;
    header_key.encrypt_in_place(sample, first, number).map_err(|_| SealError::Length)
}

/// What a header said once its protection was off.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnprotectedHeader {
    pub(super) number: u64,
    pub(super) first_byte: u8,
    length: usize,
}

#[inline]
pub(super) fn remove_header_protection(
    key: &dyn HeaderProtectionKey,
    packet: &mut [u8],
    number_offset: usize,
    largest_received: Option<u64>,
) -> Result<UnprotectedHeader, OpenError> {
    let (first, number, sample) =
        //= https://www.rfc-editor.org/rfc/rfc9001#section-5.4.2
        //# An endpoint MUST discard packets that are not long enough to contain a
        //# complete sample.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
        //# Endpoints MUST discard packets that are too small to be valid QUIC
        //# packets.
        split_for_sample(packet, number_offset, key).ok_or(OpenError::TooShort)?;
    key.decrypt_in_place(sample, first, number).map_err(|_| OpenError::TooShort)?;
    let first_byte = *first;
    let number_length = PacketNumberLength::from_first_byte(first_byte);
    // The four bytes hold the number's, and then some of the payload's.
    let truncated = u32::from_be_bytes(*number) >> (8 * (SAMPLE_OFFSET - number_length.bytes()));
    let number = expand_packet_number(largest_received, truncated, number_length);
    Ok(UnprotectedHeader { number, first_byte, length: number_offset + number_length.bytes() })
}

#[inline]
pub(super) fn decrypt<'a>(
    key: &dyn PacketKey,
    packet: &'a mut [u8],
    header: UnprotectedHeader,
) -> Result<&'a [u8], OpenError> {
    let (bytes, payload) = packet.split_at_mut_checked(header.length).ok_or(OpenError::TooShort)?;
    key.decrypt_in_place(header.number, bytes, payload).map_err(|_| OpenError::NotAuthentic)
}

/// The first byte, the four bytes where the packet number may be, and the sample after them.
#[inline]
fn split_for_sample<'a>(
    packet: &'a mut [u8],
    number_offset: usize,
    key: &dyn HeaderProtectionKey,
) -> Option<(&'a mut u8, &'a mut [u8; SAMPLE_OFFSET], &'a [u8])> {
    let (header, rest) = packet.split_at_mut_checked(number_offset)?;
    let (number, rest) = rest.split_first_chunk_mut::<SAMPLE_OFFSET>()?;
    let sample = rest.get(..key.sample_len())?;
    Some((header.first_mut()?, number, sample))
}
