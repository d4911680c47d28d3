//! `sluice quality try`: a manifest's rules over the records of the last minutes, before anything is applied.
//!
//! Keeps true: nothing is committed, sent or written; a running pipeline does not notice.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use clap::Subcommand;
use comfy_table::{CellAlignment, Table, presets};
use plan::{Plan, ThresholdPlan};
use schemas::wire::{ExpressionBody, RuleBody};
use thiserror::Error;
use worker::registry::SchemaCache;
use worker::status::now;
use worker::trial::{Findings, Sampled, Stopped, Trial, TrialError};

use crate::dev::refusals::shown;
use crate::generate::{duration, iso};
use crate::pipeline_at::{LoadError, PipelineArgs};
use crate::stretch::{Stored, StretchError, read};

/// Characters of a sample that are shown.
const LINE: usize = 1000;
/// Records that are judged at once.
const FETCH: usize = 8192;

/// Flags of `sluice quality`.
#[derive(Debug, Clone, clap::Args)]
pub struct QualityArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Try the manifest's rules on recent records; nothing is changed
    Try {
        #[command(flatten)]
        at: PipelineArgs,
        /// How far back, by the records' log time
        #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = duration)]
        last: i64,
        /// Most examples of violations that are shown, of every rule and partition
        #[arg(long, default_value_t = 20)]
        samples: usize,
    },
}

/// Why the verb failed.
#[derive(Debug, Error)]
pub enum QualityError {
    /// The pipeline.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The topic.
    #[error(transparent)]
    Read(#[from] StretchError),
    /// The rules.
    #[error(transparent)]
    Try(#[from] TrialError),
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Write(#[from] io::Error),
}

/// The verb.
///
/// # Errors
/// The step that failed.
pub fn run(args: &QualityArgs, out: &mut dyn Write) -> Result<(), QualityError> {
    let Verb::Try { at, last, samples } = &args.verb;
    let plan = at.load()?;
    let since = now().saturating_sub(*last);
    let findings = try_since(&plan, since)?;
    Ok(tell(&plan, &findings, since, *samples, out)?)
}

/// Judges every record of the source topic from `since` (milliseconds) on.
///
/// # Errors
/// Kafka or the registry does not answer.
pub fn try_since(plan: &Arc<Plan>, since: i64) -> Result<Findings, QualityError> {
    let schemas = Arc::new(SchemaCache::new(&plan.registry_url));
    let mut trials: BTreeMap<i32, (Trial<_>, Vec<Stored>)> = BTreeMap::new();
    let mut failed = None;
    read(plan, &plan.source.topic, Some(since), |record| {
        if failed.is_none() {
            failed = take_in(plan, &schemas, &mut trials, record).err();
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let mut findings = Findings::default();
    for (mut trial, rest) in trials.into_values() {
        trial.feed(&rest)?;
        findings.merge(trial.finish()?);
    }
    Ok(findings)
}

fn take_in(
    plan: &Arc<Plan>,
    schemas: &Arc<SchemaCache>,
    trials: &mut BTreeMap<i32, (Trial<Arc<SchemaCache>>, Vec<Stored>)>,
    record: Stored,
) -> Result<(), TrialError> {
    let (trial, waiting) = match trials.entry(record.partition) {
        std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
        std::collections::btree_map::Entry::Vacant(new) => {
            new.insert((Trial::new(plan, schemas.clone(), record.partition, record.offset, None)?, Vec::new()))
        }
    };
    waiting.push(record);
    if waiting.len() == FETCH {
        trial.feed(waiting)?;
        waiting.clear();
    }
    Ok(())
}

fn tell(plan: &Plan, findings: &Findings, since: i64, samples: usize, out: &mut dyn Write) -> io::Result<()> {
    let ledger = &findings.ledger;
    writeln!(
        out,
        "{} records of '{}' since {}: {} would count, {} are invalid, {} undecodable, {} filtered, {} late, {} duplicates",
        ledger.consumed,
        plan.source.topic,
        iso(since),
        ledger.counted,
        ledger.invalid,
        ledger.undecodable,
        ledger.filtered,
        ledger.late,
        ledger.duplicate,
    )?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["RULE", "EVALUATED", "VIOLATIONS", "SKIPPED", "NO VALUE", "NOT FINITE", "PER MILLION", "STATE"]);
    for (rule, found) in plan.rules.iter().zip(&findings.rules) {
        let share = (found.violations * 1_000_000).checked_div(found.evaluated).unwrap_or(0);
        let state = state(rule.threshold, found);
        let numbers = [found.evaluated, found.violations, found.skipped, found.no_value, found.not_finite, share];
        let numbers = numbers.map(|number| number.to_string());
        table.add_row(std::iter::once(rule.name.as_str()).chain(numbers.iter().map(String::as_str)).chain([state]));
    }
    for column in 1..7 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(out, "{table}")?;
    for ExpressionBody { kind, name, no_value, not_finite } in &findings.expressions {
        writeln!(out, "{kind} '{name}': {no_value} records have no value, {not_finite} are not finite")?;
    }
    if let Some(Stopped { partition, offset, rule }) = &findings.stopped {
        writeln!(out, "partition {partition} would stop before offset {offset}, which breaks rule '{rule}'")?;
    }
    for sampled in findings.examples(samples) {
        writeln!(out, "{}", sample_line(plan, sampled))?;
    }
    Ok(())
}

/// Which record it is, as `sluice dlq show` takes it, and what is wrong with it.
fn sample_line(plan: &Plan, Sampled { partition, sample }: &Sampled) -> String {
    let rule = plan.rules.iter().find(|rule| sample.kind == "rule" && rule.name == sample.name);
    let (field, value) = (sample.field.as_deref().unwrap_or("-"), sample.value.as_deref().unwrap_or("null"));
    // The values of several fields are named already.
    let what = if field.contains(", ") { value.to_owned() } else { format!("{field} is {value}") };
    let id = sample.event_id.as_deref().unwrap_or("null");
    let about = match sample.why.as_str() {
        "violation" => format!("expected {}", rule.map_or("", |rule| &rule.expected)),
        "not-finite" => format!("a value is not finite, so {} leaves it out", sample.kind),
        _ => format!("the {} cannot be computed", sample.kind),
    };
    shown(&format!("{}: record {partition}-{}, event {id}: {what}, {about}", sample.name, sample.offset), LINE)
}

/// What the share would mean if it stayed like this.
fn state(threshold: ThresholdPlan, found: &RuleBody) -> &'static str {
    let above = |share: Option<u32>| {
        share.is_some_and(|share| {
            u128::from(found.violations) * 1_000_000 > u128::from(share) * u128::from(found.evaluated)
        })
    };
    if above(threshold.critical) {
        "Critical"
    } else if above(threshold.warning) {
        "Warning"
    } else {
        "Ok"
    }
}
