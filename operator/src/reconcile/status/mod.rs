//! What the status says: one answer per question, folded into `Ready`, `Reconciling` and `Stalled`. Pure.
//!
//! Kept true: a status that says the same is the same text, so it is not written again; conditions and their messages hold
//! nothing that moves all the time, and what does move is written at most every half minute.

mod answer;
mod outside;
mod quality;
mod watermark;
mod workers;

use schemas::epochs::Epochs;
use schemas::report::{PartitionReport, Trouble, WorkerReport};
use schemas::status::{AnalyticsPipelineStatus, Condition, ConditionStatus, ConditionType, EventReason, Reason, Time};
use schemas::text::plain_lines;

use super::apply::Deeds;
use super::observe::{Outside, Seen};
use super::plan::{Decision, Stored};
use super::validate::{Invalid, Valid};
use crate::names;
use crate::world::Happening;

pub use answer::{Answer, needs_a_person};
pub use quality::quality_condition;
pub use watermark::Pace;

/// What moves all the time is written at most this often.
const PROGRESS_EVERY_MS: i64 = 30_000;

/// Everything that a status is made of.
pub struct Picture<'a> {
    /// Milliseconds since 1970 UTC.
    pub now: i64,
    /// What was seen.
    pub seen: &'a Seen,
    /// What was seen outside.
    pub outside: &'a Outside,
    /// The pipeline, if it can be built.
    pub valid: Option<&'a Valid>,
    /// Why it cannot.
    pub invalid: Option<&'a Invalid>,
    /// What was decided.
    pub decision: Option<&'a Decision>,
    /// What was done.
    pub deeds: Option<&'a Deeds>,
    /// Workers that the manifest asks for.
    pub wanted: i32,
    /// Partitions of the source topic that workers read.
    pub partitions: u32,
}

impl Picture<'_> {
    /// The reports that could be read.
    fn reports(&self) -> impl Iterator<Item = &WorkerReport> {
        self.outside.reports.iter().filter_map(|(_, report)| report.as_ref())
    }

    fn partitions(&self) -> impl Iterator<Item = &PartitionReport> {
        self.reports().flat_map(|report| &report.partitions)
    }

    /// Whether the reports hold every partition.
    fn complete(&self) -> bool {
        (0..self.partitions as i32).all(|number| self.partitions().any(|partition| partition.partition == number))
    }

    fn trouble(&self, reason: &str) -> Option<(&str, &Trouble)> {
        self.troubles().into_iter().find(|(_, trouble)| trouble.reason == reason)
    }

    fn troubles(&self) -> Vec<(&str, &Trouble)> {
        self.reports()
            .flat_map(|report| report.troubles.iter().map(|trouble| (report.worker.as_str(), trouble)))
            .collect()
    }
}

/// The status, before it is compared with the one that is written.
pub fn status(picture: &Picture<'_>, pace: &Pace) -> AnalyticsPipelineStatus {
    let reports: Vec<&WorkerReport> = picture.reports().collect();
    let (quality, data_quality) = quality_condition(&reports);
    let quality = if picture.complete() || quality.is_no() {
        quality
    } else {
        Answer::unknown(Reason::NotObserved, "not all partitions are in the workers' reports")
    };
    let parts = [
        (ConditionType::TopicsReady, outside::topics(picture)),
        (ConditionType::SchemaReady, outside::schema(picture)),
        (ConditionType::WorkersReady, workers::workers(picture)),
        (ConditionType::WatermarkAdvancing, watermark::watermark(picture, pace)),
        (ConditionType::StorageHealthy, workers::storage(picture)),
    ];
    let ready = ready(picture, &parts);
    let mut answers = vec![(ConditionType::Ready, ready.clone())];
    answers.extend(parts.clone());
    answers.push((ConditionType::DataQualityHealthy, quality));
    if ready.status != ConditionStatus::True && needs_a_person(ready.reason) {
        answers.push((ConditionType::Stalled, Answer::yes(ready.reason, ready.message)));
    } else if let Some(doing) = reconciling(picture, &parts) {
        answers.push((ConditionType::Reconciling, doing));
    }
    let old = &picture.seen.status;
    let generation = picture.seen.object.generation();
    let conditions = answers.into_iter().map(|(kind, answer)| condition(kind, &answer, old, generation, picture.now));
    let pods = &picture.seen.pods;
    let readies = pods.iter().filter(|pod| pod.ready && !pod.object.is_terminating()).count();
    // The configuration that was just decided on, or the one in force.
    let stored = Stored::in_force(&picture.seen.children).and_then(|stored| stored.config);
    let config =
        picture.decision.and_then(|decision| decision.config.as_ref().map(|(config, _, _)| config.clone())).or(stored);
    AnalyticsPipelineStatus {
        observed_generation: generation,
        conditions: conditions.collect(),
        revision: config.as_ref().map(|config| config.pipeline.spec.revision).or(old.revision),
        replicas: Some(pods.len() as i32),
        ready_replicas: Some(readies as i32),
        workers: Some(format!("{readies}/{}", picture.wanted)),
        selector: Some(names::selector(&picture.seen.identity.name)),
        // Unknown is not nothing: what was last known stays.
        progress: watermark::progress(picture, pace).or_else(|| old.progress.clone()),
        data_quality: data_quality.or_else(|| old.data_quality.clone()),
        epochs: config
            .map(|config| config.epochs)
            .or_else(|| old.epochs.clone())
            .filter(|epochs| *epochs != Epochs::default()),
        created_topics: old.created_topics.clone(),
    }
}

