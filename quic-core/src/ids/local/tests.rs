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
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
    //= type=test
    //# An endpoint SHOULD ensure that its peer has a sufficient number of
    //# available and unused connection IDs.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
    //= type=test
    //# An endpoint MUST NOT
    //# provide more connection IDs than the peer's limit.
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

//= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
//= type=test
//# An endpoint MUST NOT send this frame if it currently requires that its
//# peer send packets with a zero-length Destination Connection ID.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.16
//= type=test
//# An endpoint that provides a zero-length connection ID MUST treat receipt
//# of a RETIRE_CONNECTION_ID frame as a connection error of type
//# PROTOCOL_VIOLATION.
#[test]
fn nothing_is_issued_before_the_limit_is_known_or_with_empty_ids() {
    let mut ids = LocalIds::new(first(), 8);
    ids.issue_up_to(u8::MAX, generator(8), token_of);
    assert_eq!(ids.all().count(), 1);

    let mut ids = LocalIds::new(ConnectionId::EMPTY, 0);
    ids.set_peer_limit(4);
    ids.issue_up_to(u8::MAX, || panic!("there is only one of length 0"), token_of);
    assert_eq!(ids.all().count(), 1);
    assert!(!ids.has_frames());
    assert_eq!(registrations(&mut ids), [Registration::AddId(ConnectionId::EMPTY)]);
    let error = ids.handle_retire(retire(0), &ConnectionId::EMPTY).unwrap_err();
    assert_eq!(error.code, crate::error::TransportErrorCode::PROTOCOL_VIOLATION);
}

#[test]
fn ids_of_one_byte_are_issued_once_each() {
    let mut ids = LocalIds::new(ConnectionId::new(&[3]).unwrap(), 1);
    ids.set_peer_limit(4);
    let mut generate = generator(1);
    for sequence in 0..if cfg!(miri) { 50 } else { 500 } {
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
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
    //= type=test
    //# An endpoint SHOULD supply a new connection ID when the peer retires a
    //# connection ID.
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

//= https://www.rfc-editor.org/rfc/rfc9000#section-19.16
//= type=test
//# Receipt of a RETIRE_CONNECTION_ID frame containing a sequence number
//# greater than any previously sent to the peer MUST be treated as a
//# connection error of type PROTOCOL_VIOLATION.
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
#[cfg_attr(miri, ignore = "too long for an interpreter")]
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
    let mut source = generator(8);
    let mut seen = std::collections::HashSet::new();
    for _ in 0..1000 {
        let mut ids = LocalIds::new(first(), 8);
        ids.set_peer_limit(4);
        ids.issue_up_to(u8::MAX, &mut source, token_of);
        for id in ids.all().filter(|id| **id != first()) {
            assert_eq!(id.length(), 8);
            assert!(seen.insert(*id), "{id} was issued twice");
        }
    }
    assert_eq!(seen.len(), 3000);
}

#[test]
fn ids_come_from_the_generator_and_none_comes_again() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1
    //= type=test
    //# Connection IDs MUST NOT contain any information that can be used by
    //# an external observer (that is, one that does not cooperate with the
    //# issuer) to correlate them with other connection IDs for the same
    //# connection.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1
    //= type=test
    //# As a trivial example, this means the same connection ID
    //# MUST NOT be issued more than once on the same connection.
    let (mut source, mut expected) = (generator(8), generator(8));
    let mut ids = LocalIds::new(first(), 8);
    ids.set_peer_limit(4);
    let mut known = vec![first()];
    for sequence in 0..100 {
        ids.issue_up_to(u8::MAX, &mut source, token_of);
        write(&mut ids, 1200).1.unwrap();
        for id in ids.all() {
            if !known.contains(id) {
                assert_eq!(*id, expected());
                known.push(*id);
            }
        }
        ids.handle_retire(retire(sequence), &ConnectionId::EMPTY).unwrap();
    }
    assert_eq!(known.len(), 103, "each is a new one");
}

