//! Connections that move on purpose, and those that are made to (RFC 9000 §5.1, §8.2, §9).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use quic_core::{
    ConnectError, ConnectionHandle, Direction, Event, MigrationError, PathAddresses, PathEvent,
    Side, SocketId,
};
use quic_sim::pair::{CLIENT, Pair, SERVER, SERVER_NAME, Setup};
use quic_sim::seeds::seeds;

use super::{echo, millis, noise, seconds, slow};

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) const ELSEWHERE: &str = "203.0.113.7:40000";
const ATTACKER: &str = "203.0.113.66:6666";

/// What was told of paths at one end.
pub(super) fn told(pair: &mut Pair, side: Side) -> Vec<PathEvent> {
    let events = pair.end(side).events.iter();
    events
        .filter_map(
            |(_, _, event)| {
                if let Event::Path(event) = event { Some(*event) } else { None }
            },
        )
        .collect()
}

/// A second socket of the client, and the path over it.
pub(super) fn second_path(pair: &mut Pair) -> PathAddresses {
    let socket = pair.client.add_socket(address(ELSEWHERE));
    pair.client.path(socket, SERVER)
}

pub(super) fn migrate(
    pair: &mut Pair,
    client: ConnectionHandle,
    path: PathAddresses,
) -> Result<(), MigrationError> {
    let now = pair.now();
    pair.client.with(client, |c| c.migrate(now, path))
}

pub(super) fn probe(
    pair: &mut Pair,
    client: ConnectionHandle,
    path: PathAddresses,
) -> Result<(), MigrationError> {
    let now = pair.now();
    pair.client.with(client, |c| c.probe_path(now, path))
}

pub(super) fn active(pair: &mut Pair, client: ConnectionHandle) -> PathAddresses {
    pair.client.with(client, |c| c.path())
}

/// From where to where each connection ID went in packets with short headers.
pub(super) fn paths_of_ids(pair: &Pair) -> BTreeMap<Vec<u8>, BTreeSet<(SocketAddr, SocketAddr)>> {
    let mut paths: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (from, to, payload) in pair.network.wire.as_ref().unwrap() {
        if payload[0] & 0x80 == 0 {
            paths.entry(payload[1..9].to_vec()).or_default().insert((*from, *to));
        }
    }
    paths
}

#[test]
fn a_transfer_moves_to_another_socket_when_the_first_dies_and_nothing_is_lost() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3
    //= type=test
    //# If the recipient permits the migration, it MUST send subsequent
    //# packets to the new peer address and MUST initiate path validation
    //# (Section 8.2) to verify the peer's ownership of the address if
    //# validation is not already underway.
    for seed in seeds(5) {
        for loss in [0.0, 0.02] {
            let mut pair = Setup::new(seed).link(slow).link(|link| link.loss = loss).build();
            let (client, server) = pair.connect();
            pair.run_for(millis(300));
            let path = second_path(&mut pair);
            pair.server.application.echo = true;
            let sent = noise(2 << 20, seed);
            let id = pair.client.send_all(client, Direction::Bidirectional, sent.clone());
            pair.run_for(millis(700));
            pair.network.dead.push(CLIENT);
            pair.run_for(millis(100));
            assert!(!pair.client.is_finished(client, id), "too fast to mean anything");
            migrate(&mut pair, client, path).unwrap();
            pair.wait("echoed", seconds(30), |pair| pair.client.is_finished(client, id));
            assert!(pair.client.received(client, id) == sent, "something else came back");
            assert_eq!(active(&mut pair, client).socket, path.socket);
            let at_server = pair.server.with(server, |c| c.path());
            assert_eq!(at_server.remote, address(ELSEWHERE));
            assert!(told(&mut pair, Side::Client).contains(&PathEvent::Validated(path)));
            pair.run_for(seconds(10));
            for (side, handle) in [(Side::Client, client), (Side::Server, server)] {
                let paths = pair.end(side).with(handle, |c| c.paths().count());
                assert_eq!(paths, 1, "{side:?} keeps a path that was left");
            }
        }
    }
}

