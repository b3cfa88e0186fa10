//! What became of frames that were sent (RFC 9000 §13.3).

use super::Streams;
use super::recv::RecvState;
use super::row::Kind;
use super::send::{Fin, SendState, SendTransition};
use super::store::Key;
use crate::event::StreamEvent;
use crate::wire::{Direction, StreamId};

impl Streams {
    /// Data of a stream arrived, and its end if `fin`.
    pub(crate) fn on_stream_acked(&mut self, id: StreamId, offset: u64, length: u16, fin: bool) {
        let Some(key) = self.store.find(id) else { return };
        let Some(stream) = self.store.get_mut(key) else { return };
        let send = &mut stream.send;
        if matches!(send.state(), SendState::ResetSent | SendState::ResetRecvd) {
            return;
        }
        let freed =
            send.buffer.on_acked(offset..offset.saturating_add(length.into()), &mut self.send_pool);
        self.credit.on_freed(freed);
        if self.credit.unacked == 0 {
            self.send_pool.keep(0);
        }
        // After RESET_STREAM_AT, the peer has to know of that.
        if fin && send.fin != Fin::Reset {
            send.fin = Fin::Acked;
        }
        let delivered = send.is_delivered();
        let unscheduled = stream.places.is_in(Kind::Data) && !send.has_data_frame();
        if freed > 0 {
            self.wake_writers();
        }
        if delivered {
            self.settle_delivery(key);
        } else if unscheduled {
            self.sync_queues(key);
        }
    }

    /// Moves on if the peer has everything that it was to have.
    pub(super) fn settle_delivery(&mut self, key: Key) {
        let Some(stream) = self.store.get_mut(key) else { return };
        if stream.send.is_delivered() && stream.send.go(SendTransition::AllAcked) {
            self.unacked_ends = self.unacked_ends.saturating_sub(1);
            self.events.push_back((key, StreamEvent::Finished(key.id)));
            self.settle(key);
        }
    }

    /// Data of a stream was lost: what of it was not acknowledged since is sent again.
    pub(crate) fn on_stream_lost(&mut self, id: StreamId, offset: u64, length: u16, fin: bool) {
        let Some(key) = self.store.find(id) else { return };
        let Some(stream) = self.store.get_mut(key) else { return };
        let send = &mut stream.send;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-3.5
        //# If any outstanding data is declared lost, the endpoint SHOULD send a
        //# RESET_STREAM frame instead of retransmitting the data.
        if !matches!(send.state(), SendState::Send | SendState::DataSent) {
            return;
        }
        send.buffer.on_lost(offset..offset.saturating_add(length.into()));
        if fin && send.fin == Fin::InFlight {
            send.fin = Fin::Pending;
        }
        self.sync_queues(key);
    }

    /// The peer knows that a stream was reset.
    pub(crate) fn on_reset_acked(&mut self, id: StreamId) {
        let Some(key) = self.store.find(id) else { return };
        let Some(stream) = self.store.get_mut(key) else { return };
        if stream.send.go(SendTransition::ResetAcked) {
            stream.send.reset_pending = false;
            self.unacked_ends = self.unacked_ends.saturating_sub(1);
            // Who was told that the peer stopped the stream knows how it ends.
            if stream.send.stopped.is_none() {
                self.events.push_back((key, StreamEvent::Finished(key.id)));
            }
            self.settle(key);
        }
    }

    /// A reset was lost.
    pub(crate) fn on_reset_lost(&mut self, id: StreamId) {
        let Some(key) = self.store.find(id) else { return };
        let Some(stream) = self.store.get_mut(key) else { return };
        stream.send.reset_pending = stream.send.state() == SendState::ResetSent;
        self.sync_queues(key);
    }

    /// STOP_SENDING was lost; it matters until the peer ends the stream.
    pub(crate) fn on_stop_sending_lost(&mut self, id: StreamId) {
        let Some(key) = self.store.find(id) else { return };
        let Some(stream) = self.store.get_mut(key) else { return };
        stream.recv.stop_pending = stream.recv.state() == RecvState::Recv;
        self.sync_queues(key);
    }

    /// MAX_DATA was lost: the limit as it is now is sent.
    pub(crate) fn on_max_data_lost(&mut self) {
        self.max_data_pending = !self.over;
    }

    /// MAX_STREAM_DATA was lost: the limit as it is now is sent, unless the peer has reached the
    /// stream's end.
    pub(crate) fn on_max_stream_data_lost(&mut self, id: StreamId) {
        let Some(key) = self.store.find(id) else { return };
        let Some(stream) = self.store.get_mut(key) else { return };
        let recv = &mut stream.recv;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
        //# An endpoint SHOULD stop sending MAX_STREAM_DATA frames when the
        //# receiving part of the stream enters a "Size Known" or "Reset Recvd"
        //# state.
        recv.credit_pending = recv.state() == RecvState::Recv && !recv.stopped;
        self.sync_queues(key);
    }

    /// MAX_STREAMS was lost: the limit as it is now is sent.
    pub(crate) fn on_max_streams_lost(&mut self, direction: Direction) {
        self.remote.get_mut(direction).on_lost();
    }

    /// DATA_BLOCKED was lost; it matters if the limit is still the same.
    pub(crate) fn on_data_blocked_lost(&mut self) {
        self.credit.blocked.on_lost();
    }

    /// STREAM_DATA_BLOCKED was lost; it matters if the limit is still the same.
    pub(crate) fn on_stream_data_blocked_lost(&mut self, id: StreamId) {
        let Some(key) = self.store.find(id) else { return };
        if let Some(stream) = self.store.get_mut(key) {
            stream.send.blocked.on_lost();
        }
        self.sync_queues(key);
    }

    /// STREAMS_BLOCKED was lost; it matters if the limit is still the same.
    pub(crate) fn on_streams_blocked_lost(&mut self, direction: Direction) {
        self.local.get_mut(direction).blocked.on_lost();
    }
}
