use std::net::IpAddr;
use std::time::Duration;

use rustls::RootCertStore;

use super::address_token::AddressToken;
use super::initial::Verdict;
use super::*;
use crate::config::{AddressValidation, TransportConfig};
use crate::crypto::{Keyring, SeededRandom, TlsClientConfig, Token, seal_token};
use crate::error::DiscardReason;
use crate::net::SocketId;
use crate::wire::ConnectionId;

fn server(validation: AddressValidation) -> Server {
    let crypto = TlsClientConfig::from_roots(RootCertStore::empty(), &[b"test"]).unwrap();
    let transport = TransportConfig::default();
    let key = Keyring::new([1; 32]);
    let mut config = ServerConfig::new(Arc::new(crypto), transport, key).unwrap();
    config.validation = validation;
    config.accept_backlog = 10;
    config.max_half_open = 20;
    Server::new(Arc::new(config))
}

fn facts() -> InitialFacts {
    let remote = ([192, 0, 2, 1], 4433).into();
    let id = ConnectionId::new(&[1; 8]).unwrap();
    InitialFacts {
        path: PathAddresses { socket: SocketId(0), local_ip: None, remote },
        version: 1,
        destination_id: id,
        source_id: id,
        original_destination_id: id,
        validated: false,
        retried: false,
    }
}

#[test]
fn a_retry_token_that_expired_is_rejected_however_short_our_connection_ids_are() {
    let mut facts = facts();
    facts.destination_id = ConnectionId::new(&[1; 4]).unwrap();
    let original_destination_id = ConnectionId::new(&[2; 8]).unwrap();
    let token = AddressToken::Retry { original_destination_id, valid: false };
    let server = server(AddressValidation::Always);
    assert_eq!(server.verdict(&facts, token, Load::default()), Verdict::RejectToken);
}

#[test]
fn every_verdict_has_its_cause() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
    //= type=test
    //# If the token is invalid, then the server SHOULD proceed as if the client
    //# did not have a validated address, including potentially sending a Retry
    //# packet.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
    //= type=test
    //# If the validation succeeds, the server SHOULD then allow the handshake
    //# to proceed.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
    //= type=test
    //# If the client IP address has changed, the server MUST adhere to the
    //# anti-amplification limit; see Section 8.
    let original = ConnectionId::new(&[2; 8]).unwrap();
    let own = facts().destination_id;
    let retry = |valid| AddressToken::Retry { original_destination_id: original, valid };
    let new_token = |valid| AddressToken::NewToken { issued: Instant::EPOCH, valid };
    let accept = |original_destination_id, validated, retried| Verdict::Accept {
        original_destination_id,
        validated,
        retried,
    };
    let (always, never) = (AddressValidation::Always, AddressValidation::Never);
    let above = AddressValidation::AboveHalfOpen(5);
    let load = |half_open, waiting, full| Load { half_open, waiting, full, rush: false };
    let rush = Load { rush: true, ..Load::default() };
    let idle = Load::default();
    let busy = Verdict::Drop(DiscardReason::BufferFull);
    for (validation, token, load, expected) in [
        (never, AddressToken::Absent, idle, accept(own, false, false)),
        (always, AddressToken::Absent, idle, Verdict::Retry),
        (always, retry(true), idle, accept(original, true, true)),
        (always, retry(false), idle, Verdict::RejectToken),
        (never, retry(false), idle, Verdict::RejectToken),
        (always, new_token(true), idle, accept(own, true, false)),
        (always, new_token(false), idle, Verdict::Retry),
        (never, new_token(false), idle, accept(own, false, false)),
        (above, AddressToken::Absent, load(5, 5, false), accept(own, false, false)),
        (above, AddressToken::Absent, load(6, 5, false), Verdict::Retry),
        (never, AddressToken::Absent, load(10, 10, false), Verdict::Refuse),
        (never, retry(true), load(10, 10, false), Verdict::Refuse),
        (above, AddressToken::Absent, load(0, 5, false), accept(own, false, false)),
        (above, AddressToken::Absent, load(0, 6, false), Verdict::Retry),
        (above, retry(true), load(9, 9, false), accept(original, true, true)),
        (above, new_token(true), load(9, 9, false), accept(own, true, false)),
        (above, AddressToken::Absent, rush, Verdict::Retry),
        (above, new_token(false), rush, Verdict::Retry),
        (above, retry(true), rush, accept(original, true, true)),
        (never, AddressToken::Absent, rush, accept(own, false, false)),
        (never, AddressToken::Absent, load(0, 0, true), Verdict::Refuse),
        (never, AddressToken::Absent, load(19, 9, false), accept(own, false, false)),
        (never, AddressToken::Absent, load(20, 9, false), busy),
        (always, retry(true), load(20, 20, true), busy),
        (always, AddressToken::Absent, load(20, 20, true), Verdict::Retry),
    ] {
        let server = server(validation);
        let verdict = server.verdict(&facts(), token, load);
        assert_eq!(verdict, expected, "{validation:?} {token:?} {load:?}");
    }
}

