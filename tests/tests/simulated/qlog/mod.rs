//! What is written as qlog is qlog, and all of it.

mod schema;

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

use quic_core::{AddressValidation, Direction, QUIC_V1, QUIC_V2, Side, Subject};
use quic_qlog::Memory;
use quic_sim::pair::{Pair, Setup};
use serde_json::Value;

use super::{echo, millis, noise, seconds, slow, versions};

/// A run whose both ends are recorded.
fn recorded(setup: Setup) -> (Memory, Pair) {
    let memory = Memory::default();
    let mut setup = setup;
    setup.client_endpoint.recorder = Some(memory.recorder());
    setup.server_endpoint.recorder = Some(memory.recorder());
    (memory, setup.build())
}

/// The records of a log (RFC 7464 §2.1).
fn records(log: &str) -> Vec<Value> {
    let mut records = log.split('\u{1e}');
    assert_eq!(records.next(), Some(""), "the first record begins with the first byte");
    records
        .map(|record| {
            assert!(record.ends_with('\n'), "{record:?} is cut off");
            serde_json::from_str(record).unwrap_or_else(|error| panic!("{record:?}: {error}"))
        })
        .collect()
}

/// Checks every log of a run; returns the names of all events, and of the types of packets and
/// frames in them.
fn check(logs: &[(Subject, String)]) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (subject, log) in logs {
        let records = records(log);
        let (header, events) = records.split_first().unwrap();
        schema::check_header(header, subject);
        let mut last = 0.0;
        for event in events {
            let time = event["time"].as_f64().unwrap();
            assert!(time >= last, "{event} is earlier than {last}");
            last = time;
            schema::check_event(event);
            seen.insert(event["name"].as_str().unwrap_or_default().to_owned());
            let of = |pointer| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            seen.extend(of("/data/header/packet_type"));
            for frame in event["data"]["frames"].as_array().into_iter().flatten() {
                seen.insert(frame["frame_type"].as_str().unwrap_or_default().to_owned());
            }
        }
    }
    seen
}

/// A download over a bad link, with everything that is rare.
fn eventful_run() -> Memory {
    let mut setup = Setup::with_rustls(5).link(slow).link(|link| link.loss = 0.02);
    setup.validation = AddressValidation::Always;
    let (memory, mut pair) = recorded(setup);
    let (client, server) = pair.connect();
    echo(&mut pair, client, 1_000_000, seconds(60));
    let now = pair.now();
    pair.client.with(client, |connection| {
        assert!(connection.update_keys(now));
        connection.ping();
    });
    let id = pair.client.send_all(client, Direction::Bidirectional, noise(100_000, 2));
    pair.run_for(millis(5));
    pair.client.with(client, |connection| {
        connection.send_stream(id).reset(quic_core::VarInt::from_u32(3)).unwrap();
        connection.recv_stream(id).stop(quic_core::VarInt::from_u32(4)).unwrap();
    });
    pair.run_for(seconds(2));
    pair.server.close(server, 9, b"a \"reason\" with \x07 in it");
    pair.run_for(seconds(2));
    memory
}

#[test]
fn every_event_and_field_is_as_the_draft_defines_it() {
    let memory = eventful_run();
    let logs = memory.logs();
    assert_eq!(logs.len(), 2);
    let seen = check(&logs);
    for wanted in [
        "quic:connection_started",
        "quic:connection_closed",
        "quic:connection_id_updated",
        "quic:connection_state_updated",
        "quic:mtu_updated",
        "quic:ecn_state_updated",
        "quic:version_information",
        "quic:alpn_information",
        "quic:parameters_set",
        "quic:packet_sent",
        "quic:packet_received",
        "quic:packets_acked",
        "quic:udp_datagrams_sent",
        "quic:udp_datagrams_received",
        "quic:timer_updated",
        "quic:key_updated",
        "quic:key_discarded",
        "quic:recovery_parameters_set",
        "quic:recovery_metrics_updated",
        "quic:congestion_state_updated",
        "quic:packet_lost",
        "initial",
        "handshake",
        "1RTT",
        "retry",
        "padding",
        "ping",
        "ack",
        "crypto",
        "stream",
        "reset_stream",
        "stop_sending",
        "new_token",
        "new_connection_id",
        "max_data",
        "max_stream_data",
        "handshake_done",
        "connection_close",
    ] {
        assert!(seen.contains(wanted), "no {wanted}; there are {seen:?}");
    }
}

/// The packets of this type that the ends with this role are said to have received.
fn received(logs: &[(Subject, String)], by: Side, packet_type: &str) -> Vec<Value> {
    let of_side = logs.iter().filter(|(subject, _)| subject.side == by);
    let events = of_side.flat_map(|(_, log)| records(log));
    let of_type = |event: &Value| {
        event["name"] == "quic:packet_received"
            && event["data"]["header"]["packet_type"] == packet_type
    };
    events.filter(of_type).map(|event| event["data"].clone()).collect()
}

