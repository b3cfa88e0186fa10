//! Waiting for a task's end.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::{error, fmt, mem};

/// A task that was spawned: a future of what it returns. Dropped, the task goes on.
#[derive(Debug)]
pub struct JoinHandle<T>(Arc<Mutex<Join<T>>>);

/// The task was [aborted](JoinHandle::abort), or its host crashed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was aborted")
    }
}

impl error::Error for Aborted {}

#[derive(Debug)]
struct Join<T> {
    state: State<T>,
    /// Whether the task is to end when it runs next.
    aborts: bool,
    /// Who waits for the end.
    joiner: Option<Waker>,
    /// What lets the task run.
    task: Option<Waker>,
}

#[derive(Debug)]
enum State<T> {
    Runs,
    Done(T),
    /// What it returned was taken.
    Taken,
    Aborted,
}

impl<T> JoinHandle<T> {
    /// Drops the task's future, as soon as it would run the next time, which is at once unless its
    /// host is suspended. No effect if it came to its end.
    pub fn abort(&self) {
        let mut join = lock(&self.0);
        join.aborts = true;
        let task = join.task.take();
        drop(join);
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Whether the task came to its end, or was aborted.
    pub fn is_finished(&self) -> bool {
        !matches!(lock(&self.0).state, State::Runs)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, Aborted>;

    /// # Panics
    /// If it is polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut join = lock(&self.0);
        match mem::replace(&mut join.state, State::Taken) {
            State::Done(value) => Poll::Ready(Ok(value)),
            State::Aborted => {
                join.state = State::Aborted;
                Poll::Ready(Err(Aborted))
            }
            State::Taken => panic!("what the task returned was taken before"),
            State::Runs => {
                join.state = State::Runs;
                join.joiner = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The task's side. When it is dropped, the task is over.
struct Running<T>(Arc<Mutex<Join<T>>>);

impl<T> Running<T> {
    fn end(&self, state: State<T>) {
        let mut join = lock(&self.0);
        if matches!(join.state, State::Runs) {
            join.state = state;
        }
        join.task = None;
        let joiner = join.joiner.take();
        drop(join);
        if let Some(joiner) = joiner {
            joiner.wake();
        }
    }

    /// Whether the task is to end, now that it runs.
    fn aborts(&self, cx: &Context<'_>) -> bool {
        let mut join = lock(&self.0);
        join.task = Some(cx.waker().clone());
        join.aborts
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.end(State::Aborted);
    }
}

/// The future for a task, and the handle of it.
pub(super) fn joined<F: Future>(future: F) -> (impl Future<Output = ()>, JoinHandle<F::Output>) {
    let join = Join { state: State::Runs, aborts: false, joiner: None, task: None };
    let join = Arc::new(Mutex::new(join));
    let running = Running(Arc::clone(&join));
    let task = async move {
        let mut future = pin!(future);
        let poll = poll_fn(|cx| {
            if running.aborts(cx) {
                return Poll::Ready(None);
            }
            future.as_mut().poll(cx).map(Some)
        });
        if let Some(value) = poll.await {
            running.end(State::Done(value));
        }
    };
    (task, JoinHandle(join))
}

fn lock<T>(join: &Mutex<Join<T>>) -> MutexGuard<'_, Join<T>> {
    join.lock().unwrap_or_else(PoisonError::into_inner)
}
