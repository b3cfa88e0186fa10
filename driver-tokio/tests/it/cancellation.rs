use driver_tokio::TransportConfig;

use crate::support::{Pair, cancel, poll_once, soon};

#[tokio::test]
async fn a_cancelled_read_loses_nothing() {
    soon(async {
        let pair = Pair::new();
        let mut streams = pair.stream().await;
        cancel(streams.peer_recv.read(&mut [0; 8])).await;
        streams.send.write_all(b"abc").await.unwrap();
        let mut out = [0; 3];
        streams.peer_recv.read_exact(&mut out).await.unwrap();
        assert_eq!(&out, b"abc");
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_write_took_nothing() {
    soon(async {
        let mut transport = TransportConfig::default();
        transport.send_window = 64 << 10;
        transport.max_stream_receive_window = 256 << 10;
        let pair = Pair::with(transport);
        let mut streams = pair.stream().await;
        let mut written = 0;
        for _ in 0..500 {
            let attempt = poll_once(streams.send.write(&[7; 1000])).await;
            written += attempt.map_or(0, Result::unwrap);
            tokio::task::yield_now().await;
        }
        // The end does not wait for room.
        streams.send.finish().unwrap();
        let received = streams.peer_recv.read_to_end(usize::MAX).await.unwrap();
        assert_eq!(received.len(), written);
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_accept_loses_no_stream() {
    soon(async {
        let pair = Pair::new();
        let (client, server) = pair.connect().await;
        cancel(server.accept_uni()).await;
        let mut send = client.open_uni().await.unwrap();
        send.write_all(b"x").await.unwrap();
        let recv = server.accept_uni().await.unwrap();
        assert_eq!(recv.id(), send.id());
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_open_takes_no_stream() {
    soon(async {
        let mut transport = TransportConfig::default();
        transport.max_concurrent_uni_streams = 1;
        let pair = Pair::with(transport);
        let (client, server) = pair.connect().await;
        let first = client.open_uni().await.unwrap();
        cancel(client.open_uni()).await;
        let (first_id, server_task) = (
            first.id(),
            tokio::spawn(async move {
                let mut recv = server.accept_uni().await.unwrap();
                recv.read_to_end(0).await.unwrap();
                server
            }),
        );
        drop(first);
        let second = client.open_uni().await.unwrap();
        assert_eq!(second.id().index(), first_id.index() + 1);
        server_task.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_accept_of_a_connection_loses_none() {
    soon(async {
        let pair = Pair::new();
        cancel(pair.server.accept()).await;
        pair.connect().await;
    })
    .await;
}

#[tokio::test]
async fn a_connection_given_up_while_connecting_is_over() {
    soon(async {
        let pair = Pair::new();
        drop(pair.client.connect(pair.address(), "localhost").unwrap());
        pair.client.wait_idle().await;
        assert_eq!(pair.client.open_connections(), 0);
    })
    .await;
}
