use allocation_counter::measure;
use quic_sim::seeds::seeds;
use quic_sim::tasks::now;

use crate::support::{Hosts, MILLISECOND, SECOND, Stage, ask, echo_server, pattern};

/// A few clients that come and go while others talk.
async fn bustle(hosts: Hosts) {
    let pair = hosts.start();
    let serve = hosts.server.spawn(echo_server(pair.server.clone()));
    let address = pair.address();
    let clients: Vec<_> = (0..5)
        .map(|number| {
            let hosts = hosts.clone();
            hosts.client.clone().spawn(async move {
                let endpoint = hosts.start_client();
                quic_sim::tasks::sleep(number * 7 * MILLISECOND).await;
                let connection = endpoint.connect(address, "server").unwrap().await.unwrap();
                let streams: Vec<_> = (0..4)
                    .map(|stream| {
                        let connection = connection.clone();
                        hosts.client.spawn(async move {
                            let data = pattern(5_000 * (stream + 1));
                            assert_eq!(ask(&connection, &data).await, data);
                        })
                    })
                    .collect();
                for stream in streams {
                    stream.await.unwrap();
                }
                connection.close(0_u32.into(), b"");
                endpoint.wait_idle().await;
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    pair.close().await;
    serve.await.unwrap();
}

fn stage(seed: u64) -> Stage {
    let mut stage = Stage::new(seed);
    stage.links(|link| {
        link.rate_bytes_per_second = Some(2_000_000);
        link.jitter = 5 * MILLISECOND;
        link.loss = 0.03;
        link.reorder = 0.05;
        link.duplicate = 0.02;
    });
    stage.simulation.shuffle();
    stage
}

#[test]
fn one_seed_gives_the_same_run_byte_by_byte_and_poll_by_poll() {
    let run = |seed| {
        let mut stage = stage(seed);
        let end = stage.run(async |hosts| {
            bustle(hosts).await;
            now()
        });
        (end, stage.simulation.polls(), stage.simulation.digest())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn whatever_order_tasks_run_in_they_come_to_the_same_end() {
    for seed in seeds(50) {
        let mut stage = stage(seed);
        let start = stage.simulation.now();
        let end = stage.run(async |hosts| {
            bustle(hosts).await;
            now()
        });
        assert!(end - start < 20 * SECOND, "{:?} with seed {seed}", end - start);
    }
}

#[test]
fn no_memory_is_left_when_everything_is_over() {
    // What is made once and kept is made here.
    let run = || stage(1).run(bustle);
    run();
    let left = measure(run);
    assert_eq!((left.bytes_current, left.count_current), (0, 0));
    assert!(left.count_total > 1000);
}
