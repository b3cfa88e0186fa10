//! Everything follows from the seed, whatever the network can do.

use quic_core::{EcnCodepoint, Side};
use quic_sim::network::{Bursts, CoDel, Filtering, SocketError, Trace};
use quic_sim::pair::Setup;
use quic_sim::seeds::seeds;

use super::super::{millis, seconds};
use super::{exchange, host};

/// A run with all that there is at once.
fn run(seed: u64) -> Trace {
    let setup = Setup::new(seed).transport(|t| t.handshake_timeout = seconds(100));
    let mut pair = setup
        .link(|link| {
            link.loss = 0.01;
            link.bursts = Some(Bursts { begin: 0.002, end: 0.2, loss: 0.5 });
            link.jitter = millis(3);
            link.reorder = 0.02;
            link.duplicate = 0.02;
            link.corrupt = 0.01;
            link.truncate = 0.01;
            link.rate_bytes_per_second = Some(800_000);
            link.queue_bytes = 60_000;
            link.codel = Some(CoDel { marks: true, ..CoDel::default() });
            link.marks.congestion = 0.01;
        })
        .build();
    let start = pair.now();
    pair.to_client().outages.push(start + millis(300)..start + millis(700));
    let nat = pair.network.nat(host(Side::Client));
    nat.filtering = Filtering::Ports;
    nat.rebind_at = [30, 90].into();
    for side in [Side::Client, Side::Server] {
        let clock = pair.network.host(host(side));
        clock.timer_granularity = millis(4);
        clock.timer_lateness = millis(4);
        clock.set_clock_rate(if side == Side::Client { 1_001_000 } else { 998_000 });
        let port = pair.end(side).ports().next().unwrap();
        let socket = pair.network.socket(port);
        socket.receive_buffer = 30_000;
        socket.send_faults.chance = Some((0.02, SocketError::WouldBlock));
        socket.receive_faults.chance = Some((0.02, SocketError::Refused));
    }
    let client = pair.start();
    pair.wait("connected", seconds(60), |pair| !pair.server.connected.is_empty());
    let server = pair.server.connected[0];
    pair.network.host(host(Side::Server)).jump(seconds(2));
    pair.network.host(host(Side::Client)).suspended = true;
    pair.run_for(millis(400));
    pair.network.host(host(Side::Client)).suspended = false;
    exchange(&mut pair, (client, server), 150_000, seconds(100));
    pair.network.trace.clone()
}

#[test]
fn the_same_seed_gives_the_same_trace_whatever_the_network_does() {
    for seed in seeds(6) {
        let (one, two) = (run(seed), run(seed));
        assert_eq!(one.digest(), two.digest(), "seed {seed}");
        assert!(one == two, "seed {seed}");
        assert!(one.sent.iter().any(|sent| sent.ecn == Some(EcnCodepoint::Ect0)));
    }
    assert_ne!(run(1).digest(), run(2).digest());
}
