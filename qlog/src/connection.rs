//! The log of one connection.

use std::fmt;
use std::time::Duration;

use quic_core::{ConnectionRecorder, Instant, PacketType, Record, Subject};

use crate::event::Events;
use crate::header;
use crate::time::milliseconds;

/// Bytes that are kept back, so as to write many at a time.
const CHUNK: usize = 32 << 10;

/// How long anything is kept back while more happens.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// Acknowledged packets that share one event.
const MAXIMUM_ACKED: usize = 256;

/// Where the bytes of a log go.
pub(crate) trait Sink: Send + fmt::Debug {
    /// Takes `chunk`, which holds so many whole records, or loses it; leaves it empty.
    /// `time` is that of the last of them, in milliseconds since the log's reference time.
    fn take(&mut self, chunk: &mut String, records: u64, time: f64);
}

/// Writes what it is told of a connection.
#[derive(Debug)]
pub(crate) struct ConnectionLog<S: Sink> {
    sink: S,
    start: Instant,
    now: Instant,
    chunk: String,
    records: u64,
    /// Packets acknowledged just now.
    acked: Option<(PacketType, Vec<u64>)>,
    flushed_at: Instant,
    is_closed: bool,
}

impl<S: Sink> ConnectionLog<S> {
    pub(crate) fn begin(now: Instant, subject: &Subject, sink: S) -> Self {
        let mut chunk = String::from("\u{1e}");
        header::write(&mut chunk, now, subject);
        chunk.push('\n');
        Self {
            sink,
            start: now,
            now,
            chunk,
            records: 1,
            acked: None,
            flushed_at: now,
            is_closed: false,
        }
    }

    fn write(&mut self, write: impl FnOnce(&mut Events<'_>)) {
        let time = milliseconds(self.now.saturating_duration_since(self.start));
        let mut events = Events { out: &mut self.chunk, time, count: self.records };
        write(&mut events);
        self.records = events.count;
    }

    fn write_acked(&mut self) {
        if let Some((packet_type, numbers)) = self.acked.take() {
            self.write(|events| events.acked(packet_type, &numbers));
        }
    }

    fn note_acked(&mut self, packet_type: PacketType, number: u64) {
        if let Some((of, numbers)) = &mut self.acked
            && *of == packet_type
            && numbers.len() < MAXIMUM_ACKED
        {
            return numbers.push(number);
        }
        self.write_acked();
        self.acked = Some((packet_type, vec![number]));
    }

    fn flush(&mut self) {
        if self.records > 0 {
            let time = milliseconds(self.now.saturating_duration_since(self.start));
            self.sink.take(&mut self.chunk, std::mem::take(&mut self.records), time);
        }
        self.flushed_at = self.now;
    }
}

impl<S: Sink> ConnectionRecorder for ConnectionLog<S> {
    fn record(&mut self, now: Instant, record: &Record<'_>) {
        match record {
            Record::FrameAcked { .. } | Record::FrameLost { .. } => return,
            Record::PacketAcked { packet_type, number } if now == self.now => {
                return self.note_acked(*packet_type, *number);
            }
            _ => {}
        }
        self.write_acked();
        self.now = now;
        if let Record::PacketAcked { packet_type, number } = record {
            return self.note_acked(*packet_type, *number);
        }
        self.write(|events| events.record(record));
        self.is_closed |= matches!(record, Record::Closed { .. });
        let is_late = now.saturating_duration_since(self.flushed_at) >= FLUSH_INTERVAL;
        // Little comes after the end, and the process may end with it.
        if self.chunk.len() >= CHUNK || is_late || self.is_closed {
            self.flush();
        }
    }
}

impl<S: Sink> Drop for ConnectionLog<S> {
    fn drop(&mut self) {
        self.write_acked();
        self.flush();
    }
}
