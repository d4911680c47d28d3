//! `sluice status`: one screen about a running pipeline, in the words of the resource's conditions.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};
use plan::{Plan, ThresholdPlan};
use schemas::report::{Ledger, QualityReport, QualityState, RefusalReport, ValuelessReport, WorkerReport};
use schemas::status::Reason;
use schemas::text::plain;
use thiserror::Error;

use crate::dev::figures::grouped;
use crate::dev::refusals;
use crate::generate::iso;
use crate::observe::{LOOKED_FOR, ObserveError, PartitionView, View, WorkerArgs, look_again, observe};
use crate::pipeline_at::{LoadError, PipelineArgs};

/// Flags of `sluice status`.
#[derive(Debug, Clone, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    at: PipelineArgs,
    #[command(flatten)]
    workers: WorkerArgs,
    /// One JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// Why the verb failed.
#[derive(Debug, Error)]
pub enum StatusError {
    /// The pipeline.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What can be seen of it.
    #[error(transparent)]
    Observe(#[from] ObserveError),
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
pub fn run(args: &StatusArgs, out: &mut dyn Write) -> Result<(), StatusError> {
    let plan = args.at.load()?;
    let mut view = observe(&plan, &args.workers)?;
    look_again(&plan, &mut view)?;
    if args.json {
        return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&view)?)?);
    }
    tell(&plan, &view, out)?;
    Ok(())
}

fn tell(plan: &Plan, view: &View, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "pipeline '{}', revision {}\n", view.pipeline, plan.revision)?;
    writeln!(out, "{}\n", conditions(plan, view))?;
    writeln!(out, "{}\n", partitions(&view.partitions))?;
    for output in &view.outputs {
        let until = time(output.published_until);
        writeln!(
            out,
            "output {}: windows are published up to {until}; {} messages to take in",
            output.output, output.lag
        )?;
    }
    if let Some(quality) = &view.quality {
        writeln!(out, "\n{}", rules(plan, quality))?;
        write!(out, "{}", left_out(quality))?;
        if !quality.refusals.is_empty() {
            writeln!(
                out,
                "\nrefused, into the dead letters, in the batches above\n{}",
                refusals::words(&quality.refusals).trim_end()
            )?;
        }
    }
    let open: Vec<RefusalReport> =
        view.workers.iter().flat_map(|report| &report.partitions).flat_map(|of| of.refusals.clone()).collect();
    if !open.is_empty() {
        writeln!(out, "\nrefused in the batches that are open\n{}", refusals::words(&open).trim_end())?;
    }
    if !view.workers.is_empty() {
        writeln!(out, "\n{}", ledger(view))?;
    }
    Ok(())
}

/// One line per condition: its type, its answer, the reason and a message.
fn conditions(plan: &Plan, view: &View) -> Table {
    let mut table = table(&["CONDITION", "STATUS", "REASON", "MESSAGE"], &[]);
    if let Some(disagreement) = &view.disagreement {
        table.add_row(["TopicsReady", "False", Reason::TopicDrift.as_str(), &plain(disagreement)]);
    }
    let (status, reason, message) = watermark(plan, view);
    table.add_row(["WatermarkAdvancing", status, reason, &plain(&message)]);
    let lost = losses(&view.partitions).map(|lost| ("False", Reason::WindowsIncomplete.as_str(), lost));
    let overflowed = || overflows(&view.workers).map(|words| ("False", Reason::Overflow.as_str(), words));
    let (status, reason, message) = lost.or_else(overflowed).unwrap_or_else(|| quality(view.quality.as_ref()));
    table.add_row(["DataQualityHealthy", status, reason, &plain(&message)]);
    for report in &view.workers {
        for trouble in &report.troubles {
            let message = format!("{} since {}: {}", report.worker, iso(trouble.since), trouble.message);
            table.add_row(["WorkersReady", "False", &plain(&trouble.reason), &plain(&message)]);
        }
    }
    for silent in &view.silent {
        table.add_row(["WorkersReady", "Unknown", Reason::WorkerUnreachable.as_str(), &plain(silent)]);
    }
    table
}

