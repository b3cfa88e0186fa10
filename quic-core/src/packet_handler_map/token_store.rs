//! Address validation tokens that servers gave to clients (RFC 9000 §8.1.3).

use std::collections::VecDeque;

use bytes::Bytes;

use crate::connection::LONGEST_NEW_TOKEN;
use crate::memory;

/// Server names with tokens, each as often as it has tokens of another version of QUIC.
const MAXIMUM_NAMES: usize = 256;
/// Longest name of a server, in bytes.
const LONGEST_NAME: u64 = 255;
/// Tokens for each.
const MAXIMUM_PER_NAME: usize = 8;

/// Keeps tokens from NEW_TOKEN frames by server name, and by the version of QUIC of the connection
/// that they came on; the least recently used name gives way. Connections bound how long a token
/// is.
#[derive(Debug, Default)]
pub(super) struct TokenStore {
    /// The most recently used name last.
    names: VecDeque<Known>,
}

#[derive(Debug)]
struct Known {
    server_name: Box<str>,
    version: u32,
    /// The newest last.
    tokens: VecDeque<Bytes>,
}

impl TokenStore {
    /// Heap at the most, in bytes, of tokens as long as connections pass on.
    pub(super) fn worst_case_bytes() -> u64 {
        let tokens = MAXIMUM_PER_NAME as u64;
        let of_name = memory::sum([
            LONGEST_NAME,
            memory::list::<Bytes>(tokens),
            tokens.saturating_mul(LONGEST_NEW_TOKEN as u64),
        ]);
        let names = MAXIMUM_NAMES as u64 + 1;
        memory::list::<Known>(names).saturating_add(names.saturating_mul(of_name))
    }

    pub(super) fn add(&mut self, server_name: &str, version: u32, token: Bytes) {
        if token.is_empty() {
            return;
        }
        let mut known = self.remove(server_name, version).unwrap_or_else(|| Known {
            server_name: server_name.into(),
            version,
            tokens: VecDeque::new(),
        });
        if known.tokens.len() >= MAXIMUM_PER_NAME {
            known.tokens.pop_front();
        }
        known.tokens.push_back(token);
        self.put(known);
    }

    /// Takes the newest token for a connection to a server that starts in this version. Each is
    /// used once, so that it does not link connections to each other.
    //= https://www.rfc-editor.org/rfc/rfc9369#section-5
    //# Clients MUST NOT use a
    //# session ticket or token from a QUIC version 1 connection to initiate
    //# a QUIC version 2 connection, and vice versa.
    pub(super) fn take(&mut self, server_name: &str, version: u32) -> Option<Bytes> {
        let mut known = self.remove(server_name, version)?;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
        //# A client SHOULD NOT reuse a token from a NEW_TOKEN frame for different
        //# connection attempts.
        let token = known.tokens.pop_back();
        if !known.tokens.is_empty() {
            self.put(known);
        }
        token
    }

    fn put(&mut self, tokens: Known) {
        if self.names.len() >= MAXIMUM_NAMES {
            self.names.pop_front();
        }
        self.names.push_back(tokens);
    }

    fn remove(&mut self, server_name: &str, version: u32) -> Option<Known> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
        //# A client MUST NOT include a token that is not applicable to the server
        //# that it is connecting to, unless the client has the knowledge that the
        //# server that issued the token and the server the client is connecting to
        //# are jointly managing the tokens.
        let place = self
            .names
            .iter()
            .position(|known| known.version == version && *known.server_name == *server_name)?;
        self.names.remove(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_is_used_once_and_for_its_server_only() {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
        //= type=test
        //# A client MUST NOT include a token that is not applicable to the server
        //# that it is connecting to, unless the client has the knowledge that the
        //# server that issued the token and the server the client is connecting to
        //# are jointly managing the tokens.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
        //= type=test
        //# A client SHOULD NOT reuse a token from a NEW_TOKEN frame for different
        //# connection attempts.
        let mut store = TokenStore::default();
        store.add("a", 1, Bytes::from_static(b"1"));
        store.add("a", 1, Bytes::from_static(b"2"));
        assert_eq!(store.take("b", 1), None);
        assert_eq!(store.take("a", 1).as_deref(), Some(&b"2"[..]), "the newest lives longest");
        assert_eq!(store.take("a", 1).as_deref(), Some(&b"1"[..]));
        assert_eq!(store.take("a", 1), None);
    }

    #[test]
    fn a_token_is_used_in_the_version_only_that_it_came_in() {
        //= https://www.rfc-editor.org/rfc/rfc9369#section-5
        //= type=test
        //# Clients MUST NOT use a
        //# session ticket or token from a QUIC version 1 connection to initiate
        //# a QUIC version 2 connection, and vice versa.
        let mut store = TokenStore::default();
        store.add("a", 2, Bytes::from_static(b"2"));
        assert_eq!(store.take("a", 1), None);
        store.add("a", 1, Bytes::from_static(b"1"));
        assert_eq!(store.take("a", 2).as_deref(), Some(&b"2"[..]));
        assert_eq!(store.take("a", 2), None);
        assert_eq!(store.take("a", 1).as_deref(), Some(&b"1"[..]));
    }

    #[test]
    fn memory_is_bounded_and_the_least_recently_used_name_gives_way() {
        let mut store = TokenStore::default();
        for number in 0..1000_u32 {
            for _ in 0..20 {
                store.add("kept", 1, Bytes::from_static(b"token"));
                store.add(&number.to_string(), 1, Bytes::from_static(b"token"));
            }
        }
        assert_eq!(store.names.len(), MAXIMUM_NAMES);
        assert!(store.names.iter().all(|known| known.tokens.len() == MAXIMUM_PER_NAME));
        assert!(store.take("0", 1).is_none());
        assert!(store.take("kept", 1).is_some());
    }
}
