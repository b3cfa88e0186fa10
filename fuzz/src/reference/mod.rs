//! What an endpoint has to make of frames: RFC 9000 §4, §12.4, §19 and §20, written down a second
//! time, to check the first.
#![expect(clippy::wildcard_enum_match_arm, reason = "test code")]

pub mod frames;
pub mod packets;
pub mod parameters;

use std::collections::{BTreeMap, BTreeSet};

use quic_core::{Side, TransportErrorCode as Code};

use self::frames::{Fault, Plain};
use self::packets::Kind;

/// What a frame may or has to cause.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Nothing is wrong.
    Fine,
    /// It may be taken, or be an error with one of these codes.
    May(&'static [Code]),
    /// It is an error, with one of these codes.
    Must(&'static [Code]),
    /// The peer closes the connection.
    Closes,
}

use Verdict::{Closes, Fine, May, Must};

const ENCODING: &[Code] = &[Code::FRAME_ENCODING_ERROR];
const VIOLATION: &[Code] = &[Code::PROTOCOL_VIOLATION];
/// Not permitted, and perhaps not well-formed.
const NOT_HERE: &[Code] = &[Code::PROTOCOL_VIOLATION, Code::FRAME_ENCODING_ERROR];
const STATE: &[Code] = &[Code::STREAM_STATE_ERROR];
const LIMIT: &[Code] = &[Code::STREAM_LIMIT_ERROR];
const SIZE: &[Code] = &[Code::FINAL_SIZE_ERROR];
const FLOW: &[Code] = &[Code::FLOW_CONTROL_ERROR];
const SIZE_OR_FLOW: &[Code] = &[Code::FINAL_SIZE_ERROR, Code::FLOW_CONTROL_ERROR];
const IDS: &[Code] = &[Code::CONNECTION_ID_LIMIT_ERROR, Code::PROTOCOL_VIOLATION];
/// Beside these, whatever TLS finds (0x100 to 0x1ff).
pub const HANDSHAKE: &[Code] = &[
    Code::CRYPTO_BUFFER_EXCEEDED,
    Code::PROTOCOL_VIOLATION,
    Code::TRANSPORT_PARAMETER_ERROR,
    Code::VERSION_NEGOTIATION_ERROR,
];

/// The limits that an endpoint tells its peer in the handshake.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// On all streams together, in bytes.
    pub data: u64,
    /// On each, in bytes.
    pub stream_data: u64,
    /// Streams of each direction.
    pub streams: u64,
    /// Longest DATAGRAM frame, in bytes.
    pub datagram: u64,
}

/// What has come on a stream.
#[derive(Clone, Copy, Debug, Default)]
struct Received {
    highest: u64,
    size: Option<u64>,
    /// Its limit, as far as it was raised.
    limit: u64,
    /// So much is uncertain that rules are not certain either.
    vague: bool,
}

/// The endpoint under attack, as one knows it who sees all its packets.
#[derive(Debug)]
pub struct Reference {
    victim: Side,
    limits: Limits,
    /// What it told of: streams of each direction, and bytes.
    max_streams: [u64; 2],
    max_data: u64,
    streams: BTreeMap<u64, Received>,
    received: u64,
    /// Streams that it opened, of each direction.
    opened: [u64; 2],
    /// Connection IDs that it issued, and was not told to retire.
    ids: BTreeMap<u64, Vec<u8>>,
    largest_id: u64,
    /// Connection IDs that it was given, by the handshake, too.
    issued: Vec<Vec<u8>>,
    /// Codes of errors that it told its peer.
    closes: Vec<u64>,
    /// Packet numbers that it used, in each space.
    sent: [BTreeSet<u64>; 3],
    /// Packets that it was sent, in each space.
    pub heard: [BTreeSet<u64>; 3],
    /// Challenges that it was sent.
    pub challenges: BTreeSet<Vec<u8>>,
    /// It was told to retire so many IDs that it may find that too many.
    vague: bool,
}

/// 1 if the stream's lower bit says server.
fn initiator(id: u64) -> Side {
    if id & 1 == 0 { Side::Client } else { Side::Server }
}

fn direction(id: u64) -> usize {
    usize::from(id & 2 != 0)
}

fn at<T: Copy + Default>(values: &[T], index: usize) -> T {
    values.get(index).copied().unwrap_or_default()
}

impl Reference {
    /// An endpoint that told its peer these limits.
    pub fn new(victim: Side, limits: Limits) -> Self {
        Self {
            victim,
            limits,
            max_streams: [limits.streams; 2],
            max_data: limits.data,
            streams: BTreeMap::new(),
            received: 0,
            opened: [0; 2],
            ids: BTreeMap::new(),
            largest_id: 0,
            issued: Vec::new(),
            closes: Vec::new(),
            sent: Default::default(),
            heard: Default::default(),
            challenges: BTreeSet::new(),
            vague: false,
        }
    }

    /// Nothing that comes from now on is sure to be taken.
    pub fn doubt(&mut self) {
        self.vague = true;
    }

    /// Whether rules are not certain any more.
    pub fn is_vague(&self) -> bool {
        self.vague
    }

