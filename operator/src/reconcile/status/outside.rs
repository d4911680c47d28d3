//! `TopicsReady` and `SchemaReady`.

use schemas::spec::Register;
use schemas::status::Reason;

use super::{Answer, Picture};
use crate::reconcile::observe::Subject;
use crate::reconcile::plan::TopicFault;
use crate::world::{BrokerError, RegistryError};

/// `TopicsReady`.
pub(super) fn topics(picture: &Picture<'_>) -> Answer {
    if let Some(missing) = picture.seen.secrets.missing_kafka() {
        return Answer::no(Reason::SecretMissing, missing);
    }
    let found = match &picture.outside.topics {
        None => return Answer::unknown(Reason::NotObserved, "the brokers have not been asked"),
        Some(Err(error)) => return broker(error),
        Some(Ok(found)) => found,
    };
    if let Some(error) = picture.deeds.and_then(|deeds| deeds.topic_errors.first()) {
        return broker(error);
    }
    if let Some((worker, recreated)) = picture.trouble("TopicRecreated") {
        return Answer::no(Reason::TopicRecreated, format!("worker '{worker}': {}", recreated.message));
    }
    let faults = picture.decision.map(|decision| decision.topic_faults.as_slice()).unwrap_or_default();
    let missing = faults.iter().find(|fault| matches!(fault, TopicFault::Missing(_)));
    let drift = faults.iter().find(|fault| matches!(fault, TopicFault::Drift(_)));
    match missing.or(drift).or(faults.first()) {
        Some(TopicFault::Missing(words)) => Answer::no(Reason::TopicMissing, words),
        Some(TopicFault::Drift(words)) => Answer::no(Reason::TopicDrift, words),
        Some(TopicFault::Growing(words)) => Answer::no(Reason::Progressing, words),
        None => Answer::yes(Reason::TopicsExist, format!("all {} topics exist as declared", found.len())),
    }
}

fn broker(error: &BrokerError) -> Answer {
    let message = error.to_string();
    match error {
        BrokerError::Reach { .. } => Answer::unknown(Reason::BrokerUnreachable, message),
        BrokerError::Authenticate { .. } => Answer::no(Reason::BrokerAuthenticationFailed, message),
        BrokerError::Authorize { .. } => Answer::no(Reason::BrokerAuthorizationFailed, message),
        BrokerError::Refuse { .. } => Answer::no(Reason::TopicRefused, message),
    }
}

/// `SchemaReady`.
pub(super) fn schema(picture: &Picture<'_>) -> Answer {
    if let Some(missing) = picture.seen.secrets.missing_registry() {
        return Answer::no(Reason::SecretMissing, missing);
    }
    let subject = match &picture.outside.subject {
        None => return Answer::unknown(Reason::NotObserved, "the registry has not been asked"),
        Some(Err(error)) => return registry(error),
        Some(Ok(subject)) => subject,
    };
    if !subject.problems.is_empty() {
        return Answer::no(Reason::SchemaIncompatible, subject.problems.join("; "));
    }
    if let Some(error) = picture.deeds.and_then(|deeds| deeds.schema_error.as_ref()) {
        return registry(error);
    }
    let name = picture.valid.map(|valid| valid.plan.source.subject.as_str()).unwrap_or_default();
    match picture.deeds.and_then(|deeds| deeds.schema_id).or(subject.state.id) {
        Some(id) => Answer::yes(Reason::SchemaRegistered, format!("subject '{name}' holds the schema as id {id}")),
        None if reads_only(picture, subject) => Answer::yes(Reason::SchemaReadable, left_alone(name, subject)),
        None => Answer::unknown(Reason::Progressing, format!("subject '{name}' does not hold the schema yet")),
    }
}

/// Whether the schema is not to be registered in the subject as it is.
fn reads_only(picture: &Picture<'_>, subject: &Subject) -> bool {
    match picture.valid.map(|valid| valid.plan.source.register) {
        Some(Register::IfEmpty) => subject.state.latest.is_some(),
        Some(Register::Never) => true,
        Some(Register::Always) | None => false,
    }
}

fn left_alone(name: &str, subject: &Subject) -> String {
    match subject.state.latest {
        Some(_) => {
            format!("subject '{name}' holds other versions and is left as it is; the schema can read the latest")
        }
        None => format!("subject '{name}' has no version yet, and is left to those who produce"),
    }
}

fn registry(error: &RegistryError) -> Answer {
    let message = error.to_string();
    match error {
        RegistryError::Reach { .. } => Answer::unknown(Reason::RegistryUnreachable, message),
        RegistryError::Authenticate { .. } => Answer::no(Reason::RegistryAuthenticationFailed, message),
        RegistryError::Incompatible { .. } => Answer::no(Reason::SchemaIncompatible, message),
        RegistryError::Refuse { .. } => Answer::no(Reason::SchemaRefused, message),
    }
}
