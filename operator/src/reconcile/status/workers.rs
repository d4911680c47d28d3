//! `WorkersReady` and `StorageHealthy`.

use schemas::report::Trouble;
use schemas::status::{Reason, Time};

use super::{Answer, Picture};

/// `WorkersReady`: the most telling hindrance first, whoever reports it.
pub(super) fn workers(picture: &Picture<'_>) -> Answer {
    if let Some(refusal) = picture.deeds.and_then(|deeds| deeds.refusals.first()) {
        return Answer::no(refusal.reason, &refusal.message);
    }
    let Some(decision) = picture.decision else {
        return Answer::unknown(Reason::Blocked, "the manifest cannot be carried out; what runs is left as it is");
    };
    if decision.config.is_none() {
        let words = decision.held.as_ref().map(|held| held.message.clone()).unwrap_or_default();
        return Answer::no(Reason::Blocked, words);
    }
    if picture.wanted == 0 {
        return Answer::yes(Reason::Suspended, "no workers are wanted");
    }
    if decision.draining {
        return Answer::no(Reason::WorkersUpdating, "waits until the workers of the revision before have ended");
    }
    if let Some((pod, (reason, words))) = picture.seen.pods.iter().find_map(|pod| Some((pod, pod.trouble.as_ref()?))) {
        return Answer::no(*reason, format!("pod '{}': {words}", pod.name()));
    }
    if let Some(words) = &picture.seen.warnings.pods {
        return Answer::no(Reason::PodRefused, words);
    }
    match counted(picture) {
        // A worker that is not ready often says itself why.
        Some(starting) if starting.reason == Reason::WorkersStarting => troubled(picture).unwrap_or(starting),
        Some(other) => other,
        None => reported(picture),
    }
}

/// Whether all pods are there, new and ready.
fn counted(picture: &Picture<'_>) -> Option<Answer> {
    let (wanted, pods) = (picture.wanted, &picture.seen.pods);
    let current = picture.seen.stateful_set().and_then(|set| set.text("/status/updateRevision"));
    let old = pods.iter().filter(|pod| pod.template() != current || pod.object.is_terminating()).count();
    let ready = pods.iter().filter(|pod| pod.ready && !pod.object.is_terminating()).count();
    let known =
        picture.seen.stateful_set().is_some_and(|set| set.number("/status/observedGeneration") == set.generation());
    if current.is_some() && (!known || old > 0) {
        return Some(Answer::no(
            Reason::WorkersUpdating,
            format!("{} of {wanted} workers are new and ready", ready.min(pods.len() - old)),
        ));
    }
    if ready < wanted as usize || pods.len() != wanted as usize {
        return Some(Answer::no(Reason::WorkersStarting, format!("{ready} of {wanted} workers are ready")));
    }
    None
}

/// What the workers say of themselves.
fn reported(picture: &Picture<'_>) -> Answer {
    let silent = picture.outside.reports.iter().find(|(_, report)| report.is_none());
    if let Some((pod, _)) = silent {
        return Answer::unknown(Reason::WorkerUnreachable, format!("pod '{pod}' gives no report"));
    }
    if let Some(troubled) = troubled(picture) {
        return troubled;
    }
    Answer::yes(Reason::WorkersRunning, format!("{0} of {0} workers run what the manifest says", picture.wanted))
}

/// Words of workers that other conditions tell of.
const TOLD_ELSEWHERE: [&str; 8] = [
    "SinkUnavailable",
    "VolumeFull",
    "CheckpointFailed",
    "Divergence",
    "SourceDataLost",
    "TopicRecreated",
    "StoppedByRule",
    "DeadLetterRunaway",
];

/// The first trouble that a worker reports and no other condition tells of.
fn troubled(picture: &Picture<'_>) -> Option<Answer> {
    let here = |trouble: &&(&str, &Trouble)| !TOLD_ELSEWHERE.contains(&trouble.1.reason.as_str());
    let troubles = picture.troubles();
    let (worker, trouble) = troubles.iter().find(here)?;
    let words = format!("worker '{worker}': {}: {}", trouble.reason, trouble.message);
    Some(Answer::no(Reason::WorkerTroubled, words))
}

/// `StorageHealthy`.
pub(super) fn storage(picture: &Picture<'_>) -> Answer {
    if let Some(words) = picture.deeds.and_then(|deeds| deeds.volume_refusal.as_ref()) {
        return Answer::no(Reason::VolumeGrowthRefused, words);
    }
    for (worker, trouble) in picture.troubles() {
        let words = || format!("worker '{worker}': {}", trouble.message);
        match trouble.reason.as_str() {
            "SinkUnavailable" => return Answer::no(Reason::SinkUnavailable, words()),
            "VolumeFull" => return Answer::no(Reason::VolumeFull, words()),
            "CheckpointFailed" => return Answer::no(Reason::CheckpointFailed, words()),
            "Divergence" => return Answer::no(Reason::Divergence, words()),
            _ => {}
        }
    }
    let outputs = picture.reports().flat_map(|report| &report.outputs);
    if let Some(words) = outputs.flat_map(|output| &output.divergences).next() {
        return Answer::no(Reason::Divergence, words);
    }
    let claims = &picture.seen.claims;
    let why =
        |words: String| picture.seen.warnings.claims.as_ref().map_or(words.clone(), |more| format!("{words}: {more}"));
    if let Some(claim) = claims.iter().find(|claim| !claim.bound) {
        return Answer::no(Reason::VolumePending, why(format!("claim '{}' has no volume", claim.object.name())));
    }
    if let Some(claim) =
        claims.iter().find(|claim| claim.requested > claim.capacity && claim.requested != claim.capacity)
    {
        let size = claim.requested.as_deref().unwrap_or_default();
        return Answer::yes(Reason::VolumeGrowing, why(format!("claim '{}' grows to {size}", claim.object.name())));
    }
    if claims.is_empty() && picture.wanted > 0 {
        return Answer::unknown(Reason::Progressing, "there are no volumes yet");
    }
    let lost = picture.reports().flat_map(|report| &report.outputs).filter_map(|output| output.lost_until).max();
    let lost = lost.map(|until| format!("; windows that ended by {} may be missing", Time::from_millis(until)));
    let words = "volumes and store take what is written";
    Answer::yes(Reason::StorageWritable, format!("{words}{}", lost.unwrap_or_default()))
}
