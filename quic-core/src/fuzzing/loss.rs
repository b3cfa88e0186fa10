//! Loss detection, against a list of all that was sent (RFC 9002 §6.1, Appendix A).
#![expect(clippy::excessive_nesting, clippy::wildcard_enum_match_arm, reason = "test code")]

use std::time::Duration;

use super::input::Input;
use crate::congestion::Rtt;
use crate::instant::Instant;
use crate::packet::SentFrame;
use crate::recovery::{LossThresholds, NewPacket, Recovery, SentPacket, SentPackets};
use crate::wire::frame::{Ack, Frame, Frames, write_ack};
use crate::wire::{RangeSet, StreamId, Writer};

/// Skipped numbers that an ACK may not name; older ones are forgotten.
const REMEMBERED_SKIPS: usize = 4;
/// The peer's max_ack_delay.
const MAX_ACK_DELAY: Duration = Duration::from_millis(25);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Outstanding,
    Acked,
    Lost,
    /// Its number was left out.
    Skipped,
    /// Nothing more is heard of it.
    GivenUp,
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    new: NewPacket,
    fate: Fate,
}

impl Packet {
    fn is_in_flight(&self) -> bool {
        self.fate == Fate::Outstanding && self.new.in_flight
    }

    fn bytes_on(&self, path: u32) -> u64 {
        if self.new.in_flight && self.new.path == path { self.new.size.into() } else { 0 }
    }
}

/// What was sent, the packet with number 0 first, and what should have become of it.
struct Model {
    packets: Vec<Packet>,
    largest_acked: Option<u64>,
}

impl Model {
    fn get(&self, number: u64) -> Option<&Packet> {
        self.packets.get(usize::try_from(number).unwrap_or(usize::MAX))
    }

    fn set(&mut self, number: u64, fate: Fate) {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(packet) = self.packets.get_mut(at) {
            packet.fate = fate;
        }
    }

    fn numbered(&self) -> impl Iterator<Item = (u64, &Packet)> {
        (0..).zip(&self.packets)
    }

    fn next_number(&self) -> u64 {
        self.packets.len() as u64
    }

    fn skipped(&self) -> Vec<u64> {
        let skipped = self.numbered().filter(|(_, packet)| packet.fate == Fate::Skipped);
        skipped.map(|(number, _)| number).collect()
    }

    /// Whether the packet has to be declared lost now.
    fn is_lost(&self, number: u64, packet: &Packet, now: Instant, by: &LossThresholds) -> bool {
        let Some(largest) = self.largest_acked.filter(|largest| number < *largest) else {
            return false;
        };
        let overtaken = number.saturating_add(by.packet_threshold) <= largest;
        overtaken || packet.new.time_sent + by.time_threshold <= now
    }
}

/// Sends, acknowledges, waits.
///
/// # Panics
/// If a packet has two fates, or none when it should; if the bytes in flight are not the sum of
/// what is; if an ACK is taken that it should not, or counted wrongly.
pub fn loss_detection(input: &[u8]) {
    let mut input = Input::new(input);
    let mut run = Run {
        sent: SentPackets::new(),
        recovery: Recovery::new(3),
        rtt: Rtt::new(Duration::from_millis(333)),
        model: Model { packets: Vec::new(), largest_acked: None },
        now: Instant::from_nanos(1_000_000_000),
        path: 0,
    };
    while !input.is_empty() {
        match input.byte() % 16 {
            0..6 => run.send(&mut input),
            6..10 => {
                if run.acknowledge(&mut input).is_none() {
                    return;
                }
            }
            10 => run.now += input.duration(),
            11 => {
                run.now = run.sent.loss_time().unwrap_or(run.now).max(run.now);
                run.detect_lost();
            }
            12 => {
                run.sent.skip_number();
                run.push(new_packet(run.now, 0, 0, 0), Fate::Skipped);
            }
            13 => run.requeue(&mut input),
            14 => run.withdraw_mtu_probe(),
            _ => run.rarely(&mut input),
        }
        run.check();
    }
}

fn new_packet(now: Instant, kind: u8, size: u16, path: u32) -> NewPacket {
    let ack_eliciting = kind & 3 != 0;
    NewPacket {
        time_sent: now,
        size,
        ack_eliciting,
        in_flight: ack_eliciting || kind & 4 != 0,
        mtu_probe: ack_eliciting && kind & 0x70 == 0x70,
        ect: kind & 8 != 0,
        path,
        frame_count: 1 + u16::from(kind >> 7),
    }
}

struct Run {
    sent: SentPackets,
    recovery: Recovery,
    rtt: Rtt,
    model: Model,
    now: Instant,
    path: u32,
}

