//! What lies on the volume, and what must lie there: the closed windows of an independent recount, in files with the bytes of
//! an undisturbed run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use plan::Plan;
use schemas::spec::AnalyticsPipeline;
use serde_json::Value;
use tests::pipeline::{Way, files, run_bounded, set_sink};
use tests::python;

use crate::steps::until;
use crate::world::{PATIENCE, PIPELINE, World};

/// Length of the quickstart's windows, milliseconds.
const WINDOW: i64 = 300_000;

impl World {
    /// The folder of this machine that is the volume of a worker.
    pub fn volume(&self, worker: u32) -> Result<PathBuf> {
        ensure!(!self.cluster.is_kind(), "on kind the volumes lie inside its nodes");
        let claim = format!("data-{PIPELINE}-{worker}");
        let name = self.kubectl(&["get", "persistentvolumeclaim", &claim, "-o", "jsonpath={.spec.volumeName}"])?;
        let path = self.cluster.kubectl(&["get", "persistentvolume", &name, "-o", "jsonpath={.spec.local.path}"])?;
        Ok(PathBuf::from(path))
    }

    /// The independent recount of the topic as it is now.
    pub fn recount(&self) -> Result<Value> {
        self.python("recount.py", &[])
    }

    /// Waits until the volume holds as many windows as have closed, and gives the recount that says which.
    pub fn until_published(&self, patience: Duration) -> Result<Value> {
        let recount = self.recount()?;
        self.until_gold(&recount, patience)?;
        Ok(recount)
    }

    /// Waits until the volume holds as many windows as have closed by that recount.
    pub fn until_gold(&self, recount: &Value, patience: Duration) -> Result<()> {
        let expected = closed_windows(recount)?;
        let store = self.volume(0)?;
        let count = || gold(&store).map(|files| files.len());
        until(&format!("{expected} windows are published"), patience, || Ok((count()? >= expected).then_some(())))
            .with_context(|| format!("{} of {expected} are", count().unwrap_or_default()))
    }

    /// Fails unless the gold rows of the store equal those of the recount's closed windows, one by one.
    pub fn ensure_recounted(&self, recount: &Value, store: &Path) -> Result<()> {
        let file = self.path("recount.json");
        std::fs::write(&file, recount.to_string())?;
        let (file, store) = (file.to_string_lossy(), store.to_string_lossy());
        python::run("compare.py", &["--recount", &file, "--store", &store, "--closed"]).map(drop)
    }

    /// Fails unless every file on the volume has the bytes that an undisturbed worker writes over the same log.
    pub fn ensure_undisturbed(&self) -> Result<()> {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let group = format!("undisturbed-{}", RUNS.fetch_add(1, Ordering::Relaxed));
        let pipeline: AnalyticsPipeline = serde_saphyr::from_str(&self.manifest())?;
        let mut plan = Plan::compile(&pipeline)?;
        let store = self.path(&group);
        set_sink(&mut plan, &store);
        let way = Way { group, workers: 1, lanes: 2, fetch_records: 16_384 };
        run_bounded(&plan, &way, PATIENCE)?;
        let (expected, found) = (files(&store)?, files(&self.volume(0)?)?);
        ensure!(found.keys().any(|name| name.starts_with("gold/")), "nothing is published");
        let differ: Vec<_> = found.iter().filter(|(name, bytes)| expected.get(*name) != Some(bytes)).collect();
        let names: Vec<_> = differ.iter().map(|(name, _)| name).take(6).collect();
        ensure!(differ.is_empty(), "{} of {} files differ, such as {names:?}", differ.len(), found.len());
        Ok(())
    }

    /// Waits until all that has closed is published, and holds it against the recount and against an undisturbed run.
    pub fn ensure_exact(&self) -> Result<usize> {
        let recount = self.until_published(PATIENCE)?;
        self.ensure_recounted(&recount, &self.volume(0)?)?;
        self.ensure_undisturbed()?;
        closed_windows(&recount)
    }
}

/// The gold files of a store, by name.
pub fn gold(store: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let gold = store.join("gold");
    if gold.exists() { files(&gold) } else { Ok(BTreeMap::new()) }
}

/// How many windows of the recount have closed.
pub fn closed_windows(recount: &Value) -> Result<usize> {
    let until = recount["closed_until"].as_i64().context("every partition has a watermark")?;
    let rows = recount["gold"].as_array().context("gold rows")?;
    let starts = rows.iter().filter_map(|row| row["window_start"].as_i64());
    let closed: std::collections::BTreeSet<_> = starts.filter(|start| start + WINDOW <= until).collect();
    ensure!(!closed.is_empty(), "no window has closed by {until}");
    Ok(closed.len())
}
