//! Plays scenarios in processes of their own, under callgrind.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::{env, fs, io, thread};

use crate::meter::COUNTED;
use crate::scenarios::Scenario;

/// What a process that plays a scenario prints before the number of units that it did.
pub(crate) const UNITS: &str = "units: ";
/// What callgrind writes before the number of instructions that it counted.
const SUMMARY: &str = "summary: ";

/// Instructions per unit of each scenario, in their order, counted by as many threads as there are
/// processors. What callgrind wrote is kept in a folder, if one is given.
pub(crate) fn count_all(scenarios: &[&Scenario], keep: Option<&Path>) -> io::Result<Vec<f64>> {
    let temporary = tempfile::tempdir()?;
    let folder = keep.unwrap_or_else(|| temporary.path());
    fs::create_dir_all(folder)?;
    let waiting: Mutex<VecDeque<usize>> = Mutex::new((0..scenarios.len()).collect());
    let counts = Mutex::new(vec![0.0; scenarios.len()]);
    let work = || -> io::Result<()> {
        loop {
            let Some(next) = waiting.lock().expect("nobody panics").pop_front() else {
                return Ok(());
            };
            let count = count(scenarios[next], folder)?;
            counts.lock().expect("nobody panics")[next] = count;
        }
    };
    let threads = thread::available_parallelism()?.get().min(scenarios.len());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("it does not panic"))
    })?;
    Ok(counts.into_inner().expect("nobody panics"))
}

/// Instructions per unit.
fn count(scenario: &Scenario, folder: &Path) -> io::Result<f64> {
    let written = folder.join(scenario.name.replace('/', "-"));
    // Nothing of the environment, whose size moves the stack and so what is aligned to what.
    let output = Command::new("valgrind")
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .arg("--tool=callgrind")
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--callgrind-out-file={}", written.display()))
        .arg(env::current_exe()?)
        .args(["--play", scenario.name])
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("valgrind: {error}")))?;
    let failure = || {
        let (said, warned) = (&output.stdout, &output.stderr);
        let said = format!("{}{}", String::from_utf8_lossy(said), String::from_utf8_lossy(warned));
        io::Error::other(format!("{} failed under valgrind:\n{said}", scenario.name))
    };
    let units = number_after(&String::from_utf8_lossy(&output.stdout), UNITS);
    let instructions = number_after(&fs::read_to_string(&written).unwrap_or_default(), SUMMARY);
    match (output.status.success(), units, instructions) {
        (true, Some(units), Some(instructions)) if units > 0.0 && instructions > 0.0 => {
            Ok(instructions / units)
        }
        _ => Err(failure()),
    }
}

/// The number that follows `label` at the beginning of a line.
fn number_after(text: &str, label: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(label))?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