/// The frame says which packet it is in.
fn frame(number: u64) -> SentFrame {
    SentFrame::Stream { id: StreamId::from_wire(0), offset: number, length: 1, fin: false }
}

fn number_in(frame: &SentFrame) -> u64 {
    let SentFrame::Stream { offset, .. } = *frame else { unreachable!("{frame:?} was not sent") };
    offset
}

/// Packets that are named once for each of their frames, counted once.
#[derive(Default)]
struct Named(Vec<u64>);

impl Named {
    fn add(&mut self, packet: &SentPacket, frame: &SentFrame) {
        assert_eq!(packet.number(), number_in(frame), "each packet keeps its own frames");
        if self.0.last() != Some(&packet.number()) {
            assert!(!self.0.contains(&packet.number()), "a packet has one fate at a time");
            self.0.push(packet.number());
        }
    }
}

impl Run {
    fn push(&mut self, new: NewPacket, fate: Fate) {
        self.model.packets.push(Packet { new, fate });
    }

    fn send(&mut self, input: &mut Input<'_>) {
        let new = new_packet(self.now, input.byte(), input.u16() % 1500 + 1, self.path);
        let number = self.sent.next_number();
        assert_eq!(number, self.model.next_number(), "numbers go up by one");
        for _ in 0..new.frame_count {
            self.sent.frames_mut().push_back(frame(number));
        }
        assert_eq!(self.sent.push(new), number, "the number that was foretold");
        self.push(new, Fate::Outstanding);
    }

    /// `None` if the connection is over, as it should be.
    fn acknowledge(&mut self, input: &mut Input<'_>) -> Option<()> {
        let mut numbers = RangeSet::default();
        let beyond = usize::from(input.byte() == 0xff);
        let limit = self.model.packets.len() + beyond;
        for _ in 0..=input.byte() % 4 {
            let end = limit.saturating_sub(input.below(limit.min(64))) as u64;
            let start = end.saturating_sub(u64::from(input.byte() % 16) + 1);
            numbers.insert(start..end);
        }
        let mut memory = [0; 200];
        let mut writer = Writer::new(&mut memory);
        if write_ack(&mut writer, &numbers, 0, None).is_err() {
            return Some(());
        }
        let Some(Ok(Frame::Ack(ack))) = Frames::new(writer.written()).next() else {
            unreachable!("what was written is an ACK")
        };
        self.handle_ack(&ack)
    }

    fn handle_ack(&mut self, ack: &Ack<'_>) -> Option<()> {
        let skipped = self.model.skipped();
        let remembered = skipped.iter().rev().take(REMEMBERED_SKIPS);
        let mut lies = remembered.filter(|skip| ack.ranges().any(|range| range.contains(skip)));
        let is_lie = ack.largest >= self.model.next_number() || lies.next().is_some();
        let mut named = Named::default();
        let context = self.recovery.ack_context(self.path);
        let outcome =
            self.sent.on_ack(self.now, ack, context, |packet, frame| named.add(packet, frame));
        assert_eq!(outcome.is_err(), is_lie, "an ACK of what was sent, and of nothing else");
        let outcome = outcome.ok()?;
        let (mut bytes, mut spurious) = (0, 0);
        for number in &named.0 {
            let packet = self.model.get(*number).copied();
            let Some(packet) = packet else { unreachable!("only what was sent is acknowledged") };
            match packet.fate {
                Fate::Outstanding => bytes += packet.bytes_on(self.path),
                Fate::Lost if packet.new.mtu_probe || packet.bytes_on(self.path) == 0 => {}
                Fate::Lost => spurious += 1,
                fate => unreachable!("packet {number} is acknowledged, but was {fate:?}"),
            }
            assert!(ack.ranges().any(|range| range.contains(number)), "the ACK names it");
            self.model.set(*number, Fate::Acked);
        }
        assert_eq!(outcome.newly_acked as usize, named.0.len(), "newly acknowledged packets");
        assert_eq!(outcome.bytes, bytes, "bytes that left the flight");
        assert_eq!(outcome.spurious.packets, spurious, "packets that were only late");
        for number in ack.ranges().flatten() {
            let fate = self.model.get(number).filter(|packet| packet.is_in_flight());
            assert!(fate.is_none(), "packet {number} is in flight, though it is acknowledged");
            if self.model.get(number).is_some_and(|packet| packet.fate == Fate::Outstanding) {
                self.model.set(number, Fate::GivenUp);
            }
        }
        let raises = self.model.largest_acked.is_none_or(|largest| largest < ack.largest);
        assert_eq!(outcome.raises_largest, raises, "the largest number so far");
        self.model.largest_acked = self.model.largest_acked.max(Some(ack.largest));
        if let Some(sample) = outcome.rtt_sample {
            self.rtt.update(self.now, sample, Duration::ZERO);
        }
        self.recovery.on_ack_received(&outcome, &self.rtt, true);
        self.detect_lost();
        Some(())
    }

