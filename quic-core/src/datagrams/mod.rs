//! Datagrams of the application: sent once, received in any order or not at all (RFC 9221).
//!
//! [`send`] is what waits to be sent, [`recv`] what waits to be read; both are bounded in bytes and
//! in number, and the oldest goes first when there is no room.

mod recv;
mod send;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bytes::Bytes;

use self::recv::ReceiveQueue;
use self::send::{Next, SendQueue};
use crate::config::TransportConfig;
use crate::event::DatagramEvent;
use crate::instant::Instant;
use crate::memory;
use crate::packet::{PacketWriter, SentFrame};
use crate::wire::Full;
use crate::wire::frame::write_datagram;
use crate::wire::varint_length;

/// Bytes of a DATAGRAM frame beside its data, if it ends its packet.
const OVERHEAD: usize = 1;

/// Reports that wait for the application; the oldest are given up. There are never more than the
/// application asked for.
const MAX_REPORTS: usize = 4096;

/// A datagram to send.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutgoingDatagram {
    /// What the peer's application gets.
    pub data: Bytes,
    /// Higher goes first, on the same scale as [`SendStream`](crate::SendStream)s; equals go in
    /// order, and take turns with streams of the same priority. Default: 0.
    pub priority: i32,
    /// When it is not worth sending any more (RFC 9221 §5.4). Default: never.
    pub expires: Option<Instant>,
    /// Asks for [`DatagramReport`]s that name it so. Default: none.
    pub report: Option<u64>,
}

impl OutgoingDatagram {
    /// A datagram with the default priority that does not expire and is not reported on.
    pub fn new(data: Bytes) -> Self {
        Self { data, priority: 0, expires: None, report: None }
    }

    /// The same with this priority.
    #[must_use]
    pub fn with_priority(self, priority: i32) -> Self {
        Self { priority, ..self }
    }

    /// The same, not to be sent at `expires` or later.
    #[must_use]
    pub fn expiring(self, expires: Instant) -> Self {
        Self { expires: Some(expires), ..self }
    }

    /// The same, to be reported on as `id`, which is the application's to choose.
    #[must_use]
    pub fn reported_as(self, id: u64) -> Self {
        Self { report: Some(id), ..self }
    }
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DatagramOutcome {
    /// The peer's transport has it (RFC 9221 §5.2). Whether its application has, only that can say.
    Acknowledged,
    /// It was sent, and seems to be lost. [`Acknowledged`](Self::Acknowledged) may still follow.
    Lost,
    /// It expired before it was sent.
    Expired,
    /// It was dropped, unsent, to make room for a newer one.
    Replaced,
    /// It was dropped, unsent, because the path does not carry its length any more.
    TooLarge,
}

/// What became of a datagram that was to be reported on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DatagramReport {
    /// What the application called it.
    pub id: u64,
    /// What became of it.
    pub outcome: DatagramOutcome,
}

/// A datagram cannot be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendDatagramError {
    /// There is no room in the queue. [`DatagramEvent::Writable`] follows.
    #[error("there is no room for the datagram now")]
    Blocked,
    /// The peer receives no datagrams, or has not said yet.
    #[error("the peer receives no datagrams")]
    Unsupported,
    /// It is longer than the path, the peer or the queue takes: at most this many bytes now.
    #[error("the datagram is longer than {0} bytes")]
    TooLarge(usize),
    /// The connection is over.
    #[error("the connection is over")]
    ConnectionOver,
}

/// The datagrams of a connection.
#[derive(Debug)]
pub(crate) struct Datagrams {
    outgoing: SendQueue,
    incoming: ReceiveQueue,
    /// At most [`MAX_REPORTS`].
    reports: VecDeque<DatagramReport>,
    /// The application knows that there are reports.
    reports_announced: bool,
    /// It is the turn of datagrams, where streams of the same priority wait.
    own_turn: bool,
    over: bool,
}

