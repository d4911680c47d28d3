//! What of a plan can be told to another process.

use serde::{Deserialize, Serialize};

use crate::{KafkaPlan, Plan, SinkPlan, SourcePlan, TopicPlan, WindowPlan};

/// All of a [`Plan`] that whoever sets a pipeline up needs, and nothing that runs: it can be sent from a process that compiles to one
/// that must not. The fields are those of the plan, with its units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// Revision of the pipeline's meaning.
    pub revision: i64,
    /// How to reach Kafka.
    pub kafka: KafkaPlan,
    /// Base address of the schema registry.
    pub registry_url: String,
    /// The topic to read.
    pub source: SourcePlan,
    /// Name of the partials topic.
    pub partials_topic: String,
    /// Source, dead letter and partials topic.
    pub topics: Vec<TopicPlan>,
    /// Avro JSON of the schema to register.
    pub full_schema: String,
    /// Avro JSON of the schema that records are read with.
    pub reader_schema: String,
    /// How far the watermark stays behind.
    pub delay_ms: i64,
    /// After how long without records a partition is idle.
    pub idle_after_ms: i64,
    /// How far ahead of log time an event time may be.
    pub max_future_skew_ms: i64,
    /// The windows.
    pub window: WindowPlan,
    /// Where tables go.
    pub sink: SinkPlan,
}

impl From<Plan> for Outline {
    fn from(plan: Plan) -> Self {
        Self {
            revision: plan.revision,
            kafka: plan.kafka,
            registry_url: plan.registry_url,
            source: plan.source,
            partials_topic: plan.partials_topic,
            topics: plan.topics,
            full_schema: plan.full_schema,
            reader_schema: plan.reader_schema,
            delay_ms: plan.delay_ms,
            idle_after_ms: plan.idle_after_ms,
            max_future_skew_ms: plan.max_future_skew_ms,
            window: plan.window,
            sink: plan.sink,
        }
    }
}
