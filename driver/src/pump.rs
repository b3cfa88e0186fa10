//! What moves datagrams between the core and a socket.

use std::io;
use std::iter;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use quic_core::{
    ConnectionHandle, Instant, Misdirected, Multiplexer as _, PathAddresses, SocketId, UdpDatagram,
};

use crate::endpoint::DatagramFilter;
use crate::neighbourhood::{HandedOver, Neighbourhood};
use crate::outbox::{Outbox, Sent};
use crate::shard::{Shard, ShardState};
use crate::shared;
use crate::socket::{Arrivals, Socket, mark};

/// Moves datagrams between the core and a socket. A driver's loop owns one.
///
/// Each call does one batch of work, so that the loop decides how many follow before it turns to
/// something else. Take the time anew for each with [`now`](Self::now). When the pump is dropped,
/// everything that waits on the endpoint and its connections fails.
#[derive(Debug)]
pub struct Pump {
    shard: Arc<Shard>,
    surroundings: Surroundings,
    arrivals: Arrivals,
    /// One for each socket.
    lanes: Vec<Lane>,
    changed: Vec<ConnectionHandle>,
    woken: Vec<Waker>,
    /// What arrived for other shards.
    misdirected: Vec<Misdirected>,
    rung: bool,
    /// Whether others receive on its sockets.
    deaf: bool,
    /// When to look for sockets that nobody uses any more; only while there are several.
    tidy_at: Option<Instant>,
}

/// What a pump knows of beside its shard.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// Which shard of the endpoint this is.
    pub(crate) index: usize,
    pub(crate) neighbourhood: Arc<Neighbourhood>,
    pub(crate) filter: Option<Arc<dyn DatagramFilter>>,
}

/// What is to be remembered of one socket.
#[derive(Debug)]
struct Lane {
    socket: SocketId,
    outbox: Outbox,
    /// Whether there was nothing to send since something was sent on any socket.
    flushed: bool,
    /// Bytes sent since datagrams were last asked for.
    unheard: usize,
    /// Receive calls in a row that failed.
    failures: u32,
    /// Until when a socket that fails is left alone.
    paused_until: Option<Instant>,
}

impl Lane {
    fn new(socket: SocketId) -> Self {
        Self {
            socket,
            outbox: Outbox::new(),
            flushed: false,
            unheard: 0,
            failures: 0,
            paused_until: None,
        }
    }

    fn on_receive_error(&mut self, now: Instant) -> Arrived {
        self.failures += 1;
        if self.failures < MAX_FAILURES {
            return Arrived::Something;
        }
        self.failures = 0;
        self.paused_until = Some(now + PAUSE);
        Arrived::Nothing
    }
}

/// Whether something arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Arrived {
    /// Something did, and there may be more.
    Something,
    /// Something did, tasks of the application were woken because of it, and there may be more.
    SomethingAwaited,
    /// The socket is empty: wait until it is readable.
    Nothing,
}

/// How far sending has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Progress {
    /// The socket has no room: wait until it is writable.
    Blocked,
    /// Everything was sent for now.
    Flushed,
    /// There may be more to send.
    More,
}

impl Pump {
    pub(crate) fn new(shard: Arc<Shard>, surroundings: Surroundings) -> Self {
        let first = shard.lock().socket;
        Self {
            shard,
            surroundings,
            arrivals: Arrivals::new(),
            lanes: vec![Lane::new(first)],
            changed: Vec::new(),
            woken: Vec::new(),
            misdirected: Vec::new(),
            rung: false,
            deaf: false,
            tidy_at: None,
        }
    }

    /// The first socket, which the endpoint was made with.
    pub fn first_socket(&self) -> Option<SocketId> {
        self.lanes.first().map(|lane| lane.socket)
    }

    /// Takes another socket, which [`Endpoint::rebind_to`](crate::Endpoint::rebind_to) or
    /// [`Endpoint::add_socket_at`](crate::Endpoint::add_socket_at) named.
    pub fn add_socket(&mut self, now: Instant, socket: SocketId) {
        if self.lane(socket).is_none() {
            self.lanes.push(Lane::new(socket));
        }
        self.tidy_at.get_or_insert(now + TIDY_INTERVAL);
    }

    /// Whether the endpoint still uses a socket; if not, the loop is to close it.
    pub fn uses_socket(&self, socket: SocketId) -> bool {
        self.lanes.iter().any(|lane| lane.socket == socket)
    }

