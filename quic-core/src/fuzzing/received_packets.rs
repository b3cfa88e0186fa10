//! What was received and what is said of it (RFC 9000 §12.3, §13.2).

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::input::Input;
use crate::instant::Instant;
use crate::net::EcnCodepoint;
use crate::packet::PacketWriter;
use crate::recovery::ReceivedPackets;
use crate::wire::SpaceId;
use crate::wire::frame::{Ack, AckFrequency, Frame, Frames};

/// Ranges by which duplicates are recognised, and ranges in an ACK.
const MAXIMUM_RANGES: usize = 64;
const MAXIMUM_REPORTED: usize = 32;
/// Longest delay of acknowledgments that was announced, or asked for.
const MAX_ACK_DELAY: Duration = Duration::from_millis(25);
const DELAY_EXPONENT: u8 = 3;

struct Run {
    packets: ReceivedPackets,
    /// All numbers that were taken.
    taken: BTreeSet<u64>,
    /// Below this, nobody knows any more.
    floor: u64,
    counts: [u64; 3],
    now: Instant,
    largest_at: Instant,
    /// ACK frames in flight.
    acks: Vec<u64>,
    /// When the oldest ack-eliciting packet came that no ACK was sent for.
    owed_since: Option<Instant>,
    max_ack_delay: Duration,
}

/// Receives packets, writes ACK frames, and hears that they arrived.
///
/// # Panics
/// If a packet is taken twice, or for a duplicate without need; if an ACK names what did not come,
/// has too many ranges, or leaves out the largest; if an ACK is owed and no timer runs for it.
pub fn received_packets(input: &[u8]) {
    let mut input = Input::new(input);
    let space = if input.byte() & 1 == 0 { SpaceId::Application } else { SpaceId::Handshake };
    let mut run = Run {
        packets: ReceivedPackets::new(space, MAX_ACK_DELAY),
        taken: BTreeSet::new(),
        floor: 0,
        counts: [0; 3],
        now: Instant::from_nanos(1 << 40),
        largest_at: Instant::EPOCH,
        acks: Vec::new(),
        owed_since: None,
        max_ack_delay: MAX_ACK_DELAY,
    };
    while !input.is_empty() {
        match input.byte() % 16 {
            0..7 => run.receive_next(&mut input),
            7..10 => run.receive_any(&mut input),
            10..13 => run.write(),
            13 => {
                run.now += Duration::from_micros(u64::from(input.u16()));
                run.handle_timeout();
            }
            14 => run.hear_of_ack(&mut input),
            _ => run.change_schedule(&mut input, space),
        }
        run.check();
    }
}

impl Run {
    fn receive_next(&mut self, input: &mut Input<'_>) {
        let kind = input.byte();
        let next = self.taken.last().map_or(0, |last| last.saturating_add(1));
        self.receive(next.saturating_add(u64::from(kind >> 6)), kind);
    }

    fn receive_any(&mut self, input: &mut Input<'_>) {
        let kind = input.byte();
        let number = if kind & 0x80 == 0 {
            self.taken.last().unwrap_or(&0).saturating_sub(u64::from(input.u16() % 512))
        } else {
            input.number() >> 2
        };
        self.receive(number, kind);
    }

    fn receive(&mut self, number: u64, kind: u8) {
        // Packet numbers are below 2^62.
        let number = number.min((1 << 62) - 1);
        let known = number < self.floor || self.taken.contains(&number);
        let duplicate = self.packets.is_duplicate(number);
        assert_eq!(duplicate, known, "whether packet {number} came before");
        if duplicate {
            return;
        }
        let ecn =
            [None, Some(EcnCodepoint::Ect0), Some(EcnCodepoint::Ect1), Some(EcnCodepoint::Ce)];
        let ecn = ecn.get(usize::from(kind >> 2 & 3)).copied().flatten();
        let index = usize::from(kind >> 2 & 3).checked_sub(1);
        if let Some(count) = index.and_then(|index| self.counts.get_mut(index)) {
            *count += 1;
        }
        if self.taken.last().is_none_or(|last| number > *last) {
            self.largest_at = self.now;
        }
        self.taken.insert(number);
        self.floor = floor_of(&self.taken, self.floor);
        let ack_eliciting = kind & 3 != 0;
        self.packets.on_packet(self.now, number, ack_eliciting, ecn);
        if ack_eliciting {
            self.owed_since.get_or_insert(self.now);
        }
    }

