//! Which datagrams end a connection without a word (RFC 9000 §10.3.1).

use super::input::Input;
use crate::ids::{Registration, RemoteIds};
use crate::wire::frame::NewConnectionId;
use crate::wire::{ConnectionId, StatelessResetToken};

/// Shortest datagram that may be a stateless reset, in bytes.
const SHORTEST: usize = 21;
/// Sequence numbers that are played with.
const SEQUENCES: u8 = 24;
/// Paths that are played with.
const PATHS: u8 = 3;

fn id(sequence: u64) -> ConnectionId {
    ConnectionId::new(&sequence.to_be_bytes()).unwrap_or(ConnectionId::EMPTY)
}

/// The token of a sequence number: its last bytes are the same for many.
fn token(sequence: u64) -> StatelessResetToken {
    let mut bytes = [7; StatelessResetToken::LENGTH];
    if let Some((first, _)) = bytes.split_first_mut() {
        *first = u8::try_from(sequence).unwrap_or(u8::MAX);
    }
    StatelessResetToken::new(bytes)
}

fn sequence_of(id: &ConnectionId) -> Option<u64> {
    id.as_slice().try_into().ok().map(u64::from_be_bytes)
}

/// Issues, uses and retires IDs, and tries the end of a datagram against them.
///
/// # Panics
/// If a datagram resets the connection whose token is not that of an ID in use, or one does not
/// whose token is; or if what is registered is not what is in use.
pub fn stateless_reset(input: &[u8]) {
    let mut input = Input::new(input);
    let mut ids = RemoteIds::new(id(0));
    let mut registered: Vec<StatelessResetToken> = Vec::new();
    if input.byte() & 1 == 0 {
        ids.set_reset_token(token(0));
    }
    let first_has_token = ids.is_reset_token(&token(0));
    let mut active_path = 0;
    while !input.is_empty() {
        let (action, byte) = (input.byte(), input.byte());
        let path = u32::from(byte % PATHS);
        let handled = match action % 8 {
            0..3 => {
                let sequence = u64::from(byte % SEQUENCES);
                let retire_prior_to = u64::from(action >> 4).min(sequence);
                ids.handle_new_connection_id(&NewConnectionId {
                    sequence,
                    retire_prior_to,
                    id: id(sequence),
                    reset_token: token(sequence),
                })
            }
            3 => ids.switch().map(|_| ()),
            4 if path != active_path => {
                ids.bind(path);
                Ok(())
            }
            5 if path != active_path => ids.release(path),
            6 if path != active_path => {
                ids.on_moved(active_path, path);
                active_path = path;
                Ok(())
            }
            _ => {
                ids.on_acked(u64::from(byte % SEQUENCES));
                Ok(())
            }
        };
        if handled.is_err() {
            return;
        }
        while let Some(registration) = ids.poll_registration() {
            register(&mut registered, registration);
        }
        check(&ids, &registered, first_has_token, &mut input);
    }
}

fn register(registered: &mut Vec<StatelessResetToken>, registration: Registration) {
    match registration {
        Registration::AddResetToken(token) => {
            assert!(!registered.contains(&token), "a token is registered once");
            registered.push(token);
        }
        Registration::RemoveResetToken(token) => {
            let at = registered.iter().position(|known| *known == token);
            let Some(at) = at else { unreachable!("what is removed was registered") };
            registered.swap_remove(at);
        }
        Registration::AddId(_) | Registration::RemoveId(_) => {
            unreachable!("the peer's IDs route nothing here")
        }
    }
}

fn check(
    ids: &RemoteIds,
    registered: &[StatelessResetToken],
    first_has_token: bool,
    input: &mut Input<'_>,
) {
    let bound = (0..u32::from(PATHS)).filter_map(|path| ids.of_path(path));
    let mut in_use: Vec<u64> = bound.chain([ids.active()]).filter_map(sequence_of).collect();
    in_use.retain(|sequence| *sequence != 0 || first_has_token);
    for sequence in 0..u64::from(SEQUENCES) {
        let expected = in_use.contains(&sequence);
        assert_eq!(ids.is_reset_token(&token(sequence)), expected, "the token of {sequence}");
        assert_eq!(registered.contains(&token(sequence)), expected, "registered as in use");
    }
    assert_eq!(registered.len(), in_use.len(), "nothing else is registered");
    // A datagram that ends in a token, of any length, with a bit changed or not.
    let sequence = u64::from(input.byte() % SEQUENCES);
    let mut datagram = vec![0x40; usize::from(input.byte() % 64)];
    datagram.extend_from_slice(token(sequence).as_bytes());
    let flip = input.byte();
    let changed = usize::from(flip) < 8 * StatelessResetToken::LENGTH;
    let at = datagram.len() - 1 - usize::from(flip / 8) % StatelessResetToken::LENGTH;
    if let Some(byte) = datagram.get_mut(at).filter(|_| changed) {
        *byte ^= 1 << (flip % 8);
    }
    let found = StatelessResetToken::at_end_of(&datagram);
    assert_eq!(found.is_some(), datagram.len() >= SHORTEST, "shorter ones are none");
    let resets = found.is_some_and(|token| ids.is_reset_token(&token));
    let same = found.is_some_and(|found| in_use.iter().any(|it| token(*it) == found));
    assert_eq!(resets, same, "only an exact token resets");
}
