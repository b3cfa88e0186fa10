//! One direction of a link, and what it does to datagrams.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use quic_core::{EcnCodepoint, Instant};

use super::agenda::{Agenda, Due};
use super::loss::{Bursts, Weather};
use super::marks::Marks;
use super::queue::{CoDel, Queue, Waiting};
use super::random::{Random, hash};
use super::store::{Slot, Store};
use super::trace::Fate;

/// One direction of a link. Can be changed while datagrams are on it: what has left the queue stays
/// as it was.
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
    /// Probability that a datagram loses its end; how much, is random.
    pub truncate: f64,
    /// How fast datagrams leave; `None`: at once. Headers of lower layers do not count.
    pub rate_bytes_per_second: Option<u64>,
    /// Bytes that may wait to leave; a datagram beyond that is lost.
    pub queue_bytes: u64,
    /// Drops datagrams that waited for too long, if it is not `None`.
    pub codel: Option<CoDel>,
    /// Largest UDP payload that passes, in bytes.
    pub mtu: usize,
    /// Datagrams that are lost in any case, counted from 0 as they are sent.
    pub drops: BTreeSet<u64>,
    /// Nothing passes.
    pub cut: bool,
    /// Nothing passes in these times.
    pub outages: Vec<Range<Instant>>,
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
            truncate: 0.0,
            rate_bytes_per_second: None,
            queue_bytes: u64::MAX,
            codel: None,
            mtu: 65_527,
            drops: BTreeSet::new(),
            cut: false,
            outages: Vec::new(),
            marks: Marks::default(),
        }
    }
}

impl Link {
    fn is_cut(&self, now: Instant) -> bool {
        self.cut || self.outages.iter().any(|outage| outage.contains(&now))
    }
}

/// What one direction of a link did so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LinkStatistics {
    /// Datagrams that were sent into it.
    pub sent: u64,
    /// Of those, datagrams that found no room in the queue, or were dropped because they waited for
    /// too long.
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

    /// Share of datagrams that the queue dropped.
    pub fn drop_rate(self) -> f64 {
        self.queue_drops as f64 / self.sent.max(1) as f64
    }

    /// How long a datagram waited, on average.
    pub fn mean_wait(self) -> Duration {
        let queued = u32::try_from((self.sent - self.queue_drops).max(1)).unwrap_or(u32::MAX);
        self.waited / queued
    }
}

/// What was drawn for one datagram, for the part of its way that lies behind the queue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Way {
    jitter: u64,
    twice: bool,
    held: bool,
    delay: u64,
}

/// What a link needs to send on what it has.
#[derive(Debug)]
pub(super) struct Works {
    pub(super) now: Instant,
    pub(super) store: Store,
    pub(super) agenda: Agenda,
    /// What queues dropped, and nobody was told of.
    pub(super) dropped: Vec<Slot>,
}

impl Works {
    pub(super) fn new(now: Instant) -> Self {
        let (store, agenda) = (Store::default(), Agenda::default());
        Self { now, store, agenda, dropped: Vec::new() }
    }
}

/// One direction of a link, and what it remembers.
#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) link: Link,
    pub(super) statistics: LinkStatistics,
    index: usize,
    random: Random,
    /// Apart from the other draws, which they do not shift.
    random_marks: Random,
    random_ends: Random,
    weather: Weather,
    queue: Queue,
    /// What is leaving, and when it will have left.
    leaving: Option<(Slot, Instant)>,
    /// When the last datagram that was not held back arrives.
    last_arrival: Instant,
}

impl LinkState {
    pub(super) fn new(index: usize, random: Random) -> Self {
        let parent = random.clone().u64();
        Self {
            link: Link::default(),
            statistics: LinkStatistics::default(),
            index,
            random,
            random_marks: Random::new(parent, 1),
            random_ends: Random::new(parent, 2),
            weather: Weather::default(),
            queue: Queue::new(),
            leaving: None,
            last_arrival: Instant::EPOCH,
        }
    }

