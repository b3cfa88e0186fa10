use std::net::SocketAddr;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;

use super::*;
use crate::config::{ClientConfig, TransportConfig};
use crate::crypto::{Keyring, TlsClientConfig, TlsServerConfig};
use crate::datagrams::OutgoingDatagram;
use crate::error::ConnectionError;
use crate::event::DatagramEvent;
use crate::net::PathAddresses;

/// A server and clients of it, each with an address of its own, on a network without delay.
struct World {
    now: Instant,
    server: Endpoint,
    client: Endpoint,
    config: Arc<ClientConfig>,
}

fn address(host: u8) -> SocketAddr {
    ([192, 0, 2, host], 443).into()
}

fn seeded(seed: u8) -> SeededRandom {
    SeededRandom::from_seed([seed; 32])
}

impl World {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let transport = TransportConfig::for_plain_sockets;
        let tls = TlsServerConfig::from_certificate(vec![certificate], key, &[b"test"]).unwrap();
        let listen = ServerConfig::new(Arc::new(tls), transport(), Keyring::new([3; 32])).unwrap();
        let tls = TlsClientConfig::from_roots(roots, &[b"test"]).unwrap();
        let config = Arc::new(ClientConfig::new(Arc::new(tls), transport()).unwrap());
        let mut server = Endpoint::new(seeded(1));
        server.listen(Arc::new(listen));
        let now = Instant::EPOCH + Duration::from_secs(1);
        Self { now, server, client: Endpoint::new(seeded(2)), config }
    }

    fn connect(&mut self) -> ConnectionHandle {
        let path = address(1).into();
        let target = Connect { path, server_name: "localhost", config: self.config.clone() };
        self.client.connect(self.now, target).unwrap()
    }

    /// Carries datagrams, accepts attempts, and lets a millisecond pass; returns what both ends
    /// heard.
    fn turn(&mut self) -> (Vec<Event>, Vec<Event>) {
        let Self { now, server, client, .. } = self;
        carry(*now, client, address(2), server);
        carry(*now, server, address(1), client);
        let mut heard = (Vec::new(), Vec::new());
        while let Some((_, event)) = client.poll_event() {
            heard.0.push(event);
        }
        while let Some((handle, event)) = server.poll_event() {
            if event == Event::Incoming {
                assert!(!server.incoming(handle).unwrap().validated);
                server.accept(*now, handle).unwrap();
            }
            heard.1.push(event);
        }
        *now += Duration::from_millis(1);
        client.handle_timeout(*now);
        server.handle_timeout(*now);
        heard
    }

    fn turns(&mut self, count: u32) -> (Vec<Event>, Vec<Event>) {
        let mut heard = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (client, server) = self.turn();
            heard.0.extend(client);
            heard.1.extend(server);
        }
        heard
    }
}

fn carry(now: Instant, from: &mut Endpoint, address: SocketAddr, to: &mut Endpoint) {
    let mut memory = [0; 15_000];
    while let Some(sent) = from.poll_transmit(now, &mut TransmitBuffer::new(&mut memory, 10)) {
        for datagram in sent.datagrams(&memory) {
            let path = PathAddresses { socket: SocketId(7), ..address.into() };
            to.handle_datagram(now, UdpDatagram::new(path, &mut datagram.to_vec()));
        }
    }
}

#[test]
fn an_endpoint_can_go_to_another_thread() {
    fn movable<T: Send>() {}
    movable::<Endpoint>();
}

#[test]
fn an_endpoint_needs_no_name_for_its_socket_and_believes_no_other() {
    let mut world = World::new();
    let target = Connect {
        path: PathAddresses { socket: SocketId(7), ..address(1).into() },
        server_name: "localhost",
        config: world.config.clone(),
    };
    let handle = world.client.connect(world.now, target).unwrap();
    let heard = world.turns(10);
    assert!(heard.0.contains(&Event::Connected) && heard.1.contains(&Event::Connected));
    let path = world.client.with_connection(world.now, handle, |it| it.path());
    assert_eq!(path, Some(address(1).into()));
    let connection = world.server.manager().connections()[0];
    let path = world.server.with_connection(world.now, connection, |it| it.path());
    assert_eq!(path, Some(address(2).into()));
}

#[test]
fn a_closed_endpoint_tells_all_peers_takes_no_new_ones_and_is_empty_in_the_end() {
    let mut world = World::new();
    world.connect();
    world.connect();
    world.turns(10);
    assert_eq!(world.server.manager().connections().len(), 2);
    world.connect(); // Begun, but not accepted yet.
    let begun = world.client.poll_transmit(world.now, &mut TransmitBuffer::new(&mut [0; 1500], 1));
    assert!(begun.is_some());

    assert!(!world.server.is_empty());
    world.server.close(world.now, VarInt::from_u32(5), &Bytes::from_static(b"over"));
    let heard = world.turns(10);
    assert!(world.server.manager().connections().is_empty());
    assert!(!world.server.is_empty(), "a peer may have to be told again");
    let told = |event: &&Event| {
        matches!(event, Event::Lost(ConnectionError::ApplicationClosed(close))
            if close.error_code == VarInt::from_u32(5))
    };
    assert_eq!(heard.0.iter().filter(told).count(), 2, "{heard:?}");
    let ours = Event::Lost(ConnectionError::LocallyClosed);
    assert_eq!(heard.1.iter().filter(|event| **event == ours).count(), 2, "{heard:?}");

    world.connect();
    world.turns(15_000);
    assert!(world.server.is_empty());
    assert!(world.client.is_empty());
}

#[test]
fn nobody_sleeps_over_an_event_that_sending_made() {
    let mut world = World::new();
    let handle = world.connect();
    world.turns(200);
    assert!(world.client.poll_timeout().is_some_and(|at| at > world.now));
    world.client.with_connection(world.now, handle, |connection| {
        let datagram = OutgoingDatagram::new(Bytes::from_static(b"late")).reported_as(1);
        let expires = world.now + Duration::from_millis(1);
        connection.datagrams().send(datagram.expiring(expires)).unwrap();
    });
    assert_eq!(world.client.poll_event(), None);
    world.now += Duration::from_millis(1);
    let mut memory = [0; 1500];
    let mut buffer = TransmitBuffer::new(&mut memory, 1);
    let sent = world.client.poll_transmit(world.now, &mut buffer);
    assert_eq!(sent, None, "it expired");
    assert_eq!(world.client.poll_timeout(), Some(Instant::EPOCH));
    let reported = Event::Datagram(DatagramEvent::Reported);
    assert_eq!(world.client.poll_event(), Some((handle, reported)));
    assert_ne!(world.client.poll_timeout(), Some(Instant::EPOCH));
}

#[test]
fn an_endpoint_takes_no_connection_ids_that_cannot_work() {
    let config = EndpointConfig { connection_id_length: 3, ..EndpointConfig::default() };
    let made = Endpoint::<Box<Connection>>::with_config(Arc::new(config), seeded(1));
    assert_eq!(made.unwrap_err(), AddSocketError::InvalidConnectionIdLength(3));
}
