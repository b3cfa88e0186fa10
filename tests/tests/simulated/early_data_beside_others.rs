//! 0-RTT beside datagrams (RFC 9221), versions (RFC 9368) and Retry.

use bytes::Bytes;
use quic_core::{
    Connection, ConnectionHandle, DatagramOutcome, DatagramReport, Direction, EarlyDataStatus,
    OutgoingDatagram, QUIC_V1, QUIC_V2, ServerVersions, Side, VersionChoice,
};
use quic_sim::pair::{Pair, Setup};
use quic_sim::seeds::seeds;
use quic_sim::world::Incoming;

use super::early_data::{
    all_received, refusing, rustls_setup, setup, start_with, status, visited, wait_for,
    was_rejected,
};
use super::{echo, millis, seconds};

const BOTH: [u32; 2] = [QUIC_V1, QUIC_V2];

/// Queues a datagram of the most bytes that one may have now; returns how many.
fn send_largest(pair: &mut Pair, client: ConnectionHandle) -> usize {
    pair.client.with(client, |connection| {
        let mut datagrams = connection.datagrams();
        // It is remembered that the server takes them.
        let size = datagrams.maximum_size().unwrap();
        let data = Bytes::from(vec![7; size]);
        datagrams.send(OutgoingDatagram::new(data).reported_as(1)).unwrap();
        size
    })
}

fn reports(pair: &mut Pair, client: ConnectionHandle) -> Vec<DatagramOutcome> {
    pair.client.with(client, |connection| {
        let mut datagrams = connection.datagrams();
        let reports = std::iter::from_fn(|| datagrams.next_report());
        reports.map(|DatagramReport { outcome, .. }| outcome).collect()
    })
}

/// Lengths of the datagrams that the last server received.
fn datagrams_at_server(pair: &mut Pair) -> Vec<usize> {
    let server = *pair.server.connected.last().unwrap();
    pair.server.with(server, |connection| {
        let mut datagrams = connection.datagrams();
        std::iter::from_fn(|| datagrams.receive()).map(|data| data.len()).collect()
    })
}

/// The versions of the datagrams of the client that begin with a 0-RTT packet, from one on.
fn early_versions(pair: &Pair, from: usize) -> Vec<u32> {
    let sent = pair.network.trace.by(Side::Client).skip(from);
    let early = sent.filter(|sent| match sent.version() {
        Some(QUIC_V1) => sent.first_byte & 0xf0 == 0xd0,
        Some(QUIC_V2) => sent.first_byte & 0xf0 == 0xe0,
        _ => false,
    });
    early.filter_map(quic_sim::network::Sent::version).collect()
}

#[test]
fn the_largest_datagram_fits_a_0_rtt_packet() {
    //= https://www.rfc-editor.org/rfc/rfc8899#section-5
    //= type=test
    //# A PL MUST adjust the MPS indicated by DPLPMTUD to account for any additional overhead
    //# introduced by the PL.
    for make in [setup, rustls_setup] {
        for length in [0, 8, 20] {
            let mut setup = make(1);
            setup.client_endpoint.connection_id_length = length;
            let mut pair = visited(setup.build());
            let before = pair.network.trace.by(Side::Client).count();
            let client = pair.start();
            let size = send_largest(&mut pair, client);
            pair.settle();
            let is_early = pair
                .network
                .trace
                .by(Side::Client)
                .skip(before)
                .any(|sent| sent.first_byte & 0xf0 == 0xd0 && sent.length > size);
            assert!(is_early, "ID of {length}, datagram of {size}");
            pair.wait("connected", seconds(2), |pair| pair.server.connected.len() == 2);
            assert_eq!(datagrams_at_server(&mut pair), [size]);
            pair.run_for(seconds(1));
            assert_eq!(reports(&mut pair, client), [DatagramOutcome::Acknowledged]);
        }
    }
}

#[test]
fn datagrams_of_rejected_early_data_are_lost_and_told_so() {
    let mut pair = refusing(1);
    let client = pair.start();
    send_largest(&mut pair, client);
    pair.wait("rejected", seconds(2), |pair| was_rejected(pair, client));
    assert_eq!(reports(&mut pair, client), [DatagramOutcome::Lost]);
    pair.run_for(seconds(2));
    assert_eq!(reports(&mut pair, client), []);
    assert_eq!(datagrams_at_server(&mut pair), [0; 0]);
    // Those of the connection itself are not mistaken for them.
    let size = send_largest(&mut pair, client);
    pair.run_for(seconds(1));
    assert_eq!(datagrams_at_server(&mut pair), [size]);
    assert_eq!(reports(&mut pair, client), [DatagramOutcome::Acknowledged]);
}

#[test]
fn datagrams_that_a_retry_answers_are_lost_and_told_so() {
    let mut pair = visited(setup(1).build());
    pair.rebind(([203, 0, 113, 9], 999).into());
    pair.server.incoming = Incoming::Retry;
    let client = pair.start();
    send_largest(&mut pair, client);
    pair.wait("connected", seconds(2), |pair| pair.client.connected.contains(&client));
    pair.run_for(seconds(1));
    assert_eq!(pair.retries_sent(), 1);
    assert_eq!(reports(&mut pair, client), [DatagramOutcome::Lost]);
}

