use std::time::Duration;

use driver_tokio::{
    ApplicationClose, Bytes, ConnectError, ConnectionError, ReadError, TransportConfig, VarInt,
    WriteError,
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
async fn what_the_peer_sent_before_it_closed_can_be_accepted_and_read_afterwards() {
    soon(async {
        let pair = Pair::new();
        let (client, server) = pair.connect().await;
        let mut send = client.open_uni().await.unwrap();
        send.write_all(b"the last words").await.unwrap();
        send.finish().unwrap();
        client.shutdown(VarInt::from_u32(1), b"").await.unwrap();
        assert_eq!(server.closed().await, closed(1, b""));
        let mut recv = server.accept_uni().await.unwrap();
        assert_eq!(recv.read_to_end(100).await.unwrap(), b"the last words");
        assert_eq!(server.accept_uni().await.unwrap_err(), closed(1, b""));
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_its_peer_closed_again_can_be_accepted_all_the_same() {
    soon(async {
        let pair = Pair::new();
        let connecting = pair.client.connect(pair.address(), "localhost").unwrap();
        let accepted = pair.server.accept().await.unwrap().accept().unwrap();
        let client = connecting.await.unwrap();
        let mut send = client.open_uni().await.unwrap();
        send.write_all(b"x").await.unwrap();
        send.finish().unwrap();
        client.shutdown(VarInt::from_u32(2), b"").await.unwrap();
        while pair.server.open_connections() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let server = accepted.await.unwrap();
        assert_eq!(server.accept_uni().await.unwrap().read_to_end(1).await.unwrap(), b"x");
        assert_eq!(server.closed().await, closed(2, b""));
    })
    .await;
}

#[tokio::test]
async fn delivery_is_known_even_if_the_peer_closed_meanwhile() {
    soon(async {
        let pair = Pair::new();
        let streams = pair.stream().await;
        let mut send = streams.client.open_uni().await.unwrap();
        send.write_all(b"x").await.unwrap();
        send.finish().unwrap();
        streams.server.accept_uni().await.unwrap().read_to_end(1).await.unwrap();
        // Two ways to wait for the last acknowledgment, which comes before the close.
        tokio::time::sleep(Duration::from_millis(100)).await;
        streams.server.close(VarInt::from_u32(3), b"");
        assert_eq!(streams.client.closed().await, closed(3, b""));
        assert_eq!(send.stopped().await, Ok(None));
    })
    .await;
}

#[test]
fn an_attempt_that_outlives_the_loop_fails_when_it_is_accepted() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (pair, incoming) = runtime.block_on(soon(async {
        let pair = Pair::new();
        let _connecting = pair.client.connect(pair.address(), "localhost").unwrap();
        let incoming = pair.server.accept().await.unwrap();
        (pair, incoming)
    }));
    runtime.shutdown_timeout(Duration::from_secs(5));
    assert_eq!(incoming.accept().unwrap_err(), ConnectionError::LocallyClosed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(soon(pair.server.wait_idle()));
}

#[tokio::test]
async fn the_loop_hears_of_the_second_act_as_of_the_first() {
    soon(async {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut transport = TransportConfig::default();
        // No timer is to wake the loop.
        transport.initial_rtt = Duration::from_secs(100);
        transport.handshake_timeout = Duration::from_secs(1000);
        let pair = Pair::with(transport);
        let address = silent.local_addr().unwrap();
        let first = pair.client.connect(address, "localhost").unwrap();
        // The socket's own news, that it is writable, has come by then.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let second = pair.client.connect(address, "localhost").unwrap();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        drop((first, second));
        pair.client.wait_idle().await;
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
        let mut streams = Vec::new();
        for connection in &connections {
            let mut send = connection.open_uni().await.unwrap();
            send.write_all(b"ping").await.unwrap();
            send.finish().unwrap();
            streams.push(send);
        }
        for send in &streams {
            assert_eq!(send.stopped().await, Ok(None));
        }
        drop((streams, connections));
        pair.client.wait_idle().await;
        accepting.await.unwrap();
        assert_eq!(pair.server.open_connections(), 0);
    })
    .await;
}
