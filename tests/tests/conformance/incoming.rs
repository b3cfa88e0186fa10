use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};

use driver::{
    AddressValidation, ConnectionError, DatagramFilter, Endpoint, EndpointOptions, Side, Train,
    TransportErrorCode, VarInt,
};
use futures::stream::FuturesUnordered;
use futures::{StreamExt as _, join};

use crate::drivers::Driver;
use crate::pair::{Pair, configs};

fn is_refusal(error: &ConnectionError) -> bool {
    matches!(error, ConnectionError::ConnectionClosed(close)
        if close.code == TransportErrorCode::CONNECTION_REFUSED)
}

pub(crate) async fn a_refused_client_hears_of_it<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let connecting = pair.client.connect(pair.address(), "localhost").unwrap();
    pair.server.accept().await.unwrap().refuse();
    assert!(is_refusal(&connecting.await.unwrap_err()));
}

pub(crate) async fn a_dropped_attempt_is_refused<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let connecting = pair.client.connect(pair.address(), "localhost").unwrap();
    drop(pair.server.accept().await.unwrap());
    assert!(is_refusal(&connecting.await.unwrap_err()));
}

pub(crate) async fn a_client_that_answers_a_retry_is_validated<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
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
    let (client, server) = join!(connecting, accept);
    assert_eq!(client.unwrap().remote_address(), pair.address());
    assert_eq!(server.remote_address(), pair.client.local_addr().unwrap());
}

pub(crate) async fn a_server_that_keeps_its_keys_knows_its_clients_after_a_restart<D: Driver>(
    driver: D,
) {
    let mut pair = Pair::new(&driver);
    let mut streams = pair.stream().await;
    // The token leaves the server before what it answers.
    streams.peer_send.write_all(b"!").await.unwrap();
    streams.recv.read_exact(&mut [0]).await.unwrap();
    pair.restart();
    let _connecting = pair.client.connect(pair.address(), "localhost").unwrap();
    assert!(pair.server.accept().await.unwrap().remote_address_validated());
}

pub(crate) async fn nobody_gets_in_after_accepting_stopped_and_connections_live_on<D: Driver>(
    driver: D,
) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    pair.server.stop_accepting();
    assert!(pair.server.accept().await.is_none());
    let late = pair.client.connect(pair.address(), "localhost").unwrap();
    assert!(is_refusal(&late.await.unwrap_err()));
    let mut send = client.open_uni().await.unwrap();
    send.write_all(b"x").await.unwrap();
    assert_eq!(server.accept_uni().await.unwrap().id(), send.id());
}

/// Takes nothing; has its endpoint stop receiving when somebody knocks for the third time.
#[derive(Debug, Default)]
struct Third {
    endpoint: OnceLock<Endpoint>,
    knocked: Mutex<BTreeSet<SocketAddr>>,
}

impl DatagramFilter for Third {
    fn takes(&self, train: &Train<'_>) -> bool {
        let mut knocked = self.knocked.lock().unwrap();
        if knocked.insert(train.remote) && knocked.len() == 3 {
            self.endpoint.get().unwrap().stop_receiving();
        }
        false
    }
}

pub(crate) async fn who_knocked_before_receiving_stopped_can_be_accepted_and_then_nobody<
    D: Driver,
>(
    driver: D,
) {
    let (server, config) = configs();
    let third = Arc::new(Third::default());
    let filter = Arc::clone(&third) as Arc<dyn DatagramFilter>;
    let options = EndpointOptions::default().with_server(Some(server)).with_filter(filter);
    let server = driver.open(options, driver.socket(Side::Server, None).unwrap());
    third.endpoint.set((*server).clone()).unwrap();
    let address = server.local_addr().unwrap();
    let mut clients = Vec::new();
    for count in 1..=3 {
        let client = driver.client();
        let connecting = client.connect_with(config.clone(), address, "localhost").unwrap();
        driver.until("heard", || third.knocked.lock().unwrap().len() == count).await;
        clients.push((client, connecting));
    }
    // That of the third was still on its way when the endpoint stopped.
    for (client, _) in &clients {
        let incoming = server.accept().await.unwrap();
        assert_eq!(incoming.remote_address(), client.local_addr().unwrap());
    }
    assert!(server.accept().await.is_none());
    let late = driver.client();
    let _connecting = late.connect_with(config, address, "localhost").unwrap();
    assert!(server.accept().await.is_none());
    server.close(VarInt::from_u32(0), b"");
}

pub(crate) async fn the_handshake_tells_protocol_and_name<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    let data = server.handshake_data().unwrap();
    assert_eq!(data.protocol.as_deref(), Some(&b"test"[..]));
    assert_eq!(data.server_name.as_deref(), Some("localhost"));
    assert!(client.peer_identity().is_some());
}

pub(crate) async fn an_accept_queue_that_is_full_refuses_and_serves_who_waits<D: Driver>(
    driver: D,
) {
    let (mut config, client_config) = configs();
    (config.accept_backlog, config.validation) = (3, AddressValidation::Never);
    let (server, client) = (driver.server(config), driver.client());
    client.set_default_client_config(client_config);
    let address = server.local_addr().unwrap();
    let connecting = (0..10).map(|_| client.connect(address, "localhost").unwrap());
    let mut refused = 0;
    let mut waiting: FuturesUnordered<_> = connecting.collect();
    while refused < 7 {
        assert!(is_refusal(&waiting.next().await.unwrap().unwrap_err()));
        refused += 1;
    }
    let serve = async {
        let mut served = Vec::new();
        for _ in 0..3 {
            served.push(server.accept().await.unwrap().await.unwrap());
        }
        served
    };
    let (_served, connected) = join!(serve, waiting.collect::<Vec<_>>());
    assert!(connected.len() == 3 && connected.iter().all(Result::is_ok));
}
