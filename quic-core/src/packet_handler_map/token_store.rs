//! Address validation tokens that servers gave to clients (RFC 9000 §8.1.3).

use std::collections::VecDeque;

use bytes::Bytes;

/// Server names with tokens.
pub(super) const MAXIMUM_NAMES: usize = 256;
/// Tokens for each.
pub(super) const MAXIMUM_PER_NAME: usize = 8;
/// Longest token worth keeping, in bytes: it has to fit into an Initial beside a ClientHello.
pub(super) const MAXIMUM_LENGTH: usize = 512;

/// Keeps tokens from NEW_TOKEN frames by server name; the least recently used name gives way.
#[derive(Debug, Default)]
pub(super) struct TokenStore {
    /// The most recently used name last.
    names: VecDeque<(Box<str>, VecDeque<Bytes>)>,
}

impl TokenStore {
    pub(super) fn add(&mut self, server_name: &str, token: Bytes) {
        if token.is_empty() || token.len() > MAXIMUM_LENGTH {
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
        let place = self.names.iter().position(|(name, _)| **name == *server_name)?;
        self.names.remove(place)
    }
}
