//! What the peer has to hear of streams.

use std::time::Duration;

use super::flow_control::ReceiveWindow;
use super::send::{Fin, SendPart, SendState, SendTransition};
use super::store::{Key, Stream};
use super::{DIRECTIONS, Streams};
use crate::instant::Instant;
use crate::packet::{PacketWriter, SentFrame};
use crate::wire::frame::{
    FrameType, MaxStreamData, MaxStreams, ResetStream, ResetStreamAt, StopSending,
    StreamDataBlocked, StreamHeader, StreamLength, StreamsBlocked, stream_overhead, write_limit,
};
use crate::wire::{Full, StreamId};

/// What of a stream goes into a frame.
struct Piece {
    offset: u64,
    length: usize,
    fin: bool,
    framing: StreamLength,
}

impl Streams {
    /// Whether [`write_frames`](Self::write_frames) has anything to write.
    pub(crate) fn has_frames(&self) -> bool {
        let pending = || {
            !self.urgent.is_empty()
                || self.max_data_pending
                || !self.credits.is_empty()
                || self.credit.blocked.pending().is_some()
                || DIRECTIONS.into_iter().any(|direction| {
                    self.remote.get(direction).is_pending()
                        || self.local.get(direction).blocked.pending().is_some()
                })
                || !self.scheduler.is_empty()
        };
        !self.over && !self.is_held() && pending()
    }

    /// Writes what there is to say: resets and stops, limits, then data.
    ///
    /// # Errors
    /// [`Full`] if there is more than fits; it follows in the next packet.
    #[cfg(test)]
    pub(crate) fn write_frames(
        &mut self,
        now: Instant,
        rtt: Duration,
        packet: &mut PacketWriter<'_>,
    ) -> Result<(), Full> {
        self.write_control(now, rtt, packet)?;
        self.write_data(packet)
    }

    /// Writes everything but data.
    ///
    /// # Errors
    /// [`Full`] if there is more than fits; it follows in the next packet.
    pub(crate) fn write_control(
        &mut self,
        now: Instant,
        rtt: Duration,
        packet: &mut PacketWriter<'_>,
    ) -> Result<(), Full> {
        if self.is_held() {
            return Ok(());
        }
        self.write_urgent(packet)?;
        self.write_max_data(now, rtt, packet)?;
        self.write_stream_credits(now, rtt, packet)?;
        self.write_max_streams(packet)?;
        self.write_blocked(packet)
    }

    /// Writes data.
    ///
    /// # Errors
    /// [`Full`] if there is more than fits; it follows in the next packet.
    pub(crate) fn write_data(&mut self, packet: &mut PacketWriter<'_>) -> Result<(), Full> {
        if self.is_held() {
            return Ok(());
        }
        while let Some(key) = self.scheduler.front(&self.store) {
            self.write_piece_of(key, packet)?;
        }
        Ok(())
    }

    /// The priority of the stream that would send data next, if any would.
    pub(crate) fn next_priority(&self) -> Option<i32> {
        self.scheduler.next_priority().filter(|_| !self.is_held())
    }

    fn write_urgent(&mut self, packet: &mut PacketWriter<'_>) -> Result<(), Full> {
        while let Some(key) = self.urgent.front(&self.store) {
            if let Some(stream) = self.store.get_mut(key) {
                write_reset_and_stop(stream, packet)?;
                // A stopped stream whose end is known has nothing more to wait for.
                stream.recv.advance();
            }
            self.settle(key);
        }
        Ok(())
    }

    fn write_max_data(
        &mut self,
        now: Instant,
        rtt: Duration,
        packet: &mut PacketWriter<'_>,
    ) -> Result<(), Full> {
        if !self.max_data_pending {
            return Ok(());
        }
        // A limit of which the peer does not hear at once, because the packet is full, only
        // allows it a little more.
        let wanted = self.window.wanted(now, rtt).min(self.config.max_receive_window);
        let permitted = self.allowance.permit(wanted, self.config.receive_window);
        let limit = self.window.raise(now, rtt, permitted);
        packet
            .write(SentFrame::MaxData, |writer| write_limit(writer, FrameType::MAX_DATA, limit))?;
        self.max_data_pending = false;
        Ok(())
    }

    fn write_stream_credits(
        &mut self,
        now: Instant,
        rtt: Duration,
        packet: &mut PacketWriter<'_>,
    ) -> Result<(), Full> {
        let largest = self.config.max_stream_receive_window;
        while let Some(key) = self.credits.front(&self.store) {
            if let Some(stream) = self.store.get_mut(key) {
                write_credit(stream, packet, |window| window.raise(now, rtt, largest))?;
            }
            self.sync_queues(key);
        }
        Ok(())
    }

    fn write_max_streams(&mut self, packet: &mut PacketWriter<'_>) -> Result<(), Full> {
        for direction in DIRECTIONS {
            let remote = self.remote.get_mut(direction);
            if remote.is_pending() {
                let frame = MaxStreams { direction, maximum: remote.target() };
                let sent = SentFrame::MaxStreams { direction };
                packet.write(sent, |writer| frame.encode(writer))?;
                remote.on_raised();
            }
        }
        Ok(())
    }

    fn write_blocked(&mut self, packet: &mut PacketWriter<'_>) -> Result<(), Full> {
        if let Some(limit) = self.credit.blocked.pending() {
            packet.write(SentFrame::DataBlocked, |writer| {
                write_limit(writer, FrameType::DATA_BLOCKED, limit)
            })?;
            self.credit.blocked.on_sent();
        }
        for direction in DIRECTIONS {
            let blocked = &mut self.local.get_mut(direction).blocked;
            if let Some(limit) = blocked.pending() {
                let frame = StreamsBlocked { direction, limit };
                let sent = SentFrame::StreamsBlocked { direction };
                packet.write(sent, |writer| frame.encode(writer))?;
                blocked.on_sent();
            }
        }
        Ok(())
    }

