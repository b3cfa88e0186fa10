use std::collections::VecDeque;
use std::time::Duration;

use super::*;
use crate::wire::frame::{Frame, Frames};

const NOW: Instant = Instant::from_nanos(1_000_000_000);

fn small() -> Datagrams {
    Datagrams::new(&TransportConfig {
        datagram_receive_bytes: 10,
        datagram_receive_count: 3,
        datagram_send_bytes: 10,
        datagram_send_count: 3,
        ..TransportConfig::default()
    })
}

fn datagram(data: &'static [u8]) -> OutgoingDatagram {
    OutgoingDatagram::new(Bytes::from_static(data))
}

/// A packet with `room` bytes of payload; the data of its datagrams, and its payload.
fn packet(datagrams: &mut Datagrams, room: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
    packet_at(datagrams, NOW, room, 1000)
}

fn packet_at(
    datagrams: &mut Datagrams,
    now: Instant,
    room: usize,
    maximum: usize,
) -> (Vec<Vec<u8>>, Vec<u8>) {
    let (mut payload, mut ring) = (vec![0xee; room], VecDeque::new());
    let mut packet = PacketWriter::new(&mut payload, &mut ring);
    let written = datagrams.write_frames(now, Some(maximum), &mut packet);
    assert_eq!(written.is_err(), datagrams.has_frames(), "full if something is left");
    let length = packet.length();
    payload.truncate(length);
    let data = Frames::new(&payload).filter_map(|frame| {
        let frame = frame.unwrap();
        if let Frame::Datagram(frame) = frame {
            return Some(frame.data.to_vec());
        }
        assert_eq!(frame, Frame::Padding);
        None
    });
    let data = data.collect();
    (data, payload)
}

fn reports(datagrams: &mut Datagrams) -> Vec<(u64, DatagramOutcome)> {
    let next = || datagrams.next_report().map(|report| (report.id, report.outcome));
    std::iter::from_fn(next).collect()
}

#[test]
fn datagrams_leave_in_order_and_higher_priorities_first() {
    let mut datagrams = small();
    for (priority, data) in [(0, b"a"), (1, b"b"), (0, b"c")] {
        datagrams.send(datagram(data).with_priority(priority), false).unwrap();
    }
    assert_eq!(packet(&mut datagrams, 100).0, [b"b", b"a", b"c"]);
    assert!(!datagrams.has_frames());
}

#[test]
fn a_full_queue_to_send_refuses_or_drops_the_oldest_of_the_lowest_priority() {
    let mut datagrams = small();
    for (priority, data) in [(0, b"1"), (0, b"2"), (5, b"3")] {
        let id = u64::from(data[0]);
        datagrams.send(datagram(data).with_priority(priority).reported_as(id), false).unwrap();
    }
    assert_eq!(datagrams.send(datagram(b"4"), false), Err(SendDatagramError::Blocked));
    datagrams.send(datagram(b"4"), true).unwrap();
    assert_eq!(reports(&mut datagrams), [(u64::from(b'1'), DatagramOutcome::Replaced)]);
    // Ten bytes are full, too.
    datagrams.send(datagram(b"123456789"), true).unwrap();
    assert_eq!(reports(&mut datagrams), [(u64::from(b'2'), DatagramOutcome::Replaced)]);
    // What is less important than all that waits goes itself.
    datagrams.send(datagram(b"low").with_priority(-1).reported_as(7), true).unwrap();
    assert_eq!(reports(&mut datagrams), [(7, DatagramOutcome::Replaced)]);
    assert_eq!(packet(&mut datagrams, 100).0, [&b"3"[..], b"123456789"]);
    let long = datagrams.send(datagram(b"12345678901"), true);
    assert_eq!(long, Err(SendDatagramError::TooLarge(10)));
}

#[test]
fn room_is_announced_once_when_half_of_the_queue_is_free() {
    let mut datagrams = small();
    for _ in 0..3 {
        datagrams.send(datagram(b"123"), false).unwrap();
    }
    assert_eq!(datagrams.poll_event(), None);
    assert_eq!(datagrams.send(datagram(b"123"), false), Err(SendDatagramError::Blocked));
    assert_eq!(datagrams.poll_event(), None);
    assert_eq!(packet(&mut datagrams, 12).0.len(), 2);
    assert_eq!(datagrams.poll_event(), Some(DatagramEvent::Writable));
    assert_eq!(datagrams.poll_event(), None);
}