#[test]
fn a_path_is_probed_before_the_client_moves_there_and_nothing_is_sent_twice() {
    let mut pair = Setup::new(1).link(slow).build();
    let (client, server) = pair.connect();
    pair.run_for(millis(300));
    let path = second_path(&mut pair);
    let sent = noise(3 << 20, 1);
    let id = pair.client.send_all(client, Direction::Unidirectional, sent.clone());
    pair.run_for(millis(500));
    probe(&mut pair, client, path).unwrap();
    assert_eq!(active(&mut pair, client).socket, pair.client.socket);
    // The challenge may be lost in a queue that is full.
    pair.wait("validated", seconds(3), |pair| {
        told(pair, Side::Client) == [PathEvent::Validated(path)]
    });
    // It stays for as long as the application likes.
    pair.run_for(millis(500));
    assert_eq!(pair.client.with(client, |c| c.paths().count()), 2);
    assert_eq!(active(&mut pair, client).socket, pair.client.socket);
    migrate(&mut pair, client, path).unwrap();
    pair.wait("received", seconds(30), |pair| pair.server.is_finished(server, id));
    assert!(pair.server.received(server, id) == sent);
    let statistics = pair.client.with(client, |c| c.path_statistics());
    assert_eq!(statistics.addresses.socket, path.socket);
    assert!(statistics.is_validated && statistics.is_active);
    assert!(statistics.minimum_rtt >= millis(20) && statistics.minimum_rtt < millis(200));
    let all = pair.client.with(client, |c| c.statistics());
    assert!(statistics.bytes_sent > 1 << 20 && statistics.bytes_sent < all.bytes_sent - (1 << 18));
    assert!(statistics.bytes_received < all.bytes_received);
}

#[test]
fn what_a_path_lost_counts_as_its_own_after_it_was_left() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    pair.run_for(millis(300));
    let path = second_path(&mut pair);
    pair.network.dead.push(CLIENT);
    let id = pair.client.send_all(client, Direction::Unidirectional, noise(10_000, 1));
    pair.settle();
    migrate(&mut pair, client, path).unwrap();
    pair.wait("received", seconds(5), |pair| pair.server.is_finished(server, id));
    let paths: Vec<_> = pair.client.with(client, |c| c.paths().collect());
    let [new, old] = paths[..] else { panic!("{paths:?}") };
    let all = pair.client.with(client, |c| c.statistics()).packets_lost;
    assert!(new.is_active && all > 5);
    assert_eq!((new.packets_lost, old.packets_lost), (0, all));
}

#[test]
fn a_path_that_does_not_work_is_told_and_left() {
    let mut pair = Pair::new(1);
    let (client, _) = pair.connect();
    pair.run_for(millis(300));
    let path = second_path(&mut pair);
    let home = active(&mut pair, client);
    pair.network.dead.push(address(ELSEWHERE));
    probe(&mut pair, client, path).unwrap();
    pair.run_for(seconds(5));
    assert_eq!(told(&mut pair, Side::Client), [PathEvent::Failed(path)]);
    // Moving there at once is undone.
    migrate(&mut pair, client, path).unwrap();
    assert_eq!(active(&mut pair, client), path);
    pair.run_for(seconds(5));
    assert_eq!(active(&mut pair, client), home);
    let events = told(&mut pair, Side::Client);
    assert_eq!(
        events[1..],
        [PathEvent::Active(path), PathEvent::Active(home), PathEvent::Failed(path)]
    );
    echo(&mut pair, client, 10_000, seconds(5));
}

#[test]
fn who_moves_on_before_a_path_is_known_to_work_is_told_of_it_nevertheless() {
    for is_dead in [false, true] {
        let mut pair = Pair::new(1);
        let (client, _) = pair.connect();
        pair.run_for(millis(300));
        let first = second_path(&mut pair);
        let socket = pair.client.add_socket(address("203.0.113.8:40000"));
        let second = pair.client.path(socket, SERVER);
        if is_dead {
            pair.network.dead.push(address(ELSEWHERE));
        }
        migrate(&mut pair, client, first).unwrap();
        migrate(&mut pair, client, second).unwrap();
        pair.run_for(seconds(10));
        let mut outcomes = told(&mut pair, Side::Client);
        outcomes.retain(|event| !matches!(event, PathEvent::Active(_)));
        let of_first = if is_dead { PathEvent::Failed(first) } else { PathEvent::Validated(first) };
        assert!(outcomes.contains(&of_first) && outcomes.contains(&PathEvent::Validated(second)));
        assert_eq!(outcomes.len(), 2, "{outcomes:?}");
        assert_eq!(active(&mut pair, client), second);
        assert_eq!(pair.client.with(client, |c| c.paths().count()), 1);
        echo(&mut pair, client, 10_000, seconds(5));
    }
}

