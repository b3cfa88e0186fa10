//! Streams that were used in 0-RTT by a client whose server did not take it (RFC 9001 §4.6.2).
//!
//! Their data goes back into a backlog, from where it is written again as far as the limits allow
//! that the server has really set, which can be smaller than those remembered.

use std::collections::VecDeque;
use std::mem;

use bytes::Bytes;

use super::flow_control::ConnectionCredit;
use super::send::Fin;
use super::store::Key;
use super::{DIRECTIONS, PeerLimits, Streams};
use crate::wire::{StreamId, VarInt};

/// Early streams that the server has not been told of again, and their data. It is no more than
/// what the application had written, and goes when all of it was passed on.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// The application has not decided what becomes of them.
    held: bool,
    /// In the order in which they were opened.
    streams: VecDeque<Waiting>,
}

/// A stream of which something waits.
#[derive(Debug)]
struct Waiting {
    key: Key,
    /// What follows the stream's buffer.
    data: Bytes,
    /// The stream is reset behind this offset (RESET_STREAM_AT) once the peer may have all below.
    reset_at: Option<u64>,
}

impl Streams {
    /// The server did not take the early data, and knows nothing of any stream. All streams go
    /// back to how they were when they were opened, with what was written to them; nothing is sent
    /// until [`resend_early`](Self::resend_early) or [`discard_early`](Self::discard_early).
    ///
    /// All limits are zero until [`set_peer_limits`](Self::set_peer_limits).
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.6.2
    //# The client therefore MUST
    //# reset the state of all streams, including application state bound to
    //# those streams.
    pub(crate) fn on_early_data_rejected(&mut self) {
        self.peer = PeerLimits::default();
        for direction in DIRECTIONS {
            self.local.get_mut(direction).restart();
        }
        let restarted = self.store.iter_mut().map(|(key, stream)| {
            let (data, reset_at) = stream.send.restart();
            Waiting { key, data, reset_at }
        });
        let mut streams: Vec<Waiting> = restarted.collect();
        let unacked = streams.iter().map(|waiting| waiting.data.len() as u64).sum();
        self.credit = ConnectionCredit { unacked, ..ConnectionCredit::new() };
        if streams.is_empty() {
            return;
        }
        streams.sort_unstable_by_key(|waiting| waiting.key.id);
        for waiting in &streams {
            self.sync_queues(waiting.key);
        }
        self.backlog = Some(Box::new(Backlog { held: true, streams: streams.into() }));
    }

    /// Data of a stream came in a 0-RTT packet.
    pub(crate) fn on_early_data(&mut self, id: StreamId) {
        let key = self.store.find(id);
        if let Some(stream) = key.and_then(|key| self.store.get_mut(key)) {
            stream.recv.early = true;
        }
    }

    /// Whether everything on streams waits for the application's decision.
    #[inline]
    pub(super) fn is_held(&self) -> bool {
        self.backlog.as_ref().is_some_and(|backlog| backlog.held)
    }

    /// Sends again what was written to early streams, on the same streams, as the limits allow.
    pub(crate) fn resend_early(&mut self) {
        let Some(backlog) = self.backlog.as_mut().filter(|backlog| backlog.held) else { return };
        backlog.held = false;
        for direction in DIRECTIONS {
            *self.available.get_mut(direction) |= self.local.get(direction).was_refused();
        }
        self.pump_backlog();
    }

    /// Forgets the early streams, as if they had never been opened: the next streams have their
    /// IDs.
    pub(crate) fn discard_early(&mut self) {
        let Some(backlog) = self.backlog.take_if(|backlog| backlog.held) else { return };
        for Waiting { key, data, .. } in backlog.streams {
            let Some(stream) = self.store.get_mut(key) else { continue };
            if !matches!(stream.send.fin, Fin::Open | Fin::Acked) {
                self.unacked_ends = self.unacked_ends.saturating_sub(1);
            }
            self.credit.on_freed(data.len() as u64);
            // IDs are used again here alone: nothing may be left that leads to the old streams.
            stream.send.reset_pending = false;
            stream.recv.stop_pending = false;
            stream.recv.credit_pending = false;
            stream.send.blocked.on_raised();
            self.sync_queues(key);
            self.blocked_writers.remove(&mut self.store, key);
            self.events.retain(|(other, _)| *other != key);
            self.store.remove(key);
        }
        for direction in DIRECTIONS {
            let local = self.local.get_mut(direction);
            local.next = 0;
            *self.available.get_mut(direction) |= local.was_refused();
        }
    }

