//! A cursor that cannot over-read.

use super::{StreamId, VarInt};

/// Reads values off the front of a slice.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// The bytes ended before the value did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Truncated;

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Truncated> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Truncated> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_be_bytes)
    }

    /// A variable-length integer, of any length that can hold it (RFC 9000 §16).
    pub(crate) fn varint(&mut self) -> Result<u64, Truncated> {
        let first = *self.rest.first().ok_or(Truncated)?;
        Ok(match first >> 6 {
            0 => {
                self.bytes(1)?;
                u64::from(first)
            }
            1 => u64::from(self.u16()? & 0x3fff),
            2 => u64::from(self.u32()? & 0x3fff_ffff),
            _ => u64::from_be_bytes(self.array()?) & VarInt::MAX.into_inner(),
        })
    }

    pub(crate) fn stream_id(&mut self) -> Result<StreamId, Truncated> {
        self.varint().map(StreamId::from_wire)
    }

    /// Bytes preceded by their length as a variable-length integer.
    pub(crate) fn prefixed_bytes(&mut self) -> Result<&'a [u8], Truncated> {
        let length = usize::try_from(self.varint()?).map_err(|_| Truncated)?;
        self.bytes(length)
    }
}
