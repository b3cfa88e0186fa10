use driver::TransportConfig;
use quic_sim::pair::certificate;
use quic_sim::tasks::{Endpoint, Simulation, now, spawn};

use std::sync::Arc;

use crate::support::{MILLISECOND, SECOND, Stage, any, ask, echo, echo_server, pattern};

#[test]
fn what_is_sent_comes_back_after_as_many_round_trips_as_it_needs() {
    let mut stage = Stage::new(1);
    stage.run(async |hosts| {
        let pair = hosts.start();
        let start = now();
        let (client, server) = pair.connect().await;
        assert_eq!(now() - start, 30 * MILLISECOND, "until the server has heard of its end");
        let serve = hosts.server.spawn(echo(server));
        assert_eq!(ask(&client, b"hello").await, b"hello");
        assert_eq!(now() - start, 50 * MILLISECOND);
        client.close(0_u32.into(), b"");
        serve.await.unwrap();
        pair.close().await;
    });
}

#[test]
fn many_connections_with_many_streams_each_get_what_is_theirs() {
    let mut stage = Stage::new(2);
    stage.links(|link| link.rate_bytes_per_second = Some(10_000_000));
    stage.run(async |hosts| {
        let pair = hosts.start();
        let serve = hosts.server.spawn(echo_server(pair.server.clone()));
        let connections: Vec<_> = (0..20)
            .map(|number| {
                let connecting = pair.connecting();
                hosts.client.spawn(async move {
                    let connection = connecting.await.unwrap();
                    let streams: Vec<_> = (0..30)
                        .map(|stream| {
                            let connection = connection.clone();
                            spawn(async move {
                                let data = pattern(number * 1000 + stream * 17 + 1);
                                assert_eq!(ask(&connection, &data).await, data);
                            })
                        })
                        .collect();
                    for stream in streams {
                        stream.await.unwrap();
                    }
                })
            })
            .collect();
        for connection in connections {
            connection.await.unwrap();
        }
        pair.close().await;
        serve.await.unwrap();
    });
}

#[test]
fn streams_that_wait_to_be_opened_are_all_opened_in_the_end() {
    let mut transport = TransportConfig::default();
    transport.max_concurrent_uni_streams = 3;
    let mut stage = Stage::with(3, transport);
    stage.run(async |hosts| {
        let pair = hosts.start();
        let (client, server) = pair.connect().await;
        let opened: Vec<_> = (0..50)
            .map(|_| {
                let client = client.clone();
                hosts.client.spawn(async move {
                    let mut send = client.open_uni().await.unwrap();
                    send.write_all(b"x").await.unwrap();
                    send.finish().unwrap();
                })
            })
            .collect();
        for _ in 0..50 {
            let mut recv = server.accept_uni().await.unwrap();
            assert_eq!(recv.read_to_end(10).await.unwrap(), b"x");
        }
        for opened in opened {
            opened.await.unwrap();
        }
        drop((client, server));
        pair.close().await;
    });
}

#[test]
fn everybody_who_waits_for_the_same_thing_is_told() {
    let mut stage = Stage::new(4);
    stage.run(async |hosts| {
        let pair = hosts.start();
        let (client, server) = pair.connect().await;
        let mut send = client.open_uni().await.unwrap();
        send.write_all(b"x").await.unwrap();
        let send = Arc::new(send);
        let waiting: Vec<_> = (0..5)
            .map(|_| {
                let (send, client) = (Arc::clone(&send), client.clone());
                hosts.client.spawn(async move {
                    assert_eq!(send.stopped().await, Ok(Some(7_u32.into())));
                    client.closed().await;
                })
            })
            .collect();
        server.accept_uni().await.unwrap().stop(7_u32.into()).unwrap();
        quic_sim::tasks::sleep(SECOND).await;
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
        server.close(0_u32.into(), b"");
        for waiting in waiting {
            waiting.await.unwrap();
        }
        pair.close().await;
    });
}

#[test]
fn a_real_tls_runs_in_virtual_time_too() {
    use driver::crypto::{TlsClientConfig, TlsServerConfig};
    use driver::rustls::RootCertStore;
    use driver::{ClientConfig, Keyring, ServerConfig};

    let (chain, key) = certificate();
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let tls = TlsServerConfig::from_certificate(chain, key, &[b"echo"]).unwrap();
    let keyring = Keyring::new([7; 32]);
    let server = ServerConfig::new(Arc::new(tls), TransportConfig::default(), keyring).unwrap();
    let tls = TlsClientConfig::from_roots(roots, &[b"echo"]).unwrap();
    let client = ClientConfig::new(Arc::new(tls), TransportConfig::default()).unwrap();

    let mut simulation = Simulation::new(1);
    let (here, there) = (simulation.host(), simulation.host());
    simulation.block_on(async {
        let server = Endpoint::server(&there, server, any(443)).unwrap();
        let address = server.local_addr().unwrap();
        let serve = there.spawn(echo_server(server.clone()));
        let endpoint = Endpoint::client(&here, any(0)).unwrap();
        let connecting = endpoint.connect_with(client, address, "server.example").unwrap();
        let connection = connecting.await.unwrap();
        let data = pattern(1_000_000);
        assert_eq!(ask(&connection, &data).await, data);
        connection.close(0_u32.into(), b"");
        endpoint.wait_idle().await;
        server.close(0_u32.into(), b"");
        serve.await.unwrap();
    });
}
