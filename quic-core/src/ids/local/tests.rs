use std::collections::VecDeque;

use super::*;
use crate::crypto::{RandomSource as _, SeededRandom};

const HANDSHAKE: [u8; 8] = [9; 8];

fn first() -> ConnectionId {
    ConnectionId::new(&HANDSHAKE).unwrap()
}

fn token_of(id: &ConnectionId) -> StatelessResetToken {
    let mut bytes = [7; 16];
    bytes[..8].copy_from_slice(&id.as_slice()[..8]);
    StatelessResetToken::new(bytes)
}

/// Makes random IDs.
fn generator(length: usize) -> impl FnMut() -> ConnectionId {
    let mut random = SeededRandom::from_seed([1; 32]);
    move || {
        let mut bytes = vec![0; length];
        random.fill(&mut bytes);
        ConnectionId::new(&bytes).unwrap()
    }
}

fn issued(limit: u64) -> LocalIds {
    let mut ids = LocalIds::new(first(), 8);
    ids.set_peer_limit(limit);
    ids.issue_up_to(u8::MAX, generator(8), token_of);
    ids
}

/// Sequence numbers of the frames written.
fn write(ids: &mut LocalIds, room: usize) -> (Vec<u64>, Result<(), Full>) {
    let mut memory = vec![0; room];
    let mut frames = VecDeque::new();
    let written = ids.write_frames(&mut PacketWriter::new(&mut memory, &mut frames));
    let sequences = frames.iter().map(|frame| {
        let SentFrame::NewConnectionId { sequence } = frame else { panic!("wrote {frame:?}") };
        *sequence
    });
    (sequences.collect(), written)
}

fn registrations(ids: &mut LocalIds) -> Vec<Registration> {
    std::iter::from_fn(|| ids.poll_registration()).collect()
}

fn retire(sequence: u64) -> RetireConnectionId {
    RetireConnectionId { sequence }
}

#[test]
fn as_many_ids_are_issued_as_both_ends_permit() {
    for (limit, expected) in [(0, 1), (1, 1), (2, 2), (4, 4), (5, 4), (u64::MAX, 4)] {
        let mut ids = issued(limit);
        assert_eq!(ids.all().count(), expected);
        let added = registrations(&mut ids);
        let known: Vec<_> = ids.all().map(|id| Registration::AddId(*id)).collect();
        assert_eq!(added, known);
        assert_eq!(write(&mut ids, 1200).0.len(), expected - 1);
        assert!(!ids.has_frames());
    }
}

#[test]
fn nothing_is_issued_before_the_limit_is_known_or_with_empty_ids() {
    let mut ids = LocalIds::new(first(), 8);
    ids.issue_up_to(u8::MAX, generator(8), token_of);
    assert_eq!(ids.all().count(), 1);

    let mut ids = LocalIds::new(ConnectionId::EMPTY, 0);
    ids.set_peer_limit(4);
    ids.issue_up_to(u8::MAX, generator(8), token_of);
    assert_eq!(ids.all().count(), 1);
    assert_eq!(registrations(&mut ids), [Registration::AddId(ConnectionId::EMPTY)]);
    assert!(ids.handle_retire(retire(0), &ConnectionId::EMPTY).is_err());
}

#[test]
fn ids_of_one_byte_are_issued_once_each() {
    let mut ids = LocalIds::new(ConnectionId::new(&[3]).unwrap(), 1);
    ids.set_peer_limit(4);
    let mut generate = generator(1);
    for sequence in 0..500 {
        ids.issue_up_to(u8::MAX, &mut generate, |_| StatelessResetToken::new([0; 16]));
        let mut all: Vec<_> = ids.all().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4);
        write(&mut ids, 1200).1.unwrap();
        ids.handle_retire(retire(sequence), &ConnectionId::EMPTY).unwrap();
    }
}

