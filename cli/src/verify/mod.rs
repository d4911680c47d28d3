//! `sluice verify`: the published windows once more from Kafka, and whether the store holds the same bytes.
//!
//! Keeps true: nothing is committed, sent or written; a running pipeline does not notice. A window is called equal only for
//! equal bytes, and different only where nothing is missing that could explain it.

mod compare;
mod known;
mod store;
mod tell;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use plan::Plan;
use schemas::epochs::Epochs;
use thiserror::Error;
use worker::recompute::{Known, Recompute, RecomputeError};
use worker::registry::SchemaCache;
use worker::status::now;

use crate::generate::{duration, instant, progress_bar};
use crate::pipeline_at::{LoadError, PipelineArgs};
use crate::stretch::{Stored, Stretch, StretchError};
use compare::Comparison;
pub use compare::{Finding, Outcome, Verified};
pub use known::KnownError;
pub use store::StoreError;

/// Records that are judged at once.
const FETCH: usize = 8192;

/// Flags of `sluice verify`.
#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    at: PipelineArgs,
    /// Folder of the tables, instead of the manifest's sink
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// What the pipeline was before, as its workers are told (JSON)
    #[arg(long, value_name = "FILE")]
    epochs: Option<PathBuf>,
    /// Only windows that start within this time before now, and no more of the log than they need
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "since")]
    last: Option<i64>,
    /// Only windows that start then or later (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<i64>,
    /// Also list the windows that are equal
    #[arg(long)]
    all: bool,
    /// One JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// Why the verb failed.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The pipeline.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What the pipeline was before.
    #[error("cannot read the epochs in '{}': {message}", file.display())]
    Epochs {
        /// The file.
        file: PathBuf,
        /// Why.
        message: String,
    },
    /// The source topic.
    #[error(transparent)]
    Read(#[from] StretchError),
    /// What Kafka knows beside the records.
    #[error(transparent)]
    Know(#[from] KnownError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The windows.
    #[error(transparent)]
    Recompute(#[from] RecomputeError),
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Write(#[from] io::Error),
    /// The result cannot be encoded. A bug.
    #[error("cannot encode the result: {0}")]
    Encode(#[from] serde_json::Error),
}

/// The verb.
///
/// # Errors
/// The step that failed.
pub fn run(args: &VerifyArgs, out: &mut dyn Write) -> Result<ExitCode, VerifyError> {
    let (plan, started) = (args.at.load()?, Instant::now());
    let epochs = args.epochs.as_deref().map_or_else(|| Ok(Epochs::default()), epochs)?;
    let since = args.since.or_else(|| Some(now() - args.last?));
    let verified = verify(&plan, &epochs, args.data.clone(), since)?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&verified)?)?;
    } else {
        tell::write(&plan.name, &verified, args.all, started.elapsed(), out)?;
    }
    Ok(if verified.is_equal() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn epochs(file: &std::path::Path) -> Result<Epochs, VerifyError> {
    let read = std::fs::read_to_string(file).map_err(|error| error.to_string());
    let parsed = read.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    parsed.map_err(|message| VerifyError::Epochs { file: file.to_owned(), message })
}

/// Every window that is in the store of `plan` (or in `data`), or should be, of those that start at `since` (milliseconds; absent: ever)
/// or later.
///
/// # Errors
/// Kafka, the registry or the store does not answer.
pub fn verify(
    plan: &Arc<Plan>,
    epochs: &Epochs,
    data: Option<PathBuf>,
    since: Option<i64>,
) -> Result<Verified, VerifyError> {
    let known = known::read(plan)?;
    let from = since.map(|since| begins(plan, since));
    let store = store::Store::open(plan, data, from)?;
    let stretch = Stretch::open(plan, &plan.source.topic, from)?;
    let partitions = (0..plan.source.partitions as i32).map(|partition| {
        let low = stretch.starts().get(&partition).copied().unwrap_or_default();
        let (seen, sealed) = (known.seen(partition, &store), known.sealed(partition, low));
        (partition, Known { low, seen, sealed })
    });
    let schemas = Arc::new(SchemaCache::new(&plan.registry_url));
    let again = Recompute::new(plan, epochs, &schemas, partitions.collect())?;
    let comparison = Comparison::new(plan, store, known, since);
    read(plan, stretch, again, comparison)
}

/// The log time from which on the log says everything of windows that start at `since` or later: what came before may have opened windows
/// that end by a skew later, and those are closed a window and a delay after that, before a record of such a window can come.
fn begins(plan: &Plan, since: i64) -> i64 {
    let close = plan.window.size_ms.saturating_add(plan.delay_ms);
    since.saturating_sub(close.saturating_add(plan.max_future_skew_ms).saturating_mul(2))
}

/// Reads the stretch and compares each window as soon as it is complete.
fn read(
    plan: &Plan,
    stretch: Stretch,
    again: Recompute<Arc<SchemaCache>>,
    comparison: Comparison,
) -> Result<Verified, VerifyError> {
    let ends: BTreeMap<i32, i64> = stretch.ranges().iter().map(|(partition, range)| (*partition, range.end)).collect();
    let count = stretch.ranges().values().map(|range| (range.end - range.start).unsigned_abs()).sum();
    let bar = progress_bar("verifying", count);
    let mut feeding = Feeding { again, comparison, waiting: BTreeMap::new(), records: 0 };
    let mut failed = None;
    stretch.read(|record| {
        if failed.is_none() {
            bar.inc(1);
            failed = feeding.take_in(record).err();
        }
    })?;
    bar.finish_and_clear();
    if let Some(error) = failed {
        return Err(error);
    }
    for (partition, rest) in std::mem::take(&mut feeding.waiting) {
        feeding.again.feed(partition, &rest)?;
    }
    for partition in 0..plan.source.partitions as i32 {
        // A partition without records may have been closed by decree at its end.
        feeding.again.end(partition, ends.get(&partition).copied().unwrap_or(i64::MAX))?;
    }
    feeding.compare()?;
    Ok(feeding.comparison.finish(&feeding.again, feeding.records))
}

/// Records on their way to windows.
struct Feeding {
    again: Recompute<Arc<SchemaCache>>,
    comparison: Comparison,
    waiting: BTreeMap<i32, Vec<Stored>>,
    records: u64,
}

impl Feeding {
    fn take_in(&mut self, record: Stored) -> Result<(), VerifyError> {
        let partition = record.partition;
        let waiting = self.waiting.entry(partition).or_default();
        waiting.push(record);
        self.records += 1;
        if waiting.len() == FETCH {
            self.again.feed(partition, waiting)?;
            waiting.clear();
            self.compare()?;
        }
        Ok(())
    }

    fn compare(&mut self) -> Result<(), VerifyError> {
        for window in self.again.complete()? {
            self.comparison.compare(&self.again, &window)?;
        }
        Ok(())
    }
}
