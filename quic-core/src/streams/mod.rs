//! Streams (RFC 9000 §2 to §4).
//!
//! `frames_in`, `frames_out` and `fate` are the ways in from the connection, `api` is the one from
//! the application, and `queues` keeps what waits its turn. What they have in common is here:
//! creating streams, their limits, and what is read and given up.

mod api;
mod early;
mod fate;
mod flow_control;
mod frames_in;
mod frames_out;
mod limits;
mod memory;
mod queues;
mod receive_budget;
mod recv;
mod reset_at;
mod row;
mod scheduler;
mod send;
mod slot;
mod store;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

pub use api::{
    Finished, OpenStreamError, ReadError, ReadOutcome, RecvStream, ResetAtError, SendStream,
    WriteError,
};
pub(crate) use memory::{StreamsMemory, worst_case_growth};
pub(crate) use receive_budget::ReceiveBudget;
pub(crate) use slot::{InitialLimits, StreamsSlot};

use self::early::Backlog;
use self::flow_control::{ConnectionCredit, ReceiveWindow};
use self::limits::{LocalStreams, RemoteStreams};
use self::receive_budget::Allowance;
use self::recv::{RecvPart, RecvState};
use self::row::{Kind, Places, Row};
use self::scheduler::Scheduler;
use self::send::{Fin, SendPart, SendTransition};
use self::store::{Key, Queued, Store, Stream};
use crate::buffer::{BlockPool, MAX_BLOCK, Reassembler, SendBuffer};
use crate::config::TransportConfig;
use crate::crypto::KeyedHash;
use crate::event::StreamEvent;
use crate::wire::{Direction, Side, StreamId, VarInt};

/// Data read at a time that is part of a bulk transfer, in bytes: there will be more.
const MIN_BURST: u64 = 4 << 10;

/// Gaps in the received data of all streams together, but for one more for each
/// [`BYTES_PER_GAP`](crate::buffer::BYTES_PER_GAP) of the receive window: each stream has a bound of
/// its own, but they are many.
const MAX_GAPS: u32 = 4096;

/// All streams of a connection.
#[derive(Debug)]
pub(crate) struct Streams {
    side: Side,
    config: Arc<TransportConfig>,
    store: Store,
    local: PerDirection<LocalStreams>,
    remote: PerDirection<RemoteStreams>,
    /// The peer's limits on the data of new streams, by who opens them.
    peer: PeerLimits,
    credit: ConnectionCredit,
    window: ReceiveWindow,
    allowance: Allowance,
    /// Sum of the highest offsets received.
    received: u64,
    /// MAX_DATA is to be sent.
    max_data_pending: bool,
    /// Streams with RESET_STREAM or STOP_SENDING to send.
    urgent: Row,
    /// Streams with MAX_STREAM_DATA or STREAM_DATA_BLOCKED to send.
    credits: Row,
    scheduler: Scheduler,
    /// Streams whose application waits for room on the connection.
    blocked_writers: Row,
    /// At most one `Readable`, `Writable`, `Stopped` and `Finished` per stream.
    events: VecDeque<(Key, StreamEvent)>,
    /// Directions with `Opened` or `Available` to announce.
    opened: PerDirection<bool>,
    available: PerDirection<bool>,
    /// Streams that were finished or reset, of which the peer has not acknowledged that.
    unacked_ends: usize,
    /// Frames with the end of a stream that were written; wraps.
    ends_sent: u32,
    /// Heap of received data, in bytes.
    reassembly: usize,
    /// Gaps in received data; at most [`MAX_GAPS`], or what the window permits.
    gaps: u32,
    /// What was received by when everything was read last.
    received_when_drained: u64,
    /// Data read at a time, lately, in bytes.
    burst: u64,
    /// Blocks for received data that were used up.
    recv_pool: BlockPool,
    /// Blocks for data to send that was acknowledged. Empty if nothing waits for that.
    send_pool: BlockPool,
    /// The application waits for `StreamEvent::Flushed`.
    flush_awaited: bool,
    over: bool,
    /// What was written in 0-RTT and rejected, until it was passed on.
    backlog: Option<Box<Backlog>>,
}

/// One for each direction.
#[derive(Debug, Default)]
struct PerDirection<T> {
    bidirectional: T,
    unidirectional: T,
}

impl<T> PerDirection<T> {
    fn get(&self, direction: Direction) -> &T {
        match direction {
            Direction::Bidirectional => &self.bidirectional,
            Direction::Unidirectional => &self.unidirectional,
        }
    }

