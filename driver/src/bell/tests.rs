use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::*;

#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn many_rings_wake_the_loop_once() {
    let bell = Bell::new(Clock::system());
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&counter));
    let mut cx = Context::from_waker(&waker);
    let mut changed = Vec::new();
    assert!(bell.poll_rung(&mut cx, &mut changed).is_pending());
    bell.ring();
    bell.ring();
    assert_eq!(counter.0.load(Ordering::Relaxed), 1);
    assert_eq!(bell.poll_rung(&mut cx, &mut changed), Poll::Ready(()));
    assert!(bell.poll_rung(&mut cx, &mut changed).is_pending());
    bell.ring();
    assert_eq!(counter.0.load(Ordering::Relaxed), 2);
}

#[test]
fn a_ring_before_the_loop_waits_is_not_lost() {
    let bell = Bell::new(Clock::system());
    bell.ring();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(bell.poll_rung(&mut cx, &mut Vec::new()).is_ready());
}

#[test]
fn the_last_user_to_go_rings() {
    let bell = Arc::new(Bell::new(Clock::system()));
    let (first, second) = (User::new(Arc::clone(&bell)), User::new(Arc::clone(&bell)));
    let mut cx = Context::from_waker(Waker::noop());
    drop(first);
    assert!(bell.poll_rung(&mut cx, &mut Vec::new()).is_pending());
    assert!(!bell.is_abandoned());
    drop(second);
    assert!(bell.is_abandoned());
    assert!(bell.poll_rung(&mut cx, &mut Vec::new()).is_ready());
}

#[test]
fn a_loop_that_found_the_bell_rung_is_woken_by_the_next_ring() {
    let bell = Bell::new(Clock::system());
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&counter));
    let mut cx = Context::from_waker(&waker);
    bell.ring();
    assert!(bell.poll_rung(&mut cx, &mut Vec::new()).is_ready());
    bell.ring();
    assert_eq!(counter.0.load(Ordering::Relaxed), 1);
}
