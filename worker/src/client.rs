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

/// The group under which publish progress is committed. Its members assign partitions to themselves.
pub fn publish_group(plan: &Plan) -> String {
    format!("{}.publish", plan.name)
}
