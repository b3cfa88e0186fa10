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
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.2
    //# The stateless reset token MUST be difficult to guess.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.2
    //# The same stateless reset token MUST NOT be used for multiple
    //# connection IDs.
    let tag = hmac::sign(&key, id.as_slice());
    let mut token = [0; StatelessResetToken::LENGTH];
    for (to, from) in token.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    StatelessResetToken::new(token)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn tokens_follow_from_the_key_and_the_id_and_look_like_chance() {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.2
        //= type=test
        //# The stateless reset token MUST be difficult to guess.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.2
        //= type=test
        //# The same stateless reset token MUST NOT be used for multiple
        //# connection IDs.
        let id = |number: u32| ConnectionId::new(&number.to_be_bytes()).unwrap();
        let mut seen = HashSet::new();
        let mut ones = 0;
        for key in [[0; 32], [1; 32]] {
            for number in 0..1000 {
                let token = reset_token_with(&key, &id(number));
                assert_eq!(token, reset_token_with(&key, &id(number)));
                assert!(seen.insert(*token.as_bytes()), "two IDs with one token");
                ones += token.as_bytes().iter().map(|byte| byte.count_ones()).sum::<u32>();
            }
        }
        let expected = 2 * 1000 * 64;
        assert!(ones.abs_diff(expected) < expected / 50, "{ones} bits of {} are set", 2 * expected);
    }
}
