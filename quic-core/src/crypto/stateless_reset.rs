//! Stateless reset tokens that need no state: each is derived from its connection ID
//! (RFC 9000 §10.3.2).

use super::Keyring;
use super::provider::hmac;
use crate::wire::{ConnectionId, StatelessResetToken};

/// The token for `id` under the key of `keyring` that the ID belongs to.
pub(crate) fn reset_token(keyring: &Keyring, id: &ConnectionId) -> Option<StatelessResetToken> {
    Some(reset_token_with(keyring.reset_secret(id)?, id))
}

/// The token for `id`: HMAC-SHA-256 under `secret`, cut to 16 bytes.
pub(crate) fn reset_token_with(secret: &[u8; 32], id: &ConnectionId) -> StatelessResetToken {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, id.as_slice());
    let mut token = [0; StatelessResetToken::LENGTH];
    for (to, from) in token.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    StatelessResetToken::new(token)
}
