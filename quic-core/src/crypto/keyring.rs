//! Secrets that several servers share, and replace one by one while they run.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::provider::hmac;
use crate::wire::ConnectionId;

/// Names a key: by the first three bits of the tokens and connection IDs that belong to it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId(u8);

impl KeyId {
    /// The name of the key that [`Keyring::new`] takes.
    pub const FIRST: Self = Self(0);

    /// Bits of a byte that are not the key's.
    const SHIFT: u32 = 5;

    /// The name with this number; `None` above 7.
    pub const fn new(number: u8) -> Option<Self> {
        if number < 1 << (u8::BITS - Self::SHIFT) { Some(Self(number)) } else { None }
    }

    /// The number, 0 to 7.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// What the first byte of a token or connection ID says.
    pub(crate) const fn of(first_byte: u8) -> Self {
        Self(first_byte >> Self::SHIFT)
    }

    /// `first_byte` with the first three bits replaced by this name.
    pub const fn mark(self, first_byte: u8) -> u8 {
        (self.0 << Self::SHIFT) | (first_byte & ((1 << Self::SHIFT) - 1))
    }
}

/// The secrets of a server, or of several that share an address: up to eight, one of which is
/// active. What is new is made with the active one: address validation tokens (RFC 9000 §8.1) and
/// stateless reset tokens (RFC 9000 §10.3.2). What was made with another is still taken, as long
/// as that one is there.
///
/// A token, and a connection ID, tells by its first three bits which key it belongs to, so that no
/// state has to say so. A connection ID that names no key that is there belongs to the oldest.
///
/// To replace a secret without a gap, with any number of servers: [`announce`](Self::announce) the
/// new one to all of them, then [`activate`](Self::activate) it on all of them, and
/// [`remove`](Self::remove) the old one when the connections and tokens are gone that were made
/// with it. Give each change to
/// [`PacketHandlerManager::listen`](crate::PacketHandlerManager::listen) for tokens, and to
/// [`Multiplexer::reconfigure`](crate::Multiplexer::reconfigure) for resets.
///
/// ```
/// use quic_core::{KeyId, Keyring};
///
/// # fn main() -> Result<(), quic_core::KeyringError> {
/// let (first, second) = ([7; 32], [8; 32]); // Random, outside of an example.
/// let mut keyring = Keyring::new(first);
/// let id = KeyId::new(1).ok_or(quic_core::KeyringError::Unknown)?;
/// keyring.announce(id, second)?;
/// keyring.activate(id)?;
/// keyring.remove(KeyId::FIRST)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Keyring {
    /// The oldest first; never empty.
    keys: Arc<[Key]>,
    active: KeyId,
}

/// A secret and what is derived from it.
#[derive(Clone, Eq, PartialEq)]
struct Key {
    id: KeyId,
    secret: Secret,
    tokens: Secret,
    resets: Secret,
}

type Secret = Zeroizing<[u8; 32]>;

/// What cannot be done with a keyring.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// There is a key of this name; remove it, or take another name.
    #[error("there is a key of this name already")]
    NameInUse,
    /// There is no key of this name.
    #[error("there is no key of this name")]
    Unknown,
    /// The key is active; activate another one first.
    #[error("the active key cannot be removed")]
    Active,
}

impl Keyring {
    /// A keyring with one key, which is active and named [`KeyId::FIRST`], from 32 bytes that
    /// nobody can guess.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { keys: Arc::new([Key::new(KeyId::FIRST, secret)]), active: KeyId::FIRST }
    }

    /// Adds a key whose tokens are taken from now on, but that makes none before it is
    /// [activated](Self::activate): other servers may use it already.
    ///
    /// # Errors
    /// [`KeyringError::NameInUse`].
    pub fn announce(&mut self, id: KeyId, secret: [u8; 32]) -> Result<(), KeyringError> {
        if self.find(id).is_some() {
            return Err(KeyringError::NameInUse);
        }
        let added = std::iter::once(Key::new(id, secret));
        self.keys = self.keys.iter().cloned().chain(added).collect();
        Ok(())
    }

    /// Makes everything with this key from now on.
    ///
    /// # Errors
    /// [`KeyringError::Unknown`].
    pub fn activate(&mut self, id: KeyId) -> Result<(), KeyringError> {
        self.find(id).ok_or(KeyringError::Unknown)?;
        self.active = id;
        Ok(())
    }

    /// Takes nothing any more that was made with this key.
    ///
    /// # Errors
    /// [`KeyringError::Unknown`], or [`KeyringError::Active`].
    pub fn remove(&mut self, id: KeyId) -> Result<(), KeyringError> {
        self.find(id).ok_or(KeyringError::Unknown)?;
        if id == self.active {
            return Err(KeyringError::Active);
        }
        self.keys = self.keys.iter().filter(|key| key.id != id).cloned().collect();
        Ok(())
    }

    /// The key that everything new is made with.
    pub fn active(&self) -> KeyId {
        self.active
    }

    /// The names of all keys, the oldest first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(|key| key.id)
    }

    /// A secret of its own for another purpose, such as the encryption of TLS tickets or of
    /// QUIC-LB connection IDs, derived from the key `id`: HMAC-SHA-256 of `purpose`. `None` if
    /// there is no such key. Purposes that begin with `quic-core` are this crate's.
    pub fn derive(&self, id: KeyId, purpose: &[u8]) -> Option<[u8; 32]> {
        Some(*derive(&self.find(id)?.secret, purpose))
    }

    fn find(&self, id: KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The secret that address validation tokens of this key are sealed with.
    pub(super) fn token_secret(&self, id: KeyId) -> Option<&[u8; 32]> {
        Some(&self.find(id)?.tokens)
    }

    /// The secret that the stateless reset token of a connection ID is derived from.
    pub(super) fn reset_secret(&self, connection_id: &ConnectionId) -> Option<&[u8; 32]> {
        let named = connection_id.as_slice().first().and_then(|first| self.find(KeyId::of(*first)));
        named.or(self.keys.first()).map(|key| &*key.resets)
    }
}

impl Key {
    fn new(id: KeyId, secret: [u8; 32]) -> Self {
        let secret = Secret::new(secret);
        Self {
            id,
            tokens: derive(&secret, b"quic-core address validation tokens"),
            resets: derive(&secret, b"quic-core stateless reset tokens"),
            secret,
        }
    }
}

fn derive(secret: &[u8; 32], purpose: &[u8]) -> Secret {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), purpose);
    let mut derived = Secret::default();
    for (to, from) in derived.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    derived
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<u8> = self.ids().map(KeyId::number).collect();
        f.debug_struct("Keyring").field("ids", &ids).field("active", &self.active).finish()
    }
}
