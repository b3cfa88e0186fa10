use super::{ConnectionMemory, EndpointMemory};

const CONNECTION: ConnectionMemory = ConnectionMemory {
    state: 1,
    tls: 2,
    handshake: 3,
    packets: 4,
    paths: 5,
    streams: 6,
    received: 100,
    window_growth: 90,
    sent: 7,
    datagrams: 8,
};

const ENDPOINT: EndpointMemory = EndpointMemory {
    tables: 1000,
    socket: 100,
    routes: 10,
    attempt: 5,
    zero_rtt_queue: 6,
    closed_connection: 7,
    connection: 4,
    connections: 3,
    window_growth: 1,
};

#[test]
fn the_total_is_the_sum_of_the_parts_and_growth_is_one_of_received_data() {
    assert_eq!(CONNECTION.total(), 136);
    assert_eq!(CONNECTION.total_at_first(), 46);
}

#[test]
fn what_nothing_bounds_stays_so_in_every_sum() {
    let boundless = ConnectionMemory { streams: u64::MAX, ..CONNECTION };
    assert_eq!((boundless.total(), boundless.total_at_first()), (u64::MAX, u64::MAX));
    let boundless = EndpointMemory { connection: u64::MAX, ..ENDPOINT };
    assert_eq!(boundless.total(), u64::MAX);
}

#[test]
fn every_slot_counts_as_the_largest_thing_that_can_be_in_it() {
    assert_eq!(ENDPOINT.total(), 1000 + 100 + 10 + 3 * 7 + 1);
}

#[test]
fn all_parts_are_printed_and_then_the_total() {
    let text = CONNECTION.to_string();
    assert_eq!(text.lines().count(), 10);
    assert!(text.lines().last().is_some_and(|line| line.ends_with(" 136")), "{text}");
    let text = ENDPOINT.to_string();
    assert!(text.lines().last().is_some_and(|line| line.ends_with(" 1132")), "{text}");
}
