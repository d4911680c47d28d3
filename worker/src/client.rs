//! What every Kafka client of the worker is configured with.

use plan::Plan;
use rdkafka::ClientConfig;

/// Brokers, security and the user's further properties.
pub fn client(plan: &Plan) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in &plan.kafka.properties {
        config.set(name, value);
    }
    config.set("bootstrap.servers", &plan.kafka.bootstrap);
    config
}

/// The group under which publish progress of the consumer group `group` is committed. Its members assign partitions to
/// themselves: a member of `group` itself could not commit for a topic that it is not subscribed to.
pub fn publish_group(group: &str) -> String {
    format!("{group}.publish")
}
