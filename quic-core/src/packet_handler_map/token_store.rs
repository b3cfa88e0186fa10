//! Address validation tokens that servers gave to clients (RFC 9000 §8.1.3).

use std::collections::VecDeque;

use bytes::Bytes;

/// Server names with tokens.
const MAXIMUM_NAMES: usize = 256;
/// Tokens for each.
const MAXIMUM_PER_NAME: usize = 8;

/// Keeps tokens from NEW_TOKEN frames by server name; the least recently used name gives way.
/// Connections bound how long a token is.
#[derive(Debug, Default)]
pub(super) struct TokenStore {
    /// The most recently used name last.
    names: VecDeque<(Box<str>, VecDeque<Bytes>)>,
}

impl TokenStore {
    pub(super) fn add(&mut self, server_name: &str, token: Bytes) {
        if token.is_empty() {
            return;
        }
        let (name, mut tokens) =
            self.remove(server_name).unwrap_or_else(|| (server_name.into(), VecDeque::new()));
        if tokens.len() >= MAXIMUM_PER_NAME {
            tokens.pop_front();
        }
        tokens.push_back(token);
        self.put(name, tokens);
    }

    /// Takes the newest token for a server. Each is used once, so that it does not link
    /// connections to each other.
    pub(super) fn take(&mut self, server_name: &str) -> Option<Bytes> {
        let (name, mut tokens) = self.remove(server_name)?;
        let token = tokens.pop_back();
        if !tokens.is_empty() {
            self.put(name, tokens);
        }
        token
    }

    fn put(&mut self, name: Box<str>, tokens: VecDeque<Bytes>) {
        if self.names.len() >= MAXIMUM_NAMES {
            self.names.pop_front();
        }
        self.names.push_back((name, tokens));
    }

    fn remove(&mut self, server_name: &str) -> Option<(Box<str>, VecDeque<Bytes>)> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
        //# A client MUST NOT include a token that is not applicable to the server
        //# that it is connecting to, unless the client has the knowledge that the
        //# server that issued the token and the server the client is connecting to
        //# are jointly managing the tokens.
        let place = self.names.iter().position(|(name, _)| **name == *server_name)?;
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
        store.add("a", Bytes::from_static(b"1"));
        store.add("a", Bytes::from_static(b"2"));
        assert_eq!(store.take("b"), None);
        assert_eq!(store.take("a").as_deref(), Some(&b"2"[..]), "the newest lives longest");
        assert_eq!(store.take("a").as_deref(), Some(&b"1"[..]));
        assert_eq!(store.take("a"), None);
    }

    #[test]
    fn memory_is_bounded_and_the_least_recently_used_name_gives_way() {
        let mut store = TokenStore::default();
        for number in 0..1000_u32 {
            for _ in 0..20 {
                store.add("kept", Bytes::from_static(b"token"));
                store.add(&number.to_string(), Bytes::from_static(b"token"));
            }
        }
        assert_eq!(store.names.len(), MAXIMUM_NAMES);
        assert!(store.names.iter().all(|(_, tokens)| tokens.len() == MAXIMUM_PER_NAME));
        assert!(store.take("0").is_none());
        assert!(store.take("kept").is_some());
    }
}
