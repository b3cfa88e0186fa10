//! Versions and Version Negotiation (RFC 8999 §6, RFC 9000 §6, RFC 9368, RFC 9369).

use super::prelude::*;
use quic_core::wire::header::{VERSION_2, write_version_negotiation};
use quic_core::wire::{Full, Writer};

const NEGOTIATION: &str = "RFC 9000 §6.1";
const IGNORE: &str = "RFC 9000 §6.2";
const INFORMATION: &str = "RFC 9368 §4";

const VERSION_ERROR: Reaction = Reaction::close(Code::VERSION_NEGOTIATION_ERROR);

pub(super) const CASES: &[Case] = &[
    server(
        "versions/unknown",
        NEGOTIATION,
        Steps(|s| unknown(s, 0x1234_5678)),
        Reaction::VersionNegotiation,
    ),
    server(
        "versions/reserved",
        "RFC 9000 §15",
        Steps(|s| unknown(s, 0x1a2a_3a4a)),
        Reaction::VersionNegotiation,
    ),
    server("versions/unknown in 1199 bytes", "RFC 9000 §5.2.2", Steps(small), Silence),
    server(
        "versions/unknown, without anything else",
        "RFC 8999 §5.1",
        Steps(bare),
        Reaction::VersionNegotiation,
    ),
    server(
        "versions/Version Negotiation to a server",
        NEGOTIATION,
        Steps(negotiation_to_server),
        Silence,
    ),
    server("versions/2 from the first packet", "RFC 9369 §3", Steps(version_2), Ignored),
    server(
        "versions/2 with the packet types of 1",
        "RFC 9369 §3.2",
        Steps(version_2_with_types_of_1),
        Silence,
    ),
    server(
        "versions/information of three bytes",
        INFORMATION,
        Parameters(|b| b.parameters.set(id::VERSION_INFORMATION, &[0, 0, 1])),
        PARAMETER_ERROR,
    ),
    server(
        "versions/information of six bytes",
        INFORMATION,
        Parameters(|b| b.parameters.set(id::VERSION_INFORMATION, &[0, 0, 0, 1, 0, 0])),
        PARAMETER_ERROR,
    ),
    server(
        "versions/information with a version 0",
        INFORMATION,
        Parameters(|b| b.parameters.set(id::VERSION_INFORMATION, &versions(&[1, 1, 0]))),
        PARAMETER_ERROR,
    ),
    server(
        "versions/information without the chosen one",
        INFORMATION,
        Parameters(|b| b.parameters.set(id::VERSION_INFORMATION, &versions(&[1, 0x1a2a_3a4a]))),
        PARAMETER_ERROR,
    ),
    server(
        "versions/information about another than is used",
        INFORMATION,
        Parameters(|b| {
            b.parameters.set(id::VERSION_INFORMATION, &versions(&[0x1a2a_3a4a, 1, 0x1a2a_3a4a]));
        }),
        VERSION_ERROR,
    ),
    client(
        "versions/Version Negotiation without any of the client's",
        IGNORE,
        Steps(|s| negotiate(s, &[0x1a2a_3a4a], Way::Right)),
        Silence,
    ),
    client(
        "versions/Version Negotiation with the client's own",
        IGNORE,
        Steps(|s| negotiate(s, &[0x1a2a_3a4a, 1], Way::Right)),
        Ignored,
    ),
    client(
        "versions/Version Negotiation for others",
        IGNORE,
        Steps(|s| negotiate(s, &[0x1a2a_3a4a], Way::OtherIds)),
        Ignored,
    ),
    client(
        "versions/Version Negotiation with half a version",
        "RFC 8999 §6",
        Steps(|s| negotiate(s, &[0x1a2a_3a4a], Way::CutOff)),
        Ignored,
    ),
    client(
        "versions/Version Negotiation without versions",
        "RFC 8999 §6",
        Steps(|s| negotiate(s, &[], Way::Right)),
        Ignored,
    ),
    client(
        "versions/Version Negotiation after an Initial",
        IGNORE,
        Steps(late_negotiation),
        Ignored,
    ),
    client(
        "versions/information of three bytes, to a client",
        INFORMATION,
        Parameters(|b| b.parameters.set(id::VERSION_INFORMATION, &[0, 0, 1])),
        PARAMETER_ERROR,
    ),
    client(
        "versions/information about another than is used, to a client",
        INFORMATION,
        Parameters(|b| {
            b.parameters.set(id::VERSION_INFORMATION, &versions(&[VERSION_2, VERSION_2]));
        }),
        VERSION_ERROR,
    ),
];

