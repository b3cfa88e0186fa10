//! Samples of the rate at which a path delivers (draft-ietf-ccwg-bbr §4.1).

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use super::{LostPacket, RateSample};
use crate::instant::{Instant, saturating_nanos};
use crate::memory;
use crate::wire::SpaceId;

/// Records that an empty ring may keep room for.
const KEPT_CAPACITY: usize = 1024;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Measures how fast a path delivers: keeps, for each packet in flight, what was known when it was
/// sent. Made only for controllers that ask for it.
///
/// It holds one record for each packet in flight, and for those between them whose fate is known:
/// as many as the congestion window permits.
#[derive(Debug)]
pub(crate) struct DeliverySampler {
    delivered: u64,
    delivered_at: Instant,
    /// When the packet was sent that was delivered last, or, after a pause, the first one after it.
    first_sent_at: Instant,
    lost: u64,
    /// What has to be delivered until the last pause of the application is out of the path; 0 if
    /// there was none.
    app_limited_until: u64,
    /// Of the ACK frame that is being handled.
    newest: Option<Newest>,
    last_lost: Option<(SpaceId, u64)>,
    /// By packet number space, in ascending order of numbers.
    records: [VecDeque<Record>; 3],
}

/// What was known when a packet was sent.
#[derive(Clone, Copy, Debug)]
struct Record {
    number: u64,
    sent_at: Instant,
    delivered: u64,
    delivered_at: Instant,
    first_sent_at: Instant,
    lost: u64,
    in_flight: u64,
    size: u16,
    app_limited: bool,
    /// Acknowledged or lost.
    settled: bool,
}

/// The newest packet that an ACK frame newly acknowledges.
#[derive(Clone, Copy, Debug)]
struct Newest {
    record: Record,
    space: SpaceId,
}

impl DeliverySampler {
    pub(crate) fn new() -> Self {
        Self {
            delivered: 0,
            delivered_at: Instant::EPOCH,
            first_sent_at: Instant::EPOCH,
            lost: 0,
            app_limited_until: 0,
            newest: None,
            last_lost: None,
            records: Default::default(),
        }
    }

    /// Heap in use at the most, in bytes, if `records` packets are remembered to be in flight.
    pub(crate) const fn worst_case_bytes(records: u64) -> u64 {
        memory::boxes::<Self>(1).saturating_add(memory::list::<Record>(records))
    }

    /// Whether the application had less to send than was permitted in the last round trip.
    pub(crate) fn is_app_limited(&self) -> bool {
        self.app_limited_until > 0
    }

    /// There is nothing to send, although it would be permitted (§4.1.2.4).
    pub(crate) fn mark_app_limited(&mut self, in_flight: u64) {
        self.app_limited_until = self.delivered.saturating_add(in_flight).max(1);
    }

    /// A packet was sent; `in_flight` counts it already (§4.1.2.2).
    pub(crate) fn on_sent(
        &mut self,
        now: Instant,
        (space, number): (SpaceId, u64),
        size: u16,
        in_flight: u64,
    ) {
        if in_flight <= u64::from(size) {
            self.first_sent_at = now;
            self.delivered_at = now;
        }
        let record = Record {
            number,
            sent_at: now,
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            first_sent_at: self.first_sent_at,
            lost: self.lost,
            in_flight,
            size,
            app_limited: self.is_app_limited(),
            settled: false,
        };
        space.of_mut(&mut self.records).push_back(record);
    }

    /// A packet was acknowledged, one of those of the ACK frame that [`Self::take_sample`] ends
    /// (UpdateRateSample, §4.1.2.3). May be told more than once.
    pub(crate) fn on_acked(&mut self, now: Instant, space: SpaceId, number: u64) {
        let Some(record) = self.settle(space, number) else { return };
        self.delivered = self.delivered.saturating_add(record.size.into());
        self.delivered_at = now;
        let is_newest = self.newest.is_none_or(|newest| {
            (record.sent_at, space, number)
                > (newest.record.sent_at, newest.space, newest.record.number)
        });
        if is_newest {
            self.newest = Some(Newest { record, space });
        }
    }

    /// A packet was lost; `None` if that was told before. Lost MTU probes are told, too, so that
    /// they are forgotten, but are of no interest.
    pub(crate) fn on_lost(
        &mut self,
        space: SpaceId,
        number: u64,
        is_mtu_probe: bool,
    ) -> Option<LostPacket> {
        let record = self.settle(space, number)?;
        if is_mtu_probe {
            return None;
        }
        let before = number.checked_sub(1).map(|before| (space, before));
        let continues_run = before.is_some() && before == self.last_lost;
        self.last_lost = Some((space, number));
        let bytes = u64::from(record.size);
        self.lost = self.lost.saturating_add(bytes);
        Some(LostPacket {
            bytes,
            in_flight_when_sent: record.in_flight,
            lost: self.lost.saturating_sub(record.lost),
            total_delivered: self.delivered,
            prior_delivered: record.delivered,
            app_limited: record.app_limited,
            continues_run,
        })
    }

    /// The sample that the ACK frame gives whose packets were told; `minimum` is the path's
    /// smallest round-trip time (GenerateRateSample, §4.1.2.3).
    pub(crate) fn take_sample(&mut self, now: Instant, minimum: Duration) -> Option<RateSample> {
        if self.delivered > self.app_limited_until {
            self.app_limited_until = 0;
        }
        let Newest { record, .. } = self.newest.take()?;
        let send_elapsed = record.sent_at - record.first_sent_at;
        let ack_elapsed = self.delivered_at - record.delivered_at;
        self.first_sent_at = self.first_sent_at.max(record.sent_at);
        let interval = send_elapsed.max(ack_elapsed);
        let delivered = self.delivered.saturating_sub(record.delivered);
        let nanos = u128::from(saturating_nanos(interval));
        let rate = (u128::from(delivered) * NANOS_PER_SECOND)
            .checked_div(nanos)
            .filter(|_| interval >= minimum)
            .map(|rate| u64::try_from(rate).unwrap_or(u64::MAX));
        Some(RateSample {
            total_delivered: self.delivered,
            prior_delivered: record.delivered,
            delivered,
            delivery_rate: rate,
            app_limited: record.app_limited,
            round_trip: now - record.sent_at,
            in_flight_when_sent: record.in_flight,
            lost: self.lost.saturating_sub(record.lost),
        })
    }

    /// Forgets the packets of a space: nothing will be heard of them.
    pub(crate) fn forget(&mut self, space: SpaceId) {
        *space.of_mut(&mut self.records) = VecDeque::new();
    }

    /// Packets that are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.records.iter().map(VecDeque::len).sum()
    }

    /// Takes a packet out of those in flight; `None` if it is not one of them.
    fn settle(&mut self, space: SpaceId, number: u64) -> Option<Record> {
        let ring = space.of_mut(&mut self.records);
        let oldest = ring.front()?.number;
        let ahead = usize::try_from(number.checked_sub(oldest)?).ok()?;
        let index = match ring.get(ahead) {
            Some(record) if record.number == number => ahead,
            // Numbers are missing that were skipped, or those of packets not in flight.
            _ => ring.partition_point(|record| record.number < number),
        };
        let record = ring.get_mut(index)?;
        if record.number != number || record.settled {
            return None;
        }
        record.settled = true;
        let record = *record;
        while ring.front().is_some_and(|record| record.settled) {
            ring.pop_front();
        }
        if ring.is_empty() && ring.capacity() > KEPT_CAPACITY {
            *ring = VecDeque::new();
        }
        Some(record)
    }
}
