//! Traces of connections while they happen.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use quic_core::{
    ConnectionRecorder, FrameRecord, Instant, Record, Recorder, SharedRecorder, Side, Subject,
};

use super::trace::{Changes, Data, Trace, float};
use crate::errors::Failure;

/// Connections that are kept in mind: attempts at the addresses of a few servers.
const MAXIMUM_CONNECTIONS: usize = 64;

/// Draws the connection on which most happens.
#[derive(Debug)]
pub(crate) struct LivePlot {
    path: PathBuf,
    /// Only connections of this role.
    side: Side,
    traces: Arc<Traces>,
}

#[derive(Debug, Default)]
struct Traces(Mutex<Vec<Arc<Mutex<Trace>>>>);

impl LivePlot {
    pub(crate) fn new(path: &Path, side: Side) -> Self {
        Self { path: path.to_owned(), side, traces: Arc::default() }
    }

    pub(crate) fn recorder(&self) -> SharedRecorder {
        SharedRecorder::new(Arc::new(Begin { side: self.side, traces: Arc::clone(&self.traces) }))
    }

    /// Draws what happened so far.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        let traces = self.traces.0.lock().unwrap_or_else(PoisonError::into_inner);
        let traces =
            traces.iter().map(|trace| trace.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let busiest = traces.max_by_key(|trace| trace.events).unwrap_or_default();
        super::write(&busiest, &self.path)
    }
}

#[derive(Debug)]
struct Begin {
    side: Side,
    traces: Arc<Traces>,
}

impl Recorder for Begin {
    fn begin(&self, now: Instant, subject: &Subject) -> Option<Box<dyn ConnectionRecorder>> {
        let mut traces = self.traces.0.lock().unwrap_or_else(PoisonError::into_inner);
        if subject.side != self.side || traces.len() >= MAXIMUM_CONNECTIONS {
            return None;
        }
        let side = match subject.side {
            Side::Client => "client",
            Side::Server => "server",
        };
        let trace = Trace::of(subject.id.to_string(), side.into());
        let trace = Arc::new(Mutex::new(trace));
        traces.push(Arc::clone(&trace));
        Some(Box::new(Live { start: now, trace }))
    }
}

#[derive(Debug)]
struct Live {
    start: Instant,
    trace: Arc<Mutex<Trace>>,
}

impl ConnectionRecorder for Live {
    #[expect(clippy::wildcard_enum_match_arm, reason = "a picture shows but little")]
    fn record(&mut self, now: Instant, record: &Record<'_>) {
        let time = now.saturating_duration_since(self.start).as_secs_f64() * 1e3;
        let mut trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        trace.event(time);
        match record {
            Record::MetricsUpdated { new, .. } => {
                let millis = |duration: std::time::Duration| Some(duration.as_secs_f64() * 1e3);
                trace.metrics(
                    time,
                    Changes {
                        window: Some(float(new.congestion_window)),
                        in_flight: Some(float(new.bytes_in_flight)),
                        threshold: new.slow_start_threshold.map(float),
                        smoothed_rtt: millis(new.smoothed_rtt),
                        latest_rtt: millis(new.latest_rtt),
                        minimum_rtt: millis(new.minimum_rtt),
                    },
                );
            }
            Record::PacketAcked { .. } => trace.acked(),
            Record::PacketLost(_) => trace.lost.add(time, 1.0),
            Record::PacketReceived(packet) => {
                let frames = packet.payload.frames();
                frames.filter_map(|frame| data(&frame)).for_each(|d| trace.data_received(time, d));
            }
            Record::PacketSent(packet) => {
                let frames = packet.payload.frames();
                frames.filter_map(|frame| data(&frame)).for_each(|d| trace.data_sent(time, d));
            }
            _ => {}
        }
    }
}

fn data(frame: &FrameRecord<'_>) -> Option<Data> {
    if let FrameRecord::Stream { stream, offset, length, .. } = frame {
        let (stream, length) = (stream.value(), *length as u64);
        Some(Data { stream, offset: *offset, length })
    } else {
        None
    }
}
