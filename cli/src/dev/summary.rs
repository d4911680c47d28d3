//! What a run left in the store, read back with DuckDB: gold, quality, ledger.
//!
//! Keeps true: nothing comes from the worker's memory, so the summary is a check of the files, not a repetition of what the
//! worker believes.

use std::collections::BTreeMap;

use plan::{Aggregate, Plan};

use super::refusals::Refusals;
use crate::generate::Counts;
use crate::query::{Rows, Store, StoreError};

/// A run as its files tell it.
#[derive(Debug)]
pub struct Summary {
    /// The gold table.
    pub gold: Gold,
    /// Per rule, in the order of the manifest.
    pub rules: Vec<RuleQuality>,
    /// Other expressions that had no value for some records.
    pub expressions: Vec<Expression>,
    /// Why records were refused, the commonest reason first.
    pub refusals: Vec<Refusals>,
    /// Per partition.
    pub ledger: BTreeMap<u32, PartitionLedger>,
}

/// The gold table.
#[derive(Debug)]
pub struct Gold {
    /// Number of windows.
    pub windows: u64,
    /// Number of rows.
    pub rows: u64,
    /// The rows of the newest window.
    pub newest: Rows,
    /// Totals over all windows, per grouping columns; measures that cannot be added up are left out.
    pub totals: Rows,
}

/// What one rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleQuality {
    /// Its name.
    pub rule: String,
    /// Records that it was asked about.
    pub evaluated: u64,
    /// Records that break it.
    pub violations: u64,
    /// Records that it does not apply to.
    pub skipped: u64,
    /// Those of them for which it cannot be computed.
    pub no_value: u64,
    /// Those of them where a floating-point field that it reads is NaN or infinite.
    pub not_finite: u64,
}

/// The filter, a group or a measure that had no usable value for some records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// `filter`, `group` or `measure`, with its name.
    pub name: String,
    /// Records for which it cannot be computed.
    pub no_value: u64,
    /// Records whose value, or a floating-point field that was read, is NaN or infinite.
    pub not_finite: u64,
}

/// What became of one partition's records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartitionLedger {
    /// Per verdict.
    pub counts: Counts,
    /// Offsets that held no record.
    pub gaps: u64,
    /// The first offset that a report covers.
    pub first: i64,
    /// The end of the offsets that a report covers.
    pub end: i64,
}

impl PartitionLedger {
    /// What is wrong with it: verdicts that do not add up, batches without a report, an end that was not reached.
    pub fn faults(&self, end: Option<i64>) -> Vec<String> {
        let mut faults = Vec::new();
        let counts = self.counts;
        if !counts.balances() {
            let verdicts: u64 = counts.verdicts().iter().sum();
            faults.push(format!("{} records consumed, but {verdicts} verdicts", counts.consumed));
        }
        let covered = i128::from(counts.consumed) + i128::from(self.gaps);
        let offsets = i128::from(self.end) - i128::from(self.first);
        if covered != offsets {
            faults.push(format!(
                "reports from offset {} to {} cover {covered} offsets, not {offsets}",
                self.first, self.end
            ));
        }
        if let Some(end) = end.filter(|end| *end != self.end) {
            faults.push(format!("reports end at offset {}, the log at {end}", self.end));
        }
        faults
    }
}

impl Summary {
    /// Reads the store of a pipeline.
    ///
    /// # Errors
    /// A table is there but cannot be read.
    pub fn read(store: &Store, plan: &Plan) -> Result<Self, StoreError> {
        Ok(Self {
            gold: gold(store, plan)?,
            rules: rules(store, plan)?,
            expressions: expressions(store)?,
            refusals: refusals(store)?,
            ledger: ledger(store)?,
        })
    }

    /// Whether there were records, and every one was refused.
    pub fn is_all_refused(&self) -> bool {
        let counts = self.total().counts;
        let refused = counts.invalid + counts.undecodable;
        refused > 0 && refused == counts.consumed - counts.ignored
    }

    /// All partitions together.
    pub fn total(&self) -> PartitionLedger {
        let mut total = PartitionLedger::default();
        for partition in self.ledger.values() {
            total.counts.add(&partition.counts);
            total.gaps += partition.gaps;
        }
        total
    }
}

fn gold(store: &Store, plan: &Plan) -> Result<Gold, StoreError> {
    let empty = || Rows { columns: Vec::new(), rows: Vec::new() };
    if !store.has("gold") {
        return Ok(Gold { windows: 0, rows: 0, newest: empty(), totals: empty() });
    }
    let counts = store.rows("select count(distinct window_start), count(*) from gold")?;
    let [windows, all] = numbers(counts.rows.first().map_or(&[], Vec::as_slice));
    let newest = "select * from gold where window_start = (select max(window_start) from gold) order by all";
    Ok(Gold { windows, rows: all, newest: store.rows(newest)?, totals: store.rows(&totals(plan))? })
}

