//! Datagrams between the application, the packets and their component (RFC 9221).

use bytes::Bytes;

use super::{Connection, Role};
use crate::config::TransportConfig;
use crate::crypto::TAG_LENGTH;
use crate::datagrams::{
    DatagramReport, Datagrams as Queues, OutgoingDatagram, SendDatagramError, maximum_size,
};
use crate::error::TransportError;
use crate::event::Event;
use crate::instant::Instant;
use crate::packet::PacketWriter;
use crate::streams::Streams;
use crate::wire::Full;
use crate::wire::frame::Datagram;
use crate::wire::transport_parameters::TransportParameters;

/// The longest packet number, in bytes (RFC 9000 §17.1).
const LONGEST_NUMBER: usize = 4;
/// What a 0-RTT header has besides that of a 1-RTT packet, without the Source Connection ID: the
/// version, the lengths of both IDs, and the packet's length (RFC 9000 §17.2.3).
const LONG_HEADER: usize = 4 + 2 + 2;

/// The datagrams of a connection (RFC 9221): sent once, received in any order or not at all.
#[derive(Debug)]
pub struct DatagramChannel<'a> {
    connection: &'a mut Connection,
}

impl Connection {
    /// The datagrams of this connection (RFC 9221). To ask for them is a reason to find out how large
    /// they may be on this path.
    pub fn datagrams(&mut self) -> DatagramChannel<'_> {
        self.paths.active_mut().mtu.want();
        DatagramChannel { connection: self }
    }

    fn datagram_queues(&mut self) -> &mut Queues {
        let transport = transport(&self.role);
        self.datagrams.get_or_insert_with(|| Box::new(Queues::new(transport)))
    }

    pub(super) fn handle_datagram_frame(
        &mut self,
        frame: &Datagram<'_>,
    ) -> Result<(), TransportError> {
        //= https://www.rfc-editor.org/rfc/rfc9221#section-3
        //# An endpoint that receives a DATAGRAM frame when it has not indicated
        //# support via the transport parameter MUST terminate the connection
        //# with an error of type PROTOCOL_VIOLATION.  Similarly, an endpoint
        //# that receives a DATAGRAM frame that is larger than the value it sent
        //# in its max_datagram_frame_size transport parameter MUST terminate the
        //# connection with an error of type PROTOCOL_VIOLATION.
        if frame.size() > u64::from(transport(&self.role).max_datagram_frame_size) {
            return Err(TransportError::protocol_violation(
                "DATAGRAM longer than max_datagram_frame_size",
            ));
        }
        self.datagram_queues().on_received(frame.data);
        Ok(())
    }

    pub(super) fn poll_datagram_event(&mut self) -> Option<Event> {
        self.datagrams.as_mut()?.poll_event().map(Event::Datagram)
    }

    /// The most data that one datagram takes on the current path; `None` if the peer receives none.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-5
    //# A PL MUST adjust the MPS indicated by DPLPMTUD to account for any
    //# additional overhead introduced by the PL.
    fn maximum_datagram_size(&self) -> Option<usize> {
        let mut header = 1 + self.remote_ids.active().length() + LONGEST_NUMBER;
        if self.sends_early() {
            header += LONG_HEADER + self.ids_seen.local_source.length();
        }
        let mtu = usize::from(self.paths.active().mtu.current());
        maximum_size(mtu.saturating_sub(header + TAG_LENGTH), self.peer.max_datagram_frame_size)
    }

    /// Takes the peer's max_datagram_frame_size.
    pub(super) fn set_peer_datagram_size(&mut self, parameters: &TransportParameters) {
        let size = parameters.max_datagram_frame_size;
        self.peer.max_datagram_frame_size = u16::try_from(size).unwrap_or(u16::MAX);
    }

    /// Writes the data of the application: of streams and datagrams, by priority and by turns.
    pub(super) fn write_application_data(
        &mut self,
        now: Instant,
        packet: &mut PacketWriter<'_>,
    ) -> Result<(), Full> {
        let rtt = self.paths.active().rtt.smoothed();
        if let Some(streams) = self.streams.used_mut() {
            streams.write_control(now, rtt, packet)?;
        }
        let maximum = self.maximum_datagram_size();
        let Some(datagrams) = self.datagrams.as_deref_mut().filter(|queue| queue.has_frames())
        else {
            return self.streams.used_mut().map_or(Ok(()), |streams| streams.write_data(packet));
        };
        let first = datagrams.go_first(self.streams.used().and_then(Streams::next_priority));
        if first {
            let before = packet.length();
            let written = datagrams.write_frames(now, maximum, packet);
            // What is in the packet already, as an ACK, takes the room of a long datagram. The
            // next packet has nothing of that; with data of streams, it could go on like this.
            if before > 0 && packet.length() == before {
                written?;
            }
        }
        if let Some(streams) = self.streams.used_mut() {
            streams.write_data(packet)?;
        }
        if first { Ok(()) } else { datagrams.write_frames(now, maximum, packet) }
    }
}

