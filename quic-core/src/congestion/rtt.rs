//! The round-trip time, as estimated (RFC 9002 §5).

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::instant::{Instant, Span};

/// The estimate of a path's round-trip time (RFC 9002 §5.3).
#[derive(Clone, Copy, Debug)]
pub struct Rtt {
    latest: Span,
    smoothed: Span,
    variation: Span,
    minimum: Span,
    first_sample: Option<Instant>,
}

impl Rtt {
    /// Before any sample (RFC 9002 §6.2.2): `initial` is 333 ms by default.
    pub fn new(initial: Duration) -> Self {
        Self {
            latest: initial.into(),
            smoothed: initial.into(),
            variation: (initial / 2).into(),
            minimum: initial.into(),
            first_sample: None,
        }
    }

    /// The last sample.
    pub fn latest(&self) -> Duration {
        self.latest.into()
    }

    /// The smoothed round-trip time.
    pub fn smoothed(&self) -> Duration {
        self.smoothed.into()
    }

    /// The mean deviation of the samples.
    pub fn variation(&self) -> Duration {
        self.variation.into()
    }

    /// The smallest sample.
    pub fn minimum(&self) -> Duration {
        self.minimum.into()
    }

    /// When the first sample was taken, if any was.
    pub fn first_sample(&self) -> Option<Instant> {
        self.first_sample
    }

    /// smoothed_rtt + max(4 * rttvar, kGranularity), without the peer's max_ack_delay
    /// (RFC 9002 §6.2.1).
    pub fn pto_base(&self) -> Duration {
        let variation = self.variation().saturating_mul(4).max(Duration::from_millis(1));
        self.smoothed().saturating_add(variation)
    }

    /// The path may be another one now, with a longer way.
    pub(crate) fn on_persistent_congestion(&mut self) {
        //= https://www.rfc-editor.org/rfc/rfc9002#section-5.2
        //# Endpoints SHOULD set the min_rtt to the newest RTT sample after
        //# persistent congestion is established.
        self.minimum = self.latest;
    }

    /// Takes a sample; `ack_delay` is what the peer says it waited, already limited to its
    /// max_ack_delay where that applies (RFC 9002 §5.3).
    pub(crate) fn update(&mut self, now: Instant, sample: Duration, ack_delay: Duration) {
        self.latest = sample.into();
        if self.first_sample.is_none() {
            self.first_sample = Some(now);
            //= https://www.rfc-editor.org/rfc/rfc9002#section-5.2
            //# min_rtt MUST be set to the latest_rtt on the first RTT sample.
            self.minimum = sample.into();
            self.smoothed = sample.into();
            self.variation = (sample / 2).into();
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc9002#section-5.2
        //# min_rtt MUST be set to the lesser of min_rtt and latest_rtt (Section
        //# 5.1) on all other samples.
        //= https://www.rfc-editor.org/rfc/rfc9002#section-5.2
        //# Implementations SHOULD NOT refresh the min_rtt value too often since
        //# the actual minimum RTT of the path is not frequently observable.
        let minimum = self.minimum().min(sample);
        self.minimum = minimum.into();
        //= https://www.rfc-editor.org/rfc/rfc9002#section-5.3
        //# MUST NOT subtract the acknowledgment delay from the RTT sample if the
        //# resulting value is smaller than the min_rtt.
        let adjusted = match sample.checked_sub(ack_delay) {
            Some(adjusted) if adjusted >= minimum => adjusted,
            _ => sample,
        };
        let (smoothed, variation) = (self.smoothed(), self.variation());
        let deviation = smoothed.abs_diff(adjusted);
        self.variation = (variation.saturating_mul(3).saturating_add(deviation) / 4).into();
        self.smoothed = (smoothed.saturating_mul(7).saturating_add(adjusted) / 8).into();
    }
}
