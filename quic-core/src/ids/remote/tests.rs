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
    let mut ids = new();
    (1..4).for_each(|sequence| give(&mut ids, sequence, 0));
    let error = ids.handle_new_connection_id(&frame(4, 0)).unwrap_err();
    assert_eq!(error.code, TransportErrorCode::CONNECTION_ID_LIMIT_ERROR);
    assert_eq!(error.frame_type, Some(0x18));
}

#[test]
fn a_frame_may_exceed_the_limit_if_it_retires_the_excess() {
    let mut ids = new();
    (1..4).for_each(|sequence| give(&mut ids, sequence, 0));
    give(&mut ids, 4, 1);
    assert_eq!(*ids.active(), id(1));
    assert_eq!(retired(&mut ids), [0]);
}

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

#[test]
fn a_peer_without_id_cannot_issue_any() {
    let mut ids = RemoteIds::new(ConnectionId::EMPTY);
    let result = ids.handle_new_connection_id(&frame(1, 0));
    assert_eq!(code(result), TransportErrorCode::PROTOCOL_VIOLATION);
}

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
