//! Datagrams (RFC 9221), requests for fewer acknowledgments (draft-ietf-quic-ack-frequency) and
//! reliable resets (draft-ietf-quic-reliable-stream-reset), of whole connections.

use std::time::Duration;

use bytes::Bytes;

use super::Pair;
use super::pair::{DELAY, deliver, error_of, one_sent_by, sent_by};
use crate::config::{AckFrequencyConfig, TransportConfig};
use crate::connection::Connection;
use crate::datagrams::{DatagramOutcome, DatagramReport, OutgoingDatagram, SendDatagramError};
use crate::error::TransportErrorCode;
use crate::event::{DatagramEvent, Event};
use crate::streams::{ReadError, ReadOutcome, ResetAtError};
use crate::wire::transport_parameters::TransportParameters;
use crate::wire::{Direction, Side, SpaceId, VarInt};

fn datagram(data: &[u8]) -> OutgoingDatagram {
    OutgoingDatagram::new(Bytes::copy_from_slice(data))
}

fn received(connection: &mut Connection) -> Vec<Bytes> {
    std::iter::from_fn(|| connection.datagrams().receive()).collect()
}

fn report(connection: &mut Connection) -> Option<(u64, DatagramOutcome)> {
    connection.datagrams().next_report().map(|DatagramReport { id, outcome }| (id, outcome))
}

fn events(connection: &mut Connection) -> Vec<Event> {
    std::iter::from_fn(|| connection.poll_event()).collect()
}

//= https://www.rfc-editor.org/rfc/rfc9221#section-5
//= type=test
//# This frame SHOULD be sent as soon as possible (as determined
//# by factors like congestion control, described below) and MAY be
//# coalesced with other frames.
//= https://www.rfc-editor.org/rfc/rfc9221#section-5
//= type=test
//# When a QUIC endpoint receives a valid DATAGRAM frame, it SHOULD
//# deliver the data to the application immediately, as long as it is
//# able to process the frame and can store the contents in memory.
//= https://www.rfc-editor.org/rfc/rfc9221#section-5
//= type=test
//# Like STREAM frames, DATAGRAM frames contain application data and MUST
//# be protected with either 0-RTT or 1-RTT keys.
//= https://www.rfc-editor.org/rfc/rfc9221#section-6
//= type=test
//# All application data transmitted with the DATAGRAM frame, like the
//# STREAM frame, MUST be protected either by 0-RTT or 1-RTT keys.
//= https://www.rfc-editor.org/rfc/rfc9000#section-12.5
//= type=test
//# All other frame types MUST only be sent in the application data packet
//# number space.
//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# To assist applications in choosing a suitable data block size, the PL is
//# RECOMMENDED to provide a primitive that returns the MPS derived from the
//# PLPMTU to the higher layer using the PL.
//= https://www.rfc-editor.org/rfc/rfc8899#section-4.4
//= type=test
//# To determine the largest data block that can be sent, a PL SHOULD
//# provide applications with a primitive that returns the MPS, derived
//# from the current PLPMTU.
#[test]
fn datagrams_arrive_with_the_next_packet_and_are_reported() {
    let mut pair = Pair::confirmed();
    let longest = pair.client.datagrams().maximum_size().unwrap();
    pair.client.datagrams().send(datagram(b"hello").reported_as(9)).unwrap();
    pair.client.datagrams().send(datagram(&[])).unwrap();
    pair.client.datagrams().send(datagram(&vec![7; longest])).unwrap();
    let sent = sent_by(&mut pair.client, pair.now);
    assert_eq!(sent.len(), 2);
    // A short header: 1-RTT.
    assert!(sent.iter().all(|datagram| datagram[0] & 0x80 == 0));
    let mtu = usize::from(pair.client.statistics().mtu);
    // But for what a longer packet number would take.
    assert!((mtu - 3..=mtu).contains(&sent[1].len()), "the longest fills one");
    for datagram in sent {
        deliver(&mut pair.server, pair.now, &datagram);
    }
    assert!(events(&mut pair.server).contains(&Event::Datagram(DatagramEvent::Readable)));
    let data = received(&mut pair.server);
    assert_eq!(data, [Bytes::from_static(b"hello"), Bytes::new(), vec![7; longest].into()]);
    assert_eq!(report(&mut pair.client), None);
    pair.settle();
    assert!(events(&mut pair.client).contains(&Event::Datagram(DatagramEvent::Reported)));
    assert_eq!(report(&mut pair.client), Some((9, DatagramOutcome::Acknowledged)));
    assert_eq!(report(&mut pair.client), None);
}

