//! 1-RTT packets (RFC 9000 §17.3.1).

use super::{FIXED_BIT, HeaderError, whole_or_not, write_number};
use crate::wire::{ConnectionId, Full, PacketNumberLength, Writer};

const SPIN_BIT: u8 = 0x20;
const KEY_PHASE_BIT: u8 = 0x04;

/// The header of a 1-RTT packet. The packet runs to the end of the datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ShortHeader {
    /// The receiver's connection ID.
    pub destination_id: ConnectionId,
    /// Where the packet number is, in bytes from the start of the packet.
    pub number_offset: usize,
    /// The latency spin bit (RFC 9000 §17.4).
    pub spin: bool,
}

#[inline]
pub(super) fn parse(
    first: u8,
    datagram: &[u8],
    local_id_length: usize,
) -> Result<ShortHeader, HeaderError> {
    let id = datagram.get(1..).and_then(|rest| rest.get(..local_id_length));
    let destination_id = ConnectionId::new(id.ok_or(HeaderError::Truncated)?)
        .ok_or(HeaderError::ConnectionIdTooLong)?;
    Ok(ShortHeader {
        destination_id,
        number_offset: 1 + local_id_length,
        spin: first & SPIN_BIT != 0,
    })
}

/// What to write into a short header.
#[derive(Clone, Copy, Debug)]
pub struct ShortHeaderParts {
    /// The receiver's connection ID.
    pub destination_id: ConnectionId,
    /// The latency spin bit (RFC 9000 §17.4).
    pub spin: bool,
    /// Which keys protect the packet (RFC 9001 §6).
    pub key_phase: bool,
}

/// Writes a short header up to and with the truncated packet number; whole or not at all.
#[inline]
pub fn write_short_header(
    writer: &mut Writer<'_>,
    parts: &ShortHeaderParts,
    number: u64,
    number_length: PacketNumberLength,
) -> Result<(), Full> {
    let spin = if parts.spin { SPIN_BIT } else { 0 };
    let key_phase = if parts.key_phase { KEY_PHASE_BIT } else { 0 };
    whole_or_not(writer, |writer| {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.3.1
        //# The value included prior to protection MUST be set to 0.
        writer.u8(FIXED_BIT | spin | key_phase | number_length.bits())?;
        writer.bytes(parts.destination_id.as_slice())?;
        write_number(writer, number, number_length)
    })
}
