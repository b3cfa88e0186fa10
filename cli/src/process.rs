//! What this process costs.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// Processor time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTime {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl CpuTime {
    /// What the whole process has used.
    pub(crate) fn of_process() -> Self {
        Self::of(UsageWho::RUSAGE_SELF)
    }

    /// What this thread has used; of the whole process where threads are not counted apart.
    pub(crate) fn of_thread() -> Self {
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        return Self::of(UsageWho::RUSAGE_THREAD);
        #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
        return Self::of_process();
    }

    fn of(who: UsageWho) -> Self {
        let Ok(usage) = getrusage(who) else { return Self::default() };
        Self::from(usage)
    }

    pub(crate) const fn total(self) -> Duration {
        self.user.saturating_add(self.system)
    }
}

impl From<Usage> for CpuTime {
    fn from(usage: Usage) -> Self {
        Self { user: duration(usage.user_time()), system: duration(usage.system_time()) }
    }
}

fn duration(time: TimeVal) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let microseconds = u64::try_from(time.tv_usec()).unwrap_or(0);
    Duration::from_secs(seconds).saturating_add(Duration::from_micros(microseconds))
}

/// The most memory that this process had resident, in KiB; 0 where the system does not say.
pub(crate) fn peak_resident_kb() -> u64 {
    status_field("VmHWM:")
}

/// The memory that this process has resident, in KiB; 0 where the system does not say.
pub(crate) fn resident_kb() -> u64 {
    status_field("VmRSS:")
}

fn status_field(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    value.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
