//! Hosts that sleep or lose their memory, and more than two of them.

use std::net::SocketAddr;
use std::sync::Arc;

use quic_core::{ConnectionError, Direction, EndpointConfig, Keyring, Side};
use quic_sim::network::HostId;
use quic_sim::pair::{SERVER, SERVER_NAME, Setup};
use quic_sim::world::World;

use super::super::{noise, seconds};
use super::{exchange, host, part, slow_pair};

#[test]
fn a_host_that_sleeps_for_less_than_the_timeout_goes_on_where_it_was() {
    for side in [Side::Client, Side::Server] {
        for sleep in [1, 5, 20] {
            let mut pair = Setup::new(1).link(|link| link.loss = 0.01).build();
            for link in pair.links() {
                link.rate_bytes_per_second = Some(1_000_000);
                link.queue_bytes = 100_000;
            }
            let handles = pair.connect();
            let id = pair.client.send_all(handles.0, Direction::Unidirectional, noise(2 << 20, 1));
            pair.run_for(seconds(1));
            pair.network.host(host(side)).suspended = true;
            pair.run_for(seconds(sleep));
            assert!(!pair.server.is_finished(handles.1, id));
            pair.network.host(host(side)).suspended = false;
            pair.wait("received", seconds(60), |pair| pair.server.is_finished(handles.1, id));
            exchange(&mut pair, handles, 100_000, seconds(20));
            part(pair, handles.0);
        }
    }
}

#[test]
fn a_host_that_sleeps_for_too_long_wakes_up_to_a_connection_that_is_over() {
    for side in [Side::Client, Side::Server] {
        let mut pair = slow_pair();
        let (client, server) = pair.connect();
        pair.client.send_endlessly(client);
        pair.run_for(seconds(1));
        pair.network.host(host(side)).suspended = true;
        pair.run_for(seconds(100));
        let lost = (pair.client.lost.len(), pair.server.lost.len());
        assert_eq!(lost, if side == Side::Client { (0, 1) } else { (1, 0) });
        pair.network.host(host(side)).suspended = false;
        pair.run_for(seconds(1));
        let ended = |error: &ConnectionError| {
            matches!(error, ConnectionError::TimedOut | ConnectionError::Reset)
        };
        assert!(ended(&pair.client.lost[&client]) && ended(&pair.server.lost[&server]));
        let handles = pair.connect();
        exchange(&mut pair, handles, 100_000, seconds(10));
    }
}

#[test]
fn a_server_that_restarts_with_its_keyring_resets_and_one_without_is_timed_out() {
    for keeps in [true, false] {
        let mut pair = slow_pair();
        let (client, _) = pair.connect();
        pair.client.send_endlessly(client);
        pair.run_for(seconds(1));
        if !keeps {
            pair.setup.server_endpoint.keyring = Some(Keyring::new([0x77; 32]));
        }
        pair.restart_server();
        let restarted = pair.now();
        pair.wait("lost", seconds(100), |pair| !pair.client.lost.is_empty());
        let (lost, after) = (&pair.client.lost[&client], pair.now() - restarted);
        if keeps {
            assert_eq!(*lost, ConnectionError::Reset);
            assert!(after < seconds(1), "{after:?}");
        } else {
            assert_eq!(*lost, ConnectionError::TimedOut);
        }
        let handles = pair.connect();
        exchange(&mut pair, handles, 100_000, seconds(10));
    }
}

/// A server and this many clients, whose links get slower and longer one by one.
fn crowd(number: u8, seed: u64) -> (World, HostId, Vec<HostId>) {
    let setup = Setup::new(seed);
    let mut world = World::new(seed);
    let server = world.add(SERVER, setup.server_endpoint.clone());
    world.end(server).listen(setup.server_config());
    let clients = (0..number)
        .map(|index| {
            let address = SocketAddr::from(([10, 9, 0, index], 5000));
            let client = world.add(address, setup.client_endpoint.clone());
            for link in world.network.links(client, server) {
                link.delay = super::super::millis(1 + 5 * u64::from(index));
                link.rate_bytes_per_second = Some(4_000_000 / (1 + u64::from(index)));
                link.queue_bytes = 60_000;
                link.loss = 0.005 * f64::from(index % 3);
            }
            client
        })
        .collect();
    (world, server, clients)
}

#[test]
fn many_hosts_reach_one_server_and_none_disturbs_another() {
    let (mut world, server, clients) = crowd(20, 1);
    let setup = Setup::new(1);
    world.end(server).application.echo = true;
    let mut streams = Vec::new();
    for (index, host) in clients.iter().enumerate() {
        let sent = noise(100_000, index as u64);
        let end = world.end(*host);
        let config = setup.client_config();
        let handle = end.connect(SERVER, SERVER_NAME, Arc::clone(&config)).unwrap();
        streams.push((*host, handle, None, sent));
    }
    for (host, handle, id, sent) in &mut streams {
        world.wait("connected", seconds(20), |world| world.end(*host).connected.contains(handle));
        *id = Some(world.end(*host).send_all(*handle, Direction::Bidirectional, sent.clone()));
    }
    // One of them sleeps, and one is cut off.
    world.network.host(clients[3]).suspended = true;
    world.network.link(clients[5], server).cut = true;
    let awake = |host: &HostId| *host != clients[3] && *host != clients[5];
    for (host, handle, id, sent) in streams.iter().filter(|(host, ..)| awake(host)) {
        let id = id.unwrap();
        world.wait("echoed", seconds(60), |world| world.end(*host).is_finished(*handle, id));
        assert!(world.end(*host).received(*handle, id) == sent, "{host:?}");
    }
    world.network.host(clients[3]).suspended = false;
    world.run_for(seconds(300));
    for client in &clients {
        assert_eq!(world.end(*client).lost.len(), 1, "{client:?} is idle by now");
    }
    assert_eq!(world.end(server).lost.len(), 20);
    world.run_to_end();
}

#[test]
fn a_client_of_two_servers_loses_only_the_one_that_restarts() {
    let setup = Setup::new(1);
    let mut world = World::new(1);
    let addresses = [SERVER, SocketAddr::from(([198, 51, 100, 2], 443))];
    let servers = addresses.map(|address| {
        let server = world.add(address, setup.server_endpoint.clone());
        world.end(server).listen(setup.server_config());
        server
    });
    let client = world.add(([10, 9, 0, 1], 5000).into(), EndpointConfig::default());
    let handles = addresses.map(|address| {
        let end = world.end(client);
        end.connect(address, SERVER_NAME, setup.client_config()).unwrap()
    });
    world.wait("connected", seconds(5), |world| world.end(client).connected.len() == 2);
    world.restart(servers[0], setup.server_endpoint.clone());
    world.end(servers[0]).listen(setup.server_config());
    let ids = handles.map(|handle| {
        world.end(client).send_all(handle, Direction::Unidirectional, noise(50_000, 4))
    });
    world.wait("received", seconds(5), |world| {
        let server = world.end(servers[1]);
        server.connected.first().is_some_and(|handle| server.is_finished(*handle, ids[1]))
    });
    let lost = &world.end(client).lost;
    assert_eq!(lost.get(&handles[0]), Some(&ConnectionError::Reset));
    assert_eq!(lost.get(&handles[1]), None);
}
