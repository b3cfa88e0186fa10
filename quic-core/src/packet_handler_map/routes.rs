//! From what a datagram carries to the handler it is for.

use std::hash::{Hash, Hasher};

use hashbrown::HashMap;

use super::slots::{MAXIMUM_IDS, MAXIMUM_TOKENS};
use crate::crypto::{KeyedHash, SeededRandom};
use crate::event::ConnectionHandle;
use crate::memory;
use crate::wire::{ConnectionId, StatelessResetToken};

/// A token as a key of a map with a secret hash. Equality takes constant time.
#[derive(Debug, Eq, PartialEq)]
struct TokenKey(StatelessResetToken);

impl Hash for TokenKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0.as_bytes());
    }
}

/// Connection IDs and stateless reset tokens, and whom they lead to. Never iterated: the order of
/// a map with a secret hash is not repeatable.
#[derive(Debug)]
pub(super) struct Routes {
    ids: HashMap<ConnectionId, ConnectionHandle, KeyedHash>,
    tokens: HashMap<TokenKey, ConnectionHandle, KeyedHash>,
}

impl Routes {
    pub(super) fn new(random: &mut SeededRandom) -> Self {
        let hash = KeyedHash::new(random);
        Self { ids: HashMap::with_hasher(hash), tokens: HashMap::with_hasher(hash) }
    }

    /// Heap at the most, in bytes, with so many connections.
    pub(super) fn worst_case_bytes(connections: u64) -> u64 {
        let ids = connections.saturating_mul(MAXIMUM_IDS);
        let tokens = connections.saturating_mul(MAXIMUM_TOKENS);
        let ids = memory::map::<ConnectionId, ConnectionHandle>(ids);
        ids.saturating_add(memory::map::<TokenKey, ConnectionHandle>(tokens))
    }

    pub(super) fn get(&self, id: &ConnectionId) -> Option<ConnectionHandle> {
        self.ids.get(id).copied()
    }

    /// Routes `id` to `handle`, unless it leads elsewhere already; returns whether it now does.
    pub(super) fn add(&mut self, id: ConnectionId, handle: ConnectionHandle) -> bool {
        *self.ids.entry(id).or_insert(handle) == handle
    }

    /// Takes the route away, if it leads to `handle`.
    pub(super) fn remove(&mut self, id: &ConnectionId, handle: ConnectionHandle) -> bool {
        let own = self.ids.get(id) == Some(&handle);
        if own {
            self.ids.remove(id);
            memory::give_back(&mut self.ids);
        }
        own
    }

    /// Whose peer's token the datagram ends in, if it does (RFC 9000 §10.3.1).
    pub(super) fn reset(&self, datagram: &[u8]) -> Option<ConnectionHandle> {
        if self.tokens.is_empty() {
            return None;
        }
        self.tokens.get(&TokenKey(StatelessResetToken::at_end_of(datagram)?)).copied()
    }

    /// Registers a token, unless another connection's peer gave the same one before.
    pub(super) fn add_token(
        &mut self,
        token: StatelessResetToken,
        handle: ConnectionHandle,
    ) -> bool {
        *self.tokens.entry(TokenKey(token)).or_insert(handle) == handle
    }

    /// Forgets a token, if it is `handle`'s.
    pub(super) fn remove_token(&mut self, token: StatelessResetToken, handle: ConnectionHandle) {
        let key = TokenKey(token);
        if self.tokens.get(&key) == Some(&handle) {
            self.tokens.remove(&key);
            memory::give_back(&mut self.tokens);
        }
    }

    /// Number of connection IDs and of tokens.
    #[cfg(test)]
    pub(super) fn length(&self) -> (usize, usize) {
        (self.ids.len(), self.tokens.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ConnectionHandle = ConnectionHandle { manager: 0, slot: 1, generation: 0 };
    const OTHER: ConnectionHandle = ConnectionHandle { manager: 0, slot: 2, generation: 0 };

    #[test]
    fn a_route_cannot_be_stolen_or_taken_away_by_another_connection() {
        let mut routes = Routes::new(&mut SeededRandom::from_seed([1; 32]));
        let id = ConnectionId::new(&[1; 8]).unwrap();
        assert!(routes.add(id, ONE) && routes.add(id, ONE));
        assert!(!routes.add(id, OTHER) && !routes.remove(&id, OTHER));
        assert_eq!(routes.get(&id), Some(ONE));
        assert!(routes.remove(&id, ONE));
        assert_eq!(routes.length(), (0, 0));
    }

    #[test]
    fn what_many_connections_took_is_given_back_when_they_are_gone() {
        let mut routes = Routes::new(&mut SeededRandom::from_seed([1; 32]));
        let id = |number: u64| ConnectionId::new(&number.to_be_bytes()).unwrap();
        let token = |number: u64| StatelessResetToken::new(u128::from(number).to_be_bytes());
        let most = 20_000;
        assert!((0..most).all(|n| routes.add(id(n), ONE) && routes.add_token(token(n), ONE)));
        for number in 0..most {
            assert!(routes.remove(&id(number), ONE));
            routes.remove_token(token(number), ONE);
        }
        let bytes = routes.ids.allocation_size() + routes.tokens.allocation_size();
        assert!(bytes < 100_000, "{bytes} bytes for nothing");
    }

    #[test]
    fn only_exact_tokens_at_the_end_of_datagrams_reset() {
        let mut routes = Routes::new(&mut SeededRandom::from_seed([1; 32]));
        let token = StatelessResetToken::new([7; 16]);
        assert!(routes.add_token(token, ONE) && !routes.add_token(token, OTHER));
        let mut datagram = vec![0x40; 5];
        datagram.extend_from_slice(&[7; 16]);
        assert_eq!(routes.reset(&datagram), Some(ONE));
        assert_eq!(routes.reset(&datagram[1..]), None, "too short for a packet");
        for place in 5..21 {
            let mut changed = datagram.clone();
            changed[place] ^= 1;
            assert_eq!(routes.reset(&changed), None);
        }
        datagram.push(7);
        datagram[5] = 0;
        assert_eq!(routes.reset(&datagram), Some(ONE), "only the end counts");
        routes.remove_token(token, OTHER);
        assert_eq!(routes.length(), (0, 1));
        routes.remove_token(token, ONE);
        assert_eq!(routes.reset(&datagram), None);
    }
}
