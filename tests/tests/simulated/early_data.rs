//! 0-RTT (RFC 9001 §4.6).

use std::sync::Arc;

use quic_core::crypto::{TlsClientConfig, TlsServerConfig};
use quic_core::{
    Connection, ConnectionError, ConnectionHandle, Direction, EarlyDataStatus, Event, ReadOutcome,
    Side, StreamId, TransportConfig, TransportErrorCode,
};
use quic_sim::null_tls::NullTls;
use quic_sim::pair::{Pair, Setup, certificate};
use quic_sim::seeds::seeds;
use quic_sim::world::Incoming;

use super::{echo, millis, noise, seconds};

/// Null TLS of an end with early data and tickets.
fn tls(protocols: &[&[u8]]) -> NullTls {
    let protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    NullTls { protocols, ticket_length: 100, early_data: true, ..NullTls::default() }
}

/// Two ends that do early data, by the null TLS.
pub(super) fn setup(seed: u64) -> Setup {
    Setup::with_tls(seed, Arc::new(tls(&[b"a"])), Arc::new(tls(&[b"a"])))
}

pub(super) fn rustls_setup(seed: u64) -> Setup {
    let (chain, key) = certificate();
    let server = TlsServerConfig::from_certificate(chain, key, &[b"test"]).unwrap();
    let client = TlsClientConfig::dangerous_without_verification(&[b"test"]).unwrap();
    let (client, server) = (client.offer_early_data(true), server.accept_early_data(true));
    Setup::with_tls(seed, Arc::new(client), Arc::new(server))
}

/// Connects once, for a ticket.
pub(super) fn visited(mut pair: Pair) -> Pair {
    let (client, _) = pair.connect();
    pair.run_for(seconds(1));
    pair.client.close(client, 0, b"");
    pair.run_for(seconds(10));
    pair
}

/// Opens a connection and sends on it at once.
pub(super) fn start_with(pair: &mut Pair, bytes: &[u8]) -> (ConnectionHandle, StreamId) {
    let client = pair.start();
    let id = pair.client.send_all(client, Direction::Unidirectional, bytes.to_vec());
    (client, id)
}

pub(super) fn status(pair: &mut Pair, client: ConnectionHandle) -> Option<EarlyDataStatus> {
    pair.client.with(client, |connection| connection.early_data())
}

pub(super) fn was_rejected(pair: &Pair, client: ConnectionHandle) -> bool {
    let events = &pair.client.events;
    events.iter().any(|(_, handle, event)| *handle == client && *event == Event::EarlyDataRejected)
}

/// What every connection of the server got on its streams, in all.
pub(super) fn all_received(pair: &Pair) -> Vec<Vec<u8>> {
    let received = pair.server.application.received.values();
    received.filter(|received| received.length > 0).map(|got| got.bytes.clone()).collect()
}

/// Waits until the server has read all of a stream.
pub(super) fn wait_for(pair: &mut Pair, id: StreamId) {
    pair.wait("received", seconds(20), |pair| {
        pair.server
            .application
            .received
            .iter()
            .any(|((_, stream), got)| *stream == id && got.finished)
    });
}

#[test]
fn early_data_arrives_with_the_first_flight() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
    //= type=test
    //# The applicable subset of transport parameters that permit the sending of application
    //# data SHOULD be set to non-zero values for 0-RTT.
    for make in [setup, rustls_setup] {
        let mut pair = visited(make(1).build());
        pair.to_server().delay = millis(25);
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
        let (_, id) = start_with(&mut pair, &vec![7; 400_000]);
        wait_for(&mut pair, id);
        assert_eq!(all_received(&pair), [vec![7; 400_000]]);
    }
}

