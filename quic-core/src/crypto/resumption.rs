//! What makes TLS sessions go on in later connections: stores of clients and servers, which keep
//! sessions of different QUIC versions apart, and a server's promise of what it will allow in
//! 0-RTT (RFC 9001 §4.5, §4.6; RFC 9000 §7.4.1).

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::server::StoresServerSessions;
use rustls::{NamedGroup, ServerConfig};

use crate::wire::Side;
use crate::wire::transport_parameters::{EarlyLimits, decode};

/// Servers whose favourite key exchange a client remembers.
const MAXIMUM_HINTS: usize = 256;

/// The early data that a server of QUIC allows: all or nothing.
//= https://www.rfc-editor.org/rfc/rfc9001#section-4.6.1
//# Servers MUST NOT send the early_data extension with a
//# max_early_data_size field set to any value other than 0xffffffff.
pub(super) const UNLIMITED_EARLY_DATA: u32 = 0xffff_ffff;

/// Keeps a client's sessions until they are resumed. Shared by all connections that use the same
/// [`TlsClientConfig`](super::TlsClientConfig).
///
/// A session holds a ticket, its secret, and the transport parameters of the server that a client
/// has to remember to send 0-RTT (RFC 9000 §7.4.1). It is as secret as a key.
pub trait SessionStore: Send + Sync + fmt::Debug {
    /// Keeps a session. Whoever keeps any number of them runs out of memory: servers decide how
    /// many they give.
    fn insert(&self, server: &SessionKey, session: ClientSession);

    /// Takes a session out of the store, the newest best: each may be used once, since who sees a
    /// ticket again knows that it is the same client (RFC 8446 Appendix C.4).
    fn take(&self, server: &SessionKey) -> Option<ClientSession>;
}

/// Which sessions may be resumed: those of the same server that were made with the same version
/// of QUIC (RFC 9369 §5) for the same application protocols.
///
/// The port is no part of it. What a session is bound to is the name in the certificate; a server
/// at another port that does not know the ticket makes a full handshake instead.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct SessionKey {
    /// The name that the server proved to have.
    pub server_name: ServerName<'static>,
    /// The QUIC version.
    pub version: u32,
    /// The application protocols that are offered (ALPN), most wanted first.
    pub protocols: Arc<[Vec<u8>]>,
}

/// A session that can be resumed once.
#[derive(Debug)]
pub struct ClientSession(Tls13ClientSessionValue);

impl ClientSession {
    /// Whether the server offered to take early data (0-RTT).
    pub fn allows_early_data(&self) -> bool {
        self.0.max_early_data_size() > 0
    }

    #[cfg(test)]
    pub(super) fn maximum_early_data(&self) -> u32 {
        self.0.max_early_data_size()
    }
}

/// A client's store as rustls wants it.
struct ClientAdapter {
    store: Arc<dyn SessionStore>,
    version: u32,
    protocols: Arc<[Vec<u8>]>,
    hints: ClientSessionMemoryCache,
}

impl ClientAdapter {
    fn key(&self, server_name: ServerName<'static>) -> SessionKey {
        SessionKey { server_name, version: self.version, protocols: Arc::clone(&self.protocols) }
    }
}

impl fmt::Debug for ClientAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAdapter")
            .field("store", &self.store)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl ClientSessionStore for ClientAdapter {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.hints.set_kx_hint(server_name, group);
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.hints.kx_hint(server_name)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(
        &self,
        server_name: ServerName<'static>,
        session: Tls13ClientSessionValue,
    ) {
        self.store.insert(&self.key(server_name), ClientSession(session));
    }

    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.5
    //# Clients SHOULD NOT reuse tickets as that allows entities other than
    //# the server to correlate connections; see Appendix C.4 of [TLS13].
    fn take_tls13_ticket(
        &self,
        server_name: &ServerName<'static>,
    ) -> Option<Tls13ClientSessionValue> {
        self.store.take(&self.key(server_name.clone())).map(|session| session.0)
    }
}

