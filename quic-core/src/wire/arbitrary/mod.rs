//! Packets, frames and parameters out of any bytes, for fuzzers.
//!
//! What comes out is what a decoder could have returned: it can be written, and what was written
//! is read as the same. Numbers of each length are as likely as those of another.

mod frames;
mod headers;
mod parameters;

#[cfg(test)]
mod tests;

use arbitrary::{Arbitrary, Result, Unstructured};

use super::{
    ConnectionId, Direction, PacketNumberLength, Side, StatelessResetToken, StreamId, VarInt,
};

/// Longest run of bytes that a frame carries, a token, or what else has a length.
const MAXIMUM_BYTES: usize = 1500;

impl<'a> Arbitrary<'a> for VarInt {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=3)? {
            0 => Self::from_u32(u32::from(u8::arbitrary(u)? & 0x3f)),
            1 => Self::from_u32(u32::from(u16::arbitrary(u)? & 0x3fff)),
            2 => Self::from_u32(u32::arbitrary(u)? & 0x3fff_ffff),
            _ => Self::saturating(u64::arbitrary(u)? >> 2),
        })
    }

    fn size_hint(_: usize) -> (usize, Option<usize>) {
        (1, Some(1 + size_of::<u64>()))
    }
}

impl<'a> Arbitrary<'a> for ConnectionId {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let length = u.int_in_range(0..=Self::MAXIMUM_LENGTH)?;
        Ok(Self::new(u.bytes(length)?).unwrap_or(Self::EMPTY))
    }

    fn size_hint(_: usize) -> (usize, Option<usize>) {
        (1, Some(1 + Self::MAXIMUM_LENGTH))
    }
}

impl<'a> Arbitrary<'a> for StatelessResetToken {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self::new(u.arbitrary()?))
    }

    fn size_hint(depth: usize) -> (usize, Option<usize>) {
        <[u8; Self::LENGTH] as Arbitrary<'_>>::size_hint(depth)
    }
}

impl<'a> Arbitrary<'a> for Side {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(if u.arbitrary()? { Self::Client } else { Self::Server })
    }
}

impl<'a> Arbitrary<'a> for Direction {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(if u.arbitrary()? { Self::Bidirectional } else { Self::Unidirectional })
    }
}

impl<'a> Arbitrary<'a> for StreamId {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        number(u).map(Self::from_wire)
    }
}

impl<'a> Arbitrary<'a> for PacketNumberLength {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        u8::arbitrary(u).map(Self::from_first_byte)
    }
}

/// An integer below 2^62.
fn number(u: &mut Unstructured<'_>) -> Result<u64> {
    VarInt::arbitrary(u).map(VarInt::into_inner)
}

/// An integer up to `maximum`.
fn at_most(u: &mut Unstructured<'_>, maximum: u64) -> Result<u64> {
    number(u).map(|value| value.min(maximum))
}

/// Any bytes, at most [`MAXIMUM_BYTES`].
fn bytes<'a>(u: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    let most = u.len().saturating_sub(1).min(MAXIMUM_BYTES);
    let length = if u.arbitrary()? { u.int_in_range(0..=15)? } else { u.int_in_range(0..=most)? };
    u.bytes(length.min(u.len()))
}
