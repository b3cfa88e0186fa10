//! One packet number space at the evil end.

use std::collections::BTreeMap;

use quic_core::wire::RangeSet;

/// What was sent and received in a packet number space.
#[derive(Debug, Default)]
pub(super) struct Space {
    pub(super) next_number: u64,
    pub(super) received: RangeSet,
    pub(super) largest: Option<u64>,
    pub(super) ack_due: bool,
    /// Our packets that the target acknowledged.
    pub(super) acked: RangeSet,
    /// Handshake bytes that came too early, by offset.
    early: BTreeMap<u64, Vec<u8>>,
    /// Handshake bytes that were read.
    read: u64,
    /// All handshake bytes to send, and how many were sent.
    pub(super) crypto: Vec<u8>,
    pub(super) crypto_sent: usize,
}

impl Space {
    /// Takes note of a packet; whether it is new.
    pub(super) fn on_packet(&mut self, number: u64, ack_eliciting: bool) -> bool {
        let new = self.received.insert(number..number + 1) > 0;
        self.largest = self.largest.max(Some(number));
        self.ack_due |= ack_eliciting;
        new
    }

    /// Takes handshake bytes; returns those that are next in order.
    pub(super) fn on_crypto(&mut self, offset: u64, data: &[u8]) -> Vec<u8> {
        self.early.insert(offset, data.to_vec());
        let mut ready = Vec::new();
        while let Some(entry) = self.early.first_entry() {
            let offset = *entry.key();
            if offset > self.read {
                break;
            }
            let data = entry.remove();
            let known = usize::try_from(self.read - offset).unwrap_or(usize::MAX);
            let new = data.get(known..).unwrap_or_default();
            ready.extend_from_slice(new);
            self.read += new.len() as u64;
        }
        ready
    }
}