#[test]
fn the_handshake_does_not_wait_because_early_data_used_up_the_first_burst() {
    for make in [setup, rustls_setup] {
        let mut pair = visited(make(1).build());
        (pair.to_server().delay, pair.to_client().delay) = (millis(25), millis(25));
        let (before, visits) = (pair.now(), pair.server.connected.len());
        start_with(&mut pair, &vec![7; 400_000]);
        pair.wait("complete", seconds(2), |pair| pair.server.connected.len() > visits);
        assert_eq!(pair.now() - before, millis(75), "the client's last flight left at once");
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

/// Lets another server, which knows the sessions of the first, take the place of it.
fn another_server(pair: &mut Pair, server: NullTls) {
    pair.setup.server_tls = Arc::new(server);
    pair.restart_server();
}

/// A pair whose client has a ticket that allows early data, and whose server takes none any more.
pub(super) fn refusing(seed: u64) -> Pair {
    let mut pair = visited(setup(seed).build());
    another_server(&mut pair, NullTls { early_data: false, ..tls(&[b"a"]) });
    pair
}

/// Waits until the client knows that its early data was not taken.
fn wait_for_rejection(pair: &mut Pair, client: ConnectionHandle) {
    pair.wait("rejected", seconds(10), |pair| was_rejected(pair, client));
    assert_eq!(status(pair, client), Some(EarlyDataStatus::Rejected));
}

#[test]
fn rejected_early_data_waits_and_is_sent_again_on_the_same_streams() {
    let mut pair = refusing(1);
    let (client, id) = start_with(&mut pair, &noise(3000, 1));
    wait_for_rejection(&mut pair, client);
    pair.run_for(seconds(2));
    assert!(all_received(&pair).is_empty(), "nobody said to send it again");
    pair.client.with(client, Connection::resend_early_data);
    wait_for(&mut pair, id);
    assert_eq!(all_received(&pair), [noise(3000, 1)]);
    pair.wait("delivered", seconds(2), |pair| pair.client.application.delivered.len() == 1);
    echo(&mut pair, client, 10_000, seconds(2));
}

#[test]
fn rejected_early_data_can_be_forgotten_with_its_streams() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.6.2
    //= type=test
    //# The client therefore MUST
    //# reset the state of all streams, including application state bound to
    //# those streams.
    let mut pair = refusing(1);
    let (client, id) = start_with(&mut pair, &[7; 3000]);
    let unfinished = pair.client.with(client, |connection| {
        let id = connection.open_stream(Direction::Bidirectional).unwrap();
        connection.send_stream(id).write(b"half").unwrap();
        id
    });
    wait_for_rejection(&mut pair, client);
    pair.client.with(client, |connection| {
        connection.discard_early_data();
        assert!(connection.is_flushed());
        assert!(connection.send_stream(unfinished).write(b"and half").is_err());
    });
    let again = pair.client.send_all(client, Direction::Unidirectional, &b"again"[..]);
    assert_eq!(again, id);
    wait_for(&mut pair, id);
    assert_eq!(all_received(&pair), [b"again"]);
    echo(&mut pair, client, 10_000, seconds(2));
}

#[test]
fn rejected_early_data_survives_smaller_limits() {
    for seed in seeds(5) {
        let mut pair = visited(setup(seed).build());
        let tls = NullTls { early_data: false, ..tls(&[b"a"]) };
        pair.setup.server_transport.max_concurrent_uni_streams = 3;
        pair.setup.server_transport.stream_receive_window = 700;
        pair.setup.server_transport.receive_window = 1000;
        another_server(&mut pair, tls);
        pair.to_server().loss = 0.02;
        let client = pair.start();
        let all: Vec<_> = (0..10).map(|stream| noise(2000, stream)).collect();
        for bytes in &all {
            pair.client.send_all(client, Direction::Unidirectional, bytes.clone());
        }
        wait_for_rejection(&mut pair, client);
        pair.client.with(client, Connection::resend_early_data);
        pair.wait("delivered", seconds(60), |pair| pair.client.application.delivered.len() == 10);
        assert_eq!(all_received(&pair), all, "seed {seed}");
        pair.wait("flushed", seconds(5), |pair| pair.client.with(client, |c| c.is_flushed()));
        echo(&mut pair, client, 10_000, seconds(60));
    }
}

#[test]
fn what_happens_to_streams_while_they_wait_is_kept() {
    let mut pair = visited(setup(1).build());
    pair.setup.server_transport.max_concurrent_bidi_streams = 1;
    pair.setup.server_transport.stream_receive_window = 10;
    another_server(&mut pair, NullTls { early_data: false, ..tls(&[b"a"]) });
    pair.server.application.keep = true;
    let client = pair.start();
    let ids = pair.client.with(client, |connection| {
        [0_u8, 1, 2].map(|number| {
            let id = connection.open_stream(Direction::Bidirectional).unwrap();
            assert_eq!(connection.send_stream(id).write(&[number; 50]), Ok(50));
            id
        })
    });
    wait_for_rejection(&mut pair, client);
    pair.client.with(client, |connection| {
        let [one, two, three] = ids;
        assert!(connection.send_stream(one).write(b"more").is_err(), "it would overtake");
        assert!(
            connection.open_stream(Direction::Bidirectional).is_err(),
            "what ID would it have?"
        );
        connection.send_stream(one).finish().unwrap();
        connection.send_stream(two).reset(quic_core::VarInt::from_u32(5)).unwrap();
        connection.recv_stream(two).stop(quic_core::VarInt::from_u32(6)).unwrap();
        connection.resend_early_data();
        connection.send_stream(three).finish().unwrap();
    });
    pair.server.application.echo = true;
    pair.wait("echoed", seconds(10), |pair| pair.client.is_finished(client, ids[2]));
    assert_eq!(pair.client.received(client, ids[0]), [0; 50]);
    assert_eq!(pair.client.received(client, ids[2]), [2; 50]);
    let reset = pair.server.application.received.iter().find(|((_, id), _)| *id == ids[1]);
    assert!(reset.is_none_or(|(_, received)| received.length == 0), "it was reset");
    assert!(!pair.client.lost.contains_key(&client));
}

#[test]
fn another_application_protocol_rejects_early_data() {
    let mut pair =
        visited(Setup::with_tls(1, Arc::new(tls(&[b"a", b"b"])), Arc::new(tls(&[b"a"]))).build());
    let sessions = tls(&[b"b"]);
    another_server(&mut pair, sessions);
    let (client, _) = start_with(&mut pair, b"in the language of a");
    wait_for_rejection(&mut pair, client);
    let protocol = pair.client.with(client, |c| c.handshake_data().unwrap().protocol);
    assert_eq!(protocol.as_deref(), Some(&b"b"[..]));
    pair.client.with(client, Connection::discard_early_data);
    pair.run_for(seconds(2));
    assert!(all_received(&pair).is_empty());
}

#[test]
fn a_server_that_takes_early_data_and_reduces_its_limits_is_told_off() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
    //= type=test
    //# In particular, a server that accepts 0-RTT data
    //# MUST NOT set values for the following parameters (Section 18.2) that
    //# are smaller than the remembered values of the parameters.
    //= https://www.rfc-editor.org/rfc/rfc9221#section-3
    //= type=test
    //# If a client stores the value of the max_datagram_frame_size transport
    //# parameter with their 0-RTT state, they MUST validate that the new value
    //# of the max_datagram_frame_size transport parameter sent by the server in
    //# the handshake is greater than or equal to the stored value; if not, the
    //# client MUST terminate the connection with error PROTOCOL_VIOLATION.
    let changes: [fn(&mut TransportConfig); 5] = [
        |transport| transport.max_datagram_frame_size -= 1,
        |transport| transport.receive_window -= 1,
        |transport| transport.stream_receive_window -= 1,
        |transport| transport.max_concurrent_bidi_streams -= 1,
        |transport| transport.max_concurrent_uni_streams -= 1,
    ];
    for change in changes {
        let mut pair = visited(setup(1).build());
        change(&mut pair.setup.server_transport);
        pair.restart_server();
        let (client, _) = start_with(&mut pair, b"early");
        pair.wait("lost", seconds(2), |pair| pair.client.lost.contains_key(&client));
        let ConnectionError::TransportError(error) = &pair.client.lost[&client] else {
            panic!("{:?}", pair.client.lost);
        };
        assert_eq!(error.code, TransportErrorCode::PROTOCOL_VIOLATION);
    }
}

