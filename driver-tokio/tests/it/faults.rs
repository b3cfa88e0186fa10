//! Two endpoints whose sockets fail in every way that a system knows.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use driver_tokio::{Arrivals, Arrived, EndpointOptions, Outgoing, Progress, Pump, Socket};

use crate::support::{configs, pattern};

/// Datagrams that wait, and where each is from.
type Inbox = Rc<RefCell<VecDeque<(SocketAddr, Vec<u8>)>>>;

/// One end of a network in memory. Some of the calls to send or receive fail.
struct Faulty {
    own: SocketAddr,
    inbox: Inbox,
    peer: Inbox,
    errno: i32,
    /// Whether the call with this number fails.
    strikes: fn(usize) -> bool,
    calls: Cell<usize>,
    failed: Cell<usize>,
}

impl Faulty {
    fn fails(&self) -> io::Result<()> {
        let call = self.calls.get();
        self.calls.set(call + 1);
        if !(self.strikes)(call) {
            return Ok(());
        }
        self.failed.set(self.failed.get() + 1);
        Err(io::Error::from_raw_os_error(self.errno))
    }
}

impl Socket for Faulty {
    fn receive(&self, arrivals: &mut Arrivals) -> io::Result<()> {
        let mut inbox = self.inbox.borrow_mut();
        let Some((from, payload)) = inbox.front() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        self.fails()?;
        arrivals.clear();
        assert!(arrivals.push(*from, payload, 0));
        inbox.pop_front();
        Ok(())
    }

    fn send(&self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        self.fails()?;
        let length = outgoing.segment_length.unwrap_or(outgoing.contents.len()).max(1);
        for datagram in outgoing.contents.chunks(length) {
            self.peer.borrow_mut().push_back((self.own, datagram.to_vec()));
        }
        Ok(())
    }

    fn maximum_segments(&self) -> NonZeroUsize {
        NonZeroUsize::new(10).unwrap()
    }
}

/// Runs both ends in simulated time until `future` is done.
fn run<T>(ends: &mut [(Pump, Faulty); 2], future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    let mut skipped = Duration::ZERO;
    for _ in 0..100_000 {
        if let Poll::Ready(result) = future.as_mut().poll(&mut cx) {
            return result;
        }
        let mut idle = true;
        for (pump, socket) in &mut *ends {
            let id = pump.first_socket().unwrap();
            let now = pump.now() + skipped;
            assert_ne!(pump.poll_changed(&mut cx), Poll::Ready(false), "the endpoint ended");
            if pump.poll_timeout().is_some_and(|timeout| timeout <= now) {
                pump.handle_timeout(now);
                idle = false;
            }
            idle &= pump.send(now, id, socket) == Progress::Flushed;
            idle &= pump.receive(now, id, socket) == Arrived::Nothing;
        }
        if idle {
            let wait = ends.iter().filter_map(|(pump, _)| {
                Some(pump.poll_timeout()?.saturating_duration_since(pump.now() + skipped))
            });
            skipped += wait.min().unwrap_or_default();
        }
    }
    panic!("no end of it");
}

fn survives(errno: i32, strikes: fn(usize) -> bool) {
    let (server, client) = configs();
    let server_address = SocketAddr::from(([127, 0, 0, 1], 4433));
    let client_address = SocketAddr::from(([127, 0, 0, 1], 4434));
    let (to_server, to_client) = (Inbox::default(), Inbox::default());
    let new = driver::Endpoint::new;
    let options = EndpointOptions::default();
    let (endpoint, client_pump) = new(client_address, options).unwrap();
    let options = EndpointOptions::default().with_server(Some(server));
    let (server, server_pump) = new(server_address, options).unwrap();
    let socket = |own, inbox: &Inbox, peer: &Inbox| Faulty {
        own,
        inbox: Rc::clone(inbox),
        peer: Rc::clone(peer),
        errno,
        strikes,
        calls: Cell::new(0),
        failed: Cell::new(0),
    };
    let server_socket = socket(server_address, &to_server, &to_client);
    let client_socket = socket(client_address, &to_client, &to_server);
    let mut ends = [(server_pump, server_socket), (client_pump, client_socket)];
    let data = pattern(100_000);
    let received = run(&mut ends, async {
        let connecting = endpoint.connect_with(client, server_address, "localhost").unwrap();
        let serve = async {
            let connection = server.accept().await.unwrap().await.unwrap();
            let mut recv = connection.accept_uni().await.unwrap();
            recv.read_to_end(1 << 20).await.unwrap()
        };
        let ask = async {
            let connection = connecting.await.unwrap();
            let mut send = connection.open_uni().await.unwrap();
            send.write_all(&data).await.unwrap();
            send.finish().unwrap();
            connection.closed().await
        };
        let (mut serve, mut ask) = (Box::pin(serve), Box::pin(ask));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(error) = ask.as_mut().poll(cx) {
                panic!("errno {errno}: the connection ended: {error}");
            }
            serve.as_mut().poll(cx)
        })
        .await
    });
    assert!(received == data);
    assert!(ends.iter().all(|(_, socket)| socket.failed.get() > 0));
}

/// EPERM, EINTR, EIO, EBADF, ENOMEM, EACCES, EINVAL, EPIPE, EMSGSIZE, ENOPROTOOPT, ENETDOWN,
/// ENETUNREACH, ENOBUFS, ETIMEDOUT, ECONNREFUSED, EHOSTDOWN, EHOSTUNREACH on Linux; whatever they
/// mean elsewhere is survived as well.
const ERRORS: [i32; 17] = [1, 4, 5, 9, 12, 13, 22, 32, 90, 92, 100, 101, 105, 110, 111, 112, 113];

fn all_survived(strikes: fn(usize) -> bool) {
    for errno in ERRORS {
        survives(errno, strikes);
    }
}

#[test]
fn no_error_of_a_socket_ends_an_endpoint_or_a_connection() {
    // A quarter of the calls, without a period.
    all_survived(|call| (call.wrapping_mul(0x9e37_79b9) >> 16).is_multiple_of(4));
}

/// A peer that receives two datagrams and then acknowledges them, over and over, is what makes a
/// period matter: without a second try, the call that fails can be the one that acknowledges, always.
#[test]
fn errors_that_keep_time_with_the_protocol_are_survived() {
    all_survived(|call| call.is_multiple_of(2));
    all_survived(|call| !call.is_multiple_of(2));
    all_survived(|call| call.is_multiple_of(3));
    all_survived(|call| call % 3 == 1);
    all_survived(|call| call % 3 == 2);
    all_survived(|call| call.is_multiple_of(4));
    all_survived(|call| call % 4 == 1);
    all_survived(|call| call % 4 == 2);
    all_survived(|call| call % 4 == 3);
}

#[test]
fn errors_in_bursts_are_survived() {
    all_survived(|call| call % 20 >= 15);
    all_survived(|call| call % 19 < 5);
    all_survived(|call| call % 11 >= 6);
}
