//! A run that fails says how to play it again.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::env;
use std::process::Command;

use quic_sim::network::{Network, Outgoing};
use quic_sim::pair::Pair;
use quic_sim::seeds::Replay;

/// Standard error of this program, of which only one test runs, which is ignored otherwise.
fn stderr_of(test: &str) -> String {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", test, "--nocapture"])
        .env("CARGO_PKG_NAME", "quic-sim")
        .output()
        .unwrap();
    assert!(!output.status.success(), "it has to fail");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
#[ignore = "it fails, for another test"]
fn it_fails_with_three_pairs() {
    let _pairs = [Pair::new(76), Pair::new(77), Pair::new(78)];
    panic!("as it should");
}

#[test]
fn a_run_that_fails_prints_one_line_that_replays_it() {
    let stderr = stderr_of("it_fails_with_three_pairs");
    let lines: Vec<_> = stderr.lines().filter(|line| line.contains("QUIC_SEED=")).collect();
    let line = "to play this again: QUIC_SEED=76 cargo test -p quic-sim it_fails_with_three_pairs";
    assert_eq!(lines, [line], "{stderr}");
}

#[test]
fn a_run_that_passes_prints_nothing() {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "the_command_names_seed_package_and_test", "--nocapture"])
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(!String::from_utf8(output.stderr).unwrap().contains("play this again"));
}

#[test]
fn the_command_names_seed_package_and_test() {
    let command = Replay::new(5).command();
    assert!(command.starts_with("QUIC_SEED=5 cargo test"), "{command}");
    drop(Pair::new(5));
}

#[test]
fn a_network_that_is_warm_allocates_nothing_for_a_datagram() {
    let mut network = Network::new(1);
    let hosts = [network.add_host(), network.add_host()];
    let any = "0.0.0.0:0".parse().unwrap();
    let ports = hosts.map(|host| network.bind(host, any).unwrap());
    let to = network.address(ports[1]);
    let link = network.link(hosts[0], hosts[1]);
    link.rate_bytes_per_second = Some(10_000_000);
    link.duplicate = 0.1;
    network.nat(hosts[0]).lifetime = None;
    let mut inbox = Vec::new();
    let mut round = |payload: &[u8]| {
        for _ in 0..20 {
            network.send(ports[0], Outgoing::new(to, payload)).unwrap();
        }
        let next = network.now() + std::time::Duration::from_millis(20);
        network.advance(next);
        while network.take_ready().is_some() {}
        while network.receive(ports[1], &mut inbox).is_ok() {}
    };
    // Trains are up to 64 KiB long, and the memory of each goes round.
    (0..1000).for_each(|_| round(&[7; 1200]));
    let measured = allocation_counter::measure(|| (0..100).for_each(|_| round(&[8; 1200])));
    assert!(measured.count_total < 20, "{} allocations for 2000", measured.count_total);
}