    fn write(&mut self) {
        let mut memory = [0; 700];
        let mut frames = VecDeque::new();
        let mut packet = PacketWriter::new(&mut memory, &mut frames);
        let written = self.packets.write(self.now, &mut packet, DELAY_EXPONENT);
        assert!(written.is_ok(), "any ACK fits into a packet");
        let length = packet.length();
        self.owed_since = None;
        let Some(Ok(Frame::Ack(ack))) =
            Frames::new(memory.get(..length).unwrap_or_default()).next()
        else {
            return;
        };
        self.check_ack(&ack);
        self.acks.push(ack.largest);
    }

    fn check_ack(&self, ack: &Ack<'_>) {
        assert_eq!(Some(&ack.largest), self.taken.last(), "the largest is always reported");
        assert!(ack.ranges().count() <= MAXIMUM_REPORTED, "an ACK has a bounded length");
        for range in ack.ranges() {
            let length = range.end() - range.start() + 1;
            let taken = self.taken.range(range.clone()).count() as u64;
            assert_eq!(taken, length, "{range:?} was received");
        }
        let delay = ack.encoded_delay << DELAY_EXPONENT;
        let held = u64::try_from((self.now - self.largest_at).as_micros()).unwrap_or(u64::MAX);
        assert!(delay <= held && held - delay < 1 << DELAY_EXPONENT, "the delay that there was");
        let [ect0, ect1, ce] = self.counts;
        let counts = ack.ecn.map(|ecn| [ecn.ect0, ecn.ect1, ecn.ce]);
        let expected = (self.counts != [0; 3]).then_some([ect0, ect1, ce]);
        assert_eq!(counts, expected, "marks are counted");
    }

    fn hear_of_ack(&mut self, input: &mut Input<'_>) {
        if !self.acks.is_empty() {
            let at = input.below(self.acks.len());
            self.packets.on_ack_acked(self.acks.swap_remove(at));
        }
    }

    fn change_schedule(&mut self, input: &mut Input<'_>, space: SpaceId) {
        if space != SpaceId::Application {
            return;
        }
        if input.byte().is_multiple_of(8) {
            self.packets.acknowledge_now();
            return;
        }
        let frame = AckFrequency {
            sequence: u64::from(input.byte()),
            threshold: input.number() >> 2,
            max_ack_delay: input.number() >> 2,
            reordering_threshold: input.number() >> 2,
        };
        let valid = (1_000..16_384_000).contains(&frame.max_ack_delay);
        let handled = self.packets.handle_ack_frequency(&frame);
        assert_eq!(handled.is_ok(), valid, "{frame:?} asks for a delay that there is");
        if valid {
            let asked = Duration::from_micros(frame.max_ack_delay);
            self.max_ack_delay = self.max_ack_delay.max(asked);
        }
    }

    fn handle_timeout(&mut self) {
        self.packets.handle_timeout(self.now);
        let deadline = self.packets.deadline();
        assert!(deadline.is_none_or(|at| at > self.now), "no timer is late after it was handled");
    }

    fn check(&self) {
        let Some(since) = self.owed_since else { return };
        assert!(self.packets.has_unacked(), "an ACK is owed");
        let latest = since + self.max_ack_delay;
        let deadline = self.packets.deadline();
        let soon = self.packets.should_ack_now() || deadline.is_some_and(|at| at <= latest);
        assert!(soon, "an ACK is owed since {since:?}, and comes at {deadline:?}");
    }
}

/// Where the numbers begin that are told apart: all but the lowest range, if there are too many.
fn floor_of(numbers: &BTreeSet<u64>, floor: u64) -> u64 {
    let mut ranges = 0;
    let mut next = floor;
    let mut end_of_lowest = floor;
    for number in numbers.range(floor..) {
        ranges += usize::from(*number != next || ranges == 0);
        next = number.saturating_add(1);
        if ranges == 1 {
            end_of_lowest = next;
        }
    }
    if ranges > MAXIMUM_RANGES { end_of_lowest } else { floor }
}
