//! A reader of a store that is being written: once seen, a row of the days that stay is seen at every look.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};
use cli::query::{Rows, Store, StoreError};

/// Looks until it is told to end.
pub struct Reader<'a> {
    store: &'a Path,
    /// Log time from which on batches stay.
    kept: i64,
    ended: AtomicBool,
}

type Seen = BTreeSet<Vec<Option<String>>>;

impl<'a> Reader<'a> {
    pub fn new(store: &'a Path, kept: i64) -> Self {
        Self { store, kept, ended: AtomicBool::new(false) }
    }

    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Looks by `sluice query`, which shows every row once and never fails, and by a plain glob over the folder, which may show rows
    /// twice and be told that a file has gone.
    pub fn read(&self) -> Result<()> {
        let (mut by_query, mut by_glob) = (Seen::new(), Seen::new());
        let (mut looks, mut twice, mut gone) = (0, 0, 0);
        while !self.ended.load(Ordering::Acquire) {
            let Ok(store) = Store::open(self.store, None) else { continue };
            if store.has("dq_metrics") {
                let rows = self.look(&store, "dq_metrics")?;
                ensure!(Self::keeps(&mut by_query, rows)? == 0, "`sluice query` shows rows twice");
                let files = self.store.join("dq/week/metrics/**/*.parquet");
                let table = format!("read_parquet('{}', union_by_name = true)", files.display());
                match self.look(&store, &table) {
                    Ok(rows) => twice += usize::from(Self::keeps(&mut by_glob, rows)? > 0),
                    Err(error) => {
                        ensure!(error.to_string().contains("No such file"), "{error}");
                        gone += 1;
                    }
                }
                looks += 1;
            }
        }
        eprintln!("{looks} looks; a plain one met rows twice {twice} times, and a file that was gone {gone} times");
        ensure!(looks > 10 && twice > 0, "{looks} looks saw nothing of a day becoming one file");
        Ok(())
    }

    fn look(&self, store: &Store, table: &str) -> Result<Rows, StoreError> {
        let kept = self.kept;
        store.rows(&format!(
            "select batch_id, kind, name, verdict, evaluated from {table} where epoch_ms(first_log_time) >= {kept}"
        ))
    }

    /// Nothing that was seen is missing; how many rows are there more than once.
    fn keeps(seen: &mut Seen, rows: Rows) -> Result<usize> {
        let all = rows.rows.len();
        let now: Seen = rows.rows.into_iter().collect();
        let missing: Vec<_> = seen.difference(&now).collect();
        ensure!(missing.is_empty(), "{} rows are not seen any more, such as {:?}", missing.len(), missing[0]);
        *seen = now;
        Ok(all - seen.len())
    }
}
