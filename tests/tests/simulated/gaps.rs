//! Streams of which much is missing at a time.

use std::sync::Arc;

use quic_core::congestion::{Acked, Congestion, CongestionController, Rtt, Sent};
use quic_core::{CongestionAlgorithm, Direction, Instant};
use quic_sim::pair::Setup;

use super::{millis, noise, seconds};

/// Bytes in flight of a sender that does not take loss for congestion.
const WINDOW: u64 = 32 << 20;

#[derive(Debug)]
struct Undeterred;

impl CongestionController for Undeterred {
    fn on_sent(&mut self, _: Instant, _: &Sent) {}
    fn on_acked(&mut self, _: Instant, _: &Acked, _: &Rtt) {}
    fn on_congestion(&mut self, _: Instant, _: &Congestion) {}
    fn on_spurious_congestion(&mut self, _: Instant) {}
    fn on_persistent_congestion(&mut self, _: Instant) {}
    fn on_mtu_changed(&mut self, _: u16) {}
    fn window(&self) -> u64 {
        WINDOW
    }
    fn slow_start_threshold(&self) -> Option<u64> {
        None
    }
}

/// 25 MB fit into the link, of which an eighth is lost.
#[test]
fn an_honest_sender_on_a_long_fast_link_that_loses_much_leaves_thousands_of_gaps() {
    let mut setup = Setup::new(1).link(|link| {
        link.delay = millis(100);
        link.rate_bytes_per_second = Some(125_000_000);
        link.queue_bytes = 32 << 20;
    });
    setup.server_transport.stream_receive_window = WINDOW;
    setup.server_transport.max_stream_receive_window = WINDOW;
    setup.server_transport.receive_window = WINDOW;
    setup.server_transport.max_receive_window = WINDOW;
    setup.client_transport.send_window = WINDOW;
    setup.client_transport.congestion =
        CongestionAlgorithm::Custom(Arc::new(|_| Box::new(Undeterred)));
    let mut pair = setup.build();
    let (client, server) = pair.connect();
    pair.run_for(seconds(2));
    pair.to_server().loss = 0.125;
    let sent = noise(30 << 20, 1);
    let id = pair.client.send_all(client, Direction::Unidirectional, sent.clone());
    pair.wait("received", seconds(20), |pair| {
        assert!(pair.server.lost.is_empty(), "{:?}", pair.server.lost);
        pair.server.is_finished(server, id)
    });
    assert!(pair.server.received(server, id) == sent);
    let lost = pair.client.with(client, |c| c.statistics()).packets_lost;
    assert!(lost > 2000, "{lost} lost packets are too few to mean anything");
}
