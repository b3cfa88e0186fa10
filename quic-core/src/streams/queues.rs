//! What waits its turn: frames, writers and events. Each stream is in a queue as long as it has
//! something to do there.

use std::collections::VecDeque;
use std::mem;

use super::row::Kind;
use super::store::Key;
use super::{DIRECTIONS, Streams};
use crate::event::StreamEvent;

/// Freed room in the send buffer that is worth waking writers for, in bytes; less if the send
/// window is small.
const WORTH_WAKING: u64 = 128 << 10;
/// Entries that the empty queue of events keeps room for.
const MAX_KEPT_ENTRIES: usize = 16;

impl Streams {
    /// What the application should hear of next.
    pub(crate) fn poll_event(&mut self) -> Option<StreamEvent> {
        if self.flush_awaited && self.is_flushed() {
            self.flush_awaited = false;
            return Some(StreamEvent::Flushed);
        }
        for direction in DIRECTIONS {
            if mem::take(self.opened.get_mut(direction)) {
                return Some(StreamEvent::Opened(direction));
            }
            if mem::take(self.available.get_mut(direction)) {
                return Some(StreamEvent::Available(direction));
            }
        }
        while let Some((key, event)) = self.events.pop_front() {
            let stream = self.store.get_mut(key);
            match (event, stream) {
                (StreamEvent::Readable(_), Some(stream)) => stream.queued.readable = false,
                (StreamEvent::Writable(_), Some(stream)) => stream.queued.writable = false,
                (StreamEvent::Readable(_) | StreamEvent::Writable(_), None) => continue,
                _ => {}
            }
            self.rest_if_idle();
            return Some(event);
        }
        None
    }

    /// Room in the send buffer that is left to all streams together.
    pub(super) fn send_room(&self) -> u64 {
        self.config.send_window.saturating_sub(self.credit.unacked)
    }

    /// Wakes all who wait for room on the connection if there is enough to make it worth while.
    pub(super) fn wake_writers(&mut self) {
        let worth_waking = WORTH_WAKING.min(self.config.send_window / 4).max(1);
        if self.blocked_writers.is_empty()
            || self.credit.remaining() == 0
            || self.send_room() < worth_waking
        {
            return;
        }
        while let Some(key) = self.blocked_writers.pop(&mut self.store) {
            self.notify_writable(key);
        }
    }

    pub(super) fn notify_writable(&mut self, key: Key) {
        let Some(stream) = self.store.get_mut(key) else { return };
        if !mem::replace(&mut stream.queued.writable, true) {
            self.events.push_back((key, StreamEvent::Writable(key.id)));
        }
    }

    /// Announces that there is something to read, once until a read blocks. Streams that the
    /// application does not know yet wait for `accept`.
    pub(super) fn notify_readable(&mut self, key: Key) {
        if self.over || !self.is_accepted(key.id) {
            return;
        }
        let Some(stream) = self.store.get_mut(key) else { return };
        if stream.recv.stopped || stream.recv.notified || !stream.recv.is_readable() {
            return;
        }
        stream.recv.notified = true;
        if !mem::replace(&mut stream.queued.readable, true) {
            self.events.push_back((key, StreamEvent::Readable(key.id)));
        }
    }

    /// Brings the queues up to date after something was written, or the end.
    #[inline]
    pub(super) fn queue_data(&mut self, key: Key) {
        // The rule among small writes: only the first finds something to do.
        let is_queued = self.store.get(key).is_some_and(|stream| {
            stream.places.is_in(Kind::Data) && !stream.places.is_in(Kind::Credit)
        });
        if !is_queued {
            self.sync_queues(key);
        }
    }

    /// Puts the stream into the queues where it has something to do, and takes it out of the
    /// others, so that the queues never promise frames that there are not.
    pub(super) fn sync_queues(&mut self, key: Key) {
        if self.over {
            return;
        }
        // Early streams can be more than the server allows after all.
        let silent = self.backlog.is_some() && !self.may_mention(key.id);
        let Some(stream) = self.store.get(key) else { return };
        let urgent = !silent && (stream.send.reset_pending || stream.recv.stop_pending);
        let credit = stream.recv.credit_pending || stream.send.blocked.pending().is_some();
        let credit = !silent && credit;
        let data = !silent && stream.send.has_data_frame();
        let (places, priority) = (&stream.places, stream.priority);
        let [was_urgent, had_credit, had_data] =
            [Kind::Urgent, Kind::Credit, Kind::Data].map(|kind| places.is_in(kind));
        if urgent != was_urgent {
            self.urgent.set(&mut self.store, key, urgent);
        }
        if credit != had_credit {
            self.credits.set(&mut self.store, key, credit);
        }
        if data && !had_data {
            self.scheduler.push(&mut self.store, priority, key);
        } else if had_data && !data {
            self.scheduler.remove(&mut self.store, priority, key);
        }
    }

    /// Brings the queues up to date and lets go of the stream if it is over.
    pub(super) fn settle(&mut self, key: Key) {
        self.sync_queues(key);
        let Some(stream) = self.store.get_mut(key) else { return };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.4
        //# Both endpoints MUST maintain flow control state for the stream in the
        //# unterminated direction until that direction enters a terminal state.
        if !stream.send.is_over() || !stream.recv.state().is_terminal() {
            return;
        }
        self.reassembly = self.reassembly.saturating_sub(stream.recv.data.allocated_bytes());
        self.blocked_writers.remove(&mut self.store, key);
        self.store.remove(key);
        if key.id.initiator() != self.side {
            self.remote.get_mut(key.id.direction()).on_closed();
        }
        self.rest_if_idle();
    }

    /// Gives memory back when no stream is left.
    fn rest_if_idle(&mut self) {
        if !self.store.is_empty() {
            return;
        }
        if self.events.is_empty() && self.events.capacity() > MAX_KEPT_ENTRIES {
            self.events = VecDeque::new();
        }
        self.scheduler.rest();
        self.recv_pool.keep(0);
    }
}
