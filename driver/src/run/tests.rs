use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use quic_core::{ClientConfig, TransportConfig};

use crate::clock::{Clock, TimeSource};
use crate::endpoint::{Endpoint, EndpointOptions};
use crate::punctuality::LoopStatistics;
use crate::running::RunningEndpoint;
use crate::socket::{Arrivals, Outgoing, Socket};

use super::*;

/// What a test sees and decides of a socket and a timer.
#[derive(Default)]
struct Stage {
    /// Datagrams of garbage that can be received.
    garbage: Cell<usize>,
    /// What arrives besides, batch by batch.
    batches: RefCell<VecDeque<Vec<Vec<u8>>>>,
    /// Whether it comes in as large batches as there can be, and nobody tells that it is there.
    unannounced: Cell<bool>,
    /// Whether the socket has no room.
    full: Cell<bool>,
    /// What was sent.
    sent: RefCell<Vec<Vec<u8>>>,
    /// How often the socket had been asked for datagrams before each of them.
    receives_before: RefCell<Vec<usize>>,
    receivable_asked: Cell<usize>,
    /// Receive calls that found nothing.
    in_vain: Cell<usize>,
    sendable_asked: Cell<usize>,
    /// What the timer was set to, each time.
    resets: RefCell<Vec<Instant>>,
    timer_asked: Cell<usize>,
    clock: Arc<Hand>,
    open: Cell<usize>,
}

/// A clock that is moved by hand.
#[derive(Debug, Default)]
struct Hand(AtomicU64);

impl Hand {
    fn advance_to(&self, time: Instant) {
        let nanos = (time - Instant::EPOCH).as_nanos();
        self.0.store(u64::try_from(nanos).unwrap(), Ordering::Relaxed);
    }
}

