//! HyStart++: leaving slow start before the queue overflows (RFC 9406).

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::Acked;
use crate::instant::Instant;

/// The smallest and the largest rise of the round-trip time that ends slow start
/// (RFC 9406 §4.3).
const MIN_RTT_THRESH: Duration = Duration::from_millis(4);
const MAX_RTT_THRESH: Duration = Duration::from_millis(16);

/// What share of the round-trip time the rise has to be, between those two (RFC 9406 §4.3).
const MIN_RTT_DIVISOR: u32 = 8;

/// Samples that a round needs to be judged by (RFC 9406 §4.3).
const N_RTT_SAMPLE: u32 = 8;

/// How much slower than slow start conservative slow start is; 2 at the least (RFC 9406 §4.3).
const CSS_GROWTH_DIVISOR: u64 = 4;

/// Rounds of conservative slow start until it is over (RFC 9406 §4.3).
const CSS_ROUNDS: u32 = 5;

/// How the window grows in slow start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Growth {
    /// By so many bytes.
    By(u64),
    /// Not any more: slow start is over, and the window is the threshold.
    Over,
}

/// The first slow start of a path, made when it is first limited by the window; later ones know
/// their threshold, and do without (RFC 9406 §4.3).
#[derive(Clone, Debug)]
pub(super) struct HyStart {
    /// A round ends when a packet sent after this is acknowledged: windowEnd (RFC 9406 §4.2), as a
    /// time.
    round_started: Instant,
    last_minimum: Option<Duration>,
    minimum: Option<Duration>,
    samples: u32,
    conservative: Option<Conservative>,
}

/// Conservative slow start: did the round-trip time rise for good?
#[derive(Clone, Copy, Debug)]
struct Conservative {
    baseline: Duration,
    rounds: u32,
}

impl HyStart {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            round_started: now,
            last_minimum: None,
            minimum: None,
            samples: 0,
            conservative: None,
        }
    }

    /// How the window grows, now that these packets are acknowledged (RFC 9406 §4.2). The limit of
    /// growth for each ACK frame, L, is infinite, as for whoever paces (§4.3).
    pub(super) fn on_acked(&mut self, now: Instant, acked: &Acked) -> Growth {
        if acked.newest_sent > self.round_started && self.end_round(now) {
            return Growth::Over;
        }
        if let Some(sample) = acked.round_trip {
            self.minimum = Some(self.minimum.map_or(sample, |minimum| minimum.min(sample)));
            self.samples = self.samples.saturating_add(1);
        }
        self.judge();
        // By bytes, not by ACK frames, so that whoever splits those gains nothing (RFC 9406 §6).
        match self.conservative {
            None => Growth::By(acked.bytes),
            Some(_) => Growth::By(acked.bytes / CSS_GROWTH_DIVISOR),
        }
    }

    /// Returns whether it was the last round. That in the middle of which conservative slow start
    /// began counts as one (RFC 9406 §4.2).
    fn end_round(&mut self, now: Instant) -> bool {
        self.round_started = now;
        self.last_minimum = self.minimum.take();
        self.samples = 0;
        let Some(conservative) = &mut self.conservative else { return false };
        conservative.rounds = conservative.rounds.saturating_add(1);
        conservative.rounds >= CSS_ROUNDS
    }

    /// Enters conservative slow start when the round-trip time has risen, and leaves it again when
    /// it has fallen below what it had risen to (RFC 9406 §4.2).
    fn judge(&mut self) {
        let Some(minimum) = self.minimum.filter(|_| self.samples >= N_RTT_SAMPLE) else { return };
        match (self.conservative, self.last_minimum) {
            (Some(conservative), _) if minimum < conservative.baseline => self.conservative = None,
            (None, Some(last)) if minimum >= last.saturating_add(threshold(last)) => {
                self.conservative = Some(Conservative { baseline: minimum, rounds: 0 });
            }
            _ => {}
        }
    }
}

/// RttThresh (RFC 9406 §4.2): by how much the round-trip time has to rise.
fn threshold(last_minimum: Duration) -> Duration {
    (last_minimum / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESH, MAX_RTT_THRESH)
}
