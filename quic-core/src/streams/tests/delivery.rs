use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Open(bool),
    Write { which: usize, length: usize },
    Chunk { which: usize, length: usize },
    Finish { which: usize },
    Packet { server: bool, size: usize },
    Deliver { server: bool, which: usize },
    Lose { server: bool, which: usize },
    Read { length: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => any::<bool>().prop_map(Step::Open),
        4 => (any::<usize>(), 0usize..3000).prop_map(|(which, length)| Step::Write { which, length }),
        2 => (any::<usize>(), 0usize..5000).prop_map(|(which, length)| Step::Chunk { which, length }),
        1 => any::<usize>().prop_map(|which| Step::Finish { which }),
        6 => (any::<bool>(), 40usize..1500).prop_map(|(server, size)| Step::Packet { server, size }),
        4 => (any::<bool>(), any::<usize>())
            .prop_map(|(server, which)| Step::Deliver { server, which }),
        2 => (any::<bool>(), any::<usize>())
            .prop_map(|(server, which)| Step::Lose { server, which }),
        3 => (1usize..4000).prop_map(|length| Step::Read { length }),
    ]
}

/// A client that writes, a server that reads, and packets between them.
struct Model {
    ends: [Streams; 2],
    in_flight: [Vec<Packet>; 2],
    written: BTreeMap<StreamId, (u64, bool)>,
    read: BTreeMap<StreamId, (u64, bool)>,
    max_data: u64,
    now: Instant,
}

fn byte(id: StreamId, offset: u64) -> u8 {
    ((id.value() * 31 + offset) % 251) as u8
}

impl Model {
    fn new() -> Self {
        let config = TransportConfig {
            stream_receive_window: 4000,
            max_stream_receive_window: 16_000,
            receive_window: 9000,
            max_receive_window: 30_000,
            send_window: 20_000,
            max_concurrent_bidi_streams: 3,
            max_concurrent_uni_streams: 3,
            ..TransportConfig::default()
        };
        Self {
            ends: [streams(Side::Client, &config), streams(Side::Server, &config)],
            in_flight: [Vec::new(), Vec::new()],
            written: BTreeMap::new(),
            read: BTreeMap::new(),
            max_data: config.receive_window,
            now: Instant::EPOCH,
        }
    }

    fn writer(&self, which: usize) -> Option<(StreamId, u64)> {
        let open: Vec<_> = self.written.iter().filter(|(_, (_, finished))| !finished).collect();
        let (id, (length, _)) = open.get(which % open.len().max(1))?;
        Some((**id, *length))
    }

    fn run(&mut self, step: Step) {
        self.now += Duration::from_millis(3);
        match step {
            Step::Open(bidi) => {
                if let Ok(id) = self.ends[0].open(if bidi { BIDI } else { UNI }) {
                    self.written.insert(id, (0, false));
                }
            }
            Step::Write { which, length } => {
                let Some((id, from)) = self.writer(which) else { return };
                let data: Vec<u8> = (from..from + length as u64).map(|at| byte(id, at)).collect();
                if let Ok(taken) = self.ends[0].send_stream(id).write(&data) {
                    self.written.insert(id, (from + taken as u64, false));
                }
            }
            Step::Chunk { which, length } => {
                let Some((id, from)) = self.writer(which) else { return };
                let data: Vec<u8> = (from..from + length as u64).map(|at| byte(id, at)).collect();
                let mut chunk = Bytes::from(data);
                if let Ok(taken) = self.ends[0].send_stream(id).write_chunk(&mut chunk) {
                    assert_eq!(taken + chunk.len(), length);
                    self.written.insert(id, (from + taken as u64, false));
                }
            }
            Step::Finish { which } => {
                let Some((id, length)) = self.writer(which) else { return };
                self.ends[0].send_stream(id).finish().unwrap();
                self.written.insert(id, (length, true));
            }
            Step::Packet { server, size } => self.send(usize::from(server), size),
            Step::Deliver { server, which } => {
                let from = usize::from(server);
                if !self.in_flight[from].is_empty() {
                    let packet =
                        self.in_flight[from].swap_remove(which % self.in_flight[from].len());
                    deliver(&mut self.ends[1 - from], &packet);
                    packet.sent.iter().for_each(|sent| fate(&mut self.ends[from], *sent, true));
                }
            }
            Step::Lose { server, which } => {
                let from = usize::from(server);
                if !self.in_flight[from].is_empty() {
                    let packet =
                        self.in_flight[from].swap_remove(which % self.in_flight[from].len());
                    packet.sent.iter().for_each(|sent| fate(&mut self.ends[from], *sent, false));
                    // It may arrive all the same, and then only the peer knows.
                    if which % 3 == 0 {
                        deliver(&mut self.ends[1 - from], &packet);
                    }
                }
            }
            Step::Read { length } => self.read(length),
        }
        self.check();
    }

