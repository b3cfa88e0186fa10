//! Writes what fuzzers start from: the traffic of simulated connections, cut into pieces for each
//! target. `cargo test -p fuzz --test corpus -- --ignored` renews the files `sim-*` in `corpus/`.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fuzz::attack::put_packet;
use fuzz::input::put_prefixed;
use fuzz::open_tls::{Lies, OpenTls};
use fuzz::reference::frames::{Cursor, first};
use fuzz::reference::packets::{Kind, PacketReader};
use quic_core::{AddressValidation, Direction, QUIC_V1, Side, VarInt};
use quic_sim::null_tls::NullTls;
use quic_sim::pair::{Pair, SERVER, Setup};

/// Files for one target, at the most.
const MAXIMUM_FILES: usize = 80;
/// Length of a file, at the most, in bytes.
const MAXIMUM_LENGTH: usize = 4096;

/// A packet of the traffic.
struct Packet {
    by: Side,
    kind: Kind,
    token: Vec<u8>,
    payload: Vec<u8>,
}

/// All that was sent in one run.
#[derive(Default)]
struct Traffic {
    datagrams: Vec<(Side, Vec<u8>)>,
    packets: Vec<Packet>,
}

/// Connections that do a bit of everything.
fn runs() -> Vec<Traffic> {
    (0..6).map(run).collect()
}

fn run(seed: u64) -> Traffic {
    let tickets = NullTls { ticket_length: 200, ..NullTls::default() };
    let tls = OpenTls { handshake: tickets, lies: Lies::default() };
    let mut setup = Setup::with_tls(seed, Arc::new(tls.clone()), Arc::new(tls));
    setup.client_versions = vec![QUIC_V1];
    if seed == 1 {
        setup.validation = AddressValidation::Always;
    }
    setup = setup.transport(|config| {
        config.stream_receive_window = 4096;
        config.receive_window = 8192;
        config.max_concurrent_bidi_streams = 20;
        config.ack_frequency = (seed == 2).then(Default::default);
    });
    if seed > 2 {
        setup = setup.link(|link| (link.loss, link.reorder) = (0.1, 0.2));
    }
    let mut pair = setup.build();
    pair.network.wire = Some(Vec::new());
    pair.server.application.echo = true;
    let (client, server) = pair.connect();
    for round in 0..4_u32 {
        pair.client.send_all(client, Direction::Bidirectional, vec![7; 3000]);
        pair.client.send_all(client, Direction::Unidirectional, vec![8; 300]);
        let given_up = pair.server.send_all(server, Direction::Unidirectional, vec![9; 9000]);
        pair.client.with(client, |connection| {
            connection.ping();
            let _: bool = connection.recv_stream(given_up).stop(VarInt::from_u32(round)).is_ok();
        });
        let now = pair.now();
        pair.server.with(server, |connection| connection.update_keys(now));
        pair.run_for(Duration::from_millis(120));
        if round == 2 {
            pair.rebind_port(50_002);
        }
        let last = pair.server.send_all(server, Direction::Bidirectional, vec![1; 2000]);
        pair.server.with(server, |connection| {
            let _: bool = connection.send_stream(last).reset(VarInt::from_u32(5)).is_ok();
        });
        pair.run_for(Duration::from_millis(200));
    }
    pair.client.close(client, 17, b"done");
    pair.run_for(Duration::from_secs(1));
    traffic(&mut pair)
}

fn traffic(pair: &mut Pair) -> Traffic {
    let mut traffic = Traffic::default();
    let mut readers = [Side::Client, Side::Server].map(PacketReader::new);
    for (from, _, datagram) in pair.network.wire.take().unwrap_or_default() {
        let by = if from == SERVER { Side::Server } else { Side::Client };
        if let Some(reader) = readers.get_mut(usize::from(by == Side::Server)) {
            for packet in reader.read(&datagram, &[]) {
                traffic.packets.push(Packet {
                    by,
                    kind: packet.kind,
                    token: packet.token.to_vec(),
                    payload: packet.payload.to_vec(),
                });
            }
        }
        traffic.datagrams.push((by, datagram));
    }
    traffic
}