    /// Writes one STREAM frame of the stream whose turn it is.
    fn write_piece_of(&mut self, key: Key, packet: &mut PacketWriter<'_>) -> Result<(), Full> {
        let Some(stream) = self.store.get_mut(key) else { return Ok(()) };
        let piece = next_piece(stream, packet.remaining())?;
        write_piece(stream, &piece, packet)?;
        let send = &mut stream.send;
        let _taken: Option<std::ops::Range<u64>> = send.buffer.poll_transmit(piece.length);
        if piece.fin {
            self.ends_sent = self.ends_sent.wrapping_add(1);
            send.fin = Fin::InFlight;
            send.go(SendTransition::SendFin);
        } else {
            send.go(SendTransition::SendData);
        }
        if send.has_data_frame() {
            self.scheduler.on_sent(&mut self.store, piece.length);
        } else {
            self.sync_queues(key);
        }
        Ok(())
    }
}

fn write_reset_and_stop(stream: &mut Stream, packet: &mut PacketWriter<'_>) -> Result<(), Full> {
    let Stream { id, send, recv, .. } = stream;
    let id = *id;
    if send.reset_pending {
        write_reset(id, send, packet)?;
        send.reset_pending = false;
    }
    if recv.stop_pending {
        let frame = StopSending { stream_id: id, error_code: recv.code };
        packet.write(SentFrame::StopSending { id }, |writer| frame.encode(writer))?;
        recv.stop_pending = false;
    }
    Ok(())
}

fn write_reset(
    stream_id: StreamId,
    send: &mut SendPart,
    packet: &mut PacketWriter<'_>,
) -> Result<(), Full> {
    let (error_code, final_size) = (send.reset_code, send.final_size());
    match send.reset_at.as_deref().copied() {
        Some(promise) if send.state() != SendState::ResetSent => {
            let reliable_size = promise.reliable_size;
            let frame = ResetStreamAt { stream_id, error_code, final_size, reliable_size };
            let record = SentFrame::ResetStreamAt { id: stream_id, reliable_size };
            packet.write(record, |writer| frame.encode(writer))?;
            // Like FIN, it says where the stream ends.
            send.go(SendTransition::SendFin);
            Ok(())
        }
        _ => {
            let frame = ResetStream { stream_id, error_code, final_size };
            let record = SentFrame::ResetStream { id: stream_id };
            packet.write(record, |writer| frame.encode(writer))
        }
    }
}

fn write_credit(
    stream: &mut Stream,
    packet: &mut PacketWriter<'_>,
    raise: impl FnOnce(&mut ReceiveWindow) -> u64,
) -> Result<(), Full> {
    let Stream { id, send, recv, .. } = stream;
    let id = *id;
    if recv.credit_pending {
        let frame = MaxStreamData { stream_id: id, maximum: raise(&mut recv.window) };
        packet.write(SentFrame::MaxStreamData { id }, |writer| frame.encode(writer))?;
        recv.credit_pending = false;
    }
    if let Some(limit) = send.blocked.pending() {
        let frame = StreamDataBlocked { stream_id: id, limit };
        packet.write(SentFrame::StreamDataBlocked { id }, |writer| frame.encode(writer))?;
        send.blocked.on_sent();
    }
    Ok(())
}

/// The most of the stream's data that fits into `remaining` bytes.
fn next_piece(stream: &Stream, remaining: usize) -> Result<Piece, Full> {
    let send = &stream.send;
    let limit = remaining.min(usize::from(u16::MAX));
    let range = send.buffer.peek_transmit(limit);
    let range = range.unwrap_or(send.buffer.end()..send.buffer.end());
    let offset = range.start;
    let available = range.end - range.start;
    let overhead = |data, framing| stream_overhead(stream.id, offset, data, framing);
    let room = remaining.checked_sub(overhead(0, StreamLength::ToTheEnd)).ok_or(Full)?;
    // Without a length field the frame has to reach the end of the packet.
    let (length, framing) = if room > 0 && room as u64 <= available {
        (room, StreamLength::ToTheEnd)
    } else {
        let room = remaining.checked_sub(overhead(available, StreamLength::Explicit));
        let length = room.ok_or(Full)?.min(usize::try_from(available).unwrap_or(usize::MAX));
        (length, StreamLength::Explicit)
    };
    let at_end = offset.saturating_add(length as u64) == send.buffer.end();
    let fin = at_end && matches!(send.fin, Fin::Pending | Fin::InFlight);
    if length == 0 && !fin {
        return Err(Full);
    }
    Ok(Piece { offset, length, fin, framing })
}

fn write_piece(stream: &Stream, piece: &Piece, packet: &mut PacketWriter<'_>) -> Result<(), Full> {
    let header = StreamHeader {
        stream_id: stream.id,
        offset: piece.offset,
        data_length: piece.length as u64,
        fin: piece.fin,
        length: piece.framing,
    };
    let sent = SentFrame::Stream {
        id: stream.id,
        offset: piece.offset,
        length: u16::try_from(piece.length).unwrap_or(u16::MAX),
        fin: piece.fin,
    };
    packet.write(sent, |writer| {
        header.encode(writer)?;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-2.2
        //# The data at a given offset MUST NOT change if it is sent multiple times;
        //# an endpoint MAY treat receipt of different data at the same offset
        //# within a stream as a connection error of type PROTOCOL_VIOLATION.
        let complete = stream.send.buffer.copy_to(piece.offset, writer.reserve(piece.length)?);
        debug_assert!(complete, "data that is not acknowledged is kept");
        Ok(())
    })
}
