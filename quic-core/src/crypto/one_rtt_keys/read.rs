//! The keys to read with: which of them a packet was made with.

use std::time::Duration;

use rustls::quic::{DirectionalKeys, HeaderProtectionKey, PacketKey};

use super::super::packet_protection::{
    OpenError, UnprotectedHeader, decrypt, remove_header_protection,
};
use super::KEY_PHASE_BIT;
use crate::instant::Instant;

pub(super) struct ReadKeys {
    /// Stays the same over all updates (RFC 9001 §6).
    header: Box<dyn HeaderProtectionKey>,
    current: Box<dyn PacketKey>,
    previous: Option<Box<Previous>>,
    /// The lowest and the highest packet number opened with the current key.
    range: Option<(u64, u64)>,
    /// Whether the peer was sent an acknowledgment of a packet of the current phase. Before the
    /// first update it need not wait for one (RFC 9001 §6.1).
    pub(super) acknowledged: bool,
    pub(super) retention: Duration,
    /// Packets that were not authentic, over all keys (RFC 9001 §6.6).
    failures: u64,
    limit: u64,
}

struct Previous {
    key: Box<dyn PacketKey>,
    /// `None` until the first packet of the current phase came.
    retire_at: Option<Instant>,
}

/// Which key a packet is to be opened with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Generation {
    Previous,
    Current,
    Next,
}

impl ReadKeys {
    pub(super) fn new(keys: DirectionalKeys) -> Self {
        Self {
            header: keys.header,
            limit: keys.packet.integrity_limit(),
            current: keys.packet,
            previous: None,
            range: None,
            acknowledged: true,
            retention: Duration::ZERO,
            failures: 0,
        }
    }

    /// Takes the header protection off, if any packet may still be opened.
    #[inline]
    pub(super) fn unprotect(
        &self,
        packet: &mut [u8],
        number_offset: usize,
        largest_received: Option<u64>,
    ) -> Result<UnprotectedHeader, OpenError> {
        if self.failures >= self.limit {
            return Err(OpenError::LimitReached);
        }
        remove_header_protection(&*self.header, packet, number_offset, largest_received)
    }