#[test]
fn a_short_destination_id_is_dropped_before_anything_else() {
    let destination_id = ConnectionId::new(&[1; 7]).unwrap();
    let short = InitialFacts { destination_id, ..facts() };
    let verdict =
        server(AddressValidation::Always).verdict(&short, AddressToken::Absent, Load::default());
    assert_eq!(verdict, Verdict::Drop(DiscardReason::Malformed));
}

#[test]
fn tokens_are_good_until_their_time_is_over_in_their_version_and_at_their_address() {
    let server = server(AddressValidation::Always);
    let (address, mapped) = ("192.0.2.1".parse().unwrap(), "::ffff:192.0.2.1".parse().unwrap());
    let issued = Instant::EPOCH + Duration::from_secs(1_000_000);
    let own_id = facts().destination_id;
    let is_proof = |token: &Token, from: IpAddr, version, now| {
        let sealed =
            seal_token(&Keyring::new([1; 32]), token, &mut SeededRandom::from_seed([2; 32]));
        let path = PathAddresses { remote: (from, 4433).into(), ..facts().path };
        let header = LongHeader {
            ty: LongType::Initial,
            version,
            destination_id: own_id,
            source_id: own_id,
            token: &sealed,
            packet_length: 1200,
            number_offset: 0,
        };
        server.read_token(now, Unrouted { path, datagram: &[] }, &header).is_proof()
    };
    let of_retry = |ip: IpAddr| Token::Retry {
        remote: (ip, 4433).into(),
        original_destination_id: ConnectionId::new(&[2; 8]).unwrap(),
        retry_source_id: own_id,
        issued,
        version: 1,
    };
    let new = |ip| Token::NewToken { ip, issued, version: 1 };
    let config = server.config();
    for (token, mapped_token, lifetime) in [
        (of_retry(address), of_retry(mapped), config.retry_token_lifetime),
        (new(address), new(mapped), config.new_token_lifetime),
    ] {
        let end = issued + lifetime;
        assert!(is_proof(&token, address, 1, end), "{token:?}");
        assert!(!is_proof(&token, address, 1, end + Duration::from_nanos(1)), "{token:?}");
        assert!(!is_proof(&token, address, 0x6b33_43cf, issued), "{token:?}");
        // The same address, as sockets for both kinds tell it.
        assert!(is_proof(&token, mapped, 1, issued), "{token:?}");
        assert!(is_proof(&mapped_token, address, 1, issued), "{token:?}");
    }
}

#[test]
fn of_a_rush_where_few_may_come_one_in_a_tenth_of_a_second_is_taken_at_his_word() {
    let mut rush = Rush::default();
    let now = Instant::EPOCH + Duration::from_secs(7);
    assert_eq!([rush.count(now, 5), rush.count(now, 5)], [false, true]);
}