    fn send(&mut self, from: usize, size: usize) {
        if let Some(packet) = packet_of(&mut self.ends[from], self.now, size) {
            for frame in frames(&packet) {
                if let Frame::MaxData(maximum) = frame {
                    assert!(maximum >= self.max_data);
                    self.max_data = maximum;
                }
            }
            self.in_flight[from].push(packet);
        }
    }

    fn read(&mut self, length: usize) {
        for direction in [BIDI, UNI] {
            while let Some(id) = self.ends[1].accept(direction) {
                self.read.insert(id, (0, false));
                if direction == BIDI {
                    self.ends[1].send_stream(id).finish().unwrap();
                }
            }
        }
        for (id, (offset, finished)) in &mut self.read {
            let mut out = vec![0; length];
            match self.ends[1].recv_stream(*id).read(&mut out) {
                Ok(ReadOutcome::Data(count)) => {
                    let expected = (*offset..*offset + count as u64).map(|at| byte(*id, at));
                    assert!(out[..count].iter().copied().eq(expected));
                    *offset += count as u64;
                }
                Ok(ReadOutcome::Finished) => {
                    assert!(!*finished);
                    *finished = true;
                }
                Err(error) => assert_eq!(error == ReadError::Closed, *finished),
            }
        }
        let ids: Vec<StreamId> = self.written.keys().copied().collect();
        for id in ids.into_iter().filter(|id| id.direction() == BIDI) {
            let _end: Result<ReadOutcome<usize>, ReadError> =
                self.ends[0].recv_stream(id).read(&mut [0]);
        }
    }

    fn check(&mut self) {
        let read: u64 = self.read.values().map(|(length, _)| length).sum();
        assert_eq!(self.ends[1].window.consumed(), read);
        let written: u64 = self.written.values().map(|(length, _)| length).sum();
        assert_eq!(self.ends[0].credit.written, written);
        assert!(self.ends[1].received <= written);
        let heap: usize =
            self.ends[1].store.iter().map(|stream| stream.recv.data.allocated_bytes()).sum();
        assert_eq!(self.ends[1].reassembly, heap);
    }

    /// Finishes every stream and lets everything through.
    fn complete(&mut self) {
        let ids: Vec<StreamId> = self.written.keys().copied().collect();
        for id in ids {
            if !self.written[&id].1 {
                self.run(Step::Finish { which: 0 });
            }
        }
        for round in 0..300 {
            for server in [false, true] {
                self.run(Step::Packet { server, size: 1200 });
                self.run(Step::Deliver { server, which: round });
            }
            self.run(Step::Read { length: 5000 });
        }
        assert_eq!(self.written, self.read);
        for end in &mut self.ends {
            assert!(end.is_flushed() && end.store.is_empty(), "{end:?}");
            assert_eq!(end.buffered_bytes(), 0);
            events(end);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 128 }))]

    //= https://www.rfc-editor.org/rfc/rfc9000#section-2.2
    //= type=test
    //# Endpoints MUST be able to deliver stream data to an application as an
    //# ordered byte stream.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-2.2
    //= type=test
    //# The data at a given offset MUST NOT change if it is sent multiple times;
    //# an endpoint MAY treat receipt of different data at the same offset
    //# within a stream as a connection error of type PROTOCOL_VIOLATION.
    #[test]
    fn all_data_arrives_once_in_order_whatever_is_lost(
        steps in prop::collection::vec(step(), 1..if cfg!(miri) { 30 } else { 400 }),
    ) {
        let mut model = Model::new();
        for step in steps {
            model.run(step);
        }
        model.complete();
    }
}
