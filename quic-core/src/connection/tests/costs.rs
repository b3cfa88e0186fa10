//! What a peer can make this end pay, and what it never has to pay for (RFC 9000 §21.9).

use std::time::Duration;

use super::Pair;
use super::pair::{deliver, deliver_from, path, sent_by};
use crate::config::TransportConfig;
use crate::connection::Connection;
use crate::error::{ConnectionError, TransportError};
use crate::streams::ReadOutcome;
use crate::wire::{Direction, Side, SpaceId};

const PATH_CHALLENGE: &[u8] = &[0x1a, 1, 2, 3, 4, 5, 6, 7, 8];

/// Whether the connection was ended because of packets that achieve nothing; `None` as long as it
/// was not ended.
fn verdict(connection: &Connection) -> Option<bool> {
    let excess = TransportError::protocol_violation("too many packets achieve nothing");
    let reason = connection.close_reason()?;
    Some(*reason == ConnectionError::TransportError(excess))
}

/// Whether a victim of packets with `frames`, to which both ends answer as usual, says that they
/// achieve nothing.
fn is_told(victim: Side, frames: &[u8]) -> bool {
    let mut pair = Pair::confirmed();
    let now = pair.now;
    for _ in 0..100_000 {
        pair.attack(victim, SpaceId::Application, frames);
        if let Some(verdict) = verdict(pair.end(victim)) {
            return verdict;
        }
        for side in [!victim, victim] {
            for datagram in sent_by(pair.end(!side), now) {
                deliver(pair.end(side), now, &datagram);
            }
        }
    }
    false
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-21.9
//= type=test
//# While there are legitimate uses for all messages, implementations
//# SHOULD track cost of processing relative to progress and treat
//# excessive quantities of any non-productive packets as indicative of
//# an attack.
#[test]
fn whoever_sends_much_that_achieves_nothing_is_told_so() {
    let floods: &[(&str, &[u8])] = &[
        ("PADDING", &[0; 20]),
        ("PING", &[0x01]),
        ("ACK of nothing new", &[0x02, 0, 0, 0, 0]),
        ("an empty STREAM", &[0x0a, 0, 0]),
        ("RESET_STREAM again", &[0x04, 0, 0, 0]),
        ("MAX_DATA", &[0x10, 1]),
        ("MAX_STREAMS", &[0x12, 1]),
        ("DATA_BLOCKED", &[0x14, 1]),
        ("STREAMS_BLOCKED", &[0x16, 1]),
        ("PATH_CHALLENGE", PATH_CHALLENGE),
        ("PATH_RESPONSE", &[0x1b, 1, 2, 3, 4, 5, 6, 7, 8]),
    ];
    for (name, frames) in floods {
        assert!(is_told(Side::Server, &frames.repeat(50)), "{name}");
    }
    for (name, frames) in [("HANDSHAKE_DONE", &[0x1e][..]), ("NEW_TOKEN", &[0x07, 1, 0])] {
        assert!(is_told(Side::Client, &frames.repeat(50)), "{name}");
    }
}

#[test]
fn whoever_says_the_same_of_connection_ids_again_and_again_is_told_so() {
    let id = [[0x18, 4, 1, 4].as_slice(), &[9; 4], &[8; 16]].concat();
    for frame in [&id[..], &[0x19, 1]] {
        let mut pair = Pair::confirmed();
        let verdict = (0..100_000).find_map(|_| {
            pair.attack(Side::Server, SpaceId::Application, &frame.repeat(50));
            verdict(&pair.server)
        });
        assert_eq!(verdict, Some(true));
    }
}

#[test]
fn what_is_sent_off_the_path_is_not_remembered_for_ever() {
    let mut pair = Pair::confirmed();
    let elsewhere = path("203.0.113.9:1");
    let now = pair.now;
    for _ in 0..2000 {
        let datagram = pair.client.forge(SpaceId::Application, PATH_CHALLENGE);
        deliver_from(&mut pair.server, now, elsewhere, &datagram);
        let _never_acknowledged = sent_by(&mut pair.server, now);
    }
    assert_eq!(verdict(&pair.server), None);
    let remembered = pair.server.space(SpaceId::Application).sent.len();
    assert!(remembered < 200, "{remembered} packets");
}

#[test]
fn what_moves_provoke_is_not_remembered_for_ever() {
    let mut pair = Pair::confirmed();
    for step in 0..6000_u32 {
        pair.now += Duration::from_secs(1);
        let datagram = pair.client.forge_with(SpaceId::Application, &[0x01], 1200, |_| {});
        let from = path(&format!("192.0.2.1:{}", 2000 + step % 2));
        deliver_from(&mut pair.server, pair.now, from, &datagram);
        let _never_acknowledged = sent_by(&mut pair.server, pair.now);
    }
    assert_eq!(pair.server.close_reason(), None);
    assert_eq!(pair.server.paths.active().addresses.remote.port(), 2001);
    let remembered = pair.server.space(SpaceId::Application).sent.len();
    assert!(remembered < 4200, "{remembered} packets");
}

#[test]
fn whoever_moves_with_every_packet_is_told_so() {
    let mut pair = Pair::confirmed();
    let end = (0..100_000_u32).find_map(|step| {
        let datagram = pair.client.forge(SpaceId::Application, &[0x01]);
        let from = path(&format!("192.0.2.1:{}", 2000 + step % 2));
        deliver_from(&mut pair.server, pair.now, from, &datagram);
        let _lost = sent_by(&mut pair.server, pair.now);
        verdict(&pair.server).map(|verdict| (verdict, step))
    });
    assert!(end.is_some_and(|(verdict, packets)| verdict && packets < 5000), "{end:?}");
}

#[test]
fn whoever_updates_keys_all_the_time_is_told_so() {
    let mut pair = Pair::confirmed();
    // The client's clock runs ahead, so that its old keys are in nobody's way.
    let mut ahead = pair.now;
    let end = (0..100_000_u32).find_map(|update| {
        ahead += Duration::from_secs(10);
        assert!(pair.client.update_keys(ahead), "update {update}");
        // The second packet is acknowledged at once.
        for _ in 0..2 {
            let datagram = pair.client.forge(SpaceId::Application, &[0x01]);
            deliver(&mut pair.server, pair.now, &datagram);
        }
        for datagram in sent_by(&mut pair.server, pair.now) {
            deliver(&mut pair.client, ahead, &datagram);
        }
        verdict(&pair.server).map(|verdict| (verdict, update))
    });
    assert!(end.is_some_and(|(verdict, updates)| verdict && updates < 5000), "{end:?}");
}

/// Carries what both ends say through a network that loses every third datagram and repeats
/// every second.
fn carry_badly(pair: &mut Pair, count: &mut u32) {
    for side in [Side::Client, Side::Server] {
        let now = pair.now;
        for datagram in sent_by(pair.end(!side), now) {
            *count += 1;
            for _ in 0..(*count % 3).min(1) + *count % 2 {
                deliver(pair.end(side), now, &datagram);
            }
        }
    }
    pair.now += Duration::from_micros(100);
    for side in [Side::Client, Side::Server] {
        let now = pair.now;
        if pair.end(side).poll_timeout().is_some_and(|at| at <= now) {
            pair.end(side).handle_timeout(now);
        }
    }
}

#[test]
fn an_honest_download_over_a_bad_network_costs_next_to_nothing() {
    let mut pair = Pair::confirmed();
    let stream = pair.server.open_stream(Direction::Unidirectional).unwrap();
    let (mut written, mut read, mut count) = (0, 0, 0);
    let mut memory = [0; 4096];
    while read < 1_000_000 {
        while written < 1_000_000
            && let Ok(length) = pair.server.send_stream(stream).write(&[7; 1000])
        {
            written += length;
        }
        carry_badly(&mut pair, &mut count);
        while let Ok(ReadOutcome::Data(length)) = pair.client.recv_stream(stream).read(&mut memory)
        {
            read += length;
        }
        pair.client.accept_stream(Direction::Unidirectional);
        assert_eq!(pair.client.close_reason().or(pair.server.close_reason()), None);
        let owed = [&pair.client, &pair.server].map(|end| end.work.owed(pair.now));
        assert!(owed.iter().all(|owed| *owed < 100), "{owed:?} after {count} datagrams");
    }
}

#[test]
fn keep_alives_never_add_up() {
    let of_client = TransportConfig {
        keep_alive_interval: Some(Duration::from_secs(15)),
        ..TransportConfig::default()
    };
    let mut pair = Pair::confirmed_with(of_client, TransportConfig::default());
    let start = pair.now;
    while pair.now < start + Duration::from_hours(24 * 7) {
        pair.now = pair.client.poll_timeout().unwrap();
        pair.client.handle_timeout(pair.now);
        pair.settle();
    }
    assert_eq!(pair.client.close_reason().or(pair.server.close_reason()), None);
    assert!(pair.server.statistics().packets_received > 40_000);
    assert!(pair.server.work.owed(pair.now) < 100);
}
