//! Which configuration the workers should run: the one in force, or its successor. One change at a time.
//!
//! Kept true: a change of meaning or of topology takes effect at a recorded boundary; what cannot be decided yet leaves the
//! configuration in force as it is and says why.

use plan::WindowPlan;
use schemas::epochs::{Epochs, PreviousMeaning, TopologyEpoch};
use schemas::spec::{AnalyticsPipelineSpec, OnViolation, Rule};
use schemas::status::Reason;

use super::boundary::{Boundary, HANDOVER, boundary, is_overtaken, is_published, on_both_grids, window_after};
use super::config::{Config, Stored};
use super::{Facts, Held, SchemaVerdict};
use crate::reconcile::validate::Valid;

/// What the workers should run.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Nothing can be started yet.
    Nothing(Held),
    /// What is in force; why it is not what the manifest says, if it is not.
    Keep(Stored, Option<Held>),
    /// Something new.
    Change(Config),
}

/// Decides.
pub fn next(valid: &Valid, facts: &Facts<'_>) -> Next {
    let Some(stored) = &facts.stored else { return first(valid, facts) };
    let Some(running) = &stored.config else {
        let message = "the configuration in force was written by a newer operator, which should lead";
        return Next::Keep(stored.clone(), Some(Held::new(Reason::Blocked, message)));
    };
    if running.pipeline == valid.pipeline {
        return moved(valid, running, facts).map_or_else(
            || Next::Keep(stored.clone(), None),
            |epochs| Next::Change(Config { pipeline: valid.pipeline.clone(), epochs }),
        );
    }
    match successor(valid, running, facts) {
        Ok(epochs) => Next::Change(Config { pipeline: valid.pipeline.clone(), epochs }),
        Err(held) => Next::Keep(stored.clone(), Some(held)),
    }
}

/// There is no configuration: a new pipeline, or one whose `ConfigMap`s were deleted.
fn first(valid: &Valid, facts: &Facts<'_>) -> Next {
    if let SchemaVerdict::Refused(why) = &facts.schema {
        return Next::Nothing(Held::new(Reason::Blocked, format!("SchemaReady: {why}")));
    }
    let epochs = facts.status_epochs.cloned().unwrap_or_default();
    Next::Change(Config { pipeline: valid.pipeline.clone(), epochs })
}

/// The epochs of the manifest's configuration after `running`, or why it must wait.
fn successor(valid: &Valid, running: &Config, facts: &Facts<'_>) -> Result<Epochs, Held> {
    let (old, new) = (&running.pipeline.spec, &valid.pipeline.spec);
    if old.source.schema.avro != new.source.schema.avro {
        match &facts.schema {
            SchemaVerdict::Fits => {}
            SchemaVerdict::Unknown(why) => {
                return Err(Held::new(Reason::Progressing, format!("waits for the registry: {why}")));
            }
            SchemaVerdict::Refused(why) => return Err(Held::new(Reason::Blocked, format!("SchemaReady: {why}"))),
        }
    }
    if new.revision == old.revision && meaning(old) != meaning(new) {
        let message = "the edit changes what open windows mean: allowed with a higher 'revision'";
        return Err(Held::new(Reason::RevisionRequired, message));
    }
    let grows = new.source.topic.partitions > old.source.topic.partitions;
    let changes = new.revision != old.revision;
    let mut epochs = running.epochs.clone();
    let partitions = old.source.topic.partitions;
    if let Some(previous) = &epochs.previous
        && is_published(&facts.reports, partitions, previous.until)
    {
        epochs.previous = None;
    }
    prune(&mut epochs.topology, facts, partitions);
    if !grows && !changes {
        return Ok(epochs);
    }
    if changes && epochs.previous.is_some() {
        let message = "the next revision waits until all windows of the one before are published";
        return Err(Held::new(Reason::Progressing, message));
    }
    // A rolling restart ends one after the other; for a new meaning all end at once.
    let one_by_one = if grows { facts.pods.len().max(1) as i64 } else { 1 };
    let from = match boundary(&valid.plan, partitions, facts, HANDOVER * one_by_one) {
        Boundary::Wait(what) => return Err(Held::new(Reason::Progressing, format!("waits for {what}"))),
        Boundary::Nothing => return Ok(Epochs::default()),
        Boundary::At(from) => epochs.topology.last().and_then(|last| last.from).map_or(from, |last| from.max(last)),
    };
    if grows {
        // A partition that joins in the middle of a change joins the new meaning alone, whose grid the boundary lies on.
        let from = epochs.previous.as_ref().map_or(from, |previous| from.max(previous.until));
        grow(&mut epochs.topology, partitions, new.source.topic.partitions, from);
    }
    if changes {
        let (size_ms, offset_ms) = (old.window.size.millis(), old.window.offset.millis());
        let from = window_after(valid.plan.window, from - 1);
        let until = on_both_grids(valid.plan.window, WindowPlan { size_ms, offset_ms }, from);
        epochs.previous = Some(PreviousMeaning { until, spec: old.clone() });
    }
    Ok(epochs)
}

/// The epochs with a later boundary, where a restart took so long that the one in force was overtaken before the topic grew.
fn moved(valid: &Valid, running: &Config, facts: &Facts<'_>) -> Option<Epochs> {
    let last = running.epochs.topology.last()?;
    let partitions = facts.source_partitions.filter(|partitions| *partitions < last.partitions)?;
    if !is_overtaken(&facts.reports, last.from?) {
        return None;
    }
    let ahead = HANDOVER * facts.pods.len().max(1) as i64;
    let Boundary::At(from) = boundary(&valid.plan, partitions, facts, ahead) else { return None };
    let mut epochs = running.epochs.clone();
    epochs.topology.last_mut()?.from = Some(from);
    Some(epochs)
}

fn grow(topology: &mut Vec<TopologyEpoch>, before: u32, partitions: u32, from: i64) {
    if topology.is_empty() {
        topology.push(TopologyEpoch { from: None, partitions: before });
    }
    topology.retain(|epoch| epoch.from != Some(from));
    topology.push(TopologyEpoch { from: Some(from), partitions });
}

/// Forgets epochs whose windows are all published.
fn prune(topology: &mut Vec<TopologyEpoch>, facts: &Facts<'_>, partitions: u32) {
    let over = |epoch: &TopologyEpoch| epoch.from.is_some_and(|from| is_published(&facts.reports, partitions, from));
    if let Some(last) = topology.iter().rposition(over) {
        topology.drain(..last);
        topology[0].from = None;
        if topology.len() == 1 {
            topology.clear();
        }
    }
}

/// What of a manifest gives windows their meaning.
fn meaning(spec: &AnalyticsPipelineSpec) -> impl PartialEq + '_ {
    let dead_letter: Vec<&Rule> =
        spec.quality.rules.iter().filter(|rule| rule.on_violation == OnViolation::DeadLetter).collect();
    let skew = spec.source.watermark.max_future_skew.as_ref().map(schemas::spec::Duration::millis);
    let latency = dead_letter
        .iter()
        .any(|rule| rule.max_latency.is_some())
        .then_some((&spec.source.ingest_time, spec.source.ingest_time_unit));
    (
        (spec.window.size.millis(), spec.window.offset.millis()),
        (&spec.group_by, &spec.measures, &spec.filter),
        (&spec.source.event_id, spec.source.isolation, latency),
        (&spec.source.event_time, spec.source.event_time_unit, &spec.source.earliest_event_time),
        (spec.source.watermark.delay.millis(), skew),
        dead_letter,
    )
}
