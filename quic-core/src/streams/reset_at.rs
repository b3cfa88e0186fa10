//! Resets that deliver the beginning of a stream (draft-ietf-quic-reliable-stream-reset).

use super::Streams;
use super::recv::RecvState;
use super::send::{Fin, SendState};
use super::store::Key;
use crate::error::TransportError;
use crate::wire::frame::ResetStreamAt;
use crate::wire::{StreamId, VarInt};

/// What this end promised with RESET_STREAM_AT.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentResetAt {
    pub(super) final_size: u64,
    /// All below is delivered.
    pub(super) reliable_size: u64,
}

/// What the peer promised with RESET_STREAM_AT.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceivedResetAt {
    pub(super) code: VarInt,
    /// All below arrives; the smallest that the peer said.
    pub(super) reliable_size: u64,
}

impl Streams {
    /// Whether the peer understands RESET_STREAM_AT.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-19.21
    //# An extension to QUIC that wishes to use a new type of frame MUST first
    //# ensure that a peer is able to understand the frame.
    pub(super) fn peer_takes_reset_at(&self) -> bool {
        self.peer.reset_stream_at
    }

    /// Gives up what is at or behind `reliable_size`; false if it is too late for that.
    ///
    /// A second time, only less is promised: neither code nor final size change.
    pub(super) fn reset_at(&mut self, key: Key, code: VarInt, reliable_size: u64) -> bool {
        let Some(stream) = self.store.get(key) else { return false };
        let send = &stream.send;
        if !matches!(send.state(), SendState::Ready | SendState::Send | SendState::DataSent) {
            return false;
        }
        if self.is_in_backlog(key) {
            self.reset_backlog_at(key, code, reliable_size);
        } else {
            self.announce_reset_at(key, code, reliable_size);
        }
        true
    }

    /// Tells the peer that only what is below `reliable_size` comes, or less than it was told.
    pub(super) fn announce_reset_at(&mut self, key: Key, code: VarInt, reliable_size: u64) {
        let Some(stream) = self.store.get_mut(key) else { return };
        let send = &mut stream.send;
        let written = send.buffer.end();
        let promise = match send.reset_at.as_deref().copied() {
            //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5.2
            //# When sending multiple RESET_STREAM_AT or RESET_STREAM frames for the
            //# same stream, the initiator MUST NOT increase the Reliable Size.
            Some(before) if reliable_size >= before.reliable_size => return,
            //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5.2
            //# When sending another RESET_STREAM_AT, RESET_STREAM or STREAM frame
            //# carrying a FIN bit for the same stream, the initiator MUST NOT change
            //# the Application Error Code or the Final Size.
            Some(before) => SentResetAt { reliable_size, ..before },
            None => {
                let reliable_size = reliable_size.min(written);
                // All that was written is within the limits of the peer, and no more than that is
                // ever announced.
                //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-4
                //# An endpoint
                //# MUST NOT send a RESET_STREAM_AT frame that exceeds the largest
                //# maximum stream data value advertised by the receiver for the stream,
                //# or that violates the receiver's maximum data limit.
                let final_size = send.buffer.sent().max(reliable_size);
                self.credit.written = self.credit.written.saturating_sub(written - final_size);
                if send.fin == Fin::Open {
                    self.unacked_ends += 1;
                }
                send.reset_code = code;
                SentResetAt { final_size, reliable_size }
            }
        };
        send.reset_at = Some(Box::new(promise));
        send.fin = Fin::Reset;
        send.reset_pending = true;
        send.blocked.on_raised();
        send.waiting = false;
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5
        //# Data sent beyond that byte offset SHOULD NOT be
        //# retransmitted.
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5
        //# When using a RESET_STREAM_AT frame, the initiator MUST guarantee
        //# reliable delivery of stream data of at least Reliable Size bytes.
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5
        //# If STREAM frames containing data up to that byte offset are lost, the
        //# initiator MUST retransmit this data, as described in Section 13.3 of
        //# [RFC9000].
        let freed = send.buffer.give_up_from(promise.reliable_size, &mut self.send_pool);
        self.credit.on_freed(freed);
        self.sync_queues(key);
        self.wake_writers();
    }

    /// The peer knows of a reset that promised `reliable_size` bytes.
    pub(crate) fn on_reset_at_acked(&mut self, id: StreamId, reliable_size: u64) {
        let Some(key) = self.store.find(id) else { return };
        let Some(stream) = self.store.get_mut(key) else { return };
        let send = &mut stream.send;
        if send.waits_for_reset_at(reliable_size) {
            send.fin = Fin::Acked;
            send.reset_pending = false;
            self.sync_queues(key);
            self.settle_delivery(key);
        }
    }

    /// A reset that promised `reliable_size` bytes was lost.
    //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-4
    //# When lost, they MUST be
    //# retransmitted, unless the stream state has transitioned to "Data
    //# Recvd" or "Reset Recvd" due to transmission and acknowledgement of
    //# other frames (see Section 5.2).
    //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5.2
    //# When reducing the Reliable Size, the sender MUST retransmit the
    //# RESET_STREAM_AT frame carrying the smallest Reliable Size as well as
    //# stream data up to that size, until all acknowledgements for the
    //# stream data and the RESET_STREAM_AT frame are received.
    pub(crate) fn on_reset_at_lost(&mut self, id: StreamId, reliable_size: u64) {
        let Some(key) = self.store.find(id) else { return };
        let Some(stream) = self.store.get_mut(key) else { return };
        stream.send.reset_pending |= stream.send.waits_for_reset_at(reliable_size);
        self.sync_queues(key);
    }

    /// The peer gives up a stream, but for its beginning.
    ///
    /// # Errors
    /// STREAM_STATE_ERROR, STREAM_LIMIT_ERROR, FINAL_SIZE_ERROR, FLOW_CONTROL_ERROR.
    pub(crate) fn handle_reset_stream_at(
        &mut self,
        frame: ResetStreamAt,
    ) -> Result<(), TransportError> {
        let Some(key) = self.recv_key_for(frame.stream_id)? else { return Ok(()) };
        let Some(stream) = self.store.get_mut(key) else { return Ok(()) };
        stream.recv.check_reset_code(frame.error_code)?;
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-4
        //# If an
        //# endpoint receives a RESET_STREAM_AT frame that violates either flow
        //# control limit, it MUST close the connection with an error of type
        //# FLOW_CONTROL_ERROR.
        if !self.reach(key, frame.final_size, true)? {
            return Ok(());
        }
        let Some(stream) = self.store.get_mut(key) else { return Ok(()) };
        let recv = &mut stream.recv;
        if recv.state() != RecvState::SizeKnown {
            return Ok(());
        }
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5.2
        //# The receiver MUST ignore any
        //# RESET_STREAM_AT frame that increases the Reliable Size.
        let before = recv.reset_at.as_deref().map_or(u64::MAX, |before| before.reliable_size);
        if frame.reliable_size >= before {
            return Ok(());
        }
        let promise =
            ReceivedResetAt { code: frame.error_code, reliable_size: frame.reliable_size };
        recv.reset_at = Some(Box::new(promise));
        // The reset is news even to who was told of data before.
        recv.notified = false;
        recv.advance();
        self.sync_queues(key);
        self.notify_readable(key);
        Ok(())
    }

    /// Everything that was promised was read: the code of the reset, and nothing is kept.
    pub(super) fn finish_reset_at(&mut self, key: Key) -> Option<VarInt> {
        let code = self.store.get(key)?.recv.reset_at.as_deref()?.code;
        self.discard_received(key);
        Some(code)
    }
}
