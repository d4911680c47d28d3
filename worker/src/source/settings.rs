//! Owns how the consumer is configured. Three layers, later ones win: what was measured to be fast, what the user says, what the
//! semantics need.

use rdkafka::ClientConfig;

/// Small on purpose: larger fetches and queues were measured slower and take more memory.
const TUNING: [(&str, &str); 9] = [
    ("fetch.message.max.bytes", "262144"),
    ("queued.max.messages.kbytes", "8192"),
    ("queued.min.messages", "100000"),
    ("fetch.queue.backoff.ms", "10"),
    ("fetch.error.backoff.ms", "100"),
    ("reconnect.backoff.ms", "100"),
    ("reconnect.backoff.max.ms", "2000"),
    ("topic.metadata.refresh.interval.ms", "10000"),
    ("client.id", "sluice"),
];

/// What the worker relies on; the user cannot change it.
pub(super) const BINDING: [(&str, &str); 7] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    // It makes the client skip a record after a rebalance, see `super::batch::PartitionQueue`.
    ("enable.partition.eof", "false"),
    ("statistics.interval.ms", "0"),
    ("allow.auto.create.topics", "false"),
];

/// Which records a consumer sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Records of finished transactions and records without one.
    #[default]
    ReadCommitted,
    /// Every record at once.
    ReadUncommitted,
}

/// Everything that [`super::Consumer::join`] needs.
#[derive(Clone, Debug, Default)]
pub struct SourceSettings {
    /// `host:port,…`.
    pub bootstrap: String,
    /// The topic to read.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// The name under which a restarted member keeps its partitions (static membership).
    pub instance: Option<String>,
    /// Which records are seen.
    pub isolation: Isolation,
    /// The user's client properties, security among them.
    pub properties: Vec<(String, String)>,
}

impl SourceSettings {
    pub(crate) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (key, value) in TUNING {
            config.set(key, value);
        }
        for (key, value) in &self.properties {
            config.set(key, value);
        }
        for (key, value) in BINDING {
            config.set(key, value);
        }
        config.set("bootstrap.servers", &self.bootstrap).set("group.id", &self.group);
        config.set(
            "isolation.level",
            match self.isolation {
                Isolation::ReadCommitted => "read_committed",
                Isolation::ReadUncommitted => "read_uncommitted",
            },
        );
        if let Some(instance) = &self.instance {
            config.set("group.instance.id", instance);
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_may_tune_but_not_change_the_semantics() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let settings = SourceSettings {
            instance: Some("pod-0".to_owned()),
            properties: vec![
                pair("fetch.message.max.bytes", "1000000"),
                pair("auto.offset.reset", "latest"),
                pair("security.protocol", "ssl"),
            ],
            ..SourceSettings::default()
        };
        let config = settings.client_config();
        assert_eq!(config.get("fetch.message.max.bytes"), Some("1000000"));
        assert_eq!(config.get("auto.offset.reset"), Some("error"));
        assert_eq!(config.get("security.protocol"), Some("ssl"));
        assert_eq!(config.get("group.instance.id"), Some("pod-0"));
        assert_eq!(config.get("isolation.level"), Some("read_committed"));
    }
}
