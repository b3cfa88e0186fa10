use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::wire::frame::{Frame, Frames};

const DELAY: Duration = Duration::from_millis(25);

fn at(millis: u64) -> Instant {
    Instant::EPOCH + Duration::from_millis(millis)
}

fn application() -> ReceivedPackets {
    ReceivedPackets::new(SpaceId::Application, DELAY)
}

/// Writes an ACK frame; returns its delay field and the numbers it reports.
fn write(received: &mut ReceivedPackets, now: Instant) -> Option<(u64, Vec<u64>)> {
    let mut memory = [0; 1200];
    let mut frames = VecDeque::new();
    let mut packet = PacketWriter::new(&mut memory, &mut frames);
    received.write(now, &mut packet, 3).unwrap();
    let length = packet.length();
    let frame = Frames::new(&memory[..length]).next()?.unwrap();
    let Frame::Ack(ack) = frame else { panic!("{frame:?}") };
    assert_eq!(frames.pop_back(), Some(SentFrame::Ack { largest: ack.largest }));
    let mut numbers: Vec<u64> = ack.ranges().flatten().collect();
    numbers.sort_unstable();
    Some((ack.encoded_delay, numbers))
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
//= type=test
//# Every packet SHOULD be acknowledged at least once, and ack-eliciting
//# packets MUST be acknowledged at least once within the maximum delay an
//# endpoint communicated using the max_ack_delay transport parameter; see
//# Section 18.2.
//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.2
//= type=test
//# A receiver SHOULD send an ACK frame after receiving at least two
//# ack-eliciting packets.
#[test]
fn every_second_packet_is_acknowledged_at_once_and_a_single_one_after_the_delay() {
    let mut received = application();
    received.on_packet(at(0), 0, true, None);
    assert!(!received.should_ack_now());
    assert!(received.has_unacked());
    assert_eq!(received.deadline(), Some(at(25)));
    received.handle_timeout(at(24));
    assert!(!received.should_ack_now());
    received.handle_timeout(at(25));
    assert!(received.should_ack_now());
    assert_eq!(received.deadline(), None);
    assert_eq!(write(&mut received, at(25)), Some((25_000 >> 3, vec![0])));
    assert!(!received.should_ack_now() && !received.has_unacked());
    received.on_packet(at(30), 1, true, None);
    received.on_packet(at(30), 2, true, None);
    assert!(received.should_ack_now());
    assert_eq!(received.deadline(), None);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
//= type=test
//# Since packets containing only ACK frames are not congestion
//# controlled, an endpoint MUST NOT send more than one such packet in
//# response to receiving an ack-eliciting packet.
#[test]
fn a_batch_costs_one_acknowledgment() {
    let mut received = application();
    (0..50).for_each(|number| received.on_packet(at(0), number, true, None));
    assert!(received.should_ack_now());
    write(&mut received, at(0));
    assert!(!received.should_ack_now() && received.deadline().is_none());
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
//= type=test
//# An endpoint MUST NOT send a non-ack-eliciting packet in response to a
//# non-ack-eliciting packet, even if there are packet gaps that precede
//# the received packet.
#[test]
fn packets_that_do_not_elicit_are_never_acknowledged_by_themselves() {
    let mut received = application();
    received.on_packet(at(0), 0, false, None);
    received.on_packet(at(0), 7, false, Some(EcnCodepoint::Ce));
    assert!(!received.should_ack_now() && !received.has_unacked());
    assert_eq!(received.deadline(), None);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
//= type=test
//# An endpoint MUST acknowledge all ack-eliciting Initial and Handshake
//# packets immediately and all ack-eliciting 0-RTT and 1-RTT packets
//# within its advertised max_ack_delay, with the following exception.
//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
//= type=test
//# In order to assist loss detection at the sender, an endpoint SHOULD
//# generate and send an ACK frame without delay when it receives an
//# ack-eliciting packet either:
//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
//= type=test
//# Similarly, packets marked with the ECN Congestion Experienced (CE)
//# codepoint in the IP header SHOULD be acknowledged immediately, to
//# reduce the peer's response time to congestion events.
#[test]
fn initial_and_handshake_packets_gaps_and_marks_are_acknowledged_at_once() {
    for space in [SpaceId::Initial, SpaceId::Handshake] {
        let mut received = ReceivedPackets::new(space, DELAY);
        received.on_packet(at(0), 0, true, None);
        assert!(received.should_ack_now());
    }
    let mut received = application();
    received.on_packet(at(0), 0, true, None);
    write(&mut received, at(0));
    received.on_packet(at(0), 2, true, None);
    assert!(received.should_ack_now());
    write(&mut received, at(0));
    received.on_packet(at(0), 1, true, None);
    assert!(received.should_ack_now());
    write(&mut received, at(0));
    received.on_packet(at(0), 3, true, Some(EcnCodepoint::Ce));
    assert!(received.should_ack_now());
    assert_eq!(received.ecn_counts(), EcnCounts { ect0: 0, ect1: 0, ce: 1 });
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.3
//= type=test
//# After receiving acknowledgments for an ACK frame, the receiver SHOULD
//# stop tracking those acknowledged ACK Ranges.
#[test]
fn what_the_peer_knows_is_not_reported_again_but_stays_a_duplicate() {
    let mut received = application();
    for number in [0, 1, 5] {
        received.on_packet(at(0), number, true, None);
    }
    write(&mut received, at(0));
    // Late, and not in that ACK frame.
    received.on_packet(at(1), 3, true, None);
    received.on_ack_acked(5);
    assert_eq!(write(&mut received, at(1)).unwrap().1, [3, 5]);
    received.on_ack_acked(5);
    received.on_packet(at(2), 7, true, None);
    assert_eq!(write(&mut received, at(2)).unwrap().1, [5, 7]);
    received.on_ack_acked(7);
    received.on_packet(at(3), 8, true, None);
    assert_eq!(write(&mut received, at(3)).unwrap().1, [7, 8]);
    assert!([0, 1, 3, 5, 7, 8].into_iter().all(|number| received.is_duplicate(number)));
    assert!([2, 4, 6].into_iter().all(|number| !received.is_duplicate(number)));
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.3
//= type=test
//# ACK frames SHOULD always acknowledge the most recently received
//# packets, and the more out of order the packets are, the more important
//# it is to send an updated ACK frame quickly, to prevent the peer from
//# declaring a packet as lost and spuriously retransmitting the frames it
//# contains.
//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.3
//= type=test
//# Receivers can discard all ACK Ranges, but they MUST retain the largest
//# packet number that has been successfully processed, as that is used to
//# recover packet numbers from subsequent packets; see Section 17.1.
//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.5
//= type=test
//# An endpoint MUST NOT include delays that it does not control when
//# populating the ACK Delay field in an ACK frame.
//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.5
//= type=test
//# When the measured acknowledgment delay is larger than its
//# max_ack_delay, an endpoint SHOULD report the measured delay.
#[test]
fn the_largest_number_is_in_every_acknowledgment_and_the_delay_is_its_own() {
    let mut received = application();
    received.on_packet(at(0), 10, true, None);
    write(&mut received, at(8));
    received.on_ack_acked(10);
    received.on_packet(at(500), 5, true, None);
    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.3
    //= type=test
    //# A receiver SHOULD include an ACK Range containing the largest
    //# received packet number in every ACK frame.
    assert_eq!(write(&mut received, at(500)), Some((500_000 >> 3, vec![5, 10])));
}

#[test]
fn with_nothing_to_report_nothing_is_written() {
    assert_eq!(write(&mut application(), at(0)), None);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.3
//= type=test
//# A receiver MUST retain an ACK Range unless it can ensure that it will
//# not subsequently accept packets with numbers in that range.
#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn ranges_are_bounded_and_what_falls_below_them_is_a_duplicate() {
    let mut received = application();
    (0..1000).for_each(|number| received.on_packet(at(0), number * 2, true, None));
    assert!(received.received.len() <= MAX_RECEIVED_RANGES);
    assert!(received.reported.len() <= MAX_REPORTED_RANGES);
    assert!(received.is_duplicate(1));
    assert!(!received.is_duplicate(1997));
    assert_eq!(write(&mut received, at(0)).unwrap().1.len(), MAX_REPORTED_RANGES);
}

#[test]
fn the_largest_numbers_and_times_do_no_harm() {
    let mut received = application();
    let largest = (1 << 62) - 1;
    received.on_packet(Instant::EPOCH, largest, true, None);
    received.on_ack_acked(u64::MAX);
    assert!(received.is_duplicate(largest));
    assert!(write(&mut received, Instant::FAR_FUTURE).is_some());
    received.on_ack_acked(u64::MAX);
    assert_eq!(write(&mut received, Instant::FAR_FUTURE).unwrap().1, [largest]);
}

proptest! {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-12.3
    //= type=test
    //# A receiver MUST discard a newly unprotected packet unless it is certain
    //# that it has not processed another packet with the same packet number
    //# from the same packet number space.
    #[test]
    fn no_packet_is_ever_accepted_twice(
        numbers in prop::collection::vec(0..400_u64, 0..if cfg!(miri) { 60 } else { 400 }),
    ) {
        let mut received = application();
        let mut accepted = BTreeSet::new();
        for number in numbers {
            if !received.is_duplicate(number) {
                received.on_packet(at(0), number, true, None);
                prop_assert!(accepted.insert(number));
            }
        }
    }
}
