//! The window from which something new holds: after everything that was seen, so that no window mixes two meanings.

use plan::{Outline, WindowPlan};
use schemas::report::WorkerReport;

use super::Facts;
use crate::reconcile::build::GRACE_SECONDS;

/// More records than this to read on a partition mean that event time runs faster than the clock, and that the last report
/// says little about where it is by now.
const CATCHING_UP: i64 = 10_000;

/// Between a worker's report and its end: the operator's writes, and all of the time that a pod has to end. So far a boundary lies
/// ahead of what was reported, because the worker goes on meanwhile.
pub const HANDOVER: i64 = 30_000 + GRACE_SECONDS * 1_000;

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

/// Most windows that a boundary is put off for the grids of both meanings to meet.
const MOST_WINDOWS: usize = 1_000;

/// The first start of a window in both meanings at or after `from`, which is one of the new meaning. If the grids do not meet soon it is
/// `from`, and the last window of the meaning before reaches beyond it.
pub fn on_both_grids(new: WindowPlan, old: WindowPlan, from: i64) -> i64 {
    let starts = (0..).map(|number: i64| from + number * new.size_ms).take(MOST_WINDOWS);
    let mut common = starts.filter(|start| (start - old.offset_ms).rem_euclid(old.size_ms) == 0);
    common.next().unwrap_or(from)
}

/// Decides by the reports of all workers; by the clock where none can be had. `ahead` is how long (milliseconds) it may take until
/// the last worker that does not know of the boundary has ended.
pub fn boundary(plan: &Outline, partitions: u32, facts: &Facts<'_>, ahead: i64) -> Boundary {
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
    Boundary::At(window_after(plan.window, seen + ahead))
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

/// Whether windows behind the boundary are published already, by a worker that did not know of it.
pub fn is_overtaken(reports: &[&WorkerReport], boundary: i64) -> bool {
    let published = reports.iter().flat_map(|report| &report.outputs).filter_map(|output| output.published_until);
    published.max().is_some_and(|published| published > boundary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_lies_on_both_grids_where_they_meet() {
        let grid = |size_ms, offset_ms| WindowPlan { size_ms, offset_ms };
        let cases = [
            (grid(300, 0), grid(300, 0), 600, 600),
            (grid(420, 0), grid(300, 0), 420, 2100),
            (grid(60, 0), grid(300, 20), 60, 60),
            (grid(60, 20), grid(300, 20), 80, 320),
        ];
        for (new, old, from, expected) in cases {
            assert_eq!(on_both_grids(new, old, from), expected, "{new:?} after {old:?}");
        }
    }
}
