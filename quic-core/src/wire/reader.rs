//! A cursor that cannot over-read.

use super::{StreamId, VarInt};

/// Reads values off the front of a slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// The bytes ended before the value did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Truncated;

impl<'a> Reader<'a> {
    /// Reads `bytes` from the start.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether all was read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes that were not read yet.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// What was not read yet.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `length` bytes.
    #[inline]
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], Truncated> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// The next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, Truncated> {
        self.array().map(|[byte]| byte)
    }

    /// Two bytes, big-endian.
    #[inline]
    pub fn u16(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes, big-endian.
    #[inline]
    pub fn u32(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_be_bytes)
    }

    /// A variable-length integer, of any length that can hold it (RFC 9000 §16).
    #[inline]
    pub fn varint(&mut self) -> Result<u64, Truncated> {
        let (first, rest) = self.rest.split_first().ok_or(Truncated)?;
        if *first < 0x40 {
            self.rest = rest;
            return Ok(u64::from(*first));
        }
        self.longer_varint(*first)
    }

    /// A variable-length integer of two bytes or more, as `first` says.
    fn longer_varint(&mut self, first: u8) -> Result<u64, Truncated> {
        Ok(match first >> 6 {
            0 | 1 => u64::from(self.u16()? & 0x3fff),
            2 => u64::from(self.u32()? & 0x3fff_ffff),
            _ => u64::from_be_bytes(self.array()?) & VarInt::MAX.into_inner(),
        })
    }

    /// A stream ID, which is a variable-length integer.
    #[inline]
    pub fn stream_id(&mut self) -> Result<StreamId, Truncated> {
        self.varint().map(StreamId::from_wire)
    }

    /// Bytes preceded by their length as a variable-length integer.
    #[inline]
    pub fn prefixed_bytes(&mut self) -> Result<&'a [u8], Truncated> {
        let length = usize::try_from(self.varint()?).map_err(|_| Truncated)?;
        self.bytes(length)
    }
}

#[cfg(test)]
mod tests;