#[test]
fn a_datagram_is_never_sent_again_and_its_loss_is_reported() {
    let mut pair = Pair::confirmed();
    pair.client.datagrams().send(datagram(b"lost").reported_as(1)).unwrap();
    assert_eq!(sent_by(&mut pair.client, pair.now).len(), 1);
    pair.now += DELAY;
    // Not even by the probes that it provokes.
    pair.settle();
    assert_eq!(received(&mut pair.server), [] as [Bytes; 0]);
    assert_eq!(report(&mut pair.client), Some((1, DatagramOutcome::Lost)));
    assert!(pair.client.statistics().probe_timeouts > 0);
    assert_eq!(pair.client.statistics().bytes_in_flight, 0);
}

//= https://www.rfc-editor.org/rfc/rfc9221#section-3
//= type=test
//# An endpoint MUST NOT send DATAGRAM frames until it has received the
//# max_datagram_frame_size transport parameter with a non-zero value
//# during the handshake (or during a previous handshake if 0-RTT is
//# used).  An endpoint MUST NOT send DATAGRAM frames that are larger
//# than the max_datagram_frame_size value it has received from its peer.
#[test]
fn a_peer_gets_no_datagrams_that_it_does_not_take() {
    let mut pair = Pair::started();
    let too_early = pair.client.datagrams().send(datagram(b"x"));
    assert_eq!(too_early, Err(SendDatagramError::Unsupported));
    for (limit, expected) in
        [(0, Err(SendDatagramError::Unsupported)), (100, Err(SendDatagramError::TooLarge(97)))]
    {
        let server =
            TransportConfig { max_datagram_frame_size: limit, ..TransportConfig::default() };
        let mut pair = Pair::confirmed_with(TransportConfig::default(), server);
        assert_eq!(pair.client.datagrams().maximum_size(), (limit > 0).then_some(97));
        assert_eq!(pair.client.datagrams().send(datagram(&[0; 98])), expected);
        if limit > 0 {
            pair.client.datagrams().send(datagram(&[0; 97])).unwrap();
            pair.settle();
            assert_eq!(received(&mut pair.server).len(), 1);
        }
        assert!(error_of_any(&pair).is_none());
    }
}

fn error_of_any(pair: &Pair) -> Option<TransportErrorCode> {
    error_of(&pair.server).or(error_of(&pair.client))
}

//= https://www.rfc-editor.org/rfc/rfc9221#section-3
//= type=test
//# Similarly, an endpoint
//# that receives a DATAGRAM frame that is larger than the value it sent
//# in its max_datagram_frame_size transport parameter MUST terminate the
//# connection with an error of type PROTOCOL_VIOLATION.
#[test]
fn a_datagram_frame_longer_than_announced_is_a_violation() {
    let config = TransportConfig { max_datagram_frame_size: 50, ..TransportConfig::default() };
    // The type counts, and so does the length.
    for (frame, taken) in [
        ([&[0x30][..], &[7; 49]].concat(), true),
        ([&[0x30][..], &[7; 50]].concat(), false),
        ([&[0x31, 48][..], &[7; 48]].concat(), true),
        ([&[0x31, 49][..], &[7; 49]].concat(), false),
        ([&[0x31, 0x40, 48][..], &[7; 48]].concat(), false),
    ] {
        let mut pair = Pair::confirmed_with(TransportConfig::default(), config.clone());
        pair.attack(Side::Server, SpaceId::Application, &frame);
        let expected = (!taken).then_some(TransportErrorCode::PROTOCOL_VIOLATION);
        assert_eq!(error_of(&pair.server), expected, "{} bytes", frame.len());
    }
}

