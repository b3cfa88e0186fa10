use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use driver::{DatagramFilter, EndpointOptions, Side, Train, VarInt};
use futures::join;

use crate::drivers::Driver;
use crate::pair::{Pair, configs, poll_once, transfer};

/// A socket of IPv6.
fn over_ipv6<D: Driver>(driver: &D, side: Side) -> D::Socket {
    driver.socket(side, Some((Ipv6Addr::LOCALHOST, 0).into())).unwrap()
}

pub(crate) async fn an_endpoint_speaks_both_versions_of_ip<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let four = pair.address();
    let six = over_ipv6(&driver, Side::Server);
    let six = {
        let address = driver.address(&six);
        driver.add_socket(&pair.server, six).unwrap();
        address
    };
    assert_eq!(pair.server.local_addrs(), [four, six]);
    assert!(pair.client.connect(six, "localhost").is_err(), "it has no socket for it yet");
    driver.add_socket(&pair.client, over_ipv6(&driver, Side::Client)).unwrap();
    for address in [six, four, six] {
        let accept = async { pair.server.accept().await.unwrap().await.unwrap() };
        let connecting = pair.client.connect(address, "localhost").unwrap();
        let (client, server) = join!(connecting, accept);
        let client = client.unwrap();
        assert_eq!(
            (client.remote_address(), server.remote_address().is_ipv6()),
            (address, address == six)
        );
        transfer(&client, &server, 100_000).await;
    }
}

pub(crate) async fn a_socket_is_removed_while_connections_live<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    let first = pair.client.local_addr().unwrap();
    // The one that connections are opened on stays.
    let refused = pair.client.remove_socket(first).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    let unknown: SocketAddr = ([192, 0, 2, 1], 9).into();
    assert!(pair.client.remove_socket(unknown).is_err());
    // Nobody moves before the handshake is confirmed.
    transfer(&client, &server, 1000).await;
    driver.rebind(&pair.client, driver.socket(Side::Client, None).unwrap()).unwrap();
    driver.until("moved", || server.remote_address() != first).await;
    pair.client.remove_socket(first).unwrap();
    assert_eq!(pair.client.local_addrs(), [pair.client.local_addr().unwrap()]);
    transfer(&client, &server, 100_000).await;
    driver.until("closed", || driver.socket(Side::Client, Some(first)).is_ok()).await;
    transfer(&client, &server, 100_000).await;
}

pub(crate) async fn nobody_is_accepted_on_a_socket_that_was_removed<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let second = driver.socket(Side::Server, None).unwrap();
    let address = driver.address(&second);
    driver.add_socket(&pair.server, second).unwrap();
    let connecting = pair.client.connect(address, "localhost").unwrap();
    let accept = async { pair.server.accept().await.unwrap().await.unwrap() };
    let (client, server) = join!(connecting, accept);
    transfer(&client.unwrap(), &server, 10_000).await;
    pair.server.remove_socket(address).unwrap();
    driver.until("closed", || driver.socket(Side::Server, Some(address)).is_ok()).await;
    let (client, server) = pair.connect().await;
    transfer(&client, &server, 10_000).await;
}

/// Keeps what begins as STUN does (RFC 9443), and whatever comes from one address.
#[derive(Debug, Default)]
struct Stun {
    kept: Mutex<Vec<(SocketAddr, Vec<u8>)>>,
    unwanted: OnceLock<SocketAddr>,
}

impl DatagramFilter for Stun {
    fn takes(&self, train: &Train<'_>) -> bool {
        let is_stun = train.contents.first().is_some_and(|first| *first < 4);
        let takes = is_stun || self.unwanted.get() == Some(&train.remote);
        if takes {
            self.kept.lock().unwrap().push((train.remote, train.contents.to_vec()));
        }
        takes
    }
}