#[test]
fn a_server_follows_a_client_that_moves_and_has_nothing_to_say() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    pair.run_for(seconds(1));
    for port in 0..4 {
        let from = SocketAddr::from(([203, 0, 113, port], 1000));
        let socket = pair.client.add_socket(from);
        let path = pair.client.path(socket, SERVER);
        if port % 2 == 0 {
            probe(&mut pair, client, path).unwrap();
            pair.run_for(seconds(1));
        }
        migrate(&mut pair, client, path).unwrap();
        pair.run_for(seconds(1));
        assert_eq!(pair.server.with(server, |c| c.path()).remote, from);
    }
}

#[test]
fn connection_ids_are_never_used_on_two_paths() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.5
    //= type=test
    //# An endpoint MUST NOT reuse a connection ID when sending from more
    //# than one local address -- for example, when initiating connection
    //# migration as described in Section 9.2 or when probing a new network
    //# path as described in Section 9.1.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.5
    //= type=test
    //# Similarly, an endpoint MUST NOT reuse a connection ID when sending to
    //# more than one destination address.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.5
    //= type=test
    //# To ensure that migration is possible and
    //# packets sent on different paths cannot be correlated, endpoints
    //# SHOULD provide new connection IDs before peers migrate; see
    //# Section 5.1.1.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
    //= type=test
    //# An endpoint that initiates migration and requires non-zero-length
    //# connection IDs SHOULD ensure that the pool of connection IDs
    //# available to its peer allows the peer to use a new connection ID on
    //# migration, as the peer will be unable to respond if the pool is
    //# exhausted.
    for seed in seeds(10) {
        let mut pair = Setup::new(seed).link(slow).link(|link| link.loss = 0.02).build();
        pair.network.wire = Some(Vec::new());
        let (client, server) = pair.connect();
        pair.run_for(millis(500));
        pair.server.application.echo = true;
        let sent = noise(4 << 20, seed);
        let id = pair.client.send_all(client, Direction::Bidirectional, sent.clone());
        for port in 0..4 {
            let from = SocketAddr::from(([203, 0, 113, port], 1000));
            let socket = pair.client.add_socket(from);
            let path = pair.client.path(socket, SERVER);
            let goes_first = if port % 2 == 0 { migrate } else { probe };
            goes_first(&mut pair, client, path).unwrap();
            pair.run_for(seconds(2));
            migrate(&mut pair, client, path).unwrap();
            pair.run_for(seconds(2));
        }
        pair.wait("echoed", seconds(60), |pair| pair.client.is_finished(client, id));
        assert!(pair.client.received(client, id) == sent);
        assert_eq!(pair.server.with(server, |c| c.path()).remote.ip().to_string(), "203.0.113.3");
        let ids = paths_of_ids(&pair);
        assert!(ids.len() >= 10, "{ids:?}");
        for (id, paths) in ids {
            assert_eq!(paths.len(), 1, "{id:02x?} went on {paths:?}");
        }
    }
}

#[test]
fn nothing_is_moved_that_must_not_be() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9
    //= type=test
    //# An endpoint MUST NOT initiate connection migration before the
    //# handshake is confirmed, as defined in Section 4.1.2 of [QUIC-TLS].
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9
    //= type=test
    //# If the peer sent the disable_active_migration transport parameter, an
    //# endpoint also MUST NOT send packets (including probing packets; see
    //# Section 9.1) from a different local address to the address the peer
    //# used during the handshake, unless the endpoint has acted on a
    //# preferred_address transport parameter from the peer.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
    //= type=test
    //# An endpoint that receives this transport parameter MUST NOT use a new
    //# local address when sending to the address that the peer used during the
    //# handshake.
    for forbids in [false, true] {
        let mut setup = Setup::new(1);
        setup.server_transport.disable_active_migration = forbids;
        let mut pair = setup.build();
        let client = pair.start();
        let path = second_path(&mut pair);
        let early = (migrate(&mut pair, client, path), probe(&mut pair, client, path));
        assert_eq!(early, (Err(MigrationError::NotConfirmed), Err(MigrationError::NotConfirmed)));
        pair.run_for(millis(300));
        let elsewhere = PathAddresses { remote: address(ATTACKER), ..path };
        assert_eq!(migrate(&mut pair, client, elsewhere), Err(MigrationError::OtherServer));
        let expected = if forbids { Err(MigrationError::Forbidden) } else { Ok(()) };
        assert_eq!(probe(&mut pair, client, path), expected);
        assert_eq!(migrate(&mut pair, client, path), expected);
        pair.network.wire = Some(Vec::new());
        pair.run_for(seconds(1));
        let moved =
            pair.network.wire.as_ref().unwrap().iter().any(|sent| sent.0 == address(ELSEWHERE));
        assert_eq!(moved, !forbids);
        let (now, server) = (pair.now(), pair.server.connected[0]);
        let path = pair.server.path(pair.server.socket, CLIENT);
        let of_server = pair.server.with(server, |c| c.migrate(now, path));
        assert_eq!(of_server, Err(MigrationError::Server));
        pair.client.close(client, 0, b"");
        let path = pair.client.path(SocketId::clone(&pair.client.socket), SERVER);
        let over = pair.client.try_with(client, |c| c.migrate(now, path));
        assert!(matches!(over, None | Some(Err(MigrationError::ConnectionOver))), "{over:?}");
    }
}

