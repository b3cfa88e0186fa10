use std::collections::VecDeque;
use std::time::Duration;

use crate::error::TransportErrorCode;
use crate::instant::Instant;
use crate::net::EcnCodepoint;
use crate::packet::PacketWriter;
use crate::recovery::ReceivedPackets;
use crate::wire::SpaceId;
use crate::wire::frame::AckFrequency;

fn at(millis: u64) -> Instant {
    Instant::EPOCH + Duration::from_millis(millis)
}

fn request(threshold: u64, reordering_threshold: u64) -> AckFrequency {
    AckFrequency { sequence: 0, threshold, max_ack_delay: 50_000, reordering_threshold }
}

fn asked(frame: AckFrequency) -> ReceivedPackets {
    let mut received = ReceivedPackets::new(SpaceId::Application, Duration::from_millis(25));
    received.handle_ack_frequency(&frame).unwrap();
    received
}

fn acknowledge(received: &mut ReceivedPackets) {
    let (mut memory, mut frames) = ([0; 1200], VecDeque::new());
    received.write(at(0), &mut PacketWriter::new(&mut memory, &mut frames), 3).unwrap();
    assert!(!received.should_ack_now());
}

/// Whether each of these packets is acknowledged at once; those that are not, later.
fn acknowledged(received: &mut ReceivedPackets, numbers: &[u64]) -> Vec<u64> {
    let mut at_once = Vec::new();
    for number in numbers {
        received.on_packet(at(0), *number, true, None);
        if received.should_ack_now() {
            at_once.push(*number);
            acknowledge(received);
        }
    }
    at_once
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-4
//= type=test
//# A receiving
//# endpoint SHOULD send at least one ACK frame after receiving more
//# than this many ack-eliciting packets.
#[test]
fn as_many_packets_as_were_asked_for_wait() {
    let numbers: Vec<u64> = (0..10).collect();
    assert_eq!(acknowledged(&mut asked(request(0, 1)), &numbers), numbers);
    assert_eq!(acknowledged(&mut asked(request(1, 1)), &numbers), [1, 3, 5, 7, 9]);
    assert_eq!(acknowledged(&mut asked(request(3, 1)), &numbers), [3, 7]);
    assert_eq!(acknowledged(&mut asked(request(u64::MAX, 1)), &numbers), []);
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-4
//= type=test
//# On receipt of a
//# valid value, the endpoint SHOULD update its max_ack_delay to the
//# value provided by the peer.
#[test]
fn the_first_packet_that_waits_does_so_as_long_as_was_asked_for() {
    let mut received = asked(request(9, 1));
    received.on_packet(at(0), 0, true, None);
    received.on_packet(at(30), 1, true, None);
    // A timer may be late.
    assert_eq!(received.deadline(), Some(at(49)));
    let shorter = AckFrequency { sequence: 1, max_ack_delay: 2000, ..request(9, 1) };
    received.handle_ack_frequency(&shorter).unwrap();
    received.on_packet(at(30), 2, true, None);
    assert_eq!(received.deadline(), Some(at(31)));
    received.handle_timeout(at(31));
    assert!(received.should_ack_now());
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-4
//= type=test
//# Receipt of
//# an invalid value MUST be treated as a connection error of type
//# PROTOCOL_VIOLATION.
#[test]
fn a_delay_out_of_bounds_is_an_error_even_in_an_obsolete_request() {
    let mut received = asked(AckFrequency { sequence: 9, ..request(1, 1) });
    for (max_ack_delay, valid) in
        [(999, false), (1000, true), (16_383_999, true), (16_384_000, false), (1 << 60, false)]
    {
        let result =
            received.handle_ack_frequency(&AckFrequency { max_ack_delay, ..request(1, 1) });
        let expected = if valid { Ok(()) } else { Err(TransportErrorCode::PROTOCOL_VIOLATION) };
        assert_eq!(result.map_err(|error| error.code), expected, "{max_ack_delay}");
    }
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-4
//= type=test
//# A receiving endpoint MUST ignore a received ACK_FREQUENCY frame
//# unless the Sequence Number value in the frame is greater than the
//# largest processed value.
#[test]
fn only_a_later_request_counts() {
    let mut received = asked(AckFrequency { sequence: 7, ..request(2, 1) });
    for sequence in [0, 6, 7] {
        received.handle_ack_frequency(&AckFrequency { sequence, ..request(0, 1) }).unwrap();
    }
    assert_eq!(acknowledged(&mut received, &[0, 1, 2]), [2]);
    received.handle_ack_frequency(&AckFrequency { sequence: 8, ..request(0, 1) }).unwrap();
    assert_eq!(acknowledged(&mut received, &[3]), [3]);
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-5
//= type=test
//# An endpoint SHOULD send a packet
//# containing an ACK frame immediately upon receiving an IMMEDIATE_ACK
//# frame.
#[test]
fn an_acknowledgment_at_once_waits_for_nothing() {
    let mut received = asked(request(9, 0));
    received.acknowledge_now();
    received.on_packet(at(0), 0, true, None);
    assert!(received.should_ack_now());
    acknowledge(&mut received);
    assert_eq!(acknowledged(&mut received, &[1]), []);
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-6.2
//= type=test
//# An endpoint that receives an ACK_FREQUENCY frame with a non-zero
//# Reordering Threshold value SHOULD send an immediate ACK whenever it
//# receives an ack-eliciting, out-of order packet whose packet number is
//# outside the reordering window of the peer, i.e. when * the difference
//# between the smallest Unreported Missing packet and the Largest
//# Unacked packet is greater than or equal to the Reordering Threshold
//# value; or * the received packet number is less than or equal to
//# Largest Acked - Reordering Threshold.
#[test]
fn reordering_is_reported_as_in_the_examples_of_the_draft() {
    // Tables 1 and 2.
    let mut received = asked(request(99, 3));
    assert_eq!(acknowledged(&mut received, &[0, 1, 3, 4, 5, 8, 9, 10]), [5, 9, 10]);
    // What comes so late that it was declared lost.
    assert_eq!(acknowledged(&mut received, &[7]), [7]);
    let mut received = asked(request(99, 5));
    assert_eq!(acknowledged(&mut received, &[0, 1, 3, 5, 6, 7, 8, 9]), [7, 9]);
    assert_eq!(acknowledged(&mut received, &[4, 10]), [4]);
    // A gap at once.
    let mut received = asked(request(99, 1));
    assert_eq!(acknowledged(&mut received, &[0, 1, 3, 4, 2, 5]), [3, 2]);
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-6.2
//= type=test
//# If the most recent ACK_FREQUENCY frame received from the peer has a
//# Reordering Threshold value of 0, the endpoint SHOULD NOT send an
//# immediate acknowledgment in response to packets received out of
//# order, and instead rely on the peer's Ack-Eliciting Threshold and
//# Requested Max Ack Delay for sending acknowledgments.
#[test]
fn reordering_is_not_reported_to_who_does_not_want_to_know() {
    let mut received = asked(request(5, 0));
    assert_eq!(acknowledged(&mut received, &[0, 10, 20, 5, 30]), []);
    assert_eq!(acknowledged(&mut received, &[40]), [40]);
}

#[test]
fn ranges_are_reported_before_there_are_too_many_to_report() {
    let mut received = asked(request(1 << 40, 0));
    let numbers: Vec<u64> = (0..40).map(|number| 2 * number).collect();
    assert_eq!(acknowledged(&mut received, &numbers).first(), Some(&30));
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-6.3
//= type=test
//# If the Ack-Eliciting Threshold is larger than 1, an endpoint SHOULD
//# send an immediate acknowledgement when a packet marked with the ECN
//# Congestion Experienced (CE) [RFC3168] codepoint in the IP header is
//# received and the previously received packet was not marked CE.
#[test]
fn the_first_of_a_run_of_marks_is_reported_at_once() {
    let marks = [false, true, true, false, true];
    for (threshold, expected) in [(9, [false, true, false, false, true]), (1, marks)] {
        let mut received = asked(request(threshold, 1));
        for (number, (marked, at_once)) in (0..).zip(marks.into_iter().zip(expected)) {
            let ecn = if marked { EcnCodepoint::Ce } else { EcnCodepoint::Ect0 };
            received.on_packet(at(0), number, true, Some(ecn));
            assert_eq!(received.should_ack_now(), at_once, "{number} with {threshold}");
            acknowledge(&mut received);
        }
    }
}
