//! Explicit congestion notification (RFC 9000 §13.4).

use quic_core::{ConnectionHandle, Direction, EcnCodepoint, EcnState, Side, Statistics};
use quic_sim::network::{Link, Marks};
use quic_sim::pair::{Pair, Setup};
use quic_sim::seeds::seeds;

use super::{echo, millis, noise, seconds, slow};

/// What both ends know of their connection.
fn statistics(pair: &mut Pair, handles: (ConnectionHandle, ConnectionHandle)) -> [Statistics; 2] {
    let client = pair.client.with(handles.0, |c| c.statistics());
    [client, pair.server.with(handles.1, |c| c.statistics())]
}

/// Connects, and has bytes go there and back.
fn after_echo(setup: Setup) -> (Pair, [Statistics; 2]) {
    let mut pair = setup.build();
    let handles = pair.connect();
    echo(&mut pair, handles.0, 200_000, seconds(20));
    let statistics = statistics(&mut pair, handles);
    (pair, statistics)
}

/// How many datagrams `side` sent with a mark after the first `skipped`, and how many without.
fn marks(pair: &Pair, side: Side, skipped: usize) -> (usize, usize) {
    let sent = pair.network.trace.by(side).skip(skipped);
    let marked = sent.clone().filter(|sent| sent.ecn.is_some()).count();
    (marked, sent.count() - marked)
}

#[test]
fn marks_pass_a_clean_path_both_ways() {
    let (pair, statistics) = after_echo(Setup::new(1));
    for (end, other) in [(statistics[0], statistics[1]), (statistics[1], statistics[0])] {
        assert_eq!(end.ecn, EcnState::Capable);
        assert!(end.ecn_marked_sent > 100, "{end:?}");
        // What is still on its way was not received.
        assert!(other.ecn_capable_received + 5 > end.ecn_marked_sent, "{end:?} {other:?}");
        assert!(other.ecn_capable_received <= end.ecn_marked_sent);
        assert_eq!((end.ecn_congestion_reported, end.ecn_congestion_received), (0, 0));
    }
    for side in [Side::Client, Side::Server] {
        let (marked, unmarked) = marks(&pair, side, 0);
        // The handshake has no marks, nor has what only acknowledges.
        assert!(marked > 100 && unmarked < 50, "{marked}, and {unmarked} without");
    }
}

