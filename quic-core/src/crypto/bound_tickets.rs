//! Session tickets that only connections of one QUIC version can use (RFC 9369 §5).

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{ProducesTickets, StoresServerSessions};

/// Bytes of a version.
const LENGTH: usize = size_of::<u32>();

/// The configuration for connections of `version`: its tickets name the version, and none that
/// names another one, or none, is accepted.
pub(super) fn bind(config: &ServerConfig, version: u32) -> Arc<ServerConfig> {
    let mut bound = config.clone();
    //= https://www.rfc-editor.org/rfc/rfc9369#section-5
    //# Servers MUST validate the originating version of any session ticket
    //# or token and not accept one issued from a different version.
    let tag = version.to_be_bytes();
    bound.ticketer = Arc::new(BoundTicketer { tag, tickets: Arc::clone(&config.ticketer) });
    bound.session_storage = bind_sessions(Arc::clone(&config.session_storage), version);
    Arc::new(bound)
}

/// The same for a store of sessions.
pub(super) fn bind_sessions(
    sessions: Arc<dyn StoresServerSessions>,
    version: u32,
) -> Arc<dyn StoresServerSessions> {
    Arc::new(BoundStorage { tag: version.to_be_bytes(), sessions })
}

/// Tickets whose contents begin with the version.
struct BoundTicketer {
    tag: [u8; LENGTH],
    tickets: Arc<dyn ProducesTickets>,
}

impl ProducesTickets for BoundTicketer {
    fn enabled(&self) -> bool {
        self.tickets.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.tickets.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.tickets.encrypt(&[&self.tag, plain].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let plain = self.tickets.decrypt(cipher)?;
        plain.strip_prefix(&self.tag).map(<[u8]>::to_vec)
    }
}

/// Stored sessions, by keys that begin with the version.
struct BoundStorage {
    tag: [u8; LENGTH],
    sessions: Arc<dyn StoresServerSessions>,
}

impl BoundStorage {
    fn key(&self, key: &[u8]) -> Vec<u8> {
        [&self.tag, key].concat()
    }
}

impl StoresServerSessions for BoundStorage {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.sessions.put(self.key(&key), value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.sessions.get(&self.key(key))
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.sessions.take(&self.key(key))
    }

    fn can_cache(&self) -> bool {
        self.sessions.can_cache()
    }
}

impl fmt::Debug for BoundTicketer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BoundTicketer").field(&self.tickets).finish()
    }
}

impl fmt::Debug for BoundStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BoundStorage").field(&self.sessions).finish()
    }
}
