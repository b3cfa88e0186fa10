//! One end of a connection against someone who can write any packet of the other end.
#![expect(
    clippy::excessive_nesting,
    clippy::wildcard_enum_match_arm,
    clippy::struct_excessive_bools,
    reason = "test code"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arbitrary::{Arbitrary as _, Unstructured};
use quic_core::wire::Writer;
use quic_core::wire::frame::Frame;
use quic_core::{
    ConnectionError, ConnectionHandle, ConnectionRecorder, Direction, Instant, Multiplexer as _,
    PacketType, QUIC_V1, Record, Recorder, SharedRecorder, Side, Subject, TransportConfig,
    TransportErrorCode as Code, VarInt,
};
use quic_sim::null_tls::NullTls;
use quic_sim::pair::{CLIENT, Pair, SERVER, Setup};

use crate::input::{Input, put_prefixed};
use crate::open_tls::{Lies, OpenTls};
use crate::reference::packets::{Kind, Made, PacketReader};
use crate::reference::parameters::must_be_refused;
use crate::reference::{Limits, Reference, Verdict};

/// Longest payload of a packet that is made, in bytes.
pub const MAXIMUM_PAYLOAD: usize = 1350;
/// Actions that are taken; what comes then of the input is ignored.
const MAXIMUM_ACTIONS: usize = 300;
/// The first packet number of the attacker in each space: the honest end is below it.
const FIRST_NUMBER: u64 = 1000;
/// How long after its end a connection may still be heard of.
const AFTERLIFE: Duration = Duration::from_mins(10);
/// What the attacked end tells of its limits.
const LIMITS: Limits = Limits { data: 16_384, stream_data: 4096, streams: 4, datagram: 300 };

/// The packets that the attacked end took.
type Heard = Arc<Mutex<Vec<(PacketType, u64)>>>;

#[derive(Debug)]
struct Listener(Heard);

impl Recorder for Listener {
    fn begin(&self, _: Instant, _: &Subject) -> Option<Box<dyn ConnectionRecorder>> {
        Some(Box::new(Self(Arc::clone(&self.0))))
    }
}

impl ConnectionRecorder for Listener {
    fn record(&mut self, _: Instant, record: &Record<'_>) {
        if let Record::PacketReceived(packet) = record
            && let Ok(mut heard) = self.0.lock()
        {
            heard.push((packet.header.packet_type, packet.header.number));
        }
    }
}

/// How an attack begins.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Datagrams and timeouts of an honest handshake that come before; `None`: all, and then the
    /// honest end is silent.
    pub steps: Option<u8>,
    /// What the honest end's handshake says that it should not.
    pub lies: Lies,
    /// Whether what was received is read.
    pub reads: bool,
    /// Whether what comes on bidirectional streams is sent back.
    pub echoes: bool,
    /// The server gives tickets, which come in CRYPTO frames of 1-RTT packets.
    pub tickets: bool,
}

/// A packet that is on its way.
#[derive(Clone, Debug)]
struct Flying {
    kind: Kind,
    number: u64,
    payload: Vec<u8>,
    bytes: Vec<u8>,
    /// It has to be taken, if the connection lives.
    certain: bool,
    /// Reserved bits are set in it.
    reserved: bool,
}

/// The attack.
#[derive(Debug)]
pub struct Attack {
    pair: Pair,
    victim: Side,
    handle: Option<ConnectionHandle>,
    reference: Reference,
    readers: [PacketReader; 2],
    heard: Heard,
    heard_before: usize,
    next: [u64; 3],
    /// Where packets to the attacked end go, and what they say that they come from.
    victim_id: Vec<u8>,
    attacker_id: Vec<u8>,
    updates: u8,
    /// The honest end is silent, and so every consequence is that of the attack.
    complete: bool,
    allowed: BTreeSet<u64>,
    any_alert: bool,
    may_be_closed: bool,
    over: bool,
    pending: Vec<Flying>,
    last: Vec<Flying>,
    /// What was sent, and may be taken at any time: packets wait for their keys.
    sent: BTreeMap<(Kind, u64), Vec<u8>>,
}

