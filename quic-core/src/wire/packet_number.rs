//! Packet number spaces and the coding of packet numbers (RFC 9000 §12.3, §17.1, Appendix A).

/// A packet number space (RFC 9000 §12.3).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum SpaceId {
    /// Initial packets.
    Initial = 0,
    /// Handshake packets.
    Handshake = 1,
    /// 0-RTT and 1-RTT packets.
    Application = 2,
}

impl SpaceId {
    /// The spaces in the order of the handshake.
    pub const ALL: [Self; 3] = [Self::Initial, Self::Handshake, Self::Application];

    /// This space's one of three, which are in the order of [`ALL`](Self::ALL).
    #[inline]
    pub fn of<T>(self, [initial, handshake, application]: &[T; 3]) -> &T {
        match self {
            Self::Initial => initial,
            Self::Handshake => handshake,
            Self::Application => application,
        }
    }

    /// Like [`of`](Self::of), to be changed.
    #[inline]
    pub fn of_mut<T>(self, [initial, handshake, application]: &mut [T; 3]) -> &mut T {
        match self {
            Self::Initial => initial,
            Self::Handshake => handshake,
            Self::Application => application,
        }
    }
}

/// The largest packet number (RFC 9000 §12.3).
const MAXIMUM_NUMBER: u64 = (1 << 62) - 1;

/// How many bytes of a packet number travel in a header: 1 to 4.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PacketNumberLength(u8);

impl PacketNumberLength {
    /// Enough bytes for the peer to recover `number` (RFC 9000 §17.1, Appendix A.2).
    pub fn for_number(number: u64, largest_acked: Option<u64>) -> Self {
        let unacked = match largest_acked {
            Some(acked) => number.saturating_sub(acked),
            //= https://www.rfc-editor.org/rfc/rfc9000#section-17.1
            //# Prior to receiving an acknowledgment for a packet number space, the full packet
            //# number MUST be included; it is not to be truncated, as described below.
            None => number.saturating_add(1),
        };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.1
        //# After an acknowledgment is received for a packet number space, the sender MUST use a
        //# packet number size able to represent more than twice as large a range as the
        //# difference between the largest acknowledged packet number and the packet number
        //# being sent.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.1
        //# An endpoint SHOULD use a large enough packet number encoding to allow the packet
        //# number to be recovered even if the packet arrives after packets that are sent
        //# afterwards.
        // The range sent is at least twice what is outstanding.
        Self(match unacked {
            0..0x80 => 1,
            0x80..0x8000 => 2,
            0x8000..0x80_0000 => 3,
            _ => 4,
        })
    }

    /// The length that the two low bits of an unprotected first byte give.
    #[inline]
    pub fn from_first_byte(first: u8) -> Self {
        Self((first & 0b11) + 1)
    }

    /// The two low bits of the first byte.
    pub fn bits(self) -> u8 {
        self.0 - 1
    }

    /// How many bytes: 1 to 4.
    #[inline]
    pub fn bytes(self) -> usize {
        usize::from(self.0)
    }
}

/// The full packet number of which `truncated` are the low `length` bytes (RFC 9000 Appendix A.3):
/// of all that end so, the one nearest to the number after `largest_received`. Always below 2^62.
pub fn expand_packet_number(
    largest_received: Option<u64>,
    truncated: u32,
    length: PacketNumberLength,
) -> u64 {
    let expected =
        largest_received.map_or(0, |largest| largest.saturating_add(1)).min(MAXIMUM_NUMBER);
    let window = 1_u64 << (length.bytes() * 8);
    let half = window / 2;
    let candidate = (expected & !(window - 1)) | (u64::from(truncated) & (window - 1));
    if candidate.saturating_add(half) <= expected && candidate <= MAXIMUM_NUMBER - window {
        candidate + window
    } else if candidate > expected.saturating_add(half) && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

#[cfg(test)]
mod tests;