/// The query that adds all windows up.
fn totals(plan: &Plan) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let groups: Vec<String> = plan.groups.iter().map(|group| quoted(&group.name)).collect();
    let measures = plan.measures.iter().filter_map(|measure| {
        let function = match measure.function {
            Aggregate::CountAll | Aggregate::Count | Aggregate::Sum => "sum",
            Aggregate::Min => "min",
            Aggregate::Max => "max",
            Aggregate::Avg => return None,
        };
        let name = quoted(&measure.name);
        Some(format!("{function}({name}) as {name}"))
    });
    let columns: Vec<String> =
        groups.iter().cloned().chain(["count(*) as windows".to_owned()]).chain(measures).collect();
    let by = if groups.is_empty() { String::new() } else { format!(" group by {0} order by {0}", groups.join(", ")) };
    format!("select {} from gold{by}", columns.join(", "))
}

fn rules(store: &Store, plan: &Plan) -> Result<Vec<RuleQuality>, StoreError> {
    if !store.has("dq_metrics") {
        return Ok(Vec::new());
    }
    let rows = store.rows(
        "select rule, sum(evaluated), sum(violations), sum(skipped), sum(no_value), sum(not_finite) from dq_metrics \
         where kind = 'rule' group by rule order by rule",
    )?;
    let mut rules: Vec<RuleQuality> = rows
        .rows
        .iter()
        .map(|row| {
            let [evaluated, violations, skipped, no_value, not_finite] = numbers(&row[1..]);
            let rule = row[0].clone().unwrap_or_default();
            RuleQuality { rule, evaluated, violations, skipped, no_value, not_finite }
        })
        .collect();
    let order = |rule: &RuleQuality| plan.rules.iter().position(|planned| planned.name == rule.rule);
    rules.sort_by_key(order);
    Ok(rules)
}

fn expressions(store: &Store) -> Result<Vec<Expression>, StoreError> {
    if !store.has("dq_metrics") {
        return Ok(Vec::new());
    }
    let rows = store.rows(
        "select case kind when 'filter' then kind else kind || ' ' || name end, sum(no_value), sum(not_finite) \
         from dq_metrics where kind in ('filter', 'group', 'measure') group by kind, name order by kind, name",
    )?;
    let expression = |row: &Vec<Option<String>>| {
        let [no_value, not_finite] = numbers(&row[1..]);
        Expression { name: row[0].clone().unwrap_or_default(), no_value, not_finite }
    };
    Ok(rows.rows.iter().map(expression).collect())
}

fn refusals(store: &Store) -> Result<Vec<Refusals>, StoreError> {
    if !store.has("dq_metrics") {
        return Ok(Vec::new());
    }
    let rows = store.rows(
        "select verdict, name, first(example order by partition, example_offset), sum(refused), first(partition order by partition, \
         example_offset), first(example_offset order by partition, example_offset) from dq_metrics where kind = 'refusal' group by verdict, name order by sum(refused) desc, name",
    )?;
    let refusal = |row: &Vec<Option<String>>| {
        let text = |at: usize| row[at].clone().unwrap_or_default();
        let [records, partition, offset] = numbers(&row[3..]);
        let (verdict, reason, message) = (text(0), text(1), text(2));
        Refusals { verdict, reason, records, partition: partition as i32, offset: offset as i64, message }
    };
    Ok(rows.rows.iter().map(refusal).collect())
}

fn ledger(store: &Store) -> Result<BTreeMap<u32, PartitionLedger>, StoreError> {
    if !store.has("dq_metrics") {
        return Ok(BTreeMap::new());
    }
    let rows = store.rows(
        "select partition, min(first_offset), max(end_offset), sum(consumed), sum(counted), sum(duplicate), sum(late), \
         sum(filtered), sum(invalid), sum(undecodable), sum(ignored), sum(gaps) from dq_metrics where kind = 'batch' group by partition order by partition",
    )?;
    let ledger = rows.rows.iter().map(|row| {
        let [partition, first, end, consumed, counted, duplicate, late, filtered, invalid, undecodable, ignored, gaps] =
            numbers(row);
        let counts = Counts { consumed, counted, duplicate, late, filtered, invalid, undecodable, ignored };
        (partition as u32, PartitionLedger { counts, gaps, first: first as i64, end: end as i64 })
    });
    Ok(ledger.collect())
}

/// Whole numbers of a row; null is 0.
fn numbers<const N: usize>(row: &[Option<String>]) -> [u64; N] {
    std::array::from_fn(|at| row.get(at).and_then(|text| text.as_ref()?.parse().ok()).unwrap_or(0))
}
