//! Values that did not fit their columns: what a file's footer says of them, and what the worker tells for a day of events.
//!
//! What is told survives a restart: the commit names the newest file that tells of some, and the footer is read again.

use std::collections::{BTreeMap, VecDeque};

use arrow::array::{Array, ArrayRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use schemas::report::OverflowReport;
use serde::{Deserialize, Serialize};
use stream_core::{Overflow, Published};

use super::gold::Gold;
use super::output::persist_sink;
use super::{PublishError, Publisher};

/// Groups of a measure that a footer names.
const MOST_GROUPS: usize = 100;
/// Windows that are told of at once.
const MOST_TOLD: usize = 16;

/// The cells of one measure that are null in a window because their values do not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overflowed {
    /// The measure.
    pub measure: String,
    /// How many.
    pub cells: u64,
    /// The first of them, each by the values of its grouping columns.
    pub groups: Vec<BTreeMap<String, Option<String>>>,
}

/// The same of all measures of a window whose rows have `grouping` grouping columns.
pub(super) fn of(published: &Published, grouping: usize) -> Result<Vec<Overflowed>, ArrowError> {
    let schema = published.rows.schema();
    // Behind the window's two.
    let columns = schema.fields().iter().zip(published.rows.columns()).skip(2).take(grouping);
    let options = FormatOptions::default();
    let columns = columns.map(|(field, column)| {
        let shown = ArrayFormatter::try_new(column.as_ref(), &options)?;
        Ok::<_, ArrowError>((field.name().clone(), column, shown))
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let group = |row: usize| -> Result<BTreeMap<String, Option<String>>, ArrowError> {
        let value = |(name, column, shown): &(String, &ArrayRef, ArrayFormatter<'_>)| {
            let text = column.is_valid(row).then(|| shown.value(row).try_to_string()).transpose()?;
            Ok((name.clone(), text))
        };
        columns.iter().map(value).collect()
    };
    let mut found: Vec<Overflowed> = Vec::new();
    for Overflow { measure, row } in &published.overflow {
        if found.last().is_none_or(|last| last.measure != *measure) {
            found.push(Overflowed { measure: measure.clone(), cells: 0, groups: Vec::new() });
        }
        if let Some(last) = found.last_mut() {
            last.cells += 1;
            if last.groups.len() < MOST_GROUPS {
                last.groups.push(group(*row as usize)?);
            }
        }
    }
    Ok(found)
}

/// What a worker tells of the windows of one output.
#[derive(Debug, Default)]
pub(super) struct Told {
    reports: VecDeque<OverflowReport>,
    /// The newest file that has some.
    file: Option<String>,
}

impl Told {
    /// What the file tells that a commit names; nothing if it is gone.
    pub(super) fn resume(publisher: &Publisher, file: Option<String>) -> Result<Self, PublishError> {
        let mut told = Self::default();
        if let Some(path) = file
            && let Some(bytes) = persist_sink(publisher, || publisher.files.read(&path))?
            && let Ok(gold) = Gold::read(bytes)
        {
            told.add(gold.window, &gold.overflow, &path);
        }
        Ok(told)
    }

    /// Takes in what a written window has.
    pub(super) fn add(&mut self, (start, end): (i64, i64), overflowed: &[Overflowed], path: &str) {
        // A restart finds again what it wrote before.
        self.reports.retain(|report| report.start != start || overflowed.iter().all(|of| of.measure != report.measure));
        for Overflowed { measure, cells, groups } in overflowed {
            let groups = groups.first().into_iter().flatten();
            let group = groups.map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("null")));
            let (measure, group) = (measure.clone(), group.collect::<Vec<_>>().join(", "));
            self.reports.push_back(OverflowReport { start, end, measure, cells: *cells, group });
            self.file = Some(path.to_owned());
        }
        while self.reports.len() > MOST_TOLD {
            self.reports.pop_front();
        }
    }

    /// Leaves out what is a day older than the last window.
    pub(super) fn forget(&mut self, published_until: Option<i64>) {
        self.reports.retain(|report| report.is_recent(published_until));
        if self.reports.is_empty() {
            self.file = None;
        }
    }

    pub(super) fn reports(&self) -> Vec<OverflowReport> {
        self.reports.iter().cloned().collect()
    }

    pub(super) fn file(&self) -> Option<String> {
        self.file.clone()
    }
}
