//! Connections end (RFC 9000 §10).

use bytes::Bytes;
use quic_core::{ApplicationClose, ConnectionError, Direction, Side, TransportErrorCode, VarInt};
use quic_sim::pair::{Pair, Setup};

use super::handshake::close_code;
use super::{echo, millis, noise, seconds};

fn closed_with(code: u32, reason: &'static [u8]) -> ConnectionError {
    ConnectionError::ApplicationClosed(ApplicationClose {
        error_code: VarInt::from_u32(code),
        reason: Bytes::from_static(reason),
    })
}

#[test]
fn both_ends_time_out_when_nothing_happens() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    pair.run_for(seconds(29));
    assert!(pair.client.lost.is_empty() && pair.server.lost.is_empty());
    let sent = pair.network.trace.sent.len();
    pair.run_for(seconds(4));
    assert_eq!(pair.client.lost.get(&client), Some(&ConnectionError::TimedOut));
    assert_eq!(pair.server.lost.get(&server), Some(&ConnectionError::TimedOut));
    assert_eq!(pair.network.trace.sent.len(), sent, "an idle connection ends without a word");
    pair.run_to_end();
}

#[test]
fn the_shorter_idle_timeout_counts_at_both_ends() {
    let mut setup = Setup::new(1);
    setup.client_transport.max_idle_timeout = Some(seconds(5));
    let mut pair = setup.build();
    let (client, server) = pair.connect();
    pair.run_for(seconds(8));
    assert_eq!(pair.client.lost.get(&client), Some(&ConnectionError::TimedOut));
    assert_eq!(pair.server.lost.get(&server), Some(&ConnectionError::TimedOut));
}

#[test]
fn a_keep_alive_of_one_end_keeps_both_alive() {
    for side in [Side::Client, Side::Server] {
        let mut setup = Setup::new(1);
        let transport = match side {
            Side::Client => &mut setup.client_transport,
            Side::Server => &mut setup.server_transport,
        };
        transport.keep_alive_interval = Some(seconds(10));
        let mut pair = setup.build();
        let (client, _) = pair.connect();
        pair.run_for(seconds(10));
        let before = pair.network.trace.sent.len();
        pair.run_for(seconds(300));
        assert!(pair.client.lost.is_empty() && pair.server.lost.is_empty());
        let datagrams = pair.network.trace.sent.len() - before;
        assert!((50..=70).contains(&datagrams), "{datagrams} datagrams in 300 s");
        echo(&mut pair, client, 1000, seconds(1));
    }
}

#[test]
fn a_close_reaches_the_peer_with_its_code_and_reason() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2
    //= type=test
    //# Once its closing or draining state ends, an endpoint SHOULD discard
    //# all connection state.
    for side in [Side::Client, Side::Server] {
        let mut pair = Pair::new(1);
        let (client, server) = pair.connect();
        let (closer, other) =
            if side == Side::Client { (client, server) } else { (server, client) };
        pair.end(side).close(closer, 42, b"had enough");
        pair.wait("lost", millis(100), |pair| pair.end(!side).lost.contains_key(&other));
        let error = pair.end(!side).lost.get(&other).cloned();
        assert_eq!(error, Some(closed_with(42, b"had enough")));
        assert_eq!(pair.end(side).lost.get(&closer), Some(&ConnectionError::LocallyClosed));
        pair.run_to_end();
        assert!(pair.client.try_with(client, |_| ()).is_none());
        assert!(pair.server.try_with(server, |_| ()).is_none());
    }
}

#[test]
fn a_server_that_closes_before_the_handshake_is_complete_is_heard() {
    let mut pair = Pair::new(1);
    let client = pair.start();
    assert!(pair.run_until(seconds(1), |pair| !pair.server.attempts.is_empty()));
    let server = pair.server.attempts[0];
    pair.server.close(server, 42, b"secret");
    pair.wait("lost", seconds(1), |pair| pair.client.lost.contains_key(&client));
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.3
    //= type=test
    //# A CONNECTION_CLOSE of type 0x1d MUST be replaced by a CONNECTION_CLOSE
    //# of type 0x1c when sending the frame in Initial or Handshake packets.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.3
    //= type=test
    //# Endpoints MUST clear the value of the Reason Phrase field and SHOULD
    //# use the APPLICATION_ERROR code when converting to a CONNECTION_CLOSE
    //# of type 0x1c.
    // An application's reason is not for packets that anyone can read (RFC 9000 §10.2.3).
    assert_eq!(close_code(&pair.client.lost[&client]), TransportErrorCode::APPLICATION_ERROR);
    let ConnectionError::ConnectionClosed(error) = &pair.client.lost[&client] else { panic!() };
    assert_eq!(error.reason, "");
    pair.run_to_end();
}

#[test]
fn a_client_that_closes_before_the_handshake_is_complete_is_heard() {
    for after in [0, 15, 20, 25] {
        let mut pair = Pair::new(after);
        let client = pair.start();
        pair.run_for(millis(after));
        pair.client.close(client, 42, b"");
        pair.run_for(seconds(2));
        assert!(pair.server.connected.is_empty() || after >= 20);
        assert_eq!(pair.server.attempts.len(), pair.server.lost.len());
        pair.run_to_end();
    }
}

