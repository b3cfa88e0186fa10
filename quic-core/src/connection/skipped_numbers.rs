//! Packet numbers left out on purpose: acknowledging one unmasks a peer that acknowledges what it
//! did not receive (RFC 9000 §21.4).

use crate::crypto::SeededRandom;
use crate::recovery::SentPackets;

/// Fewest packets before the first number is left out.
const FIRST_PERIOD: u64 = 64;
/// Longest period, in packets.
const LONGEST_PERIOD: u64 = 1 << 20;

/// When the next number is left out. Periods double, since a peer that lies does so from early on.
#[derive(Debug)]
pub(super) struct SkippedNumbers {
    next: u64,
    period: u64,
}

impl SkippedNumbers {
    pub(super) fn new(random: &mut SeededRandom) -> Self {
        Self { next: FIRST_PERIOD + random.u64() % FIRST_PERIOD, period: FIRST_PERIOD }
    }

    pub(super) fn skip_if_due(&mut self, sent: &mut SentPackets, random: &mut SeededRandom) {
        if sent.next_number() < self.next {
            return;
        }
        sent.skip_number();
        self.period = self.period.saturating_mul(2).min(LONGEST_PERIOD);
        self.next = sent
            .next_number()
            .saturating_add(self.period)
            .saturating_add(random.u64() % self.period);
    }
}
