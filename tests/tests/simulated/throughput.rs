//! Links are used well.

use quic_core::{AckFrequencyConfig, Direction};
use quic_sim::network::Link;
use quic_sim::pair::{Pair, Setup};

use super::{millis, seconds};

/// Bits per second that the server reads while `run` of virtual time passes.
fn rate(pair: &mut Pair, server: quic_core::ConnectionHandle, run: u64) -> u64 {
    let before = pair.server.bytes_read(server);
    pair.run_for(millis(run));
    (pair.server.bytes_read(server) - before) * 8 * 1000 / run
}

#[test]
fn windows_grow_to_fill_a_long_fast_link() {
    let mut pair = Setup::new(1)
        .link(|link| {
            link.delay = millis(50);
            link.rate_bytes_per_second = Some(125_000_000);
            link.queue_bytes = 12_500_000;
        })
        .build();
    pair.server.application.keep = false;
    pair.client.maximum_segments = 44;
    let (client, server) = pair.connect();
    pair.client.send_endlessly(client);
    let mut best = 0;
    while pair.elapsed() < seconds(3) && best < 500_000_000 {
        best = best.max(rate(&mut pair, server, 250));
    }
    assert!(best > 500_000_000, "{best} bit/s at the best");
}

#[test]
fn slow_start_doubles_what_is_sent_each_round_trip() {
    let mut setup = Setup::new(1).link(|link| link.delay = millis(50));
    setup.server_transport.stream_receive_window = 8 << 20;
    setup.server_transport.receive_window = 8 << 20;
    let mut pair = setup.build();
    pair.server.application.keep = false;
    let (client, _) = pair.connect();
    pair.client.send_endlessly(client);
    let window = |pair: &mut Pair| pair.client.with(client, |c| c.statistics().congestion_window);
    pair.run_for(millis(210));
    for _ in 0..4 {
        let before = window(&mut pair);
        pair.run_for(millis(100));
        let after = window(&mut pair);
        assert!(after * 10 > before * 17, "grew from {before} to {after} in a round trip");
    }
}

/// How long 10 MB take on a link, by the ideal.
fn share(setup: Setup) -> f64 {
    let ideal = 10_000_000.0 / setup.to_server.rate_bytes_per_second.unwrap() as f64;
    let mut pair = setup.build();
    pair.server.application.keep = false;
    let (client, server) = pair.connect();
    let start = pair.now();
    let id = pair.client.send_all(client, Direction::Unidirectional, vec![1; 10_000_000]);
    pair.wait("received", seconds(100), |pair| pair.server.is_finished(server, id));
    (pair.now() - start).as_secs_f64() / ideal
}

fn dsl(link: &mut Link) {
    link.delay = millis(15);
    link.rate_bytes_per_second = Some(1_250_000);
    link.queue_bytes = 25 * 1452;
}

#[test]
fn a_link_with_a_short_queue_is_used() {
    let share = share(Setup::new(1).link(dsl));
    assert!(share < 1.25, "took {share} times as long as the link needs");
}

#[test]
fn a_link_with_a_short_queue_is_used_without_pacing() {
    let share = share(Setup::new(1).link(dsl).transport(|transport| transport.pacing = false));
    assert!(share < 1.4, "took {share} times as long as the link needs");
}

#[test]
fn a_link_with_jitter_is_used() {
    let share = share(Setup::new(1).link(dsl).link(|link| link.jitter = millis(5)));
    assert!(share < 1.3, "took {share} times as long as the link needs");
}

#[test]
fn two_connections_share_a_link() {
    let mut pair = Setup::new(1).link(dsl).build();
    pair.server.application.keep = false;
    let (one, one_server) = pair.connect();
    let (two, two_server) = pair.connect();
    pair.client.send_endlessly(one);
    pair.client.send_endlessly(two);
    pair.run_for(seconds(20));
    let rates = [one_server, two_server].map(|server| pair.server.bytes_read(server));
    let (least, most) = (rates[0].min(rates[1]), rates[0].max(rates[1]));
    assert!(least * 4 > most, "{rates:?}");
    assert!(least + most > 20_000_000, "{rates:?}");
}

#[test]
fn slow_start_that_overruns_a_long_fast_link_does_not_end_the_connection() {
    for (rate, queue) in [(12_500_000, 1_250_000), (50_000_000, 2_500_000)] {
        let mut pair = Setup::new(1)
            .link(|link| {
                link.delay = millis(50);
                link.rate_bytes_per_second = Some(rate);
                link.queue_bytes = queue;
            })
            .build();
        pair.server.application.keep = false;
        pair.client.maximum_segments = 44;
        let (client, server) = pair.connect();
        pair.client.send_endlessly(client);
        pair.run_for(seconds(3));
        let lost = pair.client.with(client, |c| c.statistics()).packets_lost;
        assert!(pair.server.lost.is_empty() && pair.client.lost.is_empty());
        assert!(lost > 500, "{lost} packets of {rate}");
        assert!(pair.server.bytes_read(server) > rate);
    }
}

#[test]
fn slow_start_ends_before_a_long_queue_is_full_also_where_few_acknowledgments_tell_of_it() {
    for ack_frequency in [None, Some(AckFrequencyConfig::default())] {
        let mut setup = Setup::new(1)
            .link(|link| {
                link.delay = millis(20);
                link.rate_bytes_per_second = Some(12_500_000);
                link.queue_bytes = 12_500_000;
            })
            .transport(|transport| {
                transport.ack_frequency = ack_frequency;
                transport.send_window = 64 << 20;
            });
        setup.server_transport.max_stream_receive_window = 64 << 20;
        setup.server_transport.max_receive_window = 64 << 20;
        let mut pair = setup.build();
        pair.server.application.keep = false;
        let (client, server) = pair.connect();
        pair.client.send_endlessly(client);
        pair.run_for(seconds(5));
        let statistics = pair.client.with(client, |c| c.statistics());
        // Half a megabyte is on its way if the queue is empty, and 13 if it is full.
        let window = statistics.congestion_window;
        assert!(statistics.slow_start_threshold.is_some() && window < 6_500_000, "{window} bytes");
        assert_eq!(statistics.packets_lost, 0, "{ack_frequency:?}");
        assert!(pair.server.bytes_read(server) > 4 * 12_500_000);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
//= type=test
//# Upon detecting losses, a sender MUST take appropriate congestion
//# control action.
#[test]
fn loss_makes_the_window_smaller() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    let id = pair.client.send_all(client, Direction::Unidirectional, vec![1; 100_000]);
    pair.wait("sent", seconds(5), |pair| pair.server.is_finished(server, id));
    let before = pair.client.with(client, |c| c.statistics());
    pair.to_server().loss = 0.1;
    let id = pair.client.send_all(client, Direction::Unidirectional, vec![1; 500_000]);
    pair.wait("sent", seconds(20), |pair| pair.server.is_finished(server, id));
    let after = pair.client.with(client, |c| c.statistics());
    assert!(after.packets_lost > 0 && after.congestion_events > before.congestion_events);
    assert!(after.congestion_window < before.congestion_window);
}
