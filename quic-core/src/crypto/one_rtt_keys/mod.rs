//! The keys of 1-RTT packets, and how they change (RFC 9001 §6).

mod read;
mod write;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use rustls::quic::{Keys, PacketKeySet};

use self::read::{Generation, ReadKeys};
use self::write::WriteKeys;
use super::packet_protection::{OpenError, Opened, Place, SealError};
use crate::instant::Instant;

/// The bit of the first byte that tells the key phase (RFC 9000 §17.3.1).
pub(crate) const KEY_PHASE_BIT: u8 = 0x04;

/// The keys of both directions: those in use, the next, and for a while the previous ones to
/// read with.
///
/// The caller keeps three things going: [`provide_next`](Self::provide_next) when
/// [`wants_next`](Self::wants_next), [`update_if_due`](Self::update_if_due) before it builds
/// packets, and the three reports of what was acknowledged, by whom, and that the handshake is
/// confirmed.
pub(crate) struct OneRttKeys {
    read: ReadKeys,
    write: WriteKeys,
    /// The next keys of both directions; made in advance, so that the time that it takes to open
    /// a packet does not tell that the keys changed (RFC 9001 §6.3).
    next: Option<Box<PacketKeySet>>,
    /// The phase of packets sent, and of the newest packets received or to be received.
    phase: bool,
    updates: u64,
    confirmed: bool,
}

impl OneRttKeys {
    /// Takes the first 1-RTT keys. Those after them can wait until the handshake is complete: the
    /// peer changes keys only once it is confirmed.
    pub(crate) fn new(keys: Keys) -> Self {
        Self {
            read: ReadKeys::new(keys.remote),
            write: WriteKeys::new(keys.local),
            next: None,
            phase: false,
            updates: 0,
            confirmed: false,
        }
    }

    /// How long old keys are kept to read packets that come late: three times the PTO
    /// (RFC 9001 §6.5). To be told again when the PTO changes.
    pub(crate) fn set_retention(&mut self, retention: Duration) {
        self.read.retention = retention;
    }

    /// Opens a packet with a short header. Exactly one key is tried, whatever the packet looks
    /// like.
    ///
    /// If the peer updated its keys with this packet, so did this endpoint afterwards
    /// (RFC 9001 §6.2).
    pub(crate) fn open<'a>(
        &mut self,
        now: Instant,
        packet: &'a mut [u8],
        number_offset: usize,
        largest_received: Option<u64>,
    ) -> Result<Opened<'a>, OpenError> {
        self.read.retire(now);
        let header = self.read.unprotect(packet, number_offset, largest_received)?;
        let next = self.next.as_ref().map(|next| &*next.remote);
        let (payload, generation) = self.read.decrypt(packet, header, self.phase, next)?;
        if generation == Generation::Next {
            if !self.read.acknowledged {
                return Err(OpenError::KeyUpdate("keys updated twice without acknowledgment"));
            }
            //= https://www.rfc-editor.org/rfc/rfc9001#section-6.2
            //# The endpoint MUST update its send keys to the corresponding key phase in
            //# response, as described in Section 6.1.
            //= https://www.rfc-editor.org/rfc/rfc9001#section-6.2
            //# Sending keys MUST be updated before sending an acknowledgment for the
            //# packet that was received with updated keys.
            self.rotate();
        }
        if generation != Generation::Previous {
            self.read.on_opened_with_current(now, header.number);
        }
        Ok(Opened { number: header.number, first_byte: header.first_byte, payload })
    }

    /// Protects a packet with a short header, of which [`key_phase`](Self::key_phase) is in the
    /// first byte already. See [`seal`](super::packet_protection::seal) for the rest.
    pub(crate) fn seal(
        &mut self,
        packet: &mut [u8],
        number_offset: usize,
        number_length: usize,
        number: u64,
    ) -> Result<(), SealError> {
        self.write.seal(packet, Place { number_offset, number_length, number })
    }

    /// The key phase to put into packets that are sent.
    pub(crate) fn key_phase(&self) -> bool {
        self.phase
    }

    /// How often the keys changed.
    pub(crate) fn updates(&self) -> u64 {
        self.updates
    }

    /// The handshake is confirmed: from now on this end may update keys (RFC 9001 §6).
    pub(crate) fn on_confirmed(&mut self) {
        self.confirmed = true;
    }

    /// The peer acknowledged packet `number`.
    pub(crate) fn on_acked(&mut self, number: u64) {
        self.write.on_acked(number);
    }

    /// A packet was sealed that acknowledges packets up to `largest`: once that includes one of
    /// the current phase, the peer may update keys again.
    pub(crate) fn on_ack_sent(&mut self, largest: u64) {
        self.read.on_ack_sent(largest);
    }

    /// Changes to the next keys if that is allowed; returns whether.
    ///
    /// It is not before the handshake is confirmed, before a packet of the current phase was
    /// acknowledged, while old keys are still kept, or without the next keys.
    pub(crate) fn initiate_update(&mut self, now: Instant) -> bool {
        self.read.retire(now);
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6.1
        //# An endpoint MUST NOT initiate a key update prior to having confirmed
        //# the handshake (Section 4.1.2).
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6.1
        //# An endpoint MUST NOT initiate a subsequent key update unless it has
        //# received an acknowledgment for a packet that was sent protected with
        //# keys from the current key phase.
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6.5
        //# Endpoints SHOULD wait three times the PTO before initiating a key update
        //# after receiving an acknowledgment that confirms that the previous key
        //# update was received.
        let allowed = self.confirmed && self.write.acknowledged && !self.read.keeps_previous();
        allowed && self.rotate()
    }

    /// Changes to the next keys if the current ones protected so many packets that it is time
    /// (RFC 9001 §6.6), and if it is allowed; returns whether.
    #[inline]
    pub(crate) fn update_if_due(&mut self, now: Instant) -> bool {
        self.write.is_due() && self.initiate_update(now)
    }

    /// Whether keys changed and [`provide_next`](Self::provide_next) is to be called.
    #[inline]
    pub(crate) fn wants_next(&self) -> bool {
        self.next.is_none()
    }

    /// Takes the keys of the phase after the current one.
    pub(crate) fn provide_next(&mut self, next: PacketKeySet) {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6.3
        //# For this reason, endpoints MUST be able to retain two sets of packet
        //# protection keys for receiving packets: the current and the next.
        self.next = Some(Box::new(next));
    }

    fn rotate(&mut self) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6.3
        //# Once generated, the next set of packet protection keys SHOULD be
        //# retained, even if the packet that was received was subsequently
        //# discarded.
        let Some(next) = self.next.take() else { return false };
        self.read.rotate(next.remote);
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6.4
        //# Packets with higher packet numbers MUST be protected with either the
        //# same or newer packet protection keys than packets with lower packet
        //# numbers.
        self.write.rotate(next.local);
        self.phase = !self.phase;
        self.updates = self.updates.saturating_add(1);
        true
    }
}

impl fmt::Debug for OneRttKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneRttKeys")
            .field("phase", &self.phase)
            .field("updates", &self.updates)
            .finish_non_exhaustive()
    }
}
