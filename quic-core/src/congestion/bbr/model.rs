//! The model of the path: bandwidth, aggregation of acknowledgments, and what loss teaches while
//! not probing (§5.5).

use super::control::percent;
use super::{Bbr, INFINITE};
use crate::congestion::RateSample;
use crate::instant::{Instant, saturating_nanos};

/// Beta, in percent: what is left of a bound of the short-term model after a round with loss, at
/// the least (§5.5.10.3).
pub(super) const BETA: u64 = 70;

/// ExtraAckedFilterLen, in rounds; in Startup, it is one (§5.5.9).
const EXTRA_ACKED_ROUNDS: u64 = 10;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

impl Bbr {
    /// UpdateLatestDeliverySignals (§5.5.10.3).
    pub(super) fn update_latest_delivery_signals(&mut self, sample: &RateSample) {
        self.bw_latest = self.bw_latest.max(sample.delivery_rate.unwrap_or(0));
        self.inflight_latest = self.inflight_latest.max(sample.delivered);
        self.loss_round_start = sample.prior_delivered >= self.loss_round_delivered;
        if self.loss_round_start {
            self.loss_round_delivered = sample.total_delivered;
        }
    }

    /// AdvanceLatestDeliverySignals (§5.5.10.3).
    pub(super) fn advance_latest_delivery_signals(&mut self, sample: &RateSample) {
        if self.loss_round_start {
            self.bw_latest = sample.delivery_rate.unwrap_or(0);
            self.inflight_latest = sample.delivered;
        }
    }

    /// ResetCongestionSignals (§5.5.10.3).
    pub(super) fn reset_congestion_signals(&mut self) {
        self.is_loss_in_round = false;
        self.bw_latest = 0;
        self.inflight_latest = 0;
    }

    /// UpdateCongestionSignals (§5.5.10.3).
    pub(super) fn update_congestion_signals(&mut self, sample: &RateSample) {
        self.update_round(sample);
        self.update_max_bw(sample);
        if self.loss_round_start {
            self.adapt_lower_bounds();
            self.is_loss_in_round = false;
        }
    }

    /// UpdateMaxBw (§5.5.5): what the application limited only counts if it is more.
    fn update_max_bw(&mut self, sample: &RateSample) {
        if let Some(rate) = sample.delivery_rate
            && (rate >= self.max_bw.get() || !sample.app_limited)
        {
            self.max_bw.update(rate);
        }
    }

    /// AdaptLowerBoundsFromCongestion (§5.5.10.3): slows down once per round with loss, towards what
    /// was delivered in it.
    pub(super) fn adapt_lower_bounds(&mut self) {
        if self.state.is_accelerating() || !self.is_loss_in_round {
            return;
        }
        if self.bw_shortterm == INFINITE {
            self.bw_shortterm = self.max_bw.get();
        }
        if self.inflight_shortterm == INFINITE {
            self.inflight_shortterm = self.cwnd;
        }
        self.bw_shortterm = self.bw_latest.max(percent(self.bw_shortterm, BETA));
        self.inflight_shortterm = self.inflight_latest.max(percent(self.inflight_shortterm, BETA));
    }

    /// ResetShortTermModel (§5.5.10.3).
    pub(super) fn reset_short_term_model(&mut self) {
        self.bw_shortterm = INFINITE;
        self.inflight_shortterm = INFINITE;
    }

    /// UpdateACKAggregation (§5.5.9).
    pub(super) fn update_ack_aggregation(&mut self, now: Instant, newly_acked: u64) {
        let start = *self.extra_acked_start.get_or_insert(now);
        let nanos = u128::from(saturating_nanos(now - start));
        let expected = u128::from(self.bw).saturating_mul(nanos) / NANOS_PER_SECOND;
        let mut expected = u64::try_from(expected).unwrap_or(u64::MAX);
        if self.extra_acked_delivered <= expected {
            self.extra_acked_delivered = 0;
            self.extra_acked_start = Some(now);
            expected = 0;
        }
        self.extra_acked_delivered = self.extra_acked_delivered.saturating_add(newly_acked);
        let extra = self.extra_acked_delivered.saturating_sub(expected).min(self.cwnd);
        let rounds = if self.full_pipe.was_reached { EXTRA_ACKED_ROUNDS } else { 1 };
        self.extra_acked.update(extra, self.rounds.count, rounds);
    }
}
