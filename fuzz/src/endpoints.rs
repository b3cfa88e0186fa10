//! Endpoints against datagrams from anywhere.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use quic_core::{
    AddressValidation, ConnectionHandle, Direction, Multiplexer as _, QUIC_V1, QUIC_V2, Side,
};
use quic_sim::null_tls::NullTls;
use quic_sim::pair::{CLIENT, Pair, SERVER, Setup};
use quic_sim::world::{Application, Incoming};

use crate::input::Input;

/// Connections that live through it all.
const CONNECTIONS: usize = 3;
/// Datagrams that come.
const MAXIMUM_DATAGRAMS: usize = 64;
/// Longest datagram of the input, in bytes.
const MAXIMUM_DATAGRAM: usize = 1500;
/// How long attempts that nobody goes on with are remembered, and more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(25);
/// What may be left of an attack in tables that have grown, in bytes.
const SLACK: i64 = 64 << 10;
/// Bytes that are sent for each byte of someone whose address is not proven (RFC 9000 §8.1).
const AMPLIFICATION: usize = 3;

/// Addresses of which nothing is known.
fn stranger(which: u8) -> SocketAddr {
    let ip = Ipv4Addr::new(203, 0, 113, which % 8 + 1);
    SocketAddr::new(IpAddr::V4(ip), 4000 + u16::from(which >> 3 & 3))
}

/// Where a datagram of the input comes from: a stranger, or who looks like the honest client.
fn source(which: u8) -> SocketAddr {
    if which & 0x80 == 0 { stranger(which) } else { CLIENT }
}

/// The bytes of a datagram: any, or one that was seen before and is changed here and there.
fn datagram(input: &mut Input<'_>, seen: &[Vec<u8>]) -> Vec<u8> {
    let kind = input.byte();
    let mut bytes = if kind.trailing_zeros() >= 2 || seen.is_empty() {
        let mut bytes = input.prefixed(MAXIMUM_DATAGRAM).to_vec();
        if kind & 4 != 0 {
            bytes.resize(bytes.len().max(1200), 0);
        }
        bytes
    } else {
        let at = input.below(seen.len());
        seen.get(at).cloned().unwrap_or_default()
    };
    for _ in 0..kind >> 5 {
        let (at, change) = (input.below(bytes.len()), input.byte());
        // Most of what matters is at the front.
        let at = if change & 1 == 0 { at % 32 } else { at };
        match bytes.get_mut(at) {
            Some(byte) => *byte ^= change,
            None => bytes.push(change),
        }
    }
    if kind & 8 != 0 {
        bytes.truncate(input.below(bytes.len() + 1));
    }
    if kind & 16 != 0 {
        let at = input.below(seen.len());
        bytes.extend_from_slice(seen.get(at).map_or(&[][..], Vec::as_slice));
    }
    bytes
}

fn wire_of(pair: &mut Pair) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
    pair.network.wire.replace(Vec::new()).unwrap_or_default()
}

/// A server with a few connections, and all datagrams that made them.
fn with_connections(setup: Setup) -> (Pair, Vec<ConnectionHandle>, Vec<Vec<u8>>) {
    let mut pair = setup.build();
    pair.network.wire = Some(Vec::new());
    pair.server.application.echo = true;
    let connections = (0..CONNECTIONS).map(|_| pair.connect().0).collect();
    pair.run_for(Duration::from_millis(200));
    let seen = wire_of(&mut pair).into_iter().map(|(_, _, bytes)| bytes).collect();
    (pair, connections, seen)
}

/// Sends a few bytes there and back on each connection.
fn they_work(pair: &mut Pair, connections: &[ConnectionHandle]) {
    for connection in connections {
        let connection = *connection;
        let lost = pair.client.lost.get(&connection);
        assert!(lost.is_none(), "a connection of others was lost: {lost:?}");
        let id = pair.client.send_all(connection, Direction::Bidirectional, &b"hello"[..]);
        let back = pair.run_until(Duration::from_secs(20), |pair| {
            pair.client.received(connection, id) == b"hello"
                && pair.client.is_finished(connection, id)
        });
        assert!(back, "a connection of others does not work any more");
    }
}

