use std::cell::{Cell, RefCell};
use std::future::Future as _;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::pin;

use quic_core::{Keyring, ShardId};

use crate::socket::Outgoing;
use crate::{Endpoint, EndpointOptions, Letter};

use super::*;

/// A socket that first fails as scripted, then has a number of datagrams of garbage.
#[derive(Default)]
struct Scripted {
    errors: RefCell<Vec<io::Error>>,
    garbage: Cell<usize>,
    calls: Cell<usize>,
}

impl Socket for Scripted {
    fn receive(&self, arrivals: &mut Arrivals) -> io::Result<()> {
        self.calls.set(self.calls.get() + 1);
        if let Some(error) = self.errors.borrow_mut().pop() {
            return Err(error);
        }
        if self.garbage.get() == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        arrivals.clear();
        while self.garbage.get() > 0 && arrivals.push(remote(), &[0x5a; 2400], 1200) {
            self.garbage.set(self.garbage.get() - 1);
        }
        Ok(())
    }

    fn send(&self, _: &Outgoing<'_>) -> io::Result<()> {
        Ok(())
    }

    fn maximum_segments(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }
}

fn remote() -> SocketAddr {
    ([127, 0, 0, 1], 4433).into()
}

fn first(pump: &Pump) -> SocketId {
    pump.first_socket().unwrap()
}

fn endpoint() -> (Endpoint, Pump) {
    let local = ([127, 0, 0, 1], 4434).into();
    Endpoint::new(local, EndpointOptions::default()).unwrap()
}

#[test]
fn garbage_is_taken_in_bounded_batches() {
    let (_endpoint, mut pump) = endpoint();
    let socket = Scripted::default();
    socket.garbage.set(5);
    assert_eq!(pump.receive(pump.now(), first(&pump), &socket), Arrived::Something);
    assert_eq!(socket.garbage.get(), 1);
    assert_eq!(pump.receive(pump.now(), first(&pump), &socket), Arrived::Something);
    assert_eq!(pump.receive(pump.now(), first(&pump), &socket), Arrived::Nothing);
}

/// Every error that Linux knows of UDP sockets (ip(7), udp(7), recvmsg(2), and what ICMP messages
/// become): EPERM, EINTR, EIO, EBADF, ENOMEM, EACCES, EFAULT, EINVAL, EPIPE, ENONET, EPROTO,
/// ENOTSOCK, EMSGSIZE, ENOPROTOOPT, EOPNOTSUPP, EADDRNOTAVAIL, ENETDOWN, ENETUNREACH, ENOBUFS,
/// ENOTCONN, ECONNREFUSED, EHOSTDOWN, EHOSTUNREACH.
const ERRORS: [i32; 23] =
    [1, 4, 5, 9, 12, 13, 14, 22, 32, 64, 71, 88, 90, 92, 95, 99, 100, 101, 105, 107, 111, 112, 113];

#[test]
fn an_error_is_counted_and_receiving_goes_on_at_once() {
    for errno in ERRORS {
        let (endpoint, mut pump) = endpoint();
        let socket = Scripted::default();
        socket.errors.borrow_mut().push(io::Error::from_raw_os_error(errno));
        socket.garbage.set(1);
        assert_eq!(pump.receive(pump.now(), first(&pump), &socket), Arrived::Something);
        assert!(pump.is_receiving(first(&pump)), "errno {errno}");
        assert_eq!(pump.receive(pump.now(), first(&pump), &socket), Arrived::Something);
        assert_eq!(socket.garbage.get(), 0, "errno {errno}");
        assert_eq!(endpoint.socket_stats().receive_errors, 1);
    }
}

#[test]
fn a_socket_that_goes_on_failing_is_left_alone_for_a_moment_and_then_tried_again() {
    for errno in ERRORS {
        let (_endpoint, mut pump) = endpoint();
        let socket = Scripted::default();
        let errors = (0..MAX_FAILURES).map(|_| io::Error::from_raw_os_error(errno));
        socket.errors.borrow_mut().extend(errors);
        socket.garbage.set(1);
        let now = Instant::EPOCH + Duration::from_secs(1);
        for _ in 1..MAX_FAILURES {
            assert_eq!(pump.receive(now, first(&pump), &socket), Arrived::Something);
        }
        assert_eq!(pump.receive(now, first(&pump), &socket), Arrived::Nothing);
        assert!(!pump.is_receiving(first(&pump)));
        let calls = socket.calls.get();
        assert_eq!(pump.receive(now, first(&pump), &socket), Arrived::Nothing);
        assert_eq!(socket.calls.get(), calls);
        assert_eq!(pump.poll_timeout(), Some(now + PAUSE));
        pump.handle_timeout(now + PAUSE);
        assert!(pump.is_receiving(first(&pump)));
        assert_eq!(pump.receive(now + PAUSE, first(&pump), &socket), Arrived::Something);
    }
}

