//! Two ends that write, read, reset and stop, and packets between them that are late, lost or
//! come all the same (RFC 9000 §2 to §4).
#![expect(clippy::excessive_nesting, reason = "test code")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::input::Input;
use super::streams::{handle, tell_fate};
use crate::config::TransportConfig;
use crate::crypto::{KeyedHash, SeededRandom};
use crate::instant::Instant;
use crate::packet::{PacketWriter, SentFrame};
use crate::streams::{InitialLimits, ReadError, ReadOutcome, Streams, WriteError};
use crate::wire::frame::{Frame, Frames};
use crate::wire::{Direction, Side, StreamId, VarInt};

const RTT: Duration = Duration::from_millis(50);
/// Streams that an end may have open at a time, of each direction.
const STREAMS: u64 = 3;
/// How much more heap than its window received data may take, in bytes.
const SLACK: u64 = 64 << 10;
/// Packets that are exchanged before both ends have to be silent.
const PACKETS_AT_THE_END: usize = 100_000;

const DIRECTIONS: [Direction; 2] = [Direction::Bidirectional, Direction::Unidirectional];

/// A packet's payload, and what its sender remembers of it.
struct Packet {
    payload: Vec<u8>,
    sent: VecDeque<SentFrame>,
}

/// What an end did on a stream to write.
#[derive(Clone, Copy, Default)]
struct Written {
    bytes: u64,
    finished: bool,
    /// Reset by this end, or stopped by the other.
    given_up: bool,
}

/// What an end did on a stream to read.
#[derive(Clone, Copy, Default)]
struct Read {
    bytes: u64,
    /// Read to its end, or given up.
    over: bool,
    finished: bool,
}

struct End {
    streams: Streams,
    in_flight: Vec<Packet>,
    written: BTreeMap<StreamId, Written>,
    read: BTreeMap<StreamId, Read>,
    /// The largest limits that this end has sent: on data, and on the data of each stream.
    max_data: u64,
    max_stream_data: BTreeMap<StreamId, u64>,
    /// How far its STREAM frames reach.
    sent_up_to: BTreeMap<StreamId, u64>,
}

struct Run {
    ends: [End; 2],
    config: TransportConfig,
    now: Instant,
}

/// # Panics
/// If one honest end finds fault with the other; if a limit goes down or is broken; if what is read
/// is not what was written; if more is buffered than the windows permit; or if at the end, when
/// everything arrives, not everything has been read.
pub fn flow_control(input: &[u8]) {
    let mut input = Input::new(input);
    let mut config = TransportConfig::default();
    config.stream_receive_window = u64::from(input.u16() % 8192) + 1;
    config.max_stream_receive_window = config.stream_receive_window * 4;
    config.receive_window = u64::from(input.u16() % 16384) + 1;
    config.max_receive_window = config.receive_window * 4;
    config.send_window = u64::from(input.u16()) + 1;
    config.max_concurrent_bidi_streams = STREAMS;
    config.max_concurrent_uni_streams = STREAMS;
    let ends = [Side::Client, Side::Server].map(|side| End::new(side, &config));
    let mut run = Run { ends, config, now: Instant::from_nanos(1_000_000_000) };
    while !input.is_empty() {
        let action = input.byte();
        let from = usize::from(action >> 7);
        run.now += Duration::from_millis(u64::from(action >> 4 & 7));
        match action % 16 {
            0 => run.end(from).open(&mut input),
            1..5 => run.end(from).write(&mut input),
            5 => run.end(from).finish(&mut input),
            6 => run.end(from).give_up(&mut input),
            7..10 => {
                run.send(from, usize::from(input.u16() % 1400) + 60);
            }
            10..13 => run.deliver(from, &mut input),
            13 => run.lose(from, &mut input),
            _ => {
                run.end(from).read(usize::from(input.u16() % 4096) + 1);
            }
        }
        run.check();
    }
    run.complete();
}

fn byte(id: StreamId, offset: u64) -> u8 {
    u8::try_from((id.value() * 31 + offset) % 251).unwrap_or_default()
}

fn bytes(id: StreamId, from: u64, length: u64) -> Vec<u8> {
    (from..from + length).map(|at| byte(id, at)).collect()
}

impl End {
    fn new(side: Side, config: &TransportConfig) -> Self {
        let hash = KeyedHash::new(&mut SeededRandom::from_seed([1; 32]));
        let mut streams = Streams::new(side, &Arc::new(config.clone()), hash);
        streams.set_peer_limits(InitialLimits {
            data: config.receive_window,
            stream_data_bidi_local: config.stream_receive_window,
            stream_data_bidi_remote: config.stream_receive_window,
            stream_data_uni: config.stream_receive_window,
            streams_bidi: STREAMS,
            streams_uni: STREAMS,
            reset_stream_at: false,
        });
        Self {
            streams,
            in_flight: Vec::new(),
            written: BTreeMap::new(),
            read: BTreeMap::new(),
            max_data: config.receive_window,
            max_stream_data: BTreeMap::new(),
            sent_up_to: BTreeMap::new(),
        }
    }