/// Transport parameters in the handshake messages of a side.
fn parameters(traffic: &Traffic, side: Side) -> Option<Vec<u8>> {
    let kind = if side == Side::Client { Kind::Initial } else { Kind::Handshake };
    let mut packets = traffic.packets.iter().filter(|it| it.by == side && it.kind == kind);
    packets.find_map(|packet| {
        let mut payload = packet.payload.as_slice();
        while let Ok(frame) = first(payload) {
            payload = payload.get(frame.length..)?;
            if frame.ty == 0x06 && frame.numbers == [0] {
                let mut message = Cursor(frame.data.get(4..)?);
                if side == Side::Client {
                    let _: &[u8] = prefixed(&mut message)?;
                }
                return prefixed(&mut message).map(<[u8]>::to_vec);
            }
        }
        None
    })
}

/// Bytes behind their length in two bytes.
fn prefixed<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = usize::from(cursor.byte()?) << 8 | usize::from(cursor.byte()?);
    cursor.bytes(length)
}

/// A frame of each type.
const SAMPLES: &[&[u8]] = &[
    &[0x01],
    &[0x02, 0, 0, 0, 0],
    &[0x03, 0, 0, 0, 0, 0, 0, 0],
    &[0x04, 0, 0, 0],
    &[0x05, 0, 0],
    &[0x06, 0, 1, 0],
    &[0x07, 1, 7],
    &[0x0a, 0, 1, 7],
    &[0x10, 0x7f, 0xff],
    &[0x11, 0, 0x7f, 0xff],
    &[0x12, 9],
    &[0x13, 9],
    &[0x14, 0],
    &[0x15, 0, 0],
    &[0x16, 9],
    &[0x17, 9],
    &[0x18, 4, 0, 4, 9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
    &[0x19, 1],
    &[0x1a, 1, 2, 3, 4, 5, 6, 7, 8],
    &[0x1b, 1, 2, 3, 4, 5, 6, 7, 8],
    &[0x1c, 0x0a, 0, 0],
    &[0x1d, 7, 0],
    &[0x1e],
    &[0x1f],
    &[0x24, 0, 0, 0, 0],
    &[0x31, 1, 7],
    &[0x40, 0xaf, 0, 0, 0x67, 0xd0, 1],
    // As many streams as there can be, and one more.
    &[0x12, 0xd0, 0, 0, 0, 0, 0, 0, 0],
    &[0x12, 0xd0, 0, 0, 0, 0, 0, 0, 1],
];

/// The types of the frames in a payload.
fn types(mut payload: &[u8]) -> Vec<u64> {
    let mut types = Vec::new();
    while let Ok(frame) = first(payload) {
        payload = payload.get(frame.length..).unwrap_or_default();
        types.push(frame.ty);
    }
    types.dedup();
    types
}

/// The pieces that are written for a target.
struct Corpus {
    target: &'static str,
    files: BTreeSet<Vec<u8>>,
}

impl Corpus {
    fn new(target: &'static str, pieces: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut files = BTreeSet::new();
        for mut piece in pieces {
            piece.truncate(MAXIMUM_LENGTH);
            if files.len() < MAXIMUM_FILES && !piece.is_empty() {
                files.insert(piece);
            }
        }
        Self { target, files }
    }

    fn write(&self) -> Result<(), Box<dyn Error>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(self.target);
        fs::create_dir_all(&folder)?;
        for file in fs::read_dir(&folder)? {
            let path = file?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("sim-")) {
                fs::remove_file(path)?;
            }
        }
        for (index, file) in self.files.iter().enumerate() {
            fs::write(folder.join(format!("sim-{index:02}")), file)?;
        }
        Ok(())
    }
}

/// The packets of one side as the actions of an attack.
fn attack(traffic: &Traffic, by: Side, kinds: &[Kind], start: &[u8]) -> Vec<Vec<u8>> {
    let packets = traffic.packets.iter().filter(|it| it.by == by && kinds.contains(&it.kind));
    let packets: Vec<&Packet> = packets.collect();
    let pieces = packets.chunks(5).map(|packets| {
        let mut out = start.to_vec();
        for packet in packets {
            put_packet(&mut out, packet.kind, &packet.payload);
        }
        out
    });
    pieces.collect()
}