pub(crate) async fn datagrams_of_other_protocols_are_the_applications<D: Driver>(driver: D) {
    let (mut server, config) = configs();
    Arc::make_mut(&mut server.transport).grease_quic_bit = false;
    let stun = Arc::new(Stun::default());
    let filter = Arc::clone(&stun) as Arc<dyn DatagramFilter>;
    let options = EndpointOptions::default().with_server(Some(server)).with_filter(filter);
    let server = driver.open(options, driver.socket(Side::Server, None).unwrap());
    let client = driver.client();
    let address = server.local_addr().unwrap();
    let connecting = client.connect_with(config.clone(), address, "localhost").unwrap();
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (connection, accepted) = join!(connecting, accept);
    let other = driver.socket(Side::Client, None).unwrap();
    driver.send(&other, address, b"\x00\x01 where am I?").unwrap();
    driver.send(&other, address, b"\x16 hello").unwrap();
    driver.until("taken", || !stun.kept.lock().unwrap().is_empty()).await;
    let connection = connection.unwrap();
    transfer(&connection, &accepted, 100_000).await;
    let expected = (driver.address(&other), b"\x00\x01 where am I?".to_vec());
    assert!(*stun.kept.lock().unwrap() == [expected], "QUIC was taken, or something changed");

    // The endpoint sees nothing of what is taken, even if it is QUIC.
    let unwanted = driver.client();
    stun.unwanted.set(unwanted.local_addr().unwrap()).unwrap();
    let connecting = unwanted.connect_with(config, address, "localhost").unwrap();
    driver.until("taken", || stun.kept.lock().unwrap().len() > 1).await;
    transfer(&connection, &accepted, 100_000).await;
    assert!(poll_once(server.accept()).await.is_none(), "what was taken arrived");
    drop(connecting);
}

/// Takes what is not QUIC, and looks at its endpoint first.
#[derive(Debug, Default)]
struct Curious {
    endpoint: OnceLock<driver::Endpoint>,
    /// What it saw each time.
    seen: Mutex<Vec<Option<usize>>>,
}

impl Curious {
    /// What the endpoint says, unless it does not answer.
    fn look(&self) -> Option<usize> {
        let endpoint = self.endpoint.get()?.clone();
        let (sender, receiver) = mpsc::channel();
        // Whoever would wait for the loop would wait for ever, so that another thread does.
        thread::spawn(move || sender.send(endpoint.open_connections()));
        receiver.recv_timeout(Duration::from_secs(10)).ok()
    }
}

impl DatagramFilter for Curious {
    fn takes(&self, train: &Train<'_>) -> bool {
        let takes = !train.contents.first().is_some_and(|first| driver::is_quic(*first));
        if takes {
            let seen = self.look();
            self.seen.lock().unwrap().push(seen);
        }
        takes
    }
}

pub(crate) async fn who_looks_at_datagrams_first_may_use_the_endpoint<D: Driver>(driver: D) {
    let (mut server, config) = configs();
    Arc::make_mut(&mut server.transport).grease_quic_bit = false;
    let curious = Arc::new(Curious::default());
    let filter = Arc::clone(&curious) as Arc<dyn DatagramFilter>;
    let options = EndpointOptions::default().with_server(Some(server)).with_filter(filter);
    let server = driver.open(options, driver.socket(Side::Server, None).unwrap());
    let client = driver.client();
    let address = server.local_addr().unwrap();
    let connecting = client.connect_with(config, address, "localhost").unwrap();
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (connection, accepted) = join!(connecting, accept);
    let connection = connection.unwrap();
    transfer(&connection, &accepted, 1000).await;
    curious.endpoint.set((*server).clone()).unwrap();
    let other = driver.socket(Side::Client, None).unwrap();
    driver.send(&other, address, b"\x00\x01 who is there?").unwrap();
    driver.until("seen", || !curious.seen.lock().unwrap().is_empty()).await;
    assert_eq!(*curious.seen.lock().unwrap(), [Some(1)]);
    transfer(&connection, &accepted, 100_000).await;
    // The filter has a handle, with which the endpoint would not end by itself.
    server.close(VarInt::from_u32(0), b"");
}
