use std::net::UdpSocket;
use std::time::Duration;

use driver_tokio::{Connection, Endpoint, EndpointConfig, Keyring};

use crate::support::{Pair, any_port, configs, pattern, soon};

fn socket() -> UdpSocket {
    UdpSocket::bind(any_port()).unwrap()
}

/// Sends bytes to the server on a new stream and compares what it gets.
async fn transfer(client: &Connection, server: &Connection, length: usize) {
    let sent = pattern(length);
    let send = async {
        let mut send = client.open_uni().await.unwrap();
        send.write_all(&sent).await.unwrap();
        send.finish().unwrap();
    };
    let receive = async {
        let mut recv = server.accept_uni().await.unwrap();
        recv.read_to_end(length).await.unwrap()
    };
    let ((), received) = soon(async { tokio::join!(send, receive) }).await;
    assert!(received == sent, "something else came");
}

/// Waits until something holds.
async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..2000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not {what} within 10 s");
}

#[tokio::test]
async fn connections_of_a_client_move_to_the_socket_that_it_is_given() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    transfer(&client, &server, 100_000).await;
    for _ in 0..3 {
        let new = socket();
        let address = new.local_addr().unwrap();
        pair.client.rebind(new).unwrap();
        assert_eq!(pair.client.local_addr().unwrap(), address);
        transfer(&client, &server, 1_000_000).await;
        assert_eq!(server.remote_address(), address);
        assert!(client.path_stats().is_active);
    }
    // New ones are opened there.
    let (_, other) = pair.connect().await;
    assert_eq!(other.remote_address(), pair.client.local_addr().unwrap());
}

#[tokio::test]
async fn connections_move_also_after_the_endpoint_was_given_another_key() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    let mut config = EndpointConfig::default();
    config.keyring = Some(Keyring::new([7; 32]));
    pair.client.reconfigure(config).unwrap();
    pair.client.rebind(socket()).unwrap();
    until("moved", || server.remote_address() == pair.client.local_addr().unwrap()).await;
    transfer(&client, &server, 100_000).await;
}

#[tokio::test]
async fn a_transfer_goes_on_while_the_client_moves() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    let moves = async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            pair.client.rebind(socket()).unwrap();
        }
    };
    tokio::join!(transfer(&client, &server, 30_000_000), moves);
    until("moved", || server.remote_address() == pair.client.local_addr().unwrap()).await;
}

#[tokio::test]
async fn a_connection_whose_handshake_goes_on_moves_once_it_is_confirmed() {
    let pair = Pair::new();
    let connecting = pair.client.connect(pair.address(), "localhost").unwrap();
    pair.client.rebind(socket()).unwrap();
    let accept = async { pair.server.accept().await.unwrap().await.unwrap() };
    let (client, server) = soon(async { tokio::join!(connecting, accept) }).await;
    let client = client.unwrap();
    until("moved", || server.remote_address() == pair.client.local_addr().unwrap()).await;
    transfer(&client, &server, 10_000).await;
}

#[tokio::test]
async fn a_socket_that_nobody_needs_is_closed() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    let before = pair.client.local_addr().unwrap();
    transfer(&client, &server, 1000).await;
    pair.client.rebind(socket()).unwrap();
    assert!(UdpSocket::bind(before).is_err(), "it is in use for a while");
    transfer(&client, &server, 1000).await;
    until("closed", || UdpSocket::bind(before).is_ok()).await;
    transfer(&client, &server, 1000).await;
}

#[tokio::test]
async fn a_server_that_is_given_another_socket_goes_on_on_both() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    let before = pair.address();
    pair.server.rebind(socket()).unwrap();
    transfer(&client, &server, 100_000).await;
    assert_eq!(client.remote_address(), before);
    let (other, accepted) = pair.connect().await;
    assert_eq!(other.remote_address(), pair.address());
    assert_ne!(before, pair.address());
    transfer(&other, &accepted, 100_000).await;
    transfer(&client, &server, 100_000).await;
}

#[tokio::test]
async fn clients_move_to_the_address_that_a_server_prefers() {
    let (mut config, client_config) = configs();
    let preferred = socket();
    let std::net::SocketAddr::V4(address) = preferred.local_addr().unwrap() else {
        panic!("an IPv4 address")
    };
    config.preferred_address_v4 = Some(address);
    let server = Endpoint::server(config, any_port()).unwrap();
    server.add_socket(preferred).unwrap();
    let client = Endpoint::client(any_port()).unwrap();
    let connecting =
        client.connect_with(client_config, server.local_addr().unwrap(), "localhost").unwrap();
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (client, server) = soon(async { tokio::join!(connecting, accept) }).await;
    let client = client.unwrap();
    until("moved", || client.remote_address() == address.into()).await;
    transfer(&client, &server, 1_000_000).await;
    assert!(client.path_stats().bytes_sent > 900_000);
}

#[tokio::test]
async fn a_closed_endpoint_takes_no_socket() {
    let pair = Pair::new();
    pair.client.close(0_u32.into(), b"");
    assert!(pair.client.rebind(socket()).is_err());
    assert!(pair.client.add_socket(socket()).is_err());
}
