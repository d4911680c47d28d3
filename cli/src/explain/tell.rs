//! The explanation for people.

use std::io::{self, Write};

use plan::Plan;
use schemas::text::plain;

use super::{Explanation, Unsealed};
use crate::dev::figures::grouped;
use crate::generate::iso;
use crate::status::{table, time};

/// Writes it.
pub(super) fn write(plan: &Plan, explanation: &Explanation, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", headline(plan, explanation))?;
    if !explanation.unsealed.is_empty() {
        writeln!(out, "\n{}\n", partitions(&explanation.unsealed))?;
        for unsealed in &explanation.unsealed {
            writeln!(out, "{}", sentence(plan, explanation.end, unsealed))?;
        }
        let late: u64 = explanation.unsealed.iter().map(|unsealed| unsealed.unread.late).sum();
        writeln!(out, "if it closed now, {} records that are in the log already would be late", grouped(late))?;
    }
    for trouble in explanation.troubles.iter().chain(&explanation.silent) {
        writeln!(out, "{}", plain(trouble))?;
    }
    Ok(())
}

fn headline(plan: &Plan, explanation: &Explanation) -> String {
    let (start, end) = (iso(explanation.start), iso(explanation.end));
    let window = format!("window {start} to {end} of '{}'", plan.name);
    let (missing, all) = (explanation.unsealed.len(), explanation.unsealed.len() + explanation.sealed);
    match (missing, explanation.unpublished.is_empty()) {
        (_, true) => format!("{window} is published"),
        (0, false) => format!(
            "{window} is sealed by all {all} partitions and not published yet; see who publishes: `sluice status`"
        ),
        _ => format!("{window} is not published: {missing} of {all} partitions have not sealed it"),
    }
}

fn partitions(unsealed: &[Unsealed]) -> comfy_table::Table {
    let names = [
        "PARTITION",
        "OWNER",
        "WATERMARK",
        "SEALED",
        "LATEST EVENT",
        "LAG",
        "LAST RECORD",
        "AT (LOG TIME)",
        "LATE IF CLOSED",
    ];
    let mut table = table(&names, &[0, 5, 6, 8]);
    for Unsealed { view, unread } in unsealed {
        table.add_row([
            view.partition.to_string(),
            plain(view.owner.as_deref().unwrap_or("-")).into_owned(),
            time(view.watermark),
            time(view.sealed),
            time(view.latest),
            grouped(view.lag()),
            unread.last_offset.map_or_else(|| "-".to_owned(), grouped),
            time(unread.last_log_time),
            grouped(unread.late),
        ]);
    }
    table
}

/// What would close the window on this partition.
fn sentence(plan: &Plan, end: i64, unsealed: &Unsealed) -> String {
    let view = &unsealed.view;
    let partition = view.partition;
    let needed = iso(end + plan.delay_ms);
    if !view.begun && view.end > 0 {
        return format!("partition {partition}: nothing is committed; see that workers run");
    }
    if unsealed.unread.records > 0 {
        let owner = plain(view.owner.as_deref().unwrap_or("its owner"));
        return format!("partition {partition}: {owner} has {} records to read", grouped(unsealed.unread.records));
    }
    if view.idle {
        return format!(
            "partition {partition}: it is idle and follows those that are not, or an event of {needed} or later (the end and the delay) closes it"
        );
    }
    let idle = plan.idle_after_ms / 1000;
    format!(
        "partition {partition}: an event of {needed} or later (the end and the delay) closes it, or {idle} s without records while others go on"
    )
}
