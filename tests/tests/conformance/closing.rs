use std::time::Duration;

use driver::{ApplicationClose, Bytes, ConnectionError, ReadError, VarInt, WriteError};
use futures::join;
use quic_sim::tasks::yield_now;

use crate::drivers::Driver;
use crate::pair::{Pair, pattern};

pub(crate) fn closed(code: u32, reason: &'static [u8]) -> ConnectionError {
    let reason = Bytes::from_static(reason);
    ConnectionError::ApplicationClosed(ApplicationClose { error_code: code.into(), reason })
}

pub(crate) async fn a_close_reaches_everything_that_waits_at_both_ends<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let mut streams = pair.stream().await;
    let server = streams.server.clone();
    let waiting = driver.spawn(async move {
        let (bi, over) = join!(server.accept_bi(), server.closed());
        (bi.unwrap_err(), over)
    });
    yield_now().await;
    streams.client.close(VarInt::from_u32(5), b"enough");
    let expected = closed(5, b"enough");
    assert_eq!(waiting.await, (expected.clone(), expected.clone()));
    let read = streams.peer_recv.read(&mut [0]).await;
    assert_eq!(read, Err(ReadError::ConnectionLost(expected.clone())));
    assert_eq!(streams.server.close_reason(), Some(expected));
    let write = streams.send.write(b"x").await;
    assert_eq!(write, Err(WriteError::ConnectionLost(ConnectionError::LocallyClosed)));
    assert_eq!(streams.client.closed().await, ConnectionError::LocallyClosed);
}

pub(crate) async fn the_last_handle_to_go_closes_the_connection<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let streams = pair.stream().await;
    drop((streams.client, streams.send));
    assert_eq!(streams.server.close_reason(), None);
    drop(streams.recv);
    assert_eq!(streams.server.closed().await, closed(0, b""));
}

pub(crate) async fn a_shutdown_loses_nothing<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    let data = pattern(4 << 20);
    let mut send = client.open_uni().await.unwrap();
    let sent = Bytes::from(data.clone());
    let sender = driver.spawn(async move {
        send.write_chunk(sent).await.unwrap();
        send.finish().unwrap();
        client.shutdown(VarInt::from_u32(1), b"done").await.unwrap();
    });
    let mut recv = server.accept_uni().await.unwrap();
    let received = recv.read_to_end(data.len()).await.unwrap();
    assert!(received == data, "the data differs");
    assert_eq!(server.closed().await, closed(1, b"done"));
    sender.await;
}

pub(crate) async fn what_the_peer_sent_before_it_closed_can_be_accepted_and_read_afterwards<
    D: Driver,
>(
    driver: D,
) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    let mut send = client.open_uni().await.unwrap();
    send.write_all(b"the last words").await.unwrap();
    send.finish().unwrap();
    client.shutdown(VarInt::from_u32(1), b"").await.unwrap();
    assert_eq!(server.closed().await, closed(1, b""));
    let mut recv = server.accept_uni().await.unwrap();
    assert_eq!(recv.read_to_end(100).await.unwrap(), b"the last words");
    assert_eq!(server.accept_uni().await.unwrap_err(), closed(1, b""));
}

pub(crate) async fn a_connection_that_its_peer_closed_again_can_be_accepted_all_the_same<
    D: Driver,
>(
    driver: D,
) {
    let pair = Pair::new(&driver);
    let connecting = pair.client.connect(pair.address(), "localhost").unwrap();
    let accepted = pair.server.accept().await.unwrap().accept().unwrap();
    let client = connecting.await.unwrap();
    let mut send = client.open_uni().await.unwrap();
    send.write_all(b"x").await.unwrap();
    send.finish().unwrap();
    client.shutdown(VarInt::from_u32(2), b"").await.unwrap();
    while pair.server.open_connections() > 0 {
        driver.sleep(Duration::from_millis(1)).await;
    }
    let server = accepted.await.unwrap();
    assert_eq!(server.accept_uni().await.unwrap().read_to_end(1).await.unwrap(), b"x");
    assert_eq!(server.closed().await, closed(2, b""));
}

pub(crate) async fn delivery_is_known_even_if_the_peer_closed_meanwhile<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let streams = pair.stream().await;
    let mut send = streams.client.open_uni().await.unwrap();
    send.write_all(b"x").await.unwrap();
    send.finish().unwrap();
    streams.server.accept_uni().await.unwrap().read_to_end(1).await.unwrap();
    // Two ways to wait for the last acknowledgment, which comes before the close.
    driver.sleep(Duration::from_millis(100)).await;
    streams.server.close(VarInt::from_u32(3), b"");
    assert_eq!(streams.client.closed().await, closed(3, b""));
    assert_eq!(send.stopped().await, Ok(None));
}