    /// Takes a datagram; what is wrong if it does not. May change it.
    pub(super) fn enter(&mut self, works: &mut Works, slot: Slot) -> Result<(), Fate> {
        let (now, packet) = (works.now, works.store.get_mut(slot));
        let index = self.statistics.sent;
        self.statistics.sent += 1;
        // All draws are made for each datagram, so that one fate does not shift the next ones.
        let (link, random) = (&self.link, &mut self.random);
        let lost = random.chance(link.loss);
        packet.way.twice = random.chance(link.duplicate);
        packet.way.held = random.chance(link.reorder);
        packet.way.jitter = random.below(nanos(link.jitter).saturating_add(1));
        packet.way.delay = random.below(nanos(link.reorder_delay).saturating_add(1));
        let flip = random.chance(link.corrupt);
        let bit = random.below(8 * packet.payload.len() as u64);
        let is_lost = |bursts| self.weather.is_lost(bursts, random);
        let lost = lost | link.bursts.is_some_and(is_lost);
        let truncate = self.random_ends.chance(link.truncate);
        let end = self.random_ends.below(packet.payload.len() as u64);
        let length = packet.payload.len();
        if lost || link.drops.contains(&index) {
            return Err(Fate::Lost);
        }
        if link.is_cut(now) {
            return Err(Fate::Cut);
        }
        if length > link.mtu {
            return Err(Fate::TooLarge);
        }
        let waiting = self.waiting(now);
        let passed = self.link.marks.pass(packet.ecn, waiting, &mut self.random_marks);
        if self.link.marks.stop(packet.ecn) {
            return Err(Fate::Lost);
        }
        packet.ecn = passed;
        if flip && let Some(byte) = packet.payload.get_mut((bit / 8) as usize) {
            *byte ^= 1 << (bit % 8);
        }
        let ecn = packet.ecn;
        if truncate {
            packet.payload.truncate(usize::try_from(end).unwrap_or(length));
        }
        if flip || truncate {
            packet.hash = hash(&packet.payload);
        }
        self.line_up(works, (slot, length as u64, ecn))
    }

    fn line_up(
        &mut self,
        works: &mut Works,
        (slot, bytes, ecn): (Slot, u64, Option<EcnCodepoint>),
    ) -> Result<(), Fate> {
        if self.leaving.is_none() && self.link.rate_bytes_per_second.is_none() {
            self.pass(works, slot);
            return Ok(());
        }
        if self.waiting(works.now).saturating_add(bytes) > self.link.queue_bytes {
            self.statistics.queue_drops += 1;
            return Err(Fate::QueueFull);
        }
        let can_be_marked = ecn.is_some();
        self.queue.push(Waiting { slot, bytes, since: works.now, can_be_marked });
        if self.leaving.is_none() {
            self.begin(works);
        }
        Ok(())
    }

    /// Bytes that are to leave before a datagram that enters the queue now.
    fn waiting(&self, now: Instant) -> u64 {
        let rest = self.leaving.map_or(Duration::ZERO, |(_, end)| end - now);
        let rate = self.link.rate_bytes_per_second.unwrap_or(0);
        self.queue.bytes().saturating_add(nanos(rest).saturating_mul(rate) / 1_000_000_000)
    }

    /// Begins to transmit what waits, if anything does.
    fn begin(&mut self, works: &mut Works) {
        let before = works.dropped.len();
        let leaving = self.queue.pop(works.now, self.link.codel, &mut works.dropped);
        self.statistics.queue_drops += (works.dropped.len() - before) as u64;
        self.leaving = leaving.map(|leaving| {
            let waiting = leaving.waiting;
            if leaving.marked {
                works.store.get_mut(waiting.slot).ecn = Some(EcnCodepoint::Ce);
            }
            self.statistics.waited += works.now - waiting.since;
            let rate = self.link.rate_bytes_per_second;
            let time =
                rate.map_or(0, |rate| waiting.bytes.saturating_mul(1_000_000_000) / rate.max(1));
            let end = works.now + Duration::from_nanos(time);
            works.agenda.note(end, Due::Leaves(self.index));
            (waiting.slot, end)
        });
    }

    /// What was transmitted has left.
    pub(super) fn leave(&mut self, works: &mut Works) {
        if let Some((slot, _)) = self.leaving.take() {
            self.pass(works, slot);
        }
        self.begin(works);
    }

    /// Lets a datagram that left the queue travel to the other end.
    fn pass(&mut self, works: &mut Works, slot: Slot) {
        let way = works.store.get(slot).way;
        let travel = self.link.delay + Duration::from_nanos(way.jitter);
        let in_order = (works.now + travel).max(self.last_arrival);
        let arrival = if way.held {
            in_order + Duration::from_nanos(way.delay)
        } else {
            self.last_arrival = in_order;
            in_order
        };
        works.agenda.note(arrival, Due::Arrives(slot));
        if way.twice {
            let copy = works.store.copy(slot);
            works.agenda.note(arrival + Duration::from_nanos(way.delay / 2), Due::Arrives(copy));
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
