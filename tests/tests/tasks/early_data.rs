//! 0-RTT: whoever waits for a stream of it is told what became of it, whatever that is.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use driver::{
    Connecting, Connection, EarlyData, EarlyDataOutcome, Keyring, ReadToEndError, ServerConfig,
    StoppedError, TransportConfig, WriteError,
};
use quic_sim::null_tls::NullTls;
use quic_sim::seeds::seeds;
use quic_sim::tasks::{JoinHandle, sleep, spawn};

use crate::support::{Hosts, Pair, SECOND, Stage, ask, both, echo_server, pattern};

/// What the server and the client make of 0-RTT.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Taken,
    SentAgain,
    Discarded,
    /// The server does not take it, and the client drops the future in place of this poll.
    GivenUp(usize),
}

fn tls(early_data: bool) -> NullTls {
    NullTls { ticket_length: 100, early_data, ..NullTls::default() }
}

fn server_config(tls: NullTls) -> ServerConfig {
    let keyring = Keyring::new([0x3c; 32]);
    ServerConfig::new(Arc::new(tls), TransportConfig::default(), keyring).unwrap()
}

/// A pair whose client has a session.
async fn visited(hosts: &Hosts) -> Pair {
    let pair = hosts.start();
    let (client, server) = pair.connect().await;
    sleep(SECOND).await;
    drop((client, server));
    sleep(SECOND).await;
    pair
}

/// What is written on a stream, twice as much as is taken before anything is acknowledged.
const LENGTH: usize = 100_000;

/// What tasks come to that use streams of 0-RTT, and wait for them before anything is known.
struct Users {
    asked: JoinHandle<(Result<(), WriteError>, Result<Vec<u8>, ReadToEndError>)>,
    stopped: [JoinHandle<Result<Option<driver::VarInt>, StoppedError>>; 2],
}

impl Users {
    async fn start(hosts: &Hosts, connection: &Connection) -> Self {
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        let asked = hosts.client.spawn(async move {
            let write = async {
                let written = send.write_all(&pattern(LENGTH)).await;
                send.finish().unwrap();
                written
            };
            both(write, recv.read_to_end(usize::MAX)).await
        });
        let mut small = connection.open_uni().await.unwrap();
        small.write_all(b"small").await.unwrap();
        small.finish().unwrap();
        let small = Arc::new(small);
        let stopped = || {
            let small = Arc::clone(&small);
            hosts.client.spawn(async move { small.stopped().await })
        };
        Self { asked, stopped: [stopped(), stopped()] }
    }

    /// Everybody hears of it.
    async fn check(self, fate: Fate) {
        let passes = matches!(fate, Fate::Taken | Fate::SentAgain);
        for stopped in self.stopped {
            let expected = if passes { Ok(None) } else { Err(StoppedError::EarlyDataRejected) };
            assert_eq!(stopped.await.unwrap(), expected, "{fate:?}");
        }
        let (written, read) = self.asked.await.unwrap();
        if passes {
            assert_eq!(written, Ok(()));
            assert!(read.unwrap() == pattern(LENGTH), "{fate:?}");
            return;
        }
        assert_eq!(written, Err(WriteError::EarlyDataRejected), "{fate:?}");
        let rejected = ReadToEndError::Read(driver::ReadError::EarlyDataRejected);
        assert_eq!(read, Err(rejected), "{fate:?}");
    }
}

async fn decide(early: EarlyData, fate: Fate) {
    let mut polls = 0;
    let mut early = pin!(early);
    let outcome = poll_fn(|cx| {
        if fate == Fate::GivenUp(polls) {
            return Poll::Ready(None);
        }
        polls += 1;
        early.as_mut().poll(cx).map(Some)
    });
    match outcome.await {
        None => {}
        Some(Ok(EarlyDataOutcome::Accepted)) => assert_eq!(fate, Fate::Taken),
        Some(Ok(EarlyDataOutcome::Rejected(rejected))) if fate == Fate::SentAgain => {
            rejected.resend();
        }
        Some(Ok(EarlyDataOutcome::Rejected(rejected))) => rejected.discard(),
        Some(Err(error)) => panic!("{error}"),
    }
}

async fn program(hosts: Hosts, fate: Fate) {
    let pair = visited(&hosts).await;
    if fate != Fate::Taken {
        pair.server.set_server_config(Some(server_config(tls(false))));
    }
    let serve = hosts.server.spawn(echo_server(pair.server.clone()));
    let connecting: Connecting = pair.connecting();
    let (connection, early) = connecting.into_0rtt().expect("there is a session");
    let users = Users::start(&hosts, &connection).await;
    hosts.client.spawn(async move { spawn(decide(early, fate)).await.unwrap() }).await.unwrap();
    users.check(fate).await;
    // The connection goes on in any case.
    assert_eq!(ask(&connection, b"hello").await, b"hello");
    drop(connection);
    pair.close().await;
    serve.await.unwrap();
}

#[test]
fn whoever_waits_for_a_stream_of_early_data_is_told_what_became_of_it() {
    let fates = [Fate::Taken, Fate::SentAgain, Fate::Discarded, Fate::GivenUp(0), Fate::GivenUp(1)];
    for fate in fates {
        for seed in seeds(10) {
            let mut stage = Stage::new(seed);
            stage.simulation.shuffle();
            stage.links(|link| link.rate_bytes_per_second = Some(10_000_000));
            let client = Arc::new(tls(true));
            let mut transport = TransportConfig::default();
            transport.send_window = LENGTH as u64 / 2;
            stage.hosts.client_config = driver::ClientConfig::new(client, transport).unwrap();
            stage.hosts.server_config = server_config(tls(true));
            stage.run(async |hosts| program(hosts, fate).await);
        }
    }
}
