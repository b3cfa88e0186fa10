//! The recorder hears of everything, exactly when there is one.

use std::sync::{Arc, Mutex};

use quic_core::{
    ConnectionRecorder, ConnectionState, FrameRecord, Instant, Origin, PacketType, Record,
    Recorder, SharedRecorder, Side, Subject,
};
use quic_sim::pair::{Pair, Setup};

use super::{echo, seconds};

const STREAM: u64 = 0x08;

/// Keeps a line of everything that it is told.
#[derive(Clone, Debug, Default)]
struct Notebook(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    subjects: Vec<Subject>,
    last: Option<Instant>,
    sent: u64,
    received: u64,
    lost: u64,
    acked: u64,
    streams_sent: u64,
    streams_received: u64,
    streams_acked: u64,
    streams_lost: u64,
    /// Bytes of the payloads, and those that the frames come to.
    datagrams: (u64, u64),
    parameters: Vec<Origin>,
    protocol: Vec<u8>,
    states: Vec<ConnectionState>,
    keys: Vec<(PacketType, bool)>,
    closed: u64,
    metrics: u64,
}

impl Recorder for Notebook {
    fn begin(&self, _: Instant, subject: &Subject) -> Option<Box<dyn ConnectionRecorder>> {
        self.0.lock().unwrap().subjects.push(*subject);
        Some(Box::new(self.clone()))
    }
}

fn is_stream(frame: &FrameRecord<'_>) -> bool {
    matches!(frame, FrameRecord::Stream { .. })
}

impl ConnectionRecorder for Notebook {
    #[expect(clippy::wildcard_enum_match_arm, reason = "enough to see that all are told")]
    fn record(&mut self, now: Instant, record: &Record<'_>) {
        let notes = &mut *self.0.lock().unwrap();
        assert!(notes.last.is_none_or(|last| last <= now), "time goes back");
        notes.last = Some(now);
        match record {
            Record::PacketSent(packet) => {
                notes.sent += 1;
                let streams = packet.payload.frames().filter(is_stream).count();
                notes.streams_sent += streams as u64;
                notes.datagrams.0 += packet.length as u64;
            }
            Record::PacketReceived(packet) => {
                notes.received += 1;
                notes.streams_received += packet.payload.frames().filter(is_stream).count() as u64;
            }
            Record::DatagramsSent(datagrams) => notes.datagrams.1 += datagrams.length as u64,
            Record::PacketLost(_) => notes.lost += 1,
            Record::PacketAcked { .. } => notes.acked += 1,
            Record::FrameAcked { frame_type: STREAM, .. } => notes.streams_acked += 1,
            Record::FrameLost { frame_type: STREAM, .. } => notes.streams_lost += 1,
            Record::ParametersSet { origin, .. } => notes.parameters.push(*origin),
            Record::AlpnChosen { protocol } => notes.protocol = protocol.to_vec(),
            Record::StateChanged { new, .. } => notes.states.push(*new),
            Record::KeysUpdated { packet_type, .. } => notes.keys.push((*packet_type, true)),
            Record::KeysDiscarded { packet_type } => notes.keys.push((*packet_type, false)),
            Record::Closed { .. } => notes.closed += 1,
            Record::MetricsUpdated { .. } => notes.metrics += 1,
            _ => {}
        }
    }
}

fn recorded(seed: u64, loss: f64) -> (Notebook, Notebook, Pair) {
    let (client, server) = (Notebook::default(), Notebook::default());
    let mut setup = Setup::with_rustls(seed).link(|link| link.loss = loss);
    setup.client_endpoint.recorder = Some(SharedRecorder::new(Arc::new(client.clone())));
    setup.server_endpoint.recorder = Some(SharedRecorder::new(Arc::new(server.clone())));
    (client, server, setup.build())
}

