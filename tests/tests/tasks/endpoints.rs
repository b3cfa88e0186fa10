use std::future::IntoFuture as _;

use driver::{ConnectError, ConnectionError, TransportConfig};
use quic_core::TransportErrorCode;
use quic_sim::tasks::{Endpoint, Socket, now, sleep, timeout};

use crate::support::{MILLISECOND, SECOND, Stage, any, ask, both, echo, echo_server, pattern};

#[test]
fn connections_outlive_the_handles_of_their_endpoints() {
    let mut stage = Stage::new(1);
    stage.run(async |hosts| {
        let pair = hosts.start();
        let (client, server) = pair.connect().await;
        let refused = pair.connecting();
        drop(pair);
        let serve = hosts.server.spawn(echo(server));
        let data = pattern(100_000);
        assert_eq!(ask(&client, &data).await, data);
        // Nobody listens any more.
        let refused = refused.await.unwrap_err();
        assert!(matches!(refused, ConnectionError::ConnectionClosed(_)), "{refused:?}");
        drop(client);
        serve.await.unwrap();
    });
    assert!(stage.simulation.now() - quic_sim::network::START < SECOND, "nobody waits for nothing");
}

#[test]
fn an_attempt_that_is_dropped_is_refused_at_once() {
    let mut stage = Stage::new(7);
    stage.run(async |hosts| {
        let pair = hosts.start();
        for unpolled in [false, true] {
            let start = now();
            let gives_up = async {
                let incoming = pair.server.accept().await.unwrap();
                if unpolled {
                    // Accepted, and given up before it came to anything.
                    drop(incoming.into_future());
                } else {
                    drop(incoming);
                }
            };
            let (refused, ()) = both(pair.connecting(), gives_up).await;
            let refused = refused.unwrap_err();
            if !unpolled {
                let ConnectionError::ConnectionClosed(error) = &refused else {
                    panic!("{refused:?}")
                };
                assert_eq!(error.code, TransportErrorCode::CONNECTION_REFUSED);
            }
            assert_eq!(now() - start, 20 * MILLISECOND, "{refused:?}");
        }
        pair.close().await;
    });
}

#[test]
fn the_end_of_an_endpoint_is_the_end_of_all_that_waits_on_it() {
    let mut stage = Stage::new(2);
    stage.run(async |hosts| {
        let pair = hosts.start();
        let (client, server) = pair.connect().await;
        let (mut send, mut recv) = client.open_bi().await.unwrap();
        let endpoint = pair.client.clone();
        let waiting = [
            hosts.client.spawn({
                let client = client.clone();
                async move { client.accept_uni().await.unwrap_err() }
            }),
            hosts.client.spawn({
                let client = client.clone();
                async move { client.closed().await }
            }),
            hosts.client.spawn({
                let client = client.clone();
                async move { client.read_datagram().await.unwrap_err() }
            }),
        ];
        let reading = hosts.client.spawn(async move { recv.read(&mut [0; 8]).await.unwrap_err() });
        let accepting = hosts.client.spawn(async move { endpoint.accept().await.is_none() });
        sleep(SECOND).await;
        pair.client.close(7_u32.into(), b"bye");
        for waiting in waiting {
            assert_eq!(waiting.await, Ok(ConnectionError::LocallyClosed));
        }
        let lost = driver::ReadError::ConnectionLost(ConnectionError::LocallyClosed);
        assert_eq!(reading.await, Ok(lost));
        assert_eq!(accepting.await, Ok(true));
        assert!(send.write(b"x").await.is_err());
        let closed = server.closed().await;
        assert!(matches!(closed, ConnectionError::ApplicationClosed(close) if close.error_code == 7_u32.into()));
        let again = pair.client.connect(pair.address(), "server").unwrap_err();
        assert_eq!(again, ConnectError::EndpointClosed);
        pair.close().await;
    });
}

#[test]
fn a_crash_is_the_end_for_the_peer_once_nothing_is_heard() {
    let mut stage = Stage::new(3);
    stage.run(async |hosts| {
        let pair = hosts.start();
        let (client, server) = pair.connect().await;
        let start = now();
        hosts.server.crash().await;
        assert_eq!(server.close_reason(), Some(ConnectionError::LocallyClosed));
        assert!(pair.server.accept().await.is_none());
        let (mut send, _recv) = client.open_bi().await.unwrap();
        send.write_all(b"is anybody there?").await.unwrap();
        assert_eq!(client.closed().await, ConnectionError::TimedOut);
        let idle = TransportConfig::default().max_idle_timeout.unwrap();
        assert!(now() - start + SECOND >= idle);
        assert!(now() - start < 2 * idle);
        drop(pair.server);
        pair.client.wait_idle().await;
    });
}

#[test]
fn a_server_that_starts_again_tells_old_clients_and_serves_new_ones() {
    let mut stage = Stage::new(4);
    stage.run(async |hosts| {
        let pair = hosts.start();
        let (client, _server) = pair.connect().await;
        let address = pair.address();
        hosts.server.crash().await;
        let server = Endpoint::server(&hosts.server, hosts.server_config.clone(), address).unwrap();
        let serve = hosts.server.spawn(echo_server(server.clone()));
        let (mut send, _recv) = client.open_bi().await.unwrap();
        send.write_all(b"is anybody there?").await.unwrap();
        // A stateless reset, if the keys of the endpoint outlive it; else, nothing is ever heard.
        let start = now();
        assert_eq!(client.closed().await, ConnectionError::TimedOut);
        assert!(now() - start < 60 * SECOND);
        let again = pair.client.connect(address, "server").unwrap().await.unwrap();
        assert_eq!(ask(&again, b"hello").await, b"hello");
        drop((again, pair.server));
        pair.client.wait_idle().await;
        server.close(0_u32.into(), b"");
        serve.await.unwrap();
    });
}