//= https://www.rfc-editor.org/rfc/rfc9221#section-5.4
//= type=test
//# The sender MUST either delay sending the frame until
//# the controller allows it or drop the frame without sending it (at
//# which point it MAY notify the application).
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.21
//= type=test
//# Extension frames MUST be congestion controlled and MUST cause an ACK
//# frame to be sent.
#[test]
fn datagrams_wait_for_the_congestion_window() {
    let mut pair = Pair::confirmed();
    let window = pair.client.statistics().congestion_window;
    for _ in 0..100 {
        pair.client.datagrams().send(datagram(&[7; 1000])).unwrap();
    }
    let sent: usize = sent_by(&mut pair.client, pair.now).iter().map(Vec::len).sum();
    assert!(sent as u64 <= window, "{sent} bytes of {window}");
    assert!(pair.client.wants_transmit());
    let in_flight = pair.client.statistics().bytes_in_flight;
    assert!(in_flight >= window / 2);
    // Acknowledgments do not wait, and take none along.
    pair.attack(Side::Client, SpaceId::Application, &[0x01]);
    pair.attack(Side::Client, SpaceId::Application, &[0x01]);
    assert_eq!(sent_by(&mut pair.client, pair.now).len(), 1);
    assert_eq!(pair.client.statistics().bytes_in_flight, in_flight);
}

//= https://www.rfc-editor.org/rfc/rfc9221#section-5.1
//= type=test
//# QUIC implementations SHOULD present an API to applications to assign
//# relative priorities to DATAGRAM frames with respect to each other and
//# to QUIC streams.
#[test]
fn datagrams_and_streams_share_by_priority_and_neither_starves_the_other() {
    for (priority, streams, datagrams) in [(0, 2..9, 2..9), (1, 0..2, 7..12), (-1, 7..12, 0..2)] {
        let mut pair = Pair::confirmed();
        let longest = pair.client.datagrams().maximum_size().unwrap();
        let id = pair.client.open_stream(Direction::Unidirectional).unwrap();
        pair.client.send_stream(id).write(&vec![7; 100_000]).unwrap();
        for _ in 0..50 {
            let datagram = datagram(&vec![7; longest]).with_priority(priority);
            pair.client.datagrams().send(datagram).unwrap();
        }
        for _ in 0..8 {
            // An ACK in every packet leaves no room for the longest datagram.
            pair.server.ping();
            let ping = one_sent_by(&mut pair.server, pair.now).unwrap();
            deliver(&mut pair.client, pair.now, &ping);
            let Some(datagram) = one_sent_by(&mut pair.client, pair.now) else { break };
            deliver(&mut pair.server, pair.now, &datagram);
        }
        for datagram in sent_by(&mut pair.client, pair.now) {
            deliver(&mut pair.server, pair.now, &datagram);
        }
        let of_datagrams = received(&mut pair.server).len();
        let mut of_streams = 0;
        if let Some(id) = pair.server.accept_stream(Direction::Unidirectional) {
            let mut stream = pair.server.recv_stream(id);
            while let Ok(ReadOutcome::Data(data)) = stream.read_chunk(usize::MAX) {
                of_streams += data.len();
            }
        }
        let packets = of_streams / longest;
        assert!(datagrams.contains(&of_datagrams), "{priority}: {of_datagrams} datagrams");
        assert!(streams.contains(&packets), "{priority}: {packets} packets of the stream");
    }
}

