//! What else the machine does.

use std::fs;
use std::time::Duration;

/// The system counts in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// For how long all processors together had nothing to do so far.
pub(crate) fn idle_time() -> Duration {
    let counters = fs::read_to_string("/proc/stat").unwrap_or_default();
    // "cpu", then the ticks for users, with low priority, for the system, idle.
    let idle = counters.split_whitespace().nth(4).and_then(|ticks| ticks.parse().ok());
    TICK.saturating_mul(idle.unwrap_or(0))
}

pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
