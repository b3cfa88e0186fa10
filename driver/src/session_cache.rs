//! Sessions of a client, in memory.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use quic_core::crypto::{ClientSession, SessionKey, SessionStore};

/// Sessions kept for each server; the oldest gives way.
const SESSIONS_PER_SERVER: usize = 8;

/// Keeps sessions of a client in memory, up to eight for each of a number of servers. The server
/// that was not talked to for the longest time gives way to a new one.
///
/// Give it to [`TlsClientConfig::session_store`](crate::crypto::TlsClientConfig::session_store).
pub struct SessionCache {
    maximum: usize,
    /// The server that was used last is the last.
    servers: Mutex<VecDeque<(SessionKey, VecDeque<ClientSession>)>>,
}

impl SessionCache {
    /// Keeps sessions of this many servers, and at least of one. A session takes about 2 KiB, most
    /// of it for the server's certificates.
    pub fn new(servers: usize) -> Self {
        Self { maximum: servers.max(1), servers: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(SessionKey, VecDeque<ClientSession>)>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for SessionCache {
    /// For 256 servers.
    fn default() -> Self {
        Self::new(256)
    }
}

impl fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCache")
            .field("servers", &self.lock().len())
            .field("maximum", &self.maximum)
            .finish()
    }
}

impl SessionStore for SessionCache {
    fn insert(&self, server: &SessionKey, session: ClientSession) {
        let mut servers = self.lock();
        let known = servers.iter().position(|(key, _)| key == server);
        let (key, mut sessions) = known
            .and_then(|at| servers.remove(at))
            .unwrap_or_else(|| (server.clone(), VecDeque::new()));
        if sessions.len() >= SESSIONS_PER_SERVER {
            sessions.pop_front();
        }
        sessions.push_back(session);
        if servers.len() >= self.maximum {
            servers.pop_front();
        }
        servers.push_back((key, sessions));
    }

    fn take(&self, server: &SessionKey) -> Option<ClientSession> {
        let mut servers = self.lock();
        let at = servers.iter().position(|(key, _)| key == server)?;
        let (key, mut sessions) = servers.remove(at)?;
        let session = sessions.pop_back();
        if !sessions.is_empty() {
            servers.push_back((key, sessions));
        }
        session
    }
}