//= https://www.rfc-editor.org/rfc/rfc9221#section-5.2
//= type=test
//# Receivers SHOULD support
//# delaying ACK frames (within the limits specified by max_ack_delay) in
//# response to receiving packets that only contain DATAGRAM frames,
//# since the sender takes no action if these packets are temporarily
//# unacknowledged.
#[test]
fn a_datagram_is_acknowledged_but_not_at_once() {
    let mut pair = Pair::confirmed();
    pair.client.datagrams().send(datagram(b"x")).unwrap();
    pair.carry_to_server();
    assert!(sent_by(&mut pair.server, pair.now).is_empty());
    let at = pair.server.poll_timeout().unwrap();
    assert!(at <= pair.now + Duration::from_millis(25));
    pair.server.handle_timeout(at);
    assert_eq!(sent_by(&mut pair.server, at).len(), 1);
}

//= https://www.rfc-editor.org/rfc/rfc9221#section-3
//= type=test
//# For most uses of DATAGRAM frames, it is RECOMMENDED to send a value of
//# 65535 in the max_datagram_frame_size transport parameter to indicate
//# that this endpoint will accept any DATAGRAM frame that fits inside a
//# QUIC packet.
#[test]
fn a_flood_of_datagrams_is_bounded_and_no_attack() {
    let config = TransportConfig { datagram_receive_count: 7, ..TransportConfig::default() };
    let mut pair = Pair::confirmed_with(TransportConfig::default(), config);
    for _ in 0..40_000 {
        let datagram = pair.client.forge(SpaceId::Application, b"\x31\x01x\x30data");
        deliver(&mut pair.server, pair.now, &datagram);
        let _acks = sent_by(&mut pair.server, pair.now);
    }
    assert_eq!(error_of(&pair.server), None);
    assert_eq!(received(&mut pair.server).len(), 7);
}

#[test]
fn an_expired_datagram_is_not_sent() {
    let mut pair = Pair::confirmed();
    let soon = pair.now + DELAY;
    pair.client.datagrams().send(datagram(b"x").expiring(soon).reported_as(3)).unwrap();
    assert!(sent_by(&mut pair.client, soon).is_empty());
    assert_eq!(report(&mut pair.client), Some((3, DatagramOutcome::Expired)));
    assert!(!pair.client.wants_transmit());
}

#[test]
fn a_datagram_that_expires_while_nothing_can_be_sent_is_reported_in_time() {
    let mut pair = Pair::confirmed();
    let soon = pair.now + DELAY;
    pair.client.datagrams().send(datagram(b"x").expiring(soon).reported_as(3)).unwrap();
    assert_eq!(pair.client.poll_timeout(), Some(soon));
    pair.client.handle_timeout(soon);
    assert_eq!(report(&mut pair.client), Some((3, DatagramOutcome::Expired)));
    assert!(pair.client.poll_timeout().is_none_or(|at| at > soon));
}

#[test]
fn what_arrived_before_the_peer_closed_can_be_read() {
    let mut pair = Pair::confirmed();
    pair.client.datagrams().send(datagram(b"last")).unwrap();
    pair.carry_to_server();
    let now = pair.now;
    pair.client.close(now, VarInt::default(), Bytes::new());
    assert_eq!(
        pair.client.datagrams().send(datagram(b"x")),
        Err(SendDatagramError::ConnectionOver)
    );
    pair.carry_to_server();
    assert!(pair.server.is_over());
    assert_eq!(received(&mut pair.server), ["last"]);
}

/// Both ends ask for fewer acknowledgments where that is worth while.
fn asking() -> TransportConfig {
    TransportConfig {
        ack_frequency: Some(AckFrequencyConfig { acks_per_window: 2, maximum_threshold: 64 }),
        ..TransportConfig::default()
    }
}

/// Lets the client send 400 kB; returns how many packets the server sent.
fn transfer(pair: &mut Pair) -> u64 {
    let before = pair.server.statistics().packets_sent;
    let id = pair.client.open_stream(Direction::Unidirectional).unwrap();
    assert_eq!(pair.client.send_stream(id).write(&vec![7; 200_000]), Ok(200_000));
    pair.client.send_stream(id).finish().unwrap();
    for _ in 0..2000 {
        // One by one, so that nothing is acknowledged as a batch.
        while let Some(datagram) = one_sent_by(&mut pair.client, pair.now) {
            deliver(&mut pair.server, pair.now, &datagram);
            for ack in sent_by(&mut pair.server, pair.now) {
                deliver(&mut pair.client, pair.now, &ack);
            }
        }
        pair.now += Duration::from_millis(1);
        pair.client.handle_timeout(pair.now);
        pair.server.handle_timeout(pair.now);
    }
    assert!(pair.client.is_flushed());
    pair.server.statistics().packets_sent - before
}