    fn get_mut(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::Bidirectional => &mut self.bidirectional,
            Direction::Unidirectional => &mut self.unidirectional,
        }
    }
}

/// The peer's limits on the data of streams that are new.
#[derive(Debug, Default)]
struct PeerLimits {
    /// On streams that this end opens.
    ours: u64,
    /// On streams that the peer opens.
    theirs: u64,
    unidirectional: u64,
    /// It understands RESET_STREAM_AT.
    reset_stream_at: bool,
}

const DIRECTIONS: [Direction; 2] = [Direction::Bidirectional, Direction::Unidirectional];

impl Streams {
    /// No streams. The peer's limits are all zero until
    /// [`set_peer_limits`](Self::set_peer_limits).
    pub(crate) fn new(side: Side, config: &Arc<TransportConfig>, hash: KeyedHash) -> Self {
        Self {
            side,
            config: Arc::clone(config),
            store: Store::new(hash),
            local: PerDirection::default(),
            remote: PerDirection {
                bidirectional: RemoteStreams::new(config.max_concurrent_bidi_streams),
                unidirectional: RemoteStreams::new(config.max_concurrent_uni_streams),
            },
            peer: PeerLimits::default(),
            credit: ConnectionCredit::new(),
            window: ReceiveWindow::new(config.receive_window),
            allowance: Allowance::default(),
            received: 0,
            max_data_pending: false,
            urgent: Row::new(Kind::Urgent),
            credits: Row::new(Kind::Credit),
            scheduler: Scheduler::default(),
            blocked_writers: Row::new(Kind::Write),
            events: VecDeque::new(),
            opened: PerDirection::default(),
            available: PerDirection::default(),
            unacked_ends: 0,
            ends_sent: 0,
            reassembly: 0,
            gaps: 0,
            received_when_drained: 0,
            burst: 0,
            recv_pool: BlockPool::default(),
            send_pool: BlockPool::default(),
            flush_awaited: false,
            over: false,
            backlog: None,
        }
    }

    /// Takes over the peer's initial limits, also for streams that are open. Limits only grow:
    /// those remembered for 0-RTT may not be reduced (RFC 9000 §7.4.1).
    pub(crate) fn set_peer_limits(&mut self, limits: InitialLimits) {
        self.peer = PeerLimits {
            ours: limits.stream_data_bidi_remote,
            theirs: limits.stream_data_bidi_local,
            unidirectional: limits.stream_data_uni,
            reset_stream_at: limits.reset_stream_at,
        };
        let keys: Vec<Key> = self.store.iter_mut().map(|(key, _)| key).collect();
        for key in keys {
            self.raise_stream_maximum(key, self.initial_maximum(key.id));
        }
        self.raise_connection_maximum(limits.data);
        self.raise_stream_count(Direction::Bidirectional, limits.streams_bidi);
        self.raise_stream_count(Direction::Unidirectional, limits.streams_uni);
        self.pump_backlog();
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// See [`OpenStreamError`].
    pub(crate) fn open(&mut self, direction: Direction) -> Result<StreamId, OpenStreamError> {
        if self.over {
            return Err(OpenStreamError::ConnectionOver);
        }
        if self.is_held() {
            self.local.get_mut(direction).refuse();
            return Err(OpenStreamError::Blocked);
        }
        let index = self.local.get_mut(direction).open().ok_or(OpenStreamError::Blocked)?;
        let id = StreamId::new(self.side, direction, index);
        self.create(id);
        Ok(id)
    }

    /// How many streams can be opened now.
    pub(crate) fn left_to_open(&self, direction: Direction) -> u64 {
        if self.is_held() { 0 } else { self.local.get(direction).left() }
    }

    /// The next stream that the peer opened, in order. Streams that are over in both directions
    /// before they are accepted are passed over.
    pub(crate) fn accept(&mut self, direction: Direction) -> Option<StreamId> {
        loop {
            let remote = self.remote.get_mut(direction);
            if remote.next >= remote.opened {
                return None;
            }
            let id = StreamId::new(!self.side, direction, remote.next);
            remote.next += 1;
            let key = match self.store.find(id) {
                Some(key) => key,
                // Nothing arrived on it, and nothing will.
                None if self.over => continue,
                None => {
                    self.create(id);
                    return Some(id);
                }
            };
            if self.is_dead_on_arrival(key) {
                self.forget_unaccepted(key);
                continue;
            }
            self.notify_readable(key);
            let stopped = self.store.get(key).is_some_and(|stream| stream.send.stopped.is_some());
            if stopped && !self.over {
                self.events.push_back((key, StreamEvent::Stopped(id)));
            }
            return Some(id);
        }
    }

    /// The sending part of a stream; its methods fail if there is none.
    pub(crate) fn send_stream(&mut self, id: StreamId) -> SendStream<'_> {
        SendStream { streams: self, id }
    }

