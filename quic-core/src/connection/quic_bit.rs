//! The QUIC Bit of the first byte (RFC 9287).

use super::{Connection, Role};
use crate::config::TransportConfig;
use crate::crypto::SeededRandom;
use crate::wire::header::{FIXED_BIT, Header, has_fixed_bit};

/// The values of the bit in the next packets; none while it has to be set.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QuicBits {
    /// Random bits under a highest one that marks where they end. 0: the peer did not say that the
    /// bit may be cleared.
    bits: u32,
}

impl QuicBits {
    /// The peer takes packets with any value.
    pub(super) fn allow_any(&mut self) {
        self.bits = self.bits.max(1);
    }

    /// The bit for the next packet.
    #[inline]
    pub(super) fn next(&mut self, random: &mut SeededRandom) -> bool {
        match self.bits {
            //= https://www.rfc-editor.org/rfc/rfc9287#section-3.1
            //# A server MUST set the QUIC Bit to 0 only after processing transport
            //# parameters from a client.
            //= https://www.rfc-editor.org/rfc/rfc9287#section-3.1
            //# An endpoint MUST NOT set the QUIC Bit to 0 without knowing whether
            //# the peer supports the extension.
            //= https://www.rfc-editor.org/rfc/rfc9287#section-3.1
            //# However, a client MUST NOT set the QUIC Bit to 0 unless the Initial packets it sends
            //# include a token provided by the server in a NEW_TOKEN frame (Section 19.7 of
            //# [QUIC]), received less than 604800 seconds (7 days) prior on a connection where the
            //# server also included the grease_quic_bit transport parameter.
            //= https://www.rfc-editor.org/rfc/rfc9287#section-3.1
            //# A server MUST NOT remember that a client negotiated the extension in a previous
            //# connection and set the QUIC Bit to 0 based on that information.
            0 => true,
            // One draw lasts for 31 packets.
            1 => {
                let [a, b, c, d] = random.array();
                self.bits = u32::from_be_bytes([a | 0x80, b, c, d]);
                self.take()
            }
            _ => self.take(),
        }
    }

    fn take(&mut self) -> bool {
        let bit = self.bits & 1 == 1;
        self.bits >>= 1;
        bit
    }
}

impl Connection {
    fn transport_config(&self) -> &TransportConfig {
        match &self.role {
            Role::Client(client) => &client.transport,
            Role::Server(server) => &server.config.transport,
        }
    }

    /// The peer said that it takes packets with any value of the bit.
    pub(super) fn on_grease_quic_bit(&mut self) {
        if self.transport_config().grease_quic_bit {
            self.peer.quic_bits.allow_any();
        }
    }

    /// Whether the bit of a packet has a value that it may have.
    #[inline]
    pub(super) fn accepts_quic_bit(&self, header: &Header<'_>, packet: &[u8]) -> bool {
        has_fixed_bit(packet) || self.accepts_cleared_bit(header)
    }

    #[cold]
    fn accepts_cleared_bit(&self, header: &Header<'_>) -> bool {
        match header {
            // It has no meaning there (RFC 9000 §17.2.1).
            Header::VersionNegotiation(_) | Header::UnknownVersion(_) => true,
            //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2
            //# Packets containing a zero value for this bit are not
            //# valid packets in this version and MUST be discarded.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-17.3.1
            //# Packets containing a zero value for this bit are not
            //# valid packets in this version and MUST be discarded.
            //= https://www.rfc-editor.org/rfc/rfc9287#section-3
            //# An endpoint that advertises the grease_quic_bit transport parameter
            //# MUST accept packets with the QUIC Bit set to a value of 0.
            Header::Long(_) | Header::Short(_) | Header::Retry(_) => {
                self.transport_config().grease_quic_bit
            }
        }
    }

    /// Gives the first byte of a packet that is not yet protected its bit.
    #[inline]
    pub(super) fn set_quic_bit(&mut self, packet: &mut [u8]) {
        //= https://www.rfc-editor.org/rfc/rfc9287#section-3.1
        //# Endpoints that receive the grease_quic_bit transport parameter from a
        //# peer SHOULD set the QUIC Bit to an unpredictable value unless another
        //# extension assigns specific meaning to the value of the bit.
        if !self.peer.quic_bits.next(&mut self.random)
            && let Some(first) = packet.first_mut()
        {
            *first &= !FIXED_BIT;
        }
    }
}
