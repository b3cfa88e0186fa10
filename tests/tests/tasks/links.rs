use quic_sim::network::{Link, Network};
use quic_sim::seeds::seeds;
use quic_sim::tasks::now;

use crate::support::{MILLISECOND, SECOND, Stage, ask, echo_server, pattern};

/// Lets data come back over links that were changed so.
fn crosses(seed: u64, change: impl Fn(&mut Link)) {
    let mut stage = Stage::new(seed);
    stage.links(change);
    stage.simulation.shuffle();
    stage.run(async |hosts| {
        let pair = hosts.start();
        let serve = hosts.server.spawn(echo_server(pair.server.clone()));
        let start = now();
        let connection = pair.connecting().await.unwrap();
        let data = pattern(200_000);
        assert!(ask(&connection, &data).await == data, "seed {seed}");
        assert!(now() - start < 60 * SECOND, "{:?} with seed {seed}", now() - start);
        drop(connection);
        pair.close().await;
        serve.await.unwrap();
    });
}

#[test]
fn lossy_links() {
    seeds(20).for_each(|seed| crosses(seed, |link| link.loss = 0.1));
}

#[test]
fn links_that_reorder_duplicate_and_corrupt() {
    for seed in seeds(20) {
        crosses(seed, |link| {
            link.reorder = 0.3;
            link.duplicate = 0.2;
            link.corrupt = 0.05;
            link.truncate = 0.05;
            link.jitter = 20 * MILLISECOND;
        });
    }
}

#[test]
fn narrow_links() {
    for seed in seeds(10) {
        crosses(seed, |link| {
            link.rate_bytes_per_second = Some(100_000);
            link.queue_bytes = 10_000;
            link.mtu = 1300;
        });
    }
}

#[test]
fn hosts_whose_timers_are_late() {
    for seed in seeds(10) {
        let mut stage = Stage::new(seed);
        stage.links(|link| link.loss = 0.05);
        for host in [&stage.hosts.client, &stage.hosts.server] {
            host.with(|host| {
                host.timer_granularity = 16 * MILLISECOND;
                host.timer_lateness = 50 * MILLISECOND;
            });
        }
        stage.run(async |hosts| {
            let pair = hosts.start();
            let serve = hosts.server.spawn(echo_server(pair.server.clone()));
            let connection = pair.connecting().await.unwrap();
            let data = pattern(200_000);
            assert!(ask(&connection, &data).await == data, "seed {seed}");
            pair.close().await;
            serve.await.unwrap();
        });
    }
}

#[test]
fn a_loss_after_a_silence_is_repaired_at_once() {
    let mut stage = Stage::new(1);
    stage.run(async |hosts| {
        let pair = hosts.start();
        let serve = hosts.server.spawn(echo_server(pair.server.clone()));
        let connection = pair.connecting().await.unwrap();
        assert_eq!(ask(&connection, b"hello").await, b"hello");
        quic_sim::tasks::sleep(10 * SECOND).await;
        let (client, server) = (hosts.client.id(), hosts.server.id());
        hosts.client.with_network(|network| {
            let next = network.link_statistics(client, server).sent;
            network.link(client, server).drops.insert(next);
        });
        let start = now();
        assert_eq!(ask(&connection, b"hello").await, b"hello");
        assert!(now() - start < 200 * MILLISECOND, "{:?}", now() - start);
        drop(connection);
        pair.close().await;
        serve.await.unwrap();
    });
}

#[test]
fn a_link_that_is_cut_for_a_while() {
    for seed in seeds(10) {
        let mut stage = Stage::new(seed);
        stage.run(async |hosts| {
            let pair = hosts.start();
            let serve = hosts.server.spawn(echo_server(pair.server.clone()));
            let connection = pair.connecting().await.unwrap();
            let (client, server) = (hosts.client.id(), hosts.server.id());
            let cut = |cut| {
                let change = |link: &mut Link| link.cut = cut;
                let all = |network: &mut Network| network.links(client, server).map(change);
                hosts.client.with_network(all);
            };
            let data = pattern(300_000);
            let asking = hosts.client.spawn(async move { ask(&connection, &data).await == data });
            for _ in 0..3 {
                quic_sim::tasks::sleep(25 * MILLISECOND).await;
                cut(true);
                quic_sim::tasks::sleep(3 * SECOND).await;
                cut(false);
            }
            assert!(asking.await.unwrap());
            pair.close().await;
            serve.await.unwrap();
        });
    }
}