#[test]
fn errors_with_something_received_in_between_do_not_add_up() {
    let (_endpoint, mut pump) = endpoint();
    let socket = Scripted::default();
    for _ in 0..MAX_FAILURES {
        socket.errors.borrow_mut().push(io::Error::from_raw_os_error(13));
        socket.garbage.set(1);
        assert_eq!(pump.receive(pump.now(), first(&pump), &socket), Arrived::Something);
        assert_eq!(pump.receive(pump.now(), first(&pump), &socket), Arrived::Something);
        socket.errors.borrow_mut().push(io::Error::from_raw_os_error(13));
        assert_eq!(pump.receive(pump.now(), first(&pump), &socket), Arrived::Something);
        assert_eq!(pump.receive(pump.now(), first(&pump), &socket), Arrived::Nothing);
        assert!(pump.is_receiving(first(&pump)));
    }
}

#[test]
fn who_stopped_receiving_leaves_what_comes_to_others() {
    let (endpoint, mut pump) = endpoint();
    assert!(pump.is_receiving(first(&pump)));
    endpoint.stop_receiving();
    assert_eq!(pump.poll_changed(&mut Context::from_waker(Waker::noop())), Poll::Ready(true));
    assert!(!pump.is_receiving(first(&pump)));
}

/// Whether the core knows the socket.
fn is_known(pump: &Pump, socket: SocketId) -> bool {
    pump.shard.lock().multiplexer.manager(socket).is_some()
}

#[test]
fn the_core_forgets_sockets_that_are_removed_and_those_that_nobody_uses() {
    let (endpoint, mut pump) = endpoint();
    let (before, removed) = (first(&pump), ([127, 0, 0, 1], 4436).into());
    let added = endpoint.add_socket_at(removed).unwrap();
    pump.add_socket(pump.now(), added);
    assert!(is_known(&pump, added) && pump.uses_socket(added));
    endpoint.remove_socket(removed).unwrap();
    assert!(!is_known(&pump, added), "the core goes on with it");
    let rebound = endpoint.rebind_to(([127, 0, 0, 1], 4435).into()).unwrap();
    pump.add_socket(pump.now(), rebound);
    assert!(is_known(&pump, before));
    pump.handle_timeout(pump.now() + TIDY_INTERVAL);
    assert!(!is_known(&pump, before), "the core goes on with it");
    assert!(is_known(&pump, rebound) && pump.uses_socket(rebound));
    assert!(!pump.uses_socket(before) && !pump.uses_socket(added));
}

/// A packet of a connection that nobody knows, which arrived at a socket with this address.
fn letter(local: SocketAddr) -> Letter {
    Letter {
        shard: ShardId(0),
        local,
        local_ip: None,
        remote: remote(),
        ecn: None,
        payload: [&[0x40][..], &[0; 99]].concat(),
        segment_length: None,
    }
}

#[test]
fn letters_are_answered_from_the_socket_that_they_arrived_on() {
    for is_second in [false, true] {
        let mut options = EndpointOptions::default();
        options.config.keyring = Some(Keyring::new([8; 32]));
        let (endpoint, mut pump) = Endpoint::new(([127, 0, 0, 1], 4434).into(), options).unwrap();
        let second = endpoint.add_socket_at(([127, 0, 0, 1], 4436).into()).unwrap();
        pump.add_socket(pump.now(), second);
        let local = endpoint.local_addrs()[usize::from(is_second)];
        assert_eq!(endpoint.deliver(letter(local)), HandedOver::Taken);
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(pump.poll_changed(&mut cx), Poll::Ready(true));
        let socket = Scripted::default();
        // A stateless reset.
        let answers = [first(&pump), second].map(|id| pump.send(pump.now(), id, &socket));
        let mut expected = [Progress::More, Progress::Flushed];
        expected.rotate_right(usize::from(is_second));
        assert_eq!(answers, expected);
    }
}

#[test]
fn letters_for_a_loop_that_has_ended_come_back() {
    let (endpoint, pump) = endpoint();
    let letter = letter(endpoint.local_addr().unwrap());
    assert_eq!(endpoint.deliver(letter.clone()), HandedOver::Taken);
    drop(pump);
    assert_eq!(endpoint.deliver(letter.clone()), HandedOver::Unclaimed(letter));
}

#[test]
fn the_loop_ends_when_the_last_handle_is_gone_and_all_is_sent() {
    let (endpoint, mut pump) = endpoint();
    let mut cx = Context::from_waker(Waker::noop());
    let socket = Scripted::default();
    let clone = endpoint.clone();
    drop(endpoint);
    while pump.poll_changed(&mut cx) == Poll::Ready(true) {
        assert_eq!(pump.send(pump.now(), first(&pump), &socket), Progress::Flushed);
    }
    assert_eq!(pump.poll_changed(&mut cx), Poll::Pending);
    drop(clone);
    assert_eq!(pump.poll_changed(&mut cx), Poll::Ready(true));
    assert_eq!(pump.send(pump.now(), first(&pump), &socket), Progress::Flushed);
    assert_eq!(pump.poll_changed(&mut cx), Poll::Ready(false));
}

#[test]
fn an_endpoint_that_does_not_listen_accepts_nothing_and_is_idle() {
    let (endpoint, pump) = endpoint();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(pin!(endpoint.accept()).poll(&mut cx), Poll::Ready(None)));
    assert!(pin!(endpoint.wait_idle()).poll(&mut cx).is_ready());
    drop(pump);
    let refused = endpoint.connect(remote(), "localhost").unwrap_err();
    assert_eq!(refused, crate::ConnectError::NoClientConfig);
}
