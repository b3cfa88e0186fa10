//! Which version connections are in (RFC 9368, RFC 9369).

use std::sync::Arc;

use quic_core::{
    AddressValidation, ConnectionError, ConnectionHandle, QUIC_V1, QUIC_V2, ServerVersions, Side,
    TransportErrorCode, VersionChoice,
};
use quic_sim::null_tls::NullTls;
use quic_sim::pair::{Pair, SERVER, Setup};

use super::handshake::close_code;
use super::{echo, millis, seconds};

/// A version that nobody knows.
pub(super) const OTHER: u32 = 0xface_b00c;
/// A version that nobody will ever know (RFC 9000 §15).
pub(super) const RESERVED: u32 = 0x5a6a_7a8a;
const ALSO_RESERVED: u32 = 0x0a0a_0a0a;
pub(super) const BOTH: [u32; 2] = [QUIC_V1, QUIC_V2];

/// A client that starts with `version` and wants these, and a server that speaks those.
pub(super) fn setup(seed: u64, version: u32, wanted: &[u32], spoken: &[u32]) -> Setup {
    let mut setup = Setup::new(seed);
    with_versions(&mut setup, version, wanted, spoken);
    setup
}

pub(super) fn with_versions(setup: &mut Setup, version: u32, wanted: &[u32], spoken: &[u32]) {
    setup.version = version;
    setup.client_versions = wanted.to_vec();
    setup.server_versions = ServerVersions::new(spoken);
}

/// A client that starts with version 1 and wants version 2.
fn upgrade(seed: u64) -> Setup {
    setup(seed, QUIC_V1, &[QUIC_V2, QUIC_V1], &BOTH)
}

#[track_caller]
fn check_version(
    pair: &mut Pair,
    (client, server): (ConnectionHandle, ConnectionHandle),
    expected: u32,
) {
    assert_eq!(pair.client.with(client, |c| c.version()), expected);
    assert_eq!(pair.server.with(server, |c| c.version()), expected);
    echo(pair, client, 10_000, seconds(5));
}

/// The error with which one of the ends gives up, and tells the other.
#[track_caller]
pub(super) fn failure(pair: &mut Pair, client: ConnectionHandle) -> TransportErrorCode {
    pair.wait("lost", seconds(20), |pair| pair.client.lost.contains_key(&client));
    let lost = &pair.client.lost[&client];
    if let ConnectionError::TransportError(error) = lost { error.code } else { close_code(lost) }
}

#[test]
fn the_version_is_what_both_ends_can_do_and_who_may_choose_wants_most() {
    //= https://www.rfc-editor.org/rfc/rfc9368#section-6
    //= type=test
    //# When incompatible version negotiation is in use, the second connection that is created
    //# in response to the received Version Negotiation packet MUST restart its
    //# application-layer protocol negotiation process without taking into account the Original
    //# Version.
    //= https://www.rfc-editor.org/rfc/rfc9368#section-3
    //= type=test
    //# Note that the version in the Chosen Version field MUST be included in this list to allow
    //# the client to communicate the Chosen Version's preference.
    //= https://www.rfc-editor.org/rfc/rfc9368#section-8
    //= type=test
    //# Note that implementations that wish to use version negotiation to negotiate versions
    //# other than QUIC version 1 MUST implement the version negotiation mechanism defined in
    //# this document.
    //= https://www.rfc-editor.org/rfc/rfc9369#section-3
    //= type=test
    //# Except for a few differences, QUIC version 2 endpoints MUST implement the QUIC version 1
    //# specification as described in [QUIC], [QUIC-TLS], and [QUIC-RECOVERY].
    use VersionChoice::{Client, Server, Stay};
    let (one, two) = (QUIC_V1, QUIC_V2);
    for (version, wanted, spoken, choice, expected) in [
        (one, &[one, two][..], &[one, two][..], Client, one),
        (one, &[two, one], &[one, two], Client, two),
        (one, &[two, one], &[one, two], Stay, one),
        (one, &[one, two], &[two, one], Server, two),
        (two, &[two], &[one, two], Client, two),
        (two, &[one, two], &[one, two], Client, one),
        (two, &[two, one], &[one, two], Server, one),
        (one, &[one], &[two, one], Server, one),
        (one, &[two, one], &[one], Client, one),
        (one, &[two], &[one], Client, one),
        // With another round trip.
        (two, &[two, one], &[one], Client, one),
        (one, &[two, one], &[two], Client, two),
        (RESERVED, &[one, two], &[two], Client, two),
        (ALSO_RESERVED, &[one, two], &[two, one], Server, two),
    ] {
        for rustls in [false, true] {
            let mut setup = if rustls { Setup::with_rustls(1) } else { Setup::new(1) };
            with_versions(&mut setup, version, wanted, spoken);
            setup.server_versions.choice = choice;
            let mut pair = setup.build();
            let ends = pair.connect();
            check_version(&mut pair, ends, expected);
        }
    }
}

