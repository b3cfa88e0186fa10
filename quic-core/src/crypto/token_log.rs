//! Remembers which NEW_TOKEN tokens were used, so that none is good twice (RFC 9000 §8.1.4).

use std::hash::BuildHasherDefault;

use hashbrown::HashSet;
use siphasher::sip::SipHasher13;

use super::tokens::token_identity;
use crate::instant::Instant;
use crate::memory;

type Identities = HashSet<[u8; 16], BuildHasherDefault<SipHasher13>>;

/// A bounded memory of used tokens that errs on the side of refusal: when it has to forget some,
/// it refuses from then on all tokens issued up to the youngest forgotten one.
#[derive(Debug)]
pub(crate) struct SingleUse {
    recent: Generation,
    older: Generation,
    /// Most identities in a generation.
    generation_limit: usize,
    /// Tokens issued up to here may have been used and forgotten.
    forgotten: Option<Instant>,
}

#[derive(Debug, Default)]
struct Generation {
    identities: Identities,
    youngest: Option<Instant>,
}

impl SingleUse {
    /// A memory of at most `limit` tokens, and at least 2.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            recent: Generation::default(),
            older: Generation::default(),
            generation_limit: (limit / 2).max(1),
            forgotten: None,
        }
    }

    /// Heap of a memory of at most `limit` tokens, in bytes.
    pub(crate) fn worst_case_bytes(limit: usize) -> u64 {
        let generation = memory::map::<[u8; 16], ()>((limit / 2).max(1) as u64);
        generation.saturating_mul(2)
    }

    /// Whether an authentic token was used, or may have been.
    ///
    /// The hasher has a fixed key: authentic tokens begin with bytes that this server chose.
    pub(crate) fn is_used(&self, token: &[u8], issued: Instant) -> bool {
        token_identity(token).is_none_or(|identity| {
            self.recent.identities.contains(&identity)
                || self.older.identities.contains(&identity)
                || self.forgotten.is_some_and(|forgotten| issued <= forgotten)
        })
    }

    /// Marks an authentic token that was not used before.
    pub(crate) fn mark(&mut self, token: &[u8], issued: Instant) {
        let Some(identity) = token_identity(token) else { return };
        if self.recent.identities.len() >= self.generation_limit {
            let full = std::mem::take(&mut self.recent);
            let oldest = std::mem::replace(&mut self.older, full);
            self.forgotten = self.forgotten.max(oldest.youngest);
        }
        self.recent.identities.insert(identity);
        self.recent.youngest = self.recent.youngest.max(Some(issued));
    }

    /// How many tokens are remembered.
    #[cfg(test)]
    pub(crate) fn length(&self) -> usize {
        self.recent.identities.len() + self.older.identities.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: u64) -> Vec<u8> {
        [number.to_be_bytes(), number.to_be_bytes()].concat()
    }

    /// Whether the token `number` is good, which it is no longer then.
    fn use_up(log: &mut SingleUse, number: u64) -> bool {
        let (token, issued) = (token(number), Instant::from_nanos(number));
        let good = !log.is_used(&token, issued);
        if good {
            log.mark(&token, issued);
        }
        good
    }

    #[test]
    fn no_token_is_good_twice_however_many_come_between() {
        let mut log = SingleUse::new(16);
        for number in 0..1000 {
            assert!(use_up(&mut log, number));
            for earlier in 0..=number {
                assert!(!use_up(&mut log, earlier));
            }
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut log = SingleUse::new(100);
        for number in 0..10_000 {
            use_up(&mut log, number);
            assert!(log.length() <= 100);
        }
    }

    #[test]
    fn what_cannot_be_a_token_is_refused() {
        assert!(SingleUse::new(100).is_used(&[], Instant::EPOCH));
    }
}
