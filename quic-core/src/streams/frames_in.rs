//! What the peer says of streams (RFC 9000 §19.4, §19.5, §19.8 to §19.14).

use super::recv::{RecvState, RecvTransition};
use super::row::Kind;
use super::store::Key;
use super::{MAX_GAPS, Streams};
use crate::buffer::{BYTES_PER_GAP, MAX_BLOCK};
use crate::error::TransportError;
use crate::event::StreamEvent;
use crate::wire::frame::{
    MaxStreamData, MaxStreams, ResetStream, StopSending, Stream, StreamDataBlocked, StreamsBlocked,
};
use crate::wire::{Direction, StreamId};

/// Blocks for received data when much memory is in use, in bytes.
pub(super) const TIGHT_BLOCK: usize = 2 << 10;

/// A part of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Send,
    Recv,
}

impl Streams {
    /// Data of a stream, and its end.
    ///
    /// # Errors
    /// STREAM_STATE_ERROR, STREAM_LIMIT_ERROR, FINAL_SIZE_ERROR, FLOW_CONTROL_ERROR;
    /// PROTOCOL_VIOLATION if there are too many gaps, in the stream or in all of them together.
    pub(crate) fn handle_stream(&mut self, frame: Stream<'_>) -> Result<(), TransportError> {
        let Some(key) = self.key_for(frame.stream_id, Part::Recv)? else { return Ok(()) };
        let end = frame.offset.saturating_add(frame.data.len() as u64);
        if !self.reach(key, end, frame.fin)? {
            return Ok(());
        }
        let tight = self.reassembly as u64 > self.window.window() / 2;
        let Some(stream) = self.store.get_mut(key) else { return Ok(()) };
        let recv = &mut stream.recv;
        if !matches!(recv.state(), RecvState::Recv | RecvState::SizeKnown) {
            return Ok(());
        }
        let before = recv.data.allocated_bytes();
        let gaps_before = recv.data.gaps().into();
        let max_block = if tight { TIGHT_BLOCK } else { MAX_BLOCK };
        // Nothing follows: the block is as long as the data.
        let is_last = frame.fin && frame.offset == recv.data.ready_offset();
        let max_block = if is_last { frame.data.len().min(max_block) } else { max_block };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-2.2
        //# Endpoints MUST be able to deliver stream data to an application as an
        //# ordered byte stream.
        let inserted = recv.data.insert(frame.offset, frame.data, max_block, &mut self.recv_pool);
        self.reassembly = self.reassembly.saturating_add(recv.data.allocated_bytes());
        self.reassembly = self.reassembly.saturating_sub(before);
        self.gaps = self.gaps.saturating_add(recv.data.gaps().into()).saturating_sub(gaps_before);
        inserted.map_err(|_| TransportError::protocol_violation("too many gaps in a stream"))?;
        if self.gaps > MAX_GAPS && u64::from(self.gaps) > self.window.window() / BYTES_PER_GAP {
            return Err(TransportError::protocol_violation("too many gaps in all streams"));
        }
        recv.advance();
        if frame.fin && stream.places.is_in(Kind::Credit) {
            // There is no credit to give on a stream that has ended.
            self.sync_queues(key);
        }
        self.notify_readable(key);
        Ok(())
    }

