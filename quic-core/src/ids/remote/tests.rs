use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::error::TransportErrorCode;

fn id(sequence: u64) -> ConnectionId {
    ConnectionId::new(&sequence.to_be_bytes()).unwrap()
}

fn token(sequence: u64) -> StatelessResetToken {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&sequence.to_be_bytes());
    StatelessResetToken::new(bytes)
}

fn frame(sequence: u64, retire_prior_to: u64) -> NewConnectionId {
    NewConnectionId { sequence, retire_prior_to, id: id(sequence), reset_token: token(sequence) }
}

fn new() -> RemoteIds {
    RemoteIds::new(id(0))
}

fn give(ids: &mut RemoteIds, sequence: u64, retire_prior_to: u64) {
    ids.handle_new_connection_id(&frame(sequence, retire_prior_to)).unwrap();
}

fn code(result: Result<(), TransportError>) -> TransportErrorCode {
    result.unwrap_err().code
}

fn retired(ids: &mut RemoteIds) -> Vec<u64> {
    let mut memory = [0; 1200];
    let mut frames = VecDeque::new();
    ids.write_frames(&mut PacketWriter::new(&mut memory, &mut frames)).unwrap();
    let sequences = frames.iter().map(|frame| {
        let SentFrame::RetireConnectionId { sequence } = frame else { panic!("wrote {frame:?}") };
        *sequence
    });
    sequences.collect()
}

fn registrations(ids: &mut RemoteIds) -> Vec<Registration> {
    std::iter::from_fn(|| ids.poll_registration()).collect()
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-19.16
//= type=test
//# The sequence number specified in a RETIRE_CONNECTION_ID frame MUST NOT
//# refer to the Destination Connection ID field of the packet in which the
//# frame is contained.
#[test]
fn the_server_replaces_the_first_id() {
    let mut ids = new();
    ids.set_first(id(77));
    assert_eq!(*ids.active(), id(77));
    give(&mut ids, 1, 0);
    assert!(ids.switch().unwrap());
    ids.set_first(id(78));
    assert_eq!(*ids.active(), id(1), "not once another is active");
}

#[test]
fn up_to_the_limit_of_ids_is_kept() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
    //= type=test
    //# After processing a NEW_CONNECTION_ID frame and
    //# adding and retiring active connection IDs, if the number of active
    //# connection IDs exceeds the value advertised in its
    //# active_connection_id_limit transport parameter, an endpoint MUST
    //# close the connection with an error of type CONNECTION_ID_LIMIT_ERROR.
    let mut ids = new();
    (1..4).for_each(|sequence| give(&mut ids, sequence, 0));
    let error = ids.handle_new_connection_id(&frame(4, 0)).unwrap_err();
    assert_eq!(error.code, TransportErrorCode::CONNECTION_ID_LIMIT_ERROR);
    assert_eq!(error.frame_type, Some(0x18));
}

#[test]
fn a_frame_may_exceed_the_limit_if_it_retires_the_excess() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.2
    //= type=test
    //# Upon receipt of an increased Retire Prior To field, the peer MUST
    //# stop using the corresponding connection IDs and retire them with
    //# RETIRE_CONNECTION_ID frames before adding the newly provided
    //# connection ID to the set of active connection IDs.
    let mut ids = new();
    (1..4).for_each(|sequence| give(&mut ids, sequence, 0));
    give(&mut ids, 4, 1);
    assert_eq!(*ids.active(), id(1));
    assert_eq!(retired(&mut ids), [0]);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
