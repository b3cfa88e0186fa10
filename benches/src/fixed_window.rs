//! A congestion window that stays as it is, so that losses do not decide what can be measured.

use std::sync::Arc;

use quic_core::congestion::{Acked, Congestion, CongestionController, Rtt, Sent};
use quic_core::{CongestionAlgorithm, Instant};

/// More than any scenario has in flight.
const WINDOW: u64 = 64 << 20;

#[derive(Debug)]
struct FixedWindow;

/// The algorithm to configure.
pub(crate) fn fixed_window() -> CongestionAlgorithm {
    CongestionAlgorithm::Custom(Arc::new(|_| Box::new(FixedWindow)))
}

impl CongestionController for FixedWindow {
    fn on_sent(&mut self, _: Instant, _: &Sent) {}

    fn on_acked(&mut self, _: Instant, _: &Acked, _: &Rtt) {}

    fn on_congestion(&mut self, _: Instant, _: &Congestion) {}

    fn on_spurious_congestion(&mut self, _: Instant) {}

    fn on_persistent_congestion(&mut self, _: Instant) {}

    fn on_mtu_changed(&mut self, _: u16) {}

    fn window(&self) -> u64 {
        WINDOW
    }

    fn slow_start_threshold(&self) -> Option<u64> {
        None
    }
}
