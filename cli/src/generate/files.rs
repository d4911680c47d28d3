//! The truth on disk: `truth.json` (what was generated, counts, rules) and `truth.csv` (the gold rows).
//!
//! Keeps true: both are complete and exact (money as decimal text, null as an empty field that `DuckDB`'s `read_csv` and
//! pandas read as null), and the same truth gives the same bytes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Map, Value, json};

use super::compare::{iso, money};
use super::truth::{Ledger, RULES, Truth};

/// Why the truth could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteTruthError {
    /// The folder cannot be made.
    #[error("cannot make the folder '{path}'")]
    MakeFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write '{path}'")]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Truth {
    /// Writes `truth.json` and `truth.csv` into `folder`, which is made if need be.
    ///
    /// # Errors
    /// The folder or a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), WriteTruthError> {
        fs::create_dir_all(folder).map_err(|source| WriteTruthError::MakeFolder { path: folder.to_owned(), source })?;
        for (name, content) in [("truth.json", format!("{:#}\n", self.to_json())), ("truth.csv", self.to_csv())] {
            let path = folder.join(name);
            fs::write(&path, content).map_err(|source| WriteTruthError::WriteFile { path, source })?;
        }
        Ok(())
    }

    /// Options, counts per verdict (`total` and by partition), violations per rule, and sums over the gold rows.
    pub fn to_json(&self) -> Value {
        let gold_rows = self.gold().count();
        let partitions: Vec<Value> = self.partitions.iter().map(ledger).collect();
        let violations: Map<String, Value> =
            self.violations().map(|(rule, count)| (rule.to_owned(), count.into())).collect();
        json!({
            "format": 1,
            "options": self.options,
            "total": self.counts(),
            "violations": violations,
            "partitions": partitions,
            "gold": {"rows": gold_rows, "revenue": money(self.revenue_cents()), "event_count": self.counts().counted},
        })
    }

    /// The gold rows: `window_start,window_end,region,plan_tier,revenue,event_count`.
    pub fn to_csv(&self) -> String {
        let mut text = String::from("window_start,window_end,region,plan_tier,revenue,event_count\n");
        for row in self.gold() {
            let _ = writeln!(
                text,
                "{},{},{},{},{},{}",
                iso(row.window_start),
                iso(row.window_start + self.options.windows.size),
                row.region.unwrap_or_default(),
                row.plan_tier.unwrap_or_default(),
                money(row.revenue_cents),
                row.event_count,
            );
        }
        text
    }
}

fn ledger(ledger: &Ledger) -> Value {
    let violations: Map<String, Value> =
        RULES.iter().zip(ledger.violations).map(|(rule, count)| ((*rule).to_owned(), count.into())).collect();
    let invalid: Map<String, Value> =
        ledger.invalid_by_rule().map(|(rule, count)| (rule.to_owned(), count.into())).collect();
    json!({"counts": ledger.counts, "invalid_by_rule": invalid, "violations": violations})
}
