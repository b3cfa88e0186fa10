//! Stateless reset tokens that need no state: each is derived from its connection ID
//! (RFC 9000 §10.3.2).

use super::provider::hmac;
use crate::wire::{ConnectionId, StatelessResetToken};

/// The token for `id`: HMAC-SHA-256 under `key`, cut to 16 bytes.
pub(crate) fn reset_token(key: &[u8; 32], id: &ConnectionId) -> StatelessResetToken {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, id.as_slice());
    let mut token = [0; StatelessResetToken::LENGTH];
    for (to, from) in token.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    StatelessResetToken::new(token)
}
