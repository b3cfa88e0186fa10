//! Every error of a socket, at any call.

use std::io::ErrorKind;

use quic_sim::network::{Faults, SocketError};
use quic_sim::seeds::seeds;
use quic_sim::tasks::{Endpoint, Socket, now, sleep};

use crate::support::{Pair, SECOND, Stage, any, ask, both, echo, pattern};

const ERRORS: [SocketError; 7] = [
    SocketError::WouldBlock,
    SocketError::TooLarge,
    SocketError::Refused,
    SocketError::Unreachable,
    SocketError::Other(ErrorKind::InvalidInput),
    SocketError::Other(ErrorKind::PermissionDenied),
    SocketError::Other(ErrorKind::Interrupted),
];

/// Lets data come back while calls on the sockets of both ends fail as `faults` says.
fn survives(seed: u64, faults: impl Fn(&mut Faults)) {
    let mut stage = Stage::new(seed);
    stage.run(async |hosts| {
        let (here, there) = (Socket::bind(&hosts.client, any(0)).unwrap(), any(4433));
        let there = Socket::bind(&hosts.server, there).unwrap();
        hosts.client.with_network(|network| {
            for port in [here.port(), there.port()] {
                let socket = network.socket(port);
                faults(&mut socket.send_faults);
                faults(&mut socket.receive_faults);
            }
        });
        let config = driver::EndpointConfig::default;
        let server = Some(hosts.server_config.clone());
        let server = Endpoint::new(&hosts.server, config(), server, there).unwrap();
        let client = Endpoint::new(&hosts.client, config(), None, here).unwrap();
        let start = now();
        let address = server.local_addr().unwrap();
        let connecting = client.connect_with(hosts.client_config.clone(), address, "server");
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let (connection, accepted) = both(connecting.unwrap(), accept).await;
        let serve = hosts.server.spawn(echo(accepted));
        let connection = connection.unwrap();
        let data = pattern(50_000);
        assert!(ask(&connection, &data).await == data);
        assert!(now() - start < 30 * SECOND, "{:?}", now() - start);
        drop(connection);
        serve.await.unwrap();
        client.wait_idle().await;
    });
}

#[test]
fn any_error_at_any_of_the_first_calls_is_survived() {
    for error in ERRORS {
        for call in 0..30 {
            survives(1, |faults| {
                faults.calls.insert(call, error);
            });
        }
    }
}

#[test]
fn errors_that_come_again_and_again_are_survived() {
    for error in ERRORS {
        for seed in seeds(5) {
            survives(seed, |faults| faults.chance = Some((0.1, error)));
        }
    }
}

#[test]
fn an_outage_of_four_seconds_is_survived() {
    for error in ERRORS.into_iter().filter(|error| *error != SocketError::WouldBlock) {
        let mut stage = Stage::new(1);
        stage.run(async |hosts| {
            let here = Socket::bind(&hosts.client, any(0)).unwrap();
            let port = here.port();
            let set = |chance| {
                hosts.client.with_network(|network| {
                    network.socket(port).send_faults.chance = chance;
                });
            };
            let config = driver::EndpointConfig::default();
            let client = Endpoint::new(&hosts.client, config, None, here).unwrap();
            client.set_default_client_config(hosts.client_config.clone());
            let pair = Pair { client, server: hosts.start_server() };
            let (connection, accepted) = pair.connect().await;
            let serve = hosts.server.spawn(echo(accepted));
            assert_eq!(ask(&connection, b"before").await, b"before");
            set(Some((1.0, error)));
            let asking = hosts.client.spawn(async move {
                let data = pattern(50_000);
                assert!(ask(&connection, &data).await == data);
            });
            sleep(4 * SECOND).await;
            assert!(!asking.is_finished());
            set(None);
            asking.await.unwrap();
            serve.await.unwrap();
            pair.close().await;
        });
    }
}
