//! Every future of the API is dropped at every one of its polls, in a program that uses all of
//! them. Nothing is lost then, and everything comes to its end as if nothing had been.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use driver::{Bytes, Connection, DatagramOutcome, OutgoingDatagram, StoppedError, TransportConfig};
use quic_sim::tasks::{Endpoint, now, spawn};

use crate::support::{Hosts, MILLISECOND, SECOND, Stage, both, pattern};

/// When futures of the API are dropped. Clones count together.
#[derive(Clone)]
struct Cancels(Rc<Counts>);

struct Counts {
    strikes: Strikes,
    /// Polls of all futures so far.
    polls: Cell<usize>,
    /// Futures that were dropped, and what they were.
    struck: RefCell<BTreeMap<&'static str, usize>>,
    /// Whether the task that runs is to be dropped as soon as it waits.
    abandons: Cell<bool>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Strikes {
    Never,
    /// In place of this poll of all.
    Once(usize),
    /// In place of this poll of each that is begun; of those that cannot be begun again, only of
    /// the first of its kind.
    Each(usize),
    /// The whole task is dropped in which this poll of all was.
    Task(usize),
}

impl Cancels {
    fn new(strikes: Strikes) -> Self {
        let (polls, struck, abandons) = (Cell::new(0), RefCell::default(), Cell::new(false));
        Self(Rc::new(Counts { strikes, polls, struck, abandons }))
    }

    /// What the future gives that `begin` makes; `None` if it was dropped before.
    async fn once<T>(&self, name: &'static str, begin: impl AsyncFnOnce() -> T) -> Option<T> {
        if self.0.struck.borrow().contains_key(name) {
            return Some(begin().await);
        }
        self.attempt(name, begin).await
    }

    async fn attempt<T>(&self, name: &'static str, begin: impl AsyncFnOnce() -> T) -> Option<T> {
        let mut future = pin!(begin());
        let mut polls = 0;
        let outcome = poll_fn(|cx| {
            if self.strikes(polls) {
                return Poll::Ready(None);
            }
            polls += 1;
            future.as_mut().poll(cx).map(Some)
        });
        let outcome = outcome.await;
        if outcome.is_none() {
            *self.0.struck.borrow_mut().entry(name).or_default() += 1;
        }
        outcome
    }

    /// What the future gives that `begin` makes, and makes again whenever it was dropped.
    async fn again<T>(&self, name: &'static str, mut begin: impl AsyncFnMut() -> T) -> T {
        if let Some(value) = self.attempt(name, &mut begin).await {
            return value;
        }
        begin().await
    }

    /// Whether this poll is one in place of which the future is dropped.
    fn strikes(&self, polls_of_this: usize) -> bool {
        let number = self.0.polls.get();
        self.0.polls.set(number + 1);
        match self.0.strikes {
            Strikes::Never => false,
            Strikes::Once(at) => at == number,
            Strikes::Each(at) => at == polls_of_this,
            Strikes::Task(at) => {
                self.0.abandons.set(at == number);
                false
            }
        }
    }

    /// Runs a task, which may be dropped at some time.
    async fn task<T>(&self, task: impl Future<Output = T>) -> Option<T> {
        let mut task = pin!(task);
        poll_fn(|cx| {
            let polled = task.as_mut().poll(cx);
            if self.0.abandons.take() {
                return Poll::Ready(None);
            }
            polled.map(Some)
        })
        .await
    }
}

/// What is written on a stream: more than flow control allows at once.
const LENGTH: usize = 60_000;
/// Streams that go one way, more than may be open at once.
const STREAMS: usize = 5;
const DATAGRAMS: usize = 8;

fn limits() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport.max_concurrent_uni_streams = 2;
    transport.stream_receive_window = 16_000;
    transport.max_stream_receive_window = 16_000;
    transport.receive_window = 24_000;
    transport.max_receive_window = 24_000;
    transport.send_window = 20_000;
    transport.datagram_send_count = 2;
    transport
}

/// The server: it sends back what comes on a stream that goes both ways, and takes the others and
/// the datagrams.
async fn serve(endpoint: Endpoint, cancels: Cancels) {
    loop {
        let Some(incoming) = cancels.again("accept", async || endpoint.accept().await).await else {
            break;
        };
        let (cancels, outer) = (cancels.clone(), cancels.clone());
        let task = async move {
            let Ok(mut connecting) = incoming.accept() else { return };
            let data = cancels.again("handshake data", async || connecting.handshake_data().await);
            if data.await.is_err() {
                return;
            }
            // Who gives up a connection does so for good: the client begins another one.
            let Some(Ok(connection)) =
                cancels.once("accepted", async move || connecting.await).await
            else {
                return;
            };
            serve_connection(connection, &cancels).await;
        };
        drop(spawn(async move { outer.task(task).await }));
    }
    cancels.again("server idle", async || endpoint.wait_idle().await).await;
}

