//! How many packets are remembered, whatever the peer acknowledges.

use super::SentPackets;
use super::outcome::{SentPacket, State};
use super::rare::Rare;
use crate::config::TransportConfig;
use crate::memory;
use crate::net::MINIMUM_MTU;
use crate::packet::SentFrame;
use crate::wire::SpaceId;

/// Packets remembered at the most in a handshake, and with the smallest send window.
const FEWEST_REMEMBERED: u64 = 1024;

/// Packets remembered at the most, however large the send window is.
const MOST_REMEMBERED: u64 = 1 << 20;

/// Full packets that are remembered for each that the send window is worth: some are lost and may
/// still turn up, some wait behind others, and many are not full.
const WINDOWS_REMEMBERED: u64 = 4;

/// Frames remembered for each packet that may be, on average.
const FRAMES_PER_PACKET: usize = 2;

/// Packets that are sent although there is no room: probes, for which the timer doubles each time.
const PROBES_PAST_FULL: u64 = 64;

/// Fewest bytes that a frame takes in a packet: an empty DATAGRAM.
const SHORTEST_FRAME: u64 = 2;

/// How many packets of a space are remembered at the most, before only probes are sent.
pub(crate) fn most_remembered(config: &TransportConfig, space: SpaceId) -> usize {
    let full_packets = match space {
        SpaceId::Initial | SpaceId::Handshake => 0,
        SpaceId::Application => {
            let datagrams = config.datagram_send_bytes as u64;
            config.send_window.saturating_add(datagrams) / u64::from(MINIMUM_MTU)
        }
    };
    let packets = full_packets.saturating_mul(WINDOWS_REMEMBERED);
    usize::try_from(packets.clamp(FEWEST_REMEMBERED, MOST_REMEMBERED)).unwrap_or(usize::MAX)
}

/// Packets and frames of a space that are remembered at the most, probes included.
pub(crate) fn worst_case_records(config: &TransportConfig, space: SpaceId) -> (u64, u64) {
    let most = most_remembered(config, space) as u64;
    let packets = most.saturating_add(PROBES_PAST_FULL);
    let longest = u64::from(config.initial_mtu.max(config.max_mtu));
    // The packet that took the last room can have any number of frames, and so can probes.
    let last = (PROBES_PAST_FULL + 1).saturating_mul(longest / SHORTEST_FRAME);
    let frames = most.saturating_mul(FRAMES_PER_PACKET as u64).saturating_add(last);
    (packets, frames)
}

impl SentPackets {
    /// Heap in use at the most, in bytes.
    pub(crate) fn worst_case_bytes(config: &TransportConfig, space: SpaceId) -> u64 {
        let (packets, frames) = worst_case_records(config, space);
        memory::sum([
            memory::list::<SentPacket>(packets),
            memory::list::<SentFrame>(frames),
            memory::boxes::<Rare>(1),
        ])
    }

    /// Whether there is no room for another packet without [`make_room`](Self::make_room), where at
    /// most `most` are remembered.
    pub(crate) fn is_full(&self, most: usize) -> bool {
        self.packets.len() >= most || self.frames.len() >= most.saturating_mul(FRAMES_PER_PACKET)
    }

    /// Whether there is room for another packet where at most `most` are remembered; those whose
    /// fate is known make room, and those of which nobody need hear.
    ///
    /// If there is none, the oldest packet is in flight, so that a timer or the peer settles it.
    pub(crate) fn make_room(&mut self, most: usize) -> bool {
        while self.is_full(most) {
            let Some(oldest) = self.packets.front() else { return true };
            match oldest.state {
                State::Outstanding if oldest.in_flight => return false,
                State::Outstanding => self.not_in_flight = self.not_in_flight.saturating_sub(1),
                State::Acked { .. } | State::Lost { .. } => {}
            }
            self.pop_front();
        }
        true
    }
}