/// Datagrams from strangers and from who pretends to be the client, with three connections.
pub(crate) fn endpoint_datagrams(input: &[u8]) {
    let mut input = Input::new(input);
    let first = input.byte();
    // A flight that is longer than what may be sent to a stranger.
    let tls = Arc::new(NullTls { certificate_length: 9000, ..NullTls::default() });
    let mut setup = Setup::with_tls(1, Arc::clone(&tls) as _, tls);
    if first & 1 != 0 {
        setup.validation = AddressValidation::Always;
    }
    setup.server_transport.handshake_timeout = Duration::from_secs(5);
    setup = setup.transport(|config| config.max_idle_timeout = None);
    setup.accept_backlog = 8;
    let (mut pair, connections, mut seen) = with_connections(setup);
    they_work(&mut pair, &connections);
    let _: Vec<_> = wire_of(&mut pair);
    if first & 2 != 0 {
        pair.server.incoming = Incoming::Wait;
    }
    let mut received: BTreeMap<SocketAddr, usize> = BTreeMap::new();
    let mut sent: BTreeMap<SocketAddr, usize> = BTreeMap::new();
    let growth = measure(|| {
        for _ in 0..MAXIMUM_DATAGRAMS {
            if input.is_empty() {
                break;
            }
            let from = source(input.byte());
            if from != CLIENT && input.byte() == 0 {
                pair.run_for(Duration::from_millis(u64::from(input.u16() % 3000)));
            }
            let bytes = datagram(&mut input, &seen);
            *received.entry(from).or_default() += bytes.len();
            pair.inject(Side::Server, from, &bytes);
            for (by, to, bytes) in wire_of(&mut pair) {
                if by != SERVER || to == CLIENT {
                    continue;
                }
                let sum = sent.entry(to).or_default();
                *sum += bytes.len();
                let allowed = AMPLIFICATION * received.get(&to).copied().unwrap_or_default();
                assert!(*sum <= allowed, "{sum} bytes to {to}, which sent {allowed} / 3");
                if seen.len() < 64 {
                    seen.push(bytes);
                }
            }
        }
        pair.server.incoming = Incoming::Accept;
        pair.run_for(FORGOTTEN_AFTER);
        forget(&mut pair);
        drop(std::mem::take(&mut seen));
        received = BTreeMap::new();
        sent = BTreeMap::new();
    });
    assert!(growth.bytes_current <= SLACK, "{} bytes are left", growth.bytes_current);
    they_work(&mut pair, &connections);
}

/// Forgets what the simulation has written down, so that only the endpoints count.
fn forget(pair: &mut Pair) {
    pair.network.trace.sent = Vec::new();
    pair.network.wire = Some(Vec::new());
    for end in [Side::Client, Side::Server] {
        let end = pair.end(end);
        end.events = Vec::new();
        end.attempts = Vec::new();
        end.lost.clear();
        end.application = Application::default();
        end.application.echo = true;
    }
}

/// What one datagram of any kind may cost an endpoint that expects nothing of it, in bytes.
const COST: u64 = 16 << 10;

/// Datagrams of several packets, for connections of this endpoint and of others.
pub(crate) fn coalesced(input: &[u8]) {
    let mut input = Input::new(input);
    let setup = Setup::new(1).transport(|config| config.max_concurrent_bidi_streams = 4);
    let (mut pair, connections, seen) = with_connections(setup);
    let mut pieces: Vec<Vec<u8>> = seen.iter().filter(|bytes| bytes.len() > 50).cloned().collect();
    pieces.truncate(16);
    // The client expects no connections of others: whatever comes, nothing stays of it.
    for _ in 0..MAXIMUM_DATAGRAMS {
        if input.is_empty() {
            break;
        }
        let mut train = Vec::new();
        for _ in 0..=input.byte() % 4 {
            train.append(&mut datagram(&mut input, &pieces));
        }
        train.truncate(8 * MAXIMUM_DATAGRAM);
        let mut copy = train.clone();
        let path = quic_core::PathAddresses {
            socket: pair.client.socket,
            local_ip: None,
            remote: stranger(input.byte()),
        };
        let now = pair.now();
        let cost = measure(|| {
            let datagram = quic_core::UdpDatagram::new(path, &mut copy);
            pair.client.sockets.handle_datagram(now, datagram);
        });
        let most = COST + train.len() as u64;
        assert!(cost.bytes_max <= most, "{} bytes for {}", cost.bytes_max, train.len());
        assert!(cost.count_total <= 16, "{} allocations for one datagram", cost.count_total);
        pair.settle();
    }
    they_work(&mut pair, &connections);
}

