use super::*;
use quic_core::congestion::*;
use quic_core::*;
#[derive(Debug)]
struct Logged<C>(C, u64);
impl<C: CongestionController> CongestionController for Logged<C> {
    fn on_sent(&mut self, now: Instant, sent: &Sent) {
        self.0.on_sent(now, sent)
    }
    fn on_acked(&mut self, now: Instant, acked: &Acked, rtt: &Rtt) {
        self.0.on_acked(now, acked, rtt);
        if now.as_nanos() / 25_000_000 > self.1 {
            self.1 = now.as_nanos() / 25_000_000;
            let d = format!("{:?}", self.0);
            let pick: Vec<String> = [
                "state: ",
                "full_bw",
                "MaxOfTwoCycles { last: ",
                "current: ",
                "is_now: ",
                "rounds: Rounds { count: ",
                "cwnd: ",
                "pacing_rate: ",
                " bw: ",
                "bw_shortterm: ",
                "inflight_shortterm: ",
                "inflight_longterm: ",
                "last_minimum: ",
                " minimum: ",
                "samples: ",
                "slow_start_threshold: ",
                "conservative: ",
                "prev_probe_too_high",
            ]
            .iter()
            .filter_map(|k| {
                let i = d.find(k)?;
                let r = &d[i..];
                let e =
                    r[k.len()..].find(|c| c == ',' || c == '}').map_or(r.len(), |e| e + k.len());
                Some(r[..e].to_string())
            })
            .collect();
            println!(
                "{} in_flight {} rtt {:?} win {} limited {} {}",
                now.as_nanos() / 1_000_000,
                acked.in_flight,
                rtt.latest(),
                self.0.window(),
                acked.window_limited,
                pick.join(" ").replace("18446744073709551615", "INF")
            );
        }
    }
    fn on_packet_lost(&mut self, now: Instant, lost: &LostPacket) {
        self.0.on_packet_lost(now, lost)
    }
    fn on_congestion(&mut self, now: Instant, event: &Congestion) {
        println!("{} loss {}", now.as_nanos() / 1_000_000, event.lost_bytes);
        self.0.on_congestion(now, event)
    }
    fn on_spurious_congestion(&mut self, now: Instant) {
        println!("spurious");
        self.0.on_spurious_congestion(now)
    }
    fn on_persistent_congestion(&mut self, now: Instant) {
        println!("persistent");
        self.0.on_persistent_congestion(now)
    }
    fn on_mtu_changed(&mut self, mtu: u16) {
        self.0.on_mtu_changed(mtu)
    }
    fn window(&self) -> u64 {
        self.0.window()
    }
    fn slow_start_threshold(&self) -> Option<u64> {
        self.0.slow_start_threshold()
    }
    fn pacing_rate(&self) -> Option<u64> {
        self.0.pacing_rate()
    }
    fn samples_delivery_rate(&self) -> bool {
        self.0.samples_delivery_rate()
    }
    fn holds_back(&self) -> bool {
        self.0.holds_back()
    }
}
fn run(link: Bottleneck, time: u64, make: fn(u16) -> Box<dyn CongestionController>) {
    let mut pair = link.setup(7).build();
    pair.use_congestion(CongestionAlgorithm::Custom(std::sync::Arc::new(make)));
    pair.server.application.keep = false;
    let (client, _) = pair.connect();
    pair.client.send_endlessly(client);
    pair.run_for(seconds(time));
}
#[test]
fn dbg_long() {
    run(LONG, 6, |mtu| Box::new(Logged(Cubic::new(mtu), 0)));
}
#[test]
fn dbg_lossy() {
    run(Bottleneck { megabits: 100, round_trip: Duration::from_millis(100), ..LOSSY }, 25, |mtu| {
        Box::new(Logged(Bbr::new(mtu), 0))
    });
}

#[test]
fn dbg_goodput() {
    for (megabits, rtt) in [(50, 40), (100, 40), (50, 100), (100, 100), (20, 40), (20, 20)] {
        let link = Bottleneck { megabits, round_trip: Duration::from_millis(rtt), ..LOSSY };
        let o = alone::measure(Controller::Bbr, &link);
        println!("{megabits} {rtt} {o:?}");
    }
}
