//! What new keys mean, and the end of old ones (RFC 9001 §4).

use rustls::quic::Keys;

use super::{Connection, Role};
use crate::crypto::{KeyChange, OneRttKeys, reset_token_with};
use crate::error::{TransportError, TransportErrorCode};
use crate::event::Event;
use crate::ids::Registration;
use crate::instant::Instant;
use crate::wire::{ConnectionId, PacketType, Side, SpaceId};

impl Connection {
    /// Lets TLS work on what arrived: takes its bytes and keys, and what they bring about.
    pub(super) fn drive_handshake(&mut self, now: Instant) -> Result<(), TransportError> {
        self.negotiate_version()?;
        loop {
            let (change, more) = self.handshake.advance();
            match change {
                Some(KeyChange::Handshake(keys)) => {
                    self.handshake.check_all_read(SpaceId::Initial)?;
                    self.keys.handshake = Some(Box::new(keys));
                    self.replay_undecryptable(now, PacketType::Handshake);
                }
                Some(KeyChange::OneRtt(keys)) => {
                    self.install_one_rtt_keys(keys);
                }
                None if !more => break,
                None => {}
            }
        }
        if !self.lifecycle.is_alive() {
            return Ok(());
        }
        self.announce_handshake_data();
        self.apply_peer_parameters(now)?;
        self.accept_early_data(now);
        if self.handshake.complete() {
            self.on_handshake_complete(now)?;
        }
        Ok(())
    }

    fn install_one_rtt_keys(&mut self, keys: Keys) {
        let mut keys = OneRttKeys::new(keys);
        keys.set_retention(self.pto().saturating_mul(3));
        self.keys.one_rtt = Some(Box::new(keys));
        self.on_one_rtt_keys();
    }

    fn announce_handshake_data(&mut self) {
        if self.handshake.announces_data() {
            self.events.push_back(Event::HandshakeDataReady);
        }
    }

    /// TLS has finished on this end (RFC 9001 §4.1.1).
    fn on_handshake_complete(&mut self, now: Instant) -> Result<(), TransportError> {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-8.2
        //# Endpoints MUST send the quic_transport_parameters extension; endpoints that
        //# receive ClientHello or EncryptedExtensions messages without the
        //# quic_transport_parameters extension MUST close the connection with an error of
        //# type 0x016d (equivalent to a fatal TLS missing_extension alert, see Section 4.8).
        if !self.peer.has_parameters {
            return Err(TransportError::new(
                TransportErrorCode::crypto(MISSING_EXTENSION),
                "the peer sent no transport parameters",
            ));
        }
        // A server has 1-RTT keys to send with before the client's Handshake data can come.
        self.handshake.check_all_read(SpaceId::Handshake)?;
        self.provide_next_keys();
        self.lifecycle.establish();
        self.events.push_back(Event::Connected);
        if self.side() == Side::Server {
            // RFC 9001 §4.1.2: a server's handshake is confirmed when it is complete.
            self.handshake.confirm();
            self.on_handshake_confirmed(now);
        }
        self.issue_ids();
        self.replay_undecryptable(now, PacketType::OneRtt);
        Ok(())
    }

    /// Both ends have finished (RFC 9001 §4.1.2).
    pub(super) fn on_handshake_confirmed(&mut self, now: Instant) {
        self.peer.completed_address_validation = true;
        self.paths.on_handshake_confirmed();
        if let Some(keys) = &mut self.keys.one_rtt {
            keys.on_confirmed();
        }
        self.discard_space(SpaceId::Initial);
        //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9.2
        //# An endpoint MUST discard its Handshake keys when the TLS handshake is
        //# confirmed (Section 4.1.2).
        self.discard_space(SpaceId::Handshake);
        self.handshake.release();
        if let Role::Server(server) = &mut self.role
            && std::mem::take(&mut server.keeps_initial_route)
        {
            let id = self.ids_seen.initial_destination();
            self.registrations.push(Registration::RemoveId(id));
        }
        self.queue_new_tokens(now);
        self.seek_preferred_address(now);
    }

    /// Issues connection IDs until the peer has as many as it may keep (RFC 9000 §5.1.1).
    pub(super) fn issue_ids(&mut self) {
        if self.endpoint.permits_migration() {
            self.issue_ids_up_to(u8::MAX);
        }
    }

    /// The same, but until it has `most`.
    pub(super) fn issue_ids_up_to(&mut self, most: u8) {
        let (endpoint, random) = (&self.endpoint, &mut self.random);
        // Without a keyring no reset is ever sent: tokens only have to be unpredictable.
        let secret = random.array();
        let token = |id: &ConnectionId| {
            endpoint.reset_token(id).unwrap_or_else(|| reset_token_with(&secret, id))
        };
        self.local_ids.issue_up_to(most, || endpoint.new_connection_id(random), token);
    }

    /// Key updates: feeds the next keys, starts one when it is due (RFC 9001 §6).
    pub(super) fn keep_keys_fresh(&mut self, now: Instant) {
        let Some(keys) = &mut self.keys.one_rtt else { return };
        keys.update_if_due(now);
        if keys.wants_next() {
            self.provide_next_keys();
        }
    }

    pub(super) fn provide_next_keys(&mut self) {
        // An attempt that gets no further does not cost the keys after its first ones.
        if !self.handshake.is_complete() {
            return;
        }
        let retention = self.pto().saturating_mul(3);
        let next = self.handshake.session_mut().next_keys();
        if let (Some(keys), Some(next)) = (&mut self.keys.one_rtt, next) {
            keys.set_retention(retention);
            keys.provide_next(next);
        }
    }
}

/// The TLS alert for a missing extension (RFC 8446 §6).
const MISSING_EXTENSION: u8 = 109;
