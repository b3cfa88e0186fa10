//! A timer of the system.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A file descriptor that can be read from once a time has come (`timerfd_create(2)`).
#[derive(Debug)]
pub(super) struct SystemTimer(AsyncFd<Descriptor>);

#[derive(Debug)]
struct Descriptor(TimerFd);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// The least that can be waited for: no time at all would mean never.
const LEAST: Duration = Duration::from_nanos(1);

impl SystemTimer {
    /// A timer of the runtime that this is called in.
    #[expect(
        deprecated,
        reason = "it trusts its argument to tell a descriptor that is open and its own, as this one \
                  does; what replaces it cannot be called here"
    )]
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        AsyncFd::with_interest(Descriptor(timer), Interest::READABLE).map(Self)
    }

    /// Fires at this time alone.
    pub(super) fn set(&self, at: Instant) {
        let wait = at.saturating_duration_since(Instant::now()).max(LEAST);
        let expiration = Expiration::OneShot(TimeSpec::from_duration(wait));
        // It fails for descriptors of something else and times that are none alone.
        let _: nix::Result<()> = self.0.get_ref().0.set(expiration, TimerSetTimeFlags::empty());
    }

    /// Ready once the time has come; then not again until it is [`set`](Self::set).
    pub(super) fn poll_fired(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // An error means that the runtime is about to end, and the loop with it.
            let Ok(mut guard) = ready!(self.0.poll_read_ready(cx)) else { return Poll::Pending };
            let fired = self.0.get_ref().0.wait();
            guard.clear_ready();
            // It was ready for what it was set to before.
            if fired != Err(Errno::EAGAIN) {
                return Poll::Ready(());
            }
        }
    }
}
