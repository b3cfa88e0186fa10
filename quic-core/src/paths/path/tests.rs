use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use proptest::prelude::*;

use super::*;
use crate::congestion::{Acked, Congestion};
use crate::net::SocketId;

fn addresses() -> PathAddresses {
    PathAddresses { socket: SocketId(0), local_ip: None, remote: ([192, 0, 2, 1], 443).into() }
}

fn path(config: &TransportConfig) -> Path {
    Path::new(addresses(), 0, config, Amplification::unlimited())
}

#[test]
fn the_congestion_controller_is_the_configured_one() {
    let named = |congestion, name: &str| {
        let config = TransportConfig { congestion, ..TransportConfig::default() };
        assert!(format!("{:?}", path(&config).congestion).starts_with(name));
    };
    named(CongestionAlgorithm::Cubic, "Cubic");
    named(CongestionAlgorithm::NewReno, "NewReno");
    let custom = |mtu| -> Box<dyn CongestionController> {
        assert_eq!(mtu, 1200);
        Box::new(NewReno::new(mtu))
    };
    named(CongestionAlgorithm::Custom(Arc::new(custom)), "NewReno");
}

#[test]
fn only_packets_in_flight_are_counted() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.5
    //= type=test
    //# A sender MUST however count these packets as being additionally in
    //# flight, since these packets add network load without establishing
    //# packet loss.
    let mut path = path(&TransportConfig::default());
    path.on_sent(Instant::EPOCH, 1000, true);
    path.on_sent(Instant::EPOCH, 50, false);
    assert_eq!(path.in_flight(), 1000);
    path.on_discarded(900);
    assert_eq!(path.in_flight(), 100);
}

#[test]
fn a_found_mtu_is_the_new_datagram_size_and_a_lost_probe_changes_nothing() {
    let mut path = path(&TransportConfig::default());
    path.mtu.enable();
    path.mtu.want();
    let window = path.congestion.window();
    let size = path.mtu.poll_probe(Instant::EPOCH, u64::MAX).unwrap();
    path.on_sent(Instant::EPOCH, size.into(), true);
    path.mtu.on_probe_lost(size);
    assert_eq!((path.mtu.current(), path.congestion.window()), (1200, window));
    let size = path.mtu.poll_probe(Instant::EPOCH, u64::MAX).unwrap();
    path.on_sent(Instant::EPOCH, size.into(), true);
    assert!(path.on_mtu_probe_acked(size));
    assert_eq!(path.mtu.current(), 1452);
}

#[test]
fn the_window_was_the_limit_if_it_was_used_up_at_any_time_since_the_packet_was_sent() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.8
    //= type=test
    //# A sender SHOULD NOT consider itself application limited if it would
    //# have fully utilized the congestion window without pacing delay.
    let at = |millis| Instant::EPOCH + Duration::from_millis(millis);
    let mut path = path(&TransportConfig::default());
    let window = path.congestion.window();
    path.on_sent(at(1), window / 2, true);
    assert!(!path.was_limited_since(at(1)), "half of the window is free");
    path.on_sent(at(2), window / 2, true);
    path.on_discarded(window);
    assert!(path.was_limited_since(at(1)), "it was used up while the first packet was in flight");
    assert!(path.was_limited_since(at(2)));
    path.on_sent(at(3), 1200, true);
    assert!(!path.was_limited_since(at(3)), "after that, little was sent");
    path.on_paced(at(4));
    assert!(!path.was_limited_since(at(3)), "the pacer spread a small burst");
    path.on_sent(at(5), window / 2, true);
    path.on_paced(at(6));
    assert!(path.was_limited_since(at(5)), "the pacer held back what would have used it up");
}

/// Writes down the maximum datagram size that it was told last.
#[derive(Debug)]
struct Told(Arc<AtomicU16>);

impl CongestionController for Told {
    fn on_sent(&mut self, _: Instant, _: &Sent) {}
    fn on_acked(&mut self, _: Instant, _: &Acked, _: &Rtt) {}
    fn on_congestion(&mut self, _: Instant, _: &Congestion) {}
    fn on_spurious_congestion(&mut self, _: Instant) {}
    fn on_persistent_congestion(&mut self, _: Instant) {}
    fn on_mtu_changed(&mut self, mtu: u16) {
        self.0.store(mtu, Ordering::Relaxed);
    }
    fn window(&self) -> u64 {
        12_000
    }
    fn slow_start_threshold(&self) -> Option<u64> {
        None
    }
}

#[test]
fn the_congestion_controller_hears_of_every_change_of_the_mtu() {
    let told = Arc::new(AtomicU16::new(0));
    let shared = Arc::clone(&told);
    let make = move |_| -> Box<dyn CongestionController> { Box::new(Told(Arc::clone(&shared))) };
    let congestion = CongestionAlgorithm::Custom(Arc::new(make));
    let mut path = path(&TransportConfig { congestion, ..TransportConfig::default() });
    let last = || told.load(Ordering::Relaxed);
    path.mtu.enable();
    path.mtu.want();
    path.set_peer_maximum(1400);
    let size = path.mtu.poll_probe(Instant::EPOCH, u64::MAX).unwrap();
    assert!(path.on_mtu_probe_acked(size));
    assert_eq!(last(), 1400);
    for loss in 1..=3 {
        assert_eq!(path.on_size_lost(Instant::EPOCH, 1400), loss == 3);
        path.mtu.on_acked(100);
    }
    assert_eq!(last(), 1200);
}

proptest! {
    #[test]
    fn bytes_in_flight_never_underflow(
        events in prop::collection::vec((any::<bool>(), 0u64..100_000), 0..100),
    ) {
        let mut path = path(&TransportConfig::default());
        for (is_sent, bytes) in events {
            let before = path.in_flight();
            let expected = if is_sent {
                path.on_sent(Instant::EPOCH, bytes, true);
                before + bytes
            } else {
                path.on_discarded(bytes);
                before.saturating_sub(bytes)
            };
            prop_assert_eq!(path.in_flight(), expected);
            prop_assert!(path.window_available() <= path.congestion.window());
        }
    }
}