/// The client's first datagram is answered by Version Negotiation packets (RFC 9000 §6.2).
pub(crate) fn version_negotiation(input: &[u8]) {
    let mut input = Input::new(input);
    let (mut pair, client) = started(Setup::new(1));
    let (ours, first_version) = (ids_of(&pair.first_from(Side::Client)), QUIC_V1);
    let Some((destination, source)) = ours else {
        unreachable!("the client starts with an Initial")
    };
    for _ in 0..8 {
        if input.is_empty() {
            break;
        }
        let kind = input.byte();
        let bytes = if kind & 1 == 0 {
            input.prefixed(MAXIMUM_DATAGRAM).to_vec()
        } else {
            let mut bytes = vec![0x80 | input.byte(), 0, 0, 0, 0];
            // The packet goes back to where the first one came from.
            for (id, flip) in [(&source, kind & 2), (&destination, kind & 4)] {
                bytes.push(u8::try_from(id.len()).unwrap_or_default());
                bytes.extend_from_slice(id);
                if let Some(last) = bytes.last_mut().filter(|_| flip != 0) {
                    *last ^= input.byte();
                }
            }
            for _ in 0..kind >> 4 {
                let known = [QUIC_V1, QUIC_V2, 0, 0x1a2a_3a4a];
                let at = usize::from(input.byte());
                let any = [input.u16(), input.u16()];
                let any = u32::from(any[0]) << 16 | u32::from(any[1]);
                let version = known.get(at % 8).copied().unwrap_or(any);
                bytes.extend_from_slice(&version.to_be_bytes());
            }
            if kind & 8 != 0 {
                bytes.truncate(input.below(bytes.len() + 1));
            }
            bytes
        };
        let valid = is_answer(&bytes, &destination, &source, first_version);
        let before = pair.network.trace.by(Side::Client).count();
        pair.inject(Side::Client, SERVER, &bytes);
        if valid {
            // The client may go on in another version, or give up.
            return;
        }
        let after = pair.network.trace.by(Side::Client).count();
        assert_eq!(before, after, "the client answers {bytes:02x?}");
        assert!(pair.client.lost.is_empty(), "{:?} by {bytes:02x?}", pair.client.lost);
    }
    it_connects(&mut pair, client);
}

/// Whether a client that has received nothing else has to believe it.
fn is_answer(bytes: &[u8], destination: &[u8], source: &[u8], version: u32) -> bool {
    let Some((first, rest)) = bytes.split_first() else { return false };
    let Some(rest) = rest.strip_prefix(&[0; 4]) else { return false };
    let mut rest = rest;
    for id in [source, destination] {
        let Some((length, after)) = rest.split_first() else { return false };
        if usize::from(*length) != id.len() || !after.starts_with(id) {
            return false;
        }
        rest = after.get(id.len()..).unwrap_or_default();
    }
    let (versions, odd) = rest.as_chunks::<4>();
    let lists_ours = versions.iter().any(|it| u32::from_be_bytes(*it) == version);
    first & 0x80 != 0 && odd.is_empty() && !versions.is_empty() && !lists_ours
}

/// Destination and Source Connection ID of a packet with a long header.
fn ids_of(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut rest = Input::new(bytes.get(5..)?);
    let [destination, source] = [(); 2].map(|()| {
        let length = rest.byte();
        rest.bytes(length.into()).to_vec()
    });
    Some((destination, source))
}

/// A client whose first datagram is on its way.
fn started(setup: Setup) -> (Pair, ConnectionHandle) {
    let mut pair = setup.build();
    pair.network.wire = Some(Vec::new());
    let client = pair.start();
    pair.settle();
    (pair, client)
}

fn it_connects(pair: &mut Pair, client: ConnectionHandle) {
    let connected = pair.run_until(Duration::from_secs(10), |pair| {
        pair.client.connected.contains(&client) && !pair.server.connected.is_empty()
    });
    assert!(connected, "the handshake does not complete: {:?}", pair.client.lost);
}

/// Retry packets: that of the server, with any change.
pub(crate) fn retry_packet(input: &[u8]) {
    let mut input = Input::new(input);
    let mut setup = Setup::new(1);
    setup.validation = AddressValidation::Always;
    let (mut pair, client) = started(setup);
    // The server's answer, which does not arrive yet.
    let first = pair.first_from(Side::Client);
    pair.to_client().cut = true;
    pair.inject(Side::Server, CLIENT, &first);
    let retry = wire_of(&mut pair).into_iter().find(|(from, ..)| *from == SERVER);
    let Some((_, _, retry)) = retry else { unreachable!("the server answers with a Retry") };
    pair.to_client().cut = false;
    for _ in 0..8 {
        if input.is_empty() {
            break;
        }
        let changed = datagram(&mut input, std::slice::from_ref(&retry));
        // Behind another packet it is authentic all the same.
        if changed.ends_with(&retry) {
            continue;
        }
        let before = pair.network.trace.by(Side::Client).count();
        pair.inject(Side::Client, SERVER, &changed);
        let after = pair.network.trace.by(Side::Client).count();
        assert_eq!(before, after, "the client answers {changed:02x?}");
        assert!(pair.client.lost.is_empty(), "{:?} by {changed:02x?}", pair.client.lost);
    }
    let before = pair.network.trace.by(Side::Client).count();
    pair.inject(Side::Client, SERVER, &retry);
    let after = pair.network.trace.by(Side::Client).count();
    assert!(after > before, "the client answers the server's Retry");
    it_connects(&mut pair, client);
}