impl Attack {
    /// Both ends, and as much of a handshake as planned.
    pub fn new(victim: Side, plan: &Plan) -> Self {
        let heard = Heard::default();
        let mut pair = setup(victim, plan, &heard).build();
        pair.network.wire = Some(Vec::new());
        pair.end(victim).application.read = plan.reads;
        pair.end(victim).application.echo = plan.echoes;
        let mut attack = Self {
            pair,
            victim,
            handle: None,
            reference: Reference::new(victim, LIMITS),
            readers: [Side::Client, Side::Server].map(PacketReader::new),
            heard,
            heard_before: 0,
            next: [FIRST_NUMBER; 3],
            victim_id: Vec::new(),
            attacker_id: Vec::new(),
            updates: 0,
            complete: plan.steps.is_none(),
            allowed: BTreeSet::new(),
            any_alert: false,
            may_be_closed: false,
            over: false,
            pending: Vec::new(),
            last: Vec::new(),
            sent: BTreeMap::new(),
        };
        attack.begin(plan);
        attack
    }

    fn begin(&mut self, plan: &Plan) {
        let client = self.pair.start();
        let lies = &plan.lies;
        let honest =
            lies.parameters.is_none() && lies.more_parameters.is_empty() && lies.flips.is_empty();
        if !honest {
            self.any_alert = true;
            self.may_be_closed = true;
            self.allowed.extend(crate::reference::HANDSHAKE.iter().map(|code| code.value()));
        }
        let end = self.pair.now() + Duration::from_secs(1);
        for _ in 0..plan.steps.unwrap_or(u8::MAX) {
            if !self.pair.step_until(end) {
                break;
            }
        }
        self.pair.settle();
        if self.complete {
            self.pair.to_server().cut = true;
            self.pair.to_client().cut = true;
        }
        if self.victim == Side::Client {
            self.handle = Some(client);
        }
        self.after(&[]);
        let connected = !self.pair.end(self.victim).connected.is_empty();
        assert!(connected || !self.complete || !honest, "an honest handshake succeeds");
        self.complete &= connected;
        let replaced = lies.parameters.as_deref().is_some_and(|it| must_be_refused(it, false));
        let refused = replaced || must_be_refused(&lies.more_parameters, false);
        assert!(!connected || !refused, "no server sends these parameters: {lies:02x?}");
    }

    /// Everything that the input asks for, and then the end of the connection.
    pub fn run(mut self, input: &mut Input<'_>) {
        for _ in 0..MAXIMUM_ACTIONS {
            if input.is_empty() {
                break;
            }
            self.act(input);
        }
        self.fly();
        self.finish();
    }

    fn act(&mut self, input: &mut Input<'_>) {
        match input.byte() & 0x0f {
            0..8 => {
                let flags = input.byte();
                let payload = input.prefixed(MAXIMUM_PAYLOAD).to_vec();
                self.packet(flags, payload);
            }
            8..12 => {
                let flags = input.byte();
                let payload = structured(input.prefixed(MAXIMUM_PAYLOAD));
                self.packet(flags, payload);
            }
            12 => self.application(input),
            13 => {
                let time = Duration::from_millis(u64::from(input.u16()));
                self.fly();
                // What is over by time is over for good reason.
                self.pair.run_for(time);
                self.after(&[]);
            }
            14 => {
                // Twice the same, or another order.
                self.fly();
                self.pending = self.last.clone();
                for packet in &mut self.pending {
                    packet.certain = false;
                }
                self.fly();
            }
            _ => self.fly(),
        }
    }

    /// Makes a packet; it flies at once, or together with those that follow.
    fn packet(&mut self, flags: u8, payload: Vec<u8>) {
        let kind = match (self.complete, flags & 3) {
            (true, 0..3) | (false, 2) => Kind::OneRtt,
            (_, 0) => Kind::Initial,
            (_, 1) => Kind::Handshake,
            (false, _) => Kind::ZeroRtt,
            (true, _) => Kind::Handshake,
        };
        let reserved = flags & 0x70 == 0x70;
        if flags & 0xf0 == 0xe0 && kind == Kind::OneRtt {
            self.updates = self.updates.saturating_add(1) % 0x30;
            self.allowed.insert(Code::KEY_UPDATE_ERROR.value());
            self.reference.doubt();
        }
        let space = kind.space();
        let next = self.next.get(space).copied().unwrap_or_default();
        let number = match flags >> 4 & 7 {
            1 => next + 1 + u64::from(flags & 7),
            2 => next.saturating_sub(2).max(FIRST_NUMBER),
            _ => next,
        };
        let fresh = number >= next;
        if let Some(next) = self.next.get_mut(space).filter(|next| number >= **next) {
            *next = number + 1;
        }
        let reserved_bits = if kind == Kind::OneRtt { 0x18 } else { 0x0c };
        let made = Made {
            kind,
            sender: !self.victim,
            to: &self.victim_id,
            from: &self.attacker_id,
            number,
            flip: if reserved { reserved_bits } else { 0 },
            updates: self.updates,
            payload: &payload,
        };
        let bytes = made.write();
        let certain = fresh && self.complete && kind == Kind::OneRtt;
        self.pending.push(Flying { kind, number, payload, bytes, certain, reserved });
        // A short header has no length: it is the last of its datagram.
        if kind == Kind::OneRtt || flags & 8 == 0 {
            self.fly();
        }
    }

