//! Paths change (RFC 9000 §9, §14).

use quic_core::{Direction, Side, TransportErrorCode};
use quic_sim::pair::{Pair, Setup};

use super::handshake::close_code;
use super::versions::failure;
use super::{echo, millis, noise, seconds, slow};

#[test]
fn a_transfer_survives_new_addresses_of_the_client() {
    for rustls in [false, true] {
        let setup = if rustls { Setup::with_rustls(1) } else { Setup::new(1) };
        let mut pair = setup.link(slow).build();
        let (client, server) = pair.connect();
        pair.run_for(millis(100));
        pair.to_server().rate_bytes_per_second = Some(2_000_000);
        pair.to_server().queue_bytes = 100_000;
        pair.server.application.echo = true;
        let sent = noise(2 << 20, 1);
        let id = pair.client.send_all(client, Direction::Bidirectional, sent.clone());
        for address in [([192, 0, 2, 1], 50_002), ([203, 0, 113, 7], 7), ([203, 0, 113, 7], 8)] {
            pair.run_for(millis(150));
            pair.rebind(address.into());
        }
        assert!(!pair.client.is_finished(client, id), "too fast to mean anything");
        pair.wait("echoed", seconds(10), |pair| pair.client.is_finished(client, id));
        assert!(pair.client.received(client, id) == sent, "something else came back");
        let path = pair.server.with(server, |c| c.path());
        assert_eq!(path.remote, pair.seen_client());
    }
}

#[test]
fn a_client_that_comes_back_finds_the_window_of_its_path_free() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    pair.run_for(millis(100));
    let sent = noise(4 << 20, 1);
    let id = pair.server.send_all(server, Direction::Unidirectional, sent.clone());
    let home = pair.seen_client();
    for _ in 0..4 {
        pair.run_for(millis(100));
        pair.rebind(([203, 0, 113, 7], 7).into());
        pair.run_for(millis(100));
        pair.rebind(home);
    }
    pair.wait("received", seconds(10), |pair| pair.client.is_finished(client, id));
    assert!(pair.client.received(client, id) == sent, "something else came");
    pair.run_for(seconds(5));
    assert_eq!(pair.server.with(server, |c| c.statistics().bytes_in_flight), 0);
}

#[test]
fn a_download_survives_a_new_port_of_a_client_that_only_acknowledges() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    pair.run_for(millis(100));
    let sent = noise(2 << 20, 1);
    let id = pair.server.send_all(server, Direction::Unidirectional, sent.clone());
    pair.run_for(millis(150));
    pair.rebind_port(50_002);
    pair.wait("received", seconds(10), |pair| pair.client.is_finished(client, id));
    assert!(pair.client.received(client, id) == sent, "something else came");
}

#[test]
fn an_idle_client_behind_a_new_port_is_found_again() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    pair.run_for(seconds(10));
    pair.rebind_port(50_002);
    echo(&mut pair, client, 10_000, seconds(2));
    pair.run_for(seconds(5));
    assert_eq!(pair.server.with(server, |c| c.path()).remote.port(), 50_002);
}

#[test]
fn an_address_that_was_forged_does_not_move_the_connection() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    pair.run_for(millis(200));
    let real = pair.seen_client();
    // Somebody on the path forwards one datagram from another address before the real one comes.
    pair.client.send_all(client, Direction::Unidirectional, noise(100, 1));
    pair.rebind(([203, 0, 113, 66], 6).into());
    pair.settle();
    pair.rebind(real);
    pair.run_for(seconds(3));
    assert_eq!(pair.server.with(server, |c| c.path()).remote, real);
    echo(&mut pair, client, 10_000, seconds(2));
}