/// Who holds the watermark. Without workers, partitions with something to read have been looked at for a while.
fn watermark(plan: &Plan, view: &View) -> (&'static str, &'static str, String) {
    let still: Vec<&PartitionView> = view.partitions.iter().filter(|partition| partition.still).collect();
    if let Some(first) = still.first() {
        let whose =
            first.owner.as_deref().map_or_else(|| "which nobody reads".to_owned(), |owner| format!("of {owner}"));
        let (at, lag) = (grouped(first.position), grouped(first.lag()));
        let (partition, seconds) = (first.partition, LOOKED_FOR.as_secs());
        let others = if still.len() > 1 { format!(", and {} more like it", still.len() - 1) } else { String::new() };
        let message = format!(
            "partition {partition}, {whose}, has stood at offset {at} for {seconds} s with {lag} records to read{others}; see that a \
             worker runs, or ask it with --worker"
        );
        return ("False", Reason::WatermarkHeld.as_str(), message);
    }
    if view.partitions.iter().all(|partition| partition.latest.is_none()) {
        return ("True", Reason::NoRecordsYet.as_str(), "no record has been judged yet".to_owned());
    }
    let left: i64 = view.partitions.iter().map(PartitionView::lag).sum();
    if left == 0 {
        let closes = plan.close_when_idle_for_ms.map_or_else(
            || "and stay open as long as there are none ('closeWhenIdleFor' is not set)".to_owned(),
            |after| format!("or are closed after {} s without any ('closeWhenIdleFor')", after / 1_000),
        );
        let message = format!("nothing is left to be read; open windows wait for newer events, {closes}");
        return ("True", Reason::Idle.as_str(), message);
    }
    // One that is idle holds nobody up.
    let Some(last) =
        view.partitions.iter().filter(|partition| !partition.idle).min_by_key(|partition| partition.watermark)
    else {
        return (
            "Unknown",
            Reason::NotObserved.as_str(),
            "every partition is idle, and there are records to read".to_owned(),
        );
    };
    let owner = last.owner.as_deref().map_or_else(String::new, |owner| format!(" of {owner}"));
    let (partition, at, lag) = (last.partition, time(last.watermark), grouped(left));
    let message = format!("partition {partition}{owner} is the last one, at {at}; {lag} records are left to be read");
    ("True", Reason::Advancing.as_str(), message)
}