#[test]
fn what_expired_or_fits_no_more_is_dropped_and_reported() {
    let mut datagrams = small();
    datagrams.send(datagram(b"late").expiring(NOW).reported_as(1), false).unwrap();
    let soon = NOW + Duration::from_nanos(1);
    datagrams.send(datagram(b"soon").expiring(soon).reported_as(2), false).unwrap();
    assert_eq!(packet(&mut datagrams, 100).0, [b"soon"]);
    datagrams.send(datagram(b"12345").reported_as(3), false).unwrap();
    assert_eq!(packet_at(&mut datagrams, NOW, 100, 4).0, [] as [Vec<u8>; 0]);
    assert_eq!(datagrams.poll_event(), Some(DatagramEvent::Reported));
    assert_eq!(datagrams.poll_event(), None);
    let expected = [(1, DatagramOutcome::Expired), (3, DatagramOutcome::TooLarge)];
    assert_eq!(reports(&mut datagrams), expected);
}

#[test]
fn what_fits_without_a_length_only_reaches_the_end_of_its_packet() {
    for room in 6..10 {
        let mut datagrams = small();
        datagrams.send(datagram(b"12345"), false).unwrap();
        let (data, payload) = packet(&mut datagrams, room);
        assert_eq!(data, [b"12345"], "in {room} bytes");
        assert_eq!(payload.len(), room.min(7));
    }
    let mut datagrams = small();
    datagrams.send(datagram(b"12345"), false).unwrap();
    assert_eq!(packet(&mut datagrams, 5).0.len(), 0);
}

#[test]
fn equals_take_turns_with_streams_and_others_do_not() {
    let mut datagrams = small();
    assert!(!datagrams.go_first(None), "there is none");
    for _ in 0..3 {
        datagrams.send(datagram(b"x"), false).unwrap();
    }
    assert!(datagrams.go_first(None));
    for _ in 0..3 {
        assert!(datagrams.go_first(Some(0)));
        assert!(datagrams.go_first(Some(0)), "it is their turn until one fits");
        packet(&mut datagrams, 3);
        if datagrams.has_frames() {
            assert!(!datagrams.go_first(Some(0)), "after one, it is the streams' turn");
        }
    }
    datagrams.send(datagram(b"x").with_priority(1), false).unwrap();
    for _ in 0..2 {
        assert!(datagrams.go_first(Some(0)));
        assert!(!datagrams.go_first(Some(2)));
    }
}

#[test]
fn a_full_queue_to_read_drops_the_oldest() {
    let mut datagrams = small();
    for data in [&b"1"[..], b"2", b"3", b"4"] {
        datagrams.on_received(data);
    }
    datagrams.on_received(&[0; 11]);
    assert_eq!(datagrams.receive().unwrap(), "2");
    datagrams.on_received(b"123456789");
    assert_eq!(datagrams.receive().unwrap(), "4");
    datagrams.on_received(b"");
    assert_eq!(datagrams.receive().unwrap(), "123456789");
    assert_eq!(datagrams.receive().unwrap(), "");
    assert_eq!(datagrams.receive(), None);
}

#[test]
fn arrivals_are_announced_once_until_a_read_finds_nothing() {
    let mut datagrams = small();
    datagrams.on_received(b"1");
    assert_eq!(datagrams.poll_event(), Some(DatagramEvent::Readable));
    datagrams.on_received(b"2");
    assert_eq!(datagrams.poll_event(), None);
    while datagrams.receive().is_some() {}
    datagrams.on_received(b"3");
    assert_eq!(datagrams.poll_event(), Some(DatagramEvent::Readable));
}

#[test]
fn reports_that_nobody_reads_are_bounded() {
    let mut datagrams = small();
    for id in 0..=MAX_REPORTS as u64 {
        datagrams.on_lost(Some(id));
    }
    datagrams.on_acked(None);
    let reports = reports(&mut datagrams);
    assert_eq!(reports.len(), MAX_REPORTS);
    assert_eq!(reports[0], (1, DatagramOutcome::Lost));
}

