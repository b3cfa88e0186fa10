//! How handles tell the loop that there is something to do.

use std::mem;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use quic_core::{ConnectionHandle, Instant};

use crate::clock::Clock;
use crate::sync::{AtomicUsize, Mutex, MutexGuard};

/// Shared by the loop and everything that the application holds of an endpoint.
///
/// Keeps the connections that the application acted on until the loop takes them, wakes the loop
/// once for all of them, and knows whether the application holds anything at all.
#[derive(Debug)]
pub(crate) struct Bell {
    clock: Clock,
    inner: Mutex<Inner>,
    users: AtomicUsize,
}

#[derive(Debug, Default)]
struct Inner {
    /// Each connection is here at most once; its own state says whether it is.
    changed: Vec<ConnectionHandle>,
    rung: bool,
    waker: Option<Waker>,
}

impl Bell {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, inner: Mutex::default(), users: AtomicUsize::new(0) }
    }

    /// Reads the clock.
    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Wakes the loop.
    pub(crate) fn ring(&self) {
        self.ring_for_all(&[]);
    }

    /// Wakes the loop because the application acted on a connection.
    pub(crate) fn ring_for(&self, handle: ConnectionHandle) {
        self.ring_for_all(&[handle]);
    }

    /// Wakes the loop because the application acted on all of these connections.
    pub(crate) fn ring_for_all(&self, handles: &[ConnectionHandle]) {
        let mut inner = self.lock();
        inner.changed.extend_from_slice(handles);
        let waker = if mem::replace(&mut inner.rung, true) { None } else { inner.waker.take() };
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Moves the changed connections to `changed`, which is empty, if the bell was rung.
    ///
    /// The next ring wakes the task in either case: who finds it rung need not ask again.
    pub(crate) fn poll_rung(
        &self,
        cx: &mut Context<'_>,
        changed: &mut Vec<ConnectionHandle>,
    ) -> Poll<()> {
        let mut inner = self.lock();
        if !inner.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            inner.waker = Some(cx.waker().clone());
        }
        if !mem::take(&mut inner.rung) {
            return Poll::Pending;
        }
        mem::swap(&mut inner.changed, changed);
        Poll::Ready(())
    }

    /// Whether the application holds nothing of the endpoint any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.users.load(Ordering::Acquire) == 0
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stands for something of the endpoint that the application holds.
#[derive(Debug)]
pub(crate) struct User(Arc<Bell>);

impl User {
    pub(crate) fn new(bell: Arc<Bell>) -> Self {
        bell.users.fetch_add(1, Ordering::Relaxed);
        Self(bell)
    }

    pub(crate) fn bell(&self) -> &Arc<Bell> {
        &self.0
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if self.0.users.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.ring();
        }
    }
}

#[cfg(test)]
mod tests;