/// Numbers that look random and follow from a seed, for targets whose input is actions.
fn actions(length: usize, seed: u64) -> Vec<u8> {
    let mut random = quic_sim::network::Random::new(seed, 7);
    (0..length).map(|_| random.u64().to_be_bytes()[0]).collect()
}

fn one(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind], bytes].concat()
}

/// Targets that read bytes as they travel.
fn of_the_wire(all: &[Traffic]) -> Vec<Corpus> {
    let mut seen = BTreeSet::new();
    let packets = || all.iter().flat_map(|traffic| &traffic.packets);
    let distinct: Vec<&Packet> =
        packets().filter(|packet| seen.insert(types(&packet.payload))).collect();
    let payloads = || distinct.iter().map(|packet| packet.payload.clone());
    let datagrams: Vec<Vec<u8>> = all
        .iter()
        .flat_map(|traffic| traffic.datagrams.iter().step_by(9))
        .map(|(_, datagram)| datagram.clone())
        .collect();
    let of = |side| all.iter().filter_map(move |traffic| parameters(traffic, side));
    let tokens = || {
        let initials = packets().map(|packet| packet.token.clone());
        let given = packets().flat_map(|packet| new_tokens(&packet.payload));
        initials.chain(given).filter(|token| !token.is_empty())
    };
    let streams = distinct.iter().filter(|packet| packet.kind == Kind::OneRtt);
    let differential = payloads()
        .take(16)
        .chain(SAMPLES.iter().map(|frame| frame.to_vec()))
        .map(|it| one(0, &it))
        .chain(datagrams.iter().map(|it| [&[1, 8], it.as_slice()].concat()).take(16))
        .chain(of(Side::Client).map(|it| one(2, &it)))
        .chain(of(Side::Server).map(|it| one(3, &it)));
    vec![
        Corpus::new("frames", SAMPLES.iter().map(|frame| frame.to_vec()).chain(payloads())),
        Corpus::new("packet_header", datagrams.iter().map(|it| one(8, it))),
        Corpus::new("client_parameters", of(Side::Client).chain(at_their_limits())),
        Corpus::new("server_parameters", of(Side::Server).chain(at_their_limits())),
        Corpus::new("retry_token", tokens()),
        Corpus::new("new_token", tokens()),
        Corpus::new("streams_frames", streams.map(|packet| one(1, &packet.payload))),
        Corpus::new("differential", differential),
        Corpus::new("endpoint_datagrams", repeated().chain(datagrams.chunks(2).map(from_anywhere))),
        Corpus::new("coalesced", datagrams.chunks(2).map(from_anywhere)),
    ]
}

fn new_tokens(mut payload: &[u8]) -> Vec<Vec<u8>> {
    let mut tokens = Vec::new();
    while let Ok(frame) = first(payload) {
        payload = payload.get(frame.length..).unwrap_or_default();
        if frame.ty == 0x07 {
            tokens.push(frame.data.to_vec());
        }
    }
    tokens
}

/// Datagrams as they are given to an endpoint, from two addresses.
fn from_anywhere(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![0];
    for (source, datagram) in [1, 0x80].into_iter().zip(datagrams) {
        out.push(source);
        if source == 1 {
            out.push(1);
        }
        out.push(0);
        put_prefixed(&mut out, datagram);
    }
    out
}

/// Datagrams that the target has seen, from a stranger, one after the other and with pauses.
fn repeated() -> impl Iterator<Item = Vec<u8>> {
    (0..8_u8).map(|at| {
        let mut out = vec![at & 3];
        for pause in [1, 0, 0, 0] {
            out.extend_from_slice(&[1, pause]);
            if pause == 0 {
                out.extend_from_slice(&2999_u16.to_be_bytes());
            }
            out.extend_from_slice(&[1, 0, at]);
        }
        out
    })
}