#[test]
fn announcements_count_up_by_one_and_ask_nothing_back() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
    //= type=test
    //# The sequence number on each newly issued
    //# connection ID MUST increase by 1.
    let mut ids = issued(4);
    let mut expected = 1;
    let mut source = generator(8);
    for retired in 0..20 {
        let (mut memory, mut frames) = ([0; 1200], VecDeque::new());
        let mut packet = PacketWriter::new(&mut memory, &mut frames);
        ids.write_frames(&mut packet).unwrap();
        let length = packet.length();
        for frame in crate::wire::frame::Frames::new(&memory[..length]) {
            let Ok(crate::wire::frame::Frame::NewConnectionId(frame)) = frame else {
                panic!("{frame:?}")
            };
            assert_eq!((frame.sequence, frame.retire_prior_to), (expected, 0));
            expected += 1;
        }
        ids.handle_retire(retire(retired), &ConnectionId::EMPTY).unwrap();
        ids.issue_up_to(u8::MAX, &mut source, token_of);
    }
    assert_eq!(expected, 23);
}

#[test]
fn only_the_peer_ends_the_life_of_an_id() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
    //= type=test
    //# When an endpoint
    //# issues a connection ID, it MUST accept packets that carry this
    //# connection ID for the duration of the connection or until its peer
    //# invalidates the connection ID via a RETIRE_CONNECTION_ID frame
    //# (Section 19.16).
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.2
    //= type=test
    //# The endpoint SHOULD continue to accept the previously
    //# issued connection IDs until they are retired by the peer.
    let mut ids = issued(4);
    write(&mut ids, 1200).1.unwrap();
    let all: Vec<_> = ids.all().copied().collect();
    ids.on_acked(1);
    ids.on_lost(2);
    write(&mut ids, 1200).1.unwrap();
    let removed = |ids: &mut LocalIds| {
        registrations(ids).iter().filter(|it| matches!(it, Registration::RemoveId(_))).count()
    };
    assert_eq!(removed(&mut ids), 0);
    ids.handle_retire(retire(1), &all[0]).unwrap();
    assert_eq!(registrations(&mut ids), [Registration::RemoveId(all[1])]);
}

#[test]
fn the_id_of_a_preferred_address_is_the_second_one_and_not_announced() {
    let mut ids = LocalIds::new(first(), 8);
    let preferred = ids.issue_preferred(generator(8)).unwrap();
    assert_eq!(ids.issue_preferred(generator(8)), None, "once");
    assert!(!ids.has_frames());
    ids.set_peer_limit(4);
    ids.issue_up_to(u8::MAX, generator(8), token_of);
    assert_eq!(write(&mut ids, 1200).0, [2, 3]);
    ids.handle_retire(retire(1), &first()).unwrap();
    assert!(registrations(&mut ids).contains(&Registration::RemoveId(preferred)));
    assert_eq!(LocalIds::new(ConnectionId::EMPTY, 0).issue_preferred(generator(8)), None);
}

#[test]
fn ids_are_known_by_their_numbers_until_they_are_retired() {
    let mut ids = issued(4);
    write(&mut ids, 1200).1.unwrap();
    let all: Vec<_> = ids.all().copied().collect();
    assert_eq!((ids.sequence_of(&all[0]), ids.sequence_of(&all[1])), (Some(0), Some(1)));
    ids.handle_retire(retire(0), &all[1]).unwrap();
    assert_eq!((ids.sequence_of(&all[0]), ids.sequence_of(&all[1])), (None, Some(1)));
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

//= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.2
//= type=test
//# Endpoints SHOULD NOT issue updates of the Retire Prior To field
//# before receiving RETIRE_CONNECTION_ID frames that retire all
//# connection IDs indicated by the previous Retire Prior To value.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
//= type=test
//# The value in the Retire Prior To field MUST be less than or equal to the
//# value in the Sequence Number field.
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
