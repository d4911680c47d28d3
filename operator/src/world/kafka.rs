//! Kafka's topics through librdkafka's administrator's client.
//!
//! Owns one client per way to reach a cluster, shared by all pipelines that use it and dropped when none has for a while.
//! Kept true: a cluster that is away is asked again only after a pause that grows, whoever asks; so three hundred pipelines on
//! a dead cluster do not keep the operator from the others. Looking a topic up never creates it.

mod client;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use plan::TopicPlan;
use rdkafka::admin::{NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::RDKafkaErrorCode as Code;

use self::client::{Client, options};
use super::{Broker, BrokerError, KafkaAccess, TopicState};

/// A client that nobody used for this long is dropped.
const UNUSED_FOR: Duration = Duration::from_mins(10);

/// The clients.
#[derive(Default)]
pub struct KafkaAdmin {
    clients: Mutex<HashMap<KafkaAccess, Slot>>,
}

struct Slot {
    client: Arc<Client>,
    used: Instant,
}

impl KafkaAdmin {
    fn client(&self, access: &KafkaAccess) -> Result<Arc<Client>, BrokerError> {
        let now = Instant::now();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept, unused) = clients.drain().partition(|(_, slot)| now.duration_since(slot.used) < UNUSED_FOR);
        *clients = kept;
        retire(unused);
        if let Some(slot) = clients.get_mut(access) {
            slot.used = now;
            return Ok(slot.client.clone());
        }
        let client = Arc::new(Client::new(access)?);
        clients.insert(access.clone(), Slot { client: client.clone(), used: now });
        Ok(client)
    }
}

/// Destroying a client waits for its threads, which must not hold up anybody.
fn retire(clients: HashMap<KafkaAccess, Slot>) {
    if !clients.is_empty() {
        std::thread::spawn(move || drop(clients));
    }
}

impl Broker for KafkaAdmin {
    async fn topics(&self, access: &KafkaAccess, names: &[String]) -> Result<Vec<Option<TopicState>>, BrokerError> {
        let client = self.client(access)?;
        let mut topics = client.partitions(names).await?;
        let existing: Vec<&str> =
            names.iter().zip(&topics).filter(|(_, topic)| topic.is_some()).map(|(name, _)| name.as_str()).collect();
        if existing.is_empty() {
            return Ok(topics);
        }
        let specifiers: Vec<ResourceSpecifier<'_>> =
            existing.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        // What may not be read is unknown, and nothing else fails for it.
        let Ok(described) = client.admin.describe_configs(&specifiers, &options()).await else { return Ok(topics) };
        for (topic, resource) in topics.iter_mut().flatten().zip(described) {
            let entries = resource.ok().map(|resource| resource.entries);
            topic.config =
                entries.map(|all| all.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect());
        }
        Ok(topics)
    }

    async fn create_topic(&self, access: &KafkaAccess, topic: &TopicPlan) -> Result<(), BrokerError> {
        let client = self.client(access)?;
        let copies = topic.replication_factor.map_or(-1, i32::from);
        let mut new = NewTopic::new(&topic.name, topic.partitions as i32, TopicReplication::Fixed(copies));
        for (key, value) in &topic.config {
            new = new.set(key, value);
        }
        let answer = client.admin.create_topics([&new], &options()).await;
        let copies = topic.replication_factor.map_or_else(|| "the broker's default".to_owned(), |n| n.to_string());
        let deed = format!(
            "create topic '{}' with {} partitions and replication factor {copies}",
            topic.name, topic.partitions
        );
        client.judge(&deed, answer, |code| code == Code::TopicAlreadyExists)
    }

    async fn grow_topic(&self, access: &KafkaAccess, name: &str, partitions: u32) -> Result<(), BrokerError> {
        let client = self.client(access)?;
        let new = NewPartitions::new(name, partitions as usize);
        let answer = client.admin.create_partitions([&new], &options()).await;
        let deed = format!("give topic '{name}' {partitions} partitions");
        // The broker calls it invalid when the topic has them; the next look shows which it is.
        client.judge(&deed, answer, |_| false)
    }

    async fn delete_topic(&self, access: &KafkaAccess, name: &str) -> Result<(), BrokerError> {
        let client = self.client(access)?;
        let answer = client.admin.delete_topics(&[name], &options()).await;
        let gone = |code| code == Code::UnknownTopicOrPartition;
        client.judge(&format!("delete topic '{name}'"), answer, gone)
    }
}
