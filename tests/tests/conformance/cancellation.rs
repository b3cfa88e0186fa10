use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use driver::{Bytes, PolledConnection, TransportConfig};
use futures::join;
use quic_sim::tasks::yield_now;

use crate::drivers::Driver;
use crate::pair::{Pair, cancel, poll_once};

pub(crate) async fn a_cancelled_read_loses_nothing<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let mut streams = pair.stream().await;
    cancel(streams.peer_recv.read(&mut [0; 8])).await;
    streams.send.write_all(b"abc").await.unwrap();
    let mut out = [0; 3];
    streams.peer_recv.read_exact(&mut out).await.unwrap();
    assert_eq!(&out, b"abc");
}

pub(crate) async fn who_polls_is_woken_and_leaves_nothing_behind<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    let mut polled = PolledConnection::new(server);
    let mut others = polled.clone();
    let waiter = Arc::new(Waiter);
    let waker = Waker::from(Arc::clone(&waiter));
    let mut cx = Context::from_waker(&waker);
    assert!(others.poll_accept_bi(&mut cx).is_pending());
    assert!(others.poll_accept_uni(&mut cx).is_pending());
    assert!(others.poll_read_datagram(&mut cx).is_pending());
    assert!(others.poll_accept_uni(&mut cx).is_pending());
    assert_eq!(Arc::strong_count(&waiter), 5, "one place for each");
    drop(others);
    assert_eq!(Arc::strong_count(&waiter), 2, "no place is kept");

    let sent = async {
        yield_now().await;
        let (mut send, _recv) = client.open_bi().await.unwrap();
        send.write_all(b"x").await.unwrap();
        client.send_datagram(Bytes::from_static(b"y")).unwrap();
        client.open_uni().await.unwrap().finish().unwrap();
    };
    let received = async {
        poll_fn(|cx| polled.poll_accept_bi(cx)).await.unwrap();
        assert_eq!(poll_fn(|cx| polled.poll_read_datagram(cx)).await.unwrap(), "y");
        poll_fn(|cx| polled.poll_accept_uni(cx)).await.unwrap();
    };
    join!(sent, received);
}

/// A task that is never run.
struct Waiter;

impl Wake for Waiter {
    fn wake(self: Arc<Self>) {}
}

pub(crate) async fn a_cancelled_write_took_nothing<D: Driver>(driver: D) {
    let mut transport = TransportConfig::default();
    transport.send_window = 64 << 10;
    transport.max_stream_receive_window = 256 << 10;
    let pair = Pair::with(&driver, transport);
    let mut streams = pair.stream().await;
    let mut written = 0;
    for _ in 0..500 {
        let attempt = poll_once(streams.send.write(&[7; 1000])).await;
        written += attempt.map_or(0, Result::unwrap);
        yield_now().await;
    }
    // The end does not wait for room.
    streams.send.finish().unwrap();
    let received = streams.peer_recv.read_to_end(usize::MAX).await.unwrap();
    assert_eq!(received.len(), written);
}

pub(crate) async fn a_cancelled_accept_loses_no_stream<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    cancel(server.accept_uni()).await;
    let mut send = client.open_uni().await.unwrap();
    send.write_all(b"x").await.unwrap();
    let recv = server.accept_uni().await.unwrap();
    assert_eq!(recv.id(), send.id());
}

pub(crate) async fn a_cancelled_open_takes_no_stream<D: Driver>(driver: D) {
    let mut transport = TransportConfig::default();
    transport.max_concurrent_uni_streams = 1;
    let pair = Pair::with(&driver, transport);
    let (client, server) = pair.connect().await;
    let first = client.open_uni().await.unwrap();
    cancel(client.open_uni()).await;
    let (first_id, server_task) = (
        first.id(),
        driver.spawn(async move {
            let mut recv = server.accept_uni().await.unwrap();
            recv.read_to_end(0).await.unwrap();
            server
        }),
    );
    drop(first);
    let second = client.open_uni().await.unwrap();
    assert_eq!(second.id().index(), first_id.index() + 1);
    server_task.await;
}

pub(crate) async fn a_cancelled_accept_of_a_connection_loses_none<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    cancel(pair.server.accept()).await;
    pair.connect().await;
}

pub(crate) async fn a_connection_given_up_while_connecting_is_over<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    drop(pair.client.connect(pair.address(), "localhost").unwrap());
    pair.client.wait_idle().await;
    assert_eq!(pair.client.open_connections(), 0);
}

/// Waits for what `begin` begins, giving it up and beginning anew whenever it has to wait.
async fn persist<D: Driver, T>(driver: &D, mut begin: impl AsyncFnMut() -> T) -> T {
    loop {
        if let Some(done) = poll_once(begin()).await {
            return done;
        }
        driver.sleep(Duration::from_millis(1)).await;
    }
}

pub(crate) async fn every_wait_can_be_given_up_and_begun_again<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let mut connecting = pair.connecting();
    let incoming = persist(&driver, async || pair.server.accept().await).await.unwrap();
    let mut accepting = incoming.accept().unwrap();
    let client = persist(&driver, async || (&mut connecting).await).await.unwrap();
    let server = persist(&driver, async || (&mut accepting).await).await.unwrap();
    let (mut send, mut recv) = persist(&driver, async || client.open_bi().await).await.unwrap();
    persist(&driver, async || send.write(b"question").await).await.unwrap();
    send.finish().unwrap();
    let accepted = persist(&driver, async || server.accept_bi().await).await;
    let (mut answer, mut question) = accepted.unwrap();
    let mut read = Vec::new();
    while let Some(chunk) = persist(&driver, async || question.read_chunk(3).await).await.unwrap() {
        read.extend_from_slice(&chunk);
    }
    assert_eq!(read, b"question");
    assert_eq!(persist(&driver, async || send.stopped().await).await, Ok(None));
    let text = Bytes::from_static(b"answer");
    persist(&driver, async || answer.write_chunk(text.clone()).await).await.unwrap();
    answer.reset(7_u32.into()).unwrap();
    // What was written before the reset may come or not.
    while persist(&driver, async || recv.read(&mut [0; 8]).await).await.is_ok() {}
    drop(persist(&driver, async || server.open_uni().await).await.unwrap());
    persist(&driver, async || client.accept_uni().await).await.unwrap();
    persist(&driver, async || client.send_datagram_wait(text.clone()).await).await.unwrap();
    assert_eq!(persist(&driver, async || server.read_datagram().await).await.unwrap(), text);
    client.close(1_u32.into(), b"");
    persist(&driver, async || server.closed().await).await;
    persist(&driver, async || pair.client.wait_idle().await).await;
    persist(&driver, async || pair.server.wait_idle().await).await;
}
