//! How many stateless resets may be sent (RFC 9000 §10.3, §21.11).

use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::time::Duration;

use crate::crypto::{KeyedHash, SeededRandom};
use crate::instant::Instant;
use crate::memory;

/// Resets per second for one source: an IPv4 /24 or an IPv6 /48.
const PER_SOURCE: u32 = 10;
/// Sources told apart. Those that share a place, which only who knows the secret can arrange,
/// share its allowance.
const SOURCES: usize = 1024;
const SECOND: u64 = 1_000_000_000;

/// Token buckets: one for all, and one for each source. Memory is fixed.
#[derive(Debug)]
pub(super) struct ResetLimiter {
    hash: KeyedHash,
    all: Bucket,
    per_second: u32,
    /// Empty until the first reset.
    sources: Vec<Bucket>,
}

impl ResetLimiter {
    pub(super) fn new(per_second: u32, random: &mut SeededRandom) -> Self {
        let hash = KeyedHash::new(random);
        Self { hash, all: Bucket::default(), per_second, sources: Vec::new() }
    }

    /// Heap at the most, in bytes.
    pub(super) const fn worst_case_bytes() -> u64 {
        memory::boxes::<Bucket>(SOURCES as u64)
    }

    /// Takes a permit for a reset to `source`, if there is one.
    pub(super) fn take(&mut self, now: Instant, source: IpAddr) -> bool {
        if self.sources.is_empty() {
            self.sources.resize(SOURCES, Bucket::default());
        }
        let places = self.sources.len() as u64;
        let place = self.hash.hash_one(prefix(source)).checked_rem(places).unwrap_or(0);
        let Some(bucket) = usize::try_from(place).ok().and_then(|i| self.sources.get_mut(i)) else {
            return false;
        };
        // The source's own allowance first: a flood from one prefix must not use up everyone's.
        bucket.take(now, PER_SOURCE) && self.all.take(now, self.per_second)
    }
}

/// The part of an address that one owner is assumed to hold: its length and bits.
fn prefix(source: IpAddr) -> (u8, u64) {
    match source.to_canonical() {
        IpAddr::V4(ip) => (24, u64::from(ip.to_bits() >> 8)),
        IpAddr::V6(ip) => (48, u64::try_from(ip.to_bits() >> 80).unwrap_or(0)),
    }
}

/// Holds up to a second's permits, kept as the time until which those taken are paid for.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    paid_until: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant, per_second: u32) -> bool {
        let Some(cost) = SECOND.checked_div(per_second.into()) else { return false };
        let paid_until = self.paid_until.max(now) + Duration::from_nanos(cost);
        let permitted = paid_until <= now + Duration::from_secs(1);
        if permitted {
            self.paid_until = paid_until;
        }
        permitted
    }
}

/// Refusals per second: each costs Initial keys, which nothing else without a connection does.
const REFUSALS: u32 = 1000;

/// How many Initials may be answered with CONNECTION_CLOSE.
#[derive(Debug, Default)]
pub(super) struct RefusalLimiter(Bucket);

impl RefusalLimiter {
    /// Takes a permit, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.0.take(now, REFUSALS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_limited_for_each_source_and_for_all() {
        let mut limiter = ResetLimiter::new(100, &mut SeededRandom::from_seed([1; 32]));
        for second in 0..3 {
            let now = Instant::EPOCH + Duration::from_secs(2 * second);
            let one = (0..200).filter(|i| limiter.take(now, [192, 0, 2, *i].into())).count();
            assert_eq!(one, 10, "a /24 is one source");
            let all = (0..200).filter(|i| limiter.take(now, [10, 0, *i, 1].into())).count();
            assert!((60..=90).contains(&all), "{all} resets besides the first 10");
        }
    }

    #[test]
    fn an_ipv6_site_is_one_source() {
        let mut limiter = ResetLimiter::new(1000, &mut SeededRandom::from_seed([1; 32]));
        let site = |i: u16| IpAddr::from([0x2001, 0xdb8, 1, i, 0, 0, 0, i]);
        assert_eq!((0..100).filter(|i| limiter.take(Instant::EPOCH, site(*i))).count(), 10);
    }

    #[test]
    fn a_limit_of_zero_permits_nothing() {
        let mut limiter = ResetLimiter::new(0, &mut SeededRandom::from_seed([1; 32]));
        assert!(!limiter.take(Instant::FAR_FUTURE, [192, 0, 2, 1].into()));
    }
}
