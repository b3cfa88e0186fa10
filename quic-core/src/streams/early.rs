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
use crate::wire::StreamId;

/// Early streams that the server has not been told of again, and their data. It is no more than
/// what the application had written, and goes when all of it was passed on.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// The application has not decided what becomes of them.
    held: bool,
    /// In the order in which they were opened.
    streams: VecDeque<(Key, Bytes)>,
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
        let unacked = self.credit.unacked;
        self.credit = ConnectionCredit { unacked, ..ConnectionCredit::new() };
        for direction in DIRECTIONS {
            self.local.get_mut(direction).restart();
        }
        let mut streams: Vec<(Key, Bytes)> =
            self.store.iter_mut().map(|(key, stream)| (key, stream.send.restart())).collect();
        if streams.is_empty() {
            return;
        }
        streams.sort_unstable_by_key(|(key, _)| key.id);
        for (key, _) in &streams {
            self.sync_queues(*key);
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
            *self.available.get_mut(direction) |= self.local.get_mut(direction).stops_waiting();
        }
        self.pump_backlog();
    }

    /// Forgets the early streams, as if they had never been opened: the next streams have their
    /// IDs.
    pub(crate) fn discard_early(&mut self) {
        let Some(backlog) = self.backlog.take_if(|backlog| backlog.held) else { return };
        for (key, data) in backlog.streams {
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
            self.blocked_writers.retain(|other| *other != key);
            self.events.retain(|(other, _)| *other != key);
            self.store.remove(key);
        }
        for direction in DIRECTIONS {
            let local = self.local.get_mut(direction);
            local.next = 0;
            *self.available.get_mut(direction) |= local.stops_waiting();
        }
    }

    /// Passes on of the backlog what the limits allow.
    pub(super) fn pump_backlog(&mut self) {
        let Some(mut backlog) = self.backlog.take_if(|backlog| !backlog.held) else { return };
        backlog.streams.retain_mut(|(key, data)| self.refill(*key, data));
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
        backlog.is_some_and(|backlog| backlog.streams.iter().any(|(other, _)| *other == key))
    }

    /// Forgets the data of a stream that is reset. The stream stays in line: the peer has to hear
    /// of its end, but not before it may be told of the stream.
    pub(super) fn empty_backlog_of(&mut self, key: Key) {
        let Some(backlog) = &mut self.backlog else { return };
        if let Some((_, data)) = backlog.streams.iter_mut().find(|(other, _)| *other == key) {
            let data = mem::take(data);
            self.credit.on_freed(data.len() as u64);
        }
    }

    /// Whether the peer may be told of the stream.
    pub(super) fn may_mention(&self, id: StreamId) -> bool {
        id.initiator() != self.side || self.local.get(id.direction()).allows(id.index())
    }

    /// Writes waiting data to a stream; returns whether anything of it has to wait longer.
    fn refill(&mut self, key: Key, data: &mut Bytes) -> bool {
        if !self.may_mention(key.id) {
            return true;
        }
        let remaining = self.credit.remaining();
        let Some(stream) = self.store.get_mut(key) else { return false };
        let send = &mut stream.send;
        let own = send.maximum.saturating_sub(send.buffer.end());
        let room = usize::try_from(own.min(remaining)).unwrap_or(usize::MAX).min(data.len());
        let taken = data.split_to(room);
        self.credit.written = self.credit.written.saturating_add(taken.len() as u64);
        send.buffer.write_chunk(taken);
        let waits = !data.is_empty();
        if waits && own <= remaining {
            send.blocked.on_blocked(send.maximum);
        } else if waits {
            self.credit.blocked.on_blocked(self.credit.maximum);
        } else if send.fin == Fin::Held {
            send.fin = Fin::Pending;
        }
        let wakes = !waits && mem::take(&mut send.waiting);
        if wakes {
            self.notify_writable(key);
        }
        self.sync_queues(key);
        waits
    }
}