//= type=test
//# Receipt of the same frame multiple times MUST NOT be treated as a
//# connection error.
#[test]
fn repeated_frames_change_nothing_and_contradictions_are_violations() {
    let mut ids = new();
    give(&mut ids, 1, 0);
    give(&mut ids, 1, 0);
    assert_eq!(ids.unused.len(), 1);
    let wrong = [
        NewConnectionId { id: id(9), ..frame(1, 0) },
        NewConnectionId { reset_token: token(9), ..frame(1, 0) },
        NewConnectionId { id: id(1), ..frame(2, 0) },
        NewConnectionId { id: id(0), ..frame(2, 0) },
        NewConnectionId { id: id(9), ..frame(0, 0) },
    ];
    for frame in wrong {
        let result = ids.handle_new_connection_id(&frame);
        assert_eq!(code(result), TransportErrorCode::PROTOCOL_VIOLATION, "{frame:?}");
    }
    give(&mut ids, 0, 0);
    assert_eq!(ids.unused.len(), 1);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
//= type=test
//# An endpoint that is sending packets with a zero-length Destination
//# Connection ID MUST treat receipt of a NEW_CONNECTION_ID frame as a
//# connection error of type PROTOCOL_VIOLATION.
#[test]
fn a_peer_without_id_cannot_issue_any() {
    let mut ids = RemoteIds::new(ConnectionId::EMPTY);
    let result = ids.handle_new_connection_id(&frame(1, 0));
    assert_eq!(code(result), TransportErrorCode::PROTOCOL_VIOLATION);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
//= type=test
//# An endpoint that receives a NEW_CONNECTION_ID frame with a sequence
//# number smaller than the Retire Prior To field of a previously received
//# NEW_CONNECTION_ID frame MUST send a corresponding RETIRE_CONNECTION_ID
//# frame that retires the newly received connection ID, unless it has
//# already done so for that sequence number.
#[test]
fn ids_that_arrive_after_they_were_to_be_retired_are_retired_at_once() {
    let mut ids = new();
    give(&mut ids, 5, 4);
    assert_eq!(*ids.active(), id(5));
    assert_eq!(retired(&mut ids), [0]);
    give(&mut ids, 2, 0);
    give(&mut ids, 2, 0);
    assert_eq!(retired(&mut ids), [2]);
    give(&mut ids, 4, 1);
    assert_eq!(ids.next_unused(), Some(&id(4)), "a smaller Retire Prior To is ignored");
    assert!(!ids.has_frames());
}

#[test]
fn a_retired_id_that_arrives_again_is_not_used_again() {
    let mut ids = new();
    give(&mut ids, 1, 0);
    give(&mut ids, 2, 0);
    assert!(ids.switch().unwrap());
    assert!(ids.switch().unwrap());
    assert_eq!(*ids.active(), id(2));
    ids.on_acked(1);
    give(&mut ids, 1, 0);
    assert_eq!(ids.next_unused(), None);
    assert!(!ids.switch().unwrap());
}

#[test]
fn lost_retirements_are_repeated_and_acknowledged_ones_forgotten() {
    let mut ids = new();
    give(&mut ids, 1, 1);
    assert_eq!(retired(&mut ids), [0]);
    ids.on_lost(0);
    assert!(ids.has_frames());
    assert_eq!(retired(&mut ids), [0]);
    ids.on_acked(0);
    ids.on_lost(0);
    assert!(!ids.has_frames());
}

#[test]
fn only_the_token_of_the_active_id_is_registered() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.1
    //= type=test
    //# An endpoint MUST NOT check for any stateless reset tokens associated
    //# with connection IDs it has not used or for connection IDs that have
    //# been retired.
    let mut ids = new();
    ids.set_reset_token(token(0));
    assert_eq!(registrations(&mut ids), [Registration::AddResetToken(token(0))]);
    give(&mut ids, 1, 0);
    assert_eq!(registrations(&mut ids), []);
    assert!(ids.is_reset_token(&token(0)) && !ids.is_reset_token(&token(1)));
    give(&mut ids, 2, 1);
    assert_eq!(
        registrations(&mut ids),
        [Registration::RemoveResetToken(token(0)), Registration::AddResetToken(token(1))]
    );
    assert_eq!(ids.reset_token(), Some(&token(1)));
    assert!(ids.is_reset_token(&token(1)));
    assert!(!ids.is_reset_token(&token(0)) && !ids.is_reset_token(&token(2)));
}

#[test]
fn a_flood_that_is_never_acknowledged_stays_within_bounds() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.2
    //= type=test
    //# An endpoint SHOULD limit the number of connection IDs it has retired
    //# locally for which RETIRE_CONNECTION_ID frames have not yet been
    //# acknowledged.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.2
    //= type=test
    //# An endpoint SHOULD allow for sending and
    //# tracking a number of RETIRE_CONNECTION_ID frames of at least twice
    //# the value of the active_connection_id_limit transport parameter.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.2
    //= type=test
    //# An endpoint MUST NOT forget a connection ID without
    //# retiring it, though it MAY choose to treat having connection IDs in
    //# need of retirement that exceed this limit as a connection error of
    //# type CONNECTION_ID_LIMIT_ERROR.
    const { assert!(MAXIMUM_RETIRING >= 2 * ACTIVE_CONNECTION_ID_LIMIT) };
    let mut ids = new();
    let mut step = |sequence| {
        let result = ids.handle_new_connection_id(&frame(sequence, sequence));
        assert!(ids.retiring.len() <= MAXIMUM_RETIRING);
        assert!(ids.registrations.len() <= 2 * MAXIMUM_RETIRING);
        assert!(ids.unused.len() <= ACTIVE_CONNECTION_ID_LIMIT);
        result
    };
    for sequence in 1..=MAXIMUM_RETIRING as u64 {
        step(sequence).unwrap();
    }
    let result = step(MAXIMUM_RETIRING as u64 + 1);
    assert_eq!(code(result), TransportErrorCode::CONNECTION_ID_LIMIT_ERROR);
}

