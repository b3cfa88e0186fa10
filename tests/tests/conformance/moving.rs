use std::net::SocketAddr;
use std::time::Duration;

use driver::{EndpointConfig, Keyring, Side};
use futures::join;

use crate::drivers::Driver;
use crate::pair::{Pair, configs, transfer};

/// Another socket for the client.
fn another<D: Driver>(driver: &D) -> D::Socket {
    driver.socket(Side::Client, None).unwrap()
}

pub(crate) async fn connections_of_a_client_move_to_the_socket_that_it_is_given<D: Driver>(
    driver: D,
) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    transfer(&client, &server, 100_000).await;
    for _ in 0..3 {
        let new = another(&driver);
        let address = driver.address(&new);
        driver.rebind(&pair.client, new).unwrap();
        assert_eq!(pair.client.local_addr().unwrap(), address);
        transfer(&client, &server, 1_000_000).await;
        assert_eq!(server.remote_address(), address);
        assert!(client.path_stats().is_active);
    }
    // New ones are opened there.
    let (_, other) = pair.connect().await;
    assert_eq!(other.remote_address(), pair.client.local_addr().unwrap());
}

pub(crate) async fn connections_move_also_after_the_endpoint_was_given_another_key<D: Driver>(
    driver: D,
) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    let mut config = EndpointConfig::default();
    config.keyring = Some(Keyring::new([7; 32]));
    pair.client.reconfigure(config).unwrap();
    driver.rebind(&pair.client, another(&driver)).unwrap();
    driver.until("moved", || server.remote_address() == pair.client.local_addr().unwrap()).await;
    transfer(&client, &server, 100_000).await;
}

pub(crate) async fn a_transfer_goes_on_while_the_client_moves<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    let moves = async {
        for _ in 0..5 {
            driver.sleep(Duration::from_millis(20)).await;
            driver.rebind(&pair.client, another(&driver)).unwrap();
        }
    };
    join!(transfer(&client, &server, 30_000_000), moves);
    driver.until("moved", || server.remote_address() == pair.client.local_addr().unwrap()).await;
}

pub(crate) async fn a_connection_whose_handshake_goes_on_moves_once_it_is_confirmed<D: Driver>(
    driver: D,
) {
    let pair = Pair::new(&driver);
    let connecting = pair.client.connect(pair.address(), "localhost").unwrap();
    driver.rebind(&pair.client, another(&driver)).unwrap();
    let accept = async { pair.server.accept().await.unwrap().await.unwrap() };
    let (client, server) = join!(connecting, accept);
    let client = client.unwrap();
    driver.until("moved", || server.remote_address() == pair.client.local_addr().unwrap()).await;
    transfer(&client, &server, 10_000).await;
}

pub(crate) async fn a_socket_that_nobody_needs_is_closed<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    let before = pair.client.local_addr().unwrap();
    transfer(&client, &server, 1000).await;
    driver.rebind(&pair.client, another(&driver)).unwrap();
    assert!(driver.socket(Side::Client, Some(before)).is_err(), "it is in use for a while");
    transfer(&client, &server, 1000).await;
    driver.until("closed", || driver.socket(Side::Client, Some(before)).is_ok()).await;
    transfer(&client, &server, 1000).await;
}

pub(crate) async fn a_server_that_is_given_another_socket_goes_on_on_both<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    let before = pair.address();
    driver.rebind(&pair.server, driver.socket(Side::Server, None).unwrap()).unwrap();
    transfer(&client, &server, 100_000).await;
    assert_eq!(client.remote_address(), before);
    let (other, accepted) = pair.connect().await;
    assert_eq!(other.remote_address(), pair.address());
    assert_ne!(before, pair.address());
    transfer(&other, &accepted, 100_000).await;
    transfer(&client, &server, 100_000).await;
}

pub(crate) async fn clients_move_to_the_address_that_a_server_prefers<D: Driver>(driver: D) {
    let (mut config, client_config) = configs();
    let preferred = driver.socket(Side::Server, None).unwrap();
    let SocketAddr::V4(address) = driver.address(&preferred) else { panic!("an IPv4 address") };
    config.preferred_address_v4 = Some(address);
    let (server, client) = (driver.server(config), driver.client());
    driver.add_socket(&server, preferred).unwrap();
    let connecting =
        client.connect_with(client_config, server.local_addr().unwrap(), "localhost").unwrap();
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (client, server) = join!(connecting, accept);
    let client = client.unwrap();
    driver.until("moved", || client.remote_address() == address.into()).await;
    transfer(&client, &server, 1_000_000).await;
    assert!(client.path_stats().bytes_sent > 900_000);
}

pub(crate) async fn a_closed_endpoint_takes_no_socket<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    pair.client.close(0_u32.into(), b"");
    assert!(driver.rebind(&pair.client, another(&driver)).is_err());
    assert!(driver.add_socket(&pair.client, another(&driver)).is_err());
}