/// Two ends that do early data, with these versions.
fn with_versions(mut setup: Setup, version: u32, wanted: &[u32], choice: VersionChoice) -> Setup {
    setup.version = version;
    setup.client_versions = wanted.to_vec();
    setup.server_versions = ServerVersions::new(&BOTH);
    setup.server_versions.choice = choice;
    setup
}

/// Waits for the end of the handshake, resending if it has to be, and checks that everything
/// arrives, once, in a connection of `version`; returns what became of the early data.
fn finish(
    pair: &mut Pair,
    (client, id): (ConnectionHandle, quic_core::StreamId),
    version: u32,
) -> Option<EarlyDataStatus> {
    let mut resent = false;
    pair.wait("connected", seconds(20), |pair| {
        if !resent && was_rejected(pair, client) {
            pair.client.with(client, Connection::resend_early_data);
            resent = true;
        }
        pair.client.connected.contains(&client)
    });
    wait_for(pair, id);
    assert_eq!(all_received(pair), [vec![7; 3000]]);
    assert_eq!(pair.client.with(client, |connection| connection.version()), version);
    let status = status(pair, client);
    echo(pair, client, 10_000, seconds(20));
    status
}

#[test]
fn version_2_has_early_data_of_its_own() {
    for make in [setup, rustls_setup] {
        let setup = with_versions(make(1), QUIC_V2, &[QUIC_V2], VersionChoice::Client);
        let mut pair = visited(setup.build());
        let before = pair.network.trace.by(Side::Client).count();
        let started = start_with(&mut pair, &[7; 3000]);
        assert_eq!(finish(&mut pair, started, QUIC_V2), Some(EarlyDataStatus::Accepted));
        let early = early_versions(&pair, before);
        assert!(!early.is_empty() && early.iter().all(|version| *version == QUIC_V2));
    }
}

#[test]
fn a_client_that_offers_several_versions_sends_early_data_in_the_first() {
    for make in [setup, rustls_setup] {
        let setup = with_versions(make(1), QUIC_V1, &BOTH, VersionChoice::Client);
        let mut pair = visited(setup.build());
        let started = start_with(&mut pair, &[7; 3000]);
        assert_eq!(finish(&mut pair, started, QUIC_V1), Some(EarlyDataStatus::Accepted));
    }
}

#[test]
fn a_server_that_would_move_the_connection_stays_where_the_early_data_is() {
    for make in [setup, rustls_setup] {
        for (seed, loss) in seeds(10).map(|seed| (seed, if seed == 0 { 0.0 } else { 0.1 })) {
            let wanted = [QUIC_V2, QUIC_V1];
            let setup = with_versions(make(seed), QUIC_V1, &wanted, VersionChoice::Stay);
            let mut pair = visited(setup.build());
            pair.setup.server_versions.choice = VersionChoice::Client;
            pair.restart_server();
            pair.to_server().loss = loss;
            pair.to_client().loss = loss;
            let started = start_with(&mut pair, &[7; 3000]);
            let status = finish(&mut pair, started, QUIC_V1);
            assert_eq!(status, Some(EarlyDataStatus::Accepted), "seed {seed}");
        }
    }
}

#[test]
fn after_version_negotiation_early_data_waits_for_the_handshake() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.6
    //= type=test
    //# A client SHOULD stop sending 0-RTT data if it receives an indication that 0-RTT data
    //# has been rejected.
    for make in [setup, rustls_setup] {
        let setup = with_versions(make(1), QUIC_V1, &BOTH, VersionChoice::Client);
        let mut pair = visited(setup.build());
        pair.setup.server_versions = ServerVersions::new(&[QUIC_V2]);
        pair.restart_server();
        let before = pair.now();
        let started = start_with(&mut pair, &[7; 3000]);
        assert_eq!(finish(&mut pair, started, QUIC_V2), Some(EarlyDataStatus::Rejected));
        let later = pair.network.trace.by(Side::Client).filter(|sent| sent.at > before + millis(1));
        let early = later.filter(|sent| {
            matches!(
                (sent.version(), sent.first_byte & 0xf0),
                (Some(QUIC_V1), 0xd0) | (Some(QUIC_V2), 0xe0)
            )
        });
        assert_eq!(early.count(), 0, "0-RTT packets after Version Negotiation");
    }
}

#[test]
fn a_client_that_was_not_told_to_sends_no_early_data_rustls() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.6
    //= type=test
    //# A client therefore MUST NOT use 0-RTT for application data unless specifically
    //# requested by the application that is in use.
    let mut setup = rustls_setup(1);
    let config = quic_core::crypto::TlsClientConfig::dangerous_without_verification(&[b"test"]);
    setup.client_tls = std::sync::Arc::new(config.unwrap());
    let mut pair = visited(setup.build());
    let before = pair.network.trace.by(Side::Client).count();
    let client = pair.start();
    assert_eq!(status(&mut pair, client), None);
    pair.client.with(client, |connection| {
        assert!(connection.open_stream(Direction::Unidirectional).is_err());
        assert_eq!(connection.datagrams().maximum_size(), None);
    });
    pair.wait("connected", seconds(2), |pair| pair.client.connected.contains(&client));
    echo(&mut pair, client, 10_000, seconds(2));
    assert_eq!(early_versions(&pair, before), [0; 0]);
}