#[test]
fn nothing_is_marked_before_the_handshake_is_complete() {
    let (pair, _) = after_echo(Setup::with_rustls(1));
    let with_long_header =
        pair.network.trace.sent.iter().filter(|sent| sent.first_byte & 0x80 != 0);
    assert!(with_long_header.clone().count() > 2);
    assert!(with_long_header.clone().all(|sent| sent.ecn.is_none()));
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.4.1
//= type=test
//# Even if an endpoint does not set an ECT field in packets it sends, the
//# endpoint MUST provide feedback about ECN markings it receives, if
//# these are accessible.
#[test]
fn what_arrives_is_counted_even_by_an_end_that_marks_nothing() {
    let mut setup = Setup::new(1);
    setup.server_transport.ecn = false;
    let (pair, [client, server]) = after_echo(setup);
    assert_eq!((client.ecn, server.ecn), (EcnState::Capable, EcnState::Off));
    assert!(server.ecn_capable_received > 100);
    assert_eq!(marks(&pair, Side::Server, 0).0, 0);
}

#[test]
fn a_path_that_clears_marks_is_noticed_after_the_test() {
    let bleaching = |link: &mut Link| link.marks.bleach = true;
    let (pair, statistics) = after_echo(Setup::new(1).link(bleaching));
    for end in statistics {
        assert_eq!((end.ecn, end.packets_lost), (EcnState::Failed, 0));
    }
    // One batch may be on its way when the test is over.
    for side in [Side::Client, Side::Server] {
        assert!((10..=20).contains(&marks(&pair, side, 0).0), "{:?}", marks(&pair, side, 0));
    }
}

#[test]
fn a_path_that_begins_to_clear_marks_is_noticed() {
    let mut pair = Setup::new(1).build();
    let handles = pair.connect();
    echo(&mut pair, handles.0, 200_000, seconds(20));
    pair.to_server().marks.bleach = true;
    echo(&mut pair, handles.0, 200_000, seconds(20));
    let [client, server] = statistics(&mut pair, handles);
    assert_eq!((client.ecn, server.ecn), (EcnState::Failed, EcnState::Capable));
    let before = pair.network.trace.by(Side::Client).count();
    echo(&mut pair, handles.0, 200_000, seconds(20));
    assert_eq!(marks(&pair, Side::Client, before).0, 0);
}

#[test]
fn a_path_that_mangles_marks_is_noticed() {
    let rewrites = |mark| Marks { rewrite: Some(mark), ..Marks::default() };
    let forces = |mark| Marks { force: Some(mark), ..Marks::default() };
    for marks in [
        rewrites(EcnCodepoint::Ect1),
        forces(EcnCodepoint::Ect1),
        forces(EcnCodepoint::Ect0),
        forces(EcnCodepoint::Ce),
    ] {
        let (_, statistics) = after_echo(Setup::new(1).link(|link| link.marks = marks.clone()));
        assert!(statistics.iter().all(|end| end.ecn == EcnState::Failed), "{marks:?}");
    }
}

#[test]
fn a_path_that_drops_what_is_marked_carries_what_is_not() {
    let dropping = |link: &mut Link| link.marks.drop_marked = true;
    let (_, statistics) = after_echo(Setup::new(1).link(dropping));
    assert!(statistics.iter().all(|end| end.ecn == EcnState::Failed), "{statistics:?}");
}

#[test]
fn a_path_that_begins_to_drop_what_is_marked_is_survived() {
    let mut pair = Setup::new(1).build();
    let handles = pair.connect();
    echo(&mut pair, handles.0, 200_000, seconds(20));
    pair.to_server().marks.drop_marked = true;
    pair.to_client().marks.drop_marked = true;
    echo(&mut pair, handles.0, 200_000, seconds(10));
    let ends = statistics(&mut pair, handles);
    assert!(ends.iter().all(|end| end.ecn == EcnState::Failed), "{ends:?}");
}

#[test]
fn an_outage_is_not_taken_for_a_path_that_drops_marks() {
    let mut pair = Setup::new(1).link(slow).build();
    let handles = pair.connect();
    pair.server.application.echo = true;
    let sent = noise(1 << 20, 1);
    let id = pair.client.send_all(handles.0, Direction::Bidirectional, sent);
    pair.run_for(millis(300));
    (pair.to_server().cut, pair.to_client().cut) = (true, true);
    pair.run_for(seconds(2));
    (pair.to_server().cut, pair.to_client().cut) = (false, false);
    pair.wait("echoed", seconds(20), |pair| pair.client.is_finished(handles.0, id));
    let ends = statistics(&mut pair, handles);
    assert!(ends.iter().all(|end| end.ecn == EcnState::Capable), "{ends:?}");
}

#[test]
fn a_link_that_marks_slows_the_sender_without_loss() {
    let setup = Setup::new(1).link(slow).link(|link| {
        link.queue_bytes = 1_000_000;
        link.marks.congestion_above = Some(20_000);
    });
    let mut pair = setup.build();
    pair.server.application.keep = false;
    let handles = pair.connect();
    pair.client.send_endlessly(handles.0);
    pair.run_for(seconds(20));
    let [client, server] = statistics(&mut pair, handles);
    assert_eq!((client.ecn, client.packets_lost), (EcnState::Capable, 0), "{client:?}");
    assert!(client.ecn_congestion_reported > 10, "{client:?}");
    assert!(client.ecn_congestion_reported <= server.ecn_congestion_received);
    // A round trip takes 20 ms, and more in the queue.
    assert!((5..500).contains(&client.congestion_events), "{client:?}");
    assert!(client.congestion_window < 100_000, "{client:?}");
    let rate = pair.server.bytes_read(handles.1) / 20;
    assert!(rate > 900_000, "{rate} of 1,000,000 bytes per second");
}

#[test]
fn marks_of_one_round_trip_are_one_congestion_event() {
    let mut pair = Setup::new(1).build();
    let handles = pair.connect();
    echo(&mut pair, handles.0, 500_000, seconds(20));
    pair.to_server().marks.congestion = 1.0;
    let before = statistics(&mut pair, handles)[0];
    let id = pair.client.send_all(handles.0, Direction::Unidirectional, noise(30_000, 1));
    pair.wait("sent", seconds(1), |pair| pair.server.is_finished(handles.1, id));
    pair.run_for(millis(100));
    let after = statistics(&mut pair, handles)[0];
    assert!(after.ecn_congestion_reported - before.ecn_congestion_reported > 10);
    assert_eq!(after.congestion_events - before.congestion_events, 1);
    assert!(after.congestion_window < before.congestion_window);
}

#[test]
fn loss_and_reordering_do_not_fail_validation() {
    for seed in seeds(10) {
        let (_, statistics) = after_echo(Setup::new(seed).link(|link| {
            link.loss = 0.02;
            link.reorder = 0.1;
            link.duplicate = 0.05;
            link.marks.congestion = 0.01;
        }));
        assert!(statistics.iter().all(|end| end.ecn == EcnState::Capable), "{statistics:?}");
    }
}

#[test]
fn a_new_path_is_tested_again() {
    let mut pair = Setup::new(1).link(|link| link.marks.bleach = true).build();
    let handles = pair.connect();
    echo(&mut pair, handles.0, 200_000, seconds(20));
    assert_eq!(statistics(&mut pair, handles)[1].ecn, EcnState::Failed);
    pair.to_client().marks.bleach = false;
    pair.rebind(([203, 0, 113, 7], 7777).into());
    echo(&mut pair, handles.0, 200_000, seconds(20));
    let [client, server] = statistics(&mut pair, handles);
    // A client that knows of no new path has no reason to test it.
    assert_eq!((client.ecn, server.ecn), (EcnState::Failed, EcnState::Capable));
    // Packets that were marked on the way before are no reason to give up marks on this one.
    pair.rebind(([203, 0, 113, 8], 7777).into());
    pair.to_client().marks.bleach = true;
    echo(&mut pair, handles.0, 200_000, seconds(20));
    assert_eq!(statistics(&mut pair, handles)[1].ecn, EcnState::Failed);
}
