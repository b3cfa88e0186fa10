//! Connection IDs and stateless reset tokens as values (RFC 9000 §5.1, §10.3).

use std::fmt;

/// A connection ID of up to 20 bytes (RFC 9000 §5.1, §17.2).
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnectionId {
    length: u8,
    /// Zero beyond `length`, so that derived comparisons hold.
    bytes: [u8; Self::MAXIMUM_LENGTH],
}

impl ConnectionId {
    /// Longest connection ID of QUIC versions 1 and 2, in bytes.
    pub const MAXIMUM_LENGTH: usize = 20;
    /// The zero-length connection ID.
    pub const EMPTY: Self = Self { length: 0, bytes: [0; Self::MAXIMUM_LENGTH] };

    /// A connection ID with these bytes; `None` if there are more than 20.
    #[inline]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut id = Self::EMPTY;
        id.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        id.length = u8::try_from(bytes.len()).ok()?;
        Some(id)
    }

    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// Number of bytes.
    pub fn length(&self) -> usize {
        usize::from(self.length)
    }

    /// Whether this is the zero-length connection ID.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Proves that a datagram is a stateless reset of a connection ID (RFC 9000 §10.3).
///
/// Comparison takes constant time; there is no `Hash` but a keyed one's.
#[derive(Clone, Copy)]
pub struct StatelessResetToken([u8; Self::LENGTH]);

impl StatelessResetToken {
    /// Length in bytes.
    pub const LENGTH: usize = 16;
    /// Shortest stateless reset, in bytes: it looks like a packet with a short header
    /// (RFC 9000 §10.3).
    pub(crate) const MINIMUM_RESET_LENGTH: usize = 5 + Self::LENGTH;

    /// A token with these bytes.
    pub const fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// What `datagram` ends in; `None` if it is too short for a stateless reset.
    pub(crate) fn at_end_of(datagram: &[u8]) -> Option<Self> {
        let token = *datagram.last_chunk()?;
        (datagram.len() >= Self::MINIMUM_RESET_LENGTH).then_some(Self(token))
    }

    /// The bytes; a secret until the reset is sent.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl PartialEq for StatelessResetToken {
    fn eq(&self, other: &Self) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.1
        //# When comparing a datagram to stateless reset token values, endpoints
        //# MUST perform the comparison without leaking information about the
        //# value of the token.
        let difference = self.0.iter().zip(&other.0).fold(0, |sum, (a, b)| sum | (a ^ b));
        std::hint::black_box(difference) == 0
    }
}

impl Eq for StatelessResetToken {}

impl fmt::Debug for StatelessResetToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StatelessResetToken(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnectionId, StatelessResetToken};

    #[test]
    fn tokens_that_differ_in_any_bit_are_compared_whole_and_differ() {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.1
        //= type=test
        //# When comparing a datagram to stateless reset token values, endpoints
        //# MUST perform the comparison without leaking information about the
        //# value of the token.
        let token = StatelessResetToken::new([0x5a; 16]);
        assert_eq!(token, StatelessResetToken::new([0x5a; 16]));
        for bit in 0..128 {
            let mut bytes = [0x5a; 16];
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(token, StatelessResetToken::new(bytes), "bit {bit}");
        }
    }

    #[test]
    fn ids_have_0_to_20_bytes_and_keep_them() {
        let bytes: Vec<u8> = (1..=21).collect();
        for length in 0..=20 {
            let id = ConnectionId::new(&bytes[..length]).unwrap();
            assert_eq!((id.as_slice(), id.length()), (&bytes[..length], length));
            assert_eq!(id.is_empty(), length == 0);
        }
        assert_eq!(ConnectionId::new(&bytes), None);
    }

    #[test]
    fn ids_that_differ_in_trailing_zeros_differ() {
        assert_ne!(ConnectionId::new(&[1]), ConnectionId::new(&[1, 0]));
    }

    #[test]
    fn tokens_are_equal_only_if_all_bytes_are_and_are_never_shown() {
        let token = StatelessResetToken::new([7; 16]);
        assert_eq!(token, StatelessResetToken::new([7; 16]));
        for at in 0..16 {
            let mut bytes = [7; 16];
            bytes[at] ^= 1;
            assert_ne!(token, StatelessResetToken::new(bytes));
        }
        assert!(!format!("{token:?}").contains('7'));
    }
}
