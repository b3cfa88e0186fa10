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
    /// Datagrams sent so far.
    pub(super) sent: u64,
}

impl LinkState {
    pub(super) fn new(random: Random) -> Self {
        let random_marks = Random::new(random.clone().u64(), 1);
        Self {
            random,
            random_marks,
            free_at: Instant::EPOCH,
            last_arrival: Instant::EPOCH,
            sent: 0,
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
        let index = self.sent;
        self.sent += 1;
        // All draws are made for each datagram, so that one fate does not shift the next ones.
        let random = &mut self.random;
        let lost = random.chance(link.loss);
        let twice = random.chance(link.duplicate);
        let held = random.chance(link.reorder);
        let jitter = random.below(nanos(link.jitter).saturating_add(1));
        let delay = random.below(nanos(link.reorder_delay).saturating_add(1));
        let flip = random.chance(link.corrupt);
        let bit = random.below(8 * payload.len() as u64);
        if lost || link.cut || link.drops.contains(&index) || payload.len() > link.mtu {
            return [None; 2];
        }
        let waiting = self.waiting(link, now);
        let Some(passed) = link.marks.pass(*mark, waiting, &mut self.random_marks) else {
            return [None; 2];
        };
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

    /// When a datagram that enters the queue now leaves it; `None` if it finds no room.
    fn leave(&mut self, link: &Link, now: Instant, length: u64) -> Option<Instant> {
        let Some(rate) = link.rate_bytes_per_second else { return Some(now) };
        if self.waiting(link, now).saturating_add(length) > link.queue_bytes {
            return None;
        }
        let time = Duration::from_nanos(length.saturating_mul(1_000_000_000) / rate.max(1));
        self.free_at = self.free_at.max(now) + time;
        Some(self.free_at)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
