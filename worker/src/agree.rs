//! Whether a topic has as many partitions as the manifest says. Where it has not, records would wait unread, or windows for
//! partitions that there are not.

use std::time::Duration;

use plan::Plan;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use thiserror::Error;

/// Topic and manifest disagree. The user must change one of them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("topic '{topic}' has {found} partitions, the manifest says {said}: write 'partitions: {found}' in '{field}'{}", if found < said { ", or give the topic more" } else { "" })]
pub struct Disagreement {
    /// The topic.
    pub topic: String,
    /// How many it has.
    pub found: u32,
    /// How many the manifest says.
    pub said: u32,
    /// Where the manifest says it.
    pub field: &'static str,
}

impl Disagreement {
    /// What is wrong when the source topic of `plan` has `found` partitions, and `known` of them are to be read.
    pub fn of_source(plan: &Plan, found: u32, known: u32) -> Option<Self> {
        let topic = plan.source.topic.clone();
        (found != known).then_some(Self { topic, found, said: known, field: "spec.source.topic" })
    }
}

/// What is wrong with the partitions of the source topic and of the partials topic; a topic that does not exist is no
/// disagreement.
///
/// # Errors
/// The broker does not answer within `wait`.
pub fn disagreement(plan: &Plan, asker: &BaseConsumer, wait: Duration) -> Result<Option<Disagreement>, KafkaError> {
    let source = count(asker, &plan.source.topic, wait)?;
    let source = source.and_then(|found| Disagreement::of_source(plan, found, plan.source.partitions));
    if source.is_some() {
        return Ok(source);
    }
    let (topic, said) = (plan.partials_topic.clone(), plan.partials_partitions);
    let partials = count(asker, &topic, wait)?.filter(|found| *found != said);
    Ok(partials.map(|found| Disagreement { topic, found, said, field: "spec.partials" }))
}

/// How many partitions a topic has, if it exists.
///
/// # Errors
/// The broker does not answer within `wait`.
pub fn count(asker: &BaseConsumer, topic: &str, wait: Duration) -> Result<Option<u32>, KafkaError> {
    let metadata = asker.fetch_metadata(Some(topic), wait)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
    match found.error().map(Code::from) {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Ok(None),
        Some(code) => Err(KafkaError::MetadataFetch(code)),
        None => Ok(Some(found.partitions().len() as u32)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_numbers_are_told_and_what_to_write() {
        let told = |found, said| {
            Disagreement { topic: "sales".to_owned(), found, said, field: "spec.source.topic" }.to_string()
        };
        assert_eq!(
            told(4, 2),
            "topic 'sales' has 4 partitions, the manifest says 2: write 'partitions: 4' in 'spec.source.topic'"
        );
        assert_eq!(
            told(2, 4),
            "topic 'sales' has 2 partitions, the manifest says 4: write 'partitions: 2' in 'spec.source.topic', or give the \
             topic more"
        );
    }
}