#[test]
fn the_recorder_hears_of_every_packet_and_of_the_fate_of_every_frame() {
    let (client_notes, server_notes, mut pair) = recorded(1, 0.03);
    let (client, _) = pair.connect();
    echo(&mut pair, client, 300_000, seconds(60));
    pair.run_for(seconds(5));

    let statistics = pair.client.with(client, |connection| connection.statistics());
    let (ours, theirs) = (client_notes.0.lock().unwrap(), server_notes.0.lock().unwrap());
    assert_eq!(ours.sent, statistics.packets_sent);
    assert_eq!(ours.received, statistics.packets_received);
    assert_eq!(ours.lost, statistics.packets_lost);
    assert_eq!(ours.datagrams, (statistics.bytes_sent, statistics.bytes_sent));
    let (acked, lost) = (ours.streams_acked, ours.streams_lost);
    assert!(lost > 0 && acked > 0, "{acked} acked, {lost} lost");
    assert!(ours.acked > 0 && ours.acked + ours.lost <= ours.sent);
    assert_eq!(acked + lost, ours.streams_sent);
    let arrived = theirs.streams_received;
    assert!(arrived >= acked && arrived <= ours.streams_sent, "{arrived} arrived");
    assert_eq!(ours.subjects.len(), 1);
    assert_eq!(ours.subjects[0].side, Side::Client);
    assert_eq!(theirs.subjects[0], Subject::new(ours.subjects[0].id, Side::Server));
}

#[test]
fn the_recorder_hears_how_a_connection_comes_along_and_ends() {
    let (client_notes, server_notes, mut pair) = recorded(2, 0.0);
    let (client, _) = pair.connect();
    echo(&mut pair, client, 10_000, seconds(10));
    pair.client.close(client, 7, b"done");
    pair.run_for(seconds(5));
    for notes in [&client_notes, &server_notes] {
        let notes = notes.0.lock().unwrap();
        assert_eq!(notes.parameters, [Origin::Local, Origin::Remote]);
        assert!(!notes.protocol.is_empty());
        assert_eq!(notes.closed, 1);
        assert!(notes.metrics > 3);
        let states = &notes.states;
        assert!(states.is_sorted(), "{states:?}");
        assert!(states.contains(&ConnectionState::HandshakeComplete), "{states:?}");
        assert!(states.contains(&ConnectionState::HandshakeConfirmed), "{states:?}");
        for packet_type in [PacketType::Initial, PacketType::Handshake] {
            let of_type = notes.keys.iter().filter(|(of, _)| *of == packet_type);
            let fates: Vec<bool> = of_type.map(|(_, is_there)| *is_there).collect();
            assert_eq!(fates, [true, false], "{packet_type:?}");
        }
    }
    let state = |notes: &Notebook| notes.0.lock().unwrap().states.last().copied();
    assert_eq!(state(&client_notes), Some(ConnectionState::Closing));
    assert_eq!(state(&server_notes), Some(ConnectionState::Draining));
}

#[test]
fn a_living_connection_can_get_a_recorder_and_lose_it() {
    let mut pair = Setup::new(3).build();
    let (client, _) = pair.connect();
    pair.run_for(seconds(1));
    let notes = Notebook::default();
    let now = pair.now();
    let recorder = Box::new(notes.clone());
    pair.client.with(client, |connection| connection.set_recorder(now, Some(recorder)));
    {
        let notes = notes.0.lock().unwrap();
        assert_eq!(notes.states, [ConnectionState::HandshakeConfirmed]);
        assert_eq!(notes.sent, 0);
    }
    echo(&mut pair, client, 10_000, seconds(10));
    let now = pair.now();
    pair.client.with(client, |connection| connection.set_recorder(now, None));
    let sent = notes.0.lock().unwrap().sent;
    assert!(sent > 0);
    echo(&mut pair, client, 10_000, seconds(10));
    assert_eq!(notes.0.lock().unwrap().sent, sent);
    assert_eq!(Arc::strong_count(&notes.0), 1, "the recorder was dropped");
}