    fn attacker(&self) -> SocketAddr {
        if self.victim == Side::Client { SERVER } else { CLIENT }
    }

    /// Lets the pending packets arrive, in one datagram.
    fn fly(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let mut datagram: Vec<u8> =
            self.pending.iter().flat_map(|packet| packet.bytes.iter().copied()).collect();
        let starts = self.pending.iter().any(|packet| packet.kind == Kind::Initial);
        let ends_short = self.pending.last().is_some_and(|packet| packet.kind == Kind::OneRtt);
        if starts && !ends_short && datagram.len() < 1200 {
            datagram.resize(1200, 0);
        }
        for packet in self.pending.iter().filter(|packet| !packet.reserved) {
            let key = (packet.kind, packet.number);
            self.sent.entry(key).or_insert_with(|| packet.payload.clone());
        }
        let from = self.attacker();
        self.pair.inject(self.victim, from, &datagram);
        let packets = std::mem::take(&mut self.pending);
        self.after(&packets);
        self.last = packets;
    }

    /// What the attacked end made of packets, if there were any, and of time.
    fn after(&mut self, packets: &[Flying]) {
        let heard = self.newly_heard();
        let mut verdicts = Vec::new();
        for key in &heard {
            if let Some(payload) = self.sent.remove(key) {
                verdicts.extend(self.reference.judge(key.0, &payload));
            }
        }
        for packet in packets {
            let certain = packet.certain && !self.over && !self.reference.is_vague();
            if packet.reserved {
                self.allowed.insert(Code::PROTOCOL_VIOLATION.value());
                if certain {
                    verdicts.push(Verdict::Must(&[Code::PROTOCOL_VIOLATION]));
                }
            } else if certain && !verdicts.iter().any(is_the_end) {
                let taken = heard.contains(&(packet.kind, packet.number));
                assert!(taken, "{packet:?} was not taken");
            }
        }
        self.observe();
        self.check(&verdicts);
    }

    /// The packets that were taken since it was asked last, in order.
    fn newly_heard(&mut self) -> Vec<(Kind, u64)> {
        let Ok(heard) = self.heard.lock() else { return Vec::new() };
        let new = heard.get(self.heard_before..).unwrap_or_default();
        self.heard_before = heard.len();
        let new: Vec<(Kind, u64)> =
            new.iter().filter_map(|(ty, number)| Some((kind_of(*ty)?, *number))).collect();
        for (kind, number) in &new {
            if let Some(heard) = self.reference.heard.get_mut(kind.space()) {
                heard.insert(*number);
            }
        }
        new
    }