    /// The receiving part of a stream; its methods fail if there is none.
    pub(crate) fn recv_stream(&mut self, id: StreamId) -> RecvStream<'_> {
        RecvStream { streams: self, id }
    }

    /// Tells the peer once more of a limit on data that is in the way, if there is one.
    pub(crate) fn repeat_blocked(&mut self) {
        self.credit.blocked.on_lost();
        if self.credit.blocked.pending().is_some() {
            return;
        }
        let waiting = self.store.iter_mut().find(|(_, stream)| stream.send.waiting);
        if let Some(key) = waiting.map(|(key, stream)| {
            stream.send.blocked.on_lost();
            key
        }) {
            self.sync_queues(key);
        }
    }

    /// How many streams of a direction the peer may have open at a time from now on.
    pub(crate) fn set_max_concurrent(&mut self, direction: Direction, count: u64) {
        self.remote.get_mut(direction).set_concurrent(count);
    }

    /// Whether the peer has acknowledged everything that was written, and every end and reset.
    pub(crate) fn is_flushed(&self) -> bool {
        self.credit.unacked == 0 && self.unacked_ends == 0
    }

    /// Grows with every byte and every stream that the peer uses for the first time; wraps.
    #[inline]
    pub(crate) fn progress(&self) -> u64 {
        let PerDirection { bidirectional, unidirectional } = &self.remote;
        self.received.wrapping_add(bidirectional.opened).wrapping_add(unidirectional.opened)
    }

    /// Grows with every end of a stream that is written into a packet; wraps.
    #[inline]
    pub(crate) fn ends_sent(&self) -> u32 {
        self.ends_sent
    }

    /// `StreamEvent::Flushed` is wanted once everything is acknowledged.
    pub(crate) fn notify_when_flushed(&mut self) {
        self.flush_awaited = !self.over;
    }

    /// Heap of data that waits to be read, sent or acknowledged, in bytes.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn buffered_bytes(&self) -> usize {
        let sending = self.store.iter().map(|stream| stream.send.buffer.allocated_bytes());
        sending.sum::<usize>() + self.reassembly
    }

    /// Nothing is sent or received any more. What had arrived can still be accepted and read if
    /// `readable`, and what was acknowledged stays known: a peer that has everything may close
    /// before this end's application had its turn.
    pub(crate) fn on_connection_over(&mut self, readable: bool) {
        self.over = true;
        self.recv_pool.keep(0);
        self.send_pool.keep(0);
        self.flush_awaited = false;
        self.max_data_pending = false;
        self.urgent = Row::new(Kind::Urgent);
        self.credits = Row::new(Kind::Credit);
        self.blocked_writers = Row::new(Kind::Write);
        self.scheduler = Scheduler::default();
        self.backlog = None;
        self.events = VecDeque::new();
        self.opened = PerDirection::default();
        self.available = PerDirection::default();
        for (_, stream) in self.store.iter_mut() {
            stream.queued = Queued::default();
            stream.places = Places::default();
            stream.send.buffer = SendBuffer::default();
            if !readable {
                stream.recv.data = Reassembler::default();
                stream.recv.stopped = true;
            }
        }
        if !readable {
            self.reassembly = 0;
            for direction in DIRECTIONS {
                let remote = self.remote.get_mut(direction);
                remote.next = remote.opened;
            }
        }
    }

    fn create(&mut self, id: StreamId) -> Key {
        let local = id.initiator() == self.side;
        let one_way = id.direction() == Direction::Unidirectional;
        let send = if one_way && !local {
            SendPart::none()
        } else {
            SendPart::new(self.initial_maximum(id))
        };
        let recv = if one_way && local {
            RecvPart::none()
        } else {
            RecvPart::new(self.config.stream_receive_window)
        };
        let (queued, places) = (Queued::default(), Places::default());
        self.store.insert(Stream { id, send, recv, priority: 0, queued, places })
    }

    fn initial_maximum(&self, id: StreamId) -> u64 {
        match id.direction() {
            Direction::Unidirectional => self.peer.unidirectional,
            Direction::Bidirectional if id.initiator() == self.side => self.peer.ours,
            Direction::Bidirectional => self.peer.theirs,
        }
    }

    fn is_accepted(&self, id: StreamId) -> bool {
        id.initiator() == self.side || id.index() < self.remote.get(id.direction()).next
    }

    /// Whether the application could do nothing with the stream: the peer reset it, and wants
    /// nothing on it either.
    fn is_dead_on_arrival(&self, key: Key) -> bool {
        self.store.get(key).is_some_and(|stream| {
            stream.recv.state() == RecvState::ResetRecvd
                && (stream.send.stopped.is_some() || stream.send.is_over())
        })
    }

    fn forget_unaccepted(&mut self, key: Key) {
        if let Some(stream) = self.store.get_mut(key) {
            stream.recv.stopped = true;
            stream.recv.advance();
            stream.send.released = true;
        }
        self.settle(key);
    }

    fn raise_stream_maximum(&mut self, key: Key, maximum: u64) {
        let Some(stream) = self.store.get_mut(key) else { return };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.1
        //# A sender MUST ignore any MAX_STREAM_DATA or MAX_DATA frames that do not
        //# increase flow control limits.
        if maximum <= stream.send.maximum {
            return;
        }
        stream.send.maximum = maximum;
        stream.send.blocked.on_raised();
        if std::mem::take(&mut stream.send.waiting) {
            self.notify_writable(key);
        }
        self.sync_queues(key);
    }

    fn raise_connection_maximum(&mut self, maximum: u64) {
        if maximum > self.credit.maximum {
            self.credit.maximum = maximum;
            self.credit.blocked.on_raised();
            self.wake_writers();
        }
    }

    fn raise_stream_count(&mut self, direction: Direction, maximum: u64) {
        if self.local.get_mut(direction).raise(maximum) {
            *self.available.get_mut(direction) = true;
        }
    }

    /// Gives up what was not delivered (RFC 9000 §3.1); false if it is too late for that.
    fn reset(&mut self, key: Key, code: VarInt) -> bool {
        let Some(stream) = self.store.get_mut(key) else { return false };
        let send = &mut stream.send;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
        //# The content of a RESET_STREAM frame MUST NOT change when it is sent
        //# again.
        if !send.go(SendTransition::Reset) {
            return false;
        }
        if send.fin == Fin::Open {
            self.unacked_ends += 1;
        }
        if send.reset_at.is_none() {
            let unsent = send.buffer.end() - send.buffer.sent();
            self.credit.written = self.credit.written.saturating_sub(unsent);
            send.reset_code = code;
        }
        self.credit.on_freed(send.buffer.unacked_bytes());
        if self.credit.unacked == 0 {
            self.send_pool.keep(0);
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-3.3
        //# A sender MUST NOT send a STREAM or STREAM_DATA_BLOCKED frame for a
        //# stream in the "Reset Sent" state or any terminal state -- that is, after
        //# sending a RESET_STREAM frame.
        send.buffer.clear();
        send.fin = Fin::InFlight;
        send.reset_pending = true;
        send.blocked.on_raised();
        send.waiting = false;
        self.empty_backlog_of(key);
        self.sync_queues(key);
        self.wake_writers();
        true
    }

    /// `bytes` of received data are read or thrown away.
    fn on_consumed(&mut self, bytes: u64) {
        self.window.consume(bytes);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.2
        //# Therefore, a receiver MUST NOT wait for a
        //# STREAM_DATA_BLOCKED or DATA_BLOCKED frame before sending a
        //# MAX_STREAM_DATA or MAX_DATA frame; doing so could result in the
        //# sender being blocked for the rest of the connection.
        self.max_data_pending |= self.window.wants_raise() || self.window.is_short(self.received);
        if self.window.consumed() >= self.received {
            self.on_drained();
        }
    }

    /// Everything that was received is read: keeps as many blocks as the largest of the last
    /// bursts took, and one more, for the next one of a long download. A few small messages later
    /// none is kept.
    fn on_drained(&mut self) {
        let burst = self.received.saturating_sub(self.received_when_drained);
        self.received_when_drained = self.received;
        self.burst = burst.max(self.burst / 2);
        let bulk = self.burst >= MIN_BURST;
        let blocks = if bulk { 1 + self.burst.div_ceil(MAX_BLOCK as u64) } else { 0 };
        self.recv_pool.keep(usize::try_from(blocks).unwrap_or(usize::MAX));
    }

    /// Nothing arrived for a while: gives back what was kept for more of it.
    pub(crate) fn on_quiet(&mut self) {
        self.burst = 0;
        self.recv_pool.keep(0);
    }
}
