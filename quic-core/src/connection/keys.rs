//! What new keys mean, and the end of old ones (RFC 9001 §4).

use std::time::Duration;

use bytes::Bytes;
use rustls::quic::Keys;

use super::Connection;
use super::parameters::check;
use super::{MAXIMUM_NEW_TOKENS, Role};
use crate::crypto::{KeyChange, OneRttKeys, Token, reset_token, seal_token};
use crate::error::{TransportError, TransportErrorCode};
use crate::event::Event;
use crate::ids::Registration;
use crate::instant::Instant;
use crate::wire::frame::{NewConnectionId, NewToken};
use crate::wire::transport_parameters::{PreferredAddress, TransportParameters};
use crate::wire::{Side, SpaceId};

impl Connection {
    /// Lets TLS work on what arrived: takes its bytes and keys, and what they bring about.
    pub(super) fn drive_handshake(&mut self, now: Instant) -> Result<(), TransportError> {
        loop {
            let (change, more) = self.handshake.advance();
            match change {
                Some(KeyChange::Handshake(keys)) => {
                    self.handshake.check_all_read(SpaceId::Initial)?;
                    self.keys.handshake = Some(Box::new(keys));
                    self.replay_undecryptable(now, SpaceId::Handshake);
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
        if self.handshake.complete() {
            self.on_handshake_complete(now)?;
        }
        Ok(())
    }

    fn install_one_rtt_keys(&mut self, keys: Keys) {
        let mut keys = OneRttKeys::new(keys);
        keys.set_retention(self.pto().saturating_mul(3));
        self.keys.one_rtt = Some(Box::new(keys));
    }

    fn announce_handshake_data(&mut self) {
        if self.handshake.announces_data() {
            self.events.push_back(Event::HandshakeDataReady);
        }
    }

    /// Checks the peer's transport parameters and gives every component its own.
    fn apply_peer_parameters(&mut self, now: Instant) -> Result<(), TransportError> {
        if self.peer.has_parameters {
            return Ok(());
        }
        let Some(bytes) = self.handshake.session().peer_parameters() else { return Ok(()) };
        let parameters = check(bytes, !self.side(), &self.ids_seen)?;
        self.take_peer_parameters(now, &parameters)
    }

    pub(super) fn take_peer_parameters(
        &mut self,
        now: Instant,
        parameters: &TransportParameters,
    ) -> Result<(), TransportError> {
        self.peer.has_parameters = true;
        self.peer.ack_delay_exponent = parameters.ack_delay_exponent;
        self.peer.max_ack_delay = Duration::from_millis(parameters.max_ack_delay);
        let (idle, pto) = (Duration::from_millis(parameters.max_idle_timeout), self.pto());
        self.idle_timeout.set_peer_timeout(now, idle, pto);
        self.paths.set_peer_maximum(parameters.max_udp_payload_size);
        self.local_ids.set_peer_limit(parameters.active_connection_id_limit);
        if let Some(token) = parameters.stateless_reset_token {
            self.remote_ids.set_reset_token(token);
        }
        if let Some(PreferredAddress { id, reset_token, .. }) = parameters.preferred_address {
            // The address is not used, but the ID is one of the peer's like all others: it counts,
            // and has to be given back.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
            //# If the preferred_address transport
            //# parameter is sent, the sequence number of the supplied connection ID
            //# is 1.
            let frame = NewConnectionId { sequence: 1, retire_prior_to: 0, id, reset_token };
            self.remote_ids.handle_new_connection_id(&frame)?;
        }
        self.streams.set_peer_limits(parameters.into());
        Ok(())
    }

    /// TLS has finished on this end (RFC 9001 §4.1.1).
    fn on_handshake_complete(&mut self, now: Instant) -> Result<(), TransportError> {
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
        self.replay_undecryptable(now, SpaceId::Application);
        Ok(())
    }

    /// Both ends have finished (RFC 9001 §4.1.2).
    pub(super) fn on_handshake_confirmed(&mut self, now: Instant) {
        self.peer.completed_address_validation = true;
        self.paths.on_handshake_confirmed();
        if let Some(keys) = &mut self.keys.one_rtt {
            keys.on_confirmed();
        }
        //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9.2
        //# An endpoint MUST discard its Handshake keys when the TLS handshake is
        //# confirmed (Section 4.1.2).
        self.discard_space(SpaceId::Initial);
        self.discard_space(SpaceId::Handshake);
        self.handshake.release();
        if let Role::Server(server) = &mut self.role
            && std::mem::take(&mut server.keeps_initial_route)
        {
            let id = self.ids_seen.initial_destination();
            self.registrations.push_back(Registration::RemoveId(id));
        }
        self.give_tokens(now);
    }

    /// Gives the client tokens for its next connections (RFC 9000 §8.1.3).
    fn give_tokens(&mut self, now: Instant) {
        let Role::Server(server) = &self.role else { return };
        let ip = self.paths.active().addresses.remote.ip();
        let token = Token::NewToken { ip, issued: now };
        for index in 0..server.config.new_tokens {
            let sealed = seal_token(server.config.token_key.as_bytes(), &token, &mut self.random);
            self.handshake.queue_token(index, Box::from(&*sealed));
        }
    }

    pub(super) fn handle_new_token(&mut self, frame: NewToken<'_>) -> Result<(), TransportError> {
        let Role::Client(client) = &mut self.role else {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-19.7
            //# A server MUST treat receipt
            //# of a NEW_TOKEN frame as a connection error of type
            //# PROTOCOL_VIOLATION.
            return Err(TransportError::protocol_violation("NEW_TOKEN from a client"));
        };
        let fits = frame.0.len() <= MAXIMUM_NEW_TOKEN_LENGTH;
        if fits && client.new_tokens.len() < MAXIMUM_NEW_TOKENS {
            client.new_tokens.push_back(Bytes::copy_from_slice(frame.0));
        }
        Ok(())
    }

    /// Issues connection IDs until the peer has as many as it may keep (RFC 9000 §5.1.1).
    pub(super) fn issue_ids(&mut self) {
        // Without a key no reset is ever sent: tokens only have to be unpredictable.
        let key = self.endpoint.reset_key.as_ref().map(|key| *key.as_bytes());
        let key = key.unwrap_or_else(|| self.random.array());
        self.local_ids.issue(&mut self.random, |id| reset_token(&key, id));
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

/// Longest token that is kept, in bytes: with more, an Initial has hardly room for a ClientHello.
const MAXIMUM_NEW_TOKEN_LENGTH: usize = 900;

/// The TLS alert for a missing extension (RFC 8446 §6).
const MISSING_EXTENSION: u8 = 109;