    fn lane(&mut self, socket: SocketId) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.socket == socket)
    }

    /// Moves connections that could not move before, and gives up sockets that nobody uses.
    fn tidy(&mut self, now: Instant) {
        self.tidy_at = None;
        let mut changed = Vec::new();
        let mut state = self.shard.lock();
        state.tidy_sockets(now, &mut changed);
        self.lanes.retain(|lane| state.sockets.contains(lane.socket));
        if !state.sockets.is_single() {
            self.tidy_at = Some(now + TIDY_INTERVAL);
        }
        drop(state);
        self.shard.bell.ring_for_all(&changed);
    }

    /// Reads the clock.
    pub fn now(&self) -> Instant {
        self.shard.bell.now()
    }

    /// Takes one batch of datagrams from the socket that `id` names.
    ///
    /// An error of the socket is counted and never the end. Most are news of a datagram sent
    /// earlier, are told once, and hide nothing: the socket is asked again. One that goes on
    /// failing is left alone for a moment, and its connections may time out meanwhile.
    pub fn receive(&mut self, now: Instant, id: SocketId, socket: &impl Socket) -> Arrived {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.socket == id) else {
            return Arrived::Nothing;
        };
        if lane.paused_until.is_some_and(|until| now < until) {
            return Arrived::Nothing;
        }
        lane.paused_until = None;
        lane.unheard = 0;
        match socket.receive(&mut self.arrivals) {
            Ok(()) => lane.failures = 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                lane.failures = 0;
                return Arrived::Nothing;
            }
            Err(_) => {
                self.shard.counters.receive_errors.fetch_add(1, Ordering::Relaxed);
                return lane.on_receive_error(now);
            }
        }
        if let Some(filter) = &self.surroundings.filter {
            self.arrivals.retain(|train| !filter.takes(train));
        }
        let mut state = self.shard.lock();
        for (meta, payload) in self.arrivals.trains() {
            let ShardState { multiplexer, .. } = &mut *state;
            let stride = Some(meta.stride).filter(|stride| *stride > 0 && *stride < payload.len());
            multiplexer.handle_datagram(
                now,
                UdpDatagram {
                    path: PathAddresses { socket: id, local_ip: meta.dst_ip, remote: meta.addr },
                    ecn: mark(meta),
                    payload,
                    segment_length: stride,
                },
            );
            self.misdirected.extend(iter::from_fn(|| multiplexer.poll_misdirected()));
            state.drain_events(&mut self.woken);
        }
        let strays = !self.misdirected.is_empty();
        let local = if strays { state.sockets.address(id) } else { None };
        drop(state);
        let awaited = !self.woken.is_empty();
        shared::wake(&mut self.woken);
        if let Some(local) = local {
            self.hand_over(now, id, local);
        }
        if awaited { Arrived::SomethingAwaited } else { Arrived::Something }
    }

    /// Sends what arrived here, on the socket with this ID and address, to the shards that it is
    /// for, and answers for those that nobody has.
    fn hand_over(&mut self, now: Instant, id: SocketId, local: SocketAddr) {
        let Self { shard, surroundings, misdirected, .. } = self;
        let counters = &shard.counters;
        for misdirected in misdirected.drain(..) {
            let counter = match surroundings.neighbourhood.send(misdirected, local) {
                HandedOver::Taken => &counters.handed_over,
                HandedOver::Lost => &counters.hand_overs_dropped,
                HandedOver::Unclaimed(letter) => {
                    let mut unclaimed = letter.at(id);
                    shard.lock().multiplexer.handle_unclaimed(now, unclaimed.datagram(id));
                    &counters.hand_overs_unclaimed
                }
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes what arrived at other shards for this one.
    fn open_letters(&mut self, now: Instant) {
        let letters = self.surroundings.neighbourhood.take(self.surroundings.index);
        if letters.is_empty() {
            return;
        }
        let mut state = self.shard.lock();
        for letter in letters {
            let Some(socket) = state.sockets.at(letter.local) else { continue };
            state.multiplexer.handle_datagram(now, letter.at(socket).datagram(socket));
            state.drain_events(&mut self.woken);
        }
        drop(state);
        shared::wake(&mut self.woken);
    }

    /// Carries out what the application did, and sends one batch of datagrams on the socket that
    /// `id` names.
    pub fn send(&mut self, now: Instant, id: SocketId, socket: &impl Socket) -> Progress {
        if mem::take(&mut self.rung) {
            self.shard.lock().settle(now, &mut self.changed, &mut self.woken);
            shared::wake(&mut self.woken);
            self.open_letters(now);
        }
        let Some(lane) = self.lanes.iter().position(|lane| lane.socket == id) else {
            return Progress::Flushed;
        };
        if !self.fill(now, lane, socket) {
            return Progress::Flushed;
        }
        let Some(Lane { outbox, unheard, .. }) = self.lanes.get_mut(lane) else {
            return Progress::Flushed;
        };
        *unheard = unheard.saturating_add(outbox.length());
        let sent = outbox.send(socket, &self.shard.counters);
        if let Some(length) = outbox.take_too_large() {
            let mut state = self.shard.lock();
            state.multiplexer.handle_too_large(now, id, length);
            state.drain_events(&mut self.woken);
            drop(state);
            shared::wake(&mut self.woken);
        }
        match sent {
            Sent::Gone => Progress::More,
            Sent::Blocked => Progress::Blocked,
        }
    }

    /// Whether the last batch that was received was as large as batches can be.
    pub(crate) fn may_have_left_some(&self) -> bool {
        !self.arrivals.has_room()
    }

    /// Bytes of the last batch that was received.
    pub(crate) fn received_length(&self) -> usize {
        self.arrivals.length()
    }

    /// Bytes of the last batch that was to be sent on a socket.
    pub(crate) fn batch_length(&self, id: SocketId) -> usize {
        let lane = self.lanes.iter().find(|lane| lane.socket == id);
        lane.map_or(0, |lane| lane.outbox.length())
    }

    /// Whether so much was sent on a socket since it was last received from that it should be now,
    /// even if nobody says that it is readable: a runtime looks when nobody has anything to do, and
    /// whoever sends much has. What others ask for meanwhile would wait until the window is full.
    pub(crate) fn has_sent_much(&self, id: SocketId) -> bool {
        self.lanes.iter().any(|lane| lane.socket == id && lane.unheard >= MUCH)
    }

    /// Fills the outbox of a socket, if it is empty; returns whether there is something in it.
    fn fill(&mut self, now: Instant, lane: usize, socket: &impl Socket) -> bool {
        let Some(Lane { socket: id, outbox, flushed, .. }) = self.lanes.get_mut(lane) else {
            return false;
        };
        if !outbox.is_empty() {
            return true;
        }
        let mut state = self.shard.lock();
        let ShardState { multiplexer, .. } = &mut *state;
        let filled = outbox.fill(socket, |buffer| multiplexer.poll_transmit(now, *id, buffer));
        *flushed = !filled;
        if filled {
            self.lanes.iter_mut().for_each(|lane| lane.flushed = false);
        } else if self.lanes.iter().all(|lane| lane.flushed) {
            state.on_flushed(&mut self.woken);
        }
        drop(state);
        shared::wake(&mut self.woken);
        filled
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        for lane in &mut self.lanes {
            lane.paused_until = lane.paused_until.filter(|until| now < *until);
        }
        if self.tidy_at.is_some_and(|at| at <= now) {
            self.tidy(now);
        }
        let mut state = self.shard.lock();
        if let Some(due) = state.multiplexer.poll_timeout().filter(|due| *due <= now) {
            self.shard.punctuality.on_timeout(now - due);
        }
        state.multiplexer.handle_timeout(now);
        state.unsent = true;
        state.drain_events(&mut self.woken);
        drop(state);
        shared::wake(&mut self.woken);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is next due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timeout = self.shard.lock().multiplexer.poll_timeout();
        let paused = self.lanes.iter().filter_map(|lane| lane.paused_until);
        timeout.into_iter().chain(paused).chain(self.tidy_at).min()
    }

    /// Ready with `true` once the application did something: [`send`](Self::send) sees to it. Only
    /// after pending does the application's next act wake the task, so a loop has to see that
    /// before it waits. Ready with `false` when the application holds nothing of the endpoint any more and
    /// everything was sent: the loop has to end.
    pub fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.rung || self.shard.bell.poll_rung(cx, &mut self.changed).is_ready() {
            self.rung = true;
            self.stop_receiving_if_told();
            return Poll::Ready(true);
        }
        let is_empty = self.lanes.iter().all(|lane| lane.outbox.is_empty());
        if self.shard.bell.is_abandoned() && is_empty {
            let idle = self.shard.lock().is_idle();
            return if idle { Poll::Ready(false) } else { Poll::Pending };
        }
        Poll::Pending
    }

    /// What was received before is dealt with by now.
    fn stop_receiving_if_told(&mut self) {
        if self.shard.should_be_deaf.load(Ordering::Relaxed) && !mem::replace(&mut self.deaf, true)
        {
            self.shard.lock().on_deaf(&mut self.woken);
            shared::wake(&mut self.woken);
        }
    }

    /// Whether a socket should be received from now: not for a moment after it failed, nor once
    /// others receive ([`Endpoint::stop_receiving`](crate::Endpoint::stop_receiving)).
    pub fn is_receiving(&self, id: SocketId) -> bool {
        !self.deaf && self.lanes.iter().any(|lane| lane.socket == id && lane.paused_until.is_none())
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        let Surroundings { index, neighbourhood, .. } = &self.surroundings;
        neighbourhood.abandon(*index);
        self.shard.lock().on_gone(&mut self.woken);
        shared::wake(&mut self.woken);
    }
}

/// So many receive calls in a row that fail are the socket's own fault. Fewer may be news of
/// datagrams: which errors can be, differs between systems, and is long on each.
const MAX_FAILURES: u32 = 16;
/// Bytes to send without a look at what arrived, at most but for a batch.
const MUCH: usize = 128 << 10;
/// How often sockets that may be in use no longer are looked at.
const TIDY_INTERVAL: Duration = Duration::from_millis(500);
/// How long a failing socket is left alone.
const PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests;
