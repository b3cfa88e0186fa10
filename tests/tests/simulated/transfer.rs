//! Data arrives, once and in order, whatever the network does.

use quic_core::{ConnectionHandle, Direction, StreamId, VarInt};
use quic_sim::pair::{Pair, Setup};
use quic_sim::seeds::seeds;

use super::{echo, millis, noise, seconds};

/// Waits until the other end has read `sent` from a stream.
#[track_caller]
fn arrives(
    pair: &mut Pair,
    at_server: bool,
    (handle, id): (ConnectionHandle, StreamId),
    sent: &[u8],
    within: u64,
) {
    let end = |pair: &Pair| {
        let end = if at_server { &pair.server } else { &pair.client };
        end.is_finished(handle, id).then(|| end.received(handle, id).to_vec())
    };
    pair.wait("read", seconds(within), |pair| end(pair).is_some());
    assert!(end(pair).unwrap() == sent, "something else arrived");
}

#[test]
fn a_stream_echoes() {
    for length in [0, 1, 100, 10_000] {
        let mut pair = Pair::new(1);
        let (client, _) = pair.connect();
        echo(&mut pair, client, length, seconds(1));
    }
}

#[test]
fn a_clock_that_goes_back_time_and_again_does_no_harm() {
    for goes_back in [millis(1), seconds(1), seconds(8 * 7 * 24 * 3600)] {
        let mut pair = Pair::new(1);
        pair.client.goes_back = goes_back;
        pair.server.goes_back = goes_back;
        let (client, server) = pair.connect();
        echo(&mut pair, client, 1 << 20, millis(500));
        for statistics in [
            pair.client.with(client, |c| c.statistics()),
            pair.server.with(server, |c| c.statistics()),
        ] {
            assert_eq!((statistics.packets_lost, statistics.probe_timeouts), (0, 0));
            assert!(statistics.minimum_rtt >= millis(10), "{statistics:?}");
        }
    }
}

#[test]
fn a_megabyte_travels_both_ways_at_once() {
    for rustls in [false, true] {
        let mut pair = if rustls { Pair::with_rustls(1) } else { Pair::new(1) };
        let (client, server) = pair.connect();
        let (up, down) = (noise(1 << 20, 2), noise(1 << 20, 3));
        let to_server = pair.client.send_all(client, Direction::Unidirectional, up.clone());
        let to_client = pair.server.send_all(server, Direction::Unidirectional, down.clone());
        arrives(&mut pair, true, (server, to_server), &up, 5);
        arrives(&mut pair, false, (client, to_client), &down, 5);
        pair.run_for(seconds(1));
        assert!(pair.client.with(client, |c| c.is_flushed()));
        assert_eq!(pair.client.application.delivered, [(client, to_server)]);
        assert_eq!(pair.server.application.delivered, [(server, to_client)]);
        assert_eq!(pair.client.with(client, |c| c.statistics()).packets_lost, 0);
    }
}

#[test]
fn more_streams_than_are_allowed_at_a_time_come_one_after_the_other() {
    let mut pair = Pair::new(1);
    pair.server.application.echo = true;
    let (client, _) = pair.connect();
    let mut opened = Vec::new();
    for number in 0..1000_usize {
        let sent = noise(number * 7 % 3000, number as u64);
        pair.wait("opened", seconds(5), |pair| {
            let id = pair.client.apply(client, |application, connection| {
                let id = connection.open_stream(Direction::Bidirectional).ok()?;
                application.send(connection, (client, id), sent.clone().into(), true);
                Some(id)
            });
            opened.extend(id.flatten());
            opened.len() > number
        });
    }
    pair.wait("echoed", seconds(10), |pair| {
        opened.iter().all(|id| pair.client.is_finished(client, *id))
    });
    for (number, id) in opened.into_iter().enumerate() {
        assert!(pair.client.received(client, id) == noise(number * 7 % 3000, number as u64));
    }
    assert!(pair.elapsed() < seconds(3), "{:?}", pair.elapsed());
}

#[test]
fn streams_share_the_connection_fairly() {
    let setup = Setup::new(1).transport(|transport| {
        transport.receive_window = 4 << 20;
        transport.stream_receive_window = 1 << 20;
    });
    let mut pair = setup.build();
    let (client, server) = pair.connect();
    let sent = noise(300_000, 5);
    let ids: Vec<_> = (0..10)
        .map(|_| pair.client.send_all(client, Direction::Unidirectional, sent.clone()))
        .collect();
    pair.wait("half way", seconds(5), |pair| pair.server.bytes_read(server) > 1_500_000);
    let lengths = ids.iter().map(|id| pair.server.received(server, *id).len());
    let (least, most) = (lengths.clone().min().unwrap(), lengths.max().unwrap());
    assert!(most - least < 40_000, "{least} to {most}");
    for id in ids {
        arrives(&mut pair, true, (server, id), &sent, 5);
    }
}

