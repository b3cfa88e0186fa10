//! qlog of cases that fail.

use std::cell::RefCell;
use std::path::Path;
use std::{env, fs, io};

use quic_qlog::Memory;

thread_local! {
    static WANTED: RefCell<Option<Memory>> = const { RefCell::new(None) };
}

/// Where the case that is played now is to be recorded, if that was asked for.
pub(super) fn wanted_logs() -> Option<Memory> {
    WANTED.with_borrow(Clone::clone)
}

/// If the environment variable `QUIC_QLOG_DIR` names a folder, plays a failing case once more, and writes
/// there what happened on its connections, in the order in which they began.
pub(super) fn write(name: &str, play: impl FnOnce() -> bool) {
    let Some(folder) = env::var_os("QUIC_QLOG_DIR").filter(|folder| !folder.is_empty()) else {
        return;
    };
    let memory = Memory::default();
    WANTED.set(Some(memory.clone()));
    let succeeds = play();
    WANTED.set(None);
    if succeeds {
        eprintln!("recorded, the case does not fail");
    }
    let written = write_to(Path::new(&folder), name, &memory);
    written.unwrap_or_else(|error| eprintln!("no qlog in {}: {error}", folder.display()));
}

fn write_to(folder: &Path, case: &str, memory: &Memory) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (index, (subject, log)) in memory.logs().into_iter().enumerate() {
        let side = format!("{:?}", subject.side).to_lowercase();
        let name = format!("{case}_{index}_{}_{side}.sqlog", subject.id);
        fs::write(folder.join(name), log)?;
    }
    Ok(())
}