async fn serve_connection(connection: Connection, cancels: &Cancels) {
    let echo = async {
        let accepted = cancels.again("accept both ways", async || connection.accept_bi().await);
        let Ok((mut send, mut recv)) = accepted.await else { return };
        let mut memory = [0; 3000];
        while let Ok(Some(count)) =
            cancels.again("read", async || recv.read(&mut memory).await).await
        {
            let mut rest = &memory[..count];
            while !rest.is_empty() {
                let taken = cancels.again("write", async || send.write(rest).await);
                let Ok(taken) = taken.await else { return };
                rest = &rest[taken..];
            }
        }
        send.finish().unwrap();
        // The client may have closed the connection as soon as it had all.
        let stopped = cancels.again("stopped", async || send.stopped().await).await;
        assert!(matches!(stopped, Ok(None) | Err(StoppedError::ConnectionLost(_))));
    };
    let take = async {
        for _ in 0..STREAMS {
            let accepted = cancels.again("accept one way", async || connection.accept_uni().await);
            let Ok(mut recv) = accepted.await else { return };
            let mut received = 0;
            let mut chunks = [const { Bytes::new() }; 3];
            while let Ok(Some(count)) =
                cancels.again("read chunks", async || recv.read_chunks(&mut chunks).await).await
            {
                received += chunks[..count].iter().map(Bytes::len).sum::<usize>();
            }
            // Of a task that was dropped, streams end with what was written.
            let is_dropped = matches!(cancels.0.strikes, Strikes::Task(_));
            assert!(received == LENGTH / 10 || is_dropped, "{received} bytes");
        }
    };
    let datagrams = async {
        for number in 0..DATAGRAMS {
            let read = cancels.again("read datagram", async || connection.read_datagram().await);
            let Ok(data) = read.await else { return };
            assert_eq!(data, [u8::try_from(number).unwrap()].as_slice());
        }
    };
    both(both(echo, take), datagrams).await;
    cancels.again("closed by the client", async || connection.closed().await).await;
}

/// The client: it tries until it got through a connection, and returns whether it did.
async fn visit(endpoint: &Endpoint, server: SocketAddr, cancels: &Cancels) -> bool {
    for _ in 0..3 {
        let connecting = endpoint.connect(server, "server").unwrap();
        let Some(connected) = cancels.once("connecting", async || connecting.await).await else {
            continue;
        };
        let Ok(connection) = connected else { continue };
        if use_connection(&connection, cancels).await.is_some() {
            let shut = async || connection.shutdown(9_u32.into(), b"").await;
            return cancels.again("shutdown", shut).await.is_ok();
        }
    }
    false
}

/// Uses all that a connection has; `None` if the server gave it up.
async fn use_connection(connection: &Connection, cancels: &Cancels) -> Option<()> {
    let ask = async {
        let opened = cancels.again("open both ways", async || connection.open_bi().await);
        let (mut send, mut recv) = opened.await.ok()?;
        let data = Bytes::from(pattern(LENGTH));
        let write = async {
            let mut rest = [data.slice(..20_000), data.slice(20_000..)];
            let all =
                cancels.again("write all chunks", async || send.write_all_chunks(&mut rest).await);
            all.await.ok()?;
            send.finish().ok()
        };
        let read = async {
            let mut all = Vec::new();
            while let Some(chunk) =
                cancels.again("read chunk", async || recv.read_chunk(700).await).await.ok()?
            {
                all.extend_from_slice(&chunk);
            }
            Some(all)
        };
        let (written, all) = both(write, read).await;
        written?;
        assert_eq!(all?, data);
        Some(())
    };
    let give = async {
        for _ in 0..STREAMS {
            let opened = cancels.again("open one way", async || connection.open_uni().await);
            let mut send = opened.await.ok()?;
            let (data, mut written) = (pattern(LENGTH / 10), 0);
            while written < data.len() {
                let write = async || send.write(&data[written..]).await;
                written += cancels.again("write one way", write).await.ok()?;
            }
        }
        Some(())
    };
    let datagrams = async {
        for number in 0..DATAGRAMS {
            let name = u8::try_from(number).unwrap();
            let datagram = OutgoingDatagram::new(Bytes::copy_from_slice(&[name]));
            let datagram = datagram.reported_as(number as u64);
            let send = async || connection.send_datagram_wait(datagram.clone()).await;
            cancels.again("send datagram", send).await.ok()?;
        }
        for number in 0..DATAGRAMS {
            let report = cancels.again("report", async || connection.datagram_report().await);
            let report = report.await.ok()?;
            assert_eq!((report.id, report.outcome), (number as u64, DatagramOutcome::Acknowledged));
        }
        Some(())
    };
    let ((asked, given), sent) = both(both(ask, give), datagrams).await;
    asked.and(given).and(sent)
}

