//! Spreads what is sent over the round-trip time (RFC 9002 §7.7).
use super::{CongestionController, Rtt};
use crate::instant::Instant;
/// A token bucket in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {}
impl Pacer {
    pub(crate) fn new(mtu: u16) -> Self {
        Self {}
    }
    pub(crate) fn on_mtu_changed(&mut self, mtu: u16) {}
    /// Bytes per second that the controller, or its window and the round-trip time, ask for.
    pub(crate) fn rate(controller: &dyn CongestionController, rtt: &Rtt) -> u64 {
        u64::MAX
    }
    /// Bytes that may be sent now; 0 if it must wait until `next_send_time`.
    pub(crate) fn budget(&mut self, now: Instant, rate: u64) -> u64 {
        u64::MAX
    }
    pub(crate) fn next_send_time(&self, rate: u64) -> Instant {
        Instant::EPOCH
    }
    pub(crate) fn on_sent(&mut self, bytes: u64) {}
}