/// The most bytes of data in one DATAGRAM frame in a packet with `room` bytes of payload, for a
/// peer that receives frames of up to `peer_limit` bytes; `None` if it receives none.
///
/// A few bytes near the peer's limit are left out, so that no frame is too long for having a
/// Length field.
pub(crate) fn maximum_size(room: usize, peer_limit: u16) -> Option<usize> {
    let limit = usize::from(peer_limit);
    let by_peer = limit.checked_sub(OVERHEAD + varint_length(limit as u64))?;
    Some(room.saturating_sub(OVERHEAD).min(by_peer))
}

impl Datagrams {
    pub(crate) fn new(config: &TransportConfig) -> Self {
        Self {
            outgoing: SendQueue::new(config.datagram_send_bytes, config.datagram_send_count),
            incoming: ReceiveQueue::new(
                config.datagram_receive_bytes,
                config.datagram_receive_count,
            ),
            reports: VecDeque::new(),
            reports_announced: false,
            own_turn: true,
            over: false,
        }
    }

    /// Heap in use at the most, in bytes, that of the application's own datagrams included.
    pub(crate) fn worst_case_bytes(config: &TransportConfig) -> u64 {
        memory::sum([
            memory::boxes::<Self>(1),
            SendQueue::worst_case_bytes(config.datagram_send_bytes, config.datagram_send_count),
            ReceiveQueue::worst_case_bytes(
                config.datagram_receive_bytes,
                config.datagram_receive_count,
            ),
            memory::list::<DatagramReport>(MAX_REPORTS as u64),
        ])
    }

    /// Queues a datagram, which is not longer than the path and the peer take. If there is no room,
    /// it `replaces` the oldest of the lowest priority, or waits for [`DatagramEvent::Writable`].
    ///
    /// # Errors
    /// See [`SendDatagramError`].
    pub(crate) fn send(
        &mut self,
        datagram: OutgoingDatagram,
        replaces: bool,
    ) -> Result<(), SendDatagramError> {
        if self.over {
            return Err(SendDatagramError::ConnectionOver);
        }
        if datagram.data.len() > self.outgoing.maximum_bytes() {
            return Err(SendDatagramError::TooLarge(self.outgoing.maximum_bytes()));
        }
        while !self.outgoing.has_room(datagram.data.len()) {
            if !replaces {
                self.outgoing.await_room();
                return Err(SendDatagramError::Blocked);
            }
            let Some(oldest) = self.outgoing.drop_oldest(datagram.priority) else {
                // All that waits is more important.
                self.report(datagram.report, DatagramOutcome::Replaced);
                return Ok(());
            };
            self.report(oldest.report, DatagramOutcome::Replaced);
        }
        self.outgoing.push(datagram);
        Ok(())
    }

    /// Takes what the peer sent.
    //= https://www.rfc-editor.org/rfc/rfc9221#section-5
    //# When a QUIC endpoint receives a valid DATAGRAM frame, it SHOULD
    //# deliver the data to the application immediately, as long as it is
    //# able to process the frame and can store the contents in memory.
    pub(crate) fn on_received(&mut self, data: &[u8]) {
        if !self.over {
            self.incoming.push(data);
        }
    }

    /// The oldest datagram that was received.
    pub(crate) fn receive(&mut self) -> Option<Bytes> {
        self.incoming.pop()
    }

    /// The oldest report.
    pub(crate) fn next_report(&mut self) -> Option<DatagramReport> {
        let report = self.reports.pop_front();
        if report.is_none() {
            self.reports_announced = false;
            self.reports = VecDeque::new();
        }
        report
    }

    /// What the application should hear of next.
    pub(crate) fn poll_event(&mut self) -> Option<DatagramEvent> {
        if self.incoming.poll_announcement() {
            return Some(DatagramEvent::Readable);
        }
        if self.outgoing.poll_room() {
            return Some(DatagramEvent::Writable);
        }
        if !self.reports_announced && !self.reports.is_empty() {
            self.reports_announced = true;
            return Some(DatagramEvent::Reported);
        }
        None
    }