#[test]
fn a_server_moves_a_client_without_another_round_trip() {
    //= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
    //= type=test
    //# Once the client has learned the negotiated version, it SHOULD send subsequent Initial
    //# packets using that version.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-6
    //= type=test
    //# Clients that support multiple QUIC versions SHOULD ensure that the first UDP datagram
    //# they send is sized to the largest of the minimum datagram sizes from all versions they
    //# support, using PADDING frames (Section 19.1) as necessary.
    let mut pair = upgrade(1).build();
    let ends = pair.connect();
    assert_eq!(pair.elapsed(), millis(30));
    let by = |side| -> Vec<u32> {
        pair.network.trace.by(side).filter_map(quic_sim::network::Sent::version).collect()
    };
    assert_eq!(by(Side::Client)[0], QUIC_V1);
    assert!(by(Side::Client)[1..].iter().all(|version| *version == QUIC_V2));
    assert!(pair.network.trace.by(Side::Client).next().unwrap().length >= 1200);
    //= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
    //= type=test
    //# The server MUST send all CRYPTO
    //# frames using the negotiated version.
    //= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
    //= type=test
    //# Both endpoints MUST send Handshake and 1-RTT packets using the
    //# negotiated version.
    assert!(by(Side::Server).iter().all(|version| *version == QUIC_V2));
    check_version(&mut pair, ends, QUIC_V2);
}

