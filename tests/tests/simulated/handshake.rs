//! Connections begin (RFC 9000 §7, §8).

use std::sync::Arc;

use quic_core::{ConnectionError, Event, TransportErrorCode};
use quic_sim::null_tls::NullTls;
use quic_sim::pair::{Pair, SERVER_NAME, Setup};
use quic_sim::world::Incoming;

use super::{echo, millis, seconds};

/// The code that the peer closed the connection with.
pub(crate) fn close_code(error: &ConnectionError) -> TransportErrorCode {
    let ConnectionError::ConnectionClosed(error) = error else {
        panic!("closed otherwise: {error:?}");
    };
    error.code
}

#[test]
fn a_handshake_takes_one_round_trip_at_the_client_and_one_and_a_half_at_the_server() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    let at = |events: &[(quic_core::Instant, quic_core::ConnectionHandle, Event)], handle| {
        let found = events.iter().find(|event| event.1 == handle && event.2 == Event::Connected);
        found.unwrap().0
    };
    let start = pair.now() - pair.elapsed();
    assert_eq!(at(&pair.client.events, client) - start, millis(20));
    assert_eq!(at(&pair.server.events, server) - start, millis(30));
}

#[test]
fn both_ends_know_with_whom_they_speak_rustls() {
    let mut pair = Pair::with_rustls(1);
    let (client, server) = pair.connect();
    pair.run_for(seconds(1));
    let data = pair.client.with(client, |c| c.handshake_data().unwrap());
    assert_eq!(data.protocol.as_deref(), Some(&b"test"[..]));
    assert!(pair.client.with(client, |c| c.peer_identity()).is_some());
    assert!(pair.server.with(server, |c| !c.is_handshaking()));
    echo(&mut pair, client, 10_000, seconds(1));
}

#[test]
fn an_idle_handshake_sends_few_datagrams() {
    let mut pair = Setup::new(1).transport(|t| t.max_mtu = 1200).build();
    pair.connect();
    pair.run_for(seconds(5));
    assert!(pair.network.trace.sent.len() <= 9, "{:#?}", pair.network.trace.sent);
}

#[test]
fn a_client_hello_may_be_spread_over_several_initials() {
    for length in [1100, 1200, 2000, 4000, 9000] {
        for seed in 0..3 {
            let tls = Arc::new(NullTls { client_hello_length: length, ..NullTls::default() });
            let mut pair = Setup::with_tls(seed, tls.clone(), tls)
                .link(|link| {
                    link.reorder = 0.5;
                    link.jitter = millis(1);
                })
                .build();
            let (client, _) = pair.connect();
            echo(&mut pair, client, 10_000, seconds(5));
        }
    }
}

#[test]
fn a_server_sends_at_most_three_times_what_came_before_the_address_is_validated() {
    let tls = || Arc::new(NullTls { certificate_length: 9000, ..NullTls::default() });
    // Whether the client hears of the server or not.
    for client_hears in [true, false] {
        let mut pair = Setup::with_tls(3, tls(), tls()).build();
        if client_hears {
            // With its second datagram it would validate its address.
            pair.to_server().drops = (1..1000).collect();
        } else {
            pair.to_client().cut = true;
        }
        pair.start();
        let end = pair.now() + seconds(9);
        while pair.step_until(end) {
            let (sent, came) = (pair.server.bytes_sent, pair.server.bytes_received);
            assert!(sent <= 3 * came, "{sent} bytes sent after {came} came");
        }
        assert!(pair.server.bytes_sent >= 3600, "{} bytes sent", pair.server.bytes_sent);
        assert!(pair.server.bytes_received >= if client_hears { 1200 } else { 3 * 1200 });
        assert!(pair.server.connected.is_empty());
    }
}

#[test]
fn a_long_certificate_chain_arrives_whatever_is_lost() {
    for lost in 0..8 {
        let tls = Arc::new(NullTls { certificate_length: 9000, ..NullTls::default() });
        let mut pair = Setup::with_tls(lost, tls.clone(), tls).build();
        pair.to_client().drops = [lost].into();
        let (client, _) = pair.connect();
        echo(&mut pair, client, 1000, seconds(5));
    }
}

#[test]
fn an_unknown_version_is_answered_with_the_known_ones() {
    let mut pair = Pair::new(1);
    let mut config = (*pair.client_config).clone();
    config.version = 0x5a6a_7a8a;
    config.versions = Vec::new();
    pair.client_config = Arc::new(config);
    let client = pair.start();
    pair.wait("lost", seconds(1), |pair| pair.client.lost.contains_key(&client));
    assert_eq!(pair.client.lost.get(&client), Some(&ConnectionError::VersionMismatch));
    assert!(pair.server.attempts.is_empty());
}

#[test]
fn a_refused_client_hears_of_it() {
    let mut pair = Pair::new(1);
    pair.server.incoming = Incoming::Refuse;
    let client = pair.start();
    pair.wait("lost", seconds(1), |pair| pair.client.lost.contains_key(&client));
    let code = close_code(&pair.client.lost[&client]);
    assert_eq!(code, TransportErrorCode::CONNECTION_REFUSED);
}

