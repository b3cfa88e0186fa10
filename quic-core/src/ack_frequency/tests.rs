use std::collections::VecDeque;

use super::*;
use crate::wire::frame::{Frame as AnyFrame, Frames};

const NOW: Instant = Instant::from_nanos(1_000_000_000);
const RTT: Duration = Duration::from_millis(40);
const MS: Duration = Duration::from_millis(1);

fn sender() -> AckFrequency {
    AckFrequency::new(AckFrequencyConfig::default(), MS, 25 * MS)
}

fn observed(packets: u64) -> Observed {
    Observed {
        congestion_window: packets * 1200,
        mtu: 1200,
        smoothed_rtt: RTT,
        packet_threshold: 3,
    }
}

fn packet(sender: &mut AckFrequency, now: Instant, probe: bool) -> (Vec<Frame>, Vec<SentFrame>) {
    let (mut payload, mut ring) = ([0; 100], VecDeque::new());
    let mut packet = PacketWriter::new(&mut payload, &mut ring);
    sender.write_frames(now, RTT, probe, &mut packet).unwrap();
    let length = packet.length();
    let frames = Frames::new(&payload[..length]).filter_map(|frame| {
        let frame = frame.unwrap();
        if let AnyFrame::AckFrequency(frame) = frame {
            return Some(frame);
        }
        assert_eq!(frame, AnyFrame::ImmediateAck);
        None
    });
    (frames.collect(), ring.into())
}

/// What is asked for at once after this was observed.
fn asked(sender: &mut AckFrequency, now: Instant, observed: &Observed) -> Option<Frame> {
    sender.update(now, observed);
    assert_eq!(sender.has_frames(), sender.pending.is_some());
    packet(sender, now, false).0.pop()
}

#[test]
fn a_small_window_is_no_reason_to_ask_for_anything() {
    let mut sender = sender();
    assert_eq!(asked(&mut sender, NOW, &observed(15)), None);
    assert_eq!(sender.max_ack_delay(), 25 * MS);
    assert_eq!(packet(&mut sender, NOW, true), (vec![], vec![]), "not even in a probe");
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-9
//= type=test
//# In order to avoid unnecessary immediate acknowledgements, senders
//# SHOULD implement adaptive packet threshold loss detection and
//# communicate the increased Reordering Threshold value to the receiver.
#[test]
fn a_large_window_asks_for_acknowledgments_by_window_round_trip_and_loss_detection() {
    let mut sender = sender();
    let first = asked(&mut sender, NOW, &observed(80)).unwrap();
    let expected =
        Frame { sequence: 0, threshold: 10, max_ack_delay: 10_000, reordering_threshold: 3 };
    assert_eq!(first, expected);
    // Not more than once in a round trip, nor for little.
    let larger = Observed { packet_threshold: 7, ..observed(10_000) };
    assert_eq!(asked(&mut sender, NOW + RTT - MS, &larger), None);
    let little = Observed { smoothed_rtt: RTT + 8 * MS, ..observed(110) };
    assert_eq!(asked(&mut sender, NOW + RTT, &little), None);
    let second = asked(&mut sender, NOW + RTT, &larger).unwrap();
    assert_eq!((second.sequence, second.threshold, second.reordering_threshold), (1, 64, 7));
    // Bounds of the delay are those of the peer.
    let slow = Observed { smoothed_rtt: 1000 * MS, ..larger };
    assert_eq!(asked(&mut sender, NOW + 2 * RTT, &slow).unwrap().max_ack_delay, 25_000);
    let fast = Observed { smoothed_rtt: MS, ..larger };
    assert_eq!(asked(&mut sender, NOW + 3 * RTT, &fast).unwrap().max_ack_delay, 1000);
    let small = Observed { smoothed_rtt: MS, ..observed(2) };
    assert_eq!(asked(&mut sender, NOW + 4 * RTT, &small).unwrap().threshold, 1);
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-7
//= type=test
//# Until the packet carrying the ACK_FREQUENCY frame is acknowledged,
//# the endpoint MUST use the greater of the current max_ack_delay and
//# the value that is in flight when computing the PTO period.
//= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-7
//= type=test
//# When using max_ack_delay for PTO
//# computations, endpoints MUST use the maximum of the current value and
//# all those in flight.
#[test]
fn the_longest_delay_that_the_peer_may_use_counts() {
    let mut sender = sender();
    let rtts = [40, 100, 60].map(|ms| Observed { smoothed_rtt: ms * MS, ..observed(80) });
    for (number, observed) in (0..).zip(rtts) {
        asked(&mut sender, NOW + number * RTT, &observed).unwrap();
        assert_eq!(sender.max_ack_delay(), 25 * MS, "nothing is known of {number} requests");
    }
    sender.on_acked(0, 10 * MS);
    assert_eq!(sender.max_ack_delay(), 25 * MS, "the second may be in force");
    sender.on_acked(2, 15 * MS);
    assert_eq!(sender.max_ack_delay(), 15 * MS);
    sender.on_acked(1, 25 * MS);
    assert_eq!(sender.max_ack_delay(), 15 * MS, "an obsolete one is ignored by the peer");
    let slower = Observed { smoothed_rtt: 80 * MS, ..observed(80) };
    asked(&mut sender, NOW + 9 * RTT, &slower).unwrap();
    assert_eq!(sender.max_ack_delay(), 20 * MS);
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-4
//= type=test
//# A sending endpoint MUST send
//# monotonically increasing values in the Sequence Number field to
//# allow obsolete ACK_FREQUENCY frames to be ignored when packets are
//# processed out of order.
#[test]
fn a_lost_request_is_sent_anew_with_the_next_number_unless_there_was_a_later_one() {
    let mut sender = sender();
    let first = asked(&mut sender, NOW, &observed(80)).unwrap();
    sender.on_lost(0);
    let (again, _) = packet(&mut sender, NOW, false);
    assert_eq!(again, [Frame { sequence: 1, ..first }]);
    sender.on_lost(0);
    assert!(!sender.has_frames());
    sender.on_acked(1, 10 * MS);
    sender.on_lost(1);
    assert!(!sender.has_frames());
}

#[test]
fn a_probe_asks_a_peer_that_was_told_to_wait_to_answer_at_once() {
    let mut sender = sender();
    asked(&mut sender, NOW, &observed(80)).unwrap();
    assert_eq!(packet(&mut sender, NOW, false).1, []);
    assert_eq!(packet(&mut sender, NOW, true).1, [SentFrame::ImmediateAck]);
}

#[test]
fn on_a_new_path_everything_is_asked_for_anew() {
    let mut sender = sender();
    sender.on_path_changed();
    assert_eq!(asked(&mut sender, NOW, &observed(10)), None, "nothing was asked for");
    asked(&mut sender, NOW, &observed(80)).unwrap();
    sender.on_path_changed();
    assert!(asked(&mut sender, NOW + MS, &observed(80)).is_some());
    assert_eq!(asked(&mut sender, NOW + 2 * RTT, &observed(80)), None);
}
