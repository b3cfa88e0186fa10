//! CUBIC (RFC 9438).
use super::{Acked, Congestion, CongestionController, Rtt};
use crate::instant::Instant;
/// CUBIC (RFC 9438).
#[derive(Clone, Debug)]
pub struct Cubic {
    window: u64,
}
impl Cubic {
    /// For a new path with this maximum datagram size, in bytes.
    pub fn new(mtu: u16) -> Self {
        Self { window: 10 * u64::from(mtu) }
    }
}
impl CongestionController for Cubic {
    fn on_sent(&mut self, _now: Instant, _bytes: u64, _in_flight: u64) {}
    fn on_acked(&mut self, _now: Instant, _acked: &Acked, _rtt: &Rtt) {}
    fn on_congestion(&mut self, _now: Instant, _event: &Congestion) {}
    fn on_spurious_congestion(&mut self, _now: Instant) {}
    fn on_persistent_congestion(&mut self, _now: Instant) {}
    fn on_mtu_changed(&mut self, _mtu: u16) {}
    fn window(&self) -> u64 {
        self.window
    }
    fn slow_start_threshold(&self) -> Option<u64> {
        None
    }
}
