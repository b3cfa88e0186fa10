//! One direction of a link, and what it does to datagrams.

use std::collections::BTreeSet;
use std::time::Duration;

use quic_core::{EcnCodepoint, Instant};

use super::marks::Marks;
use super::random::Random;

/// One direction of a link. Can be changed while datagrams are on it.
#[derive(Clone, Debug)]
pub struct Link {
    /// Time from one end to the other.
    pub delay: Duration,
    /// Most time that is added at random; datagrams stay in order.
    pub jitter: Duration,
    /// Probability that a datagram is lost.
    pub loss: f64,
    /// Losses that come in bursts, besides.
    pub bursts: Option<Bursts>,
    /// Probability that a datagram arrives twice.
    pub duplicate: f64,
    /// Probability that a datagram is held back while others overtake it.
    pub reorder: f64,
    /// Most time that such a datagram is held back.
    pub reorder_delay: Duration,
    /// Probability that one bit of a datagram is flipped.
    pub corrupt: f64,
    /// How fast datagrams leave; `None`: at once. Headers of lower layers do not count.
    pub rate_bytes_per_second: Option<u64>,
    /// Bytes that may wait to leave; a datagram beyond that is lost.
    pub queue_bytes: u64,
    /// Largest UDP payload that passes, in bytes.
    pub mtu: usize,
    /// Datagrams that are lost in any case, counted from 0 as they are sent.
    pub drops: BTreeSet<u64>,
    /// Nothing passes.
    pub cut: bool,
    /// What becomes of ECN marks.
    pub marks: Marks,
}

impl Default for Link {
    /// A link of 10 ms that passes everything.
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: 0.0,
            bursts: None,
            duplicate: 0.0,
            reorder: 0.0,
            reorder_delay: Duration::from_millis(30),
            corrupt: 0.0,
            rate_bytes_per_second: None,
            queue_bytes: u64::MAX,
            mtu: 65_527,
            drops: BTreeSet::new(),
            cut: false,
            marks: Marks::default(),
        }
    }
}

/// Losses in bursts (Gilbert and Elliott): the link is good or bad, and changes with each datagram
/// by chance.
#[derive(Clone, Copy, Debug)]
pub struct Bursts {
    /// Probability that a good link turns bad.
    pub begin: f64,
    /// Probability that a bad link turns good.
    pub end: f64,
    /// Probability that a datagram is lost while the link is bad.
    pub loss: f64,
}

/// What one direction of a link did so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LinkStatistics {
    /// Datagrams that were sent into it.
    pub sent: u64,
    /// Of those, datagrams that found no room in the queue.
    pub queue_drops: u64,
    /// Time that datagrams have waited in the queue, all together.
    pub waited: Duration,
}

impl LinkStatistics {
    /// What happened since.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            queue_drops: self.queue_drops - before.queue_drops,
            waited: self.waited.saturating_sub(before.waited),
        }
    }

    /// Share of datagrams that found no room in the queue.
    pub fn drop_rate(self) -> f64 {
        self.queue_drops as f64 / self.sent.max(1) as f64
    }

    /// How long a datagram waited, on average.
    pub fn mean_wait(self) -> Duration {
        let queued = u32::try_from((self.sent - self.queue_drops).max(1)).unwrap_or(u32::MAX);
        self.waited / queued
    }
}

/// Arrivals of one datagram: none, one or two.
pub(super) type Arrivals = [Option<Instant>; 2];

/// What a link remembers.
#[derive(Debug)]
pub(super) struct LinkState {
    random: Random,
    /// Apart from the other draws, which it does not shift.
    random_marks: Random,
    /// When the last datagram will have left.
    free_at: Instant,
    /// When the last datagram that was not held back arrives.
    last_arrival: Instant,
    is_bad: bool,
    pub(super) statistics: LinkStatistics,
}

impl LinkState {
    pub(super) fn new(random: Random) -> Self {
        let random_marks = Random::new(random.clone().u64(), 1);
        Self {
            random,
            random_marks,
            free_at: Instant::EPOCH,
            last_arrival: Instant::EPOCH,
            is_bad: false,
            statistics: LinkStatistics::default(),
        }
    }

    /// When the datagram arrives; may flip a bit of it, and change its mark.
    pub(super) fn send(
        &mut self,
        link: &Link,
        now: Instant,
        payload: &mut [u8],
        mark: &mut Option<EcnCodepoint>,
    ) -> Arrivals {
        let index = self.statistics.sent;
        self.statistics.sent += 1;
        // All draws are made for each datagram, so that one fate does not shift the next ones.
        let random = &mut self.random;
        let lost = random.chance(link.loss);
        let twice = random.chance(link.duplicate);
        let held = random.chance(link.reorder);
        let jitter = random.below(nanos(link.jitter).saturating_add(1));
        let delay = random.below(nanos(link.reorder_delay).saturating_add(1));
        let flip = random.chance(link.corrupt);
        let bit = random.below(8 * payload.len() as u64);
        let lost = lost | link.bursts.is_some_and(|bursts| self.is_lost_in_burst(bursts));
        if lost || link.cut || link.drops.contains(&index) || payload.len() > link.mtu {
            return [None; 2];
        }
        let waiting = self.waiting(link, now);
        let passed = link.marks.pass(*mark, waiting, &mut self.random_marks);
        if link.marks.stop(*mark) {
            return [None; 2];
        }
        *mark = passed;
        let Some(left) = self.leave(link, now, payload.len() as u64) else { return [None; 2] };
        if flip && let Some(byte) = payload.get_mut((bit / 8) as usize) {
            *byte ^= 1 << (bit % 8);
        }
        let in_order = (left + link.delay + Duration::from_nanos(jitter)).max(self.last_arrival);
        let arrival = if held {
            in_order + Duration::from_nanos(delay)
        } else {
            self.last_arrival = in_order;
            in_order
        };
        [Some(arrival), twice.then(|| arrival + Duration::from_nanos(delay / 2))]
    }

    /// Bytes that are to leave before a datagram that enters the queue now.
    fn waiting(&self, link: &Link, now: Instant) -> u64 {
        let rate = link.rate_bytes_per_second.unwrap_or(0);
        nanos(self.free_at - now).saturating_mul(rate) / 1_000_000_000
    }

    fn is_lost_in_burst(&mut self, bursts: Bursts) -> bool {
        let changes = self.random.chance(if self.is_bad { bursts.end } else { bursts.begin });
        self.is_bad ^= changes;
        self.random.chance(bursts.loss) && self.is_bad
    }

    /// When a datagram that enters the queue now leaves it; `None` if it finds no room.
    fn leave(&mut self, link: &Link, now: Instant, length: u64) -> Option<Instant> {
        let Some(rate) = link.rate_bytes_per_second else { return Some(now) };
        if self.waiting(link, now).saturating_add(length) > link.queue_bytes {
            self.statistics.queue_drops += 1;
            return None;
        }
        self.statistics.waited += self.free_at - now;
        let time = Duration::from_nanos(length.saturating_mul(1_000_000_000) / rate.max(1));
        self.free_at = self.free_at.max(now) + time;
        Some(self.free_at)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