impl TimeSource for Hand {
    fn now(&self) -> Instant {
        Instant::EPOCH + Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

struct Played(Rc<Stage>, SocketAddr);

impl Played {
    fn new(stage: &Rc<Stage>, port: u16) -> Self {
        stage.open.set(stage.open.get() + 1);
        Self(Rc::clone(stage), ([127, 0, 0, 1], port).into())
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

impl Socket for Played {
    fn receive(&self, arrivals: &mut Arrivals) -> io::Result<()> {
        arrivals.clear();
        if let Some(batch) = self.0.batches.borrow_mut().pop_front() {
            for train in batch {
                arrivals.push(remote(), &train, train.len());
            }
            return Ok(());
        }
        let Some(left) = self.0.garbage.get().checked_sub(1) else {
            self.0.in_vain.set(self.0.in_vain.get() + 1);
            return Err(io::ErrorKind::WouldBlock.into());
        };
        self.0.garbage.set(left);
        arrivals.push(remote(), &[0x5a; 1200], 1200);
        while self.0.unannounced.get() && arrivals.push(remote(), &[0x5a; 1200], 1200) {}
        Ok(())
    }

    fn send(&self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        if self.0.full.get() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.sent.borrow_mut().push(outgoing.contents.to_vec());
        self.0.receives_before.borrow_mut().push(self.0.receivable_asked.get());
        Ok(())
    }

    fn maximum_segments(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }
}

impl AsyncSocket for Played {
    fn poll_receivable(&self, _: &mut Context<'_>) -> Poll<()> {
        self.0.receivable_asked.set(self.0.receivable_asked.get() + 1);
        let told = self.0.garbage.get() > 0 && !self.0.unannounced.get()
            || !self.0.batches.borrow().is_empty();
        if told { Poll::Ready(()) } else { Poll::Pending }
    }

    fn poll_sendable(&self, _: &mut Context<'_>) -> Poll<()> {
        self.0.sendable_asked.set(self.0.sendable_asked.get() + 1);
        if self.0.full.get() { Poll::Pending } else { Poll::Ready(()) }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.1)
    }
}

impl Timer for Rc<Stage> {
    fn reset(&mut self, at: Instant) {
        self.resets.borrow_mut().push(at);
    }

    fn poll_fired(&mut self, _: &mut Context<'_>) -> Poll<()> {
        self.timer_asked.set(self.timer_asked.get() + 1);
        let set = *self.resets.borrow().last().unwrap();
        if set <= self.clock.now() { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Play {
    stage: Rc<Stage>,
    endpoint: RunningEndpoint<Played>,
    run: Run<Played, Rc<Stage>>,
    wakes: Arc<Wakes>,
}

impl Play {
    fn new(seed: u8) -> Self {
        let stage = Rc::new(Stage::default());
        stage.clock.advance_to(Instant::EPOCH + Duration::from_secs(1));
        let options = EndpointOptions::default()
            .with_clock(Clock::of(Arc::clone(&stage.clock) as Arc<dyn TimeSource>))
            .with_seed([seed; 32]);
        let (endpoint, run) =
            RunningEndpoint::new(Played::new(&stage, 4434), Rc::clone(&stage), options).unwrap();
        Self { stage, endpoint, run, wakes: Arc::default() }
    }

    fn poll(&mut self) -> Poll<()> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        Pin::new(&mut self.run).poll(&mut Context::from_waker(&waker))
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }

    /// Polls until the loop waits for something.
    fn settle(&mut self) {
        loop {
            let before = self.wakes();
            assert!(self.poll().is_pending());
            if self.wakes() == before {
                return;
            }
        }
    }

    fn connect(&self) -> crate::Connecting {
        self.endpoint.connect_with(config(), remote(), "localhost").unwrap()
    }

    /// Version and connection IDs of every datagram: what does not depend on the random bytes that
    /// TLS draws for itself.
    fn headers(&self) -> Vec<Vec<u8>> {
        self.stage.sent.borrow().iter().map(|sent| sent[1..20].to_vec()).collect()
    }

    fn datagrams(&self) -> usize {
        self.stage.sent.borrow().len()
    }
}

fn config() -> ClientConfig {
    let roots = quic_core::rustls::RootCertStore::empty();
    let tls = quic_core::crypto::TlsClientConfig::from_roots(roots, &[b"test"]).unwrap();
    ClientConfig::new(Arc::new(tls), TransportConfig::default()).unwrap()
}

fn remote() -> SocketAddr {
    ([127, 0, 0, 1], 4433).into()
}

#[test]
fn a_loop_with_nothing_to_do_asks_the_socket_once_and_waits() {
    let mut play = Play::new(1);
    assert!(play.poll().is_pending());
    assert_eq!(play.stage.receivable_asked.get(), 1);
    assert_eq!(play.stage.sendable_asked.get(), 0);
    assert_eq!(play.stage.timer_asked.get(), 0);
    assert_eq!(play.wakes(), 0);
}

#[test]
fn what_the_application_did_wakes_the_loop_once_and_is_sent() {
    let mut play = Play::new(1);
    play.settle();
    let _connecting = [play.connect(), play.connect()];
    assert_eq!(play.wakes(), 1);
    play.settle();
    assert!(play.datagrams() >= 2);
}

#[test]
fn a_flood_is_taken_in_bounded_portions_with_other_tasks_in_between() {
    let mut play = Play::new(1);
    play.stage.garbage.set(1000);
    assert!(play.poll().is_pending());
    assert_eq!(play.stage.garbage.get(), 1000 - TURNS * BATCHES_RECEIVED);
    assert_eq!(play.wakes(), 1, "it comes back by itself");
}

#[test]
fn many_small_batches_leave_before_more_is_received() {
    let mut play = Play::new(1);
    play.settle();
    let before = play.stage.receivable_asked.get();
    play.stage.garbage.set(1000);
    let _connecting: Vec<_> = (0..100).map(|_| play.connect()).collect();
    assert!(play.poll().is_pending());
    let receives = play.stage.receives_before.borrow();
    assert!(receives.len() >= 100);
    for (place, receives) in receives.iter().enumerate() {
        assert_eq!(*receives, before + place / BATCHES_SENT * BATCHES_RECEIVED, "batch {place}");
    }
}

#[test]
fn who_looks_and_finds_a_full_batch_goes_on_though_nobody_says_that_there_is_more() {
    let mut play = Play::new(1);
    play.stage.unannounced.set(true);
    play.stage.garbage.set(1000);
    let _connecting: Vec<_> = (0..120).map(|_| play.connect()).collect();
    play.settle();
    assert_eq!(play.stage.garbage.get(), 1000 - BATCHES_RECEIVED);
}

#[test]
fn who_stopped_receiving_goes_on_sending() {
    let mut play = Play::new(1);
    let _connecting = play.connect();
    play.endpoint.stop_receiving();
    play.settle();
    assert_eq!((play.stage.receivable_asked.get(), play.endpoint.open_connections()), (0, 1));
    let sent = play.datagrams();
    assert!(sent > 0);
    let probe = *play.stage.resets.borrow().last().unwrap();
    play.stage.clock.advance_to(probe);
    play.settle();
    assert!(play.datagrams() > sent, "nothing is sent again");
}

#[test]
fn who_sends_much_looks_for_what_arrived_though_nobody_says_that_something_did() {
    let mut play = Play::new(1);
    let mut connecting = Vec::new();
    let mut looks = Vec::new();
    for _ in 0..4 {
        connecting.extend((0..60).map(|_| play.connect()));
        play.settle();
        looks.push(play.stage.in_vain.get());
    }
    // Initial packets are sent in datagrams of 1,200 bytes, and 110 of those are 128 KiB.
    assert_eq!(looks, [0, 1, 1, 2]);
}

/// Answers a client's Initial packet with a version that it does not know (RFC 9000 §17.2.1).
fn negotiation(initial: &[u8]) -> Vec<u8> {
    let (destination, rest) = initial[6..].split_at(initial[5].into());
    let source = &rest[1..][..rest[0].into()];
    let mut answer = vec![0x80, 0, 0, 0, 0];
    for id in [source, destination] {
        answer.push(u8::try_from(id.len()).unwrap());
        answer.extend_from_slice(id);
    }
    answer.extend_from_slice(&[0x1a; 4]);
    answer
}

#[test]
fn what_tasks_wait_for_is_handed_on_at_once_if_much_came_with_it_and_together_if_little_did() {
    for (beside, left) in [(0, 0), (MUCH_RECEIVED, 2)] {
        let mut play = Play::new(1);
        let (mut connecting, mut batches) = (Vec::new(), VecDeque::new());
        for _ in 0..3 {
            let sent = play.datagrams();
            connecting.push(play.connect());
            play.settle();
            let answer = negotiation(&play.stage.sent.borrow()[sent]);
            batches.push_back(vec![answer, vec![0x5a; 1 + beside]]);
        }
        play.stage.batches.replace(batches);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(connecting.iter_mut().all(|one| Pin::new(one).poll(&mut cx).is_pending()));
        assert!(play.poll().is_pending());
        assert_eq!(play.stage.batches.borrow().len(), left);
        play.settle();
        assert!(connecting.iter_mut().all(|one| Pin::new(one).poll(&mut cx).is_ready()));
    }
}

#[test]
fn a_socket_without_room_is_waited_for_and_nothing_is_lost() {
    let mut play = Play::new(1);
    play.stage.full.set(true);
    let _connecting = play.connect();
    play.settle();
    assert_eq!((play.datagrams(), play.stage.sendable_asked.get()), (0, 1));
    play.stage.full.set(false);
    play.settle();
    let sent = play.datagrams();
    assert!(sent > 0);
    let mut other = Play::new(1);
    let _connecting = other.connect();
    other.settle();
    assert_eq!(play.headers(), other.headers());
}

#[test]
fn the_timer_is_set_for_the_first_deadline_and_left_alone_while_deadlines_move_away() {
    let mut play = Play::new(1);
    let _connecting = play.connect();
    play.settle();
    let resets = play.stage.resets.borrow().clone();
    assert_eq!(resets.len(), 1);
    // Nothing is due yet, so that nothing happens but the question.
    play.settle();
    assert_eq!(play.stage.resets.borrow().len(), 1);
    let sent = play.datagrams();
    play.stage.clock.advance_to(resets[0]);
    play.settle();
    assert!(play.datagrams() > sent, "a probe is sent");
    let resets = play.stage.resets.borrow().clone();
    assert_eq!(resets.len(), 2);
    assert!(resets[1] > resets[0]);
}

#[test]
fn it_is_told_how_late_a_loop_was() {
    let mut play = Play::new(1);
    let _connecting = play.connect();
    play.settle();
    assert_eq!(play.endpoint.loop_stats(), LoopStatistics::default());
    let mut told = Vec::new();
    for late_by in [LoopStatistics::LATE, Duration::from_millis(7), Duration::ZERO] {
        let due = play.run.pump.poll_timeout().unwrap();
        play.stage.clock.advance_to(due + late_by);
        play.settle();
        let LoopStatistics { timeouts, late_timeouts, latest } = play.endpoint.loop_stats();
        told.push((timeouts, late_timeouts, latest));
    }
    let [one, seven] = [1, 7].map(Duration::from_millis);
    assert_eq!(told, [(1, 0, one), (2, 1, seven), (3, 1, seven)]);
}

#[test]
fn an_earlier_deadline_sets_the_timer_anew() {
    let mut play = Play::new(1);
    let _connecting = play.connect();
    play.settle();
    let probe = *play.stage.resets.borrow().last().unwrap();
    // The socket that is left is looked at before that.
    play.endpoint.rebind(vec![Played::new(&play.stage, 4435)]).unwrap();
    play.settle();
    let tidy = *play.stage.resets.borrow().last().unwrap();
    assert!(tidy < probe);
}

#[test]
fn one_seed_and_one_clock_give_the_same_datagrams_and_another_seed_others() {
    let sent = |seed| {
        let mut play = Play::new(seed);
        let _connecting = play.connect();
        play.settle();
        play.headers()
    };
    assert_eq!(sent(1), sent(1));
    assert_ne!(sent(1), sent(2));
}

#[test]
fn a_socket_that_replaces_another_with_its_address_is_the_only_one_then() {
    let mut play = Play::new(1);
    play.settle();
    play.endpoint.rebind(vec![Played::new(&play.stage, 4434)]).unwrap();
    assert_eq!(play.stage.open.get(), 2);
    play.settle();
    assert_eq!(play.stage.open.get(), 1);
}

#[test]
fn a_socket_that_was_left_is_closed_once_nobody_needs_it() {
    let mut play = Play::new(1);
    play.settle();
    play.endpoint.rebind(vec![Played::new(&play.stage, 4435)]).unwrap();
    play.settle();
    assert_eq!(play.stage.open.get(), 2);
    let later = *play.stage.resets.borrow().last().unwrap();
    play.stage.clock.advance_to(later);
    play.settle();
    assert_eq!(play.stage.open.get(), 1);
    assert_eq!(play.endpoint.local_addr().unwrap().port(), 4435);
}

#[test]
fn the_loop_ends_with_the_last_handle_and_lets_go_of_the_socket() {
    let mut play = Play::new(1);
    play.settle();
    let clone: Endpoint = (*play.endpoint).clone();
    let Play { stage, endpoint, mut run, .. } = play;
    drop(endpoint);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut run).poll(&mut cx).is_pending());
    drop(clone);
    while Pin::new(&mut run).poll(&mut cx).is_pending() {}
    drop(run);
    assert_eq!(stage.open.get(), 0);
}
