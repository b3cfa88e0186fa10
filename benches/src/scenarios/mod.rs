//! What is measured.

mod acks;
mod bulk;
mod connections;
mod handshakes;
mod requests;
mod routing;
mod streams;
mod timers;
mod traffic;

use crate::meter::Meter;
use crate::tls::Tls;

/// Something that is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    /// The hot path, and a variant of it.
    pub(crate) name: &'static str,
    /// What instructions are counted by.
    pub(crate) unit: &'static str,
    /// Plays it, with what is to be counted told to the meter.
    pub(crate) play: fn(&mut Meter),
}

/// All scenarios, in the order in which they are told of.
pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("seal/tls", "packet", |meter| bulk::seal(meter, Tls::Real)),
    scenario("seal/null", "packet", |meter| bulk::seal(meter, Tls::Null)),
    scenario("open/tls", "packet", |meter| bulk::open(meter, Tls::Real)),
    scenario("open/null", "packet", |meter| bulk::open(meter, Tls::Null)),
    scenario("bulk/tls", "packet", |meter| bulk::whole(meter, Tls::Real)),
    scenario("bulk/null", "packet", |meter| bulk::whole(meter, Tls::Null)),
    scenario("requests/tls", "request", |meter| requests::both(meter, Tls::Real)),
    scenario("requests/null", "request", |meter| requests::both(meter, Tls::Null)),
    scenario("requests/client", "request", requests::client),
    scenario("requests/server", "request", requests::server),
    scenario("ack/1000", "packet", acks::whole),
    scenario("ack/1000-with-gaps", "packet", acks::with_gaps),
    scenario("ack/every-second-lost", "packet", acks::every_second_lost),
    scenario("streams/1", "KiB", |meter| streams::bulk(meter, 1)),
    scenario("streams/100", "KiB", |meter| streams::bulk(meter, 100)),
    scenario("streams/10000", "KiB", |meter| streams::bulk(meter, 10_000)),
    scenario("connections/1", "KiB", |meter| connections::bulk(meter, 1)),
    scenario("connections/100", "KiB", |meter| connections::bulk(meter, 100)),
    scenario("connections/1000", "KiB", |meter| connections::bulk(meter, 1000)),
    scenario("train/1", "packet", |meter| connections::train(meter, 1)),
    scenario("train/32", "packet", |meter| connections::train(meter, 32)),
    scenario("routing/1", "packet", |meter| routing::among(meter, 1)),
    scenario("routing/1000", "packet", |meter| routing::among(meter, 1000)),
    scenario("routing/100000", "packet", |meter| routing::among(meter, 100_000)),
    scenario("timers/1", "expiry", |meter| timers::expiries(meter, 1)),
    scenario("timers/1000", "expiry", |meter| timers::expiries(meter, 1000)),
    scenario("timers/100000", "expiry", |meter| timers::expiries(meter, 100_000)),
    scenario("deadline/1", "call", |meter| timers::deadlines(meter, 1)),
    scenario("deadline/1000", "call", |meter| timers::deadlines(meter, 1000)),
    scenario("deadline/100000", "call", |meter| timers::deadlines(meter, 100_000)),
    scenario("handshake/tls", "handshake", |meter| handshakes::full(meter, Tls::Real)),
    scenario("handshake/null", "handshake", |meter| handshakes::full(meter, Tls::Null)),
];

const fn scenario(name: &'static str, unit: &'static str, play: fn(&mut Meter)) -> Scenario {
    Scenario { name, unit, play }
}