    /// Connection IDs that it was given.
    pub fn issued(&self) -> &[Vec<u8>] {
        &self.issued
    }

    /// Codes of errors that it told its peer.
    pub fn closes(&self) -> &[u64] {
        &self.closes
    }

    /// It was given an ID by the handshake.
    pub fn on_given(&mut self, id: &[u8]) {
        if self.issued.iter().all(|known| known != id) {
            self.issued.push(id.to_vec());
        }
    }

    /// The ID that it chose in the handshake.
    pub fn on_first_id(&mut self, id: &[u8]) {
        if self.largest_id == 0 {
            self.ids.insert(0, id.to_vec());
        }
    }

    /// An ID that leads to it.
    pub fn usable_id(&self) -> Option<&[u8]> {
        self.ids.first_key_value().map(|(_, id)| id.as_slice())
    }

    /// The honest end sent these frames.
    pub fn on_told(&mut self, mut payload: &[u8]) {
        while let Ok(frame) = frames::first(payload) {
            payload = payload.get(frame.length..).unwrap_or_default();
            if frame.ty == 0x1a {
                self.challenges.insert(frame.data.to_vec());
            }
            if frame.ty == 0x18 {
                self.issued.push(frame.data.to_vec());
            }
        }
    }

    /// What the frames of a packet that the endpoint takes have to cause, in order, until one ends
    /// the connection.
    pub fn judge(&mut self, kind: Kind, mut payload: &[u8]) -> Vec<Verdict> {
        if payload.is_empty() {
            return vec![Must(VIOLATION)];
        }
        let mut verdicts = Vec::new();
        while !payload.is_empty() {
            let verdict = match frames::first(payload) {
                Ok(frame) => {
                    payload = payload.get(frame.length..).unwrap_or_default();
                    self.judge_frame(kind, &frame)
                }
                Err(Fault::Malformed | Fault::Unknown) if kind == Kind::OneRtt => Must(ENCODING),
                Err(_) => Must(NOT_HERE),
            };
            let ends = matches!(verdict, Must(_) | Closes);
            let verdict = match verdict {
                Must(codes) if self.vague => May(codes),
                verdict => verdict,
            };
            verdicts.push(verdict);
            if ends {
                break;
            }
        }
        verdicts
    }

    fn judge_frame(&mut self, kind: Kind, frame: &Plain<'_>) -> Verdict {
        if !is_permitted(kind, frame.ty) {
            return Must(VIOLATION);
        }
        match (frame.ty, frame.numbers.as_slice()) {
            (0x02 | 0x03, _) => self.judge_ack(kind, frame),
            (0x04, [id, _, size]) => self.judge_data(*id, *size, Some(*size)),
            (0x24, [id, _, size, _]) => {
                let _: Verdict = self.judge_data(*id, *size, Some(*size));
                self.streams.entry(*id).or_default().vague = true;
                // It may not have been agreed on.
                May(&[
                    Code::FRAME_ENCODING_ERROR,
                    Code::PROTOCOL_VIOLATION,
                    Code::STREAM_STATE_ERROR,
                    Code::STREAM_LIMIT_ERROR,
                    Code::FINAL_SIZE_ERROR,
                    Code::FLOW_CONTROL_ERROR,
                ])
            }
            (0x08..=0x0f, [id, offset @ ..]) => {
                let offset = offset.first().copied().unwrap_or(0);
                let end = offset + frame.data.len() as u64;
                self.judge_data(*id, end, (frame.ty & 1 == 1).then_some(end))
            }
            (0x05 | 0x11, [id, ..]) => self.judge_use(*id, !self.victim),
            (0x15, [id, ..]) => self.judge_use(*id, self.victim),
            (0x06, _) => May(HANDSHAKE),
            (0x07 | 0x1e, _) if self.victim == Side::Server => Must(VIOLATION),
            (0x18, _) => {
                self.issued.push(frame.data.to_vec());
                May(IDS)
            }
            (0x19, [sequence]) if *sequence > self.largest_id => Must(VIOLATION),
            // It may be the ID of the very packet.
            (0x19, [sequence]) => {
                self.ids.remove(sequence);
                // Without another one nothing gets there.
                self.vague |= self.ids.is_empty();
                May(VIOLATION)
            }
            (0x1a, _) => {
                self.challenges.insert(frame.data.to_vec());
                Fine
            }
            (0x1b | 0x1f | 0xaf, _) => May(NOT_HERE),
            (0x1c | 0x1d, _) => Closes,
            (0x30 | 0x31, _) if self.limits.datagram < frame.length as u64 => Must(VIOLATION),
            _ => Fine,
        }
    }

    fn judge_ack(&self, kind: Kind, frame: &Plain<'_>) -> Verdict {
        let sent = self.sent.get(kind.space());
        let largest = sent.and_then(BTreeSet::last).copied();
        if largest.is_none_or(|sent| at(&frame.numbers, 0) > sent) {
            return Must(VIOLATION);
        }
        // A number that was left out, or that of a packet that is not sent yet.
        May(VIOLATION)
    }

