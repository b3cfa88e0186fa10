//! Endpoints made where something is missing that they need, and runtimes that end.

use std::time::Duration;

use driver_tokio::{ConnectError, ConnectionError, Endpoint};
use tokio::runtime::{Builder, Runtime};

use crate::support::{Pair, any_port, configs, soon};

/// What is said if neither a client nor a server can be made here.
#[track_caller]
fn refusal() -> String {
    let client = Endpoint::client(any_port()).unwrap_err().to_string();
    let server = Endpoint::server(configs().0, any_port()).unwrap_err().to_string();
    assert_eq!(client, server);
    client
}

fn both_kinds(build: impl Fn(&mut Builder) -> &mut Builder) -> [Runtime; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()]
        .map(|mut builder| build(&mut builder).build().unwrap())
}

#[test]
fn outside_of_a_runtime_the_error_says_to_go_inside_of_one() {
    assert!(refusal().contains("no tokio runtime here"));
}

#[test]
fn without_io_the_error_says_how_to_enable_it() {
    for runtime in both_kinds(|builder| builder.enable_time()) {
        runtime.block_on(async { assert!(refusal().contains("enable_io"), "{}", refusal()) });
    }
}

#[test]
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn without_time_the_error_says_how_to_enable_it() {
    for runtime in both_kinds(|builder| builder.enable_io()) {
        runtime.block_on(async { assert!(refusal().contains("enable_time"), "{}", refusal()) });
    }
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn where_the_system_has_timers_the_runtime_needs_none() {
    for runtime in both_kinds(|builder| builder.enable_io()) {
        runtime.block_on(async {
            let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            let (_, client) = configs();
            let endpoint = Endpoint::client(any_port()).unwrap();
            let address = silent.local_addr().unwrap();
            let _connecting = endpoint.connect_with(client, address, "localhost").unwrap();
            // The first packet and a probe, for which it takes a timer.
            silent.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let received = tokio::task::spawn_blocking(move || {
                let mut memory = [0; 2048];
                [silent.recv(&mut memory).is_ok(), silent.recv(&mut memory).is_ok()]
            });
            assert_eq!(received.await.unwrap(), [true; 2]);
        });
    }
}

#[test]
fn without_anything_the_error_says_what_to_enable_first() {
    for runtime in both_kinds(|builder| builder) {
        runtime.block_on(async { assert!(refusal().contains("enable_io"), "{}", refusal()) });
    }
}

#[test]
fn to_enter_a_runtime_is_enough() {
    for runtime in both_kinds(|builder| builder.enable_all()) {
        let entered = runtime.enter();
        let endpoint = Endpoint::client(any_port()).unwrap();
        drop(entered);
        runtime.block_on(endpoint.wait_idle());
    }
}

#[test]
fn a_runtime_that_is_gone_is_no_place_for_an_endpoint_and_ends_those_it_had() {
    for runtime in both_kinds(|builder| builder.enable_all()) {
        let handle = runtime.handle().clone();
        let endpoint = handle.block_on(async { Endpoint::client(any_port()).unwrap() });
        endpoint.set_default_client_config(configs().1);
        drop(runtime);
        let refused = endpoint.connect(any_port(), "localhost").unwrap_err();
        assert_eq!(refused, ConnectError::EndpointClosed);
        let _entered = handle.enter();
        assert!(refusal().contains("shutdown"), "{}", refusal());
    }
}

#[test]
fn an_attempt_that_outlives_the_loop_fails_when_it_is_accepted() {
    let runtime = Runtime::new().unwrap();
    let (pair, incoming) = runtime.block_on(soon(async {
        let pair = Pair::new();
        let _connecting = pair.client.connect(pair.address(), "localhost").unwrap();
        let incoming = pair.server.accept().await.unwrap();
        (pair, incoming)
    }));
    runtime.shutdown_timeout(Duration::from_secs(5));
    assert_eq!(incoming.accept().unwrap_err(), ConnectionError::LocallyClosed);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(soon(pair.server.wait_idle()));
}

#[test]
fn a_runtime_that_ends_fails_what_waits() {
    let runtime = Runtime::new().unwrap();
    let (pair, client, _server) = runtime.block_on(soon(async {
        let pair = Pair::new();
        let (client, server) = pair.connect().await;
        (pair, client, server)
    }));
    runtime.shutdown_timeout(Duration::from_secs(5));
    assert!(client.close_reason().is_some());
    let refused = pair.client.connect(pair.address(), "localhost").unwrap_err();
    assert_eq!(refused, ConnectError::EndpointClosed);
}
