//! 0-RTT (RFC 9001 §4.6).

use std::sync::Arc;

use quic_core::crypto::{TlsClientConfig, TlsServerConfig};
use quic_core::{
    AddressValidation, ConnectionHandle, Direction, EarlyDataStatus, Event, Side, StreamId,
    TransportConfig, TransportErrorCode,
};
use quic_tests::network::{CLIENT, Incoming, Pair, Setup, certificate};
use quic_tests::null_tls::NullTls;

use super::handshake::close_code;
use super::{millis, seconds};

/// Null TLS of an end with early data and tickets.
fn tls(protocols: &[&[u8]]) -> NullTls {
    let protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    NullTls { protocols, ticket_length: 100, early_data: true, ..NullTls::default() }
}

/// Two ends that do early data, by the null TLS.
fn setup(seed: u64) -> Setup {
    Setup::with_tls(seed, Arc::new(tls(&[b"a"])), Arc::new(tls(&[b"a"])))
}

fn rustls_setup(seed: u64) -> Setup {
    let (chain, key) = certificate();
    let server = TlsServerConfig::from_certificate(chain, key, &[b"test"]).unwrap();
    let client = TlsClientConfig::dangerous_without_verification(&[b"test"]).unwrap();
    let (client, server) = (client.offer_early_data(true), server.accept_early_data(true));
    Setup::with_tls(seed, Arc::new(client), Arc::new(server))
}

/// Connects once, for a ticket.
fn visited(mut pair: Pair) -> Pair {
    let (client, _) = pair.connect();
    pair.run_for(seconds(1));
    pair.client.close(client, 0, b"");
    pair.run_for(seconds(10));
    pair
}

/// Opens a connection and sends on it at once.
fn start_with(pair: &mut Pair, bytes: &[u8]) -> (ConnectionHandle, StreamId) {
    let client = pair.start();
    let id = pair.client.send_all(client, Direction::Unidirectional, bytes.to_vec());
    (client, id)
}

fn status(pair: &mut Pair, client: ConnectionHandle) -> Option<EarlyDataStatus> {
    pair.client.with(client, |connection| connection.early_data())
}

fn was_rejected(pair: &Pair, client: ConnectionHandle) -> bool {
    let events = &pair.client.events;
    events.iter().any(|(_, handle, event)| *handle == client && *event == Event::EarlyDataRejected)
}

/// What every connection of the server got on its streams, in all.
fn all_received(pair: &Pair) -> Vec<Vec<u8>> {
    let received = pair.server.application.received.values();
    received.filter(|received| received.length > 0).map(|got| got.bytes.clone()).collect()
}

/// Waits until the server has read all of a stream.
fn wait_for(pair: &mut Pair, id: StreamId) {
    pair.wait("received", seconds(20), |pair| {
        pair.server.application.received.iter().any(|((_, stream), got)| *stream == id && got.finished)
    });
}

#[test]
fn early_data_arrives_with_the_first_flight() {
    for make in [setup, rustls_setup] {
        let mut pair = visited(make(1).build());
        pair.to_server.delay = millis(25);
        let before = pair.now();
        let (client, id) = start_with(&mut pair, &[7; 3000]);
        assert_eq!(status(&mut pair, client), Some(EarlyDataStatus::Offered));
        wait_for(&mut pair, id);
        assert_eq!(pair.now() - before, millis(25), "it took half a round trip");
        pair.wait("connected", seconds(2), |pair| pair.client.connected.contains(&client));
        assert_eq!(status(&mut pair, client), Some(EarlyDataStatus::Accepted));
        assert!(!was_rejected(&pair, client));
        assert_eq!(all_received(&pair), [vec![7; 3000]]);
        pair.wait("delivered", seconds(2), |pair| pair.client.application.delivered.len() == 1);
    }
}

#[test]
fn more_early_data_than_the_first_flight_holds_goes_on_after_the_handshake() {
    for make in [setup, rustls_setup] {
        let mut pair = visited(make(1).build());
        let (_, id) = start_with(&mut pair, &[7; 400_000]);
        wait_for(&mut pair, id);
        assert_eq!(all_received(&pair), [vec![7; 400_000]]);
    }
}

#[test]
fn a_first_connection_has_no_early_data() {
    for make in [setup, rustls_setup] {
        let mut pair = make(1).build();
        let client = pair.start();
        assert_eq!(status(&mut pair, client), None);
        pair.wait("connected", seconds(2), |pair| pair.client.connected.contains(&client));
        assert_eq!(status(&mut pair, client), None);
        assert!(!was_rejected(&pair, client));
    }
}
