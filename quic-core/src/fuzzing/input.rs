//! Decisions and numbers out of any bytes.

use std::time::Duration;

/// Takes what a target wants to know off the front of its input; behind its end there are zeros.
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A number below `limit`; 0 if that is 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.u16()).checked_rem(limit).unwrap_or(0)
    }

    /// Any size of number, the smallest and the largest as likely as those between: sixteen bits,
    /// shifted, and perhaps counted down from the largest.
    pub(super) fn number(&mut self) -> u64 {
        let kind = self.byte();
        let value = u64::from(self.u16()) << (kind % 49);
        if kind & 0x80 == 0 { value } else { u64::MAX - value }
    }

    /// Any length of time, most of them up to a minute.
    pub(super) fn duration(&mut self) -> Duration {
        let nanos = match self.byte() {
            0..0x40 => u64::from(self.byte()) * 1_000,
            0x40..0xe0 => u64::from(self.u16()) * 1_000_000,
            _ => self.number(),
        };
        Duration::from_nanos(nanos)
    }
}
