//! A run on a Kafka that others use as well: kept apart from the pipeline that may run there.
//!
//! Keeps true: without `--take-over` nothing of the pipeline itself is touched: not its group, not its partials, not its dead
//! letters. With it, the group has no other member.

use std::time::{Duration, Instant};

use plan::Plan;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::groups::{GroupInfo, GroupMemberInfo};
use schemas::text::plain;
use thiserror::Error;
use worker::client::client;

/// How long a question waits for its answer.
const ASK: Duration = Duration::from_secs(10);
/// How long members that are just leaving are waited for.
const LEAVING: Duration = Duration::from_secs(3);

/// The group has members, so this run would take partitions from them.
#[derive(Debug, Error)]
#[error("consumer group '{group}' has members ({members}): {what_to_do}")]
pub struct Busy {
    /// The group.
    group: String,
    /// Who is in it.
    members: String,
    what_to_do: &'static str,
}

/// Who runs it, as a part of names: lower case letters, digits and '-', at most 32.
pub fn user() -> String {
    let named = ["USER", "LOGNAME", "USERNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    named.map(|name| as_name(&name)).find(|name| !name.is_empty()).unwrap_or_else(|| "someone".to_owned())
}

fn as_name(user: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = user.chars().map(letter).take(32).collect();
    name.trim_matches('-').to_owned()
}

/// Gives `plan` a group, a partials topic and a dead-letter topic of `user`'s own.
pub fn keep_apart(plan: &mut Plan, user: &str) {
    let group = format!("{}-dev-{user}", plan.name);
    let (partials, letters) = (format!("{group}.partials.v1"), format!("{group}.dlq.v1"));
    for topic in &mut plan.topics {
        let own = match &topic.name {
            name if *name == plan.partials_topic => &partials,
            name if *name == plan.dead_letter_topic => &letters,
            _ => continue,
        };
        topic.name.clone_from(own);
        // One that the manifest only names exists for the pipeline, not for this run.
        topic.managed = true;
    }
    (plan.group, plan.partials_topic, plan.dead_letter_topic) = (group, partials, letters);
}

/// The members of the run's group, if there are any.
///
/// # Errors
/// The broker does not answer.
pub fn busy(plan: &Plan, take_over: bool) -> Result<Option<Busy>, KafkaError> {
    let asker: BaseConsumer = client(plan).create()?;
    let begun = Instant::now();
    loop {
        let groups = asker.fetch_group_list(Some(&plan.group), ASK)?;
        let members: Vec<String> = groups.groups().iter().flat_map(GroupInfo::members).map(shown).collect();
        if members.is_empty() {
            return Ok(None);
        }
        if begun.elapsed() >= LEAVING {
            let what_to_do = if take_over {
                "the pipeline runs; stop its workers before --take-over (on a cluster with 'suspend: true')"
            } else {
                "another 'sluice dev' of yours runs, or was killed less than a minute ago; end it, or wait"
            };
            return Ok(Some(Busy { group: plan.group.clone(), members: members.join(", "), what_to_do }));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn shown(member: &GroupMemberInfo) -> String {
    plain(member.id()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Document, Source, read};

    #[test]
    fn users_become_parts_of_names() {
        assert_eq!(as_name("Ada.Lovelace@example.org"), "ada-lovelace-example-org");
        assert_eq!(as_name("_"), "");
        assert_eq!(as_name(&"x".repeat(99)).len(), 32);
    }

    #[test]
    fn nothing_of_the_pipeline_itself_is_left() {
        let source = Source::new("p.yaml", include_str!("../../../examples/revenue-5m.yaml"));
        let Some(Document::Pipeline(quickstart)) = read(&source).pop() else { panic!("it is right") };
        let pipeline = quickstart.plan;
        let mut own = pipeline.clone();
        keep_apart(&mut own, "ada");
        assert_eq!(own.group, "revenue-5m-dev-ada");
        assert_eq!(own.topics[0], pipeline.topics[0], "the source is the same");
        let names = |plan: &Plan| plan.topics.iter().map(|topic| topic.name.clone()).collect::<Vec<_>>();
        assert!(names(&own)[1..].iter().all(|name| name.starts_with("revenue-5m-dev-ada.")), "{:?}", names(&own));
        assert_eq!(names(&own)[1..], [own.dead_letter_topic.clone(), own.partials_topic.clone()]);
        assert_eq!(own.name, pipeline.name, "tables have the pipeline's name");
    }
}
