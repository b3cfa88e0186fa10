//! Handshake bytes to and from TLS.

use quic_core::wire::{Side, SpaceId};
use rustls::quic::KeyChange;

use super::one_rtt::OneRtt;
use super::{Peer, TargetId};

impl Peer {
    /// Gives TLS what came in order.
    pub(super) fn on_crypto(&mut self, space: SpaceId, offset: u64, data: &[u8]) {
        let ready = self.space_mut(space).on_crypto(offset, data);
        if ready.is_empty() {
            return;
        }
        if let Err(error) = self.tls.read_hs(&ready) {
            self.tls_error.get_or_insert(error.to_string());
            return;
        }
        self.drive_tls();
        self.note_first_token();
        if self.side == Side::Server && self.one_rtt.is_some() && !self.tls.is_handshaking() {
            self.confirmed = true;
        }
    }

    /// Takes what TLS has to say, and its keys.
    pub(super) fn drive_tls(&mut self) {
        loop {
            let mut written = Vec::new();
            let change = self.tls.write_hs(&mut written);
            let space = self.write_space;
            if let Some((edited, edit)) = self.edit
                && edited == space
                && !written.is_empty()
            {
                edit(&mut written);
            }
            self.space_mut(space).crypto.extend_from_slice(&written);
            match change {
                Some(KeyChange::Handshake { keys }) => {
                    self.handshake = Some(keys);
                    self.write_space = SpaceId::Handshake;
                }
                Some(KeyChange::OneRtt { keys, next }) => {
                    self.one_rtt = Some(OneRtt::new(keys, next));
                    self.write_space = SpaceId::Application;
                }
                None if written.is_empty() => return,
                None => {}
            }
        }
    }

    /// The token of the target's first connection ID and its preferred address are in its transport
    /// parameters.
    fn note_first_token(&mut self) {
        if self.target_ids.iter().any(|known| known.sequence == 0) {
            return;
        }
        let Some(parameters) = self.target_parameters() else { return };
        let token = parameters.stateless_reset_token.map(|token| *token.as_bytes());
        self.target_ids.push(TargetId { sequence: 0, id: self.target_id.clone(), token });
        if let Some(preferred) = parameters.preferred_address {
            let id = preferred.id.as_slice().to_vec();
            let token = Some(*preferred.reset_token.as_bytes());
            self.target_ids.push(TargetId { sequence: 1, id, token });
        }
    }
}