#[test]
fn gaps_between_sequence_numbers_are_bounded() {
    let mut ids = new();
    let result = (1..100).try_for_each(|step| {
        ids.handle_new_connection_id(&frame(step * 2, 0))?;
        ids.switch()?;
        ids.on_acked(step * 2 - 2);
        assert!(ids.seen.len() <= MAXIMUM_SEEN_RUNS + 1);
        Ok(())
    });
    assert_eq!(code(result), TransportErrorCode::CONNECTION_ID_LIMIT_ERROR);
}

#[test]
fn gaps_below_retire_prior_to_are_forgotten() {
    let mut ids = new();
    for step in 1..100 {
        give(&mut ids, step * 2, step * 2);
        ids.on_acked(step * 2 - 2);
        assert_eq!(ids.seen.len(), 1);
    }
}

#[test]
fn each_path_has_an_id_of_its_own_which_is_retired_with_it() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.2
    //= type=test
    //# Endpoints SHOULD retire connection IDs when they are no longer
    //# actively using either the local or destination address for which the
    //# connection ID was used.
    let mut ids = new();
    (1..4).for_each(|sequence| give(&mut ids, sequence, 0));
    assert!(ids.bind(7) && ids.bind(7) && ids.bind(8));
    assert_eq!((ids.of_path(7), ids.of_path(8)), (Some(&id(1)), Some(&id(2))));
    assert_eq!(
        registrations(&mut ids),
        [Registration::AddResetToken(token(1)), Registration::AddResetToken(token(2))]
    );
    assert!(ids.is_reset_token(&token(1)) && !ids.is_reset_token(&token(3)));
    ids.on_moved(0, 7);
    assert_eq!((ids.active(), ids.of_path(0), ids.of_path(7)), (&id(1), Some(&id(0)), None));
    assert_eq!(retired(&mut ids), []);
    ids.release(0).unwrap();
    assert_eq!(retired(&mut ids), [0]);
    ids.release(8).unwrap();
    assert_eq!(retired(&mut ids), [2]);
    assert_eq!(registrations(&mut ids), [Registration::RemoveResetToken(token(2))]);
    assert!(ids.bind(9) && !ids.has_spare() && !ids.bind(10));
    // A path without an ID of its own goes on with the active one.
    ids.on_moved(7, 10);
    assert_eq!(*ids.active(), id(1));
}

#[test]
fn an_id_that_paths_share_is_retired_with_the_last_of_them() {
    let mut ids = new();
    (1..4).for_each(|sequence| give(&mut ids, sequence, 0));
    assert!(ids.bind(7));
    ids.share(8, 7);
    ids.share(9, 7);
    assert_eq!((ids.of_path(8), ids.of_path(9)), (Some(&id(1)), Some(&id(1))));
    ids.release(7).unwrap();
    assert_eq!((retired(&mut ids), ids.of_path(8)), (vec![], Some(&id(1))));
    // It counts once, however many paths have it.
    ids.on_moved(0, 8);
    assert_eq!((*ids.active(), ids.of_path(9)), (id(1), Some(&id(1))));
    assert_eq!(ids.bound_ids(), 1);
    ids.release(9).unwrap();
    assert_eq!(retired(&mut ids), []);
    assert_eq!(registrations(&mut ids), [Registration::AddResetToken(token(1))]);
    ids.on_moved(8, 0);
    ids.release(8).unwrap();
    assert_eq!(retired(&mut ids), [1]);
    assert_eq!(registrations(&mut ids), [Registration::RemoveResetToken(token(1))]);
    // What is shared can be taken back, and a path that has none gives none.
    assert!(ids.bind(7));
    ids.share(8, 7);
    ids.share(10, 11);
    give(&mut ids, 4, 3);
    assert_eq!((ids.of_path(7), ids.of_path(8), ids.of_path(10)), (None, None, None));
    assert_eq!((retired(&mut ids), *ids.active()), (vec![2, 0], id(3)));
}