#[test]
fn a_bulk_sender_that_asks_for_it_gets_fewer_acknowledgments() {
    let mut usual = Pair::confirmed();
    let mut pair = Pair::confirmed_with(asking(), TransportConfig::default());
    let (many, few) = (transfer(&mut usual), transfer(&mut pair));
    assert!(few < many * 3 / 4, "{few} packets instead of {many}");
    assert_eq!(pair.client.statistics().packets_lost, 0);
    let delay = Duration::from(pair.client.peer.max_ack_delay);
    assert!(delay < Duration::from_millis(25), "{delay:?}, after which probes are sent sooner");
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-3
//= type=test
//# An endpoint's min_ack_delay MUST NOT be greater than its
//# max_ack_delay.
#[test]
fn the_shortest_delay_announced_is_not_above_the_longest() {
    for max_ack_delay in [Duration::ZERO, Duration::from_micros(1), Duration::from_millis(25)] {
        let config = TransportConfig { max_ack_delay, ..TransportConfig::default() };
        let parameters =
            crate::connection::parameters::local_parameters(&config, crate::ConnectionId::EMPTY);
        assert!(parameters.min_ack_delay.unwrap() <= parameters.max_ack_delay * 1000);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-19.21
//= type=test
//# An extension to QUIC that wishes to use a new type of frame MUST first
//# ensure that a peer is able to understand the frame.
#[test]
fn a_peer_that_does_not_understand_extensions_gets_none_of_them() {
    let mut pair = Pair::confirmed_with(asking(), TransportConfig::default());
    pair.client.ack_frequency = None;
    let old = TransportParameters {
        initial_max_data: 1 << 20,
        initial_max_stream_data_uni: 1 << 20,
        initial_max_streams_uni: 9,
        ..TransportParameters::default()
    };
    let now = pair.now;
    pair.client.take_peer_parameters(now, &old).unwrap();
    assert!(pair.client.ack_frequency.is_none());
    assert_eq!(pair.client.datagrams().maximum_size(), None);
    let id = pair.client.open_stream(Direction::Unidirectional).unwrap();
    pair.client.send_stream(id).write(&[7; 10]).unwrap();
    let refused = pair.client.send_stream(id).reset_at(VarInt::default(), 5);
    assert_eq!(refused, Err(ResetAtError::Unsupported));
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-4
//= type=test
//# RESET_STREAM_AT frames are ack-eliciting, and MUST only be sent in
//# the application data packet number space.
#[test]
fn a_reliable_reset_arrives_behind_the_data_that_it_promises() {
    let mut pair = Pair::confirmed();
    let id = pair.client.open_stream(Direction::Unidirectional).unwrap();
    pair.client.send_stream(id).write(&[7; 5000]).unwrap();
    pair.client.send_stream(id).reset_at(VarInt::from_u32(9), 3000).unwrap();
    let sent = sent_by(&mut pair.client, pair.now);
    // A short header: 1-RTT.
    assert!(sent.iter().all(|datagram| datagram[0] & 0x80 == 0));
    // All of it is lost.
    pair.now += DELAY;
    pair.settle();
    let id = pair.server.accept_stream(Direction::Unidirectional).unwrap();
    let mut all = Vec::new();
    let end = loop {
        match pair.server.recv_stream(id).read_chunk(usize::MAX) {
            Ok(ReadOutcome::Data(data)) => all.extend_from_slice(&data),
            other => break other,
        }
    };
    assert_eq!(end, Err(ReadError::Reset(VarInt::from_u32(9))));
    assert_eq!(all, vec![7; 3000]);
    assert!(pair.client.is_flushed());
}
