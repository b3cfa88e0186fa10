//! Variable-length integers (RFC 9000 §16).

use std::fmt;

/// An integer less than 2^62, as it travels in QUIC (RFC 9000 §16).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct VarInt(u64);

impl VarInt {
    /// The largest value, 2^62 - 1.
    pub const MAX: Self = Self((1 << 62) - 1);

    /// Any `u32` is in range.
    pub const fn from_u32(value: u32) -> Self {
        Self(value as u64)
    }

    /// `value` if it is in range.
    ///
    /// # Errors
    /// [`VarIntBoundsExceeded`] from 2^62 up.
    pub const fn from_u64(value: u64) -> Result<Self, VarIntBoundsExceeded> {
        if value <= Self::MAX.0 { Ok(Self(value)) } else { Err(VarIntBoundsExceeded) }
    }

    /// `value`, or [`VarInt::MAX`] if it is larger.
    pub const fn saturating(value: u64) -> Self {
        if value <= Self::MAX.0 { Self(value) } else { Self::MAX }
    }

    /// The value.
    pub const fn into_inner(self) -> u64 {
        self.0
    }
}

impl From<u8> for VarInt {
    fn from(value: u8) -> Self {
        Self(value.into())
    }
}

impl From<u32> for VarInt {
    fn from(value: u32) -> Self {
        Self::from_u32(value)
    }
}

impl From<VarInt> for u64 {
    fn from(value: VarInt) -> Self {
        value.0
    }
}

impl TryFrom<u64> for VarInt {
    type Error = VarIntBoundsExceeded;

    fn try_from(value: u64) -> Result<Self, VarIntBoundsExceeded> {
        Self::from_u64(value)
    }
}

impl fmt::Display for VarInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The value is 2^62 or more and has no encoding (RFC 9000 §16).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("value is not below 2^62")]
pub struct VarIntBoundsExceeded;

/// Bytes that the shortest encoding of `value` takes: 1, 2, 4 or 8.
pub const fn varint_length(value: u64) -> usize {
    match value {
        0..0x40 => 1,
        0x40..0x4000 => 2,
        0x4000..0x4000_0000 => 4,
        _ => 8,
    }
}

#[cfg(test)]
mod tests;