    fn detect_lost(&mut self) {
        let thresholds = self.recovery.loss_thresholds(&self.rtt, self.path);
        let mut named = Named::default();
        let outcome =
            self.sent.detect_lost(self.now, &thresholds, |packet, frame| named.add(packet, frame));
        let mut bytes = 0;
        for number in &named.0 {
            let packet = self.model.get(*number).copied();
            let Some(packet) = packet else { unreachable!("only what was sent is lost") };
            assert_eq!(packet.fate, Fate::Outstanding, "packet {number} is lost");
            let due = self.model.is_lost(*number, &packet, self.now, &thresholds);
            assert!(due, "packet {number} is lost too early");
            bytes += packet.bytes_on(self.path);
            self.model.set(*number, Fate::Lost);
        }
        assert_eq!(outcome.packets as usize, named.0.len(), "lost packets");
        assert_eq!(outcome.bytes, bytes, "bytes that left the flight");
        let mut overdue = self.model.numbered().filter(|(number, packet)| {
            packet.is_in_flight() && self.model.is_lost(*number, packet, self.now, &thresholds)
        });
        assert_eq!(overdue.next().map(|(number, _)| number), None, "it is to be declared lost");
        let largest = self.model.largest_acked.unwrap_or(0);
        let waiting = self
            .model
            .numbered()
            .find(|(number, packet)| packet.is_in_flight() && *number < largest);
        let due = waiting.map(|(_, packet)| packet.new.time_sent + thresholds.time_threshold);
        assert_eq!(self.sent.loss_time(), due, "the timer is that of the first that may be lost");
        self.recovery.on_lost(self.now, &outcome, &self.rtt, MAX_ACK_DELAY);
    }

    fn requeue(&mut self, input: &mut Input<'_>) {
        let most = usize::from(input.byte() % 4);
        let mut numbers = Vec::new();
        self.sent.requeue_for_probe(most, |frame| numbers.push(number_in(frame)));
        numbers.dedup();
        let oldest = self
            .model
            .numbered()
            .filter(|(_, packet)| packet.fate == Fate::Outstanding && packet.new.ack_eliciting);
        let oldest = oldest.map(|(number, _)| number).take(most);
        assert!(oldest.eq(numbers.iter().copied()), "the oldest are sent again: {numbers:?}");
    }

    fn withdraw_mtu_probe(&mut self) {
        let Some(newest) = self.model.packets.last_mut() else { return };
        let NewPacket { size, path, mtu_probe, .. } = newest.new;
        let is_probe = mtu_probe && newest.fate == Fate::Outstanding;
        // A ring whose newest packet was forgotten may end in a probe of the same size.
        if newest.fate == Fate::Skipped || !newest.new.in_flight {
            return;
        }
        let withdrawn = self.sent.withdraw_mtu_probe(size, path);
        assert_eq!(withdrawn.is_some(), is_probe, "only what never left");
        if is_probe {
            newest.fate = Fate::Lost;
        }
    }

    fn rarely(&mut self, input: &mut Input<'_>) {
        match input.byte() {
            0..0x10 => {
                let mut named = Named::default();
                let bytes = self.sent.abandon(self.path, |packet, frame| named.add(packet, frame));
                let path = self.path;
                let outstanding = self.model.packets.iter_mut();
                let outstanding = outstanding.filter(|packet| packet.fate == Fate::Outstanding);
                let mut sum = 0;
                for packet in outstanding {
                    sum += packet.bytes_on(path);
                    packet.fate = Fate::GivenUp;
                }
                assert_eq!(bytes, sum, "bytes that were in flight");
                for packet in &mut self.model.packets {
                    // What was lost is not recognised as late any more.
                    if packet.fate == Fate::Lost {
                        packet.fate = Fate::GivenUp;
                    }
                }
            }
            0x10..0x20 => {
                self.path += 1;
                self.recovery.on_path_changed();
            }
            _ => {}
        }
    }

    fn check(&self) {
        for path in self.path.saturating_sub(1)..=self.path {
            let packets = self.model.packets.iter().filter(|packet| packet.is_in_flight());
            let sum: u64 = packets.map(|packet| packet.bytes_on(path)).sum();
            assert_eq!(self.sent.in_flight_on(path), sum, "bytes in flight on path {path}");
        }
        let eliciting = |packet: &Packet| packet.is_in_flight() && packet.new.ack_eliciting;
        let any = self.model.packets.iter().any(eliciting);
        assert_eq!(self.sent.has_ack_eliciting_in_flight(), any, "whether a probe is due one day");
    }
}
