//! Two recorders as one.

use super::{ConnectionRecorder, Record, Recorder, SharedRecorder, Subject};
use crate::instant::Instant;

/// Tells both, the first one first.
#[derive(Debug)]
pub(super) struct Both(pub(super) SharedRecorder, pub(super) SharedRecorder);

impl Recorder for Both {
    fn begin(&self, now: Instant, subject: &Subject) -> Option<Box<dyn ConnectionRecorder>> {
        match (self.0.begin(now, subject), self.1.begin(now, subject)) {
            (Some(first), Some(second)) => Some(Box::new(BothOfOne(first, second))),
            (first, second) => first.or(second),
        }
    }
}

#[derive(Debug)]
struct BothOfOne(Box<dyn ConnectionRecorder>, Box<dyn ConnectionRecorder>);

impl ConnectionRecorder for BothOfOne {
    fn record(&mut self, now: Instant, record: &Record<'_>) {
        self.0.record(now, record);
        self.1.record(now, record);
    }
}
