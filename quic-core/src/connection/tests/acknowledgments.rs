//! Acknowledgments, delays and probes of whole connections (RFC 9000 §13, RFC 9002 §5, §6).

use std::time::Duration;

use super::Pair;
use super::pair::{deliver, deliver_from, one_sent_by, path, sent_by};
use super::rules::{PING, has_stream_data, next_frames_of_client};
use crate::config::{CongestionAlgorithm, TransportConfig};
use crate::connection::Connection;
use crate::packet::SentFrame;
use crate::streams::ReadOutcome;
use crate::wire::frame::FrameType;
use crate::wire::{Direction, Side, SpaceId, Writer};

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2
//= type=test
//# When sending a packet for any reason, an endpoint SHOULD attempt to
//# include an ACK frame if one has not been sent recently.
//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
//= type=test
//# An endpoint SHOULD send an ACK frame with other frames when there are
//# new ack-eliciting packets to acknowledge.
#[test]
fn whatever_is_sent_carries_an_acknowledgment_along() {
    let mut pair = Pair::confirmed();
    pair.attack(Side::Client, SpaceId::Application, PING);
    assert!(one_sent_by(&mut pair.client, pair.now).is_none(), "one packet can wait");
    let stream = pair.client.open_stream(Direction::Unidirectional).unwrap();
    pair.client.send_stream(stream).write(&[7; 10]).unwrap();
    let frames = next_frames_of_client(&mut pair);
    assert!(frames.contains(&FrameType::ACK.0) && has_stream_data(&frames), "{frames:?}");
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.6
//= type=test
//# ACK frames MUST only be carried in a packet that has the same packet
//# number space as the packet being acknowledged; see Section 12.1.
//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.6
//= type=test
//# For instance, packets that are protected with 1-RTT keys MUST be
//# acknowledged in packets that are also protected with 1-RTT keys.
#[test]
fn acknowledgments_go_in_the_space_of_what_they_acknowledge() {
    let mut pair = Pair::started();
    let _sent = sent_by(&mut pair.server, pair.now);
    let mut acks = |space| {
        let mut number = 0;
        let sent = &mut pair.server.space_mut(space).sent;
        sent.requeue_for_probe(9, |frame| {
            number += u32::from(matches!(frame, SentFrame::Ack { .. }));
        });
        number
    };
    assert_eq!(SpaceId::ALL.map(&mut acks), [1, 0, 0], "only an Initial packet came");
    let mut pair = Pair::confirmed();
    pair.attack(Side::Client, SpaceId::Application, PING);
    pair.attack(Side::Client, SpaceId::Application, PING);
    assert!(next_frames_of_client(&mut pair).contains(&FrameType::ACK.0));
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-5.3
//= type=test
//# To account for this, the endpoint SHOULD ignore max_ack_delay until
//# the handshake is confirmed, as defined in Section 4.1.2 of [QUIC-TLS].
//= https://www.rfc-editor.org/rfc/rfc9002#section-5.3
//= type=test
//# SHOULD ignore the peer's max_ack_delay until the handshake is
//# confirmed;
#[test]
fn a_delay_counts_in_full_until_the_handshake_is_confirmed() {
    let pair = Pair::started();
    let delay = pair.client.peer_ack_delay(SpaceId::Application, 60_000);
    assert_eq!(delay, Duration::from_millis(60 << 3));
    let pair = Pair::confirmed();
    let delay = pair.client.peer_ack_delay(SpaceId::Application, 60_000);
    assert_eq!(delay, Duration::from(pair.client.peer.max_ack_delay));
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.4
//= type=test
//# An endpoint SHOULD include new data in packets that are sent on PTO
//# expiration.
#[test]
fn probes_carry_new_data_along() {
    let mut pair = Pair::confirmed();
    let stream = pair.client.open_stream(Direction::Unidirectional).unwrap();
    pair.client.send_stream(stream).write(&[7; 10]).unwrap();
    assert_eq!(sent_by(&mut pair.client, pair.now).len(), 1);
    let window = pair.client.statistics().congestion_window;
    pair.client.paths.active_mut().on_sent(pair.now, window, true);
    pair.client.send_stream(stream).write(&[8; 10]).unwrap();
    assert!(one_sent_by(&mut pair.client, pair.now).is_none(), "the window is full");
    pair.now = pair.client.recovery.deadline().unwrap();
    pair.client.handle_timeout(pair.now);
    let probe = one_sent_by(&mut pair.client, pair.now).unwrap();
    deliver(&mut pair.server, pair.now, &probe);
    let id = pair.server.accept_stream(Direction::Unidirectional).unwrap();
    let mut data = [0; 40];
    assert_eq!(pair.server.recv_stream(id).read(&mut data), Ok(ReadOutcome::Data(20)));
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.4
//= type=test
//# All probe packets sent on a PTO MUST be ack-eliciting.
#[test]
fn both_probes_say_something_useful_though_only_one_packet_is_in_flight() {
    let mut pair = Pair::confirmed();
    let stream = pair.client.open_stream(Direction::Unidirectional).unwrap();
    pair.client.send_stream(stream).write(&[7; 10]).unwrap();
    assert_eq!(sent_by(&mut pair.client, pair.now).len(), 1);
    pair.now = pair.client.recovery.deadline().unwrap();
    pair.client.handle_timeout(pair.now);
    for _ in 0..2 {
        let frames = next_frames_of_client(&mut pair);
        assert!(has_stream_data(&frames), "{frames:?}");
    }
    assert!(one_sent_by(&mut pair.client, pair.now).is_none());
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
//= type=test
//# In that case, an endpoint MUST NOT send an ack-eliciting frame in all
//# packets that would otherwise be non-ack-eliciting, to avoid an
//# infinite feedback loop of acknowledgments.
//= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.7
//= type=test
//# To avoid a deadlock, a sender SHOULD ensure that other frames are sent
//# periodically in addition to PADDING frames to elicit acknowledgments
//# from the receiver.
#[test]
fn a_receiver_elicits_an_acknowledgment_of_its_own_now_and_then() {
    let mut pair = Pair::confirmed();
    let mut pings = 0;
    for _ in 0..200 {
        for _ in 0..2 {
            pair.attack(Side::Client, SpaceId::Application, PING);
        }
        let frames = next_frames_of_client(&mut pair);
        assert!(frames.contains(&FrameType::ACK.0), "{frames:?}");
        pings += u32::from(frames.contains(&FrameType::PING.0));
    }
    assert!((3..=7).contains(&pings), "{pings} of 200");
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.4
//= type=test
//# In addition to sending data in the packet number space for which the
//# timer expired, the sender SHOULD send ack-eliciting packets from other
//# packet number spaces with in-flight data, coalescing packets if
//# possible.
#[test]
fn a_probe_brings_along_what_other_spaces_have_in_flight() {
    let mut pair = Pair::started();
    let lost = sent_by(&mut pair.server, pair.now);
    assert!(!lost.is_empty());
    pair.now = pair.server.recovery.deadline().unwrap();
    pair.server.handle_timeout(pair.now);
    pair.carry_to_client();
    assert!(!pair.client.is_handshaking(), "one probe timeout repairs the whole flight");
}

#[test]
fn a_peer_cannot_claim_to_have_waited_longer_than_it_said_it_would() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-5.3
    //= type=test
    //# *  MUST use the lesser of the acknowledgment delay and the peer's
    //# max_ack_delay after the handshake is confirmed; and
    let mut pair = Pair::confirmed();
    pair.client.ping();
    let _sent = sent_by(&mut pair.client, pair.now);
    let number = pair.client.space(SpaceId::Application).sent.next_number() - 1;
    pair.now += Duration::from_millis(500);
    let mut ack = [0; 20];
    let mut writer = Writer::new(&mut ack);
    // 60,000 units of 8 µs are nearly all of it; the rest is PADDING.
    for value in [FrameType::ACK.0, number, 60_000, 0, 0] {
        writer.varint(value).unwrap();
    }
    let before = pair.client.statistics().rtt;
    pair.attack(Side::Client, SpaceId::Application, &ack);
    let after = pair.client.statistics().rtt;
    assert!(after > before + Duration::from_millis(50), "{before:?} {after:?}");
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.2
//= type=test
//# When Initial or Handshake keys are discarded, the PTO and loss
//# detection timers MUST be reset, because discarding keys indicates
//# forward progress and the loss detection timer might have been set for
//# a now-discarded packet number space.
#[test]
fn a_client_that_drops_its_initial_keys_waits_no_longer_than_at_first() {
    let mut pair = Pair::started();
    for _ in 0..2 {
        pair.now = pair.client.recovery.deadline().unwrap();
        pair.client.handle_timeout(pair.now);
        let _lost = sent_by(&mut pair.client, pair.now);
    }
    pair.carry_to_client();
    assert_eq!(pair.client.recovery.pto_count(), 2, "its address may not be validated yet");
    assert!(!sent_by(&mut pair.client, pair.now).is_empty());
    assert_eq!(pair.client.recovery.pto_count(), 0);
}

/// A server that samples delivery rates sends while its client is now here, now there, and some of
/// its datagrams are lost.
#[test]
fn the_sampler_of_rates_forgets_every_packet_in_the_end_whatever_way_it_went() {
    let congestion = CongestionAlgorithm::Bbr;
    let of_server = TransportConfig { congestion, ..TransportConfig::default() };
    let home = "192.0.2.1:1000";
    for places in [[home; 3], [home, "192.0.2.1:7", home], [home, "203.0.113.9:1", home]] {
        let mut pair = Pair::confirmed_with(TransportConfig::default(), of_server.clone());
        let id = pair.server.open_stream(Direction::Unidirectional).unwrap();
        let (mut left, mut dropped) = (250_000_usize, 0);
        for round in 0..600_usize {
            if left > 0 {
                let chunk = vec![7; left.min(5000)];
                left -= pair.server.send_stream(id).write(&chunk).unwrap_or(0);
            }
            let place = path(places[(round / 15).min(places.len() - 1)]);
            let flight = sent_by(&mut pair.server, pair.now);
            pair.now += Duration::from_millis(10);
            let is_lost = |number| (number + round) % 9 == 0 && left > 0;
            let arriving = flight.iter().enumerate().filter(|(number, _)| !is_lost(*number));
            let arrived = arriving.map(|(_, it)| deliver(&mut pair.client, pair.now, it)).count();
            dropped += flight.len() - arrived;
            if flight.is_empty() {
                pair.client.ping();
            }
            let answers = sent_by(&mut pair.client, pair.now);
            pair.now += Duration::from_millis(10);
            for datagram in answers {
                deliver_from(&mut pair.server, pair.now, place, &datagram);
            }
            let ends = [&mut pair.client, &mut pair.server].into_iter();
            let is_due =
                |end: &&mut Connection| end.poll_timeout().is_some_and(|at| at <= pair.now);
            ends.filter(is_due).for_each(|end| end.handle_timeout(pair.now));
        }
        assert!(left == 0 && dropped > 5, "{places:?}: {left} left, {dropped} dropped");
        let active = pair.server.paths.active();
        let in_flight = pair.server.space(SpaceId::Application).sent.len();
        let sampled = active.sampled_packets();
        assert!(sampled <= in_flight && sampled < 5, "{places:?}: {sampled} of {in_flight}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2
//= type=test
//# A PTO timer expiration event does not indicate packet loss and MUST
//# NOT cause prior unacknowledged packets to be marked as lost.
#[test]
fn a_probe_timeout_repeats_the_oldest_data_and_takes_nothing_for_lost() {
    let mut pair = Pair::confirmed();
    let id = pair.client.open_stream(Direction::Unidirectional).unwrap();
    pair.client.send_stream(id).write(&[7; 5000]).unwrap();
    let sent = sent_by(&mut pair.client, pair.now);
    let before = pair.client.statistics();
    assert!(before.bytes_in_flight > 5000);
    while pair.client.statistics().probe_timeouts == before.probe_timeouts {
        pair.now = pair.client.poll_timeout().unwrap();
        pair.client.handle_timeout(pair.now);
    }
    let after = pair.client.statistics();
    assert_eq!(after.packets_lost, before.packets_lost);
    assert_eq!(after.bytes_in_flight, before.bytes_in_flight);
    let probes = sent_by(&mut pair.client, pair.now);
    let lengths = |datagrams: &[Vec<u8>]| datagrams.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lengths(&probes), lengths(&sent[..2]));
}
