//! Everything follows from the seed.

use quic_sim::network::Trace;
use quic_sim::pair::Setup;

use super::{echo, millis, seconds};

fn run(setup: Setup) -> Trace {
    let mut pair = setup
        .link(|link| {
            link.loss = 0.03;
            link.jitter = millis(5);
            link.reorder = 0.05;
            link.duplicate = 0.05;
            link.corrupt = 0.02;
        })
        .transport(|transport| transport.handshake_timeout = seconds(100))
        .build();
    let client = pair.start();
    pair.wait("connected", seconds(60), |pair| !pair.server.connected.is_empty());
    echo(&mut pair, client, 100_000, seconds(60));
    pair.network.trace.clone()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for seed in 0..3 {
        assert!(run(Setup::new(seed)) == run(Setup::new(seed)), "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_lengths_and_times_with_rustls() {
    for seed in 0..3 {
        let (one, two) = (run(Setup::with_rustls(seed)), run(Setup::with_rustls(seed)));
        assert!(one.shape() == two.shape(), "seed {seed}");
        assert!(one != two, "rustls drew the same keys twice");
    }
}

#[test]
fn another_seed_gives_another_run() {
    assert!(run(Setup::new(1)) != run(Setup::new(2)));
}