    /// Takes note of what both ends sent.
    fn observe(&mut self) {
        let Some(wire) = &mut self.pair.network.wire else { return };
        let sent = std::mem::take(wire);
        let address = if self.victim == Side::Client { CLIENT } else { SERVER };
        for (from, _, datagram) in &sent {
            let by_victim = *from == address;
            let by = if by_victim { self.victim } else { !self.victim };
            let Some(reader) = self.readers.get_mut(usize::from(by == Side::Server)) else {
                return;
            };
            // The attacked end's own IDs are of the usual length.
            let ids = if by_victim { self.reference.issued() } else { &[] };
            let packets = reader.read(datagram, ids);
            // From here on nobody can tell what it sends.
            self.over |= reader.is_ambiguous();
            for packet in packets {
                if packet.kind == Kind::Initial && by == Side::Client && self.victim_id.is_empty() {
                    // The first one goes to an ID that the client made up.
                    match self.victim {
                        Side::Server => self.victim_id = packet.to.to_vec(),
                        Side::Client => {
                            self.reference.on_given(packet.to);
                            self.attacker_id = packet.to.to_vec();
                        }
                    }
                }
                if packet.kind != Kind::OneRtt {
                    let id = if by_victim { &mut self.victim_id } else { &mut self.attacker_id };
                    id.clear();
                    id.extend_from_slice(packet.from);
                    if by_victim {
                        self.reference.on_first_id(packet.from);
                    } else {
                        self.reference.on_given(packet.from);
                    }
                }
                if !by_victim {
                    self.reference.on_told(packet.payload);
                } else if !self.over {
                    self.reference.on_sent(packet.kind, packet.number, packet.payload);
                }
            }
        }
        if let Some(id) = self.reference.usable_id() {
            self.victim_id = id.to_vec();
        }
        if self.handle.is_none() {
            self.handle = self.pair.end(self.victim).attempts.first().copied();
        }
    }

    fn check(&mut self, verdicts: &[Verdict]) {
        if self.over {
            return;
        }
        for verdict in verdicts {
            match verdict {
                Verdict::Fine => {}
                Verdict::May(codes) | Verdict::Must(codes) => {
                    self.allowed.extend(codes.iter().map(|code| code.value()));
                    self.any_alert |= *codes == crate::reference::HANDSHAKE;
                }
                Verdict::Closes => self.may_be_closed = true,
            }
        }
        let must = verdicts.iter().any(|verdict| matches!(verdict, Verdict::Must(_)));
        let victim = self.victim;
        let lost = self.handle.and_then(|handle| self.pair.end(victim).lost.get(&handle)).cloned();
        let Some(lost) = lost else {
            assert!(!must, "the connection lives on after {verdicts:?}");
            return;
        };
        self.over = true;
        match lost {
            ConnectionError::TransportError(error) => {
                let code = error.code.value();
                let alert = self.any_alert && (0x100..0x200).contains(&code);
                assert!(
                    alert || self.allowed.contains(&code),
                    "{error:?}, but only {:x?} may come of {verdicts:?}",
                    self.allowed
                );
                if self.complete {
                    let said = self.reference.closes().contains(&code);
                    assert!(said, "{error:?} is told to the peer: {:?}", self.reference.closes());
                }
            }
            ConnectionError::ConnectionClosed(_) | ConnectionError::ApplicationClosed(_) => {
                // An honest peer closes what is acknowledged though it never sent it.
                assert!(self.may_be_closed || !self.complete, "nobody closed the connection");
            }
            ConnectionError::TimedOut
            | ConnectionError::HandshakeTimedOut
            | ConnectionError::LocallyClosed => {
                assert!(!must, "{lost:?} instead of {verdicts:?}");
            }
            // An honest server that has closed and forgotten the connection says so.
            ConnectionError::Reset if !self.complete => {}
            error => unreachable!("the connection ended by {error:?}"),
        }
    }

    /// The attacked end's application does something.
    fn application(&mut self, input: &mut Input<'_>) {
        self.fly();
        let (what, amount) = (input.byte(), input.u16());
        let Some(handle) = self.handle.filter(|_| !self.over) else { return };
        let direction =
            if what & 0x80 == 0 { Direction::Bidirectional } else { Direction::Unidirectional };
        let now = self.pair.now();
        let end = self.pair.end(self.victim);
        let mut opened = None;
        end.apply(handle, |application, connection| {
            let known: Vec<_> = application.received.keys().map(|(_, id)| *id).collect();
            let one = known.get(usize::from(what >> 3 & 7).min(known.len().saturating_sub(1)));
            match what & 7 {
                0 | 1 => {
                    let Ok(id) = connection.open_stream(direction) else { return };
                    opened = Some(id);
                    if direction == Direction::Bidirectional {
                        application.received.entry((handle, id)).or_default();
                    }
                    let data = vec![7; usize::from(amount)];
                    application.send(connection, (handle, id), data.into(), what & 0x40 == 0);
                }
                2 => {
                    if let Some(id) = one {
                        let _: bool = connection.recv_stream(*id).stop(VarInt::from_u32(1)).is_ok();
                    }
                }
                3 => {
                    if let Some(id) = one {
                        let _: bool =
                            connection.send_stream(*id).reset(VarInt::from_u32(2)).is_ok();
                    }
                }
                4 => connection.ping(),
                5 => {
                    let _: bool = connection.update_keys(now);
                }
                6 => {
                    application.read = true;
                    application.read_all(connection, handle);
                }
                _ if amount & 0xff == 0xff => {
                    connection.close(now, VarInt::from_u32(3), bytes::Bytes::new());
                }
                _ => {}
            }
        });
        if let Some(id) = opened {
            self.reference.on_opened(id.value());
        }
        self.pair.settle();
        self.after(&[]);
    }