/// Each transport parameter that has a limit, at it and behind it.
fn at_their_limits() -> impl Iterator<Item = Vec<u8>> {
    let values: [&[u8]; 14] = [
        &[0x03, 2, 0x44, 0xb0],
        &[0x03, 2, 0x44, 0xaf],
        &[0x08, 8, 0xd0, 0, 0, 0, 0, 0, 0, 0],
        &[0x08, 8, 0xd0, 0, 0, 0, 0, 0, 0, 1],
        &[0x09, 8, 0xd0, 0, 0, 0, 0, 0, 0, 1],
        &[0x0a, 1, 20],
        &[0x0a, 1, 21],
        &[0x0b, 2, 0x7f, 0xff],
        &[0x0b, 4, 0x80, 0, 0x40, 0],
        &[0x0e, 1, 2],
        &[0x0e, 1, 1],
        &[0x0c, 1, 0],
        &[0x20, 2, 0x44],
        &[0x11, 5, 0, 0, 0, 1, 0],
    ];
    values.into_iter().map(<[u8]>::to_vec)
}

/// Each kind of packet in which the frames of `payload` may come, and others.
fn everywhere(payload: &[u8], start: &[u8]) -> Vec<u8> {
    let mut out = start.to_vec();
    for kind in [Kind::Initial, Kind::Handshake, Kind::ZeroRtt, Kind::OneRtt] {
        put_packet(&mut out, kind, payload);
    }
    out
}

/// Targets that write packets for one end of a connection.
fn of_connections(all: &[Traffic]) -> Vec<Corpus> {
    let handshake = [Kind::Initial, Kind::Handshake, Kind::OneRtt];
    let after = all.iter().flat_map(|it| {
        let to_server = attack(it, Side::Client, &[Kind::OneRtt], &[0x04]);
        let to_client = attack(it, Side::Server, &[Kind::OneRtt], &[0x05]);
        to_server.into_iter().step_by(4).chain(to_client.into_iter().step_by(4))
    });
    let misplaced = SAMPLES.iter().flat_map(|frame| {
        // PADDING makes the packet long enough to be unprotected.
        let payload = [*frame, &[0; 20]].concat();
        [0, 1].map(|side| everywhere(&payload, &[1 << 3 | side]))
    });
    let misplaced: Vec<Vec<u8>> = misplaced.collect();
    let during = all.iter().zip([0_u8, 2, 4, 6, 8, 12]).flat_map(|(it, steps)| {
        let to_server = attack(it, Side::Client, &handshake, &[steps << 3]);
        let to_client = attack(it, Side::Server, &handshake, &[steps << 3 | 1]);
        to_server.into_iter().take(2).chain(to_client.into_iter().take(2))
    });
    let during = misplaced.into_iter().chain(during);
    let evil = all.iter().flat_map(|it| {
        let mut start = vec![2];
        put_prefixed(&mut start, &parameters(it, Side::Server).unwrap_or_default());
        let limits = at_their_limits().map(|it| {
            let mut out = vec![1];
            put_prefixed(&mut out, &it);
            out
        });
        let limits: Vec<Vec<u8>> = limits.collect();
        let lies = attack(it, Side::Server, &[Kind::OneRtt], &start);
        let honest = attack(it, Side::Server, &handshake, &[0x48]);
        let honest = honest.into_iter().take(4);
        limits.into_iter().chain(lies.into_iter().step_by(9)).chain(honest)
    });
    vec![
        Corpus::new("connection_frames_1rtt", after),
        Corpus::new("connection_frames_handshake", during),
        Corpus::new("evil_server", evil),
    ]
}

#[test]
#[ignore = "writes files"]
fn the_corpus_is_renewed() -> Result<(), Box<dyn Error>> {
    let all = runs();
    let mut corpora = of_the_wire(&all);
    corpora.extend(of_connections(&all));
    let known: Vec<&str> = corpora.iter().map(|corpus| corpus.target).collect();
    for (target, _) in fuzz::TARGETS.iter().filter(|(target, _)| !known.contains(target)) {
        let pieces = (1..17).map(|seed| actions(32 * usize::try_from(seed).unwrap_or(1), seed));
        corpora.push(Corpus::new(target, pieces));
    }
    corpora.iter().try_for_each(Corpus::write)
}
