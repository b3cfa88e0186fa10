//! What moves datagrams between the core and a socket.

use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant as StdInstant};

use quic_core::{
    ConnectionHandle, EcnCodepoint, Instant, Multiplexer as _, PathAddresses, UdpDatagram,
};

use crate::endpoint::{EndpointInner, EndpointState};
use crate::outbox::{Outbox, Sent};
use crate::shared;
use crate::socket::{Arrivals, Socket};

/// Moves datagrams between the core and a socket. A driver's loop owns one.
///
/// Each call does one batch of work, so that the loop decides how many follow before it turns to
/// something else. Take the time anew for each with [`now`](Self::now). When the pump is dropped,
/// everything that waits on the endpoint and its connections fails.
#[derive(Debug)]
pub struct Pump {
    endpoint: Arc<EndpointInner>,
    arrivals: Arrivals,
    outbox: Outbox,
    changed: Vec<ConnectionHandle>,
    woken: Vec<Waker>,
    rung: bool,
    /// Receive calls in a row that failed.
    failures: u32,
    /// Until when a socket that fails is left alone.
    paused_until: Option<Instant>,
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
    pub(crate) fn new(endpoint: Arc<EndpointInner>) -> Self {
        Self {
            endpoint,
            arrivals: Arrivals::new(),
            outbox: Outbox::new(),
            changed: Vec::new(),
            woken: Vec::new(),
            rung: false,
            failures: 0,
            paused_until: None,
        }
    }

    /// Reads the clock.
    pub fn now(&self) -> Instant {
        self.endpoint.bell.now()
    }

    /// Takes one batch of datagrams from the socket.
    ///
    /// An error of the socket is counted and never the end. Most are news of a datagram sent
    /// earlier, are told once, and hide nothing: the socket is asked again. One that goes on
    /// failing is left alone for a moment, and its connections may time out meanwhile.
    pub fn receive(&mut self, now: Instant, socket: &impl Socket) -> Arrived {
        if self.paused_until.is_some_and(|until| now < until) {
            return Arrived::Nothing;
        }
        self.paused_until = None;
        match socket.receive(&mut self.arrivals) {
            Ok(()) => self.failures = 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.failures = 0;
                return Arrived::Nothing;
            }
            Err(_) => return self.on_receive_error(now),
        }
        let mut state = self.endpoint.lock();
        for (meta, payload) in self.arrivals.trains() {
            let EndpointState { multiplexer, socket, .. } = &mut *state;
            let stride = Some(meta.stride).filter(|stride| *stride > 0 && *stride < payload.len());
            multiplexer.handle_datagram(
                now,
                UdpDatagram {
                    path: PathAddresses {
                        socket: *socket,
                        local_ip: meta.dst_ip,
                        remote: meta.addr,
                    },
                    ecn: meta.ecn.and_then(|ecn| EcnCodepoint::from_bits(ecn as u8)),
                    payload,
                    segment_length: stride,
                },
            );
            state.drain_events(&mut self.woken);
        }
        drop(state);
        let awaited = !self.woken.is_empty();
        shared::wake(&mut self.woken);
        if awaited { Arrived::SomethingAwaited } else { Arrived::Something }
    }

    fn on_receive_error(&mut self, now: Instant) -> Arrived {
        self.endpoint.counters.receive_errors.fetch_add(1, Ordering::Relaxed);
        self.failures += 1;
        if self.failures < MAX_FAILURES {
            return Arrived::Something;
        }
        self.failures = 0;
        self.paused_until = Some(now + PAUSE);
        Arrived::Nothing
    }

    /// Carries out what the application did, and sends one batch of datagrams.
    pub fn send(&mut self, now: Instant, socket: &impl Socket) -> Progress {
        if mem::take(&mut self.rung) {
            self.endpoint.lock().settle(now, &mut self.changed, &mut self.woken);
            shared::wake(&mut self.woken);
        }
        if self.outbox.is_empty() && !self.fill(now, socket) {
            return Progress::Flushed;
        }
        let sent = self.outbox.send(socket, &self.endpoint.counters);
        if let Some(length) = self.outbox.take_too_large() {
            let EndpointState { multiplexer, socket, .. } = &mut *self.endpoint.lock();
            multiplexer.handle_too_large(now, *socket, length);
        }
        match sent {
            Sent::Gone => Progress::More,
            Sent::Blocked => Progress::Blocked,
        }
    }

    fn fill(&mut self, now: Instant, socket: &impl Socket) -> bool {
        let mut state = self.endpoint.lock();
        let EndpointState { multiplexer, socket: id, .. } = &mut *state;
        let filled = self.outbox.fill(socket, |buffer| multiplexer.poll_transmit(now, *id, buffer));
        if !filled {
            state.on_flushed(&mut self.woken);
        }
        drop(state);
        shared::wake(&mut self.woken);
        filled
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.paused_until = self.paused_until.filter(|until| now < *until);
        let mut state = self.endpoint.lock();
        state.multiplexer.handle_timeout(now);
        state.unsent = true;
        state.drain_events(&mut self.woken);
        drop(state);
        shared::wake(&mut self.woken);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is next due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timeout = self.endpoint.lock().multiplexer.poll_timeout();
        timeout.into_iter().chain(self.paused_until).min()
    }

    /// An instant on the clock of `std`, for timers; `None` if that cannot hold it.
    pub fn to_std(&self, instant: Instant) -> Option<StdInstant> {
        self.endpoint.bell.to_std(instant)
    }

    /// Ready with `true` once the application did something: [`send`](Self::send) sees to it. Only
    /// after pending does the application's next act wake the task, so a loop has to see that
    /// before it waits. Ready with `false` when the application holds nothing of the endpoint any more and
    /// everything was sent: the loop has to end.
    pub fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.rung || self.endpoint.bell.poll_rung(cx, &mut self.changed).is_ready() {
            self.rung = true;
            return Poll::Ready(true);
        }
        if self.endpoint.bell.is_abandoned() && self.outbox.is_empty() {
            let idle = self.endpoint.lock().is_idle();
            return if idle { Poll::Ready(false) } else { Poll::Pending };
        }
        Poll::Pending
    }

    /// Whether the socket should be received from now; not for a moment after it failed.
    pub fn is_receiving(&self) -> bool {
        self.paused_until.is_none()
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.endpoint.lock().on_gone(&mut self.woken);
        shared::wake(&mut self.woken);
    }
}

/// So many receive calls in a row that fail are the socket's own fault. Fewer may be news of
/// datagrams: which errors can be, differs between systems, and is long on each.
const MAX_FAILURES: u32 = 16;
/// How long a failing socket is left alone.
const PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests;
