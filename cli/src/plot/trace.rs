//! What a picture of a connection is made from. Times are in milliseconds since its start.

use super::series::{Bins, Progress, Series};

/// What is known of a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    /// Its first connection ID.
    pub(super) id: String,
    /// The role of the end that told.
    pub(super) side: String,
    pub(super) events: u64,
    /// When the last event was.
    pub(super) end: f64,
    /// Bytes.
    pub(super) window: Series,
    pub(super) in_flight: Series,
    pub(super) threshold: Series,
    /// Milliseconds.
    pub(super) smoothed_rtt: Series,
    pub(super) latest_rtt: Series,
    pub(super) minimum_rtt: Series,
    /// Packets.
    pub(super) lost: Bins,
    /// Bytes of streams.
    pub(super) received: Bins,
    pub(super) sent: Bins,
    /// Whether the round-trip time was measured, not guessed.
    has_rtt: bool,
    received_so_far: Progress,
    sent_so_far: Progress,
}

/// Bytes of a stream, at an offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Data {
    pub(super) stream: u64,
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// What changed of the metrics of recovery.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Changes {
    pub(super) window: Option<f64>,
    pub(super) in_flight: Option<f64>,
    pub(super) threshold: Option<f64>,
    pub(super) smoothed_rtt: Option<f64>,
    pub(super) latest_rtt: Option<f64>,
    pub(super) minimum_rtt: Option<f64>,
}

impl Trace {
    pub(super) fn of(id: String, side: String) -> Self {
        Self { id, side, ..Self::default() }
    }

    pub(super) fn event(&mut self, time: f64) {
        self.events = self.events.saturating_add(1);
        self.end = self.end.max(time);
    }

    pub(super) fn metrics(&mut self, time: f64, changes: Changes) {
        let push = |series: &mut Series, value: Option<f64>| {
            if let Some(value) = value {
                series.push(time, value);
            }
        };
        push(&mut self.window, changes.window);
        push(&mut self.in_flight, changes.in_flight);
        push(&mut self.threshold, changes.threshold);
        // Before the first sample there is only a guess, which would dwarf what is measured.
        if self.has_rtt {
            push(&mut self.smoothed_rtt, changes.smoothed_rtt);
            push(&mut self.latest_rtt, changes.latest_rtt);
            push(&mut self.minimum_rtt, changes.minimum_rtt);
        }
    }

    /// An acknowledgment arrived, which is what measures the round-trip time.
    pub(super) fn acked(&mut self) {
        self.has_rtt = true;
    }

    pub(super) fn data_received(&mut self, time: f64, data: Data) {
        let gain = self.received_so_far.gain(data.stream, data.offset, data.length);
        self.received.add(time, float(gain));
    }

    pub(super) fn data_sent(&mut self, time: f64, data: Data) {
        let gain = self.sent_so_far.gain(data.stream, data.offset, data.length);
        self.sent.add(time, float(gain));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a picture is coarser")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}
