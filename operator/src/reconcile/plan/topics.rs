//! What is to be done about topics, and what about them is not as declared.

use plan::TopicPlan;

use crate::world::TopicState;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicStep {
    /// Create it.
    Create(TopicPlan),
    /// Give it more partitions.
    Grow {
        /// Its name.
        name: String,
        /// How many it shall have.
        partitions: u32,
    },
}

/// A topic that is not as declared, and that the operator does not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicFault {
    /// It does not exist and is not the operator's to create.
    Missing(String),
    /// It differs.
    Drift(String),
    /// It will grow, later.
    Growing(String),
}

/// Compares topics as they should be with topics as they are.
///
/// `may_grow` says whether the source topic, which comes first, may get more partitions now.
pub fn topics(
    wanted: &[TopicPlan],
    found: &[Option<TopicState>],
    may_grow: &Result<(), String>,
) -> (Vec<TopicStep>, Vec<TopicFault>) {
    let (mut steps, mut faults) = (Vec::new(), Vec::new());
    for (number, (topic, state)) in wanted.iter().zip(found).enumerate() {
        let name = &topic.name;
        let Some(state) = state else {
            if topic.managed {
                steps.push(TopicStep::Create(topic.clone()));
            } else {
                faults.push(TopicFault::Missing(format!("topic '{name}' does not exist")));
            }
            continue;
        };
        if state.partitions < topic.partitions {
            let grow = TopicStep::Grow { name: name.clone(), partitions: topic.partitions };
            match may_grow {
                _ if !topic.managed => faults.push(TopicFault::Drift(format!(
                    "topic '{name}' has {} partitions, declared are {}",
                    state.partitions, topic.partitions
                ))),
                Err(why) if number == 0 => {
                    faults.push(TopicFault::Growing(format!(
                        "topic '{name}' gets {} partitions {why}",
                        topic.partitions
                    )));
                }
                _ => steps.push(grow),
            }
        }
        faults.extend(drift(topic, state).map(TopicFault::Drift));
    }
    (steps, faults)
}

fn drift(topic: &TopicPlan, state: &TopicState) -> Option<String> {
    let name = &topic.name;
    let mut differences = Vec::new();
    if state.partitions > topic.partitions {
        differences.push(format!("{} partitions, declared are {}", state.partitions, topic.partitions));
    }
    if let Some(copies) = topic.replication_factor.filter(|copies| *copies != state.replication_factor) {
        differences.push(format!("{} copies, declared are {copies}", state.replication_factor));
    }
    if let (true, Some(config)) = (topic.managed, &state.config) {
        for (key, wanted) in &topic.config {
            if let Some(found) = config.get(key).filter(|found| *found != wanted) {
                differences.push(format!("{key}={found}, declared is '{wanted}'"));
            }
        }
    }
    (!differences.is_empty()).then(|| format!("topic '{name}' has {}", differences.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> TopicPlan {
        TopicPlan {
            name: "sales".to_owned(),
            partitions: 3,
            replication_factor: None,
            config: vec![("retention.ms".to_owned(), "1".to_owned())],
            managed: true,
        }
    }

    fn found(partitions: u32) -> TopicState {
        let config = [("retention.ms".to_owned(), "1".to_owned())].into();
        TopicState { partitions, replication_factor: 1, config: Some(config) }
    }

    fn judge(topic: &TopicPlan, state: Option<TopicState>) -> (Vec<TopicStep>, Vec<TopicFault>) {
        topics(std::slice::from_ref(topic), &[state], &Ok(()))
    }

    #[test]
    fn as_declared_is_nothing_to_do() {
        assert_eq!(judge(&wanted(), Some(found(3))), (vec![], vec![]));
    }

    #[test]
    fn a_managed_topic_is_created_and_grown_and_an_existing_one_only_looked_at() {
        let existing = TopicPlan { managed: false, ..wanted() };
        let grow = TopicStep::Grow { name: "sales".to_owned(), partitions: 3 };
        assert_eq!(judge(&wanted(), None).0, [TopicStep::Create(wanted())]);
        assert_eq!(judge(&wanted(), Some(found(2))).0, [grow]);
        assert_eq!(judge(&existing, None).1, [TopicFault::Missing("topic 'sales' does not exist".to_owned())]);
        let drift = TopicFault::Drift("topic 'sales' has 2 partitions, declared are 3".to_owned());
        assert_eq!(judge(&existing, Some(found(2))), (vec![], vec![drift]));
    }

    #[test]
    fn the_source_topic_grows_when_its_workers_are_ready_for_it() {
        let why = "once all workers know".to_owned();
        let (steps, faults) = topics(&[wanted()], &[Some(found(2))], &Err(why));
        assert!(steps.is_empty());
        assert_eq!(faults, [TopicFault::Growing("topic 'sales' gets 3 partitions once all workers know".to_owned())]);
    }

    #[test]
    fn drift_is_told_and_not_repaired() {
        let mut state = found(5);
        state.config = Some([("retention.ms".to_owned(), "2".to_owned())].into());
        let wanted = TopicPlan { replication_factor: Some(3), ..wanted() };
        let (steps, faults) = judge(&wanted, Some(state));
        assert!(steps.is_empty());
        let words =
            "topic 'sales' has 5 partitions, declared are 3; 1 copies, declared are 3; retention.ms=2, declared is '1'";
        assert_eq!(faults, [TopicFault::Drift(words.to_owned())]);
        let unread = TopicState { config: None, ..found(3) };
        assert_eq!(
            judge(&self::wanted(), Some(unread)),
            (vec![], vec![]),
            "settings that may not be read are no drift"
        );
    }
}