#[test]
fn a_server_takes_no_early_data_by_a_promise_that_it_cannot_keep_rustls() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
    //= type=test
    //# A server MUST reject 0-RTT data if the restored values for transport parameters cannot
    //# be supported.
    for (change, accepted) in [(-1_i64, false), (0, true), (1, true)] {
        let mut pair = visited(rustls_setup(1).build());
        let streams = &mut pair.setup.server_transport.max_concurrent_uni_streams;
        *streams = streams.saturating_add_signed(change);
        pair.restart_server();
        let (client, id) = start_with(&mut pair, b"early");
        pair.wait("connected", seconds(2), |pair| pair.client.connected.contains(&client));
        assert_eq!(was_rejected(&pair, client), !accepted, "limit changed by {change}");
        pair.client.with(client, Connection::resend_early_data);
        wait_for(&mut pair, id);
        assert_eq!(all_received(&pair), [b"early"]);
    }
}

#[test]
fn a_server_without_early_data_gets_it_later_rustls() {
    let mut pair = visited(rustls_setup(1).build());
    let (chain, key) = certificate();
    pair.setup.server_tls =
        Arc::new(TlsServerConfig::from_certificate(chain, key, &[b"test"]).unwrap());
    pair.restart_server();
    let (client, id) = start_with(&mut pair, &[7; 5000]);
    wait_for_rejection(&mut pair, client);
    pair.client.with(client, Connection::resend_early_data);
    wait_for(&mut pair, id);
    assert_eq!(all_received(&pair), [vec![7; 5000]]);
}