#[test]
fn the_ids_of_paths_count_and_can_be_taken_back() {
    let mut ids = new();
    (1..4).for_each(|sequence| give(&mut ids, sequence, 0));
    assert!(ids.bind(7));
    let error = ids.handle_new_connection_id(&frame(4, 0)).unwrap_err();
    assert_eq!(error.code, TransportErrorCode::CONNECTION_ID_LIMIT_ERROR);
    let mut ids = new();
    (1..4).for_each(|sequence| give(&mut ids, sequence, 0));
    assert!(ids.bind(7));
    let wrong = NewConnectionId { id: id(9), ..frame(1, 0) };
    let result = ids.handle_new_connection_id(&wrong);
    assert_eq!(code(result), TransportErrorCode::PROTOCOL_VIOLATION);
    give(&mut ids, 4, 2);
    assert_eq!(ids.of_path(7), None, "it was retired with the others");
    assert_eq!(*ids.active(), id(2));
    assert_eq!(retired(&mut ids), [1, 0]);
    assert!(ids.bind(7));
    assert_eq!(ids.of_path(7), Some(&id(3)));
}

#[test]
fn an_empty_id_serves_all_paths() {
    let mut ids = RemoteIds::new(ConnectionId::EMPTY);
    assert!(ids.has_spare() && ids.bind(7) && ids.bind(8));
    assert_eq!(ids.of_path(7), Some(&ConnectionId::EMPTY));
    ids.on_moved(0, 7);
    ids.release(0).unwrap();
    assert!(!ids.has_frames());
}

/// Every ID's fate in plain maps.
#[derive(Default)]
struct Model {
    seen: BTreeSet<u64>,
    usable: BTreeMap<u64, ConnectionId>,
    retire_prior_to: u64,
    retired: BTreeSet<u64>,
}

impl Model {
    fn take(&mut self, frame: &NewConnectionId) {
        self.retire_prior_to = self.retire_prior_to.max(frame.retire_prior_to);
        if self.seen.insert(frame.sequence) {
            self.usable.insert(frame.sequence, frame.id);
        }
        let retire_prior_to = self.retire_prior_to;
        let late: Vec<u64> = self.usable.range(..retire_prior_to).map(|(at, _)| *at).collect();
        for sequence in late {
            self.usable.remove(&sequence);
            self.retired.insert(sequence);
        }
    }
}

proptest! {
    /// An honest peer issues in order, sometimes with a Retire Prior To, and the network reorders
    /// and repeats.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
    //= type=test
    //# A receiver MUST ignore any Retire Prior To fields that do not increase
    //# the largest received Retire Prior To value.
    #[test]
    fn every_order_of_frames_leads_to_the_same_ids(
        retire_prior_to in 0u64..=6,
        order in Just((1u64..=7).chain(1..=7).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        // Sequences 1 to 3 came with 0, the later ones want enough retired.
        let retire_prior_to = retire_prior_to.max(4);
        let mut ids = new();
        let mut model = Model::default();
        model.seen.insert(0);
        model.usable.insert(0, id(0));
        for sequence in order {
            let frame = frame(sequence, if sequence < 4 { 0 } else { retire_prior_to.min(sequence) });
            ids.handle_new_connection_id(&frame).unwrap();
            model.take(&frame);
            for sequence in retired(&mut ids) {
                prop_assert!(model.retired.contains(&sequence));
                ids.on_acked(sequence);
            }
            let mut known: BTreeMap<_, _> =
                ids.unused.iter().map(|entry| (entry.sequence, entry.id)).collect();
            known.insert(ids.active.sequence, ids.active.id);
            prop_assert_eq!(&known, &model.usable);
        }
    }

    #[test]
    fn nothing_a_peer_sends_breaks_the_bounds(
        frames in prop::collection::vec((0u64..40, 0u64..40, any::<bool>(), any::<bool>()), 0..200),
    ) {
        let mut ids = new();
        for (sequence, retire_prior_to, acknowledges, switches) in frames {
            let frame = frame(sequence, retire_prior_to.min(sequence));
            if ids.handle_new_connection_id(&frame).is_err() {
                break;
            }
            if switches && ids.switch().is_err() {
                break;
            }
            if acknowledges {
                for sequence in retired(&mut ids) {
                    ids.on_acked(sequence);
                }
            }
            registrations(&mut ids);
            prop_assert!(ids.unused.len() < ACTIVE_CONNECTION_ID_LIMIT);
            prop_assert!(ids.retiring.len() <= MAXIMUM_RETIRING);
            prop_assert!(ids.seen.len() <= MAXIMUM_SEEN_RUNS);
            prop_assert!(ids.unused.is_sorted_by_key(|entry| entry.sequence));
        }
    }
}