    /// The peer gives up a stream.
    ///
    /// # Errors
    /// STREAM_STATE_ERROR, STREAM_LIMIT_ERROR, FINAL_SIZE_ERROR, FLOW_CONTROL_ERROR.
    pub(crate) fn handle_reset_stream(&mut self, frame: ResetStream) -> Result<(), TransportError> {
        let Some(key) = self.key_for(frame.stream_id, Part::Recv)? else { return Ok(()) };
        let Some(stream) = self.store.get_mut(key) else { return Ok(()) };
        let recv = &mut stream.recv;
        if recv.reset_at.is_some() {
            recv.check_reset_code(frame.error_code)?;
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-3.5
        //# STOP_SENDING SHOULD only be sent for a stream that has not been reset
        //# by the peer.
        recv.stop_pending = false;
        if !self.reach(key, frame.final_size, true)? {
            return Ok(());
        }
        let Some(stream) = self.store.get_mut(key) else { return Ok(()) };
        let recv = &mut stream.recv;
        if !recv.go(RecvTransition::Reset) {
            return Ok(());
        }
        recv.code = frame.error_code;
        // The reset is news even to who was told of data before.
        recv.notified = false;
        self.discard_received(key);
        self.notify_readable(key);
        self.settle(key);
        Ok(())
    }

    /// The peer reads no more: the sending part is reset with the same code.
    ///
    /// # Errors
    /// STREAM_STATE_ERROR, STREAM_LIMIT_ERROR.
    pub(crate) fn handle_stop_sending(&mut self, frame: StopSending) -> Result<(), TransportError> {
        let Some(key) = self.key_for(frame.stream_id, Part::Send)? else { return Ok(()) };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-3.5
        //# An endpoint that receives a STOP_SENDING frame MUST send a RESET_STREAM frame if the
        //# stream is in the "Ready" or "Send" state.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-3.5
        //# An endpoint SHOULD copy the error code from the STOP_SENDING frame to
        //# the RESET_STREAM frame it sends, but it can use any application error
        //# code.
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5.4
        //# While it is permissible to send a RESET_STREAM_AT frame in this case,
        //# endpoints SHOULD send a RESET_STREAM frame, since the peer has already
        //# indicated that it does not intend to process any further data.
        if !self.reset(key, frame.error_code) {
            return Ok(());
        }
        if let Some(stream) = self.store.get_mut(key) {
            stream.send.stopped = Some(frame.error_code);
        }
        if self.is_accepted(key.id) {
            self.events.push_back((key, StreamEvent::Stopped(key.id)));
        }
        Ok(())
    }

    /// The peer allows more data on the connection.
    ///
    /// # Errors
    /// None.
    #[expect(clippy::unnecessary_wraps, reason = "all frames look the same to the connection")]
    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
    //# A receiver MUST accept packets containing an outdated frame, such as a
    //# MAX_DATA frame carrying a smaller maximum data value than one found in
    //# an older packet.
    pub(crate) fn handle_max_data(&mut self, maximum: u64) -> Result<(), TransportError> {
        self.raise_connection_maximum(maximum);
        self.pump_backlog();
        Ok(())
    }

    /// The peer allows more data on a stream.
    ///
    /// # Errors
    /// STREAM_STATE_ERROR, STREAM_LIMIT_ERROR.
    pub(crate) fn handle_max_stream_data(
        &mut self,
        frame: MaxStreamData,
    ) -> Result<(), TransportError> {
        if let Some(key) = self.key_for(frame.stream_id, Part::Send)? {
            self.raise_stream_maximum(key, frame.maximum);
            self.pump_backlog();
        }
        Ok(())
    }

    /// The peer allows more streams.
    ///
    /// # Errors
    /// None: more than 2^60 is no frame.
    #[expect(clippy::unnecessary_wraps, reason = "all frames look the same to the connection")]
    pub(crate) fn handle_max_streams(&mut self, frame: MaxStreams) -> Result<(), TransportError> {
        self.raise_stream_count(frame.direction, frame.maximum);
        self.pump_backlog();
        Ok(())
    }

    /// The peer has more to send. It gets credit when the application reads, not for asking.
    ///
    /// # Errors
    /// None.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "a frame like the others")]
    pub(crate) fn handle_data_blocked(&mut self, _limit: u64) -> Result<(), TransportError> {
        Ok(())
    }

    /// The peer has more to send on a stream, which opens it.
    ///
    /// # Errors
    /// STREAM_STATE_ERROR, STREAM_LIMIT_ERROR.
    pub(crate) fn handle_stream_data_blocked(
        &mut self,
        frame: StreamDataBlocked,
    ) -> Result<(), TransportError> {
        self.check_possible(frame.stream_id, Part::Recv)
    }

    /// The peer wants more streams. It gets them when the application is done with others.
    ///
    /// # Errors
    /// None.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "a frame like the others")]
    pub(crate) fn handle_streams_blocked(
        &mut self,
        _frame: StreamsBlocked,
    ) -> Result<(), TransportError> {
        Ok(())
    }

    /// The stream that the peer sends on, created if this is its first use; `None` if it is gone.
    pub(super) fn recv_key_for(&mut self, id: StreamId) -> Result<Option<Key>, TransportError> {
        self.key_for(id, Part::Recv)
    }

    /// The stream that a frame is for, created if this is its first use; `None` if it is gone.
    fn key_for(&mut self, id: StreamId, part: Part) -> Result<Option<Key>, TransportError> {
        if let Some(key) = self.store.find(id) {
            check_direction(id, id.initiator() == self.side, part)?;
            return Ok(Some(key));
        }
        self.check_possible(id, part)?;
        if self.over || self.is_accepted(id) {
            return Ok(None);
        }
        Ok(Some(self.create(id)))
    }

    /// Whether the peer may say something of this part of the stream; opens streams of the peer.
    fn check_possible(&mut self, id: StreamId, part: Part) -> Result<(), TransportError> {
        let local = id.initiator() == self.side;
        check_direction(id, local, part)?;
        if local {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-19.5
            //# Receiving a STOP_SENDING frame for a locally initiated stream that has
            //# not yet been created MUST be treated as a connection error of type
            //# STREAM_STATE_ERROR.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-19.8
            //# An endpoint MUST terminate the connection with error STREAM_STATE_ERROR
            //# if it receives a STREAM frame for a locally initiated stream that has
            //# not yet been created, or for a send-only stream.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-19.10
            //# Receiving a MAX_STREAM_DATA frame for a locally initiated stream that
            //# has not yet been created MUST be treated as a connection error of type
            //# STREAM_STATE_ERROR.
            if id.index() >= self.local.get(id.direction()).next {
                return Err(TransportError::stream_state("a stream that was not opened yet"));
            }
            return Ok(());
        }
        let remote = self.remote.get_mut(id.direction());
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
        //# An endpoint that receives a frame with a stream ID exceeding the limit it has sent MUST
        //# treat this as a connection error of type STREAM_LIMIT_ERROR
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
        //# An endpoint that receives a frame with a stream ID exceeding the limit
        //# it has sent MUST treat this as a connection error of type
        //# STREAM_LIMIT_ERROR; see Section 11 for details on error handling.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.11
        //# An endpoint MUST terminate a connection with an error of type
        //# STREAM_LIMIT_ERROR if a peer opens more streams than was permitted.
        if !remote.allows(id.index()) {
            return Err(TransportError::stream_limit("more streams than the limit"));
        }
        if remote.on_used(id.index()) && !self.over {
            *self.opened.get_mut(id.direction()) = true;
        }
        Ok(())
    }

    /// Takes note that the peer's data of a stream reaches to `end`, and ends there if `fin`.
    /// Returns whether the application is to hear of it; what it does not want counts as read.
    ///
    /// # Errors
    /// FINAL_SIZE_ERROR, FLOW_CONTROL_ERROR.
    pub(super) fn reach(&mut self, key: Key, end: u64, fin: bool) -> Result<bool, TransportError> {
        let Some(stream) = self.store.get_mut(key) else { return Ok(false) };
        let recv = &mut stream.recv;
        let new = recv.check(end, fin)?;
        let received = self.received.saturating_add(new);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.1
        //# A receiver MUST close the connection with an error of type FLOW_CONTROL_ERROR if the
        //# sender violates the advertised connection or stream data limits
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.1
        //# A receiver MUST close the connection with an error of type
        //# FLOW_CONTROL_ERROR if the sender violates the advertised connection or
        //# stream data limits; see Section 11 for details on error handling.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.9
        //# An endpoint MUST terminate a connection with an error of type
        //# FLOW_CONTROL_ERROR if it receives more data than the maximum data value
        //# that it has sent.
        if received > self.window.limit() {
            return Err(TransportError::flow_control("more data than the connection's limit"));
        }
        recv.reach(end, fin);
        let wanted = !recv.stopped;
        self.received = received;
        self.max_data_pending |= self.window.is_short(received);
        if !wanted {
            self.discard_received(key);
            self.settle(key);
        }
        Ok(wanted)
    }

    /// Counts all that was received of a stream as read, and keeps nothing of it.
    pub(super) fn discard_received(&mut self, key: Key) {
        let Some(stream) = self.store.get_mut(key) else { return };
        let recv = &mut stream.recv;
        self.reassembly = self.reassembly.saturating_sub(recv.data.allocated_bytes());
        self.gaps = self.gaps.saturating_sub(recv.data.gaps().into());
        let discarded = recv.discard();
        recv.advance();
        self.on_consumed(discarded);
    }
}

/// Whether the stream has this part (RFC 9000 §19.4, §19.5, §19.8, §19.10, §19.13).
fn check_direction(id: StreamId, local: bool, part: Part) -> Result<(), TransportError> {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-19.4
    //# An endpoint that receives a RESET_STREAM frame for a send-only stream
    //# MUST terminate the connection with error STREAM_STATE_ERROR.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-19.5
    //# An endpoint that receives a STOP_SENDING frame for a receive-only stream
    //# MUST terminate the connection with error STREAM_STATE_ERROR.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-19.10
    //# An endpoint that receives a MAX_STREAM_DATA frame for a receive-only
    //# stream MUST terminate the connection with error STREAM_STATE_ERROR.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-19.13
    //# An endpoint that receives a STREAM_DATA_BLOCKED frame for a send-only
    //# stream MUST terminate the connection with error STREAM_STATE_ERROR.
    if id.direction() == Direction::Bidirectional || local == (part == Part::Send) {
        return Ok(());
    }
    Err(TransportError::stream_state(match part {
        Part::Send => "the stream is for receiving only",
        Part::Recv => "the stream is for sending only",
    }))
}
