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
const PROBES_PAST_FULL: u64 = 32;

/// Fewest bytes that a frame takes in a packet, empty DATAGRAM frames aside.
const SHORTEST_FRAME: u64 = 3;

/// Frames of such a probe: ACK and PING. Nothing else is said that would have to be remembered.
const FRAMES_PER_PROBE: u64 = 2;

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
    // The packet that took the last room can have any number of frames.
    let longest = u64::from(config.initial_mtu.max(config.max_mtu));
    let last = (longest / SHORTEST_FRAME).saturating_add(config.datagram_send_count as u64);
    let probes = PROBES_PAST_FULL * FRAMES_PER_PROBE;
    let most = most.saturating_mul(FRAMES_PER_PACKET as u64);
    let frames = most.saturating_add(last).saturating_add(probes);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{AckContext, LossThresholds, NewPacket};
    use super::*;
    use crate::instant::Instant;
    use crate::wire::frame::{Ack, Frame, Frames, write_ack};
    use crate::wire::{RangeSet, Writer};

    const MOST: usize = 100;

    fn send(sent: &mut SentPackets, in_flight: bool, frame_count: u16) -> u64 {
        let frames = (0..frame_count).map(|_| SentFrame::Ping);
        sent.frames_mut().extend(frames);
        sent.push(NewPacket {
            time_sent: Instant::EPOCH,
            size: 1200,
            ack_eliciting: in_flight,
            in_flight,
            mtu_probe: false,
            ect: false,
            path: 0,
            frame_count,
        })
    }

    /// Sends packets of so many frames as long as there is room; returns how many.
    fn fill(sent: &mut SentPackets, frame_count: u16) -> usize {
        (0..1000)
            .take_while(|_| sent.make_room(MOST) && send(sent, true, frame_count) < 1000)
            .count()
    }

    fn acknowledge(sent: &mut SentPackets, number: u64) {
        let mut numbers = RangeSet::default();
        numbers.insert(number..number + 1);
        let mut memory = [0; 64];
        let mut writer = Writer::new(&mut memory);
        write_ack(&mut writer, &numbers, 0, None).unwrap();
        let Some(Ok(Frame::Ack(ack))) = Frames::new(writer.written()).next() else { panic!() };
        let ack: &Ack<'_> = &ack;
        let context = AckContext { path: 0, congestion_event: None };
        sent.on_ack(Instant::EPOCH, ack, context, |_, _| {}).unwrap();
        let thresholds = LossThresholds {
            packet_threshold: 3,
            time_threshold: Duration::from_secs(1),
            first_rtt_sample: None,
            path: 0,
        };
        sent.detect_lost(Instant::EPOCH, &thresholds, |_, _| {});
    }

    #[test]
    fn no_more_packets_and_frames_are_remembered_than_there_is_room_for() {
        let mut sent = SentPackets::new();
        assert_eq!(fill(&mut sent, 1), MOST);
        assert!(sent.is_full(MOST));
        let mut sent = SentPackets::new();
        assert_eq!(fill(&mut sent, 10), MOST * FRAMES_PER_PACKET / 10);
    }

    #[test]
    fn packets_that_were_lost_make_room_before_it_is_certain_that_they_never_turn_up() {
        let mut sent = SentPackets::new();
        fill(&mut sent, 1);
        assert!(!sent.make_room(MOST), "the oldest is in flight");
        acknowledge(&mut sent, 50);
        assert_eq!(sent.len(), MOST, "the lost ones may still turn up");
        assert!(sent.make_room(MOST));
        assert!(send(&mut sent, true, 1) == 100 && sent.make_room(MOST));
        acknowledge(&mut sent, 100);
        assert_eq!(sent.in_flight_on(0), 2 * 1200, "the two before the last one");
    }

    #[test]
    fn packets_that_only_acknowledge_make_room() {
        let mut sent = SentPackets::new();
        (0..MOST).for_each(|_| _ = send(&mut sent, false, 1));
        assert!(sent.make_room(MOST) && sent.len() < MOST);
    }

    #[test]
    fn the_send_window_says_how_many_are_remembered_within_bounds() {
        let most = |send_window| {
            let config = TransportConfig { send_window, ..TransportConfig::default() };
            most_remembered(&config, SpaceId::Application) as u64
        };
        assert_eq!(most(1), FEWEST_REMEMBERED);
        assert!((50_000..60_000).contains(&most(16 << 20)), "{}", most(16 << 20));
        assert_eq!(most(u64::MAX), MOST_REMEMBERED);
    }
}
