use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::rare::MAX_SKIPPED;
use super::*;
use crate::error::TransportErrorCode;
use crate::wire::frame::{Ack, Frame, Frames, write_ack};
use crate::wire::{RangeSet, Writer};

const PATH: u32 = 7;
const PATHS: std::ops::Range<u32> = PATH..PATH + 8;
const CONTEXT: AckContext = AckContext { path: PATH, congestion_event: None };
const THRESHOLDS: LossThresholds = LossThresholds {
    packet_threshold: 3,
    time_threshold: Duration::from_millis(90),
    first_rtt_sample: Some(Instant::EPOCH),
    path: PATH,
};

fn at(millis: u64) -> Instant {
    Instant::EPOCH + Duration::from_millis(millis)
}

/// Calls `act` with an ACK frame of these numbers.
fn with_ack<R>(numbers: impl IntoIterator<Item = u64>, act: impl FnOnce(&Ack<'_>) -> R) -> R {
    let mut set = RangeSet::default();
    for number in numbers {
        set.insert(number..number + 1);
    }
    let mut memory = [0; 4096];
    let mut writer = Writer::new(&mut memory);
    write_ack(&mut writer, &set, 0, None).unwrap();
    let Some(Ok(Frame::Ack(ack))) = Frames::new(writer.written()).next() else { panic!() };
    act(&ack)
}

fn send(sent: &mut SentPackets, millis: u64) -> u64 {
    let number = sent.next_number();
    sent.frames_mut().push_back(SentFrame::NewConnectionId { sequence: number });
    sent.push(packet(millis))
}

fn packet(millis: u64) -> NewPacket {
    NewPacket {
        time_sent: at(millis),
        size: 1200,
        ack_eliciting: true,
        in_flight: true,
        mtu_probe: false,
        ect: false,
        path: PATH,
        frame_count: 1,
    }
}

fn ack(
    sent: &mut SentPackets,
    millis: u64,
    numbers: impl IntoIterator<Item = u64>,
) -> (AckOutcome, Vec<u64>) {
    let mut acked = Vec::new();
    let outcome = with_ack(numbers, |ack| {
        sent.on_ack(at(millis), ack, CONTEXT, |packet, frame| {
            assert_eq!(*frame, SentFrame::NewConnectionId { sequence: packet.number() });
            acked.push(packet.number());
        })
    });
    (outcome.unwrap(), acked)
}

fn lose(sent: &mut SentPackets, millis: u64) -> (LossOutcome, Vec<u64>) {
    let mut lost = Vec::new();
    let outcome = sent.detect_lost(at(millis), &THRESHOLDS, |packet, frame| {
        assert_eq!(*frame, SentFrame::NewConnectionId { sequence: packet.number() });
        lost.push(packet.number());
    });
    (outcome, lost)
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-4.1
//= type=test
//# Probe messages sent by a PL MUST contain enough information to
//# uniquely identify the probe within the Maximum Segment Lifetime (e.g.,
//# including a unique identifier from the PL or the DPLPMTUD
//# implementation), while being robust to reordering and replay of probe
//# response and PTB messages.
#[test]
fn mtu_probes_of_another_path_say_nothing_of_this_one() {
    let mut sent = SentPackets::new();
    for path in [PATH + 1, PATH] {
        let sequence = sent.next_number();
        sent.frames_mut().push_back(SentFrame::NewConnectionId { sequence });
        sent.push(NewPacket { mtu_probe: true, size: 1400, path, ..packet(0) });
    }
    assert_eq!((sent.in_flight_on(PATH), sent.in_flight_on(PATH + 1)), (1400, 1400));
    let (outcome, _) = ack(&mut sent, 10, [0]);
    assert_eq!(outcome.mtu_probe_acked, None);
    let (outcome, _) = ack(&mut sent, 10, [1]);
    assert_eq!(outcome.mtu_probe_acked, Some(1400));
    assert_eq!((sent.in_flight_on(PATH), sent.in_flight_on(PATH + 1)), (0, 0));
    for path in [PATH + 1, PATH] {
        let sequence = sent.next_number();
        sent.frames_mut().push_back(SentFrame::NewConnectionId { sequence });
        sent.push(NewPacket { mtu_probe: true, size: 1300, path, ..packet(20) });
        for _ in 0..3 {
            send(&mut sent, 20);
        }
        let newest = sent.next_number() - 1;
        let _acked = ack(&mut sent, 30, [newest]);
        let (outcome, lost) = lose(&mut sent, 30);
        assert_eq!(lost.first(), Some(&(newest - 3)));
        assert_eq!(outcome.mtu_probe_lost, (path == PATH).then_some(1300));
        sent.abandon(PATH, |_, _| {});
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.1
//= type=test
//# An endpoint SHOULD treat receipt of an acknowledgment for a packet it
//# did not send as a connection error of type PROTOCOL_VIOLATION, if it
//# is able to detect the condition.
#[test]
fn acknowledging_what_was_not_sent_is_a_violation_and_changes_nothing() {
    let mut sent = SentPackets::new();
    send(&mut sent, 0);
    let result = with_ack([0, 1], |ack| sent.on_ack(at(1), ack, CONTEXT, |_, _| panic!()));
    assert_eq!(result.unwrap_err().code, TransportErrorCode::PROTOCOL_VIOLATION);
    assert_eq!(sent.in_flight_on(PATH), 1200);
    assert_eq!(sent.largest_acked(), None);
}

#[test]
fn acknowledging_a_skipped_number_is_a_violation_even_long_after() {
    let mut sent = SentPackets::new();
    send(&mut sent, 0);
    sent.skip_number();
    assert_eq!(send(&mut sent, 0), 2);
    ack(&mut sent, 1, [0, 2]);
    for _ in 0..100 {
        send(&mut sent, 2);
    }
    let result = with_ack(0..=50, |ack| sent.on_ack(at(3), ack, CONTEXT, |_, _| panic!()));
    assert_eq!(result.unwrap_err().code, TransportErrorCode::PROTOCOL_VIOLATION);
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-5.1
//= type=test
//# To avoid generating multiple RTT samples for a single packet, an ACK
//# frame SHOULD NOT be used to update RTT estimates if it does not newly
//# acknowledge the largest acknowledged packet.
//= https://www.rfc-editor.org/rfc/rfc9002#section-5.1
//= type=test
//# An RTT sample MUST NOT be generated on receiving an ACK frame that
//# does not newly acknowledge at least one ack-eliciting packet.
#[test]
fn an_rtt_sample_needs_the_largest_packet_newly_acknowledged_and_one_that_elicited() {
    let mut sent = SentPackets::new();
    (0..4).for_each(|number| assert_eq!(send(&mut sent, 10 * number), number));
    assert_eq!(ack(&mut sent, 50, [2]).0.rtt_sample, Some(Duration::from_millis(30)));
    // The largest is known already.
    assert_eq!(ack(&mut sent, 60, [1, 2]).0.rtt_sample, None);
    sent.push(NewPacket { ack_eliciting: false, in_flight: false, frame_count: 0, ..packet(60) });
    assert_eq!(ack(&mut sent, 70, [4]).0.rtt_sample, None);
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.1.2
//= type=test
//# Once a later packet within the same packet number space has been
//# acknowledged, an endpoint SHOULD declare an earlier packet lost if it
//# was sent a threshold amount of time in the past.
//= https://www.rfc-editor.org/rfc/rfc9002#section-6.1.2
//= type=test
//# If packets sent prior to the largest acknowledged packet cannot yet be
//# declared lost, then a timer SHOULD be set for the remaining time.
#[test]
fn a_packet_is_lost_when_three_later_ones_or_time_have_overtaken_it() {
    let mut sent = SentPackets::new();
    (0..5).for_each(|number| assert_eq!(send(&mut sent, number), number));
    ack(&mut sent, 50, [3]);
    let (outcome, lost) = lose(&mut sent, 50);
    assert_eq!(lost, [0]);
    assert_eq!(outcome.bytes, 1200);
    assert_eq!(outcome.newest_sent, Some(at(0)));
    assert_eq!(sent.loss_time(), Some(at(91)));
    assert_eq!(lose(&mut sent, 90).1, []);
    assert_eq!(lose(&mut sent, 91).1, [1]);
    assert_eq!(lose(&mut sent, 92).1, [2]);
    // Nothing later than packet 4 was acknowledged.
    assert_eq!(sent.loss_time(), None);
    assert_eq!(lose(&mut sent, 1000).1, []);
    assert_eq!(sent.in_flight_on(PATH), 1200);
}

#[test]
fn a_late_acknowledgment_is_recognised_and_leaves_the_flight_alone() {
    let mut sent = SentPackets::new();
    (0..5).for_each(|number| assert_eq!(send(&mut sent, number), number));
    ack(&mut sent, 50, [4]);
    assert_eq!(lose(&mut sent, 50).1, [0, 1]);
    assert_eq!(sent.in_flight_on(PATH), 2 * 1200);
    let context = AckContext { congestion_event: Some(at(50)), ..CONTEXT };
    let outcome = with_ack([1], |ack| sent.on_ack(at(60), ack, context, |_, _| {})).unwrap();
    assert_eq!(outcome.bytes, 0);
    assert_eq!(outcome.spurious.packets, 1);
    assert_eq!(outcome.spurious.of_congestion_event, 1);
    assert_eq!(outcome.spurious.reordering, 4);
    assert_eq!(outcome.spurious.delay, Duration::from_millis(59));
    assert_eq!(sent.in_flight_on(PATH), 2 * 1200);
    let later = AckContext { congestion_event: Some(at(51)), ..CONTEXT };
    let outcome = with_ack([0], |ack| sent.on_ack(at(60), ack, later, |_, _| {})).unwrap();
    assert_eq!(outcome.spurious.of_congestion_event, 0);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-14.4
//= type=test
//# Loss of a QUIC packet that is carried in a PMTU probe is therefore not
//# a reliable indication of congestion and SHOULD NOT trigger a
//# congestion control reaction; see Item 7 in Section 3 of [DPLPMTUD].
//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# Loss of a probe packet SHOULD NOT be treated as an indication of
//# congestion and SHOULD NOT trigger a congestion control reaction
//# [RFC4821] because this could result in unnecessary reduction of the
//# sending rate.
#[test]
fn lost_mtu_probes_leave_the_flight_but_are_no_congestion() {
    let mut sent = SentPackets::new();
    sent.push(NewPacket { mtu_probe: true, frame_count: 0, size: 1400, ..packet(0) });
    (1..5).for_each(|number| assert_eq!(send(&mut sent, number), number));
    ack(&mut sent, 50, 1..5);
    let (outcome, _) = lose(&mut sent, 50);
    assert_eq!(outcome.mtu_probe_lost, Some(1400));
    assert_eq!(outcome.bytes, 1400);
    assert_eq!(outcome.congestion_packets, 0);
    assert_eq!(outcome.newest_sent, None);
    assert_eq!(sent.in_flight_on(PATH), 0);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-9.4
//= type=test
//# Packets sent on the old path MUST NOT contribute to congestion
//# control or RTT estimation for the new path.
#[test]
fn packets_of_another_path_do_not_count_for_this_one() {
    let mut sent = SentPackets::new();
    sent.push(NewPacket { path: PATH - 1, frame_count: 0, ..packet(0) });
    send(&mut sent, 1);
    sent.push(NewPacket { path: PATH - 1, frame_count: 0, ..packet(2) });
    let (outcome, _) = ack(&mut sent, 50, [0, 1]);
    assert_eq!(outcome.newly_acked, 2);
    assert_eq!(outcome.bytes, 1200);
    assert_eq!(outcome.newest_sent, Some(at(1)));
    assert_eq!(outcome.rtt_sample, Some(Duration::from_millis(49)));
    let (outcome, _) = ack(&mut sent, 60, [2]);
    assert_eq!((outcome.newly_acked, outcome.bytes), (1, 0));
    assert_eq!((outcome.newest_sent, outcome.rtt_sample), (None, None));
}

#[test]
fn losses_of_the_path_before_are_no_persistent_congestion_of_this_one() {
    let mut sent = SentPackets::new();
    let on_path = |sent: &mut SentPackets, path, millis| {
        sent.push(NewPacket { path, frame_count: 0, ..packet(millis) });
    };
    // A probe of this path leaves while the other is in use.
    on_path(&mut sent, PATH - 1, 100);
    on_path(&mut sent, PATH, 9000);
    (1..3).for_each(|number| on_path(&mut sent, PATH - 1, 9000 + number));
    let before = LossThresholds { path: PATH - 1, ..THRESHOLDS };
    ack(&mut sent, 9010, [3]);
    let outcome = sent.detect_lost(at(9010), &before, |_, _| {});
    assert_eq!(outcome.span, Some((at(100), at(100))));
    let (outcome, _) = lose(&mut sent, 9200);
    assert_eq!((outcome.packets, outcome.span), (2, Some((at(9000), at(9000)))));
}

#[test]
fn losses_in_a_row_make_one_span_over_several_detections() {
    let mut sent = SentPackets::new();
    (0..20).for_each(|number| assert_eq!(send(&mut sent, number * 100), number));
    ack(&mut sent, 2000, [0, 10]);
    let (outcome, _) = lose(&mut sent, 2000);
    assert_eq!(outcome.span, Some((at(100), at(900))));
    ack(&mut sent, 2001, [19]);
    let (outcome, _) = lose(&mut sent, 2001);
    // Packet 10 arrived: a new run began.
    assert_eq!(outcome.span, Some((at(1100), at(1800))));
}

#[test]
fn a_span_grows_while_nothing_is_acknowledged_in_between() {
    let mut sent = SentPackets::new();
    (0..4).for_each(|number| assert_eq!(send(&mut sent, 100 + number), number));
    ack(&mut sent, 150, [3]);
    assert_eq!(lose(&mut sent, 150).1, [0]);
    let (outcome, lost) = lose(&mut sent, 200);
    assert_eq!(lost, [1, 2]);
    assert_eq!(outcome.span, Some((at(100), at(102))));
}

#[test]
fn probes_repeat_the_oldest_frames_and_leave_the_packets_in_flight() {
    let mut sent = SentPackets::new();
    (0..4).for_each(|number| assert_eq!(send(&mut sent, number), number));
    ack(&mut sent, 10, [0]);
    let mut frames = Vec::new();
    sent.requeue_for_probe(2, |frame| frames.push(*frame));
    let expected = [1, 2].map(|sequence| SentFrame::NewConnectionId { sequence });
    assert_eq!(frames, expected);
    assert_eq!(sent.in_flight_on(PATH), 3 * 1200);
}

#[test]
fn pure_acks_do_not_pile_up_behind_a_packet_that_is_never_acknowledged() {
    let mut sent = SentPackets::new();
    send(&mut sent, 0);
    for millis in 0..10_000 {
        sent.frames_mut().push_back(SentFrame::Ack { largest: millis });
        sent.push(NewPacket { ack_eliciting: false, in_flight: false, ..packet(millis) });
    }
    assert!(sent.packets.len() <= MAX_NOT_IN_FLIGHT as usize + 1);
    assert!(sent.frames.len() <= MAX_NOT_IN_FLIGHT as usize + 1);
    assert_eq!(sent.next_number(), 10_001);
    // An ACK of packets that are not remembered is fine.
    let acked = with_ack(5_000..=10_000, |ack| sent.on_ack(at(1), ack, CONTEXT, |_, _| {}));
    assert_eq!(acked.unwrap().newly_acked, 0);
}

#[test]
fn pure_acks_alone_forget_the_oldest() {
    let mut sent = SentPackets::new();
    for millis in 0..1000 {
        sent.frames_mut().push_back(SentFrame::Ack { largest: millis });
        sent.push(NewPacket { ack_eliciting: false, in_flight: false, ..packet(millis) });
    }
    assert_eq!(sent.packets.len(), MAX_NOT_IN_FLIGHT as usize);
    let mut largest = Vec::new();
    with_ack([999], |ack| sent.on_ack(at(1), ack, CONTEXT, |_, frame| largest.push(*frame)))
        .unwrap();
    assert_eq!(largest, [SentFrame::Ack { largest: 999 }]);
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn a_steady_load_allocates_nothing() {
    let mut sent = SentPackets::new();
    let mut capacity = None;
    for round in 0..200_u64 {
        let numbers: Vec<u64> = (0..100).map(|_| send(&mut sent, 10 * round)).collect();
        // Every tenth packet is lost.
        let arrived = numbers.into_iter().filter(|number| number % 10 != 5);
        ack(&mut sent, 10 * round + 5, arrived);
        lose(&mut sent, 10 * round + 5);
        if round == 100 {
            capacity = Some((sent.packets.capacity(), sent.frames.capacity()));
        }
    }
    assert_eq!(capacity, Some((sent.packets.capacity(), sent.frames.capacity())));
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn memory_of_a_past_load_is_returned() {
    let mut sent = SentPackets::new();
    for number in 0..10_000 {
        assert_eq!(send(&mut sent, 0), number);
    }
    ack(&mut sent, 1, 0..10_000);
    let number = send(&mut sent, 2);
    ack(&mut sent, 3, [number]);
    assert!(sent.packets.capacity() <= 4 * KEPT_CAPACITY);
}

#[test]
fn runs_of_acknowledged_packets_are_crossed_in_one_step() {
    let mut sent = SentPackets::new();
    let count: u16 = if cfg!(miri) { 100 } else { 10_000 };
    for number in 0..count.into() {
        assert_eq!(send(&mut sent, 0), number);
    }
    // Packet 0 keeps all others in the ring.
    for number in 1..count.into() {
        sent.next_unacked(1);
        let (outcome, _) = ack(&mut sent, 1, 1..=number);
        assert_eq!(outcome.newly_acked, 1);
    }
    assert_eq!(sent.next_unacked(1), count.into());
    assert_eq!(sent.packets[1].state, State::Acked { run: u32::from(count) - 1 });
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.4
//= type=test
//# The sender MUST discard all recovery state associated with those
//# packets and MUST remove them from the count of bytes in flight.
#[test]
fn discarding_returns_what_was_in_flight_on_the_path() {
    let mut sent = SentPackets::new();
    send(&mut sent, 0);
    sent.push(NewPacket { path: PATH - 1, frame_count: 0, ..packet(0) });
    assert_eq!(sent.discard(PATH), 1200);
    assert_eq!(sent.in_flight_on(PATH), 0);
    assert!(!sent.has_ack_eliciting_in_flight());
    assert_eq!(sent.last_ack_eliciting_sent(), None);
    assert_eq!(sent.next_number(), 2);
    sent.requeue_for_probe(usize::MAX, |frame| panic!("{frame:?} of a packet of no interest"));
    assert_eq!(ack(&mut sent, 50, [0, 1]).0.newly_acked, 0);
    assert_eq!(lose(&mut sent, 5000).1, [0; 0]);
}

#[derive(Clone, Debug)]
enum Step {
    Send { eliciting: bool, in_flight: bool, path: u32 },
    Skip,
    Ack(Vec<(u64, u64)>),
    Wait(u64),
    Detect,
}

/// One of more paths than are counted.
fn path() -> impl Strategy<Value = u32> {
    prop_oneof![6 => Just(PATH), 1 => PATHS]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<bool>(), any::<bool>(), path()).prop_map(|(eliciting, in_flight, path)| {
            Step::Send { eliciting, in_flight: eliciting || in_flight, path }
        }),
        1 => Just(Step::Skip),
        3 => prop::collection::vec((0..40_u64, 0..8_u64), 1..5).prop_map(Step::Ack),
        1 => (0..60_u64).prop_map(Step::Wait),
        2 => Just(Step::Detect),
    ]
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Skipped,
    Outstanding,
    Lost,
    Acked,
}

/// The packets of a naive sender that forgets nothing.
#[derive(Default)]
struct Model {
    packets: BTreeMap<u64, (Fate, u64, Option<u32>)>,
    largest_acked: Option<u64>,
}

impl Model {
    fn in_flight_on(&self, path: u32) -> u64 {
        let outstanding = |(fate, _, in_flight): &&(Fate, u64, Option<u32>)| {
            *fate == Fate::Outstanding && *in_flight == Some(path)
        };
        1200 * self.packets.values().filter(outstanding).count() as u64
    }

    fn lost(&mut self, millis: u64) -> Vec<u64> {
        let Some(largest) = self.largest_acked else { return Vec::new() };
        let mut lost = Vec::new();
        for (number, (fate, sent, _)) in self.packets.range_mut(..largest) {
            if *fate == Fate::Outstanding && (number + 3 <= largest || *sent + 90 <= millis) {
                *fate = Fate::Lost;
                lost.push(*number);
            }
        }
        lost
    }
}

fn run(steps: Vec<Step>) {
    let mut sent = SentPackets::new();
    let mut model = Model::default();
    let mut millis = 0;
    for step in steps {
        match step {
            Step::Send { eliciting, in_flight, path } => {
                let number = sent.next_number();
                sent.frames_mut().push_back(SentFrame::NewConnectionId { sequence: number });
                let ack_eliciting = eliciting;
                sent.push(NewPacket { ack_eliciting, in_flight, path, ..packet(millis) });
                let in_flight = in_flight.then_some(path);
                model.packets.insert(number, (Fate::Outstanding, millis, in_flight));
            }
            Step::Skip => {
                // No more than are remembered, so that none is forgotten.
                if sent.rare.as_ref().is_none_or(|rare| rare.skipped().len() < MAX_SKIPPED) {
                    model.packets.insert(sent.next_number(), (Fate::Skipped, 0, None));
                    sent.skip_number();
                }
            }
            Step::Ack(ranges) => acknowledge(&mut sent, &mut model, millis, &ranges),
            Step::Wait(time) => millis += time,
            Step::Detect => {
                let (_, lost) = lose(&mut sent, millis);
                assert_eq!(lost, model.lost(millis));
            }
        }
        for path in PATHS {
            assert_eq!(sent.in_flight_on(path), model.in_flight_on(path));
        }
    }
}

fn acknowledge(sent: &mut SentPackets, model: &mut Model, millis: u64, ranges: &[(u64, u64)]) {
    let next = sent.next_number();
    let numbers: Vec<u64> = ranges
        .iter()
        .flat_map(|(back, length)| {
            let start = next.saturating_sub(*back);
            start..(start + length).min(next)
        })
        .collect();
    if numbers.is_empty() {
        return;
    }
    let fate = |number: &u64| model.packets[number].0;
    if numbers.iter().any(|number| fate(number) == Fate::Skipped) {
        let result = with_ack(numbers, |ack| sent.on_ack(at(millis), ack, CONTEXT, |_, _| {}));
        assert!(result.is_err());
        return;
    }
    let (outcome, mut acked) = ack(sent, millis, numbers.iter().copied());
    acked.sort_unstable();
    let mut spurious = 0;
    for number in &acked {
        let (fate, _, in_flight) = model.packets.get_mut(number).unwrap();
        assert_ne!(*fate, Fate::Acked);
        spurious += u32::from(*fate == Fate::Lost && *in_flight == Some(PATH));
        *fate = Fate::Acked;
    }
    assert_eq!(outcome.spurious.packets, spurious);
    assert_eq!(outcome.newly_acked as usize, acked.len());
    for number in &numbers {
        // Lost packets may have been forgotten.
        assert_ne!(model.packets[number].0, Fate::Outstanding);
    }
    model.largest_acked = model.largest_acked.max(numbers.into_iter().max());
}

proptest! {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-12.3
    //= type=test
    //# Subsequent packets sent in the same packet number space MUST increase
    //# the packet number by at least one.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-12.3
    //= type=test
    //# A QUIC endpoint MUST NOT reuse a packet number within the same packet
    //# number space in one connection.
    #[test]
    fn the_ring_agrees_with_a_map_that_forgets_nothing(
        steps in prop::collection::vec(step(), 0..if cfg!(miri) { 60 } else { 300 }),
    ) {
        run(steps);
    }
}

#[test]
fn packets_that_were_given_up_take_no_room_from_later_ones() {
    let mut sent = SentPackets::new();
    let ack = NewPacket { ack_eliciting: false, in_flight: false, frame_count: 0, ..packet(0) };
    for _ in 0..MAX_NOT_IN_FLIGHT {
        sent.push(ack);
    }
    sent.abandon(PATH, |_, _| {});
    sent.push(ack);
    assert_eq!(sent.len(), 1);
}

#[test]
fn what_was_given_up_is_not_waited_for() {
    let mut sent = SentPackets::new();
    for _ in 0..2 {
        send(&mut sent, 0);
    }
    let _acked = ack(&mut sent, 10, [1]);
    let _lost = lose(&mut sent, 10);
    assert!(sent.loss_time().is_some() && sent.has_ack_eliciting_in_flight());
    sent.abandon(PATH, |_, _| {});
    assert!(sent.loss_time().is_none() && !sent.has_ack_eliciting_in_flight());
    assert!(sent.last_ack_eliciting_sent().is_none());
}

#[test]
fn lost_mtu_probes_are_no_persistent_congestion() {
    let mut sent = SentPackets::new();
    for (millis, mtu_probe) in [(1, true), (5000, true), (5001, false)] {
        let sequence = sent.next_number();
        sent.frames_mut().push_back(SentFrame::NewConnectionId { sequence });
        sent.push(NewPacket { mtu_probe, ..packet(millis) });
    }
    let _acked = ack(&mut sent, 6000, [2]);
    let (outcome, lost) = lose(&mut sent, 6000);
    assert_eq!((lost, outcome.span), (vec![0, 1], None));
}

#[test]
fn probes_carry_what_elicits_an_acknowledgment() {
    let mut sent = SentPackets::new();
    sent.frames_mut().push_back(SentFrame::Ack { largest: 0 });
    sent.push(NewPacket { ack_eliciting: false, in_flight: false, ..packet(0) });
    let number = send(&mut sent, 0);
    let mut again = Vec::new();
    sent.requeue_for_probe(1, |frame| again.push(*frame));
    assert_eq!(again, [SentFrame::NewConnectionId { sequence: number }]);
}

#[test]
fn no_persistent_congestion_begins_before_the_first_round_trip_time() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.6.2
    //= type=test
    //# The persistent congestion period SHOULD NOT start until there is at
    //# least one RTT sample.
    let mut sent = SentPackets::new();
    for millis in [1000, 5000, 5001] {
        send(&mut sent, millis);
    }
    let _acked = ack(&mut sent, 6000, [2]);
    let thresholds = LossThresholds { first_rtt_sample: Some(at(2000)), ..THRESHOLDS };
    let outcome = sent.detect_lost(at(6000), &thresholds, |_, _| {});
    assert_eq!((outcome.packets, outcome.span), (2, Some((at(5000), at(5000)))));
}

#[test]
fn what_arrived_in_between_is_told_to_who_judges_the_losses_of_other_spaces() {
    let mut sent = SentPackets::new();
    (0..3).for_each(|number| assert_eq!(send(&mut sent, 10 * number), number));
    assert!(!sent.has_arrived_between((at(0), at(20))));
    ack(&mut sent, 50, [1]);
    assert!(sent.has_arrived_between((at(0), at(20))));
    for (from, to) in [(10, 20), (0, 10), (11, 30)] {
        assert!(!sent.has_arrived_between((at(from), at(to))));
    }
}

#[test]
fn every_loss_after_the_earliest_acknowledged_packet_is_a_sign_of_congestion() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.4
    //= type=test
    //# Endpoints MUST NOT ignore the loss of packets that were sent after the
    //# earliest acknowledged packet in a given packet number space.
    let mut sent = SentPackets::new();
    (0..8).for_each(|number| assert_eq!(send(&mut sent, number), number));
    ack(&mut sent, 50, [1, 7]);
    let (outcome, lost) = lose(&mut sent, 1000);
    assert_eq!(lost, [0, 2, 3, 4, 5, 6]);
    assert_eq!((outcome.congestion_packets, outcome.congestion_bytes), (6, 6 * 1200));
    assert_eq!(outcome.newest_sent, Some(at(6)));
}

#[test]
fn only_ack_eliciting_packets_begin_and_end_persistent_congestion() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.6.2
    //= type=test
    //# These two packets MUST be ack-eliciting, since a receiver is required
    //# to acknowledge only ack-eliciting packets within its maximum
    //# acknowledgment delay; see Section 13.2 of [QUIC-TRANSPORT].
    let mut sent = SentPackets::new();
    for (millis, ack_eliciting) in
        [(0, false), (100, true), (900, true), (5000, false), (5001, true)]
    {
        let sequence = sent.next_number();
        sent.frames_mut().push_back(SentFrame::NewConnectionId { sequence });
        sent.push(NewPacket { ack_eliciting, in_flight: true, ..packet(millis) });
    }
    let _acked = ack(&mut sent, 6000, [4]);
    let (outcome, lost) = lose(&mut sent, 6000);
    assert_eq!((lost, outcome.span), (vec![0, 1, 2, 3], Some((at(100), at(900)))));
}
