use std::time::Duration;

use driver_tokio::{
    ApplicationClose, Bytes, ConnectError, ConnectionError, ReadError, VarInt, WriteError,
};
use tokio::task::JoinSet;

use crate::support::{Pair, pattern, soon};

fn closed(code: u32, reason: &'static [u8]) -> ConnectionError {
    let reason = Bytes::from_static(reason);
    ConnectionError::ApplicationClosed(ApplicationClose { error_code: code.into(), reason })
}

#[tokio::test]
async fn a_close_reaches_everything_that_waits_at_both_ends() {
    soon(async {
        let pair = Pair::new();
        let mut streams = pair.stream().await;
        let server = streams.server.clone();
        let waiting = tokio::spawn(async move {
            let (bi, over) = tokio::join!(server.accept_bi(), server.closed());
            (bi.unwrap_err(), over)
        });
        tokio::task::yield_now().await;
        streams.client.close(VarInt::from_u32(5), b"enough");
        let expected = closed(5, b"enough");
        assert_eq!(waiting.await.unwrap(), (expected.clone(), expected.clone()));
        let read = streams.peer_recv.read(&mut [0]).await;
        assert_eq!(read, Err(ReadError::ConnectionLost(expected.clone())));
        assert_eq!(streams.server.close_reason(), Some(expected));
        let write = streams.send.write(b"x").await;
        assert_eq!(write, Err(WriteError::ConnectionLost(ConnectionError::LocallyClosed)));
        assert_eq!(streams.client.closed().await, ConnectionError::LocallyClosed);
    })
    .await;
}

#[tokio::test]
async fn the_last_handle_to_go_closes_the_connection() {
    soon(async {
        let pair = Pair::new();
        let streams = pair.stream().await;
        drop((streams.client, streams.send));
        assert_eq!(streams.server.close_reason(), None);
        drop(streams.recv);
        assert_eq!(streams.server.closed().await, closed(0, b""));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_loses_nothing() {
    soon(async {
        let pair = Pair::new();
        let (client, server) = pair.connect().await;
        let data = pattern(4 << 20);
        let mut send = client.open_uni().await.unwrap();
        let sent = Bytes::from(data.clone());
        let sender = tokio::spawn(async move {
            send.write_chunk(sent).await.unwrap();
            send.finish().unwrap();
            client.shutdown(VarInt::from_u32(1), b"done").await.unwrap();
        });
        let mut recv = server.accept_uni().await.unwrap();
        let received = recv.read_to_end(data.len()).await.unwrap();
        assert!(received == data, "the data differs");
        assert_eq!(server.closed().await, closed(1, b"done"));
        sender.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_closed_endpoint_tells_its_peers_and_opens_nothing() {
    soon(async {
        let pair = Pair::new();
        let (_client, server) = pair.connect().await;
        pair.client.close(VarInt::from_u32(3), b"bye");
        pair.client.wait_idle().await;
        assert_eq!(server.closed().await, closed(3, b"bye"));
        let refused = pair.client.connect(pair.address(), "localhost").unwrap_err();
        assert_eq!(refused, ConnectError::EndpointClosed);
        pair.server.close(VarInt::default(), b"");
        assert!(pair.server.accept().await.is_none());
        pair.server.wait_idle().await;
    })
    .await;
}

#[tokio::test]
async fn connections_outlive_the_handles_of_their_endpoint() {
    soon(async {
        let pair = Pair::new();
        let mut streams = pair.stream().await;
        drop(pair);
        streams.send.write_all(b"alive").await.unwrap();
        let mut out = [0; 5];
        streams.peer_recv.read_exact(&mut out).await.unwrap();
        assert_eq!(&out, b"alive");
    })
    .await;
}

#[test]
fn a_runtime_that_ends_fails_what_waits() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (pair, client, _server) = runtime.block_on(soon(async {
        let pair = Pair::new();
        let (client, server) = pair.connect().await;
        (pair, client, server)
    }));
    runtime.shutdown_timeout(Duration::from_secs(5));
    assert!(client.close_reason().is_some());
    let refused = pair.client.connect(pair.address(), "localhost").unwrap_err();
    assert_eq!(refused, ConnectError::EndpointClosed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_come_and_go() {
    soon(async {
        let pair = Pair::new();
        let server = pair.server.clone();
        let accepting = tokio::spawn(async move {
            let mut tasks = JoinSet::new();
            for _ in 0..1000 {
                let incoming = server.accept().await.unwrap();
                tasks.spawn(async move {
                    let connection = incoming.await.unwrap();
                    let mut recv = connection.accept_uni().await.unwrap();
                    assert_eq!(recv.read_to_end(10).await.unwrap(), b"ping");
                    connection.closed().await;
                });
            }
            while let Some(result) = tasks.join_next().await {
                result.unwrap();
            }
        });
        let mut connections = Vec::new();
        for _ in 0..20 {
            let mut attempts = JoinSet::new();
            for _ in 0..50 {
                attempts.spawn(pair.client.connect(pair.address(), "localhost").unwrap());
            }
            while let Some(connection) = attempts.join_next().await {
                connections.push(connection.unwrap().unwrap());
            }
        }
        assert_eq!(pair.client.open_connections(), 1000);
        for connection in connections {
            let mut send = connection.open_uni().await.unwrap();
            send.write_all(b"ping").await.unwrap();
            send.finish().unwrap();
            assert_eq!(send.stopped().await, Ok(None));
        }
        pair.client.wait_idle().await;
        accepting.await.unwrap();
        assert_eq!(pair.server.open_connections(), 0);
    })
    .await;
}
