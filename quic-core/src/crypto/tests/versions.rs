//! TLS in either version of QUIC, and moved from one to the other.

use std::collections::VecDeque;
use std::sync::Arc;

use rustls::quic::Keys;
use rustls::server::ServerSessionMemoryCache;

use super::early_data::{PRE_SHARED_KEY, extension};
use super::handshake::{NAME, client, server, server_from};
use crate::crypto::{KeyChange, Level, Session, SessionFactory, TlsClientConfig};
use crate::error::TransportErrorCode;
use crate::wire::header::{VERSION_1, VERSION_2};

/// Carries the handshake of a client that starts in `original` and is moved to `chosen`; returns
/// the 1-RTT keys of both ends, and what both say of resumption.
fn connect(
    clients: &dyn SessionFactory,
    servers: &dyn SessionFactory,
    original: u32,
    chosen: u32,
) -> (Vec<Keys>, Box<dyn Session>, Box<dyn Session>, usize) {
    let mut client = clients.start(original, Some(NAME), b"client".to_vec()).unwrap();
    let mut server = servers.start(original, None, b"server".to_vec()).unwrap();
    let mut keys = Vec::new();
    let mut hello = Vec::new();
    assert!(client.write_handshake(&mut hello).is_none());
    server.read_handshake(Level::Initial, &hello).unwrap();
    assert_eq!(server.client_offer().unwrap().parameters, b"client");
    server.choose_version(chosen, b" more").unwrap();
    assert!(server.client_offer().is_none());
    if chosen != original {
        client.choose_version(chosen, &[]).unwrap();
    }
    let mut certificates = 0;
    let mut levels = [Level::Initial, Level::Initial];
    let mut to_client = VecDeque::from(write(&mut *server, &mut levels[0], &mut keys));
    let mut to_server = VecDeque::<(Level, Vec<u8>)>::new();
    // Each end writes, and makes keys, before it reads the next level.
    loop {
        if let Some((level, bytes)) = to_server.pop_front() {
            server.read_handshake(level, &bytes).unwrap();
            to_client.extend(write(&mut *server, &mut levels[0], &mut keys));
        } else if let Some((level, bytes)) = to_client.pop_front() {
            if level == Level::Handshake {
                certificates += bytes.len();
            }
            client.read_handshake(level, &bytes).unwrap();
            to_server.extend(write(&mut *client, &mut levels[1], &mut keys));
        } else {
            break;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    assert_eq!(client.peer_parameters(), Some(&b"server more"[..]));
    (keys, client, server, certificates)
}

fn write(
    session: &mut dyn Session,
    level: &mut Level,
    keys: &mut Vec<Keys>,
) -> Vec<(Level, Vec<u8>)> {
    let mut flights = Vec::new();
    loop {
        let mut bytes = Vec::new();
        let change = session.write_handshake(&mut bytes);
        let done = change.is_none() && bytes.is_empty();
        if !bytes.is_empty() {
            flights.push((*level, bytes));
        }
        match change {
            Some(KeyChange::Handshake(_)) => *level = Level::Handshake,
            Some(KeyChange::OneRtt(made)) => {
                *level = Level::OneRtt;
                keys.push(made);
            }
            None if done => return flights,
            None => {}
        }
    }
}

fn opens(sender: &Keys, receiver: &Keys) -> bool {
    let mut packet = [3; 60];
    let tag = sender.local.packet.encrypt_in_place(7, b"header", &mut packet[..44]).unwrap();
    packet[44..].copy_from_slice(tag.as_ref());
    receiver.remote.packet.decrypt_in_place(7, b"header", &mut packet).is_ok()
}

#[test]
fn both_ends_have_the_keys_of_the_version_that_the_server_chose() {
    let (clients, servers) = (client(&[b"h3"]), server(&[b"h3"]));
    for original in [VERSION_1, VERSION_2] {
        for chosen in [VERSION_1, VERSION_2] {
            let (keys, mut client, mut server, _) = connect(&clients, &servers, original, chosen);
            let [a, b] = &keys[..] else { panic!("{} keys", keys.len()) };
            assert!(opens(a, b) && opens(b, a), "{original:x} {chosen:x}");
            for _ in 0..3 {
                let (a, b) = (client.next_keys().unwrap(), server.next_keys().unwrap());
                let mut packet = [3; 60];
                let tag = a.local.encrypt_in_place(7, b"header", &mut packet[..44]).unwrap();
                packet[44..].copy_from_slice(tag.as_ref());
                assert!(b.remote.decrypt_in_place(7, b"header", &mut packet).is_ok());
            }
        }
    }
}

/// Whether a second connection resumes the session of the first: then no certificate travels.
fn resumes(clients: &TlsClientConfig, stateless: bool, first: [u32; 2], second: [u32; 2]) -> bool {
    let servers = server_from(|config| {
        if stateless {
            #[cfg(feature = "ring")]
            let ticketer = rustls::crypto::ring::Ticketer::new();
            #[cfg(not(feature = "ring"))]
            let ticketer = rustls::crypto::aws_lc_rs::Ticketer::new();
            config.ticketer = ticketer.unwrap();
        } else {
            config.session_storage = ServerSessionMemoryCache::new(16);
        }
    });
    let (_, _, _, whole) = connect(clients, &servers, first[0], first[1]);
    let (_, _, _, again) = connect(clients, &servers, second[0], second[1]);
    again < whole / 2
}

//= https://www.rfc-editor.org/rfc/rfc9369#section-5
//= type=test
//# Clients MUST NOT use a
//# session ticket or token from a QUIC version 1 connection to initiate
//# a QUIC version 2 connection, and vice versa.
#[test]
fn a_client_resumes_only_in_the_version_that_the_ticket_is_of() {
    const ONE: [u32; 2] = [VERSION_1; 2];
    const TWO: [u32; 2] = [VERSION_2; 2];
    for stateless in [true, false] {
        for (first, second, expected) in [
            (ONE, ONE, true),
            (TWO, TWO, true),
            (ONE, TWO, false),
            (TWO, ONE, false),
            // The tickets of a connection that was moved are not kept.
            ([VERSION_1, VERSION_2], ONE, false),
            ([VERSION_1, VERSION_2], TWO, false),
            ([VERSION_2, VERSION_1], TWO, false),
            ([VERSION_2, VERSION_1], ONE, false),
        ] {
            let clients = client(&[b"h3"]);
            let resumed = resumes(&clients, stateless, first, second);
            assert_eq!(resumed, expected, "{stateless} {first:x?} {second:x?}");
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9369#section-5
//= type=test
//# Clients MUST NOT use a
//# session ticket or token from a QUIC version 1 connection to initiate
//# a QUIC version 2 connection, and vice versa.
#[test]
fn a_client_offers_no_session_of_another_version() {
    for [first, other] in [[VERSION_1, VERSION_2], [VERSION_2, VERSION_1]] {
        let (clients, servers) = (client(&[b"h3"]), server(&[b"h3"]));
        connect(&clients, &servers, first, first);
        for version in [other, first] {
            let mut session = clients.start(version, Some(NAME), b"client".to_vec()).unwrap();
            let mut hello = Vec::new();
            assert!(session.write_handshake(&mut hello).is_none());
            let offers = extension(&hello, PRE_SHARED_KEY).is_some();
            assert_eq!(offers, version == first, "{first:x} {version:x}");
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9369#section-5
//= type=test
//# Servers MUST validate the originating version of any session ticket
//# or token and not accept one issued from a different version.
#[test]
fn a_server_accepts_a_ticket_only_in_the_version_that_it_is_of() {
    // A client that keeps the tickets of both versions in one place.
    let store = Arc::new(rustls::client::ClientSessionMemoryCache::new(16));
    let both = rustls::client::Resumption::store(store);
    for stateless in [true, false] {
        for (first, second) in [(VERSION_1, VERSION_2), (VERSION_2, VERSION_1)] {
            let clients = super::handshake::client_from(|config| config.resumption = both.clone())
                .resumption_of_version_2(both.clone());
            assert!(!resumes(&clients, stateless, [first; 2], [second; 2]));
            assert!(resumes(&clients, stateless, [second; 2], [second; 2]));
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9001#section-6
//= type=test
//# Endpoints MUST treat the receipt of a TLS KeyUpdate message as a
//# connection error of type 0x010a, equivalent to a fatal TLS alert of
//# unexpected_message; see Section 4.8.
#[test]
fn a_key_update_is_an_error_also_to_a_client_that_was_moved() {
    let (clients, servers) = (client(&[b"h3"]), server(&[b"h3"]));
    for chosen in [VERSION_1, VERSION_2] {
        let (_, mut client, _, _) = connect(&clients, &servers, VERSION_1, chosen);
        let error = client.read_handshake(Level::OneRtt, &[24, 0, 0, 1, 0]).unwrap_err();
        assert_eq!(error.code.value(), 0x10a, "{chosen:x}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-7.5
//= type=test
//# If an endpoint does not expand its buffer, it MUST close
//# the connection with a CRYPTO_BUFFER_EXCEEDED error code.
#[test]
fn a_server_keeps_no_more_than_16_kib_of_a_client_hello() {
    let mut server = server(&[b"h3"]).start(VERSION_1, None, Vec::new()).unwrap();
    server.read_handshake(Level::Initial, &[1, 0, 0xff, 0xff]).unwrap();
    for _ in 0..15 {
        server.read_handshake(Level::Initial, &[0; 1 << 10]).unwrap();
    }
    server.read_handshake(Level::Initial, &[0; (1 << 10) - 4]).unwrap();
    let error = server.read_handshake(Level::Initial, &[0]).unwrap_err();
    assert_eq!(error.code, TransportErrorCode::CRYPTO_BUFFER_EXCEEDED);
}
