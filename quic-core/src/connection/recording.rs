//! What the recorder is told.

use super::Connection;
use crate::error::DiscardReason;
use crate::instant::Instant;
use crate::recorder::Record;
use crate::recovery::NewPacket;
use crate::wire::{PacketType, SpaceId};

impl Connection {
    /// Tells the recorder, if there is one.
    #[inline]
    pub(super) fn record(&self, now: Instant, record: Record) {
        if let Some(recorder) = &self.endpoint.recorder {
            recorder.record(now, &self.ids_seen.original_destination, record);
        }
    }

    /// A packet or datagram is dropped unread.
    pub(super) fn discard(&mut self, now: Instant, reason: DiscardReason) {
        self.counters.packets_discarded += 1;
        self.record(now, Record::PacketDiscarded { reason });
    }

    /// A packet is sent whose frames are the newest of the space's ring.
    pub(super) fn record_sent(&mut self, space: SpaceId, packet: &NewPacket) {
        let now = packet.time_sent;
        let sent = &mut self.space_mut(space).sent;
        let number = sent.next_number();
        let ring = sent.frames_mut();
        let first = ring.len().saturating_sub(packet.frame_count.into());
        let types: Vec<u64> = ring.range(first..).map(|frame| frame.frame_type().0).collect();
        for frame_type in types {
            self.record(now, Record::FrameSent { frame_type });
        }
        let length = packet.size.into();
        let packet_type = match space {
            SpaceId::Initial => PacketType::Initial,
            SpaceId::Handshake => PacketType::Handshake,
            SpaceId::Application if self.sends_early() => PacketType::ZeroRtt,
            SpaceId::Application => PacketType::OneRtt,
        };
        self.record(now, Record::PacketSent { packet_type, number, length });
    }
}
