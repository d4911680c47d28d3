//! Progress as lines, where there is no terminal.

use super::figures::{grouped, length};
use super::snapshot::Snapshot;
use crate::generate::iso;
use schemas::text::plain;

/// Said while every partition is idle and windows are open.
pub const WAITS: &str = "every partition is idle: open windows wait for newer events, or for 'closeWhenIdleFor'";

/// One moment in one line.
pub fn line(snapshot: &Snapshot) -> String {
    let mut parts = vec![format!("{:>7}", length(snapshot.elapsed))];
    let done = snapshot.done().map_or_else(String::new, |done| format!(" ({:.0} %)", (done * 100.0).floor()));
    parts.push(format!("{} read{done}", grouped(snapshot.ledger.consumed)));
    parts.push(format!("{}/s", grouped(snapshot.rate)));
    match snapshot.holder() {
        Some((partition, Some(watermark))) => {
            parts.push(format!("watermark {} (partition {partition})", iso(watermark)));
        }
        Some((partition, None)) => parts.push(format!("no watermark yet (partition {partition})")),
        None => parts.push("no partitions yet".to_owned()),
    }
    if snapshot.waits() {
        parts.push(WAITS.to_owned());
    }
    parts.push(format!("{} windows published", grouped(snapshot.windows_published)));
    parts.extend(snapshot.troubles.iter().map(|trouble| format!("{}: {}", trouble.reason, plain(&trouble.message))));
    parts.join(" | ")
}
