//! Time, processor time and memory of this process.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// The kernel's unit of times in /proc: `USER_HZ`, 100 on every Linux that we run on.
const TICKS_A_SECOND: u64 = 100;

#[derive(Debug, Clone, Copy)]
pub struct Moment {
    wall: Instant,
    cpu: Duration,
}

/// What something took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    pub wall: Duration,
    /// Of all threads, in user and system mode.
    pub cpu: Duration,
}

impl Moment {
    pub fn now() -> Self {
        // (it can't fail for a clock that every Linux has)
        let cpu = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from);
        Moment { wall: Instant::now(), cpu }
    }

    /// Since then, less the time of waiting for nothing.
    pub fn spent(self, idle: Duration) -> Spent {
        let now = Moment::now();
        Spent { wall: (now.wall - self.wall).saturating_sub(idle), cpu: now.cpu.saturating_sub(self.cpu) }
    }
}

/// Processor time of another process of ours.
pub fn cpu_of(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // behind the program's name in parentheses, which may hold anything: utime and stime are the 12th and 13th
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND))
}

/// Resident memory now, in MB.
pub fn rss_mb() -> f64 {
    status_mb("VmRSS:")
}

/// The most that was resident since [`forget_peak`], in MB.
pub fn peak_rss_mb() -> f64 {
    status_mb("VmHWM:")
}

/// The peak begins anew, from what is resident now.
pub fn forget_peak() {
    if let Err(error) = std::fs::write("/proc/self/clear_refs", "5") {
        tracing::warn!(%error, "the peak of memory can't be reset: peak_rss_mb includes the making of the events");
    }
}

fn status_mb(member: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix(member)?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kib.unwrap_or(0.0) * 1_024.0 / 1e6
}