#[test]
fn a_retired_id_is_unregistered_and_replaced() {
    let mut ids = issued(3);
    write(&mut ids, 1200).1.unwrap();
    registrations(&mut ids);
    let second = *ids.all().nth(1).unwrap();
    ids.handle_retire(retire(0), &second).unwrap();
    assert_eq!(registrations(&mut ids), [Registration::RemoveId(first())]);
    ids.handle_retire(retire(0), &second).unwrap();
    assert_eq!(registrations(&mut ids), [], "a repeated frame does nothing");
    ids.issue_up_to(u8::MAX, generator(8), token_of);
    assert_eq!(write(&mut ids, 1200).0, [3]);
    assert_eq!(ids.all().count(), 3);
}

#[test]
fn only_ids_that_were_sent_can_be_retired() {
    let mut ids = issued(4);
    assert!(ids.handle_retire(retire(1), &first()).is_err());
    // Room for one frame only.
    let (sequences, written) = write(&mut ids, 30);
    assert_eq!((sequences, written), (vec![1], Err(Full)));
    ids.handle_retire(retire(1), &first()).unwrap();
    let error = ids.handle_retire(retire(2), &first()).unwrap_err();
    assert_eq!(error.code, crate::error::TransportErrorCode::PROTOCOL_VIOLATION);
    assert_eq!(error.frame_type, Some(0x19));
}

#[test]
fn a_packet_cannot_retire_the_id_that_it_came_to() {
    let mut ids = issued(4);
    write(&mut ids, 1200).1.unwrap();
    assert!(ids.handle_retire(retire(0), &first()).is_err());
}

#[test]
fn a_lost_announcement_is_repeated_until_acknowledged_or_retired() {
    let mut ids = issued(4);
    assert_eq!(write(&mut ids, 1200).0, [1, 2, 3]);
    ids.on_lost(2);
    assert_eq!(write(&mut ids, 1200).0, [2]);
    ids.on_acked(2);
    ids.on_lost(2);
    ids.handle_retire(retire(1), &first()).unwrap();
    ids.on_lost(1);
    ids.on_lost(0);
    assert!(!ids.has_frames());
}

/// Sequence number and retire_prior_to of each frame that is written.
fn written(ids: &mut LocalIds) -> Vec<(u64, u64)> {
    let mut memory = vec![0; 1200];
    let mut frames = VecDeque::new();
    let mut packet = PacketWriter::new(&mut memory, &mut frames);
    ids.write_frames(&mut packet).unwrap();
    let mut reader = crate::wire::Reader::new(&memory);
    let mut read = Vec::new();
    for _ in frames {
        assert_eq!(reader.varint().unwrap(), FrameType::NEW_CONNECTION_ID.0);
        read.push((reader.varint().unwrap(), reader.varint().unwrap()));
        let id_length = reader.u8().unwrap();
        reader.bytes(usize::from(id_length) + StatelessResetToken::LENGTH).unwrap();
    }
    read
}

#[test]
fn replaced_ids_are_retired_with_the_first_frames_that_bring_others() {
    let mut ids = issued(3);
    assert_eq!(written(&mut ids), [(1, 0), (2, 0)]);
    assert!(ids.replace_all());
    assert!(!ids.replace_all(), "one replacement at a time");
    ids.issue_up_to(u8::MAX, generator(8), token_of);
    assert_eq!(ids.all().count(), 6);
    assert_eq!(written(&mut ids), [(3, 3), (4, 3), (5, 3)]);
    ids.on_lost(2);
    assert_eq!(written(&mut ids), [(2, 2)], "a peer that never had it cannot retire it");
    let other = ConnectionId::new(&[1; 8]).unwrap();
    for sequence in 0..3 {
        assert!(!ids.replace_all());
        ids.handle_retire(retire(sequence), &other).unwrap();
    }
    ids.issue_up_to(u8::MAX, generator(8), token_of);
    assert_eq!(ids.all().count(), 3, "what was replaced is not replaced again");
    assert!(ids.replace_all());
    ids.issue_up_to(1, generator(8), token_of);
    assert_eq!(written(&mut ids), [(6, 6)]);
}
