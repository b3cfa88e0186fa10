//! What is sent, where there is room for it, and what is forgotten of it.

use super::Pair;
use super::pair::{deliver, one_sent_by, sampled, sent_by};
use crate::config::{CongestionAlgorithm, TransportConfig};
use crate::connection::seal::{Place, Scope};
use crate::crypto::TAG_LENGTH;
use crate::ids::RemoteIds;
use crate::net::SocketId;
use crate::transmit::TransmitBuffer;
use crate::wire::{ConnectionId, Direction, SpaceId};

#[test]
fn a_probe_that_did_not_leave_is_given_up_by_the_delivery_rate_too() {
    let of_server =
        TransportConfig { congestion: CongestionAlgorithm::Bbr, ..TransportConfig::default() };
    let mut pair = Pair::started_with(TransportConfig::default(), of_server);
    pair.carry_to_client();
    pair.carry_to_server();
    pair.server.datagrams();
    let before = sampled(&pair.server);
    let probe = one_sent_by(&mut pair.server, pair.now).unwrap();
    assert!(probe.len() > 1200);
    assert_eq!(sampled(&pair.server), before + 1);
    pair.server.handle_too_large(pair.now, probe.len());
    assert_eq!(sampled(&pair.server), before);
}

/// The largest datagram that the server sends after it wrote so much.
fn largest_after(written: usize) -> usize {
    let mut pair = Pair::confirmed();
    let stream = pair.server.open_stream(Direction::Unidirectional).unwrap();
    pair.server.send_stream(stream).write(&vec![7; written]).unwrap();
    let mut lengths = Vec::new();
    for _ in 0..3 {
        let sent = sent_by(&mut pair.server, pair.now);
        lengths.extend(sent.iter().map(Vec::len));
        for datagram in &sent {
            deliver(&mut pair.client, pair.now, datagram);
        }
        pair.carry_to_server();
    }
    lengths.into_iter().max().unwrap()
}

#[test]
fn larger_datagrams_are_looked_for_once_there_is_a_use_for_them() {
    assert!(largest_after(1000) <= 1200, "a probe of a connection that does little");
    assert_eq!(largest_after(1200), 1452);
}

#[test]
fn full_datagrams_are_of_whole_blocks_of_the_aead_where_that_costs_little() {
    let lengths: Vec<u16> = (1300..1317).collect();
    let full: Vec<u16> = lengths
        .iter()
        .map(|mtu| {
            let transport = TransportConfig {
                initial_mtu: *mtu,
                max_mtu: *mtu,
                pacing: false,
                ..TransportConfig::default()
            };
            let mut pair = Pair::confirmed_with(transport.clone(), transport);
            let id = pair.client.open_stream(Direction::Unidirectional).unwrap();
            pair.client.send_stream(id).write(&[7; 10_000]).unwrap();
            let sent = sent_by(&mut pair.client, pair.now);
            let full = u16::try_from(sent[0].len()).unwrap();
            let header = 1 + pair.client.remote_ids.active().length() + 1;
            let left_over = (usize::from(full) - header - TAG_LENGTH) % 16;
            assert!(left_over == 0 || left_over > 4 && full == *mtu, "{full} of {mtu}");
            assert!(sent[1..].iter().all(|other| other.len() <= sent[0].len()));
            mtu - full
        })
        .collect();
    assert_eq!(full.iter().filter(|spared| **spared > 0).count(), 4, "{full:?}");
    assert_eq!(full.iter().max(), Some(&4), "{full:?}");
}

#[test]
fn no_room_is_so_small_that_a_packet_in_it_ends_the_connection() {
    let mut pair = Pair::answered();
    let client = &mut pair.client;
    let long = ConnectionId::new(&[7; ConnectionId::MAXIMUM_LENGTH]).unwrap();
    client.remote_ids = RemoteIds::new(long);
    client.ids_seen.local_source = long;
    let mut memory = [0; 200];
    for space in SpaceId::ALL {
        for room in 0..memory.len() {
            client.space_mut(space).ping = true;
            let scope = Scope { now: pair.now, space, acks_only: false, ecn: None };
            let place = Place { before: 0, must_pad: false, worth_another: usize::MAX };
            let written = client.write_packet(scope, &mut memory[..room], place);
            assert!(written.is_none_or(|written| written.length <= room));
            assert!(client.ending.seal_failed.is_none(), "{space:?} in {room} bytes");
        }
    }
}

#[test]
fn the_end_of_the_handshake_is_not_announced_again_once_the_client_knows() {
    let mut pair = Pair::confirmed();
    // Another packet with it is found to be lost.
    pair.server.handshake.on_done_lost();
    assert!(!pair.server.handshake.has_frames(SpaceId::Application));
}

#[test]
fn a_batch_goes_once_many_streams_have_ended_in_it_and_the_rest_follows_at_once() {
    let mut pair = Pair::confirmed();
    for _ in 0..40 {
        let id = pair.client.open_stream(Direction::Bidirectional).unwrap();
        assert_eq!(pair.client.send_stream(id).write(&[7; 100]), Ok(100));
        pair.client.send_stream(id).finish().unwrap();
    }
    let mut ends = Vec::new();
    let mut memory = vec![0; 64 << 10];
    while ends.last() != Some(&40) {
        let mut buffer = TransmitBuffer::new(&mut memory, 64);
        let batch = pair.client.poll_transmit(pair.now, SocketId(0), &mut buffer);
        assert!(batch.is_some(), "{ends:?}");
        ends.push(pair.client.streams.used().unwrap().ends_sent());
    }
    assert!((16..32).contains(&ends[0]) && ends.len() > 1, "{ends:?}");
}

#[test]
fn a_batch_of_one_stream_is_as_long_as_the_window_allows() {
    let mut pair = Pair::confirmed();
    let id = pair.client.open_stream(Direction::Bidirectional).unwrap();
    pair.client.send_stream(id).write(&vec![7; 64 << 10]).unwrap();
    let mut memory = vec![0; 64 << 10];
    let mut buffer = TransmitBuffer::new(&mut memory, 64);
    let batch = pair.client.poll_transmit(pair.now, SocketId(0), &mut buffer).unwrap();
    assert!(batch.length >= 8 * 1200, "{batch:?}");
}