    fn open(&mut self, input: &mut Input<'_>) {
        let direction = if input.byte() & 1 == 0 {
            Direction::Bidirectional
        } else {
            Direction::Unidirectional
        };
        if let Ok(id) = self.streams.open(direction) {
            self.written.insert(id, Written::default());
            if direction == Direction::Bidirectional {
                self.read.insert(id, Read::default());
            }
        }
    }

    /// A stream that can still be written to.
    fn writer(&self, input: &mut Input<'_>) -> Option<(StreamId, Written)> {
        let open = self.written.iter().filter(|(_, it)| !it.finished && !it.given_up);
        let open: Vec<(StreamId, Written)> = open.map(|(id, it)| (*id, *it)).collect();
        open.get(input.below(open.len())).copied()
    }

    fn write(&mut self, input: &mut Input<'_>) {
        let Some((id, mut written)) = self.writer(input) else { return };
        let length = u64::from(input.u16() % 6000);
        let data = bytes(id, written.bytes, length);
        let mut stream = self.streams.send_stream(id);
        stream.set_priority(i32::from(input.byte() % 3));
        let result = if length % 2 == 0 {
            stream.write(&data)
        } else {
            stream.write_chunk(&mut data.into())
        };
        match result {
            Ok(taken) => written.bytes += taken as u64,
            Err(WriteError::Blocked) => {}
            Err(_) => written.given_up = true,
        }
        self.written.insert(id, written);
    }

    fn finish(&mut self, input: &mut Input<'_>) {
        let Some((id, mut written)) = self.writer(input) else { return };
        match self.streams.send_stream(id).finish() {
            Ok(()) => written.finished = true,
            Err(_) => written.given_up = true,
        }
        self.written.insert(id, written);
    }

    /// Resets a stream, or stops one.
    fn give_up(&mut self, input: &mut Input<'_>) {
        let code = VarInt::from_u32(9);
        if input.byte() & 1 == 0 {
            let Some((id, mut written)) = self.writer(input) else { return };
            // What the other end stopped is over anyway.
            let _over = self.streams.send_stream(id).reset(code).is_err();
            written.given_up = true;
            self.written.insert(id, written);
        } else {
            let open = self.read.iter().filter(|(_, it)| !it.over);
            let open: Vec<StreamId> = open.map(|(id, _)| *id).collect();
            let Some(id) = open.get(input.below(open.len())) else { return };
            let _over = self.streams.recv_stream(*id).stop(code).is_err();
            self.read.entry(*id).or_default().over = true;
        }
    }

    /// Reads a piece of each stream; returns whether there was any.
    fn read(&mut self, most: usize) -> bool {
        let mut any = false;
        while self.streams.poll_event().is_some() {}
        for direction in DIRECTIONS {
            while let Some(id) = self.streams.accept(direction) {
                self.read.insert(id, Read::default());
                if direction == Direction::Bidirectional {
                    self.written.insert(id, Written::default());
                }
            }
        }
        for (id, read) in self.read.iter_mut().filter(|(_, read)| !read.over) {
            match self.streams.recv_stream(*id).read_chunk(most) {
                Ok(ReadOutcome::Data(chunk)) => {
                    let length = chunk.len() as u64;
                    assert_eq!(chunk[..], bytes(*id, read.bytes, length)[..], "what was written");
                    read.bytes += length;
                    any = true;
                }
                Ok(ReadOutcome::Finished) => (read.over, read.finished) = (true, true),
                Err(ReadError::Blocked) => {}
                Err(_) => read.over = true,
            }
            any |= read.over;
        }
        any
    }

    fn packet(&mut self, now: Instant, size: usize) -> Option<Packet> {
        let promised = self.streams.has_frames();
        let mut payload = vec![0; size];
        let mut sent = VecDeque::new();
        let mut packet = PacketWriter::new(&mut payload, &mut sent);
        let written = self
            .streams
            .write_control(now, RTT, &mut packet)
            .and_then(|()| self.streams.write_data(&mut packet));
        let length = packet.length();
        payload.truncate(length);
        assert_eq!(promised, length > 0, "frames come if there are any, and only then");
        if written.is_ok() {
            assert!(!self.streams.has_frames(), "nothing is left out where there is room");
        }
        (length > 0).then_some(Packet { payload, sent })
    }

