use std::cell::{Cell, RefCell};
use std::num::NonZeroUsize;

use crate::socket::Arrivals;

use super::*;

/// A socket that answers each send with what the script says, and then takes everything.
#[derive(Default)]
struct Scripted {
    errors: RefCell<Vec<Option<io::Error>>>,
    refuses_trains: Cell<bool>,
    refuses_longer_than: Cell<Option<usize>>,
    /// Length and segment length of what it took.
    taken: RefCell<Vec<(usize, Option<usize>)>>,
}

impl Socket for Scripted {
    fn receive(&self, _: &mut Arrivals) -> io::Result<()> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn send(&self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        let mut errors = self.errors.borrow_mut();
        if !errors.is_empty()
            && let Some(error) = errors.remove(0)
        {
            return Err(error);
        }
        let longest = outgoing.segment_length.unwrap_or(outgoing.contents.len());
        if self.refuses_trains.get() && outgoing.segment_length.is_some()
            || self.refuses_longer_than.get().is_some_and(|limit| longest > limit)
        {
            return Err(io::Error::from_raw_os_error(22));
        }
        self.taken.borrow_mut().push((outgoing.contents.len(), outgoing.segment_length));
        Ok(())
    }

    fn maximum_segments(&self) -> NonZeroUsize {
        NonZeroUsize::new(64).unwrap()
    }
}

/// An outbox with a train of two datagrams of 1,200 bytes and one of 500.
fn loaded() -> Outbox {
    let mut outbox = Outbox::new();
    load(&mut outbox);
    outbox
}

fn load(outbox: &mut Outbox) {
    outbox.departure = Some(Departure {
        destination: ([127, 0, 0, 1], 4433).into(),
        source_ip: None,
        ecn: None,
        start: 0,
        end: 2900,
        segment_length: Some(1200),
        split: false,
        refused_once: false,
    });
}

#[test]
fn a_train_leaves_in_one_call() {
    let socket = Scripted::default();
    let counters = SocketCounters::default();
    assert_eq!(loaded().send(&socket, &counters), Sent::Gone);
    assert_eq!(*socket.taken.borrow(), [(2900, Some(1200))]);
}

#[test]
fn what_the_socket_has_no_room_for_is_kept() {
    let socket = Scripted::default();
    socket.errors.borrow_mut().push(Some(io::ErrorKind::WouldBlock.into()));
    let mut outbox = loaded();
    let counters = SocketCounters::default();
    assert_eq!(outbox.send(&socket, &counters), Sent::Blocked);
    assert!(!outbox.is_empty());
    assert_eq!(outbox.send(&socket, &counters), Sent::Gone);
    assert_eq!(*socket.taken.borrow(), [(2900, Some(1200))]);
}

#[test]
fn a_refused_train_leaves_as_single_datagrams_and_no_train_follows() {
    let socket = Scripted::default();
    socket.refuses_trains.set(true);
    let mut outbox = loaded();
    let counters = SocketCounters::default();
    assert_eq!(outbox.send(&socket, &counters), Sent::Gone);
    assert_eq!(*socket.taken.borrow(), [(1200, None), (1200, None), (500, None)]);
    assert_eq!(outbox.trains, Trains::Never);
    assert_eq!(counters.snapshot().trains_split, 1);
    assert_eq!(counters.snapshot().datagrams_refused, 0);
}

#[test]
fn a_split_train_that_is_blocked_goes_on_where_it_stopped() {
    let socket = Scripted::default();
    socket.refuses_trains.set(true);
    let blocked = || Some(io::ErrorKind::WouldBlock.into());
    *socket.errors.borrow_mut() = vec![None, None, blocked()];
    let mut outbox = loaded();
    let counters = SocketCounters::default();
    assert_eq!(outbox.send(&socket, &counters), Sent::Blocked);
    assert_eq!(outbox.send(&socket, &counters), Sent::Gone);
    assert_eq!(*socket.taken.borrow(), [(1200, None), (1200, None), (500, None)]);
}