    /// Decrypts a packet that came while this end was in `phase`, and tells with which key.
    #[inline]
    pub(super) fn decrypt<'a>(
        &mut self,
        packet: &'a mut [u8],
        header: UnprotectedHeader,
        phase: bool,
        next: Option<&dyn PacketKey>,
    ) -> Result<(&'a [u8], Generation), OpenError> {
        let same_phase = (header.first_byte & KEY_PHASE_BIT != 0) == phase;
        let generation = self.choose(same_phase, header.number);
        let key = match generation {
            Generation::Previous => self.previous.as_ref().map(|previous| &*previous.key),
            Generation::Current => Some(&*self.current),
            Generation::Next => next,
        };
        // Where there is no key any more, the current one fails in its stead, in the same time.
        //= https://www.rfc-editor.org/rfc/rfc9001#section-5.5
        //# Once an endpoint successfully receives a packet with a given packet
        //# number, it MUST discard all packets in the same packet number space with
        //# higher packet numbers if they cannot be successfully unprotected with
        //# either the same key, or -- if there is a key update -- a subsequent
        //# packet protection key; see Section 6.
        //= https://www.rfc-editor.org/rfc/rfc9001#section-5.5
        //# Similarly, a packet that appears to trigger a key update but cannot be
        //# unprotected successfully MUST be discarded.
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6.3
        //# Endpoints responding to an apparent key update MUST NOT generate a
        //# timing side-channel signal that might indicate that the Key Phase bit
        //# was invalid (see Section 9.5).
        let payload = match decrypt(key.unwrap_or(&*self.current), packet, header) {
            Ok(payload) if key.is_some() => payload,
            Ok(_) | Err(_) => return Err(self.on_failure()),
        };
        self.check_order(generation, header.number)?;
        Ok((payload, generation))
    }

    /// The only key with which an honest peer can have made the packet. Only one can be tried,
    /// because a failure destroys the packet; and it keeps the time constant (RFC 9001 §9.5).
    fn choose(&self, same_phase: bool, number: u64) -> Generation {
        if same_phase {
            return Generation::Current;
        }
        match self.range {
            // This end changed keys, and the peer has yet to follow.
            None if self.previous.is_some() => Generation::Previous,
            None => Generation::Next,
            Some((_, highest)) if number > highest => Generation::Next,
            Some((lowest, _)) if number < lowest || self.previous.is_some() => Generation::Previous,
            Some(_) => Generation::Next,
        }
    }

    fn check_order(&self, generation: Generation, number: u64) -> Result<(), OpenError> {
        let Some((lowest, highest)) = self.range else { return Ok(()) };
        match generation {
            //= https://www.rfc-editor.org/rfc/rfc9001#section-6.4
            //# An endpoint that successfully removes protection with old keys when
            //# newer keys were used for packets with lower packet numbers MUST treat
            //# this as a connection error of type KEY_UPDATE_ERROR.
            Generation::Previous if number > lowest => {
                Err(OpenError::KeyUpdate("old keys used after newer ones"))
            }
            Generation::Next if number < highest => {
                Err(OpenError::KeyUpdate("old keys used after newer ones"))
            }
            Generation::Previous | Generation::Current | Generation::Next => Ok(()),
        }
    }

    fn on_failure(&mut self) -> OpenError {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6.6
        //# In addition to counting packets sent, endpoints MUST count the number of
        //# received packets that fail authentication during the lifetime of a
        //# connection.
        self.failures = self.failures.saturating_add(1);
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6.6
        //# If the total number of received packets that fail authentication within
        //# the connection, across all keys, exceeds the integrity limit for the
        //# selected AEAD, the endpoint MUST immediately close the connection with a
        //# connection error of type AEAD_LIMIT_REACHED and not process any more
        //# packets.
        if self.failures >= self.limit { OpenError::LimitReached } else { OpenError::NotAuthentic }
    }

    #[inline]
    pub(super) fn on_opened_with_current(&mut self, now: Instant, number: u64) {
        self.range = match self.range {
            Some((lowest, highest)) => Some((lowest.min(number), highest.max(number))),
            None => Some((number, number)),
        };
        if let Some(previous) = &mut self.previous {
            //= https://www.rfc-editor.org/rfc/rfc9001#section-6.1
            //# An endpoint MUST retain old keys until it has successfully unprotected a
            //# packet sent using the new keys.
            //= https://www.rfc-editor.org/rfc/rfc9001#section-6.1
            //# An endpoint SHOULD retain old keys for some time after unprotecting a
            //# packet sent using the new keys.
            //= https://www.rfc-editor.org/rfc/rfc9001#section-6.5
            //# An endpoint SHOULD retain old read keys for no more than three times the
            //# PTO after having received a packet protected using the new keys.
            previous.retire_at.get_or_insert(now + self.retention);
        }
    }

    #[inline]
    pub(super) fn on_ack_sent(&mut self, largest: u64) {
        self.acknowledged |= self.range.is_some_and(|(lowest, _)| largest >= lowest);
    }

    pub(super) fn rotate(&mut self, next: Box<dyn PacketKey>) {
        let key = std::mem::replace(&mut self.current, next);
        self.previous = Some(Box::new(Previous { key, retire_at: None }));
        self.range = None;
        self.acknowledged = false;
    }

    #[inline]
    pub(super) fn retire(&mut self, now: Instant) {
        let retire_at = self.previous.as_ref().and_then(|previous| previous.retire_at);
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6.5
        //# After this period, old read keys and their corresponding secrets SHOULD
        //# be discarded.
        if retire_at.is_some_and(|at| now >= at) {
            self.previous = None;
        }
    }

    pub(super) fn keeps_previous(&self) -> bool {
        self.previous.is_some()
    }
}