    /// The connection ends one way or another, and nothing of it is left.
    fn finish(mut self) {
        let victim = self.victim;
        self.after(&[]);
        if !self.over {
            self.pair.run_for(Duration::from_secs(3));
            self.after(&[]);
        }
        let now = self.pair.now();
        for side in [victim, !victim] {
            let end = self.pair.end(side);
            let handles: Vec<_> = end.attempts.iter().chain(&end.connected).copied().collect();
            for handle in handles.into_iter().chain(self.handle.filter(|_| side == victim)) {
                self.pair.end(side).try_with(handle, |connection| {
                    connection.close(now, VarInt::from_u32(0), bytes::Bytes::new());
                });
            }
        }
        self.pair.run_for(AFTERLIFE);
        let left = self.pair.end(victim).sockets.poll_timeout();
        assert_eq!(left, None, "something of the connection is left");
    }
}

fn is_the_end(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Must(_) | Verdict::May(_) | Verdict::Closes)
}

fn kind_of(ty: PacketType) -> Option<Kind> {
    Some(match ty {
        PacketType::Initial => Kind::Initial,
        PacketType::ZeroRtt => Kind::ZeroRtt,
        PacketType::Handshake => Kind::Handshake,
        PacketType::OneRtt => Kind::OneRtt,
        _ => return None,
    })
}

fn setup(victim: Side, plan: &Plan, heard: &Heard) -> Setup {
    let handshake =
        NullTls { ticket_length: if plan.tickets { 200 } else { 0 }, ..NullTls::default() };
    let attacked = OpenTls { handshake: handshake.clone(), lies: Lies::default() };
    let lying = OpenTls { handshake, lies: plan.lies.clone() };
    let (client, server) =
        if victim == Side::Client { (attacked, lying) } else { (lying, attacked) };
    let mut setup = Setup::with_tls(1, Arc::new(client), Arc::new(server));
    setup.client_versions = vec![QUIC_V1];
    let limits = |config: &mut TransportConfig| {
        config.receive_window = LIMITS.data;
        config.max_receive_window = 4 * LIMITS.data;
        config.stream_receive_window = LIMITS.stream_data;
        config.max_stream_receive_window = 4 * LIMITS.stream_data;
        config.max_concurrent_bidi_streams = LIMITS.streams;
        config.max_concurrent_uni_streams = LIMITS.streams;
        config.max_datagram_frame_size = u16::try_from(LIMITS.datagram).unwrap_or(u16::MAX);
    };
    let mut setup = setup.transport(limits);
    let recorder = Some(SharedRecorder::new(Arc::new(Listener(Arc::clone(heard)))));
    match victim {
        Side::Client => setup.client_endpoint.recorder = recorder,
        Side::Server => setup.server_endpoint.recorder = recorder,
    }
    setup
}

/// Frames that are made of any bytes, one after the other.
pub fn structured(bytes: &[u8]) -> Vec<u8> {
    let mut input = Unstructured::new(bytes);
    let mut memory = vec![0; MAXIMUM_PAYLOAD];
    let mut writer = Writer::new(&mut memory);
    while !input.is_empty() {
        let Ok(frame) = Frame::arbitrary(&mut input) else { break };
        if frame.encode(&mut writer).is_err() {
            break;
        }
    }
    writer.written().to_vec()
}

/// An action of the input that sends these frames.
pub fn put_packet(out: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    let flags = match kind {
        Kind::Initial => 0,
        Kind::Handshake => 1,
        Kind::OneRtt => 2,
        Kind::ZeroRtt => 3,
    };
    out.extend_from_slice(&[0, flags]);
    put_prefixed(out, payload);
}
