//! Publishing: which windows are complete over all partitions, and the rows of their files.

use std::collections::BTreeMap;

use super::{AggState, Group, Groups, PartitionOutcome, Window};

/// One row of a published window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The grouping columns.
    pub group: Group,
    /// Its state over all partitions.
    pub state: AggState,
}

/// The rows of every complete window, sorted by group (nulls first, then by bytes).
///
/// A window is complete when every partition has sealed its end. A window without a counted record has no rows and is
/// not published. No partitions, or one that never sealed: nothing is published.
pub fn publish(outcomes: &[PartitionOutcome]) -> BTreeMap<Window, Vec<Row>> {
    let mut merged: BTreeMap<Window, Groups> = BTreeMap::new();
    for (window, groups) in outcomes.iter().flat_map(|outcome| &outcome.partials) {
        for (group, state) in groups {
            let row = merged.entry(*window).or_default().entry(group.clone()).or_default();
            *row = row.merge(state);
        }
    }
    let complete = |window: &Window| outcomes.iter().all(|outcome| outcome.sealed_until() >= Some(window.end));
    let rows = |groups: Groups| groups.into_iter().map(|(group, state)| Row { group, state }).collect();
    merged.into_iter().filter(|(window, _)| complete(window)).map(|(window, groups)| (window, rows(groups))).collect()
}