#[test]
fn each_ticket_is_used_once_rustls() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.5
    //= type=test
    //# Clients SHOULD NOT reuse tickets as that allows entities other than
    //# the server to correlate connections; see Appendix C.4 of [TLS13].
    let mut pair = visited(rustls_setup(1).build());
    // Two tickets came with the first connection, and none of these brings another one.
    pair.to_server().cut = true;
    let handles: Vec<_> = (0..3).map(|_| pair.start()).collect();
    let offers = handles.iter().map(|handle| status(&mut pair, *handle));
    let offers: Vec<_> = offers.map(|status| status.is_some()).collect();
    assert_eq!(offers, [true, true, false]);
}

#[test]
fn a_first_flight_that_comes_again_is_delivered_once() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-9.2
    //= type=test
    //# Endpoints MUST implement and use the replay protections described in
    //# [TLS13], however it is recognized that these protections are
    //# imperfect.
    for make in [setup, rustls_setup] {
        let mut pair = visited(make(1).build());
        pair.network.wire = Some(Vec::new());
        let (client, id) = start_with(&mut pair, &[7; 3000]);
        pair.settle();
        let flight = pair.take_wire_of_client();
        assert!(flight.len() > 1);
        wait_for(&mut pair, id);
        // At once, when its connection lives, and after that was forgotten; from here and there.
        for pause in [0, 1, 3600] {
            if pause > 1 {
                pair.client.close(client, 0, b"");
            }
            pair.run_for(seconds(pause));
            let attempts = pair.server.attempts.len();
            for from in [pair.seen_client(), ([203, 0, 113, 9], 9).into()] {
                for datagram in &flight {
                    pair.inject(Side::Server, from, datagram);
                }
                pair.run_for(millis(100));
                assert!(pause < 3600 || pair.server.attempts.len() > attempts, "no attempt");
                assert_eq!(all_received(&pair), [vec![7; 3000]]);
            }
        }
    }
}

#[test]
fn early_data_is_known_to_be_early() {
    let mut pair = visited(setup(1).build());
    pair.server.application.read = false;
    let client = pair.start();
    let early = pair.client.send_all(client, Direction::Unidirectional, &b"early"[..]);
    pair.wait("connected", seconds(2), |pair| pair.server.connected.len() == 2);
    let late = pair.client.send_all(client, Direction::Unidirectional, &b"late"[..]);
    pair.run_for(seconds(1));
    let server = pair.server.connected[1];
    pair.server.with(server, |connection| {
        for (id, is_early) in [(early, true), (late, false)] {
            assert_eq!(connection.recv_stream(id).is_early(), is_early);
            let read = connection.recv_stream(id).read_chunk(10);
            assert!(matches!(read, Ok(ReadOutcome::Data(_))), "{read:?}");
        }
    });
}

