use std::time::Duration;

use driver::{ConnectError, Side, TransportConfig, VarInt};
use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::iter;
use quic_sim::tasks::yield_now;

use crate::closing::closed;
use crate::drivers::Driver;
use crate::pair::Pair;

pub(crate) async fn the_loop_hears_of_the_second_act_as_of_the_first<D: Driver>(driver: D) {
    let silent = driver.socket(Side::Server, None).unwrap();
    let mut transport = TransportConfig::default();
    // No timer is to wake the loop.
    transport.initial_rtt = Duration::from_secs(100);
    transport.handshake_timeout = Duration::from_secs(1000);
    let pair = Pair::with(&driver, transport);
    let address = driver.address(&silent);
    let first = pair.client.connect(address, "localhost").unwrap();
    // The socket's own news, that it is writable, has come by then.
    driver.sleep(Duration::from_millis(10)).await;
    let second = pair.client.connect(address, "localhost").unwrap();
    for _ in 0..10 {
        yield_now().await;
    }
    drop((first, second));
    pair.client.wait_idle().await;
}

pub(crate) async fn a_closed_endpoint_tells_its_peers_and_opens_nothing<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let (_client, server) = pair.connect().await;
    pair.client.close(VarInt::from_u32(3), b"bye");
    pair.client.wait_idle().await;
    assert_eq!(server.closed().await, closed(3, b"bye"));
    let refused = pair.client.connect(pair.address(), "localhost").unwrap_err();
    assert_eq!(refused, ConnectError::EndpointClosed);
    pair.server.close(VarInt::default(), b"");
    assert!(pair.server.accept().await.is_none());
    pair.server.wait_idle().await;
}

pub(crate) async fn connections_outlive_the_handles_of_their_endpoint<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let mut streams = pair.stream().await;
    drop(pair);
    streams.send.write_all(b"alive").await.unwrap();
    let mut out = [0; 5];
    streams.peer_recv.read_exact(&mut out).await.unwrap();
    assert_eq!(&out, b"alive");
}

pub(crate) async fn a_thousand_connections_come_and_go<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let server = (*pair.server).clone();
    let serving = driver.spawn(async move {
        let served = (0..1000).map(|_| async {
            let connection = server.accept().await.unwrap().await.unwrap();
            let mut recv = connection.accept_uni().await.unwrap();
            assert_eq!(recv.read_to_end(10).await.unwrap(), b"ping");
            connection.closed().await;
        });
        join_all(served).await;
    });
    let connecting = (0..1000).map(|_| async { pair.connecting().await.unwrap() });
    let connections: Vec<_> = iter(connecting).buffer_unordered(50).collect().await;
    assert_eq!(pair.client.open_connections(), 1000);
    let mut streams = Vec::new();
    for connection in &connections {
        let mut send = connection.open_uni().await.unwrap();
        send.write_all(b"ping").await.unwrap();
        send.finish().unwrap();
        streams.push(send);
    }
    for send in &mut streams {
        assert_eq!(send.stopped().await, Ok(None));
    }
    drop((streams, connections));
    pair.client.wait_idle().await;
    serving.await;
    assert_eq!(pair.server.open_connections(), 0);
}