    /// A frame of a stream that `reader` does not have, if it is unidirectional and of the reader's.
    fn judge_use(&self, id: u64, reader: Side) -> Verdict {
        let of_victim = initiator(id) == self.victim;
        let one_way = direction(id) == 1;
        if one_way && initiator(id) == reader {
            return Must(STATE);
        }
        let limits = if of_victim { &self.opened } else { &self.max_streams };
        match id >> 2 < at(limits, direction(id)) {
            true => Fine,
            false if of_victim => Must(STATE),
            false => Must(LIMIT),
        }
    }

    fn judge_data(&mut self, id: u64, end: u64, size: Option<u64>) -> Verdict {
        let verdict = self.judge_use(id, self.victim);
        if verdict != Fine {
            return verdict;
        }
        let stream = self.streams.entry(id).or_default();
        let limit = stream.limit.max(self.limits.stream_data);
        let more = end.saturating_sub(stream.highest);
        let too_much = end > limit || self.received.saturating_add(more) > self.max_data;
        let other_size =
            stream.size.is_some_and(|known| end > known || size.is_some_and(|size| size != known));
        let too_small = size.is_some_and(|size| size < stream.highest);
        let vague = stream.vague || stream.size.is_some();
        let codes = match (other_size || too_small, too_much) {
            (false, false) => {
                stream.highest = stream.highest.max(end);
                stream.size = stream.size.or(size);
                self.received += more;
                return Fine;
            }
            (true, false) => SIZE,
            (false, true) => FLOW,
            (true, true) => SIZE_OR_FLOW,
        };
        // What is over may be forgotten, and what comes then passes.
        if vague { May(codes) } else { Must(codes) }
    }

    /// The endpoint opened a stream.
    pub fn on_opened(&mut self, id: u64) {
        if let Some(opened) = self.opened.get_mut(direction(id)) {
            *opened = (*opened).max((id >> 2) + 1);
        }
    }

    /// The endpoint sent a packet.
    ///
    /// # Panics
    /// If it may not have: a number that is used twice, an ACK of what it never got, a limit that
    /// goes down, an answer that nobody asked for, or a frame that is none.
    pub fn on_sent(&mut self, kind: Kind, number: u64, mut payload: &[u8]) {
        let Some(sent) = self.sent.get_mut(kind.space()) else { return };
        let newest = sent.last().is_none_or(|last| number > *last);
        assert!(newest, "{kind:?} packet {number} comes after {:?}", sent.last());
        sent.insert(number);
        assert!(!payload.is_empty(), "a packet carries a frame");
        while !payload.is_empty() {
            let frame = frames::first(payload);
            let Ok(frame) = frame else { unreachable!("{frame:?} in {payload:02x?} was sent") };
            payload = payload.get(frame.length..).unwrap_or_default();
            self.on_sent_frame(kind, &frame);
        }
    }

    fn on_sent_frame(&mut self, kind: Kind, frame: &Plain<'_>) {
        assert!(is_permitted(kind, frame.ty), "frame {:#x} in {kind:?}", frame.ty);
        match (frame.ty, frame.numbers.as_slice()) {
            (0x02 | 0x03, _) => {
                let heard = self.heard.get(kind.space());
                for (smallest, largest) in &frame.ranges {
                    let known = heard.map_or(0, |heard| heard.range(smallest..=largest).count());
                    let length = largest - smallest + 1;
                    assert_eq!(known as u64, length, "{kind:?} {smallest} to {largest} came");
                }
            }
            (0x10, [maximum]) => {
                assert!(*maximum >= self.max_data, "MAX_DATA goes down to {maximum}");
                self.max_data = *maximum;
            }
            (0x11, [id, maximum]) => {
                let stream = self.streams.entry(*id).or_default();
                assert!(*maximum >= stream.limit, "MAX_STREAM_DATA goes down to {maximum}");
                stream.limit = *maximum;
            }
            (0x12 | 0x13, [maximum]) => {
                if let Some(before) = self.max_streams.get_mut(usize::from(frame.ty == 0x13)) {
                    *before = (*before).max(*maximum);
                }
            }
            (0x18, [sequence, _]) => {
                self.largest_id = self.largest_id.max(*sequence);
                self.ids.insert(*sequence, frame.data.to_vec());
            }
            (0x1c, [code, _]) => self.closes.push(*code),
            (0x1b, _) => {
                assert!(self.challenges.contains(frame.data), "nobody asked for this");
            }
            (0x07 | 0x1e, _) => assert_eq!(self.victim, Side::Server, "only servers send it"),
            _ => {}
        }
    }
}

/// Which frames may be in which packets (RFC 9000 §12.4, Table 3, and §12.5).
fn is_permitted(kind: Kind, ty: u64) -> bool {
    match kind {
        Kind::Initial | Kind::Handshake => matches!(ty, 0x00..=0x03 | 0x06 | 0x1c),
        Kind::OneRtt => true,
        Kind::ZeroRtt => {
            !matches!(ty, 0x02 | 0x03 | 0x06 | 0x07 | 0x19 | 0x1b | 0x1e | 0x1f | 0xaf)
        }
    }
}
