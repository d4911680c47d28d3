//! The window from which something new holds: after everything that was seen, so that no window mixes two meanings.

use plan::{Plan, WindowPlan};
use schemas::report::WorkerReport;

use super::Facts;

/// More records than this to read on a partition mean that event time runs faster than the clock, and that the last report
/// says little about where it is by now.
const CATCHING_UP: i64 = 10_000;

/// Where the boundary lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boundary {
    /// It cannot be said yet.
    Wait(String),
    /// Nothing was judged yet: there is nothing to keep apart.
    Nothing,
    /// At this start of a window.
    At(i64),
}

/// The start of the first window that begins after `time`.
pub fn window_after(window: WindowPlan, time: i64) -> i64 {
    let index = (time - window.offset_ms).div_euclid(window.size_ms);
    window.offset_ms + (index + 1) * window.size_ms
}

/// Decides by the reports of all workers; by the clock where none can be had.
pub fn boundary(plan: &Plan, partitions: u32, facts: &Facts<'_>) -> Boundary {
    let by_clock = facts.now + plan.max_future_skew_ms;
    let missing = facts.pods.iter().any(|pod| pod.trouble.is_none()) && !covers(&facts.reports, partitions);
    if missing {
        return Boundary::Wait("the reports of all workers, to know how far event time has come".to_owned());
    }
    if !covers(&facts.reports, partitions) {
        // No worker can answer: they are stopped or broken. A valid record's event time is at most its log time, which
        // is over, and the allowed skew.
        let anything = facts.has_progress || facts.reports.iter().any(|report| latest(report).is_some());
        return if anything { Boundary::At(window_after(plan.window, by_clock)) } else { Boundary::Nothing };
    }
    let Some(latest) = facts.reports.iter().filter_map(|report| latest(report)).max() else { return Boundary::Nothing };
    let catching_up = facts.reports.iter().flat_map(|report| &report.partitions).any(|partition| {
        partition.replaying || partition.end.is_some_and(|end| end - partition.position > CATCHING_UP)
    });
    let seen = if catching_up { latest.max(by_clock) } else { latest };
    Boundary::At(window_after(plan.window, seen))
}

fn latest(report: &WorkerReport) -> Option<i64> {
    report.partitions.iter().filter_map(|partition| partition.latest).max()
}

/// Whether every partition is in one of the reports.
pub fn covers(reports: &[&WorkerReport], partitions: u32) -> bool {
    (0..partitions as i32).all(|number| {
        reports.iter().any(|report| report.partitions.iter().any(|partition| partition.partition == number))
    })
}

/// Whether all windows that end by `until` are sealed everywhere and published, by reports that cover everything.
pub fn is_published(reports: &[&WorkerReport], partitions: u32, until: i64) -> bool {
    let sealed = |number: i32| {
        let of = |report: &&WorkerReport| {
            report.partitions.iter().find(|it| it.partition == number).and_then(|it| it.sealed)
        };
        reports.iter().find_map(of).is_some_and(|sealed| sealed >= until)
    };
    let mut outputs = reports.iter().flat_map(|report| &report.outputs).peekable();
    (0..partitions as i32).all(sealed)
        && outputs.peek().is_some()
        && outputs.all(|output| output.published_until.is_some_and(|published| published >= until))
}