#[test]
fn what_a_server_answers_before_there_is_a_connection_is_in_the_log_of_the_client() {
    let mut setup = versions::setup(3, versions::RESERVED, &versions::BOTH, &versions::BOTH);
    setup.validation = AddressValidation::Always;
    let (memory, mut pair) = recorded(setup);
    let (client, _) = pair.connect();
    pair.client.close(client, 0, b"");
    pair.run_for(seconds(1));
    drop(pair);
    let logs = memory.logs();
    check(&logs);
    let [negotiation] = &*received(&logs, Side::Client, "version_negotiation") else { panic!() };
    let supported: Vec<_> = negotiation["supported_versions"].as_array().unwrap().iter().collect();
    for version in ["00000001", "6b3343cf"] {
        assert!(supported.iter().any(|known| *known == version), "{supported:?}");
    }
    assert_eq!(negotiation["header"]["version"], "00000000");
    // What follows is sent anew, to an ID that is made up anew.
    let [retry] = &*received(&logs, Side::Client, "retry") else { panic!() };
    assert_eq!(retry["header"]["token"]["type"], "retry");
    assert!(retry["header"]["token"]["raw"]["length"].as_u64() > Some(0));
    assert_eq!(retry["header"]["dcid"], negotiation["header"]["dcid"]);
    assert_ne!(retry["header"]["scid"], negotiation["header"]["scid"]);
}

#[test]
fn a_packet_has_the_version_that_it_came_in_even_if_the_server_is_in_another() {
    let mut setup = versions::setup(4, QUIC_V1, &[QUIC_V2, QUIC_V1], &versions::BOTH);
    // What the server answers is lost, so that the client says it once more.
    setup.to_client.drops.extend([0, 1]);
    let (memory, mut pair) = recorded(setup);
    let (client, server) = pair.connect();
    assert_eq!(pair.server.with(server, |c| c.version()), QUIC_V2);
    pair.client.close(client, 0, b"");
    pair.run_for(seconds(1));
    drop(pair);
    let initials = received(&memory.logs(), Side::Server, "initial");
    let versions: Vec<_> = initials.iter().map(|packet| &packet["header"]["version"]).collect();
    assert!(versions.len() > 1 && versions[..2] == ["00000001"; 2], "{versions:?}");
}

#[test]
fn no_secret_and_no_data_is_written() {
    let memory = Memory::default();
    let mut setup = Setup::new(6);
    setup.client_endpoint.recorder = Some(memory.recorder());
    setup.server_endpoint.recorder = Some(memory.recorder());
    let mut pair = setup.build();
    let (client, _) = pair.connect();
    let secret = b"what applications say is theirs ".repeat(100);
    let id = pair.client.send_all(client, Direction::Unidirectional, secret);
    pair.run_for(seconds(2));
    assert!(pair.client.try_with(client, |c| c.is_flushed()).unwrap_or(true), "{id:?}");
    drop(pair);
    for (_, log) in memory.logs() {
        assert!(!log.contains("theirs"), "in the clear");
        assert!(!log.contains("746865697273"), "in hexadecimal");
        assert!(!log.contains("stateless_reset_token"));
        assert!(!log.contains("\"data\":\""), "raw bytes");
    }
}

/// The log of a handshake, a request and the end: the same in every run.
#[test]
fn a_simulated_handshake_is_written_as_it_was_written_before() {
    let (memory, mut pair) = recorded(Setup::new(1));
    pair.network.coalesce = 0.0;
    let (client, _) = pair.connect();
    echo(&mut pair, client, 2000, seconds(5));
    pair.client.close(client, 0, b"done");
    pair.run_for(seconds(1));
    drop(pair);
    let logs = memory.logs();
    check(&logs);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulated/qlog/handshake.sqlog");
    let of_client = logs.iter().find(|(subject, _)| subject.side == Side::Client);
    let (_, log) = of_client.unwrap();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, log).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let mut lines = log.lines().zip(golden.lines()).enumerate();
    let difference = lines.find(|(_, (now, before))| now != before);
    assert!(
        *log == golden,
        "it is written otherwise, from {difference:?} on; if that is right, run the test with \
         UPDATE_GOLDEN=1 in the environment and look at what changed in {}",
        path.display()
    );
}

#[test]
fn both_of_two_recorders_hear_the_same() {
    let (first, second) = (Memory::default(), Memory::default());
    let mut setup = Setup::new(7);
    setup.client_endpoint.recorder = Some(first.recorder().and(second.recorder()));
    let mut pair = setup.build();
    let (client, _) = pair.connect();
    pair.client.close(client, 0, b"");
    pair.run_for(seconds(1));
    drop(pair);
    assert_eq!(first.logs(), second.logs());
    assert_eq!(first.logs().len(), 1);
}
