//! qlog of runs that fail.

use std::path::PathBuf;
use std::{env, fs, io, thread};

use quic_core::SharedRecorder;
use quic_qlog::Memory;

use super::Setup;

/// If the environment variable `QLOGDIR` names a folder, writes there what happened on every
/// connection of a run whose test fails.
#[derive(Debug)]
pub(super) struct FailureLogs(Option<(PathBuf, Memory)>);

impl FailureLogs {
    /// Has both ends recorded, if it is wanted, besides those who record already.
    pub(super) fn of(mut setup: Setup) -> (Setup, Self) {
        let Some(folder) = env::var_os("QLOGDIR").filter(|folder| !folder.is_empty()) else {
            return (setup, Self(None));
        };
        let memory = Memory::default();
        for end in [&mut setup.client_endpoint, &mut setup.server_endpoint] {
            let both = |own: SharedRecorder| own.and(memory.recorder());
            end.recorder = Some(end.recorder.take().map_or_else(|| memory.recorder(), both));
        }
        (setup, Self(Some((folder.into(), memory))))
    }
}

impl Drop for FailureLogs {
    fn drop(&mut self) {
        let Some((folder, memory)) = self.0.take().filter(|_| thread::panicking()) else { return };
        let test = thread::current().name().unwrap_or("test").replace("::", "-");
        // The test failed already.
        let _: io::Result<()> = fs::create_dir_all(&folder);
        for (subject, log) in memory.logs() {
            let side = format!("{:?}", subject.side).to_lowercase();
            let path = folder.join(format!("{test}_{}_{side}.sqlog", subject.id));
            let _: io::Result<()> = fs::write(path, log);
        }
    }
}
