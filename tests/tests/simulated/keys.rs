//! Keys change while data flows (RFC 9001 §6).

use std::sync::Arc;

use quic_core::Side;
use quic_sim::null_tls::NullTls;
use quic_sim::pair::{Pair, Setup};

use super::{millis, noise, seconds, slow};

/// Updates keys at each of `sides` in turn while data flows both ways.
fn check(mut pair: Pair, sides: &[Side]) {
    let (client, server) = pair.connect();
    pair.run_for(millis(200));
    let bidi = quic_core::Direction::Bidirectional;
    pair.server.application.echo = true;
    pair.to_server().rate_bytes_per_second = Some(2_000_000);
    pair.to_server().queue_bytes = 100_000;
    let sent = noise(3 << 20, 1);
    let id = pair.client.send_all(client, bidi, sent.clone());
    let mut updates = 0;
    for turn in 0..1000 {
        let side = sides[turn % sides.len()];
        let handle = if side == Side::Client { client } else { server };
        let now = pair.now();
        updates += u64::from(pair.end(side).with(handle, |c| c.update_keys(now)));
        if pair.run_until(millis(50), |pair| pair.client.is_finished(client, id)) {
            break;
        }
    }
    assert!(pair.client.received(client, id) == sent, "something else came back");
    // An update is noticed by what is sent after it.
    super::echo(&mut pair, client, 1000, seconds(20));
    pair.run_for(seconds(2));
    assert!(updates >= 2, "{updates} updates");
    let counted = pair.client.with(client, |c| c.statistics().key_updates);
    assert_eq!(counted, pair.server.with(server, |c| c.statistics().key_updates));
    assert!(counted >= updates, "{counted} after {updates} were started");
}

#[test]
fn the_client_updates_keys_under_traffic() {
    check(Setup::new(1).link(slow).build(), &[Side::Client]);
}

#[test]
fn the_server_updates_keys_under_traffic() {
    check(Setup::new(2).link(slow).build(), &[Side::Server]);
}

#[test]
fn both_ends_update_keys_under_traffic_and_loss() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-9.5
    //= type=test
    //# After receiving a key update, an endpoint SHOULD generate and save the next set of
    //# receive packet protection keys, as described in Section 6.3.
    let link = |link: &mut quic_sim::network::Link| {
        link.loss = 0.02;
        link.reorder = 0.05;
        link.jitter = millis(3);
    };
    check(Setup::new(3).link(link).build(), &[Side::Client, Side::Server]);
    check(Setup::with_rustls(3).link(link).build(), &[Side::Client, Side::Server]);
}

#[test]
fn keys_are_updated_before_their_limit() {
    let tls = Arc::new(NullTls { confidentiality_limit: 2000, ..NullTls::default() });
    let mut pair = Setup::with_tls(4, tls.clone(), tls)
        .link(|link| {
            link.rate_bytes_per_second = Some(2_000_000);
            link.queue_bytes = 50_000;
        })
        .build();
    let (client, server) = pair.connect();
    super::echo(&mut pair, client, 6_000_000, seconds(20));
    assert!(pair.client.with(client, |c| c.statistics().key_updates) >= 4);
    assert!(pair.server.with(server, |c| c.statistics().key_updates) >= 4);
}