/// What makes rustls keep a client's sessions of a QUIC version in `store`.
pub(super) fn client_resumption(
    store: Arc<dyn SessionStore>,
    version: u32,
    protocols: Arc<[Vec<u8>]>,
) -> Resumption {
    let hints = ClientSessionMemoryCache::new(MAXIMUM_HINTS);
    Resumption::store(Arc::new(ClientAdapter { store, version, protocols, hints }))
}

/// Configurations of servers with early data, each for other transport parameters, made when they
/// are first needed.
#[derive(Clone, Debug, Default)]
pub(super) struct Variants(Arc<[OnceLock<Variant>; VARIANTS]>);

/// Variants that are ready; more are made for each connection. One for each QUIC version, of a
/// configuration that one kind of servers uses, as it should be.
const VARIANTS: usize = 2;

#[derive(Debug)]
struct Variant {
    /// What it was made from: a configuration that was changed since is another one.
    base: Arc<ServerConfig>,
    limits: EarlyLimits,
    config: Arc<ServerConfig>,
}

impl Variants {
    /// The configuration for a server's connection with these parameters, encoded.
    pub(super) fn get(&self, parameters: &[u8], base: &Arc<ServerConfig>) -> Arc<ServerConfig> {
        if base.max_early_data_size == 0 {
            return Arc::clone(base);
        }
        let parameters = decode(parameters, Side::Server).unwrap_or_default();
        let limits = EarlyLimits::from(&parameters);
        let make = || {
            let mut config = ServerConfig::clone(base);
            let inner = Arc::clone(&config.session_storage);
            config.session_storage = Arc::new(LimitedSessions { inner, limits });
            Variant { base: Arc::clone(base), limits, config: Arc::new(config) }
        };
        for place in self.0.iter() {
            let variant = place.get_or_init(make);
            if Arc::ptr_eq(&variant.base, base) && variant.limits == limits {
                return Arc::clone(&variant.config);
            }
        }
        make().config
    }
}

/// A server's store in which every session has the limits that were promised for 0-RTT. Each
/// session is taken out when it is used: that it cannot be resumed twice is what keeps 0-RTT from
/// being replayed (RFC 8446 §8.1).
#[derive(Debug)]
struct LimitedSessions {
    inner: Arc<dyn StoresServerSessions>,
    limits: EarlyLimits,
}

impl LimitedSessions {
    /// Takes the limits off a session; `None` if it cannot be resumed by a server with ours.
    fn detach(&self, mut session: Vec<u8>) -> Option<Vec<u8>> {
        let length = session.len().checked_sub(EarlyLimits::LENGTH)?;
        let before = EarlyLimits::decode(session.get(length..)?).ok()?;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
        //# A server MUST reject 0-RTT data if the restored values for transport
        //# parameters cannot be supported.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
        //# If 0-RTT data is accepted by the server, the server MUST NOT reduce
        //# any limits or alter any values that might be violated by the client
        //# with its 0-RTT data.  In particular, a server that accepts 0-RTT data
        //# MUST NOT set values for the following parameters (Section 18.2) that
        //# are smaller than the remembered values of the parameters.
        if !self.limits.covers(&before) {
            return None;
        }
        session.truncate(length);
        Some(session)
    }
}

impl StoresServerSessions for LimitedSessions {
    fn put(&self, key: Vec<u8>, mut session: Vec<u8>) -> bool {
        session.extend(self.limits.encode());
        self.inner.put(key, session)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.detach(self.inner.get(key)?)
    }

    //= https://www.rfc-editor.org/rfc/rfc9001#section-9.2
    //# Endpoints MUST implement and use the replay protections described in
    //# [TLS13], however it is recognized that these protections are
    //# imperfect.
    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.detach(self.inner.take(key)?)
    }

    fn can_cache(&self) -> bool {
        self.inner.can_cache()
    }
}

#[cfg(test)]
mod tests;