#[test]
fn a_closed_connection_repeats_its_close_less_and_less() {
    let mut pair = Setup::new(1).build();
    let (client, server) = pair.connect();
    pair.server.application.keep = false;
    let endless = pair.server.send_endlessly(server);
    pair.run_for(millis(300));
    pair.to_server().cut = true;
    pair.client.close(client, 1, b"");
    pair.settle();
    let (closes, received) =
        (pair.network.trace.by(Side::Client).count(), pair.client.bytes_received);
    pair.run_for(seconds(3));
    let repeated = pair.network.trace.by(Side::Client).count() - closes;
    let provoked = (pair.client.bytes_received - received) / 1452;
    assert!(provoked > 30, "only {provoked} datagrams came");
    assert!(repeated >= 2, "closed once and never again, {provoked} datagrams came");
    let most = provoked.ilog2() as usize + 2;
    assert!(repeated <= most, "repeated {repeated} times for {provoked} datagrams");
    // Once one arrives, all is over.
    assert!(pair.server.lost.is_empty());
    assert!(endless.index() == 0);
}

#[test]
fn a_repeated_close_ends_the_peer_whose_first_close_was_lost() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-11.1
    //= type=test
    //# An endpoint SHOULD be prepared to retransmit a packet containing a
    //# CONNECTION_CLOSE frame if it receives more packets on a terminated
    //# connection.
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    pair.to_server().cut = true;
    pair.client.close(client, 5, b"");
    pair.settle();
    pair.to_server().cut = false;
    pair.server.send_all(server, Direction::Unidirectional, noise(5000, 1));
    pair.wait("lost", millis(50), |pair| pair.server.lost.contains_key(&server));
    assert_eq!(pair.server.lost.get(&server), Some(&closed_with(5, b"")));
}

#[test]
fn a_server_that_lost_its_state_resets() {
    let mut pair = Pair::new(1);
    let (client, _) = pair.connect();
    echo(&mut pair, client, 1000, seconds(1));
    pair.restart_server();
    pair.client.send_all(client, Direction::Unidirectional, noise(5000, 1));
    pair.wait("lost", seconds(1), |pair| pair.client.lost.contains_key(&client));
    assert_eq!(pair.client.lost.get(&client), Some(&ConnectionError::Reset));
    pair.run_to_end();
    // The client can connect anew.
    pair.connect();
}

#[test]
fn a_reset_without_the_right_token_is_ignored() {
    let mut pair = Pair::new(1);
    let (client, _) = pair.connect();
    pair.setup.server_endpoint.keyring = Some(quic_core::Keyring::new([1; 32]));
    pair.restart_server();
    pair.client.send_all(client, Direction::Unidirectional, noise(5000, 1));
    pair.run_for(seconds(10));
    assert!(pair.client.lost.is_empty());
    assert!(pair.server.bytes_sent > 0, "the server sent no reset");
    pair.run_for(seconds(60));
    assert_eq!(pair.client.lost.get(&client), Some(&ConnectionError::TimedOut));
}

#[test]
fn a_peer_that_vanishes_times_out() {
    for writing in [true, false] {
        let mut pair = Pair::new(1);
        let (client, server) = pair.connect();
        pair.run_for(seconds(1));
        pair.to_server().cut = true;
        pair.to_client().cut = true;
        let (before, start) = (pair.network.trace.sent.len(), pair.now());
        if writing {
            pair.client.send_endlessly(client);
        }
        pair.wait("lost", seconds(40), |pair| {
            pair.client.lost.contains_key(&client) && pair.server.lost.contains_key(&server)
        });
        assert!(pair.now() - start <= seconds(31));
        assert_eq!(pair.client.lost.get(&client), Some(&ConnectionError::TimedOut));
        assert_eq!(pair.server.lost.get(&server), Some(&ConnectionError::TimedOut));
        let datagrams = pair.network.trace.sent.len() - before;
        assert!(datagrams < 50, "{datagrams} datagrams to nobody");
        pair.run_to_end();
    }
}

#[test]
fn a_close_leaves_even_if_the_congestion_window_is_full() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    pair.run_for(seconds(1));
    pair.to_client().cut = true;
    pair.client.send_endlessly(client);
    pair.run_for(seconds(2));
    let statistics = pair.client.with(client, |c| c.statistics());
    assert!(statistics.bytes_in_flight + 1452 > statistics.congestion_window, "{statistics:?}");
    pair.client.close(client, 9, b"full");
    pair.wait("lost", millis(50), |pair| pair.server.lost.contains_key(&server));
    assert_eq!(pair.server.lost.get(&server), Some(&closed_with(9, b"full")));
}

#[test]
fn what_was_acknowledged_is_delivered_before_the_close_that_follows() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    let sent = noise(100_000, 1);
    let id = pair.client.send_all(client, Direction::Unidirectional, sent.clone());
    pair.wait("flushed", seconds(2), |pair| pair.client.with(client, |c| c.is_flushed()));
    pair.client.close(client, 0, b"");
    pair.run_to_end();
    assert!(pair.server.received(server, id) == sent, "less arrived than was acknowledged");
}