#[test]
fn a_server_that_forbids_moves_follows_those_that_nobody_intended() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9
    //= type=test
    //# If the peer
    //# violates this requirement, the endpoint MUST either drop the incoming
    //# packets on that path without generating a Stateless Reset or proceed
    //# with path validation and allow the peer to migrate.
    let mut setup = Setup::new(1);
    setup.server_transport.disable_active_migration = true;
    let mut pair = setup.build();
    let (client, server) = pair.connect();
    pair.run_for(millis(300));
    pair.rebind(address(ELSEWHERE));
    echo(&mut pair, client, 10_000, seconds(5));
    assert_eq!(pair.server.with(server, |c| c.path()).remote, address(ELSEWHERE));
    // Where the address is proved, more goes than three times what came.
    let id = pair.server.send_all(server, Direction::Unidirectional, noise(1 << 20, 1));
    pair.wait("received", seconds(10), |pair| pair.client.is_finished(client, id));
}

#[test]
fn nobody_moves_towards_a_peer_with_empty_connection_ids() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.5
    //= type=test
    //# An endpoint SHOULD NOT initiate migration with a peer that has
    //# requested a zero-length connection ID, because traffic over the new
    //# path might be trivially linkable to traffic over the old one.
    let mut setup = Setup::new(1);
    setup.server_endpoint.connection_id_length = 0;
    let mut pair = setup.build();
    let client = pair.start();
    pair.run_for(millis(300));
    let path = second_path(&mut pair);
    if pair.client.connected.contains(&client) {
        assert_eq!(migrate(&mut pair, client, path), Err(MigrationError::NoConnectionId));
    }
}

#[test]
fn a_client_with_an_empty_connection_id_moves() {
    let mut setup = Setup::new(1);
    setup.client_endpoint.connection_id_length = 0;
    let mut pair = setup.build();
    let (client, server) = pair.connect();
    pair.run_for(millis(300));
    let path = second_path(&mut pair);
    migrate(&mut pair, client, path).unwrap();
    echo(&mut pair, client, 100_000, seconds(5));
    assert_eq!(pair.server.with(server, |c| c.path()).remote, address(ELSEWHERE));
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1
    //= type=test
    //# An endpoint MUST NOT use the same IP
    //# address and port for multiple concurrent connections with zero-length
    //# connection IDs, unless it is certain that those protocol features are
    //# not in use.
    let config = std::sync::Arc::clone(&pair.client_config);
    let second = pair.client.connect(SERVER, SERVER_NAME, config);
    assert_eq!(second, Err(ConnectError::TooManyConnections));
}