fn versions(versions: &[u32]) -> Vec<u8> {
    versions.iter().flat_map(|version| version.to_be_bytes()).collect()
}

fn hello(script: &mut Script<'_>, change: impl FnOnce(&mut Beginning)) -> Step<Packet> {
    let mut beginning = script.beginning();
    change(&mut beginning);
    script.begin(beginning)?;
    let hello = script.peer()?.take_crypto(SpaceId::Initial);
    Ok(Packet::initial(Payload::new().crypto(0, &hello)))
}

fn unknown(script: &mut Script<'_>, version: u32) -> Step {
    let packet = hello(script, |beginning| beginning.version = version)?;
    script.send_packet(packet).map(|_| ())
}

fn small(script: &mut Script<'_>) -> Step {
    let packet = hello(script, |beginning| beginning.version = 0x1a2a_3a4a)?;
    script.send_packet(Packet { pad_to: 1199, ..packet }).map(|_| ())
}

/// Nothing but what all versions share, and zeros.
fn bare(script: &mut Script<'_>) -> Step {
    let mut beginning = script.beginning();
    beginning.version = 0x1a2a_3a4a;
    let (original, local) = (beginning.original_id.clone(), beginning.local_id.clone());
    script.begin(beginning)?;
    let mut bytes = vec![0x80];
    bytes.extend_from_slice(&0x1a2a_3a4a_u32.to_be_bytes());
    for id in [original, local] {
        bytes.push(u8::try_from(id.len()).unwrap_or(0));
        bytes.extend_from_slice(&id);
    }
    bytes.resize(1200, 0);
    script.send_datagram(0, &bytes);
    Ok(())
}

/// A Version Negotiation packet with these IDs.
fn packet(destination: &[u8], source: &[u8], versions: &[u32]) -> Vec<u8> {
    let mut memory = [0; 1200];
    let mut writer = Writer::new(&mut memory);
    let written: Result<(), Full> =
        write_version_negotiation(&mut writer, 0x11, destination, source, versions);
    debug_assert!(written.is_ok(), "it is short");
    writer.written().to_vec()
}

fn negotiation_to_server(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    let mut bytes = packet(b"original", b"our own!", &[1, VERSION_2]);
    bytes.resize(1200, 0x1a);
    script.send_datagram(0, &bytes);
    Ok(())
}

fn version_2(script: &mut Script<'_>) -> Step {
    let packet = hello(script, |beginning| beginning.version = VERSION_2)?;
    script.send_packet(packet)?;
    script.take(Duration::from_secs(1));
    let negotiates = |seen: &Seen| matches!(seen, Seen::VersionNegotiation { .. });
    if script.peer()?.seen().iter().any(negotiates) {
        return Err(Obstacle::Lacks("version 2"));
    }
    Ok(())
}

/// What is an Initial in version 1 is a Retry in version 2, which no server takes.
fn version_2_with_types_of_1(script: &mut Script<'_>) -> Step {
    let packet = hello(script, |beginning| beginning.version = VERSION_2)?;
    script.send_packet(Packet { clear_bits: 0x30, ..packet }).map(|_| ())
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Right,
    OtherIds,
    CutOff,
}

/// Answers a client's first Initial with Version Negotiation.
fn negotiate(script: &mut Script<'_>, versions: &[u32], way: Way) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    let (client, original) =
        (script.peer()?.target_id().to_vec(), script.peer()?.original_id().to_vec());
    let mut bytes = match way {
        Way::OtherIds => packet(&client, b"whatever", versions),
        Way::Right | Way::CutOff => packet(&client, &original, versions),
    };
    if way == Way::CutOff {
        bytes.pop();
    }
    script.send_datagram(0, &bytes);
    script.mark();
    Ok(())
}

fn late_negotiation(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    let (client, original) =
        (script.peer()?.target_id().to_vec(), script.peer()?.original_id().to_vec());
    script.flush()?;
    script.take(Duration::from_millis(100));
    script.send_datagram(0, &packet(&client, &original, &[0x1a2a_3a4a]));
    Ok(())
}
