//! Time for tasks.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{error, fmt};

use quic_core::Instant;

use super::context;
use super::surroundings::Surroundings;
use super::timers::TimerKey;
use crate::network::HostId;

/// What the clock of the host shows that the calling task runs on; the time of the network for the
/// future that is [waited for](super::Simulation::block_on).
///
/// # Panics
/// Outside of tasks of a simulation.
#[track_caller]
pub fn now() -> Instant {
    let current = context::Context::current();
    current.surroundings.now(current.host)
}

/// Waits for some time to pass, on the clock that [`now`] reads.
///
/// # Panics
/// Outside of tasks of a simulation.
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    let current = context::Context::current();
    Sleep::new(current.surroundings, current.host, duration)
}

/// Waits for `future`, but for no longer than `duration`; then, drops it.
///
/// # Errors
/// [`Elapsed`] if it did not come to its end in time.
///
/// # Panics
/// Outside of tasks of a simulation.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    let (mut future, mut sleep) = (pin!(future), sleep(duration));
    poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        Pin::new(&mut sleep).poll(cx).map(|()| Err(Elapsed))
    })
    .await
}

/// Lets all others run that can.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A [`timeout`] has passed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time has passed")
    }
}

impl error::Error for Elapsed {}

/// A future that is ready after some time.
#[derive(Debug)]
#[must_use = "time passes only for those who wait"]
pub struct Sleep {
    surroundings: Arc<Surroundings>,
    key: TimerKey,
}

impl Sleep {
    pub(super) fn new(
        surroundings: Arc<Surroundings>,
        host: Option<HostId>,
        duration: Duration,
    ) -> Self {
        let deadline = surroundings.now(host) + duration;
        let key = surroundings.set_timer(host, deadline);
        Self { surroundings, key }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.surroundings.poll_timer(self.key, cx)
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.surroundings.cancel_timer(self.key);
    }
}