    /// Whether anything waits to be sent.
    pub(crate) fn has_frames(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether datagrams go before streams in the next packet. `streams` is the priority of the
    /// stream that would send next, if any would. Equals take turns, packet by packet.
    //= https://www.rfc-editor.org/rfc/rfc9221#section-5.1
    //# QUIC implementations SHOULD present an API to applications to assign
    //# relative priorities to DATAGRAM frames with respect to each other and
    //# to QUIC streams.
    pub(crate) fn go_first(&mut self, streams: Option<i32>) -> bool {
        let Some(own) = self.outgoing.priority() else { return false };
        match streams {
            Some(streams) if own == streams => {
                let own_turn = self.own_turn;
                // Theirs is over with this packet; ours, when something was written.
                self.own_turn = true;
                own_turn
            }
            Some(streams) => own > streams,
            None => true,
        }
    }

    /// Writes datagrams of at most `maximum_size` bytes as long as they fit; `None` if the peer
    /// receives none any more, as after 0-RTT that it did not take.
    ///
    /// # Errors
    /// [`Full`] if the next one does not.
    //= https://www.rfc-editor.org/rfc/rfc9221#section-5
    //# This frame SHOULD be sent as soon as possible (as determined
    //# by factors like congestion control, described below) and MAY be
    //# coalesced with other frames.
    pub(crate) fn write_frames(
        &mut self,
        now: Instant,
        maximum_size: Option<usize>,
        packet: &mut PacketWriter<'_>,
    ) -> Result<(), Full> {
        while let Some((next, report)) = self.outgoing.next(now, maximum_size) {
            match next {
                Next::Send(data) => {
                    write(data, report, packet)?;
                    self.own_turn = false;
                }
                Next::Expired => self.report(report, DatagramOutcome::Expired),
                Next::TooLarge => self.report(report, DatagramOutcome::TooLarge),
            }
            self.outgoing.pop();
        }
        Ok(())
    }

    /// When [`handle_timeout`](Self::handle_timeout) is next due: something that waits expires.
    #[inline]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.outgoing.next_expiry()
    }

    /// Drops what has expired, also where nothing can be sent for long: it takes the room of
    /// others, and the application wants to hear of it.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let reports = &mut self.reports;
        self.outgoing.expire(now, |id| add_report(reports, id, DatagramOutcome::Expired));
    }

    /// The packet with a datagram was acknowledged.
    pub(crate) fn on_acked(&mut self, report: Option<u64>) {
        self.report(report, DatagramOutcome::Acknowledged);
    }

    /// The packet with a datagram was declared lost.
    pub(crate) fn on_lost(&mut self, report: Option<u64>) {
        self.report(report, DatagramOutcome::Lost);
    }

    /// Nothing is sent or received any more. What had arrived can still be read if `readable`.
    pub(crate) fn on_connection_over(&mut self, readable: bool) {
        self.over = true;
        self.outgoing.clear();
        if !readable {
            self.incoming.clear();
        }
    }

    fn report(&mut self, id: Option<u64>, outcome: DatagramOutcome) {
        add_report(&mut self.reports, id, outcome);
    }
}

fn add_report(reports: &mut VecDeque<DatagramReport>, id: Option<u64>, outcome: DatagramOutcome) {
    let Some(id) = id else { return };
    if reports.len() >= MAX_REPORTS {
        reports.pop_front();
    }
    reports.push_back(DatagramReport { id, outcome });
}

fn write(data: &[u8], report: Option<u64>, packet: &mut PacketWriter<'_>) -> Result<(), Full> {
    let with_length = OVERHEAD + varint_length(data.len() as u64) + data.len();
    let padding = if with_length <= packet.remaining() {
        None
    } else {
        // Without a Length field, the frame has to reach the end of the packet: PADDING before it
        // makes it so.
        Some(packet.remaining().checked_sub(OVERHEAD + data.len()).ok_or(Full)?)
    };
    packet.write(SentFrame::Datagram { report }, |writer| {
        writer.reserve(padding.unwrap_or(0))?.fill(0);
        write_datagram(writer, data, padding.is_none())
    })
}
