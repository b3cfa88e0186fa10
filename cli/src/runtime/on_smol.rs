//! smol, with an executor of the command's own: that of `smol::spawn` would run the endpoint on
//! another thread than the command, however few threads are asked for.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{self, Future};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use async_signal::{Signal, Signals};
use atomic_waker::AtomicWaker;
use smol::channel;
use smol::stream::StreamExt as _;

/// What runs the tasks of a command.
pub(super) type Executor = Arc<smol::Executor<'static>>;

thread_local! {
    /// The executor that this thread works for.
    static HERE: RefCell<Option<Executor>> = const { RefCell::new(None) };
}

/// The executor that this is called in; `None` outside of any.
pub(super) fn here() -> Option<Executor> {
    HERE.with_borrow(Clone::clone)
}

/// Makes this thread one that works for an executor, until it is dropped.
struct Entered(Option<Executor>);

impl Entered {
    fn new(executor: &Executor) -> Self {
        Self(HERE.replace(Some(Arc::clone(executor))))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        HERE.set(self.0.take());
    }
}

pub(super) fn block_on<F: Future>(threads: usize, future: F) -> io::Result<F::Output> {
    let executor = Executor::default();
    thread::scope(|scope| {
        // The other threads work until this one drops the sender.
        let (_working, stopped) = channel::bounded::<Infallible>(1);
        for number in 1..threads {
            let (executor, stopped) = (Arc::clone(&executor), stopped.clone());
            let name = format!("smol-{number}");
            thread::Builder::new().name(name).spawn_scoped(scope, move || {
                // Nothing is ever sent.
                let _: Result<Infallible, channel::RecvError> = run(&executor, stopped.recv());
            })?;
        }
        Ok(run(&executor, future))
    })
}

/// Runs a command on this thread, and the tasks of the executor until it is done.
///
/// The command takes its turn among its tasks when it was woken, and only then. `Executor::run` looks
/// at it with whatever happens, and only after the events of all sockets: what it spawns, as requests
/// in 0-RTT, would come after the answer to what went before.
fn run<F: Future>(executor: &Executor, command: F) -> F::Output {
    let _entered = Entered::new(executor);
    let woken = Arc::new(Woken { itself: AtomicBool::new(true), thread: AtomicWaker::new() });
    let waker = Waker::from(Arc::clone(&woken));
    let mut command = pin!(command);
    let mut task = pin!(executor.tick());
    smol::block_on(future::poll_fn(|cx| {
        woken.thread.register(cx.waker());
        for _ in 0..TASKS {
            if woken.itself.swap(false, Ordering::AcqRel) {
                let output = command.as_mut().poll(&mut Context::from_waker(&waker));
                if output.is_ready() {
                    return output;
                }
            }
            if task.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            task.set(executor.tick());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }))
}

/// Tasks that run before sockets are looked at.
const TASKS: usize = 200;

/// Remembers who was woken.
struct Woken {
    itself: AtomicBool,
    /// What runs it, beside others.
    thread: AtomicWaker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.itself.store(true, Ordering::Release);
        self.thread.wake();
    }
}

#[cfg(unix)]
const STOP_SIGNALS: [Signal; 2] = [Signal::Int, Signal::Term];
#[cfg(windows)]
const STOP_SIGNALS: [Signal; 1] = [Signal::Int];

pub(super) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut signals = Signals::new(STOP_SIGNALS)?;
    Ok(async move {
        // Whatever it was, it is one of them.
        let _: Option<io::Result<Signal>> = signals.next().await;
    })
}