/// `Ready`: what forbids it first, then what hinders, then what is unknown.
fn ready(picture: &Picture<'_>, parts: &[(ConditionType, Answer)]) -> Answer {
    if let Some(invalid) = picture.invalid {
        return Answer::no(invalid.reason, &invalid.message);
    }
    let held = picture.decision.and_then(|decision| decision.held.as_ref());
    if let Some(held) = held.filter(|held| matches!(held.reason, Reason::RevisionRequired)) {
        return Answer::no(held.reason, &held.message);
    }
    if let Some((_, answer)) = parts.iter().find(|(_, answer)| answer.is_no() && answer.reason != Reason::Blocked) {
        return answer.clone();
    }
    if picture.wanted == 0 {
        return Answer::no(Reason::Suspended, "no workers are wanted; everything is kept");
    }
    if let Some(held) = held {
        return Answer::no(held.reason, &held.message);
    }
    let blocked = parts.iter().find(|(_, answer)| answer.is_no());
    let unknown = parts.iter().find(|(_, answer)| answer.status == ConditionStatus::Unknown);
    match blocked.or(unknown) {
        Some((_, answer)) => answer.clone(),
        None => Answer::yes(Reason::Running, "everything is in place and at work"),
    }
}

/// `Reconciling`, while something is on its way without anybody's help.
fn reconciling(picture: &Picture<'_>, parts: &[(ConditionType, Answer)]) -> Option<Answer> {
    if picture.invalid.is_some() {
        return None;
    }
    let held = picture.decision.and_then(|decision| decision.held.as_ref());
    let held = held.filter(|held| held.reason == Reason::Progressing).map(|held| held.message.clone());
    let moving = |answer: &Answer| {
        matches!(
            answer.reason,
            Reason::Progressing
                | Reason::WorkersStarting
                | Reason::WorkersUpdating
                | Reason::VolumeGrowing
                | Reason::VolumePending
        )
    };
    let part = parts.iter().find(|(_, answer)| moving(answer)).map(|(_, answer)| answer.message.clone());
    held.or(part).map(|words| Answer::yes(Reason::Progressing, words))
}

fn condition(
    kind: ConditionType,
    answer: &Answer,
    old: &AnalyticsPipelineStatus,
    generation: Option<i64>,
    now: i64,
) -> Condition {
    let mut condition = Condition::new(
        kind,
        answer.status,
        answer.reason,
        shortened(&plain_lines(&answer.message)),
        Time::from_millis(now),
    );
    condition.observed_generation = generation;
    if let Some(before) = find(old, kind).filter(|before| before.status == answer.status) {
        condition.last_transition_time = before.last_transition_time;
        if before.reason == condition.reason && counts(answer.reason) && same_words(&before.message, &condition.message)
        {
            condition.message.clone_from(&before.message);
        }
    }
    condition
}

/// Reasons whose messages come from elsewhere and may count or time something.
fn counts(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::WorkerTroubled
            | Reason::WorkerCrashing
            | Reason::BrokerUnreachable
            | Reason::BrokerAuthenticationFailed
            | Reason::RegistryUnreachable
            | Reason::SinkUnavailable
            | Reason::VolumeFull
            | Reason::CheckpointFailed
    )
}

/// Whether two messages say the same but for their numbers: written again and again they would be writes at rest.
fn same_words(one: &str, other: &str) -> bool {
    let words = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    words(one) == words(other)
}

/// The API server takes 4096 characters.
fn shortened(message: &str) -> String {
    if message.chars().count() <= 4_096 {
        message.to_owned()
    } else {
        message.chars().take(4_095).chain(['…']).collect()
    }
}

/// The condition of that type.
pub fn find(status: &AnalyticsPipelineStatus, kind: ConditionType) -> Option<&Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind.as_str())
}

/// The status to write over `old`, if one is to be written: when anything but progress changed, or when progress changed
/// and was not written for half a minute.
pub fn to_write(
    old: &AnalyticsPipelineStatus,
    new: AnalyticsPipelineStatus,
    written: Option<i64>,
    now: i64,
) -> Option<AnalyticsPipelineStatus> {
    if *old == new {
        return None;
    }
    let still = AnalyticsPipelineStatus {
        progress: old.progress.clone(),
        data_quality: old.data_quality.clone(),
        ..new.clone()
    };
    let due = written.is_none_or(|written| now - written >= PROGRESS_EVERY_MS);
    (still != *old || due).then_some(new)
}

/// Conditions that became false, or true again, as events.
pub fn changes(old: &AnalyticsPipelineStatus, new: &AnalyticsPipelineStatus) -> Vec<Happening> {
    let told = [
        ConditionType::TopicsReady,
        ConditionType::SchemaReady,
        ConditionType::WorkersReady,
        ConditionType::WatermarkAdvancing,
        ConditionType::DataQualityHealthy,
        ConditionType::StorageHealthy,
    ];
    let changed = told.into_iter().filter_map(|kind| {
        let (before, after) = (find(old, kind), find(new, kind)?);
        let was = before.map(|before| (before.status, before.reason.as_str()));
        let is_new = match after.status {
            ConditionStatus::False => was != Some((ConditionStatus::False, after.reason.as_str())),
            ConditionStatus::True => was.is_some_and(|(status, _)| status == ConditionStatus::False),
            ConditionStatus::Unknown => was.is_some_and(|(status, _)| status == ConditionStatus::True),
        };
        is_new.then(|| Happening {
            reason: if after.reason == Reason::WindowsIncomplete.as_str() {
                EventReason::SourceDataLost
            } else {
                EventReason::ConditionChanged
            },
            warning: after.status != ConditionStatus::True,
            note: format!("{}={:?} {}: {}", after.type_, after.status, after.reason, after.message),
        })
    });
    changed.collect()
}