    /// Passes on of the backlog what the limits allow.
    pub(super) fn pump_backlog(&mut self) {
        let Some(mut backlog) = self.backlog.take_if(|backlog| !backlog.held) else { return };
        backlog.streams.retain_mut(|waiting| self.refill(waiting));
        for direction in DIRECTIONS {
            self.local.get_mut(direction).report_blocked();
        }
        if !backlog.streams.is_empty() {
            self.backlog = Some(backlog);
        }
    }

    /// Whether data of the stream is in the backlog, so that nothing may overtake it.
    pub(super) fn is_in_backlog(&self, key: Key) -> bool {
        let backlog = self.backlog.as_ref();
        backlog.is_some_and(|backlog| backlog.streams.iter().any(|waiting| waiting.key == key))
    }

    /// Gives up what is at or behind `reliable_size` of a stream of which something waits: the
    /// peer hears of it when it may have all below. A second time, only less is promised.
    pub(super) fn reset_backlog_at(&mut self, key: Key, code: VarInt, reliable_size: u64) {
        let Some(waiting) = waiting_of(&mut self.backlog, key) else { return };
        let Some(stream) = self.store.get_mut(key) else { return };
        let send = &mut stream.send;
        if send.fin == Fin::Open {
            send.fin = Fin::Held;
            self.unacked_ends += 1;
        }
        if waiting.reset_at.is_none() {
            send.reset_code = code;
        }
        let reliable_size = reliable_size.min(waiting.reset_at.unwrap_or(u64::MAX));
        waiting.reset_at = Some(reliable_size);
        let kept = usize::try_from(reliable_size.saturating_sub(send.buffer.end()));
        let given_up = waiting.data.split_off(waiting.data.len().min(kept.unwrap_or(usize::MAX)));
        send.waiting = false;
        self.credit.on_freed(given_up.len() as u64);
        self.pump_backlog();
    }

    /// Forgets the data of a stream that is reset. The stream stays in line: the peer has to hear
    /// of its end, but not before it may be told of the stream.
    pub(super) fn empty_backlog_of(&mut self, key: Key) {
        if let Some(waiting) = waiting_of(&mut self.backlog, key) {
            waiting.reset_at = None;
            let data = mem::take(&mut waiting.data);
            self.credit.on_freed(data.len() as u64);
            self.pump_backlog();
        }
    }

    /// Whether the peer may be told of the stream.
    pub(super) fn may_mention(&self, id: StreamId) -> bool {
        id.initiator() != self.side || self.local.get(id.direction()).allows(id.index())
    }

    /// Writes waiting data to a stream; returns whether anything of it has to wait longer.
    fn refill(&mut self, waiting: &mut Waiting) -> bool {
        let Waiting { key, data, reset_at } = waiting;
        let key = *key;
        if !self.may_mention(key.id) {
            return true;
        }
        let remaining = self.credit.remaining();
        let Some(stream) = self.store.get_mut(key) else { return false };
        let send = &mut stream.send;
        let own = send.maximum.saturating_sub(send.buffer.end());
        let room = usize::try_from(own.min(remaining)).unwrap_or(usize::MAX).min(data.len());
        self.credit.written = self.credit.written.saturating_add(room as u64);
        send.buffer.take_from(data, room, &mut self.send_pool);
        let waits = !data.is_empty();
        if waits && own <= remaining {
            send.blocked.on_blocked(send.maximum);
        } else if waits {
            self.credit.blocked.on_blocked(self.credit.maximum);
        } else {
            send.blocked.on_raised();
            self.complete_refill(key, *reset_at);
        }
        self.sync_queues(key);
        waits
    }

    /// Nothing of the stream waits any more: what was to follow does.
    fn complete_refill(&mut self, key: Key, reset_at: Option<u64>) {
        let Some(stream) = self.store.get_mut(key) else { return };
        let send = &mut stream.send;
        let code = send.reset_code;
        if send.fin == Fin::Held {
            send.fin = Fin::Pending;
        }
        if mem::take(&mut send.waiting) {
            self.notify_writable(key);
        }
        match reset_at {
            Some(reliable_size) if self.peer_takes_reset_at() => {
                self.announce_reset_at(key, code, reliable_size);
            }
            // The server that the promise was made to knew of it; this one does not.
            Some(_) => {
                self.reset(key, code);
            }
            None => {}
        }
    }
}

/// What waits of the stream, if anything does.
fn waiting_of(backlog: &mut Option<Box<Backlog>>, key: Key) -> Option<&mut Waiting> {
    backlog.as_mut()?.streams.iter_mut().find(|waiting| waiting.key == key)
}
