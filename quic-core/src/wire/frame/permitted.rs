//! Which frame may appear in which packet (RFC 9000 §12.4, Table 3).

use super::FrameType;

/// A type of packet that carries frames (RFC 9000 §17).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PacketType {
    /// Initial.
    Initial,
    /// 0-RTT.
    ZeroRtt,
    /// Handshake.
    Handshake,
    /// 1-RTT.
    OneRtt,
}

impl FrameType {
    /// Whether a packet of this type may carry the frame; if not, PROTOCOL_VIOLATION.
    ///
    /// 0-RTT packets are allowed less than in Table 3: RFC 9000 §12.5 lists frames that no client
    /// can have reason to send there. Frames of unknown type are permitted nowhere.
    #[inline]
    pub fn is_permitted_in(self, packet: PacketType) -> bool {
        match packet {
            PacketType::OneRtt => {
                self.0 <= Self::HANDSHAKE_DONE.0
                    || self.is_permitted_in_0_rtt()
                    || self.is_about_acks()
            }
            PacketType::ZeroRtt => match self {
                //= https://www.rfc-editor.org/rfc/rfc9001#section-8.3
                //# A server MUST treat receipt of a CRYPTO frame in a 0-RTT packet as a
                //# connection error of type PROTOCOL_VIOLATION.
                Self::ACK
                | Self::ACK_ECN
                | Self::CRYPTO
                | Self::NEW_TOKEN
                | Self::RETIRE_CONNECTION_ID
                | Self::PATH_RESPONSE
                | Self::HANDSHAKE_DONE => false,
                _ => self.0 < Self::HANDSHAKE_DONE.0 || self.is_permitted_in_0_rtt(),
            },
            PacketType::Initial | PacketType::Handshake => matches!(
                self,
                Self::PADDING
                    | Self::PING
                    | Self::ACK
                    | Self::ACK_ECN
                    | Self::CRYPTO
                    | Self::CONNECTION_CLOSE
            ),
        }
    }

    /// Frames of extensions that carry application data.
    fn is_permitted_in_0_rtt(self) -> bool {
        matches!(self, Self::RESET_STREAM_AT | Self::DATAGRAM | Self::DATAGRAM_WITH_LENGTH)
    }

    /// Frames that say how to acknowledge. What permits them is never remembered for 0-RTT.
    fn is_about_acks(self) -> bool {
        matches!(self, Self::ACK_FREQUENCY | Self::IMMEDIATE_ACK)
    }
}
