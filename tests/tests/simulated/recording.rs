//! The recorder hears of every packet and frame.

use std::sync::{Arc, Mutex};

use quic_core::{ConnectionId, Instant, Record, Recorder, SharedRecorder};
use quic_tests::network::Setup;

use super::{echo, seconds};

const STREAM: u64 = 0x08;

/// Keeps everything that it is told.
#[derive(Debug, Default)]
struct Notebook(Mutex<Vec<(ConnectionId, Record)>>);

impl Recorder for Notebook {
    fn record(&self, _: Instant, connection: &ConnectionId, record: Record) {
        self.0.lock().unwrap().push((*connection, record));
    }
}

impl Notebook {
    fn count(&self, is_wanted: impl Fn(&Record) -> bool) -> u64 {
        self.0.lock().unwrap().iter().filter(|(_, record)| is_wanted(record)).count() as u64
    }
}

#[test]
fn the_recorder_hears_of_every_packet_and_of_the_fate_of_every_frame() {
    let (client_notes, server_notes) = (Arc::new(Notebook::default()), Arc::<Notebook>::default());
    let mut setup = Setup::new(1).link(|link| link.loss = 0.03);
    setup.client_endpoint.recorder = Some(SharedRecorder::new(client_notes.clone()));
    setup.server_endpoint.recorder = Some(SharedRecorder::new(server_notes.clone()));
    let mut pair = setup.build();
    let (client, _) = pair.connect();
    echo(&mut pair, client, 300_000, seconds(60));
    pair.run_for(seconds(5));

    let statistics = pair.client.with(client, |connection| connection.statistics());
    let sent = client_notes.count(|record| matches!(record, Record::PacketSent { .. }));
    assert_eq!(sent, statistics.packets_sent);
    let received = client_notes.count(|record| matches!(record, Record::PacketReceived { .. }));
    assert_eq!(received, statistics.packets_received);

    let streams =
        client_notes.count(|record| matches!(record, Record::FrameSent { frame_type: STREAM }));
    let acked = client_notes
        .count(|record| matches!(record, Record::FrameAcked { frame_type: STREAM, .. }));
    let lost =
        client_notes.count(|record| matches!(record, Record::FrameLost { frame_type: STREAM, .. }));
    assert!(lost > 0 && acked > 0, "{acked} acked, {lost} lost");
    assert_eq!(acked + lost, streams);
    let arrived = server_notes
        .count(|record| matches!(record, Record::FrameReceived { frame_type: 0x08..=0x0f }));
    assert!(arrived >= acked && arrived <= streams, "{arrived} of {streams} arrived");

    let name = |notes: &Notebook| notes.0.lock().unwrap().first().unwrap().0;
    let named_alike = |notes: &Notebook| {
        notes.0.lock().unwrap().iter().all(|(connection, _)| *connection == name(&client_notes))
    };
    assert_eq!(name(&client_notes), name(&server_notes));
    assert!(named_alike(&server_notes));
}