#[test]
fn a_server_can_answer_early_data_before_the_handshake_is_complete() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.6
    //= type=test
    //# Packets that a client sends with 0-RTT packet protection MUST be acknowledged by the
    //# server in packets protected by 1-RTT keys.
    for make in [setup, rustls_setup] {
        let mut pair = visited(make(1).build());
        pair.server.application.echo = true;
        let before = pair.now();
        let client = pair.start();
        let id = pair.client.send_all(client, Direction::Bidirectional, &b"question"[..]);
        pair.wait("answered", seconds(2), |pair| pair.client.is_finished(client, id));
        assert_eq!(pair.now() - before, millis(20), "one round trip");
        assert_eq!(pair.client.received(client, id), b"question");
    }
}

#[test]
fn early_data_goes_on_after_a_retry() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.3
    //= type=test
    //# A client SHOULD attempt
    //# to resend data in 0-RTT packets after it sends a new Initial packet.
    for make in [setup, rustls_setup] {
        let mut pair = visited(make(1).build());
        // Its token is for another address.
        pair.rebind(([203, 0, 113, 9], 999).into());
        pair.server.incoming = Incoming::Retry;
        let before = pair.now();
        let (client, id) = start_with(&mut pair, &[7; 3000]);
        wait_for(&mut pair, id);
        assert_eq!(pair.retries_sent(), 1);
        assert_eq!(pair.now() - before, millis(30), "it came with the second flight");
        assert_eq!(all_received(&pair), [vec![7; 3000]]);
        pair.wait("connected", seconds(2), |pair| pair.client.connected.contains(&client));
        assert_eq!(status(&mut pair, client), Some(EarlyDataStatus::Accepted));
    }
}

#[test]
fn early_data_survives_loss_and_reordering_and_comes_once() {
    for seed in seeds(30) {
        for reject in [false, true] {
            let mut pair = if reject { refusing(seed) } else { visited(setup(seed).build()) };
            for link in pair.links() {
                link.loss = 0.1;
                link.reorder = 0.3;
                link.jitter = millis(5);
                link.duplicate = 0.1;
            }
            let bytes = noise(20_000, seed);
            let (client, id) = start_with(&mut pair, &bytes);
            if reject {
                wait_for_rejection(&mut pair, client);
                pair.client.with(client, Connection::resend_early_data);
            }
            wait_for(&mut pair, id);
            assert_eq!(all_received(&pair), [bytes], "seed {seed}");
        }
    }
}

#[test]
fn each_datagram_of_the_first_flights_may_be_lost() {
    for make in [setup, rustls_setup] {
        for lost in 0..12 {
            for from_server in [false, true] {
                let mut pair = visited(make(1).build());
                let side = if from_server { Side::Server } else { Side::Client };
                let number = pair.network.trace.by(side).count() as u64 + lost;
                let link = if from_server { pair.to_client() } else { pair.to_server() };
                link.drops = [number].into();
                let (_, id) = start_with(&mut pair, &[7; 5000]);
                wait_for(&mut pair, id);
                assert_eq!(all_received(&pair), [vec![7; 5000]], "without the {lost}th");
            }
        }
    }
}

#[test]
fn early_data_may_overtake_its_client_hello() {
    for make in [setup, rustls_setup] {
        let mut pair = visited(make(1).build());
        pair.network.wire = Some(Vec::new());
        pair.to_server().cut = true;
        let (_, id) = start_with(&mut pair, &[7; 5000]);
        pair.settle();
        let mut flight = pair.take_wire_of_client();
        flight.reverse();
        let from = pair.seen_client();
        for datagram in &flight {
            pair.inject(Side::Server, from, datagram);
        }
        wait_for(&mut pair, id);
        assert!(pair.elapsed() < seconds(12), "it was sent once");
        assert_eq!(all_received(&pair), [vec![7; 5000]]);
    }
}