#[test]
fn the_maximum_size_leaves_room_for_the_frame() {
    assert_eq!(maximum_size(1000, 0), None);
    assert_eq!(maximum_size(1000, u16::MAX), Some(999));
    assert_eq!(maximum_size(1000, 100), Some(97));
    assert_eq!(maximum_size(1000, 1), None);
    assert_eq!(maximum_size(1000, 2), Some(0));
    for limit in 2..300 {
        let size = maximum_size(1000, limit).unwrap();
        let frame = Frame::Datagram(crate::wire::frame::Datagram {
            data: &vec![0; size],
            length_bytes: varint_length(size as u64),
        });
        let Frame::Datagram(frame) = frame else { panic!() };
        assert!(frame.size() <= u64::from(limit), "{limit}");
    }
}

#[test]
fn after_the_end_nothing_is_sent_and_what_arrived_is_there_if_it_may_be() {
    for readable in [true, false] {
        let mut datagrams = small();
        datagrams.on_received(b"1");
        datagrams.send(datagram(b"x"), false).unwrap();
        datagrams.on_connection_over(readable);
        assert!(!datagrams.has_frames());
        datagrams.on_received(b"2");
        assert_eq!(datagrams.receive().is_some(), readable);
        assert_eq!(datagrams.receive(), None);
        let again = datagrams.send(datagram(b"x"), false);
        assert_eq!(again, Err(SendDatagramError::ConnectionOver));
    }
}

//= https://www.rfc-editor.org/rfc/rfc9221#section-3
//= type=test
//# An endpoint MUST NOT send DATAGRAM frames until it has received the
//# max_datagram_frame_size transport parameter with a non-zero value
//# during the handshake (or during a previous handshake if 0-RTT is
//# used).
#[test]
fn a_peer_that_receives_no_datagrams_any_more_gets_not_even_empty_ones() {
    let mut datagrams = small();
    for data in [&b""[..], b"1"] {
        datagrams.send(datagram(data).reported_as(1), false).unwrap();
    }
    let (mut payload, mut ring) = (vec![0; 100], VecDeque::new());
    let mut packet = PacketWriter::new(&mut payload, &mut ring);
    datagrams.write_frames(NOW, None, &mut packet).unwrap();
    assert_eq!(packet.length(), 0);
    assert_eq!(reports(&mut datagrams), [(1, DatagramOutcome::TooLarge); 2]);
}

#[test]
fn what_expires_leaves_when_its_time_comes_though_nothing_can_be_sent() {
    let mut datagrams = small();
    let at = |nanos| NOW + Duration::from_nanos(nanos);
    datagrams.send(datagram(b"12345").expiring(at(2)).reported_as(1), false).unwrap();
    datagrams.send(datagram(b"6").with_priority(1), false).unwrap();
    datagrams.send(datagram(b"789").expiring(at(1)).reported_as(2), false).unwrap();
    assert_eq!(datagrams.deadline(), Some(at(1)));
    assert_eq!(datagrams.send(datagram(b"10"), false), Err(SendDatagramError::Blocked));
    datagrams.handle_timeout(NOW);
    assert_eq!(datagrams.deadline(), Some(at(1)));
    assert_eq!(datagrams.poll_event(), None);
    datagrams.handle_timeout(at(1));
    assert_eq!(datagrams.deadline(), Some(at(2)));
    datagrams.handle_timeout(at(3));
    assert_eq!(datagrams.deadline(), None);
    let events: Vec<_> = std::iter::from_fn(|| datagrams.poll_event()).collect();
    assert_eq!(events, [DatagramEvent::Writable, DatagramEvent::Reported]);
    let expired = DatagramOutcome::Expired;
    assert_eq!(reports(&mut datagrams), [(2, expired), (1, expired)]);
    assert_eq!(packet(&mut datagrams, 100).0, [b"6"]);
    // What was sent in time leaves no deadline behind.
    datagrams.send(datagram(b"a").expiring(at(9)), false).unwrap();
    assert_eq!(packet(&mut datagrams, 100).0, [b"a"]);
    assert_eq!(datagrams.deadline(), None);
}
