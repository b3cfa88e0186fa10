//! A cursor that cannot over-write.

use super::{VarInt, varint_length};

/// Appends values to a slice of fixed length.
#[derive(Debug)]
pub struct Writer<'a> {
    memory: &'a mut [u8],
    written: usize,
}

/// There is no room left for the value; nothing of it was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Full;

impl<'a> Writer<'a> {
    /// Writes from the start of `memory`.
    #[inline]
    pub fn new(memory: &'a mut [u8]) -> Self {
        Self { memory, written: 0 }
    }

    /// Bytes written.
    #[inline]
    pub fn length(&self) -> usize {
        self.written
    }

    /// Bytes that still fit.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.memory.len() - self.written
    }

    /// What was written.
    #[inline]
    pub fn written(&self) -> &[u8] {
        self.memory.get(..self.written).unwrap_or_default()
    }

    /// Forgets what was written after the first `length` bytes.
    pub fn rewind(&mut self, length: usize) {
        self.written = self.written.min(length);
    }

    /// Room for `length` bytes, to be filled by the caller.
    #[inline]
    pub fn reserve(&mut self, length: usize) -> Result<&mut [u8], Full> {
        let end = self.written.checked_add(length).ok_or(Full)?;
        let room = self.memory.get_mut(self.written..end).ok_or(Full)?;
        self.written = end;
        Ok(room)
    }

    /// Appends the bytes.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.reserve(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Appends one byte.
    #[inline]
    pub fn u8(&mut self, value: u8) -> Result<(), Full> {
        self.bytes(&[value])
    }

    /// Appends two bytes, big-endian.
    #[inline]
    pub fn u16(&mut self, value: u16) -> Result<(), Full> {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends four bytes, big-endian.
    #[inline]
    pub fn u32(&mut self, value: u32) -> Result<(), Full> {
        self.bytes(&value.to_be_bytes())
    }

    /// The shortest encoding of `value`, which is below 2^62 (RFC 9000 §16).
    #[inline]
    pub fn varint(&mut self, value: u64) -> Result<(), Full> {
        let value = VarInt::saturating(value).into_inner();
        match varint_length(value) {
            1 => self.bytes(&value.to_be_bytes()[7..]),
            2 => self.bytes(&(value | 0x4000).to_be_bytes()[6..]),
            4 => self.bytes(&(value | 0x8000_0000).to_be_bytes()[4..]),
            _ => self.bytes(&(value | 0xc000_0000_0000_0000).to_be_bytes()),
        }
    }

    /// `value`, which is below 2^14, in two bytes, so that it can be patched in later.
    pub fn varint_in_two_bytes(&mut self, value: u16) -> Result<(), Full> {
        self.u16(value & 0x3fff | 0x4000)
    }

    /// Bytes preceded by their length as a variable-length integer; both or nothing.
    pub fn prefixed_bytes(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let start = self.written;
        self.varint(bytes.len() as u64)?;
        let written = self.bytes(bytes);
        if written.is_err() {
            self.rewind(start);
        }
        written
    }

    /// `length` zero bytes: PADDING frames (RFC 9000 §19.1).
    #[cfg(test)]
    pub fn padding(&mut self, length: usize) -> Result<(), Full> {
        self.reserve(length)?.fill(0);
        Ok(())
    }
}