/// Rebinds the client again and again while `length` bytes go one way, with loss.
fn rebind_during(by: Side, change: impl Fn(&mut SocketAddr, u8)) {
    for seed in seeds(6) {
        let mut setup = Setup::new(seed).link(slow).link(|link| link.loss = 0.03);
        // A client that has nothing to acknowledge either would never say where it is.
        setup.client_transport.keep_alive_interval = Some(seconds(1));
        let mut pair = setup.build();
        let (client, server) = pair.connect();
        pair.run_for(millis(500));
        let (from, to) = match by {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        let sent = noise(3 << 20, seed);
        let id = pair.end(by).send_all(from, Direction::Unidirectional, sent.clone());
        for step in 0..6 {
            pair.run_for(millis(700));
            let mut seen = pair.seen_client();
            change(&mut seen, step);
            pair.rebind(seen);
        }
        let rebound = pair.seen_client();
        pair.wait("received", seconds(60), |pair| pair.end(!by).is_finished(to, id));
        assert!(pair.end(!by).received(to, id) == sent, "seed {seed}");
        assert_eq!(pair.server.with(server, |c| c.path()).remote, rebound, "seed {seed}");
    }
}

#[test]
fn new_ports_of_a_nat_in_the_middle_of_a_transfer_with_loss_are_survived() {
    for by in [Side::Client, Side::Server] {
        rebind_during(by, |address, step| address.set_port(10_000 + u16::from(step)));
    }
}

#[test]
fn new_addresses_of_a_nat_in_the_middle_of_a_transfer_with_loss_are_survived() {
    for by in [Side::Client, Side::Server] {
        rebind_during(by, |address, step| address.set_ip([203, 0, 113, step].into()));
    }
}

#[test]
fn a_nat_that_picks_the_port_of_a_reflector_does_not_end_the_connection() {
    for port in [53, 123, 1900, 11_211] {
        let mut pair = Pair::new(1);
        let (client, server) = pair.connect();
        pair.run_for(millis(300));
        pair.rebind_port(port);
        echo(&mut pair, client, 100_000, seconds(20));
        assert_eq!(pair.server.with(server, |c| c.path()).remote.port(), port);
    }
}

#[test]
fn a_spoofed_address_gets_no_more_than_three_times_what_came_from_it() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8
    //= type=test
    //# Therefore, after receiving packets from an address that is not yet validated, an
    //# endpoint MUST limit the amount of data it sends to the unvalidated address to three
    //# times the amount of data received from that address.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3
    //= type=test
    //# An endpoint MAY send data to an unvalidated peer address, but it MUST
    //# protect against potential attacks as described in Sections 9.3.1 and
    //# 9.3.2.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3.2
    //= type=test
    //# To protect the connection from failing due to such a spurious
    //# migration, an endpoint MUST revert to using the last validated peer
    //# address when validation of a new peer address fails.
    for length in [30, 100, 1000, 20_000] {
        let mut pair = Pair::new(1);
        let (client, server) = pair.connect();
        pair.run_for(millis(300));
        let sent = noise(8 << 20, 1);
        let id = pair.server.send_all(server, Direction::Unidirectional, sent.clone());
        pair.run_for(millis(100));
        pair.network.wire = Some(Vec::new());
        let victim = address(ATTACKER);
        pair.network.dead.push(victim);
        // The attacker is on the path: what the client sends seems to come from the victim.
        let mut stolen = 0;
        pair.client.send_all(client, Direction::Unidirectional, noise(length, 2));
        pair.settle();
        for (from, _, payload) in pair.network.wire.clone().unwrap() {
            if from == CLIENT && stolen < length.max(1200) {
                stolen += payload.len();
                let addresses = (victim, SERVER);
                pair.network.inject(addresses, &payload, millis(1));
            }
        }
        pair.wait("received", seconds(20), |pair| pair.client.is_finished(client, id));
        assert!(pair.client.received(client, id) == sent);
        assert_eq!(pair.server.with(server, |c| c.path()).remote, CLIENT);
        let to_victim = pair.network.wire.as_ref().unwrap().iter().filter(|sent| sent.1 == victim);
        let bytes: usize = to_victim.map(|sent| sent.2.len()).sum();
        assert!(bytes > 0 && bytes <= 3 * stolen, "{bytes} for {stolen}");
    }
}

