//! `sluice explain window`: what a window waits for, and what closing it now would cost.
//!
//! Keeps true: nothing is committed, sent or written; a running pipeline does not notice.

mod tell;
mod unread;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use clap::Subcommand;
use plan::Plan;
use serde::Serialize;
use thiserror::Error;
use worker::trial::TrialError;

use crate::generate::{instant, iso};
use crate::observe::{ObserveError, PartitionView, View, WorkerArgs, observe};
use crate::pipeline_at::{LoadError, PipelineArgs};
use crate::stretch::StretchError;
pub use unread::Unread;

/// Flags of `sluice explain`.
#[derive(Debug, Clone, clap::Args)]
pub struct ExplainArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Which partitions lack its seal, who has them, and what would be late if it closed now
    Window {
        #[command(flatten)]
        at: PipelineArgs,
        #[command(flatten)]
        workers: WorkerArgs,
        /// A time in the window, for example 2026-11-23T10:17:00Z
        #[arg(value_name = "TIME", value_parser = instant, allow_negative_numbers = true)]
        time: i64,
        /// One JSON document instead of text
        #[arg(long)]
        json: bool,
    },
}

/// Why the verb failed.
#[derive(Debug, Error)]
pub enum ExplainError {
    /// The pipeline.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What can be seen of it.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// What is not read yet.
    #[error(transparent)]
    Read(#[from] StretchError),
    /// What would be late.
    #[error(transparent)]
    Try(#[from] TrialError),
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Write(#[from] io::Error),
    /// The result cannot be encoded. A bug.
    #[error("cannot encode the result: {0}")]
    Encode(#[from] serde_json::Error),
}

/// A window, and all that it waits for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Its start, milliseconds.
    pub start: i64,
    /// Its end, milliseconds.
    pub end: i64,
    /// The outputs that have not published it.
    pub unpublished: Vec<i32>,
    /// The partitions that have not sealed it, in order.
    pub unsealed: Vec<Unsealed>,
    /// How many have.
    pub sealed: usize,
    /// What hinders workers that answer.
    pub troubles: Vec<String>,
    /// Workers that do not answer.
    pub silent: Vec<String>,
}

/// A partition without a seal.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unsealed {
    /// The partition.
    #[serde(flatten)]
    pub view: PartitionView,
    /// What lies behind its position.
    pub unread: Unread,
}

/// The verb.
///
/// # Errors
/// The step that failed.
pub fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<(), ExplainError> {
    let Verb::Window { at, workers, time, json } = &args.verb;
    let plan = at.load()?;
    let explanation = explain(&plan, &observe(&plan, workers)?, *time)?;
    if *json {
        return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&explanation)?)?);
    }
    Ok(tell::write(&plan, &explanation, out)?)
}

/// What the window that holds `time` waits for, by what is seen.
///
/// # Errors
/// Kafka or the registry does not answer.
pub fn explain(plan: &Arc<Plan>, view: &View, time: i64) -> Result<Explanation, ExplainError> {
    let (size, offset) = (plan.window.size_ms, plan.window.offset_ms);
    let start = time - (time - offset).rem_euclid(size);
    let end = start + size;
    let (sealed, unsealed): (Vec<_>, Vec<_>) =
        view.partitions.iter().partition(|partition| partition.sealed.is_some_and(|sealed| sealed >= end));
    let positions: BTreeMap<i32, i64> = unsealed.iter().map(|view| (view.partition, view.position)).collect();
    let mut unread = unread::read(plan, &positions, end)?;
    let unsealed = unsealed.into_iter().map(|view| {
        let unread = unread.remove(&view.partition).unwrap_or_default();
        Unsealed { view: view.clone(), unread }
    });
    let published = |until: Option<i64>| until.is_some_and(|until| until >= end);
    let unpublished = view.outputs.iter().filter(|output| !published(output.published_until));
    let troubles = view.workers.iter().flat_map(|report| {
        let told = |trouble: &schemas::report::Trouble| {
            format!("{} says {} since {}: {}", report.worker, trouble.reason, iso(trouble.since), trouble.message)
        };
        report.troubles.iter().map(told).collect::<Vec<_>>()
    });
    Ok(Explanation {
        start,
        end,
        unpublished: unpublished.map(|output| output.output).collect(),
        unsealed: unsealed.collect(),
        sealed: sealed.len(),
        troubles: troubles.collect(),
        silent: view.silent.clone(),
    })
}
