//! Logs in memory, for tests.

use std::sync::{Arc, Mutex, PoisonError};

use quic_core::{ConnectionRecorder, Instant, Recorder, SharedRecorder, Subject};

use crate::connection::{ConnectionLog, Sink};

/// The log of every connection in memory, without a bound: for simulations and tests.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Vec<(Subject, String)>>>);

impl Memory {
    /// For a configuration.
    pub fn recorder(&self) -> SharedRecorder {
        SharedRecorder::new(Arc::new(self.clone()))
    }

    /// The log of each connection so far, in the order of their beginnings. What was told last of
    /// connections that still live may be missing.
    pub fn logs(&self) -> Vec<(Subject, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Recorder for Memory {
    fn begin(&self, now: Instant, subject: &Subject) -> Option<Box<dyn ConnectionRecorder>> {
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = logs.len();
        logs.push((*subject, String::new()));
        let page = Page { logs: Self(Arc::clone(&self.0)), index };
        Some(Box::new(ConnectionLog::begin(now, subject, page)))
    }
}

/// One log of many.
#[derive(Debug)]
struct Page {
    logs: Memory,
    index: usize,
}

impl Sink for Page {
    fn take(&mut self, chunk: &mut String, _records: u64, _time: f64) {
        let mut logs = self.logs.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, log)) = logs.get_mut(self.index) {
            log.push_str(chunk);
        }
        chunk.clear();
    }
}
