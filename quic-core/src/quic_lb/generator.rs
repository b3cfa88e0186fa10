//! What makes connection IDs on a server.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ConfigError;
use super::config::{Config, LONGEST_TEXT, UNROUTABLE, first_octet};
use crate::config::ConnectionIdGenerator;
use crate::crypto::{KeyId, RandomSource};
use crate::wire::ConnectionId;

/// Bytes of a nonce that count.
const COUNTER: usize = 8;

/// Makes connection IDs with a server ID (draft-ietf-quic-load-balancers-21 §5.4).
///
/// With a key, nonces count up from a random one, and none is used twice: when all are used up,
/// IDs are as those of [`Unroutable`]. So there must be one generator for each server ID, and
/// several processes of one server need several server IDs. A server that starts again starts at
/// another random nonce: nonces of 8 bytes or more make it unlikely enough that it uses any again.
///
/// Without a key nonces are random, and clients get one ID only and are asked not to migrate: IDs
/// that tell their server link the addresses that they are seen at.
///
/// The first three bits of its IDs are the configuration's. Stateless resets are the same after a
/// change of the active key of the [`Keyring`](crate::Keyring), if the keyring has a key whose
/// name is the configuration's number, or while the oldest key stays.
#[derive(Debug)]
pub struct Generator {
    config: Config,
    /// Server ID, zero beyond its length.
    server_id: [u8; LONGEST_TEXT],
    nonces: Nonces,
    unroutable: Unroutable,
}

/// Nonces that count.
struct Nonces {
    /// The first one; the bytes before the counting ones stay as they are.
    first: [u8; LONGEST_TEXT],
    used: AtomicU64,
    /// How many there are, less one.
    last: u64,
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").field("used", &self.used).finish_non_exhaustive()
    }
}

impl Generator {
    /// A generator for the server with this ID, whose nonces begin at random.
    ///
    /// # Errors
    /// [`ConfigError::ServerIdLength`].
    pub fn new(
        config: Config,
        server_id: &[u8],
        random: &mut dyn RandomSource,
    ) -> Result<Self, ConfigError> {
        let (expected, actual) = (config.server_id_length, server_id.len());
        if expected != actual {
            return Err(ConfigError::ServerIdLength { expected, actual });
        }
        let mut padded = [0; LONGEST_TEXT];
        for (to, from) in padded.iter_mut().zip(server_id) {
            *to = *from;
        }
        let nonces = Nonces::new(config.nonce_length, random);
        let unroutable = Unroutable { length: config.connection_id_length() };
        Ok(Self { config, server_id: padded, nonces, unroutable })
    }

    /// How many IDs can still be made before all of them are unroutable; `u64::MAX` for that many
    /// or more, and without a key. When it becomes small, it is time for another configuration.
    pub fn remaining(&self) -> u64 {
        if self.config.cipher.is_some() { self.nonces.remaining() } else { u64::MAX }
    }

    #[cfg(test)]
    pub(super) fn use_up_all_nonces_but(&mut self, count: u64) {
        let last = self.nonces.last;
        *self.nonces.used.get_mut() = last.saturating_add(1).saturating_sub(count);
    }

    fn nonce(&self, random: &mut dyn RandomSource) -> Option<[u8; LONGEST_TEXT]> {
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-9.6
        //# Whether or not it implements the counter method, the server MUST NOT
        //# reuse a nonce until it switches to a configuration with new keys.
        if self.config.cipher.is_some() {
            return self.nonces.next(self.config.nonce_length);
        }
        let mut nonce = [0; LONGEST_TEXT];
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4
        //# If there is no key in the configuration, the server MUST fill the
        //# Nonce field with bytes that have no observable relationship to the
        //# field in previously issued connection IDs.
        random.fill(&mut nonce);
        Some(nonce)
    }
}

/// A connection ID of `config`.
pub(super) fn connection_id(
    config: &Config,
    server_id: &[u8],
    nonce: &[u8],
    random: &mut dyn RandomSource,
) -> ConnectionId {
    let mut id = [0; ConnectionId::MAXIMUM_LENGTH];
    // Bytes after server ID and nonce stay random, and so do the low bits of the first octet.
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4
    //# Any additional bytes SHOULD NOT provide any observable correlation to
    //# previous connection IDs for that connection (e.g., the bytes can be
    //# chosen at random).
    random.fill(&mut id);
    let Some((first, rest)) = id.split_first_mut() else { return ConnectionId::EMPTY };
    *first = config.first_octet(*first);
    let text = rest.get_mut(..config.text_length()).unwrap_or_default();
    let (to_server_id, to_nonce) = text.split_at_mut(config.server_id_length.min(text.len()));
    for (to, from) in to_server_id.iter_mut().zip(server_id) {
        *to = *from;
    }
    for (to, from) in to_nonce.iter_mut().zip(nonce) {
        *to = *from;
    }
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4
    //# These bytes MUST NOT provide observers with any information that could
    //# link two connection IDs to the same connection, client, or server.
    if let Some(cipher) = &config.cipher {
        cipher.encrypt(text);
    }
    let id = id.get(..config.connection_id_length()).and_then(ConnectionId::new);
    id.unwrap_or(ConnectionId::EMPTY)
}

