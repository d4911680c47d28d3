//! Owns what the topics take: the largest message of each, asked of the broker at the start and again when one was refused.
//!
//! A broker that does not say (no permission to describe, or too old) is taken to hold Kafka's default; after a refusal half of what was
//! believed before is tried. What is known decides how messages are cut, never what they say.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use thiserror::Error;

/// The topic setting that is asked for.
pub const SETTING: &str = "max.message.bytes";
/// What bounds messages in the client's own properties.
const CLIENT_SETTING: &str = "message.max.bytes";
/// What a broker takes whose topic says nothing else: Kafka's default of `message.max.bytes`.
const DEFAULT: usize = 1_048_588;
/// The smallest limit with which pieces and pointers still make sense.
pub const LEAST: usize = 16_384;
/// More is not made use of, whatever the topic takes: a message has to fit the client's queue.
const MOST: usize = 32 * 1024 * 1024;
/// What a batch of one record adds to key, value and headers, and a margin for a broker that packs it otherwise.
const ENVELOPE: usize = 512;

/// What is believed of one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit {
    /// What the broker said.
    told: Option<usize>,
    /// What is kept to.
    used: usize,
    /// Something was refused for its size.
    doubted: bool,
}

impl Limit {
    const UNKNOWN: Self = Self { told: None, used: DEFAULT, doubted: false };

    /// The same after the broker was asked again.
    fn asked(self, told: Option<usize>) -> Self {
        let believed = told.unwrap_or(DEFAULT);
        let used = match self.doubted {
            true if self.told == told && believed >= self.used && self.used >= LEAST => self.used / 2,
            true if believed >= self.used && told.is_none() && self.used >= LEAST => self.used / 2,
            _ => believed,
        };
        Self { told, used, doubted: false }
    }
}

/// The limits of the topics that are written to.
#[derive(Debug)]
pub(super) struct Limits {
    topics: BTreeMap<String, Limit>,
    /// No message is larger, whatever its topic takes.
    most: usize,
}

impl Limits {
    /// None is known yet; the user's `message.max.bytes` of the client, if there is one, bounds them all.
    pub(super) fn new(client: &ClientConfig) -> Self {
        let asked = client.get(CLIENT_SETTING).and_then(|bytes| bytes.parse().ok());
        Self { topics: BTreeMap::new(), most: MOST.min(asked.unwrap_or(MOST)) }
    }

    /// Most bytes of a record's key, value and headers together.
    pub(super) fn room(&self, topic: &str) -> usize {
        self.of(topic).used.min(self.most).saturating_sub(ENVELOPE)
    }

    /// The largest message that a topic is believed to take.
    pub(super) fn used(&self, topic: &str) -> usize {
        self.of(topic).used
    }

    /// The largest batch that all topics take.
    pub(super) fn batch(&self) -> usize {
        self.topics.values().map(|limit| limit.used.min(self.most)).min().unwrap_or(DEFAULT.min(self.most))
    }

    /// Something was refused for its size: the broker must be asked again.
    pub(super) fn doubt(&mut self, topic: &str) {
        self.topics.entry(topic.to_owned()).or_insert(Limit::UNKNOWN).doubted = true;
    }

    /// Asks for the limits of these topics, unless they are known and stand; whether one is another than before.
    pub(super) fn ask(&mut self, client: &ClientConfig, topics: &[&str], wait: Duration) -> bool {
        let stands = |limit: &Limit| !limit.doubted && limit.used >= LEAST;
        if topics.iter().all(|topic| self.topics.get(*topic).is_some_and(stands)) {
            return false;
        }
        let told = match describe(client, topics, wait) {
            Ok(told) => told,
            Err(error) => {
                tracing::warn!(%error, assumed = DEFAULT, "the broker does not say how large messages may be");
                BTreeMap::new()
            }
        };
        let mut changed = false;
        for topic in topics {
            let before = self.of(topic);
            let after = before.asked(told.get(*topic).copied());
            changed |= !self.topics.contains_key(*topic) || before.used != after.used;
            tracing::info!(topic, told = after.told, used = after.used, "largest message");
            self.topics.insert((*topic).to_owned(), after);
        }
        changed
    }

    fn of(&self, topic: &str) -> Limit {
        self.topics.get(topic).copied().unwrap_or(Limit::UNKNOWN)
    }
}

/// The broker could not be asked.
#[derive(Debug, Error)]
enum AskError {
    /// The client.
    #[error(transparent)]
    Ask(#[from] KafkaError),
    /// What waits for the answer.
    #[error("cannot wait for an answer: {0}")]
    Wait(#[from] std::io::Error),
}

/// What the broker says of these topics, as far as it does.
fn describe(client: &ClientConfig, topics: &[&str], wait: Duration) -> Result<BTreeMap<String, usize>, AskError> {
    let admin: AdminClient<DefaultClientContext> = client.create()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let resources: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
    let options = AdminOptions::new().request_timeout(Some(wait));
    let mut told = BTreeMap::new();
    for (topic, answer) in topics.iter().zip(runtime.block_on(admin.describe_configs(&resources, &options))?) {
        match answer {
            Ok(answer) => {
                let value =
                    answer.get(SETTING).and_then(|entry| entry.value.as_deref()).and_then(|text| text.parse().ok());
                told.extend(value.map(|value| ((*topic).to_owned(), value)));
            }
            Err(error) => tracing::warn!(topic, %error, "the broker does not say how large messages may be"),
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_refusal_the_broker_s_word_counts_unless_it_is_what_was_refused() {
        let told = |told, used| Limit { told, used, doubted: false };
        let doubted = |limit: Limit| Limit { doubted: true, ..limit };
        let first = Limit::UNKNOWN.asked(Some(2_000_000));
        assert_eq!(first, told(Some(2_000_000), 2_000_000));
        assert_eq!(doubted(first).asked(Some(100_000)), told(Some(100_000), 100_000), "it was lowered");
        assert_eq!(doubted(first).asked(Some(2_000_000)), told(Some(2_000_000), 1_000_000), "it says what it refuses");
        let silent = Limit::UNKNOWN.asked(None);
        assert_eq!(silent, told(None, DEFAULT));
        let lower = doubted(silent).asked(None);
        assert_eq!(lower.used, DEFAULT / 2);
        assert_eq!(doubted(lower).asked(None).used, DEFAULT / 4);
        let low = doubted(told(None, LEAST)).asked(None);
        assert_eq!((low.used, low.asked(None).used), (LEAST / 2, DEFAULT), "below the least it begins anew");
    }

    #[test]
    fn what_is_not_known_is_the_default_and_what_is_huge_is_not_made_use_of() {
        let mut limits = Limits::new(&ClientConfig::new());
        assert_eq!(limits.room("t"), DEFAULT - ENVELOPE);
        limits.topics.insert("t".to_owned(), Limit { told: None, used: 1 << 30, doubted: false });
        limits.topics.insert("u".to_owned(), Limit { told: None, used: 50_000, doubted: false });
        assert_eq!((limits.room("t"), limits.room("u"), limits.batch()), (MOST - ENVELOPE, 50_000 - ENVELOPE, 50_000));
        let mut client = ClientConfig::new();
        client.set("message.max.bytes", "1000000");
        let mut limits = Limits { topics: limits.topics, ..Limits::new(&client) };
        assert_eq!(
            (limits.room("t"), limits.room("u"), limits.room("v")),
            (1_000_000 - ENVELOPE, 50_000 - ENVELOPE, 1_000_000 - ENVELOPE),
            "the client's own bound counts where it is the smaller one"
        );
        limits.topics.remove("u");
        assert_eq!(limits.batch(), 1_000_000);
    }
}
