//! `sluice dlq`: what was refused, why, and back into the topic when it has been mended.

mod filter;
mod letter;
mod list;
mod replay;
mod show;
mod whole;

use std::io::{self, Write};

use clap::Subcommand;
use schemas::text::plain;
use thiserror::Error;
use worker::registry::RegistryClient;
use worker::trial::{Findings, Stopped};

use crate::pipeline_at::{LoadError, PipelineArgs};
use crate::stretch::{Finder, StretchError};
use filter::Filter;
pub use letter::{Cut, Letter, REPLAYED_FROM, letters};
pub use list::{Group, groups};
pub use replay::ReplayError;
pub use whole::Gone;
use whole::Whole;

/// Flags of `sluice dlq`.
#[derive(Debug, Clone, clap::Args)]
pub struct DlqArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// How many of which reason and rule, and from when to when
    List {
        #[command(flatten)]
        at: PipelineArgs,
        #[command(flatten)]
        filter: Filter,
        /// One JSON array instead of a table
        #[arg(long)]
        json: bool,
    },
    /// One of them, decoded as far as possible
    Show {
        #[command(flatten)]
        at: PipelineArgs,
        /// Its place in the source topic: PARTITION-OFFSET
        #[arg(value_name = "RECORD")]
        record: String,
    },
    /// Send them back to the source topic, byte for byte, each once
    Replay {
        #[command(flatten)]
        at: PipelineArgs,
        #[command(flatten)]
        filter: Filter,
        /// Only say what the manifest's rules and the committed watermarks would make of them now
        #[arg(long)]
        dry_run: bool,
        /// At most so many a second
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
        rate: u32,
    },
}

/// Why the verb failed.
#[derive(Debug, Error)]
pub enum DlqError {
    /// The pipeline.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The dead letters.
    #[error(transparent)]
    Read(#[from] StretchError),
    /// Sending them back.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// There is no such letter.
    #[error(
        "there is no dead letter of record '{0}'; allowed is PARTITION-OFFSET of one that `sluice dlq list` counts"
    )]
    Find(String),
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
pub fn run(args: &DlqArgs, out: &mut dyn Write) -> Result<(), DlqError> {
    match &args.verb {
        Verb::List { at, filter, json } => list(at, filter, *json, out),
        Verb::Show { at, record } => show(at, record, out),
        Verb::Replay { at, filter, dry_run, rate } => replay(at, filter, *dry_run, *rate, out),
    }
}

fn list(at: &PipelineArgs, filter: &Filter, json: bool, out: &mut dyn Write) -> Result<(), DlqError> {
    let plan = at.load()?;
    let letters = letters(&plan)?;
    let groups = groups(letters.values().filter(|letter| filter.takes(letter)));
    if json {
        return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&groups)?)?);
    }
    Ok(list::write(&groups, &plan.dead_letter_topic, out)?)
}

fn show(at: &PipelineArgs, record: &str, out: &mut dyn Write) -> Result<(), DlqError> {
    let plan = at.load()?;
    let letter = letters(&plan)?.into_values().find(|letter| letter.id() == record);
    let mut letter = letter.ok_or_else(|| DlqError::Find(record.to_owned()))?;
    let cut = letter.cut.clone();
    let gone = match cut {
        Some(_) => whole::whole(&Finder::open(&plan, &plan.source.topic)?, &mut letter)?.err(),
        None => None,
    };
    Ok(show::write(&letter, cut.as_ref().map(|cut| (cut, gone)), &RegistryClient::new(&plan.registry_url), out)?)
}

fn replay(at: &PipelineArgs, filter: &Filter, dry_run: bool, rate: u32, out: &mut dyn Write) -> Result<(), DlqError> {
    let plan = at.load()?;
    let letters = letters(&plan)?;
    let meant: Vec<&Letter> = letters.values().filter(|letter| filter.takes(letter)).collect();
    let back = replay::sent_back(&plan, &meant)?;
    let left: Vec<&Letter> = meant.iter().copied().filter(|letter| !back.contains(&letter.id())).collect();
    let known = meant.len() - left.len();
    writeln!(out, "{} dead letters are meant, {known} of them are back already", meant.len())?;
    let Whole { letters, gone } = whole::all(&plan, left.into_iter().cloned().collect())?;
    let left: Vec<&Letter> = letters.iter().collect();
    if let Some((letter, why)) = gone.first() {
        let count = gone.len();
        writeln!(
            out,
            "{count} are too large for a dead letter and cannot be sent back, for example {}: {why}",
            letter.id()
        )?;
    }
    let findings = replay::dry_run(&plan, &left)?;
    tell(&findings, left.len(), out)?;
    if dry_run {
        return Ok(());
    }
    replay::send(&plan, &left, rate, |_| {})?;
    writeln!(out, "{} records are back in '{}'", left.len(), plan.source.topic)?;
    Ok(())
}

/// What today's rules say.
fn tell(findings: &Findings, letters: usize, out: &mut dyn Write) -> io::Result<()> {
    let refused: u64 = findings.grouped().values().sum();
    let duplicates = findings.ledger.duplicate;
    writeln!(out, "by today's rules and watermarks: {} would count", findings.ledger.counted)?;
    if duplicates > 0 {
        writeln!(out, "  {duplicates} would be duplicates of others among them")?;
    }
    for ((reason, rule), count) in findings.grouped() {
        let example = findings.objections.iter().find(|found| (found.reason, found.rule.as_deref()) == (reason, rule));
        let rule = rule.map_or_else(String::new, |rule| format!(" ({rule})"));
        let message = plain(example.map_or("", |found| found.message.as_str()));
        writeln!(out, "  {count} would be refused again as {reason}{rule}, for example: {message}")?;
    }
    if let Some(Stopped { partition, offset, rule }) = &findings.stopped {
        writeln!(out, "  partition {partition} would stop before offset {offset}, which breaks rule '{rule}'")?;
    }
    debug_assert!(refused <= letters as u64, "each is refused at most once");
    Ok(())
}