/// The configuration of either role.
pub(super) fn transport(role: &Role) -> &TransportConfig {
    match role {
        Role::Client(client) => &client.transport,
        Role::Server(server) => &server.config.transport,
    }
}

impl DatagramChannel<'_> {
    /// Sends a datagram as soon as congestion control and pacing allow it. If the queue
    /// ([`TransportConfig::datagram_send_bytes`], [`TransportConfig::datagram_send_count`]) is
    /// full, the oldest datagrams of the lowest priority make room; if all that wait have a higher
    /// one, this one is dropped.
    ///
    /// # Errors
    /// See [`SendDatagramError`]; never [`SendDatagramError::Blocked`].
    pub fn send(&mut self, datagram: OutgoingDatagram) -> Result<(), SendDatagramError> {
        self.queue(datagram, true)
    }

    /// The same, if there is room in the queue.
    ///
    /// # Errors
    /// See [`SendDatagramError`].
    pub fn try_send(&mut self, datagram: OutgoingDatagram) -> Result<(), SendDatagramError> {
        self.queue(datagram, false)
    }

    /// The oldest datagram that was received; `None` until
    /// [`DatagramEvent::Readable`](crate::DatagramEvent::Readable).
    pub fn receive(&mut self) -> Option<Bytes> {
        self.connection.datagrams.as_mut()?.receive()
    }

    /// The most bytes that a datagram may have now; `None` if the peer receives none, or has not
    /// said yet. It follows the path's MTU, so that it can grow and shrink.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //# To assist applications in choosing a suitable data block size, the PL is
    //# RECOMMENDED to provide a primitive that returns the MPS derived from the
    //# PLPMTU to the higher layer using the PL.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-4.4
    //# To determine the largest data block that can be sent, a PL SHOULD
    //# provide applications with a primitive that returns the MPS, derived
    //# from the current PLPMTU.
    pub fn maximum_size(&self) -> Option<usize> {
        let queue = transport(&self.connection.role).datagram_send_bytes;
        self.connection.maximum_datagram_size().map(|maximum| maximum.min(queue))
    }

    /// The oldest report on a datagram that asked for it; `None` until
    /// [`DatagramEvent::Reported`](crate::DatagramEvent::Reported). The newest 4,096 are kept.
    pub fn next_report(&mut self) -> Option<DatagramReport> {
        self.connection.datagrams.as_mut()?.next_report()
    }

    fn queue(
        &mut self,
        datagram: OutgoingDatagram,
        replaces: bool,
    ) -> Result<(), SendDatagramError> {
        if !self.connection.lifecycle.is_alive() {
            return Err(SendDatagramError::ConnectionOver);
        }
        //= https://www.rfc-editor.org/rfc/rfc9221#section-3
        //# An endpoint MUST NOT send DATAGRAM frames until it has received the
        //# max_datagram_frame_size transport parameter with a non-zero value
        //# during the handshake (or during a previous handshake if 0-RTT is
        //# used).  An endpoint MUST NOT send DATAGRAM frames that are larger
        //# than the max_datagram_frame_size value it has received from its peer.
        let maximum = self.maximum_size().ok_or(SendDatagramError::Unsupported)?;
        if datagram.data.len() > maximum {
            return Err(SendDatagramError::TooLarge(maximum));
        }
        self.connection.datagram_queues().send(datagram, replaces)
    }
}
