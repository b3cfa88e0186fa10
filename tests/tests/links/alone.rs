//! One connection that always has more to send.

use std::fmt::Write as _;
use std::time::Duration;

use quic_core::Side;

use super::{Bottleneck, CONTROLLERS, Controller, LINKS, LONG, TINY, document, percent, seconds};

/// How the connection starts is not what is measured here.
const WARM_UP: Duration = seconds(5);
const MEASURED: u64 = 30;

/// What one connection made of a link.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    /// Stream data that was read, as a share of what the link carries.
    goodput: f64,
    queue_drops: f64,
    mean_wait: Duration,
}

fn measure(controller: Controller, link: &Bottleneck) -> Outcome {
    let mut pair = link.setup(7).build();
    pair.use_congestion(controller.algorithm());
    pair.server.application.keep = false;
    let (client, server) = pair.connect();
    pair.client.send_endlessly(client);
    pair.run_for(WARM_UP);
    let before = (pair.server.bytes_read(server), pair.link_statistics(Side::Client));
    pair.run_for(seconds(MEASURED));
    let read = pair.server.bytes_read(server) - before.0;
    let statistics = pair.link_statistics(Side::Client).since(before.1);
    Outcome {
        goodput: read as f64 / (link.bytes_per_second() * MEASURED) as f64,
        queue_drops: statistics.drop_rate(),
        mean_wait: statistics.mean_wait(),
    }
}

/// The goodput, and beside it what would be possible, where that is less than the link carries.
fn goodput(outcome: &Outcome, controller: Controller, link: &Bottleneck) -> String {
    let goodput = percent(outcome.goodput);
    if controller == Controller::NewReno && link.loses_nothing() && link.queue_percent < 100 {
        return format!("{goodput} of at most {}", percent(link.ceiling_of_halving()));
    }
    goodput
}

#[test]
fn links_are_used_as_promised() {
    let mut table = String::from(
        "| link | controller | goodput / link rate | dropped at the queue | mean wait in the queue |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    let mut outcomes = Vec::new();
    for link in LINKS {
        for controller in CONTROLLERS {
            let outcome = measure(controller, &link);
            writeln!(
                table,
                "| {} | {} | {} | {} | {:.1} ms |",
                link.name,
                controller.name(),
                goodput(&outcome, controller, &link),
                percent(outcome.queue_drops),
                outcome.mean_wait.as_secs_f64() * 1000.0,
            )
            .unwrap();
            outcomes.push((link, controller, outcome));
        }
    }
    println!("{table}");
    document::write("alone", &table);
    for (link, controller, outcome) in outcomes {
        let name = (link.name, controller);
        if link.loses_nothing() {
            let is_halved = controller == Controller::NewReno && link.name == TINY.name;
            let least = if is_halved { 0.8 } else { 0.9 };
            assert!(outcome.goodput >= least, "{name:?}: {outcome:?}");
        }
        if controller == Controller::Bbr && link.loss > 0.0 {
            assert!(outcome.goodput >= 0.8, "{name:?}: {outcome:?}");
        }
        if controller == Controller::Bbr {
            assert!(outcome.queue_drops < 0.05, "{name:?}: {outcome:?}");
        }
    }
}

/// Datagrams that find no room while a connection starts, of those sent in its first seconds.
fn drops_at_start(controller: Controller, link: &Bottleneck) -> f64 {
    let mut setup = link.setup(7);
    // It is the window of the sender that limits.
    setup.server_transport.stream_receive_window = 16 << 20;
    setup.server_transport.receive_window = 16 << 20;
    let mut pair = setup.build();
    pair.use_congestion(controller.algorithm());
    pair.server.application.keep = false;
    let (client, _) = pair.connect();
    pair.client.send_endlessly(client);
    pair.run_for(WARM_UP);
    pair.link_statistics(Side::Client).drop_rate()
}

#[test]
fn slow_start_hardly_overflows_the_queue() {
    for queue_percent in [100, 200] {
        let link = Bottleneck { megabits: 50, queue_percent, ..LONG };
        for controller in [Controller::Cubic, Controller::NewReno] {
            let drops = drops_at_start(controller, &link);
            println!("{controller:?}, queue of {queue_percent} %: {}", percent(drops));
            assert!(drops < 0.06, "{controller:?}, queue of {queue_percent} %: {drops}");
        }
    }
}