#[test]
fn keys_of_early_data_are_gone_soon_after_the_handshake() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9.3
    //= type=test
    //# After receiving a 1-RTT packet, servers MUST discard 0-RTT keys within
    //# a short time; the RECOMMENDED time period is three times the Probe
    //# Timeout (PTO, see [QUIC-RECOVERY]).
    for (pause, opens) in [(millis(1), true), (seconds(1), false)] {
        let mut pair = visited(setup(1).build());
        pair.network.wire = Some(Vec::new());
        // The datagram after the first one is late.
        pair.to_server().drops = [pair.network.trace.by(Side::Client).count() as u64 + 1].into();
        start_with(&mut pair, &[7; 3000]);
        pair.wait("connected", seconds(2), |pair| pair.server.connected.len() == 2);
        pair.run_for(pause);
        let late = pair.take_wire_of_client().swap_remove(1);
        let server = pair.server.connected[1];
        let received = |pair: &mut Pair| {
            pair.server.with(server, |connection| connection.statistics().packets_received)
        };
        let before = received(&mut pair);
        let from = pair.seen_client();
        pair.inject(Side::Server, from, &late);
        assert_eq!(received(&mut pair) > before, opens, "after {pause:?}");
    }
}

#[test]
fn packets_of_early_data_have_a_type_of_their_own_until_there_are_other_keys() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.6
    //= type=test
    //# Once a client has installed 1-RTT keys, it MUST NOT send any more 0-RTT packets.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.3
    //= type=test
    //# An acknowledgment for a 1-RTT packet MUST be carried in a 1-RTT packet.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.3
    //= type=test
    //# A client MUST NOT send 0-RTT packets once it starts processing 1-RTT packets from the
    //# server.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9.3
    //= type=test
    //# Therefore, a client SHOULD discard 0-RTT keys as soon as it installs
    //# 1-RTT keys as they have no use after that moment.
    let mut pair = visited(setup(1).build());
    let before = pair.network.trace.by(Side::Client).count();
    let (client, _) = start_with(&mut pair, &vec![7; 400_000]);
    pair.wait("connected", seconds(2), |pair| pair.client.connected.contains(&client));
    let now = pair.now();
    let early = pair.network.trace.by(Side::Client).skip(before + 1);
    let early: Vec<_> = early.filter(|sent| sent.at < now).copied().collect();
    assert!(early.len() > 3 && early.iter().all(|sent| sent.first_byte & 0xf0 == 0xd0));
    let before = pair.network.trace.by(Side::Client).count();
    pair.run_for(seconds(1));
    let later: Vec<_> = pair.network.trace.by(Side::Client).skip(before).copied().collect();
    assert!(later.len() > 3 && later.iter().all(|sent| sent.first_byte & 0xf0 != 0xd0));
}

#[test]
fn runs_with_early_data_repeat() {
    let run = |seed| {
        let mut pair = visited(setup(seed).build());
        pair.to_server().loss = 0.1;
        let (_, id) = start_with(&mut pair, &vec![7; 50_000]);
        wait_for(&mut pair, id);
        pair.network.trace.clone()
    };
    assert!(run(3) == run(3));
}

#[test]
fn early_data_keeps_to_the_remembered_limits_though_the_server_has_larger_ones() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
    //= type=test
    //# When sending frames in 0-RTT packets, a client MUST only use remembered transport
    //# parameters; importantly, it MUST NOT use updated values that it learns from the
    //# server's updated transport parameters or from frames received in 1-RTT packets.
    let small = 5000;
    let mut setup = setup(1);
    setup.server_transport.stream_receive_window = small;
    let mut pair = visited(setup.build());
    pair.setup.server_transport.stream_receive_window = 100_000;
    pair.restart_server();
    let client = pair.start();
    let id = pair.client.with(client, |connection| {
        let id = connection.open_stream(Direction::Unidirectional).unwrap();
        assert_eq!(connection.send_stream(id).write(&vec![7; 20_000]), Ok(5000));
        id
    });
    pair.wait("connected", seconds(2), |pair| pair.client.connected.contains(&client));
    pair.client.with(client, |connection| {
        assert_eq!(connection.send_stream(id).write(&vec![7; 20_000]), Ok(20_000));
    });
    assert!(!was_rejected(&pair, client));
}