/// Values that did not fit their columns, as long as that is recent.
fn overflows(workers: &[WorkerReport]) -> Option<String> {
    let outputs = workers.iter().flat_map(|report| &report.outputs);
    let told: Vec<String> = outputs.flat_map(|output| &output.overflows).map(|report| report.words(iso)).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// What partitions have lost and gone on without, as long as that is recent.
fn losses(partitions: &[PartitionView]) -> Option<String> {
    let recent = partitions.iter().flat_map(|view| {
        let recent = view.losses.iter().filter(|loss| loss.is_recent(view.watermark));
        recent.map(|loss| loss.words(view.partition, iso))
    });
    let recent: Vec<String> = recent.collect();
    (!recent.is_empty()).then(|| recent.join("; "))
}

fn quality(quality: Option<&QualityReport>) -> (&'static str, &'static str, String) {
    match quality {
        None => ("Unknown", Reason::NoBatchYet.as_str(), "no batch has been reported yet".to_owned()),
        Some(quality) if quality.state == QualityState::Critical => {
            let by_rule = quality.rules.iter().any(|rule| rule.standing.state == QualityState::Critical);
            let reason = if by_rule { Reason::RuleViolated } else { Reason::UndecodableRecords };
            ("False", reason.as_str(), quality.message.clone())
        }
        Some(quality) => {
            let near =
                if quality.message.is_empty() { "every rule is within its thresholds" } else { &quality.message };
            ("True", Reason::WithinThresholds.as_str(), near.to_owned())
        }
    }
}

fn partitions(partitions: &[PartitionView]) -> Table {
    let names =
        ["PARTITION", "OWNER", "POSITION", "LAG", "WATERMARK", "SEALED", "LATEST EVENT", "IDLE", "OPEN WINDOWS"];
    let mut table = table(&names, &[0, 2, 3, 8]);
    for view in partitions {
        let open = view.open.as_ref().map_or_else(|| "-".to_owned(), |open| open.len().to_string());
        table.add_row([
            view.partition.to_string(),
            plain(view.owner.as_deref().unwrap_or("-")).into_owned(),
            grouped(view.position),
            grouped(view.lag()),
            time(view.watermark),
            time(view.sealed),
            time(view.latest),
            if view.idle { "yes" } else { "no" }.to_owned(),
            open,
        ]);
    }
    table
}

/// The whole and each rule over the span, beside the thresholds.
fn rules(plan: &Plan, quality: &QualityReport) -> Table {
    let names = ["RULE", "EVALUATED", "VIOLATIONS", "PER MILLION", "WARNING", "CRITICAL", "STATE", "SINCE"];
    let mut table = table(&names, &[1, 2, 3, 4, 5]);
    let whole = ("(refused)", &quality.overall, plan.thresholds.overall);
    let rules = quality.rules.iter().map(|rule| {
        let planned = plan.rules.iter().find(|planned| planned.name == rule.name);
        (rule.name.as_str(), &rule.standing, planned.map_or_else(ThresholdPlan::default, |planned| planned.threshold))
    });
    for (name, standing, threshold) in std::iter::once(whole).chain(rules) {
        let limit = |limit: Option<u32>| limit.map_or_else(|| "-".to_owned(), grouped);
        table.add_row([
            name.to_owned(),
            grouped(standing.evaluated),
            grouped(standing.violations),
            grouped(standing.per_million),
            limit(threshold.warning),
            limit(threshold.critical),
            format!("{:?}", standing.state),
            time(standing.since),
        ]);
    }
    table
}

/// What had no usable value for some record; empty when nothing is.
fn left_out(quality: &QualityReport) -> String {
    if quality.valueless.is_empty() {
        return String::new();
    }
    let mut table = table(&["LEFT OUT BY", "NAME", "NO VALUE", "NOT FINITE"], &[2, 3]);
    for ValuelessReport { kind, name, no_value, not_finite } in &quality.valueless {
        table.add_row([kind.clone(), name.clone(), grouped(no_value), grouped(not_finite)]);
    }
    format!("\n{table}\n")
}

/// What the workers have judged since they took their partitions up.
fn ledger(view: &View) -> Table {
    let names = ["WORKER", "CONSUMED", "COUNTED", "DUPLICATE", "LATE", "FILTERED", "INVALID", "UNDECODABLE", "IGNORED"];
    let mut table = table(&names, &[1, 2, 3, 4, 5, 6, 7, 8]);
    for report in &view.workers {
        let mut sum = Ledger::default();
        report.partitions.iter().for_each(|partition| sum.add(&partition.ledger));
        let refused = [sum.invalid, sum.undecodable, sum.ignored];
        let counts = [sum.consumed, sum.counted, sum.duplicate, sum.late, sum.filtered].into_iter().chain(refused);
        let counts = counts.map(grouped);
        table.add_row(std::iter::once(plain(&report.worker).into_owned()).chain(counts));
    }
    table
}

/// A table without lines; numbers to the right.
pub(crate) fn table(names: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(names);
    for number in numbers {
        if let Some(column) = table.column_mut(*number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A time, or that there is none.
pub(crate) fn time(millis: Option<i64>) -> String {
    millis.map_or_else(|| "-".to_owned(), iso)
}

#[cfg(test)]
mod tests {
    use schemas::report::LossReport;

    use super::*;
    use crate::manifest::{Document, Source, read};

    fn plan() -> Plan {
        let source = Source::new("p.yaml", include_str!("../../examples/revenue-5m.yaml"));
        let Some(Document::Pipeline(quickstart)) = read(&source).pop() else { panic!("it is right") };
        quickstart.plan
    }

    #[test]
    fn what_stands_still_is_not_said_to_advance() {
        let moving = PartitionView { latest: Some(1), position: 7, end: 9, ..PartitionView::default() };
        let still = PartitionView { partition: 1, still: true, position: 60, end: 180, ..PartitionView::default() };
        let said = |partitions: Vec<PartitionView>| watermark(&plan(), &View { partitions, ..View::default() });
        assert_eq!(said(vec![moving.clone()]).1, "Advancing");
        let (status, reason, message) = said(vec![moving, still]);
        assert_eq!((status, reason), ("False", "WatermarkHeld"));
        assert!(message.starts_with("partition 1, which nobody reads, has stood at offset 60"), "{message}");
        let idle = PartitionView { latest: Some(1), idle: true, ..PartitionView::default() };
        let (_, reason, message) = said(vec![idle]);
        assert!(reason == "Idle" && message.contains("'closeWhenIdleFor' is not set"), "{message}");
    }

    #[test]
    fn names_of_others_act_on_no_terminal() {
        let owner = Some("a\u{1b}[2J\u{7}\r\nb\u{202e}".to_owned());
        let partition = PartitionView { owner, still: true, end: 5, ..PartitionView::default() };
        let view = View { silent: vec!["worker\u{1b}c".to_owned()], partitions: vec![partition], ..View::default() };
        let mut out = Vec::new();
        tell(&plan(), &view, &mut out).expect("a vector takes everything");
        let text = String::from_utf8(out).expect("text");
        assert!(
            !text.contains(['\u{1b}', '\u{7}', '\r', '\u{202e}']) && text.contains("a\\u{1b}[2J\\u{7}"),
            "{text:?}"
        );
    }

    #[test]
    fn a_loss_goes_before_the_rules_for_a_day_of_events() {
        let hour = 3_600_000;
        let loss = LossReport { from: 100, to: 250, unread: 50, windows_after: None, windows_until: Some(hour) };
        for (watermark, is_told) in [(hour, true), (24 * hour, true), (25 * hour, false)] {
            let watermark = Some(watermark);
            let partition = PartitionView { partition: 3, watermark, losses: vec![loss], ..PartitionView::default() };
            let view = View { partitions: vec![partition], ..View::default() };
            let text = conditions(&plan(), &view).to_string();
            let words = "the log of partition 3 had lost offsets 100 to 250 (50 never read); windows from the first to 1970-01-01T01:00:00Z";
            assert_eq!(text.contains("WindowsIncomplete") && text.contains(words), is_told, "{text}");
        }
    }
}