#[test]
fn a_server_with_the_same_keys_resets_the_connections_of_the_one_before() {
    let mut stage = Stage::new(5);
    stage.run(async |hosts| {
        let mut config = driver::EndpointConfig::default();
        config.keyring = Some(driver::Keyring::new([9; 32]));
        let start = || {
            let socket = Socket::bind(&hosts.server, any(4433)).unwrap();
            let server = Some(hosts.server_config.clone());
            Endpoint::new(&hosts.server, config.clone(), server, socket).unwrap()
        };
        let server = start();
        let address = server.local_addr().unwrap();
        let endpoint = hosts.start_client();
        let connecting = endpoint.connect(address, "server").unwrap();
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let (client, _accepted) = both(connecting, accept).await;
        let client = client.unwrap();
        hosts.server.crash().await;
        let _server = start();
        let (mut send, _recv) = client.open_bi().await.unwrap();
        let before = now();
        send.write_all(b"is anybody there?").await.unwrap();
        assert_eq!(client.closed().await, ConnectionError::Reset);
        assert!(now() - before < SECOND);
    });
}

#[test]
fn a_client_that_goes_over_to_another_socket_takes_its_connections_along() {
    let mut stage = Stage::new(6);
    stage.run(async |hosts| {
        let pair = hosts.start();
        let (client, server) = pair.connect().await;
        let serve = hosts.server.spawn(echo(server.clone()));
        let before = server.remote_address();
        let data = pattern(500_000);
        let asking = {
            let (client, data) = (client.clone(), data.clone());
            hosts.client.spawn(async move { ask(&client, &data).await == data })
        };
        sleep(35 * MILLISECOND).await;
        let socket = Socket::bind(&hosts.client, any(0)).unwrap();
        let old = pair.client.local_addr().unwrap();
        pair.client.rebind(socket).unwrap();
        assert!(asking.await.unwrap());
        assert_ne!(server.remote_address(), before);
        assert_eq!(server.remote_address(), pair.client.local_addr().unwrap());
        // Nobody needs the old one any more.
        sleep(5 * SECOND).await;
        Socket::bind(&hosts.client, old).unwrap();
        drop((client, server));
        pair.client.close(0_u32.into(), b"");
        serve.await.unwrap();
        pair.close().await;
    });
}

#[test]
fn a_connection_that_went_back_leaves_its_socket_when_that_is_removed() {
    let mut stage = Stage::new(6);
    stage.run(async |hosts| {
        let pair = hosts.start();
        let (client, server) = pair.connect().await;
        let serve = hosts.server.spawn(echo(server.clone()));
        assert_eq!(ask(&client, b"before").await, b"before");
        let old = pair.client.local_addr().unwrap();
        let socket = Socket::bind(&hosts.client, any(0)).unwrap();
        let new = driver::AsyncSocket::local_addr(&socket).unwrap();
        hosts.client.with_network(|network| network.dead.push(new));
        pair.client.rebind(socket).unwrap();
        sleep(5 * SECOND).await;
        assert!(ask(&client, b"meanwhile").await == b"meanwhile");
        assert_eq!((server.remote_address(), pair.client.local_addr().unwrap()), (old, new));
        hosts.client.with_network(|network| network.dead.clear());
        pair.client.remove_socket(old).unwrap();
        sleep(SECOND).await;
        assert_eq!(server.remote_address(), new);
        assert_eq!(ask(&client, b"after").await, b"after");
        drop((client, server));
        pair.client.close(0_u32.into(), b"");
        serve.await.unwrap();
        pair.close().await;
    });
}

#[test]
fn a_suspended_host_goes_on_where_it_was() {
    let mut stage = Stage::new(7);
    stage.run(async |hosts| {
        let pair = hosts.start();
        let (client, server) = pair.connect().await;
        let serve = hosts.server.spawn(echo(server));
        let data = pattern(1_000_000);
        let asking = {
            let (client, data) = (client.clone(), data.clone());
            hosts.client.spawn(async move { ask(&client, &data).await == data })
        };
        sleep(30 * MILLISECOND).await;
        hosts.server.with(|host| host.suspended = true);
        assert!(timeout(10 * SECOND, std::future::pending::<()>()).await.is_err());
        assert!(!asking.is_finished());
        hosts.server.with(|host| host.suspended = false);
        assert!(asking.await.unwrap());
        drop(client);
        serve.await.unwrap();
        pair.close().await;
    });
}

#[test]
fn clocks_that_jump_or_stand_still_for_a_while_end_no_connection_that_is_in_use() {
    let mut stage = Stage::new(8);
    stage.run(async |hosts| {
        let pair = hosts.start();
        let (client, server) = pair.connect().await;
        let serve = hosts.server.spawn(echo(server));
        for round in 0..5 {
            match round {
                0 => hosts.client.with(|host| host.jump_back(2 * SECOND)),
                1 => hosts.server.with(|host| host.jump(10 * SECOND)),
                2 => hosts.client.with(|host| host.set_clock_rate(100_000)),
                3 => hosts.client.with(|host| host.set_clock_rate(3_000_000)),
                _ => {
                    hosts.server.with(quic_sim::network::Host::freeze_clock);
                    let server = hosts.server.clone();
                    drop(hosts.client.spawn(async move {
                        sleep(SECOND).await;
                        server.with(|host| host.set_clock_rate(1_000_000));
                    }));
                }
            }
            let data = pattern(30_000);
            assert_eq!(ask(&client, &data).await, data, "in round {round}");
        }
        drop(client);
        serve.await.unwrap();
        pair.close().await;
    });
}
