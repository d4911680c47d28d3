//! Does what was decided about topics and the subject. Each deed can be done again; one that fails holds up no other.

use schemas::status::EventReason;

use super::Deeds;
use crate::reconcile::plan::{Decision, TopicStep};
use crate::reconcile::validate::Valid;
use crate::world::World;

/// Creates and grows topics.
pub async fn topics<W: World>(world: &W, valid: &Valid, decision: &Decision, deeds: &mut Deeds) {
    let Some(access) = &valid.kafka else { return };
    for step in &decision.topic_steps {
        let done = match step {
            TopicStep::Create(topic) => world.create_topic(access, topic).await.map(|()| {
                let words = format!("topic '{}' with {} partitions", topic.name, topic.partitions);
                (EventReason::TopicCreated, words)
            }),
            TopicStep::Grow { name, partitions } => world
                .grow_topic(access, name, *partitions)
                .await
                .map(|()| (EventReason::TopicGrown, format!("topic '{name}' to {partitions} partitions"))),
        };
        match done {
            Ok((reason, words)) => deeds.tell(reason, words),
            Err(error) => deeds.topic_errors.push(error),
        }
    }
}

/// Sets the subject's level and registers the schema.
pub async fn subject<W: World>(world: &W, valid: &Valid, decision: &Decision, deeds: &mut Deeds) {
    let Some(access) = &valid.registry else { return };
    let (subject, schema) = (&valid.plan.source.subject, &valid.plan.full_schema);
    if let Some(level) = decision.subject_steps.level {
        match world.set_level(access, subject, level).await {
            Ok(()) => deeds.tell(EventReason::SchemaRegistered, format!("level '{level}' of subject '{subject}'")),
            Err(error) => deeds.schema_error = Some(error),
        }
    }
    if decision.subject_steps.register {
        match world.register(access, subject, schema).await {
            Ok(id) => {
                deeds.schema_id = Some(id);
                deeds.tell(EventReason::SchemaRegistered, format!("schema {id} in subject '{subject}'"));
            }
            Err(error) => deeds.schema_error = Some(error),
        }
    }
}