impl ConnectionIdGenerator for Generator {
    fn length(&self) -> usize {
        self.config.connection_id_length()
    }

    fn generate(&self, key: Option<KeyId>, random: &mut dyn RandomSource) -> ConnectionId {
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-9.6
        //# A server that has exhausted its nonces MUST either switch to a
        //# different configuration, or if none exists, use the 4-tuple routing
        //# config rotation codepoint.
        let Some(nonce) = self.nonce(random) else { return self.unroutable.generate(key, random) };
        connection_id(&self.config, &self.server_id, &nonce, random)
    }

    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-9
    //# Servers that are encoding their
    //# server ID without a key algorithm SHOULD only use it to generate new
    //# CIDs for the Server Initial Packet and SHOULD NOT send CIDs in QUIC
    //# NEW_CONNECTION_ID frames, except that it sends one new Connection ID
    //# in the event of config rotation Section 3.1.
    fn permits_migration(&self) -> bool {
        self.config.cipher.is_some()
    }
}

impl Nonces {
    fn new(length: usize, random: &mut dyn RandomSource) -> Self {
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-9.6
        //# To maximize entropy, servers SHOULD start with a random nonce value,
        //# in which case the configuration is usable until the nonce value wraps
        //# around to zero and then reaches the initial value again.
        let mut first = [0; LONGEST_TEXT];
        random.fill(&mut first);
        let bits = u32::try_from(length.min(COUNTER)).unwrap_or_default().saturating_mul(8);
        let last = u64::MAX.checked_shr(u64::BITS.saturating_sub(bits)).unwrap_or_default();
        Self { first, used: AtomicU64::new(0), last }
    }

    fn remaining(&self) -> u64 {
        let used = self.used.load(Ordering::Relaxed);
        self.last.checked_sub(used).map_or(0, |left| left.saturating_add(1))
    }

    /// The next nonce of `length` bytes; `None` if all were used.
    fn next(&self, length: usize) -> Option<[u8; LONGEST_TEXT]> {
        let next = |used: u64| if used > self.last { None } else { used.checked_add(1) };
        let used = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        let mut nonce = self.first;
        let counting = nonce.get_mut(length.checked_sub(COUNTER.min(length))?..length)?;
        let mut carry = 0;
        for (byte, add) in counting.iter_mut().rev().zip(used.to_le_bytes()) {
            carry += u16::from(*byte) + u16::from(add);
            let [low, high] = u16::to_le_bytes(carry);
            *byte = low;
            carry = high.into();
        }
        Some(nonce)
    }
}

/// Makes connection IDs that load balancers do not look into, for servers that have no
/// configuration yet (draft-ietf-quic-load-balancers-21 §3.2). Clients get one ID only and are
/// asked not to migrate.
#[derive(Clone, Copy, Debug)]
pub struct Unroutable {
    length: usize,
}

impl Unroutable {
    /// A generator of IDs of `length` bytes, 8 to 20.
    ///
    /// # Errors
    /// [`ConfigError::UnroutableLength`].
    pub const fn new(length: usize) -> Result<Self, ConfigError> {
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.2
        //# The connection ID
        //# SHOULD be of at least length 8 to provide 7 bytes of entropy after
        //# the first octet with a low chance of collision.
        if matches!(length, 8..=ConnectionId::MAXIMUM_LENGTH) {
            Ok(Self { length })
        } else {
            Err(ConfigError::UnroutableLength(length))
        }
    }
}

impl ConnectionIdGenerator for Unroutable {
    fn length(&self) -> usize {
        self.length
    }

    fn generate(&self, _key: Option<KeyId>, random: &mut dyn RandomSource) -> ConnectionId {
        let mut id = [0; ConnectionId::MAXIMUM_LENGTH];
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.2
        //# When using codepoint 0b111, all bytes but the first SHOULD have no
        //# larger of a chance of collision as random bytes.
        random.fill(&mut id);
        if let Some(first) = id.first_mut() {
            //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.2
            //# Servers with no active configuration MUST issue connection IDs with
            //# the reserved value of the three most significant bits set to 0b111 to
            //# signify the connection ID is unroutable.  These connection IDs MUST
            //# self-encode their length (see Section 3.3).
            *first = first_octet(UNROUTABLE, self.length.saturating_sub(1));
        }
        id.get(..self.length).and_then(ConnectionId::new).unwrap_or(ConnectionId::EMPTY)
    }

    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.2
    //# In QUIC versions 1
    //# and 2, therefore, servers SHOULD NOT send any NEW_CONNECTION_ID
    //# frames, instead delivering a single CID via the Source Connection ID
    //# of long headers it sends.
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.2
    //# Servers with no active configuration SHOULD provide the client
    //# exactly one CID over the life of the connection.
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.2
    //# Servers with no active configuration SHOULD send the
    //# "disable_active_migration" transport parameter, or a similar message
    //# in future QUIC versions.
    fn permits_migration(&self) -> bool {
        false
    }
}
