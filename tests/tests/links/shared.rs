//! Connections that share a bottleneck.

use std::fmt::Write as _;

use quic_core::Side;

use super::{Bottleneck, CLEAN, CONTROLLERS, Controller, document, percent, seconds};

/// Seconds between the starts of two connections, until they are measured, and measured.
const APART: u64 = 3;
const SETTLE: u64 = 15;
const MEASURED: u64 = 40;

/// A link that is slow enough for several to be told apart.
const SHARED: Bottleneck = Bottleneck { name: "shared", megabits: 16, ..CLEAN };

/// Bytes that each connection delivers, as shares of what the link carries; and drops.
fn measure(controllers: &[Controller], link: &Bottleneck) -> (Vec<f64>, f64) {
    let mut pair = link.setup(11).build();
    pair.server.application.keep = false;
    let mut servers = Vec::new();
    for controller in controllers {
        pair.use_congestion(controller.algorithm());
        let (client, server) = pair.connect();
        pair.client.send_endlessly(client);
        servers.push(server);
        pair.run_for(seconds(APART));
    }
    pair.run_for(seconds(SETTLE));
    let before: Vec<_> = servers.iter().map(|server| pair.server.bytes_read(*server)).collect();
    let statistics = pair.link_statistics(Side::Client);
    pair.run_for(seconds(MEASURED));
    let capacity = (link.bytes_per_second() * MEASURED) as f64;
    let shares = servers
        .iter()
        .zip(before)
        .map(|(server, before)| (pair.server.bytes_read(*server) - before) as f64 / capacity)
        .collect();
    (shares, pair.link_statistics(Side::Client).since(statistics).drop_rate())
}

/// Jain's index: 1 if all have the same, 1/n if one has it all.
fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    sum * sum / (shares.len() as f64 * squares)
}

fn list(shares: &[f64]) -> String {
    shares.iter().map(|share| percent(*share)).collect::<Vec<_>>().join(", ")
}

#[test]
fn equals_share_a_bottleneck_fairly() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7
    //= type=test
    //# If a sender uses a different controller than that specified in this
    //# document, the chosen controller MUST conform to the congestion control
    //# guidelines specified in Section 3.1 of [RFC8085].
    let mut table = String::from(
        "| connections | shares of the link | Jain's index | dropped at the queue |\n\
         | --- | --- | --- | --- |\n",
    );
    let mut outcomes = Vec::new();
    for controller in CONTROLLERS {
        for number in [2, 4] {
            let (shares, drops) = measure(&vec![controller; number], &SHARED);
            let index = jain(&shares);
            let (name, list) = (controller.name(), list(&shares));
            let drops = percent(drops);
            writeln!(table, "| {number} × {name} | {list} | {index:.3} | {drops} |").unwrap();
            outcomes.push((controller, number, index, shares));
        }
    }
    println!("{table}");
    document::write("equals", &table);
    for (controller, number, index, shares) in outcomes {
        assert!(index >= 0.9, "{number} {controller:?}: {shares:?}");
        assert!(shares.iter().sum::<f64>() >= 0.9, "{number} {controller:?}: {shares:?}");
    }
}

#[test]
fn neither_cubic_nor_bbr_starves_the_other() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7
    //= type=test
    //# If a sender uses a different controller than that specified in this
    //# document, the chosen controller MUST conform to the congestion control
    //# guidelines specified in Section 3.1 of [RFC8085].
    let mut table = String::from(
        "| queue | first, second | shares of the link |\n\
         | --- | --- | --- |\n",
    );
    let mut outcomes = Vec::new();
    for queue_percent in [50, 100, 200] {
        let link = Bottleneck { queue_percent, ..SHARED };
        for [first, second] in
            [[Controller::Cubic, Controller::Bbr], [Controller::Bbr, Controller::Cubic]]
        {
            let (shares, _) = measure(&[first, second], &link);
            let names = format!("{}, {}", first.name(), second.name());
            writeln!(table, "| {queue_percent} % BDP | {names} | {} |", list(&shares)).unwrap();
            outcomes.push((queue_percent, names, shares));
        }
    }
    println!("{table}");
    document::write("mixed", &table);
    for (queue_percent, names, shares) in outcomes {
        let least = shares.iter().copied().fold(1.0, f64::min);
        assert!(least >= 0.15, "{names} on a queue of {queue_percent} %: {shares:?}");
    }
}
