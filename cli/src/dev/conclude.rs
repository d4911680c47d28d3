//! The end of a run: the store is read, shown, and judged.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use plan::Plan;
use thiserror::Error;

use super::figures::grouped;
use super::summary::Summary;
use super::summary_text::{self, Effort};
use super::summary_truth::{Comparison, compare, unfit};
use crate::generate::Truth;
use crate::query::{Store, StoreError};

/// Why a run has no summary.
#[derive(Debug, Error)]
pub enum ConcludeError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output.
    #[error("cannot write the summary: {0}")]
    Write(#[from] io::Error),
}

/// A run that is over.
#[derive(Debug)]
pub struct Run<'a> {
    /// What ran.
    pub plan: &'a Plan,
    /// The folder of the tables, as the user named it.
    pub data: &'a Path,
    /// Where a bounded run was to end, by partition.
    pub ends: Option<&'a BTreeMap<i32, i64>>,
    /// What the generated events should have become.
    pub truth: Option<Truth>,
    /// Whether the topic was empty before they came.
    pub was_empty: bool,
    /// How long it took.
    pub effort: Effort,
    /// What becomes of its windows.
    pub again: Again,
    /// What did not fit its column, in words.
    pub overflows: Vec<String>,
}

/// What a later run on the same log makes of the windows of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// There is nothing to say.
    Nothing,
    /// They were closed for good.
    Closed,
    /// Those that were open stay open.
    LeftOpen,
}

impl Run<'_> {
    /// Shows the summary; whether the ledger balances, gold equals the truth and a bounded run has not refused every record.
    ///
    /// # Errors
    /// The store cannot be read, or the summary not be written.
    pub fn conclude(&self, out: &mut dyn Write) -> Result<bool, ConcludeError> {
        let store = match Store::open(self.data, Some(&self.plan.name)) {
            Ok(store) => store,
            Err(StoreError::Empty(_)) => {
                writeln!(out, "no tables: nothing was published")?;
                if self.again == Again::LeftOpen {
                    writeln!(out, "windows that are open stay open: the next run goes on with them")?;
                }
                return Ok(self.ends.is_none_or(|ends| ends.values().all(|end| *end == 0)));
            }
            Err(error) => return Err(error.into()),
        };
        let summary = Summary::read(&store, self.plan)?;
        let faults = self.faults(&summary);
        writeln!(out, "\n{}", summary_text::gold(&summary))?;
        for overflow in &self.overflows {
            writeln!(out, "OVERFLOW: {overflow}\n")?;
        }
        writeln!(out, "{}", summary_text::quality(&summary))?;
        writeln!(out, "{}", summary_text::ledger(&summary, &faults))?;
        write!(out, "{}", summary_text::refusals(&summary))?;
        let open = self.effort.records.saturating_sub(summary.total().counts.consumed);
        if self.ends.is_none() && open > 0 {
            writeln!(out, "{} more records are in batches that are still open\n", grouped(open))?;
        }
        let late = summary.total().counts.late;
        match self.again {
            Again::LeftOpen => writeln!(out, "windows that are open stay open: the next run goes on with them\n")?,
            Again::Closed if late > 0 => writeln!(
                out,
                "{} records were late: a bounded run closes every window for good, for later runs too; --leave-open leaves \
                 them open\n",
                grouped(late)
            )?,
            _ => {}
        }
        let mut equal = true;
        if let Some(truth) = &self.truth {
            let comparison = self.compare(&store, &summary, truth)?;
            equal = !matches!(comparison, Comparison::Different(_));
            write!(out, "{}", summary_text::truth(&comparison))?;
        }
        write!(out, "{}", summary_text::rate(&self.effort))?;
        write!(out, "{}", summary_text::next(self.data, &self.plan.name))?;
        let in_vain = self.ends.is_some() && summary.is_all_refused();
        if in_vain {
            writeln!(out, "NOTHING COUNTED: every record was refused")?;
        }
        Ok(faults.is_empty() && equal && !in_vain)
    }

    fn compare(&self, store: &Store, summary: &Summary, truth: &Truth) -> Result<Comparison, StoreError> {
        match unfit(self.plan) {
            Some(reason) => Ok(Comparison::Skipped(reason)),
            None if !self.was_empty => Ok(Comparison::Skipped("the topic held other records before".to_owned())),
            None => compare(store, summary, truth),
        }
    }

    /// What is wrong with the ledger, partition by partition.
    fn faults(&self, summary: &Summary) -> Vec<String> {
        let mut faults = Vec::new();
        for (partition, ledger) in &summary.ledger {
            let end = self.ends.and_then(|ends| ends.get(&partition.cast_signed())).copied();
            faults.extend(ledger.faults(end).into_iter().map(|fault| format!("partition {partition}: {fault}")));
        }
        for (partition, end) in self.ends.into_iter().flatten() {
            if *end > 0 && !summary.ledger.contains_key(&partition.cast_unsigned()) {
                faults.push(format!("partition {partition}: no report, but the log ends at offset {end}"));
            }
        }
        faults
    }
}
