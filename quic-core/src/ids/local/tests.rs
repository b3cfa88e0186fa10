use std::collections::VecDeque;

use super::*;

const HANDSHAKE: [u8; 8] = [9; 8];

fn first() -> ConnectionId {
    ConnectionId::new(&HANDSHAKE).unwrap()
}

fn token_of(id: &ConnectionId) -> StatelessResetToken {
    let mut bytes = [7; 16];
    bytes[..8].copy_from_slice(&id.as_slice()[..8]);
    StatelessResetToken::new(bytes)
}

fn random() -> SeededRandom {
    SeededRandom::from_seed([1; 32])
}

fn issued(limit: u64) -> LocalIds {
    let mut ids = LocalIds::new(first(), 8);
    ids.set_peer_limit(limit);
    ids.issue(&mut random(), token_of);
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
    ids.issue(&mut random(), token_of);
    assert_eq!(ids.all().count(), 1);

    let mut ids = LocalIds::new(ConnectionId::EMPTY, 0);
    ids.set_peer_limit(4);
    ids.issue(&mut random(), token_of);
    assert_eq!(ids.all().count(), 1);
    assert_eq!(registrations(&mut ids), [Registration::AddId(ConnectionId::EMPTY)]);
    assert!(ids.handle_retire(retire(0), &ConnectionId::EMPTY).is_err());
}

#[test]
fn ids_of_one_byte_are_issued_once_each() {
    let mut ids = LocalIds::new(ConnectionId::new(&[3]).unwrap(), 1);
    ids.set_peer_limit(4);
    let mut random = random();
    for sequence in 0..500 {
        ids.issue(&mut random, |_| StatelessResetToken::new([0; 16]));
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
    ids.issue(&mut random(), token_of);
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

#[test]
fn ids_are_all_of_one_length_and_never_come_again() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.2
    //= type=test
    //# An endpoint that uses this design MUST either use the same connection
    //# ID length for all connections or encode the length of the connection
    //# ID such that it can be recovered without state.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.2
    //= type=test
    //# This method for choosing the stateless reset token means that the
    //# combination of connection ID and static key MUST NOT be used for
    //# another connection.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.2
    //= type=test
    //# A connection ID from a connection that is reset by revealing the
    //# stateless reset token MUST NOT be reused for new connections at nodes
    //# that share a static key.
    let mut random = SeededRandom::from_seed([7; 32]);
    let mut seen = std::collections::HashSet::new();
    for _ in 0..1000 {
        let mut ids = LocalIds::new(first(), 8);
        ids.set_peer_limit(4);
        ids.issue(&mut random, token_of);
        for id in ids.all().filter(|id| **id != first()) {
            assert_eq!(id.length(), 8);
            assert!(seen.insert(*id), "{id} was issued twice");
        }
    }
    assert_eq!(seen.len(), 3000);
}
