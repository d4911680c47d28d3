//! The closing summary for people.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use arrow::datatypes::DataType;

use super::figures::{grouped, length, per_second, share};
use super::refusals;
use super::summary::{PartitionLedger, Summary};
use super::summary_truth::Comparison;
use super::watch::Stuck;
use crate::query::{Column, Rows};

/// Differences that are shown one by one.
const MOST_DIFFERENCES: usize = 20;
/// Rows of a gold table that are shown.
const MOST_ROWS: usize = 40;

/// How long the worker worked.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Records judged.
    pub records: u64,
    /// By the clock.
    pub wall: Duration,
    /// By the CPU, all threads of the process.
    pub cpu: Option<Duration>,
}

/// Newest gold rows, and totals.
pub fn gold(summary: &Summary) -> String {
    let gold = &summary.gold;
    if gold.rows == 0 {
        return "Gold: no window was published\n".to_owned();
    }
    let windows = grouped(gold.windows);
    format!(
        "Gold, the newest of {windows} windows\n{}\n\nGold, total of {windows} windows and {} rows\n{}\n",
        gold.newest.to_table(MOST_ROWS),
        grouped(gold.rows),
        gold.totals.to_table(MOST_ROWS)
    )
}

/// One line per rule.
pub fn quality(summary: &Summary) -> String {
    if summary.ledger.is_empty() {
        return "Quality: no report was published\n".to_owned();
    }
    let mut text = rules(summary);
    if !summary.expressions.is_empty() {
        let rows = summary.expressions.iter().map(|expression| {
            vec![expression.name.clone(), grouped(expression.no_value), grouped(expression.not_finite)]
        });
        let names = ["expression", "no value", "not finite"];
        let _ = write!(
            text,
            "\nLeft out, because nothing could be computed or a value is not finite\n{}\n",
            table(&names, rows.collect())
        );
    }
    text
}

fn rules(summary: &Summary) -> String {
    if summary.rules.is_empty() {
        return "Quality: the pipeline has no rules\n".to_owned();
    }
    let rows = summary.rules.iter().map(|rule| {
        let asked = rule.evaluated;
        let numbers = [rule.evaluated, rule.violations, rule.skipped, rule.no_value, rule.not_finite].map(grouped);
        [rule.rule.clone()].into_iter().chain(numbers).chain([share(rule.violations, asked)]).collect()
    });
    let names = ["rule", "evaluated", "violations", "skipped", "no value", "not finite", "share"];
    format!("Quality per rule\n{}\n", table(&names, rows.collect()))
}

/// One line per partition, the sum, and whether it balances. The faults are those of [`PartitionLedger::faults`].
pub fn ledger(summary: &Summary, faults: &[String]) -> String {
    let names = [
        "partition",
        "consumed",
        "counted",
        "duplicate",
        "late",
        "filtered",
        "invalid",
        "undecodable",
        "ignored",
        "gaps",
    ];
    let cells = |name: String, ledger: &PartitionLedger| {
        let counts = ledger.counts;
        let numbers = [counts.consumed].into_iter().chain(counts.verdicts()).chain([ledger.gaps]).map(grouped);
        [name].into_iter().chain(numbers).collect::<Vec<_>>()
    };
    let total = summary.total();
    let mut rows: Vec<_> =
        summary.ledger.iter().map(|(partition, ledger)| cells(partition.to_string(), ledger)).collect();
    rows.push(cells("all".to_owned(), &total));
    let mut text = format!("Ledger\n{}\n", table(&names, rows));
    if faults.is_empty() {
        let counts = total.counts;
        let _ = writeln!(
            text,
            "balanced: {} consumed = {} counted + {} duplicate + {} late + {} filtered + {} invalid + {} undecodable + {} ignored",
            grouped(counts.consumed),
            grouped(counts.counted),
            grouped(counts.duplicate),
            grouped(counts.late),
            grouped(counts.filtered),
            grouped(counts.invalid),
            grouped(counts.undecodable),
            grouped(counts.ignored),
        );
    }
    for fault in faults {
        let _ = writeln!(text, "NOT BALANCED: {fault}");
    }
    text
}

/// Why records were refused, by reason; nothing when none was.
pub fn refusals(summary: &Summary) -> String {
    if summary.refusals.is_empty() {
        return String::new();
    }
    format!("Refused, into the dead letters (see 'sluice dlq show')\n{}\n", refusals::words(&summary.refusals))
}

/// What keeps a bounded run from its end.
pub fn stuck(stuck: &Stuck) -> String {
    let mut text = "\nTHE RUN CANNOT END, a person has to act:\n".to_owned();
    for trouble in &stuck.troubles {
        let _ = writeln!(text, "  {}: {}", trouble.reason, refusals::shown(&trouble.message, 1000));
    }
    if !stuck.refusals.is_empty() {
        let _ = write!(text, "Refused in the batches that are open\n{}", refusals::words(&stuck.refusals));
    }
    text
}

/// Whether gold, ledger and violations are what the generator says.
pub fn truth(comparison: &Comparison) -> String {
    match comparison {
        Comparison::Equal { windows, rows } => {
            format!("Truth: gold equals the truth to the cent: {} windows, {} rows\n", grouped(windows), grouped(rows))
        }
        Comparison::Skipped(reason) => format!("Truth: not compared: {reason}\n"),
        Comparison::Different(differences) => {
            let shown: Vec<String> =
                differences.iter().take(MOST_DIFFERENCES).map(|difference| format!("  {difference}\n")).collect();
            let more = differences.len().saturating_sub(MOST_DIFFERENCES);
            let more = if more > 0 { format!("  and {more} more\n") } else { String::new() };
            format!("Truth: THE STORE DIFFERS from the truth in {} places\n{}{more}", differences.len(), shown.concat())
        }
    }
}

/// The speed of the run.
pub fn rate(effort: &Effort) -> String {
    if effort.records == 0 {
        return "Rate: there was nothing new to read\n".to_owned();
    }
    let per_wall = grouped(per_second(effort.records, effort.wall));
    let cpu = effort.cpu.map_or_else(String::new, |cpu| {
        let per_cpu = grouped(per_second(effort.records, cpu));
        format!(", {per_cpu} per CPU-second of this process ({})", length(cpu))
    });
    format!("Rate: {} events in {}: {per_wall} per second{cpu}\n", grouped(effort.records), length(effort.wall))
}

/// Where the files are and what to do with them.
pub fn next(data: &Path, pipeline: &str) -> String {
    let data = data.display();
    format!(
        "Files: {data}/gold/{pipeline}, {data}/dq/{pipeline}\n\
         Try next:\n  \
         sluice query --data {data}\n  \
         sluice query --data {data} \"select date_trunc('hour', window_start) as hour, count(*) as rows from gold group by 1 order by 1\"\n  \
         sluice query --data {data} \"select rule, sum(violations) as violations from dq_metrics where rule is not null group by 1 order by 2 desc\"\n"
    )
}

/// A table whose first column is text and whose other columns are numbers.
fn table(names: &[&str], rows: Vec<Vec<String>>) -> String {
    let kind = |position| if position == 0 { DataType::Utf8 } else { DataType::Int64 };
    let columns = names.iter().enumerate().map(|(at, name)| Column { name: (*name).to_owned(), data_type: kind(at) });
    let rows = rows.into_iter().map(|row| row.into_iter().map(Some).collect()).collect();
    Rows { columns: columns.collect(), rows }.to_table(usize::MAX)
}
