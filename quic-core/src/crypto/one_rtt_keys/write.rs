//! The keys to send with, and how often they were used.

use rustls::quic::{DirectionalKeys, HeaderProtectionKey, PacketKey};

use super::super::packet_protection::{Place, SealError, seal_with};

/// Packets after which keys are changed at the latest, if their limit permits as many.
const UPDATE_AFTER: u64 = 1 << 22;

pub(super) struct WriteKeys {
    header: Box<dyn HeaderProtectionKey>,
    packet: Box<dyn PacketKey>,
    /// Packets protected with the current key.
    sealed: u64,
    /// The current key is due for an update from so many packets on.
    due: u64,
    /// The current key must not protect more packets than this.
    limit: u64,
    /// The first packet number that was protected with the current key.
    first: Option<u64>,
    /// Whether the peer acknowledged a packet that was protected with the current key.
    pub(super) acknowledged: bool,
}

impl WriteKeys {
    pub(super) fn new(keys: DirectionalKeys) -> Self {
        let limit = keys.packet.confidentiality_limit();
        Self {
            header: keys.header,
            packet: keys.packet,
            sealed: 0,
            due: (limit / 4).min(UPDATE_AFTER),
            limit,
            first: None,
            acknowledged: false,
        }
    }

    pub(super) fn rotate(&mut self, packet: Box<dyn PacketKey>) {
        self.packet = packet;
        self.sealed = 0;
        self.first = None;
        self.acknowledged = false;
    }

    #[inline]
    pub(super) fn seal(&mut self, packet: &mut [u8], place: Place) -> Result<(), SealError> {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6.6
        //# If a key update is not possible or integrity limits are reached, the
        //# endpoint MUST stop using the connection and only send stateless
        //# resets in response to receiving packets.
        if self.sealed >= self.limit {
            //= https://www.rfc-editor.org/rfc/rfc9001#section-6.6
            //# If the total number of encrypted packets with the same key exceeds the
            //# confidentiality limit for the selected AEAD, the endpoint MUST stop
            //# using those keys.
            return Err(SealError::LimitReached);
        }
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6.6
        //# Endpoints MUST count the number of encrypted packets for each set of
        //# keys.
        self.sealed += 1;
        self.first.get_or_insert(place.number);
        seal_with(&*self.packet, &*self.header, packet, place)
    }

    #[inline]
    pub(super) fn is_due(&self) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-5.3
        //# An endpoint MUST initiate a key update (Section 6) prior to exceeding
        //# any limit set for the AEAD that is in use.
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6.6
        //# Endpoints MUST initiate a key update before sending more protected
        //# packets than the confidentiality limit for the selected AEAD permits.
        self.sealed >= self.due
    }

    #[inline]
    pub(super) fn on_acked(&mut self, number: u64) {
        self.acknowledged |= self.first.is_some_and(|first| number >= first);
    }
}