/// What came of a run.
struct Outcome {
    /// Polls of futures of the API.
    polls: usize,
    struck: BTreeMap<&'static str, usize>,
    /// How long it took until the client had all.
    took: Option<Duration>,
    /// How long it took until nothing was left.
    ended: Duration,
}

/// How long it took until the client had all; `None` if it gave up.
async fn program(hosts: Hosts, cancels: Cancels) -> Option<Duration> {
    let (server, client) = (hosts.start_server(), hosts.start_client());
    let address = server.local_addr().unwrap();
    let (task, outer) = (serve(server.clone(), cancels.clone()), cancels.clone());
    let serving = hosts.server.spawn(async move { outer.task(task).await });
    let start = now();
    let visiting = cancels.clone();
    let task = async move {
        let visited = visit(&client, address, &visiting).await;
        let took = now() - start;
        visiting.again("client idle", async || client.wait_idle().await).await;
        visited.then_some(took)
    };
    let outer = cancels.clone();
    let took = hosts.client.spawn(async move { outer.task(task).await }).await.unwrap();
    server.close(0_u32.into(), b"");
    drop(server);
    serving.await.unwrap();
    took.flatten()
}

fn run(seed: u64, shuffled: bool, strikes: Strikes) -> Outcome {
    let mut stage = Stage::with(seed, limits());
    stage.links(|link| link.rate_bytes_per_second = Some(1_000_000));
    if shuffled {
        stage.simulation.shuffle();
    }
    let cancels = Cancels::new(strikes);
    let counted = cancels.clone();
    let start = stage.simulation.now();
    let took = stage.run(async |hosts| program(hosts, cancels).await);
    let ended = stage.simulation.now() - start;
    let Counts { polls, struck, .. } = &*counted.0;
    Outcome { polls: polls.get(), struck: struck.take(), took, ended }
}

/// Kinds of futures, each of which is to be dropped at all of its polls.
const FUTURES: usize = 22;

#[test]
fn a_future_that_is_dropped_at_any_of_its_polls_loses_nothing_and_strands_nobody() {
    let undisturbed = run(1, false, Strikes::Never);
    assert!(undisturbed.struck.is_empty());
    let mut struck = BTreeMap::new();
    for at in 0..undisturbed.polls {
        let outcome = run(1, false, Strikes::Once(at));
        assert_eq!(outcome.struck.values().sum::<usize>(), 1, "at poll {at}");
        let what = *outcome.struck.keys().next().unwrap();
        *struck.entry(what).or_insert(0) += 1;
        // Who is not woken goes on late, if at all: with the next timer.
        let took = outcome.took.expect("it gets through");
        let more = took.saturating_sub(undisturbed.took.unwrap());
        let again = if what == "accepted" || what == "connecting" { 60 } else { 0 };
        assert!(more <= (10 + again) * MILLISECOND, "{what} at poll {at} takes {more:?} more");
    }
    assert_eq!(struck.len(), FUTURES, "{struck:?}");
}

#[test]
fn futures_that_are_all_dropped_once_lose_nothing() {
    for polls in 0..4 {
        for seed in 0..10 {
            let outcome = run(seed, seed > 0, Strikes::Each(polls));
            let took = outcome.took.expect("it gets through");
            assert!(took < 2 * SECOND, "{took:?} with seed {seed}");
        }
    }
}

#[test]
fn a_task_that_is_dropped_at_any_poll_leaves_nothing_and_its_peer_ends_too() {
    let polls = run(1, false, Strikes::Never).polls;
    for at in 0..polls {
        let outcome = run(1, false, Strikes::Task(at));
        // Who finds nobody to accept its connections tries three times.
        assert!(outcome.ended < 60 * SECOND, "{:?} at poll {at}", outcome.ended);
    }
}