#[test]
fn what_arrived_can_be_read_as_long_as_the_application_hears_of_the_end() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    pair.server.application.read = false;
    let sent = noise(100_000, 1);
    let id = pair.client.send_all(client, Direction::Unidirectional, sent.clone());
    pair.wait("flushed", seconds(2), |pair| pair.client.with(client, |c| c.is_flushed()));
    pair.client.close(client, 0, b"");
    pair.wait("lost", millis(500), |pair| pair.server.lost.contains_key(&server));
    assert!(pair.server.received(server, id) == sent, "less was read than arrived");
    assert!(pair.server.is_finished(server, id));
    assert!(pair.server.try_with(server, |_| ()).is_none(), "kept longer than it is of use");
}

/// The types of the packets that `side` put its CONNECTION_CLOSE into.
fn packets_with_close(memory: &quic_qlog::Memory, side: Side) -> Vec<String> {
    let mut types = Vec::new();
    for (_, log) in memory.logs().iter().filter(|(subject, _)| subject.side == side) {
        for record in log.split('\u{1e}').filter(|record| !record.is_empty()) {
            let event: serde_json::Value = serde_json::from_str(record).unwrap();
            let frames = event["data"]["frames"].as_array().cloned().unwrap_or_default();
            let closes = frames.iter().any(|frame| frame["frame_type"] == "connection_close");
            if event["name"] == "quic:packet_sent" && closes {
                let packet_type = event["data"]["header"]["packet_type"].as_str();
                types.push(packet_type.unwrap_or_default().to_owned());
            }
        }
    }
    types
}

#[test]
fn a_close_goes_into_every_packet_that_the_peer_may_be_able_to_open_and_no_other() {
    let memory = quic_qlog::Memory::default();
    let recorded = || {
        let mut setup = Setup::new(1);
        setup.client_endpoint.recorder = Some(memory.recorder());
        setup.server_endpoint.recorder = Some(memory.recorder());
        setup
    };
    // The server has answered, and has heard nothing of the client's handshake yet.
    let mut pair = recorded().build();
    pair.start();
    assert!(pair.run_until(seconds(1), |pair| !pair.server.attempts.is_empty()));
    pair.settle();
    let server = pair.server.attempts[0];
    pair.server.close(server, 42, b"");
    pair.settle();
    drop(pair);
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.3
    //= type=test
    //# Under these circumstances, a server SHOULD send a CONNECTION_CLOSE
    //# frame in both Handshake and Initial packets to ensure that at least
    //# one of them is processable by the client.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.3
    //= type=test
    //# A server SHOULD also send a CONNECTION_CLOSE frame in an Initial
    //# packet.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.3
    //= type=test
    //# Prior to confirming the handshake, a peer might be unable to process
    //# 1-RTT packets, so an endpoint SHOULD send a CONNECTION_CLOSE frame in
    //# both Handshake and 1-RTT packets.
    assert_eq!(packets_with_close(&memory, Side::Server), ["initial", "handshake", "1RTT"]);

    for side in [Side::Client, Side::Server] {
        let memory = quic_qlog::Memory::default();
        let mut setup = Setup::new(1);
        setup.client_endpoint.recorder = Some(memory.recorder());
        setup.server_endpoint.recorder = Some(memory.recorder());
        let mut pair = setup.build();
        let (client, server) = pair.connect();
        pair.run_for(seconds(1));
        pair.end(side).close(if side == Side::Client { client } else { server }, 42, b"");
        pair.settle();
        drop(pair);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.3
        //= type=test
        //# After the handshake is confirmed (see Section 4.1.2 of [QUIC-TLS]), an
        //# endpoint MUST send any CONNECTION_CLOSE frames in a 1-RTT packet.
        assert_eq!(packets_with_close(&memory, side), ["1RTT"]);
    }
}

#[test]
fn streams_are_reset_where_applications_say_so_and_nowhere_else() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-11.2
    //= type=test
    //# RESET_STREAM MUST only be instigated by the application protocol that
    //# uses QUIC.
    let memory = quic_qlog::Memory::default();
    let mut setup = Setup::new(4).link(|link| link.loss = 0.1);
    setup.client_endpoint.recorder = Some(memory.recorder());
    setup.server_endpoint.recorder = Some(memory.recorder());
    let mut pair = setup.build();
    let (client, _) = pair.connect();
    echo(&mut pair, client, 300_000, seconds(60));
    let resets = |memory: &quic_qlog::Memory| {
        memory.logs().iter().filter(|(_, log)| log.contains("reset_stream")).count()
    };
    pair.run_for(seconds(5));
    assert_eq!(resets(&memory), 0);
    let id = pair.client.send_all(client, Direction::Unidirectional, noise(1_000_000, 1));
    pair.client.with(client, |c| c.send_stream(id).reset(VarInt::from_u32(1)).unwrap());
    pair.run_for(seconds(5));
    drop(pair);
    assert_eq!(resets(&memory), 2);
}