#[test]
fn attempts_beyond_the_backlog_are_refused_and_those_within_wait() {
    let mut setup = Setup::new(1);
    setup.accept_backlog = 2;
    let mut pair = setup.build();
    pair.server.incoming = Incoming::Wait;
    let clients = [pair.start(), pair.start(), pair.start()];
    pair.wait("refused", seconds(1), |pair| !pair.client.lost.is_empty());
    assert_eq!(pair.server.attempts.len(), 2);
    let (lost, error) = pair.client.lost.first_key_value().unwrap();
    assert_eq!((*lost, close_code(error)), (clients[2], TransportErrorCode::CONNECTION_REFUSED));
    let now = pair.now();
    for attempt in pair.server.attempts.clone() {
        quic_core::PacketHandlerManager::accept(pair.server.manager(), now, attempt, None).unwrap();
    }
    pair.wait("connected", seconds(3), |pair| pair.server.connected.len() == 2);
    // There is room again.
    pair.server.incoming = Incoming::Accept;
    pair.connect();
}

#[test]
fn a_server_that_stopped_listening_refuses_and_keeps_its_connections() {
    let mut pair = Pair::new(1);
    let (client, _) = pair.connect();
    quic_core::PacketHandlerManager::stop_listening(pair.server.manager());
    let late = pair.start();
    pair.wait("lost", seconds(1), |pair| pair.client.lost.contains_key(&late));
    echo(&mut pair, client, 1000, seconds(1));
}

#[test]
fn a_handshake_that_nobody_answers_times_out() {
    let mut pair = Pair::new(1);
    pair.to_server().cut = true;
    let client = pair.start();
    pair.wait("lost", seconds(11), |pair| pair.client.lost.contains_key(&client));
    assert_eq!(pair.client.lost.get(&client), Some(&ConnectionError::HandshakeTimedOut));
    assert!(pair.elapsed() >= seconds(10));
    assert!(pair.network.trace.sent.len() <= 10, "{} datagrams", pair.network.trace.sent.len());
    pair.run_to_end();
}

#[test]
fn a_server_gives_up_half_open_connections() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-21.6
    //= type=test
    //# QUIC deployments SHOULD provide mitigations for the Slowloris attacks,
    //# such as increasing the maximum number of clients the server will
    //# allow, limiting the number of connections a single IP address is
    //# allowed to make, imposing restrictions on the minimum transfer speed a
    //# connection is allowed to have, and restricting the length of time an
    //# endpoint is allowed to stay connected.
    let mut pair = Pair::new(1);
    pair.to_client().cut = true;
    pair.start();
    pair.run_for(seconds(30));
    assert_eq!(pair.server.lost.len(), 1);
    assert!(pair.server.connected.is_empty());
    pair.run_to_end();
}

#[test]
fn tls_that_fails_closes_both_ends_with_its_alert() {
    let tls = |protocol: &[u8]| {
        Arc::new(NullTls { protocols: vec![protocol.to_vec()], ..NullTls::default() })
    };
    let mut pair = Setup::with_tls(1, tls(b"one"), tls(b"other")).build();
    let client = pair.start();
    pair.wait("lost", seconds(1), |pair| pair.client.lost.contains_key(&client));
    assert_eq!(close_code(&pair.client.lost[&client]), TransportErrorCode::crypto(120));
    pair.run_to_end();
}

#[test]
fn many_clients_of_one_socket_connect_at_once() {
    let mut pair = Pair::new(1);
    pair.server.application.echo = true;
    let clients: Vec<_> = (0..50).map(|_| pair.start()).collect();
    pair.wait("connected", seconds(5), |pair| pair.server.connected.len() == 50);
    for client in clients {
        echo(&mut pair, client, 100, seconds(1));
    }
}

#[test]
fn a_session_is_resumed() {
    let mut pair = Pair::with_rustls(1);
    let (first, _) = pair.connect();
    echo(&mut pair, first, 1000, seconds(1));
    let (second, _) = pair.connect();
    echo(&mut pair, second, 1000, seconds(1));
}

#[test]
fn a_client_can_do_without_connection_ids_for_one_connection() {
    let mut setup = Setup::new(1);
    setup.client_endpoint.connection_id_length = 0;
    let mut pair = setup.build();
    let (client, _) = pair.connect();
    echo(&mut pair, client, 100_000, seconds(1));
    let (server, config) = (pair.server.address(), Arc::clone(&pair.client_config));
    let second = pair.client.connect(server, SERVER_NAME, config);
    assert_eq!(second, Err(quic_core::ConnectError::TooManyConnections));
    pair.client.close(client, 0, b"");
    pair.run_for(seconds(5));
    pair.connect();
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-14.1
//= type=test
//# A client MUST expand the payload of all UDP datagrams carrying Initial
//# packets to at least the smallest allowed maximum datagram size of 1200
//# bytes by adding PADDING frames to the Initial packet or by coalescing
//# the Initial packet; see Section 12.2.
//= https://www.rfc-editor.org/rfc/rfc9000#section-14.1
//= type=test
//# Similarly, a server MUST expand the payload of all UDP datagrams
//# carrying ack-eliciting Initial packets to at least the smallest
//# allowed maximum datagram size of 1200 bytes.
#[test]
fn datagrams_with_initial_packets_are_full() {
    for seed in 0..20 {
        let mut pair = Setup::with_rustls(seed).link(|link| link.loss = 0.2).build();
        pair.start();
        pair.run_for(seconds(5));
        let initial = |sent: &&quic_sim::network::Sent| sent.first_byte & 0xf0 == 0xc0;
        let client = pair.network.trace.by(quic_core::Side::Client).filter(initial);
        assert!(client.clone().count() > 0);
        for sent in client {
            assert!(sent.length >= 1200, "{sent:?}");
        }
        // What a server sends first says more than that it acknowledges, unless a probe without the
        // ClientHello came through alone.
        let first = pair.network.trace.by(quic_core::Side::Server).find(initial);
        let is_full = |sent: &quic_sim::network::Sent| sent.length >= 1200 || sent.length < 64;
        assert!(first.is_none_or(is_full), "{first:?}");
    }
}
