//! qlog of runs that fail, or of all.

use std::path::PathBuf;
use std::{env, fs, io, thread};

use quic_core::{EndpointConfig, SharedRecorder};
use quic_qlog::Memory;

/// If the environment variable `QUIC_QLOG_DIR` names a folder, writes there what happened on every
/// connection of a run whose test fails; of every run, if there is `QUIC_QLOG_ALL`, too.
#[derive(Debug)]
pub(crate) struct Logs(Option<(PathBuf, Memory)>);

impl Logs {
    pub(crate) fn new() -> Self {
        let folder = env::var_os("QUIC_QLOG_DIR").filter(|folder| !folder.is_empty());
        Self(folder.map(|folder| (folder.into(), Memory::default())))
    }

    /// Has an end recorded, if it is wanted, besides those who record it already.
    pub(crate) fn watch(&self, config: &mut EndpointConfig) {
        let Some((_, memory)) = &self.0 else { return };
        let both = |own: SharedRecorder| own.and(memory.recorder());
        config.recorder = Some(config.recorder.take().map_or_else(|| memory.recorder(), both));
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        let wanted = thread::panicking() || env::var_os("QUIC_QLOG_ALL").is_some();
        let Some((folder, memory)) = self.0.take().filter(|_| wanted) else { return };
        let test = thread::current().name().unwrap_or("test").replace("::", "-");
        // A test that failed has failed already, and another one is none of logs.
        let _: io::Result<()> = fs::create_dir_all(&folder);
        for (subject, log) in memory.logs() {
            let side = format!("{:?}", subject.side).to_lowercase();
            let path = folder.join(format!("{test}_{}_{side}.sqlog", subject.id));
            let _: io::Result<()> = fs::write(path, log);
        }
    }
}
