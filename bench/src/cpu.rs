//! What this process has used so far, as the kernel accounts for it.

use std::fs;
use std::time::Duration;

/// User and system time of this process, all threads.
pub fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field (the command) may hold spaces; the fields after its closing bracket do not.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    // Linux reports them in hundredths of a second, whatever the kernel's own tick.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// Peak resident memory of this process, bytes.
pub fn peak_memory() -> u64 {
    of_status("VmHWM:")
}

/// Resident memory of this process now, bytes.
pub fn resident() -> u64 {
    of_status("VmRSS:")
}

fn of_status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Events per second of processor time.
pub fn rate(events: u64, used: Duration) -> f64 {
    events as f64 / used.as_secs_f64().max(1e-9)
}

/// Time that this thread has been on a processor: what others do on the machine does not count.
pub fn thread() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}
