//! Clocks that jump, stand still or run at their own rate, and timers that are late.

use std::time::Duration;

use quic_core::{ConnectionError, Direction, Side};
use quic_sim::pair::{Pair, Setup};

use super::super::{millis, seconds};
use super::{exchange, host, part, slow_pair};

const BOTH: [Side; 2] = [Side::Client, Side::Server];
const EIGHT_WEEKS: Duration = Duration::from_hours(8 * 7 * 24);

#[test]
fn a_clock_that_goes_back_stops_nothing() {
    for side in BOTH {
        for back in [millis(1), seconds(1), seconds(10), seconds(3600), EIGHT_WEEKS] {
            let mut pair = slow_pair();
            // So that there is a past to go back to.
            for side in BOTH {
                pair.network.host(host(side)).jump(2 * EIGHT_WEEKS);
            }
            let handles = pair.connect();
            pair.client.send_endlessly(handles.0);
            pair.run_for(millis(200));
            pair.network.host(host(side)).jump_back(back);
            let read = pair.server.bytes_read(handles.1);
            pair.run_for(seconds(2));
            assert!(pair.server.bytes_read(handles.1) > read + 100_000, "{side:?} {back:?}");
            part(pair, handles.0);
        }
    }
}

#[test]
fn timers_keep_their_time_on_a_clock_that_goes_back() {
    for side in BOTH {
        let mut pair = Pair::new(1);
        let (client, server) = pair.connect();
        pair.run_for(seconds(1));
        pair.network.host(host(side)).jump_back(seconds(600));
        // Idle for less than the timeout, then for more.
        pair.run_for(seconds(25));
        exchange(&mut pair, (client, server), 1000, seconds(1));
        pair.run_for(seconds(29));
        assert!(pair.client.lost.is_empty() && pair.server.lost.is_empty(), "{side:?}");
        pair.run_for(seconds(3));
        let lost = [&pair.client.lost[&client], &pair.server.lost[&server]];
        assert_eq!(lost, [&ConnectionError::TimedOut; 2], "{side:?}");
        let handles = pair.connect();
        exchange(&mut pair, handles, 100_000, seconds(10));
        pair.client.close(handles.0, 7, b"done");
        pair.run_for(millis(50));
        assert_eq!(pair.server.lost.len(), 2, "{side:?}");
    }
}

#[test]
fn what_the_application_does_with_a_clock_that_was_set_back_takes_its_usual_time() {
    let mut pair = Pair::new(1);
    let (client, server) = pair.connect();
    pair.run_for(seconds(1));
    pair.network.host(host(Side::Client)).jump_back(seconds(600));
    pair.run_for(seconds(3));
    // The new path is not given up before its challenge can be answered.
    let socket = pair.client.add_socket(([192, 0, 2, 1], 50_002).into());
    let path = pair.client.path(socket, pair.server.address());
    let now = pair.client.now;
    pair.client.with(client, |c| c.migrate(now, path)).unwrap();
    exchange(&mut pair, (client, server), 1000, seconds(1));
    assert_eq!(pair.client.with(client, |c| c.path().socket), socket);
    // The close is repeated for who lost it, for as long as it is to be (RFC 9000 §10.2.1).
    pair.to_server().cut = true;
    pair.client.close(client, 7, b"done");
    pair.run_for(millis(10));
    pair.to_server().cut = false;
    pair.server.send_all(server, Direction::Unidirectional, &b"still there?"[..]);
    pair.run_for(millis(50));
    assert!(matches!(pair.server.lost[&server], ConnectionError::ApplicationClosed(_)));
    pair.run_to_end();
}

#[test]
fn a_clock_that_jumps_less_than_the_timeout_loses_no_connection() {
    for side in BOTH {
        for forward in [millis(1), millis(300), seconds(5), seconds(25)] {
            let mut pair = Setup::new(1).link(|link| link.loss = 0.02).build();
            let handles = pair.connect();
            pair.run_for(millis(100));
            let id = pair.client.send_all(
                handles.0,
                Direction::Unidirectional,
                super::noise(1 << 20, 3),
            );
            pair.run_for(millis(50));
            pair.network.host(host(side)).jump(forward);
            pair.wait("received", seconds(60), |pair| pair.server.is_finished(handles.1, id));
            exchange(&mut pair, handles, 100_000, seconds(60));
            part(pair, handles.0);
        }
    }
}

#[test]
fn a_clock_that_jumps_over_the_timeout_ends_the_connection_in_order() {
    for side in BOTH {
        for forward in [Duration::from_hours(1), EIGHT_WEEKS] {
            let mut pair = Pair::new(1);
            let (client, server) = pair.connect();
            pair.run_for(seconds(1));
            pair.network.host(host(side)).jump(forward);
            pair.run_for(seconds(100));
            let lost = [&pair.client.lost[&client], &pair.server.lost[&server]];
            assert_eq!(lost, [&ConnectionError::TimedOut; 2], "{side:?} {forward:?}");
            // And what comes next is as if nothing had been.
            let handles = pair.connect();
            exchange(&mut pair, handles, 100_000, seconds(10));
        }
    }
}

#[test]
fn a_clock_that_stands_still_for_a_while_stops_nothing_for_good() {
    for side in BOTH {
        let mut pair = slow_pair();
        let handles = pair.connect();
        pair.client.send_endlessly(handles.0);
        pair.run_for(millis(200));
        pair.network.host(host(side)).freeze_clock();
        pair.run_for(seconds(3));
        pair.network.host(host(side)).set_clock_rate(1_000_000);
        let read = pair.server.bytes_read(handles.1);
        pair.run_for(seconds(3));
        assert!(pair.server.bytes_read(handles.1) > read + 100_000, "{side:?}");
        part(pair, handles.0);
    }
}

#[test]
fn clocks_of_different_rates_get_along() {
    for rate in [100_000, 900_000, 1_100_000, 10_000_000] {
        for side in BOTH {
            let mut pair = Setup::new(1).link(|link| link.loss = 0.01).build();
            pair.network.host(host(side)).set_clock_rate(rate);
            let handles = pair.connect();
            exchange(&mut pair, handles, 500_000, seconds(60));
            part(pair, handles.0);
        }
    }
}

#[test]
fn timers_that_are_coarse_and_late_cost_time_and_nothing_else() {
    for (granularity, late) in
        [(millis(1), millis(1)), (millis(15), millis(5)), (millis(50), millis(50))]
    {
        let mut pair = Setup::new(1).link(|link| link.loss = 0.02).build();
        for side in BOTH {
            pair.network.host(host(side)).timer_granularity = granularity;
            pair.network.host(host(side)).timer_lateness = late;
        }
        let handles = pair.connect();
        exchange(&mut pair, handles, 1 << 20, seconds(60));
        part(pair, handles.0);
    }
}

#[test]
fn an_idle_timeout_under_late_timers_is_late_and_comes() {
    let mut pair = Pair::new(1);
    for side in BOTH {
        pair.network.host(host(side)).timer_granularity = millis(50);
        pair.network.host(host(side)).timer_lateness = millis(50);
    }
    let (client, server) = pair.connect();
    pair.run_for(seconds(29));
    assert!(pair.client.lost.is_empty() && pair.server.lost.is_empty());
    pair.run_for(seconds(2));
    assert_eq!(pair.client.lost[&client], ConnectionError::TimedOut);
    assert_eq!(pair.server.lost[&server], ConnectionError::TimedOut);
}
