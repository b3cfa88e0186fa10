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
use rustls::server::{ProducesTickets, StoresServerSessions};
use rustls::{ClientConfig, NamedGroup, ServerConfig};

use crate::wire::Side;
use crate::wire::transport_parameters::{EarlyLimits, decode};

/// Servers whose favourite key exchange a client remembers.
const MAXIMUM_HINTS: usize = 256;
/// Sessions that a client keeps for another QUIC version than the first, if it has no store.
const MAXIMUM_SESSIONS: usize = 256;

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

/// Configurations for each QUIC version, made from one when they are first needed.
#[derive(Debug)]
pub(super) struct Variants<C>(Arc<[OnceLock<Variant<C>>; VERSIONS]>);

impl<C> Clone for Variants<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> Default for Variants<C> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// QUIC versions that have a variant ready; others have it made for each connection.
const VERSIONS: usize = 2;

#[derive(Debug)]
struct Variant<C> {
    /// What it was made from: a configuration that was changed since is another one.
    base: Arc<C>,
    version: u32,
    limits: Option<EarlyLimits>,
    config: Arc<C>,
}

impl<C: Clone> Variants<C> {
    fn get(
        &self,
        base: &Arc<C>,
        version: u32,
        limits: Option<EarlyLimits>,
        adapt: impl Fn(&mut C),
    ) -> Arc<C> {
        let make = || {
            let mut config = C::clone(base);
            adapt(&mut config);
            Variant { base: Arc::clone(base), version, limits, config: Arc::new(config) }
        };
        for place in self.0.iter() {
            let variant = place.get_or_init(make);
            let fits = Arc::ptr_eq(&variant.base, base)
                && (variant.version, variant.limits) == (version, limits);
            if fits {
                return Arc::clone(&variant.config);
            }
        }
        make().config
    }
}

/// The configuration of a client for a QUIC version. Sessions go into `store`; without one, where
/// `base` says, but for those of a second version.
pub(super) fn client_variant(
    variants: &Variants<ClientConfig>,
    base: &Arc<ClientConfig>,
    store: Option<&Arc<dyn SessionStore>>,
    version: u32,
) -> Arc<ClientConfig> {
    if store.is_none() && version == crate::wire::header::VERSION_1 {
        return Arc::clone(base);
    }
    variants.get(base, version, None, |config| {
        config.resumption = match store {
            Some(store) => Resumption::store(Arc::new(ClientAdapter {
                store: Arc::clone(store),
                version,
                protocols: base.alpn_protocols.clone().into(),
                hints: ClientSessionMemoryCache::new(MAXIMUM_HINTS),
            })),
            None => Resumption::in_memory_sessions(MAXIMUM_SESSIONS),
        };
    })
}

/// The configuration of a server for a QUIC version and its transport parameters, encoded.
pub(super) fn server_variant(
    variants: &Variants<ServerConfig>,
    base: &Arc<ServerConfig>,
    version: u32,
    parameters: &[u8],
) -> Arc<ServerConfig> {
    let early = base.max_early_data_size > 0;
    let limits = early.then(|| decode(parameters, Side::Server).ok()).flatten();
    let limits = limits.map(|parameters| EarlyLimits::from(&parameters));
    variants.get(base, version, limits, |config| {
        let label = Label { version, limits };
        let inner = Arc::clone(&config.session_storage);
        config.session_storage = Arc::new(LabelledSessions { inner, label });
        let inner = Arc::clone(&config.ticketer);
        config.ticketer = Arc::new(LabelledTickets { inner, label });
        if early && limits.is_none() {
            // Nobody knows what was promised.
            config.max_early_data_size = 0;
        }
    })
}

/// What a server's session is good for, kept with it.
#[derive(Clone, Copy, Debug)]
struct Label {
    version: u32,
    /// What was promised for 0-RTT; `None` if nothing was.
    limits: Option<EarlyLimits>,
}

impl Label {
    /// Appends the label to a session.
    fn attach(&self, session: &mut Vec<u8>) {
        session.extend(self.version.to_be_bytes());
        if let Some(limits) = &self.limits {
            session.extend(limits.encode());
        }
    }

    /// Takes the label off a session; `None` if the session cannot be resumed under this one.
    fn detach(&self, mut session: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(limits) = &self.limits {
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
            if !limits.covers(&before) {
                return None;
            }
            session.truncate(length);
        }
        let (_, version) = session.split_last_chunk()?;
        if u32::from_be_bytes(*version) != self.version {
            return None;
        }
        session.truncate(session.len().saturating_sub(size_of::<u32>()));
        Some(session)
    }
}

/// A server's store in which every session has a label. Each session is taken out when it is used:
/// that it cannot be resumed twice is what keeps 0-RTT from being replayed (RFC 8446 §8.1).
#[derive(Debug)]
struct LabelledSessions {
    inner: Arc<dyn StoresServerSessions>,
    label: Label,
}

impl StoresServerSessions for LabelledSessions {
    fn put(&self, key: Vec<u8>, mut session: Vec<u8>) -> bool {
        self.label.attach(&mut session);
        self.inner.put(key, session)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.label.detach(self.inner.get(key)?)
    }

    //= https://www.rfc-editor.org/rfc/rfc9001#section-9.2
    //# Endpoints MUST implement and use the replay protections described in
    //# [TLS13], however it is recognized that these protections are
    //# imperfect.
    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.label.detach(self.inner.take(key)?)
    }

    fn can_cache(&self) -> bool {
        self.inner.can_cache()
    }
}

/// A server's tickets, each with a label.
#[derive(Debug)]
struct LabelledTickets {
    inner: Arc<dyn ProducesTickets>,
    label: Label,
}

impl ProducesTickets for LabelledTickets {
    fn enabled(&self) -> bool {
        self.inner.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.inner.lifetime()
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        let mut session = session.to_vec();
        self.label.attach(&mut session);
        self.inner.encrypt(&session)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.label.detach(self.inner.decrypt(ticket)?)
    }
}

#[cfg(test)]
mod tests;
