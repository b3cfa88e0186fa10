//! Files of logs: one for each connection, whatever happens to the disk.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use quic_core::{ConnectionId, ConnectionRecorder, Instant, Record, Side, Subject};
use quic_qlog::Directory;
use serde_json::Value;

fn begin(directory: &Directory, id: u8, side: Side) -> Box<dyn ConnectionRecorder> {
    let subject = Subject::new(ConnectionId::new(&[id; 8]).unwrap(), side);
    directory.recorder().begin(Instant::EPOCH, &subject).unwrap()
}

fn tell(recorder: &mut dyn ConnectionRecorder, count: u64) {
    for step in 0..count {
        let now = Instant::EPOCH + Duration::from_millis(step);
        recorder.record(now, &Record::MtuChanged { old: None, new: 1200 });
    }
}

fn records(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let records = text.split('\u{1e}').filter(|record| !record.is_empty());
    records.map(|record| serde_json::from_str(record).unwrap()).collect()
}

#[test]
fn every_connection_has_a_file_of_its_own_with_all_of_its_records() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("made/on/demand");
    let directory = Directory::create(&folder).unwrap();
    for side in [Side::Client, Side::Server] {
        let mut recorder = begin(&directory, 0xab, side);
        tell(&mut *recorder, 1000);
    }
    let summary = directory.finish();
    assert_eq!((summary.files, summary.lost), (2, 0));
    assert!(summary.error.is_none());
    for side in ["client", "server"] {
        let records = records(&folder.join(format!("abababababababab_{side}.sqlog")));
        assert_eq!(records.len(), 1001);
        assert_eq!(records[0]["trace"]["vantage_point"]["type"], side);
        assert_eq!(records[1000]["time"], 999);
    }
}

#[test]
fn no_file_that_is_there_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("abababababababab_client.sqlog");
    fs::write(&first, "precious").unwrap();
    let directory = Directory::create(folder.path()).unwrap();
    for _ in 0..2 {
        tell(&mut *begin(&directory, 0xab, Side::Client), 1);
    }
    assert_eq!(directory.finish().files, 2);
    assert_eq!(fs::read_to_string(first).unwrap(), "precious");
    for suffix in ["-1", "-2"] {
        let path = folder.path().join(format!("abababababababab_client{suffix}.sqlog"));
        assert_eq!(records(&path).len(), 2);
    }
}

#[test]
fn what_the_disk_does_not_take_is_lost_counted_and_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::create(&folder.path().join("gone")).unwrap();
    fs::remove_dir(folder.path().join("gone")).unwrap();
    let mut recorder = begin(&directory, 1, Side::Client);
    tell(&mut *recorder, 5000);
    drop(recorder);
    let summary = directory.finish();
    assert_eq!((summary.files, summary.lost), (0, 5001));
    assert!(summary.error.is_some());
}

#[test]
fn who_records_after_the_end_loses_and_lives() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::create(folder.path()).unwrap();
    let mut recorder = begin(&directory, 1, Side::Client);
    directory.finish();
    tell(&mut *recorder, 100_000);
}

#[test]
fn records_in_the_file_are_not_kept_back_once_the_connection_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::create(folder.path()).unwrap();
    let mut recorder = begin(&directory, 7, Side::Server);
    let error = quic_core::ConnectionError::TimedOut;
    recorder.record(Instant::EPOCH, &Record::Closed { error: &error, code: None });
    assert_eq!(directory.finish().files, 1);
    let records = records(&folder.path().join("0707070707070707_server.sqlog"));
    assert_eq!(records[1]["data"]["trigger"], "idle_timeout");
    drop(recorder);
}
