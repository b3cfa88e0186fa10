use std::net::{SocketAddr, UdpSocket};

use indicatif::ProgressBar;
use quic_core::TransportConfig;

use super::Client;
use crate::certificates::Identity;
use crate::network::{self, Preference, Trust};
use crate::protocol::{self, Protocol};
use crate::runtime::{self, Driver};

fn client() -> Client {
    let protocols = Protocol::ALL.to_vec();
    let alpn = protocol::names(&protocols);
    let tls = network::client_tls(Trust::Anyone, &alpn, Preference::Aes128).unwrap();
    let config = network::client_config(tls, TransportConfig::default()).unwrap();
    Client { config, protocols, bar: ProgressBar::hidden(), recorder: None }
}

#[test]
fn a_server_is_found_at_whichever_address_answers() {
    for driver in [Driver::Tokio, Driver::Smol] {
        runtime::block_on_one_core(driver, find_a_server()).unwrap();
    }
}

async fn find_a_server() {
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let silent = UdpSocket::bind(local).unwrap().local_addr().unwrap();
    let identity = Identity::self_signed().unwrap();
    let tls =
        network::server_tls(identity, &[Protocol::HqInterop.alpn()], Preference::Aes128).unwrap();
    let config = network::server_config(tls, TransportConfig::default()).unwrap();
    let socket = network::bound_socket(local, 0).unwrap();
    let server = network::server_endpoint(config, socket, None).unwrap();
    let address = server.local_addr().unwrap();
    runtime::spawn(async move {
        let accepted = network::accept(server.accept().await.unwrap()).await.unwrap();
        accepted.closed().await;
    });
    let addresses = vec![silent, address];
    let (_endpoint, connection) = client().connect("localhost", addresses).await.unwrap();
    assert_eq!(connection.remote_address(), address);
    assert_eq!(Protocol::of(&connection), Some(Protocol::HqInterop));
}
