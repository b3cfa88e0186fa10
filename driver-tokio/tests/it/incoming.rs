use driver_tokio::{ConnectionError, TransportErrorCode, VarInt};

use crate::support::{Pair, soon};

fn is_refusal(error: &ConnectionError) -> bool {
    matches!(error, ConnectionError::ConnectionClosed(close)
        if close.code == TransportErrorCode::CONNECTION_REFUSED)
}

#[tokio::test]
async fn a_refused_client_hears_of_it() {
    soon(async {
        let pair = Pair::new();
        let connecting = pair.client.connect(pair.address(), "localhost").unwrap();
        pair.server.accept().await.unwrap().refuse();
        assert!(is_refusal(&connecting.await.unwrap_err()));
    })
    .await;
}

#[tokio::test]
async fn a_dropped_attempt_is_refused() {
    soon(async {
        let pair = Pair::new();
        let connecting = pair.client.connect(pair.address(), "localhost").unwrap();
        drop(pair.server.accept().await.unwrap());
        assert!(is_refusal(&connecting.await.unwrap_err()));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_answers_a_retry_is_validated() {
    soon(async {
        let pair = Pair::new();
        let connecting = pair.client.connect(pair.address(), "localhost").unwrap();
        let accept = async {
            let first = pair.server.accept().await.unwrap();
            assert!(first.may_retry());
            assert_eq!(first.remote_address(), pair.client.local_addr().unwrap());
            first.retry().unwrap();
            let second = pair.server.accept().await.unwrap();
            assert!(second.remote_address_validated());
            let second = second.retry().unwrap_err().into_incoming();
            second.await.unwrap()
        };
        let (client, server) = tokio::join!(connecting, accept);
        assert_eq!(client.unwrap().remote_address(), pair.address());
        assert_eq!(server.remote_address(), pair.client.local_addr().unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_server_that_keeps_its_keys_knows_its_clients_after_a_restart() {
    soon(async {
        let mut pair = Pair::new();
        for _ in 0..5 {
            // One round trip after the handshake, the client has a token.
            let streams = pair.stream().await;
            streams.server.close(VarInt::from_u32(0), b"");
            streams.client.closed().await;
        }
        pair.restart();
        let _connecting = pair.client.connect(pair.address(), "localhost").unwrap();
        assert!(pair.server.accept().await.unwrap().remote_address_validated());
    })
    .await;
}

#[tokio::test]
async fn nobody_gets_in_after_accepting_stopped_and_connections_live_on() {
    soon(async {
        let pair = Pair::new();
        let (client, server) = pair.connect().await;
        pair.server.stop_accepting();
        assert!(pair.server.accept().await.is_none());
        let late = pair.client.connect(pair.address(), "localhost").unwrap();
        assert!(is_refusal(&late.await.unwrap_err()));
        let mut send = client.open_uni().await.unwrap();
        send.write_all(b"x").await.unwrap();
        assert_eq!(server.accept_uni().await.unwrap().id(), send.id());
    })
    .await;
}

#[tokio::test]
async fn the_handshake_tells_protocol_and_name() {
    soon(async {
        let pair = Pair::new();
        let (client, server) = pair.connect().await;
        let data = server.handshake_data().unwrap();
        assert_eq!(data.protocol.as_deref(), Some(&b"test"[..]));
        assert_eq!(data.server_name.as_deref(), Some("localhost"));
        assert!(client.peer_identity().is_some());
    })
    .await;
}
