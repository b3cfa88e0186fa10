//! What remains of a connection in its closing or draining period (RFC 9000 §10.2).

use std::time::Duration;

use crate::connection::Closing;
use crate::instant::Instant;
use crate::net::PathAddresses;
use crate::transmit::{Transmit, TransmitBuffer};

/// What ends within so much time ends together, so that whoever has thousands of short connections
/// is not woken once more for each.
const TOGETHER: Duration = Duration::from_millis(16);

/// Repeats the connection's CONNECTION_CLOSE, less and less often, and nothing else.
#[derive(Debug)]
pub(super) struct ClosedConnection {
    datagram: Option<Box<[u8]>>,
    path: PathAddresses,
    until: Instant,
    datagrams_received: u64,
    bytes_received: u64,
    bytes_sent: u64,
}

impl ClosedConnection {
    pub(super) fn new(closing: Closing) -> Self {
        Self {
            datagram: closing.datagram,
            path: closing.path,
            until: closing.until.rounded_up(TOGETHER),
            datagrams_received: 0,
            bytes_received: 0,
            bytes_sent: 0,
        }
    }

    /// When it can be forgotten.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2
    //# Servers that retain an open socket for accepting new connections
    //# SHOULD NOT end the closing or draining state early.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2
    //# Once its closing or draining state ends, an endpoint SHOULD discard
    //# all connection state.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Takes note of a datagram; returns whether it is to be answered.
    ///
    /// Whether the datagram is authentic is not known any more, nor whether the address was ever
    /// validated. So answers go to the one path only, after the 1st, 2nd, 4th, 8th, … datagram,
    /// and add up to less than three times what came (RFC 9000 §8.1, §10.2.1).
    pub(super) fn on_datagram(&mut self, path: PathAddresses, length: usize) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.1
        //# An endpoint in the closing state MUST either discard packets received
        //# from an unvalidated address or limit the cumulative size of packets it
        //# sends to an unvalidated address to three times the size of packets it
        //# receives from that address.
        if path.remote != self.path.remote || path.socket != self.path.socket {
            return false;
        }
        self.datagrams_received = self.datagrams_received.saturating_add(1);
        self.bytes_received = self.bytes_received.saturating_add(length as u64);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.2
        //# While otherwise identical to the closing state, an endpoint in the
        //# draining state MUST NOT send any packets.
        let Some(datagram) = &self.datagram else { return false };
        let sent = self.bytes_sent.saturating_add(datagram.len() as u64);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.1
        //# An endpoint SHOULD limit the rate at which it generates packets in the
        //# closing state.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.1
        //# To avoid being used for an amplification attack, such endpoints MUST
        //# limit the cumulative size of packets it sends to three times the
        //# cumulative size of the packets that are received and attributed to the
        //# connection.
        let answers = self.datagrams_received.is_power_of_two()
            && sent <= self.bytes_received.saturating_mul(3);
        if answers {
            self.bytes_sent = sent;
        }
        answers
    }

    /// Writes the datagram.
    pub(super) fn transmit(&self, buffer: &mut TransmitBuffer<'_>) -> Option<Transmit> {
        let datagram = self.datagram.as_deref()?;
        buffer.memory().get_mut(..datagram.len())?.copy_from_slice(datagram);
        Some(Transmit { path: self.path, ecn: None, length: datagram.len(), segment_length: None })
    }
}

#[cfg(test)]
mod tests;