    /// What this end says of limits, and how far its data reaches.
    fn note(&mut self, packet: &Packet) {
        for frame in Frames::new(&packet.payload) {
            match frame {
                Ok(Frame::MaxData(maximum)) => {
                    assert!(maximum >= self.max_data, "MAX_DATA goes down to {maximum}");
                    self.max_data = maximum;
                }
                Ok(Frame::MaxStreamData(frame)) => {
                    let before = self.max_stream_data.entry(frame.stream_id).or_default();
                    assert!(frame.maximum >= *before, "{frame:?} goes down from {before}");
                    *before = frame.maximum;
                }
                Ok(Frame::Stream(frame)) => {
                    let end = frame.offset + frame.data.len() as u64;
                    let reached = self.sent_up_to.entry(frame.stream_id).or_default();
                    *reached = end.max(*reached);
                    let expected = bytes(frame.stream_id, frame.offset, frame.data.len() as u64);
                    assert_eq!(frame.data, expected, "what was written is sent");
                }
                Ok(_) => {}
                Err(error) => unreachable!("{error:?} in what an end wrote"),
            }
        }
    }
}

impl Run {
    fn end(&mut self, index: usize) -> &mut End {
        let [client, server] = &mut self.ends;
        if index == 0 { client } else { server }
    }

    fn send(&mut self, from: usize, size: usize) -> bool {
        let now = self.now;
        let end = self.end(from);
        let Some(packet) = end.packet(now, size) else { return false };
        end.note(&packet);
        end.in_flight.push(packet);
        true
    }

    fn deliver(&mut self, from: usize, input: &mut Input<'_>) {
        let at = input.below(self.end(from).in_flight.len());
        if at < self.end(from).in_flight.len() {
            let packet = self.end(from).in_flight.swap_remove(at);
            self.arrive(1 - from, &packet);
            self.tell(from, &packet, true);
        }
    }

    fn lose(&mut self, from: usize, input: &mut Input<'_>) {
        let at = input.below(self.end(from).in_flight.len());
        if at < self.end(from).in_flight.len() {
            let packet = self.end(from).in_flight.swap_remove(at);
            self.tell(from, &packet, false);
            // It may arrive all the same, and then only the other end knows.
            if input.byte() & 1 == 0 {
                self.arrive(1 - from, &packet);
            }
        }
    }

    fn tell(&mut self, end: usize, packet: &Packet, acked: bool) {
        for sent in &packet.sent {
            tell_fate(&mut self.end(end).streams, *sent, acked);
        }
    }

    fn arrive(&mut self, at: usize, packet: &Packet) {
        for frame in Frames::new(&packet.payload) {
            let Ok(frame) = frame else { unreachable!("{frame:?} was sent") };
            let handled = handle(&mut self.end(at).streams, &frame);
            assert!(handled.is_ok(), "{handled:?} at {frame:?} of an honest end");
        }
    }

    fn check(&self) {
        let most = 3 * self.config.max_receive_window + self.config.send_window + SLACK;
        let [client, server] = &self.ends;
        for (end, other) in [(client, server), (server, client)] {
            assert!(end.streams.buffered_bytes() as u64 <= 3 * most, "memory follows the windows");
            let sum: u64 = end.sent_up_to.values().sum();
            assert!(sum <= other.max_data, "{sum} bytes were sent, {} allowed", other.max_data);
            for (id, reached) in &end.sent_up_to {
                let told = other.max_stream_data.get(id).copied().unwrap_or_default();
                let limit = told.max(self.config.stream_receive_window);
                assert!(*reached <= limit, "{id} reaches to {reached}, {limit} is allowed");
            }
            for (id, read) in &end.read {
                let written = other.written.get(id).copied().unwrap_or_default();
                assert!(read.bytes <= written.bytes, "no more is read than was written");
                assert!(!read.finished || written.finished, "no end before the end");
            }
        }
    }

    /// From now on everything arrives and is read.
    fn complete(&mut self) {
        for end in &mut self.ends {
            end.read(usize::MAX);
            let ids: Vec<StreamId> = end.written.keys().copied().collect();
            for id in ids {
                let written = end.written.entry(id).or_default();
                if !written.finished && !written.given_up {
                    match end.streams.send_stream(id).finish() {
                        Ok(()) => written.finished = true,
                        Err(_) => written.given_up = true,
                    }
                }
            }
        }
        for turn in 0.. {
            assert!(turn < PACKETS_AT_THE_END, "the ends do not fall silent");
            self.now += RTT;
            let mut silent = true;
            for from in [0, 1] {
                silent &= !self.send(from, 1200);
                while let Some(packet) = self.end(from).in_flight.pop() {
                    silent = false;
                    self.arrive(1 - from, &packet);
                    self.tell(from, &packet, true);
                }
                silent &= !self.end(1 - from).read(usize::MAX);
            }
            self.check();
            if silent {
                break;
            }
        }
        self.check_complete();
    }

    fn check_complete(&self) {
        let [client, server] = &self.ends;
        for (end, other) in [(client, server), (server, client)] {
            assert!(end.streams.is_flushed(), "the other end has everything");
            for (id, written) in end.written.iter().filter(|(_, it)| it.finished) {
                let Some(read) = other.read.get(id) else {
                    unreachable!("the other end never heard of {id}")
                };
                if !read.over || read.finished {
                    assert!(read.finished, "{id} was not read to its end");
                    assert_eq!(read.bytes, written.bytes, "all of {id} was read");
                }
            }
        }
    }
}
