//! The loop.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use quic_core::{Instant, SocketId};

use crate::pump::{Arrived, Progress, Pump};
use crate::running::ShardSockets;
use crate::runtime::{AsyncSocket, Timer};

/// Runs an endpoint until the application holds nothing of it any more: a future for the runtime
/// to spawn. Dropped before it is complete, everything that waits on the endpoint and its
/// connections fails, and peers do not hear of it.
///
/// Each poll does a bounded number of turns and then lets other tasks run. So a runtime must not
/// have a budget of its own that reports a socket or timer that is ready as not ready.
#[must_use = "nothing happens on the endpoint unless its loop is spawned"]
pub struct Run<S, T> {
    /// Nearly always one.
    sockets: Vec<(SocketId, S)>,
    new_sockets: ShardSockets<S>,
    pump: Pump,
    /// Whether tasks of the application were woken and none has acted yet.
    expectant: bool,
    timer: T,
    /// What the timer was set to and has not fired at yet.
    armed: Option<Instant>,
}

/// What a turn leaves to be done, the most urgent last.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Turn {
    /// Nothing until something wakes the task.
    Idle,
    /// More of the same.
    Busy,
    /// Tasks of the application were woken: their answers should leave with the next datagrams.
    Awaited,
}

impl<S: AsyncSocket, T: Timer> Run<S, T> {
    pub(crate) fn new(new_sockets: ShardSockets<S>, pump: Pump, timer: T) -> Self {
        let mut run =
            Self { sockets: Vec::new(), new_sockets, pump, expectant: false, timer, armed: None };
        run.take_sockets();
        run
    }

    /// Takes the sockets that the application brought.
    fn take_sockets(&mut self) {
        for (id, socket) in self.new_sockets.take() {
            if self.pump.first_socket() != Some(id) {
                self.pump.add_socket(self.pump.now(), id);
            }
            self.sockets.retain(|(known, _)| *known != id);
            self.sockets.push((id, socket));
        }
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Turn {
        let Self { sockets, pump, .. } = self;
        let now = pump.now();
        if pump.poll_timeout().is_some_and(|timeout| timeout <= now) {
            pump.handle_timeout(now);
            if sockets.len() > 1 {
                sockets.retain(|(id, _)| pump.uses_socket(*id));
            }
        }
        let mut turn = Turn::Idle;
        for (id, socket) in sockets {
            turn = turn.max(Self::turn_of(pump, *id, socket, cx));
        }
        turn
    }

    fn turn_of(pump: &mut Pump, id: SocketId, socket: &S, cx: &mut Context<'_>) -> Turn {
        let mut turn = Turn::Idle;
        let (mut batches, mut bytes) = (0_usize, 0_usize);
        while batches < BATCHES_SENT && bytes < BYTES_SENT {
            batches += 1;
            let sent = pump.send(pump.now(), id, socket);
            bytes += pump.batch_length(id);
            match sent {
                Progress::More => turn = Turn::Busy,
                // A failure to wait for room is one that the next send reports.
                Progress::Blocked if socket.poll_sendable(cx).is_pending() => {
                    turn = Turn::Idle;
                    break;
                }
                Progress::Blocked => turn = Turn::Busy,
                Progress::Flushed => {
                    turn = Turn::Idle;
                    break;
                }
            }
        }
        let mut looks_unasked = pump.has_sent_much(id);
        for _ in 0..BATCHES_RECEIVED {
            if !pump.is_receiving(id) {
                return turn;
            }
            if !looks_unasked && socket.poll_receivable(cx).is_pending() {
                return turn;
            }
            match pump.receive(pump.now(), id, socket) {
                Arrived::Something => turn = turn.max(Turn::Busy),
                // What is little is looked at together: many with small requests wait for each
                // other less than for what is sent in between.
                Arrived::SomethingAwaited if pump.received_length() < MUCH_RECEIVED => {
                    turn = Turn::Awaited;
                }
                Arrived::SomethingAwaited => return Turn::Awaited,
                Arrived::Nothing => {}
            }
            looks_unasked = pump.may_have_left_some();
        }
        turn.max(Turn::Busy)
    }

    /// Arms the timer for the pump's next deadline; returns whether that has passed.
    ///
    /// Deadlines mostly move into the future. The timer is left alone then, and fires for nothing
    /// once, which is cheaper than to set it anew for every packet.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            let Some(timeout) = self.pump.poll_timeout() else { return false };
            if self.armed.is_none_or(|armed| timeout < armed) {
                self.timer.reset(timeout);
                self.armed = Some(timeout);
            }
            if self.timer.poll_fired(cx).is_pending() {
                return false;
            }
            if self.armed.take().is_some_and(|armed| armed >= timeout) {
                return true;
            }
        }
    }
}

// No field is ever pinned.
impl<S, T> Unpin for Run<S, T> {}

impl<S, T> fmt::Debug for Run<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("pump", &self.pump).finish_non_exhaustive()
    }
}

impl<S: AsyncSocket, T: Timer> Future for Run<S, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS {
            let changed = self.pump.poll_changed(cx);
            match changed {
                Poll::Ready(false) => return Poll::Ready(()),
                Poll::Ready(true) => self.take_sockets(),
                Poll::Pending => {}
            }
            // Whoever was woken may only have let others begin, which then act: what there is to
            // send by now, acknowledgments mostly, leaves together with what those write.
            if mem::take(&mut self.expectant) && changed.is_pending() {
                break;
            }
            match self.turn(cx) {
                Turn::Awaited => {
                    self.expectant = true;
                    break;
                }
                Turn::Busy => {}
                // Asked again, since only the answer that there is nothing makes the application's
                // next act wake this task.
                Turn::Idle => {
                    if !self.poll_timer(cx) && self.pump.poll_changed(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
        // To the back of the queue: whoever was woken runs first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Turns of one poll, before other tasks run.
const TURNS: usize = 8;
/// Batches sent in one turn, before something is received: half as many as datagrams arrive in one
/// at least. So the answers to a burst all leave, while a flood that there is no time for is
/// answered in part, rather than at the expense of who is connected.
const BATCHES_SENT: usize = 16;
/// Bytes after which that is enough, since large batches take long: a third of a millisecond, which
/// everybody else waits for.
const BYTES_SENT: usize = 256 << 10;
/// Bytes in one batch after which those who wait for them come first.
const MUCH_RECEIVED: usize = 16 << 10;
/// Batches received in one turn, before something is sent.
const BATCHES_RECEIVED: usize = 8;

#[cfg(test)]
mod tests;
