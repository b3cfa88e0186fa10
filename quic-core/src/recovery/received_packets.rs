//! Which packets arrived, and when to say so (RFC 9000 §13.1, §13.2).

use std::time::Duration;

use crate::instant::Instant;
use crate::net::EcnCodepoint;
use crate::packet::PacketWriter;
use crate::wire::frame::EcnCounts;
use crate::wire::{Full, SpaceId};

#[derive(Debug)]
pub(crate) struct ReceivedPackets {}
impl ReceivedPackets {
    /// `max_ack_delay` is what this endpoint announced; used in the application space only.
    pub(crate) fn new(space: SpaceId, max_ack_delay: Duration) -> Self {
        Self {}
    }
    pub(crate) fn is_duplicate(&self, number: u64) -> bool {
        false
    }
    pub(crate) fn on_packet(
        &mut self,
        now: Instant,
        number: u64,
        ack_eliciting: bool,
        ecn: Option<EcnCodepoint>,
    ) {
    }
    pub(crate) fn on_ack_acked(&mut self, largest: u64) {}
    pub(crate) fn largest(&self) -> Option<u64> {
        None
    }
    pub(crate) fn largest_received_at(&self) -> Option<Instant> {
        None
    }
    pub(crate) fn ecn_counts(&self) -> EcnCounts {
        EcnCounts::default()
    }
    pub(crate) fn should_ack_now(&self) -> bool {
        false
    }
    pub(crate) fn has_unacked(&self) -> bool {
        false
    }
    pub(crate) fn deadline(&self) -> Option<Instant> {
        None
    }
    pub(crate) fn handle_timeout(&mut self, now: Instant) {}
    pub(crate) fn write(
        &mut self,
        now: Instant,
        packet: &mut PacketWriter<'_>,
        ack_delay_exponent: u8,
    ) -> Result<(), Full> {
        Ok(())
    }
}