#[test]
fn whoever_replays_datagrams_from_elsewhere_does_not_take_the_connection_away() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3.3
    //= type=test
    //# In response to an apparent migration, endpoints MUST validate the
    //# previously active path using a PATH_CHALLENGE frame.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3.3
    //= type=test
    //# An endpoint that receives a PATH_CHALLENGE
    //# on an active path SHOULD send a non-probing packet in response.
    for seed in seeds(5) {
        let mut pair = Setup::new(seed).link(slow).build();
        let (client, server) = pair.connect();
        pair.run_for(millis(300));
        let attacker = address(ATTACKER);
        pair.network.dead.push(attacker);
        let sent = noise(1 << 20, seed);
        let id = pair.client.send_all(client, Direction::Unidirectional, sent.clone());
        for _ in 0..20 {
            pair.run_for(millis(40));
            pair.network.wire = Some(Vec::new());
            pair.run_for(millis(15));
            // Copies overtake the originals.
            for (from, _, payload) in pair.network.wire.take().unwrap() {
                if from == CLIENT {
                    let addresses = (attacker, SERVER);
                    pair.network.inject(addresses, &payload, millis(2));
                }
            }
        }
        pair.wait("received", seconds(20), |pair| pair.server.is_finished(server, id));
        assert!(pair.server.received(server, id) == sent);
        // The last of the copies may have moved the server once more.
        pair.run_for(seconds(5));
        assert_eq!(pair.server.with(server, |c| c.path()).remote, CLIENT, "seed {seed}");
        echo(&mut pair, client, 1000, seconds(5));
    }
}

#[test]
fn a_silent_connection_finds_its_way_back_without_the_client() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    pair.run_for(millis(300));
    pair.network.wire = Some(Vec::new());
    pair.client.send_all(client, Direction::Unidirectional, noise(100, 2));
    pair.settle();
    let (.., payload) = pair.network.wire.as_ref().unwrap()[0].clone();
    pair.network.dead.push(address(ATTACKER));
    pair.network.inject((address(ATTACKER), SERVER), &payload, millis(1));
    pair.run_for(millis(15));
    assert_eq!(pair.server.with(server, |c| c.path()).remote, address(ATTACKER));
    // The challenge on the path before is answered by a packet that says more than an answer.
    pair.run_for(millis(100));
    assert_eq!(pair.server.with(server, |c| c.path()).remote, CLIENT);
}

#[test]
fn a_storm_of_moves_is_bounded() {
    let mut pair = Setup::new(1).link(slow).build();
    let (client, server) = pair.connect();
    pair.run_for(millis(300));
    pair.server.application.echo = true;
    let sent = noise(1 << 20, 1);
    let id = pair.client.send_all(client, Direction::Bidirectional, sent.clone());
    for step in 0..2000_u16 {
        pair.run_for(millis(1));
        pair.rebind(([203, 0, 113, step as u8], 1000 + step).into());
        if let Some(paths) = pair.server.try_with(server, |c| c.paths().count()) {
            assert!(paths <= 4, "{paths} paths");
        }
    }
    pair.wait("echoed", seconds(60), |pair| pair.client.is_finished(client, id));
    assert!(pair.client.received(client, id) == sent);
}

#[test]
fn a_client_that_moves_without_end_runs_out_of_ids_and_not_of_the_connection() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    pair.run_for(millis(300));
    let mut refused = 0;
    for step in 0..100_u16 {
        let socket = pair.client.add_socket(([203, 0, 113, 9], 2000 + step).into());
        let path = pair.client.path(socket, SERVER);
        match migrate(&mut pair, client, path) {
            Ok(()) => {}
            Err(MigrationError::NoConnectionId) => refused += 1,
            Err(other) => panic!("{other}"),
        }
        pair.run_for(millis(5));
        assert!(pair.client.with(client, |c| c.paths().count()) <= 4);
    }
    assert!(refused > 10, "{refused} refused");
    pair.run_for(seconds(5));
    echo(&mut pair, client, 10_000, seconds(10));
    assert!(!pair.server.lost.contains_key(&server));
}

#[test]
fn a_client_drops_what_comes_from_another_server() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9
    //= type=test
    //# If a
    //# client receives packets from an unknown server address, the client
    //# MUST discard these packets.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6
    //= type=test
    //# If a client receives packets from a
    //# new server address when the client has not initiated a migration to
    //# that address, the client SHOULD discard these packets.
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    pair.run_for(millis(300));
    pair.network.wire = Some(Vec::new());
    pair.server.send_all(server, Direction::Unidirectional, noise(100, 2));
    pair.settle();
    let (.., payload) = pair.network.wire.as_ref().unwrap()[0].clone();
    let before = pair.client.with(client, |c| c.statistics());
    pair.network.inject((address(ATTACKER), CLIENT), &payload, millis(1));
    pair.run_for(millis(5));
    let after = pair.client.with(client, |c| c.statistics());
    assert_eq!(after.packets_received, before.packets_received);
    assert_eq!(after.packets_discarded, before.packets_discarded + 1);
}