#[test]
fn only_a_datagram_that_is_refused_twice_as_too_large_is_told_of() {
    let too_large = || Some(io::Error::from_raw_os_error(EMSGSIZE));
    let socket = Scripted::default();
    let counters = SocketCounters::default();
    let mut outbox = loaded();
    // The train, and the first datagram once: the second time it leaves.
    *socket.errors.borrow_mut() = vec![too_large(), too_large()];
    assert_eq!(outbox.send(&socket, &counters), Sent::Gone);
    assert_eq!(outbox.take_too_large(), None);
    load(&mut outbox);
    *socket.errors.borrow_mut() = vec![too_large(), too_large(), too_large()];
    assert_eq!(outbox.send(&socket, &counters), Sent::Gone);
    assert_eq!((outbox.take_too_large(), outbox.take_too_large()), (Some(1200), None));
}

#[test]
fn a_path_that_is_too_narrow_does_not_end_trains() {
    let socket = Scripted::default();
    socket.refuses_longer_than.set(Some(1000));
    let mut outbox = loaded();
    let counters = SocketCounters::default();
    assert_eq!(outbox.send(&socket, &counters), Sent::Gone);
    assert_eq!(*socket.taken.borrow(), [(500, None)]);
    assert_eq!(outbox.trains, Trains::Whole);
    assert_eq!(counters.snapshot().datagrams_refused, 2);
}

#[test]
fn an_error_that_is_not_about_trains_does_not_end_them() {
    // EPERM, ENOBUFS, ECONNREFUSED on Linux.
    for number in [1, 105, 111] {
        let socket = Scripted::default();
        socket.errors.borrow_mut().push(Some(io::Error::from_raw_os_error(number)));
        let mut outbox = loaded();
        let counters = SocketCounters::default();
        assert_eq!(outbox.send(&socket, &counters), Sent::Gone);
        assert_eq!(*socket.taken.borrow(), [(1200, None), (1200, None), (500, None)]);
        assert_eq!(outbox.trains, Trains::Whole);
    }
}

#[test]
fn news_of_an_earlier_datagram_costs_none() {
    // ECONNREFUSED on Linux, told to the train and to the second of its datagrams.
    let news = || Some(io::Error::from_raw_os_error(111));
    let socket = Scripted::default();
    *socket.errors.borrow_mut() = vec![news(), None, news()];
    let counters = SocketCounters::default();
    assert_eq!(loaded().send(&socket, &counters), Sent::Gone);
    assert_eq!(*socket.taken.borrow(), [(1200, None), (1200, None), (500, None)]);
    assert_eq!(counters.snapshot().datagrams_refused, 0);
}

#[test]
fn a_datagram_that_is_refused_twice_is_lost_and_the_next_one_has_as_many_tries() {
    let refusal = || Some(io::Error::from_raw_os_error(1));
    let socket = Scripted::default();
    *socket.errors.borrow_mut() = vec![refusal(), refusal(), refusal(), refusal()];
    let counters = SocketCounters::default();
    assert_eq!(loaded().send(&socket, &counters), Sent::Gone);
    assert_eq!(*socket.taken.borrow(), [(1200, None), (500, None)]);
    assert_eq!(counters.snapshot().datagrams_refused, 1);
}

#[test]
fn no_error_is_more_than_a_loss() {
    // EPERM, EIO, EBADF, EINVAL, EMSGSIZE, ENETDOWN, ENETUNREACH, ENOBUFS, ECONNREFUSED,
    // EHOSTUNREACH on Linux; any other number does as well.
    for number in [1, 5, 9, 22, 90, 100, 101, 105, 111, 113] {
        for position in 0..4 {
            let socket = Scripted::default();
            let mut errors: Vec<_> = (0..position).map(|_| None).collect();
            errors.push(Some(io::Error::from_raw_os_error(number)));
            *socket.errors.borrow_mut() = errors;
            let mut outbox = loaded();
            let counters = SocketCounters::default();
            for _ in 0..4 {
                assert_eq!(outbox.send(&socket, &counters), Sent::Gone);
                assert!(outbox.is_empty());
                load(&mut outbox);
            }
        }
    }
}