/// A network that does everything that networks do.
fn bad_network(seed: u64, loss: f64) -> Pair {
    Setup::new(seed)
        .transport(|transport| {
            transport.handshake_timeout = seconds(300);
            transport.max_idle_timeout = Some(seconds(1000));
        })
        .link(|link| {
            link.loss = loss;
            link.jitter = millis(3);
            link.reorder = 0.05;
            link.duplicate = 0.05;
            link.corrupt = 0.02;
        })
        .build()
}

fn transfers_under_loss(loss: f64, length: usize, within: u64) {
    for seed in seeds(6) {
        let mut pair = bad_network(seed, loss);
        pair.server.application.echo = true;
        let client = pair.start();
        let connected = |pair: &mut Pair| !pair.server.connected.is_empty();
        pair.wait("connected", seconds(300), connected);
        let server = pair.server.connected[0];
        let down = noise(length, 3);
        let id = pair.server.send_all(server, Direction::Unidirectional, down.clone());
        echo(&mut pair, client, length, seconds(within));
        arrives(&mut pair, false, (client, id), &down, within);
        pair.client.close(client, 0, b"");
        pair.run_to_end();
    }
}

#[test]
fn transfers_finish_without_loss() {
    transfers_under_loss(0.0, 300_000, 10);
}

#[test]
fn transfers_finish_under_1_percent_loss() {
    transfers_under_loss(0.01, 300_000, 20);
}

#[test]
fn transfers_finish_under_5_percent_loss() {
    transfers_under_loss(0.05, 200_000, 30);
}

#[test]
fn transfers_finish_under_10_percent_loss() {
    transfers_under_loss(0.10, 100_000, 60);
}

#[test]
fn transfers_finish_under_20_percent_loss() {
    transfers_under_loss(0.20, 100_000, 500);
}

#[test]
fn transfers_finish_under_30_percent_loss() {
    transfers_under_loss(0.30, 50_000, 1000);
}

#[test]
fn a_transfer_with_rustls_finishes_on_a_bad_network() {
    let mut setup = Setup::with_rustls(7).link(|link| {
        link.loss = 0.03;
        link.reorder = 0.05;
        link.duplicate = 0.05;
        link.corrupt = 0.02;
    });
    setup.client_transport.handshake_timeout = seconds(60);
    setup.server_transport.handshake_timeout = seconds(60);
    let mut pair = setup.build();
    let client = pair.start();
    pair.wait("connected", seconds(60), |pair| !pair.server.connected.is_empty());
    echo(&mut pair, client, 200_000, seconds(30));
}

#[test]
fn every_datagram_twice_changes_nothing() {
    let run = |duplicate| {
        let mut pair = Setup::new(5)
            .link(|link| {
                link.duplicate = duplicate;
                link.reorder_delay = millis(0);
            })
            .build();
        pair.network.coalesce = 0.0;
        let (client, server) = pair.connect();
        echo(&mut pair, client, 100_000, seconds(5));
        let sent = noise(100_000, 1);
        let id = pair.server.send_all(server, Direction::Unidirectional, sent.clone());
        arrives(&mut pair, false, (client, id), &sent, 5);
        pair.run_for(seconds(1));
        let statistics = pair.client.with(client, |c| c.statistics());
        (pair.network.trace.clone(), statistics.packets_received, statistics.packets_lost)
    };
    let (once, twice) = (run(0.0), run(1.0));
    assert_eq!((once.1, once.2), (twice.1, twice.2));
    assert_eq!(once.0.sent.len(), twice.0.sent.len());
    assert!(once.0.sent == twice.0.sent, "duplicates changed what is sent");
}

#[test]
fn a_reader_that_pauses_stops_the_writer_and_lets_it_go_on() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    pair.server.application.read = false;
    let sent = noise(2 << 20, 4);
    let id = pair.client.send_all(client, Direction::Unidirectional, sent.clone());
    pair.run_for(seconds(5));
    let bytes = pair.client.bytes_sent;
    assert!(bytes < (256 << 10) + 50_000, "{bytes} bytes were sent against flow control");
    pair.server.application.read = true;
    pair.server.apply(server, |application, c| application.read_all(c, server));
    arrives(&mut pair, true, (server, id), &sent, 5);
}

#[test]
fn resets_and_stops_reach_the_other_end() {
    let mut pair = Setup::new(1).link(|link| link.loss = 0.2).build();
    pair.client.application.read = true;
    let (client, server) = pair.connect();
    let code = VarInt::from_u32(77);
    let reset = pair.client.send_endlessly(client);
    let stopped = pair.client.send_endlessly(client);
    pair.run_for(millis(500));
    pair.client.with(client, |c| c.send_stream(reset).reset(code).unwrap());
    pair.server.with(server, |c| c.recv_stream(stopped).stop(code).unwrap());
    pair.wait("reset and stopped", seconds(20), |pair| {
        let received = pair.server.application.received.get(&(server, reset));
        received.is_some_and(|received| received.reset == Some(code))
            && pair.client.application.stopped == [(client, stopped)]
    });
}