//= https://www.rfc-editor.org/rfc/rfc9369#section-4
//= type=test
//# Endpoints that support both
//# versions SHOULD support compatible version negotiation to avoid a
//# round trip.
#[test]
fn a_client_is_moved_whatever_is_lost_or_late() {
    for long_hello in [false, true] {
        for from in [Side::Client, Side::Server] {
            for mask in 0..64_u64 {
                let length = if long_hello { 2500 } else { 280 };
                let tls = Arc::new(NullTls { client_hello_length: length, ..NullTls::default() });
                let mut setup = Setup::with_tls(mask, tls.clone(), tls)
                    .transport(|transport| transport.handshake_timeout = seconds(600))
                    .link(|link| {
                        link.reorder = 0.3;
                        link.jitter = millis(5);
                    });
                with_versions(&mut setup, QUIC_V1, &[QUIC_V2, QUIC_V1], &BOTH);
                let mut pair = setup.build();
                let drops = (0..6).filter(|bit| mask >> bit & 1 == 1).collect();
                match from {
                    Side::Client => pair.to_server().drops = drops,
                    Side::Server => pair.to_client().drops = drops,
                }
                let client = pair.start();
                pair.wait("connected", seconds(300), |pair| {
                    pair.client.connected.contains(&client) && !pair.server.connected.is_empty()
                });
                let server = pair.server.connected[0];
                check_version(&mut pair, (client, server), QUIC_V2);
            }
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
//= type=test
//# If the server sends a Retry packet, it MUST use the original version.
//= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
//= type=test
//# The client
//# MUST NOT use a different version in the subsequent Initial packet
//# that contains the Retry token.
//= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
//= type=test
//# After switching to a negotiated version
//# after a Retry, the server MUST include the relevant transport
//# parameters to validate that the server sent the Retry and the
//# connection IDs used in the exchange, as described in Section 7.3 of
//# [QUIC].
#[test]
fn a_retry_is_of_the_original_version_and_then_the_client_is_moved() {
    for rustls in [false, true] {
        for (version, wanted) in [
            (QUIC_V1, [QUIC_V2, QUIC_V1]),
            (QUIC_V2, [QUIC_V2, QUIC_V1]),
            (QUIC_V2, [QUIC_V1, QUIC_V2]),
        ] {
            let mut setup = if rustls { Setup::with_rustls(3) } else { Setup::new(3) };
            with_versions(&mut setup, version, &wanted, &BOTH);
            setup.validation = AddressValidation::Always;
            let mut pair = setup.build();
            let ends = pair.connect();
            assert_eq!(pair.retries_sent(), 1);
            let retry = pair.network.trace.by(Side::Server).find(|sent| sent.is_retry()).unwrap();
            assert_eq!(retry.version(), Some(version));
            let second = pair.network.trace.by(Side::Client).nth(1).unwrap();
            assert_eq!(second.version(), Some(version));
            check_version(&mut pair, ends, wanted[0]);
        }
    }
}

#[test]
fn a_retry_after_a_loss_still_leads_to_the_version_that_is_wanted() {
    for lost in 0..6 {
        for to_server in [true, false] {
            let mut setup = upgrade(lost);
            setup.validation = AddressValidation::Always;
            let mut pair = setup.build();
            let link = if to_server { pair.to_server() } else { pair.to_client() };
            link.drops = [lost].into();
            let ends = pair.connect();
            check_version(&mut pair, ends, QUIC_V2);
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9369#section-5
//= type=test
//# Clients MUST NOT use a
//# session ticket or token from a QUIC version 1 connection to initiate
//# a QUIC version 2 connection, and vice versa.
#[test]
fn a_token_is_used_in_the_version_that_it_is_of_and_in_no_other() {
    for (first, second, retries) in [
        ([QUIC_V1], [QUIC_V1], 1),
        ([QUIC_V2], [QUIC_V2], 1),
        ([QUIC_V1], [QUIC_V2], 2),
        ([QUIC_V2], [QUIC_V1], 2),
    ] {
        let mut setup = setup(1, first[0], &first, &BOTH);
        setup.validation = AddressValidation::Always;
        let mut pair = setup.build();
        pair.connect();
        pair.run_for(seconds(1));
        change_client(&mut pair, second[0], &second);
        pair.connect();
        assert_eq!(pair.retries_sent(), retries, "{first:x?} {second:x?}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc9369#section-5
//= type=test
//# When a connection
//# includes compatible version negotiation, any issued server tokens are
//# considered to originate from the negotiated version, not the original
//# one.
#[test]
fn a_token_is_of_the_version_that_was_negotiated() {
    for (second, retries) in [(QUIC_V1, 2), (QUIC_V2, 1)] {
        let mut setup = upgrade(1);
        setup.validation = AddressValidation::Always;
        let mut pair = setup.build();
        pair.connect();
        pair.run_for(seconds(1));
        change_client(&mut pair, second, &[second]);
        pair.connect();
        assert_eq!(pair.retries_sent(), retries, "{second:x}");
    }
}

fn change_client(pair: &mut Pair, version: u32, wanted: &[u32]) {
    let mut config = (*pair.client_config).clone();
    config.version = version;
    config.versions = wanted.to_vec();
    pair.client_config = Arc::new(config);
}

//= https://www.rfc-editor.org/rfc/rfc9368#section-2.1
//= type=test
//# If it doesn't find one, it SHALL abort the connection attempt.
#[test]
fn a_client_gives_up_when_there_is_no_version_in_common() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-6.2
    //= type=test
    //# A client that supports only this version of QUIC MUST abandon the current connection
    //# attempt if it receives a Version Negotiation packet, with the following two exceptions.
    for (version, wanted, spoken) in
        [(QUIC_V2, &[QUIC_V2][..], QUIC_V1), (QUIC_V1, &[], QUIC_V2), (RESERVED, &[], QUIC_V1)]
    {
        let mut pair = setup(1, version, wanted, &[spoken]).build();
        let client = pair.start();
        pair.wait("lost", seconds(1), |pair| pair.client.lost.contains_key(&client));
        assert_eq!(pair.client.lost[&client], ConnectionError::VersionMismatch);
        assert!(pair.server.attempts.is_empty());
        pair.run_to_end();
    }
}

#[test]
fn another_version_is_tried_whatever_is_lost() {
    //= https://www.rfc-editor.org/rfc/rfc9368#section-2.1
    //= type=test
    //# Upon receiving the Version Negotiation packet, the client SHALL search for a version it
    //# supports in the list provided by the server.
    //= https://www.rfc-editor.org/rfc/rfc9368#section-2.1
    //= type=test
    //# Otherwise, it SHALL select a mutually supported version and send a new first flight with
    //# that version -- this version is now the Negotiated Version.
    for from in [Side::Client, Side::Server] {
        for mask in 0..64_u64 {
            let mut pair = setup(mask, QUIC_V2, &BOTH, &[QUIC_V1])
                .transport(|transport| transport.handshake_timeout = seconds(600))
                .build();
            let drops = (0..6).filter(|bit| mask >> bit & 1 == 1).collect();
            match from {
                Side::Client => pair.to_server().drops = drops,
                Side::Server => pair.to_client().drops = drops,
            }
            let client = pair.start();
            pair.wait("connected", seconds(300), |pair| !pair.server.connected.is_empty());
            let server = pair.server.connected[0];
            check_version(&mut pair, (client, server), QUIC_V1);
        }
    }
}

/// Somebody on the way answers the client before the server does, with these versions.
fn meddled(setup: Setup, versions: &[u32]) -> (Pair, ConnectionHandle) {
    let mut pair = setup.build();
    let client = pair.start();
    pair.settle();
    let forged = answer_to(&pair.first_from(Side::Client), versions);
    pair.inject(Side::Client, SERVER, &forged);
    (pair, client)
}

//= https://www.rfc-editor.org/rfc/rfc8999#section-7
//= type=test
//# An endpoint MUST authenticate the semantic content of a
//# Version Negotiation packet if it attempts a different QUIC version
//# as a result.
//= https://www.rfc-editor.org/rfc/rfc9368#section-4
//= type=test
//# If the client would have selected a different
//# version, the client MUST close the connection with a version
//# negotiation error.
#[test]
fn nobody_on_the_way_makes_a_client_take_a_version_that_it_wants_less() {
    for (version, wanted, forged) in [
        (QUIC_V2, &[QUIC_V2, QUIC_V1][..], &[QUIC_V1][..]),
        (QUIC_V2, &[QUIC_V2, QUIC_V1], &[QUIC_V1, OTHER, RESERVED]),
        (QUIC_V1, &[QUIC_V1, QUIC_V2], &[QUIC_V2]),
    ] {
        for rustls in [false, true] {
            let mut setup = if rustls { Setup::with_rustls(1) } else { Setup::new(1) };
            with_versions(&mut setup, version, wanted, &BOTH);
            // Or else the server would take the client back.
            setup.server_versions.choice = VersionChoice::Stay;
            let (mut pair, client) = meddled(setup, forged);
            let code = failure(&mut pair, client);
            assert_eq!(code, TransportErrorCode::VERSION_NEGOTIATION_ERROR);
            assert!(pair.client.connected.is_empty());
            pair.run_to_end();
        }
    }
}

#[test]
fn a_client_that_was_misled_ends_in_the_version_that_it_wants_or_not_at_all() {
    for choice in [VersionChoice::Client, VersionChoice::Server, VersionChoice::Stay] {
        for (version, wanted) in [(QUIC_V1, [QUIC_V2, QUIC_V1]), (QUIC_V2, [QUIC_V2, QUIC_V1])] {
            let mut setup = setup(1, version, &wanted, &BOTH);
            setup.server_versions.choice = choice;
            let other = if version == QUIC_V1 { QUIC_V2 } else { QUIC_V1 };
            let (mut pair, client) = meddled(setup, &[other]);
            pair.run_for(seconds(5));
            if pair.client.lost.contains_key(&client) {
                let code = failure(&mut pair, client);
                assert_eq!(code, TransportErrorCode::VERSION_NEGOTIATION_ERROR);
            } else {
                assert_eq!(other, QUIC_V2, "what it would have selected anyway");
            }
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9368#section-4
//= type=test
//# Clients MUST ignore any received Version Negotiation packets that
//# contain the Original Version.  A client that makes a connection
//# attempt based on information received from a Version Negotiation
//# packet MUST ignore any Version Negotiation packets it receives in
//# response to that connection attempt.
#[test]
fn a_second_version_negotiation_is_ignored_and_one_with_the_version_in_use() {
    let (mut pair, client) = meddled(setup(1, QUIC_V1, &BOTH, &BOTH), &[QUIC_V2, QUIC_V1]);
    assert_eq!(pair.network.trace.by(Side::Client).count(), 1, "nothing is sent anew");
    pair.wait("connected", seconds(1), |pair| !pair.server.connected.is_empty());
    assert_eq!(pair.client.with(client, |c| c.version()), QUIC_V1);

    // The server speaks version 1 only; after its answer somebody sends another one.
    let mut pair = setup(1, QUIC_V2, &BOTH, &[QUIC_V1]).build();
    let client = pair.start();
    pair.run_for(millis(20));
    assert_eq!(pair.client.with(client, |c| c.version()), QUIC_V1);
    for versions in [&[OTHER][..], &[QUIC_V2], &[OTHER, QUIC_V2]] {
        let sent = pair.last_from(Side::Client);
        let forged = answer_to(&sent, versions);
        pair.inject(Side::Client, SERVER, &forged);
    }
    pair.wait("connected", seconds(1), |pair| !pair.server.connected.is_empty());
    let server = pair.server.connected[0];
    check_version(&mut pair, (client, server), QUIC_V1);
}

/// A Version Negotiation packet in answer to this Initial.
fn answer_to(initial: &[u8], versions: &[u32]) -> Vec<u8> {
    let (destination, rest) = initial[6..].split_at(initial[5].into());
    let source = &rest[1..][..rest[0].into()];
    let mut packet = vec![0xc0, 0, 0, 0, 0];
    for id in [source, destination] {
        packet.push(id.len() as u8);
        packet.extend_from_slice(id);
    }
    packet.extend(versions.iter().flat_map(|version| version.to_be_bytes()));
    packet
}

#[test]
fn a_deployment_that_learns_a_version_is_not_taken_for_an_attack() {
    //= https://www.rfc-editor.org/rfc/rfc9368#section-5
    //= type=test
    //# To avoid that, server operators SHOULD perform a three-step process when they wish to
    //# add or remove support for a version, as described below.
    // The server accepts version 2, but does not say so yet, and then says so everywhere.
    for (offered, deployed) in [
        (&[QUIC_V1][..], &[QUIC_V1][..]),
        (&[QUIC_V1, QUIC_V2], &[QUIC_V1]),
        (&[QUIC_V1, QUIC_V2], &[QUIC_V1, QUIC_V2]),
    ] {
        for version in [QUIC_V1, QUIC_V2, RESERVED] {
            let mut setup = setup(1, version, &[QUIC_V2, QUIC_V1], &BOTH);
            setup.server_versions.offered = offered.to_vec();
            setup.server_versions.deployed = deployed.to_vec();
            setup.server_versions.choice = VersionChoice::Stay;
            let mut pair = setup.build();
            let (client, _) = pair.connect();
            echo(&mut pair, client, 1000, seconds(1));
        }
    }
}

#[test]
fn a_forged_packet_of_another_version_changes_nothing() {
    for mutate in 0..20 {
        let mut pair = setup(mutate, QUIC_V1, &BOTH, &BOTH).build();
        let client = pair.start();
        pair.settle();
        let initial = pair.first_from(Side::Client);
        let mut forged = initial.clone();
        // The IDs trade places.
        let answer = answer_to(&initial, &[]);
        let ids = answer.len() - 5;
        forged[..5].copy_from_slice(&[0xd0, 0x6b, 0x33, 0x43, 0xcf]);
        forged[5..][..ids].copy_from_slice(&answer[5..]);
        forged[40 + mutate as usize] ^= 1;
        pair.inject(Side::Client, SERVER, &forged);
        pair.wait("connected", seconds(3), |pair| !pair.server.connected.is_empty());
        assert_eq!(pair.client.with(client, |c| c.version()), QUIC_V1);
    }
}
