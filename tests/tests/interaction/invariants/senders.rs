//! Who sends which frame, and in which packets (RFC 9000 §12.4, Table 3).

use quic_core::{FrameRecord, PacketType, Side};

/// Only a server has tokens to give, and the end of the handshake to tell of (RFC 9000 §19.7,
/// §19.20); only a client sends 0-RTT packets (§17.2.3), with nothing in them that answers.
pub(crate) fn i37_who_sends_what_may_send_it_there(
    sender: Side,
    packet_type: PacketType,
    frame: &FrameRecord<'_>,
) -> Result<(), String> {
    let may = match frame {
        FrameRecord::Padding { .. } | FrameRecord::Ping => true,
        FrameRecord::Ack { .. } | FrameRecord::Crypto { .. } => packet_type != PacketType::ZeroRtt,
        FrameRecord::ConnectionClose { frame_type: Some(_), .. } => true,
        FrameRecord::NewToken { .. } | FrameRecord::HandshakeDone => {
            packet_type == PacketType::OneRtt && sender == Side::Server
        }
        FrameRecord::PathResponse { .. } | FrameRecord::RetireConnectionId { .. } => {
            packet_type == PacketType::OneRtt
        }
        _ => matches!(packet_type, PacketType::ZeroRtt | PacketType::OneRtt),
    };
    if may && (packet_type != PacketType::ZeroRtt || sender == Side::Client) {
        return Ok(());
    }
    Err(format!("I37: {frame:?} of a {sender:?} in a {packet_type:?} packet"))
}