/// Both ends' idea of the path's MTU after a transfer each way.
fn discovered(pair: &mut Pair) -> (u16, u16) {
    let (client, server) = pair.connect();
    for _ in 0..10 {
        echo(pair, client, 20_000, seconds(10));
        pair.run_for(millis(500));
    }
    let mtu = |statistics: quic_core::Statistics| statistics.mtu;
    (
        mtu(pair.client.with(client, |c| c.statistics())),
        mtu(pair.server.with(server, |c| c.statistics())),
    )
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# Reception feedback: The destination PL endpoint is REQUIRED to provide
//# a feedback method that indicates to the DPLPMTUD sender when a probe
//# packet has been received by the destination PL endpoint.
#[test]
fn the_mtu_of_the_link_is_found() {
    for mtu in [1200, 1250, 1400, 1452, 1500] {
        let mut pair = Setup::new(1).link(|link| link.mtu = mtu).build();
        let found = discovered(&mut pair);
        for found in [found.0, found.1].map(usize::from) {
            let expected = mtu.min(1452);
            assert!(found <= expected && found + 20 >= expected, "{found} on a link of {mtu}");
        }
    }
}

#[test]
fn a_jumbo_link_is_found_where_it_is_looked_for() {
    let mut pair = Setup::new(1)
        .transport(|transport| transport.max_mtu = 8952)
        .link(|link| link.mtu = 8952)
        .build();
    let found = discovered(&mut pair);
    assert!(found.0 > 8900 && found.1 > 8900, "{found:?}");
}

#[test]
fn the_largest_datagrams_that_there_are_can_be_used() {
    for max_mtu in [8952, 65_527] {
        let mut setup = Setup::new(1).transport(|transport| transport.max_mtu = max_mtu);
        setup.to_server.rate_bytes_per_second = Some(125_000_000);
        let mut pair = setup.build();
        let (client, _) = pair.connect();
        for _ in 0..10 {
            echo(&mut pair, client, 1 << 20, seconds(10));
        }
        let mtu = pair.client.with(client, |c| c.statistics().mtu);
        assert_eq!(mtu, max_mtu);
        assert!(pair.network.trace.sent.iter().any(|sent| sent.length == usize::from(max_mtu)));
    }
}

#[test]
fn the_search_ends_at_once_at_what_the_interface_carries() {
    let mut pair = Setup::new(1).transport(|transport| transport.max_mtu = 65_527).build();
    for side in [Side::Client, Side::Server] {
        pair.network.host(side.into()).interface_mtu = 1472;
    }
    let (client, server) = pair.connect();
    for (end, handle) in [(&mut pair.client, client), (&mut pair.server, server)] {
        end.with(handle, |c| c.datagrams().maximum_size());
    }
    pair.run_for(millis(400));
    for mtu in [
        pair.client.with(client, |c| c.statistics().mtu),
        pair.server.with(server, |c| c.statistics().mtu),
    ] {
        assert!((1453..=1472).contains(&mtu), "{mtu} at an interface of 1472");
    }
    assert_eq!(pair.client.with(client, |c| c.statistics().bytes_in_flight), 0);
    // It changes, as when another one takes over.
    for side in [Side::Client, Side::Server] {
        pair.network.host(side.into()).interface_mtu = 1300;
    }
    echo(&mut pair, client, 1 << 20, seconds(5));
    let mtu = pair.client.with(client, |c| c.statistics().mtu);
    assert!((1281..=1300).contains(&mtu), "{mtu} at an interface of 1300");
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-14.2
//= type=test
//# If a QUIC endpoint determines that the PMTU between any pair of local and remote IP
//# addresses cannot support the smallest allowed maximum datagram size of 1200 bytes, it MUST
//# immediately cease sending QUIC packets, except for those in PMTU probes or those containing
//# CONNECTION_CLOSE frames, on the affected path.
#[test]
fn an_interface_that_stays_too_narrow_for_quic_ends_the_connection() {
    let mut pair = Setup::new(1).build();
    pair.network.host(Side::Client.into()).interface_mtu = 1199;
    let client = pair.start();
    assert_eq!(failure(&mut pair, client), TransportErrorCode::NO_VIABLE_PATH);
    // It becomes so, while there is more to send than the path was known to carry.
    let mut pair = Setup::new(2).build();
    let (client, server) = pair.connect();
    pair.run_for(seconds(1));
    pair.network.host(Side::Client.into()).interface_mtu = 1199;
    let sent = pair.network.trace.sent.len();
    pair.client.send_all(client, Direction::Unidirectional, noise(100_000, 1));
    assert_eq!(failure(&mut pair, client), TransportErrorCode::NO_VIABLE_PATH);
    pair.wait("told", seconds(1), |pair| !pair.server.lost.is_empty());
    assert_eq!(close_code(&pair.server.lost[&server]), TransportErrorCode::NO_VIABLE_PATH);
    pair.run_for(seconds(1));
    let by_client = pair.network.trace.sent.iter().skip(sent);
    let by_client = by_client.filter(|sent| sent.by == Side::Client);
    let lengths: Vec<_> = by_client.map(|sent| sent.length).collect();
    assert!(lengths.iter().all(|length| *length < 100), "nothing but the end: {lengths:?}");
}

#[test]
fn probes_of_the_mtu_never_exceed_the_congestion_window() {
    for max_mtu in [1452, 65_527] {
        let setup = Setup::new(1).transport(|transport| transport.max_mtu = max_mtu);
        let mut pair = setup.build();
        let (client, _) = pair.connect();
        pair.client.send_all(client, Direction::Unidirectional, noise(300_000, 1));
        for _ in 0..300 {
            pair.run_for(millis(1));
            let statistics = pair.client.with(client, |c| c.statistics());
            assert!(statistics.bytes_in_flight <= statistics.congestion_window, "{statistics:?}");
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-8
//= type=test
//# The design of a PLPMTUD implementation SHOULD consider how to mitigate
//# the effects of varying path information.
#[test]
fn a_link_whose_mtu_shrinks_is_survived() {
    for new in [1200, 1250, 1300] {
        let mut pair = Setup::new(1).link(|link| link.mtu = 1400).build();
        assert!(discovered(&mut pair).0 > 1350);
        pair.to_server().mtu = new;
        pair.to_client().mtu = new;
        let client = pair.client.connected[0];
        echo(&mut pair, client, 1 << 20, seconds(20));
        let mtu = pair.client.with(client, |c| c.statistics().mtu);
        assert!(usize::from(mtu) <= new, "{mtu} on a link of {new}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# The PL is REQUIRED to be robust in the case where probe packets are
//# lost due to other reasons (including link transmission error,
//# congestion).
//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# Such methods MUST be robust to the wide variety of underlying network
//# forwarding behaviors.
#[test]
fn loss_is_not_mistaken_for_a_smaller_mtu() {
    let mut pair = Setup::new(3).link(|link| link.loss = 0.05).build();
    let client = pair.start();
    pair.wait("connected", seconds(10), |pair| !pair.server.connected.is_empty());
    echo(&mut pair, client, 1 << 20, seconds(60));
    assert_eq!(pair.client.with(client, |c| c.statistics().mtu), 1452);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-14
//= type=test
//# QUIC MUST NOT be used if the network path cannot support a maximum
//# datagram size of at least 1200 bytes.
#[test]
fn a_link_below_the_minimum_carries_no_connection() {
    let mut pair = Setup::new(1).link(|link| link.mtu = 1199).build();
    pair.start();
    pair.run_for(seconds(30));
    assert!(pair.client.connected.is_empty() && pair.server.connected.is_empty());
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-14.2
//= type=test
//# All QUIC packets that are not sent in a PMTU probe SHOULD be sized to
//# fit within the maximum datagram size to avoid the datagram being
//# fragmented or dropped [RFC8085].
//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# A PL MUST NOT send a datagram (other than a probe packet) with a size
//# at the PL that is larger than the current PLPMTU.
//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# Probe packets: The network interface below the PL is REQUIRED to
//# provide a way to transmit a probe packet that is larger than the
//# PLPMTU.
#[test]
fn only_probes_are_larger_than_what_is_known_to_be_carried() {
    let mut pair = Setup::new(1).link(|link| link.mtu = 1200).build();
    let (client, _) = pair.connect();
    echo(&mut pair, client, 1 << 20, seconds(20));
    let larger = pair.network.trace.sent.iter().filter(|sent| sent.length > 1200).count();
    // Three probes of each size that is tried, of both ends.
    assert!((2..=2 * 3 * 6).contains(&larger), "{larger}");
}
