//! The topics by name, and the bell that rings when a record arrives.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use super::codes::ErrorCode;
use super::log::{Log, TimestampType};

/// A topic; its partitions are numbered by their place.
pub(super) struct Topic {
    pub(super) id: [u8; 16],
    /// `max.message.bytes`: the largest batch that it takes.
    pub(super) max_message_bytes: usize,
    partitions: Vec<Mutex<Log>>,
}

impl Topic {
    pub(super) fn partition_count(&self) -> usize {
        self.partitions.len()
    }

    /// Its `message.timestamp.type`.
    pub(super) fn timestamps(&self) -> TimestampType {
        let first = self.partitions.first().map(|log| log.lock().unwrap_or_else(PoisonError::into_inner).timestamps());
        first.unwrap_or(TimestampType::CreateTime)
    }

    pub(super) fn log(&self, partition: i32) -> Result<MutexGuard<'_, Log>, ErrorCode> {
        let log = usize::try_from(partition)
            .ok()
            .and_then(|index| self.partitions.get(index))
            .ok_or(ErrorCode::UnknownTopicOrPartition)?;
        Ok(log.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a topic is made with.
pub(super) struct NewTopic {
    pub(super) name: String,
    pub(super) partitions: i32,
    pub(super) timestamps: TimestampType,
    pub(super) max_message_bytes: usize,
}

/// Kafka's default of `max.message.bytes`.
pub(super) const MAX_MESSAGE_BYTES: usize = 1_048_588;

/// All topics.
pub(super) struct Topics {
    folder: PathBuf,
    by_name: RwLock<BTreeMap<String, Arc<Topic>>>,
}

impl Topics {
    /// No topics yet; their logs will lie in `folder`.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, by_name: RwLock::default() }
    }

    pub(super) fn find(&self, name: &str) -> Result<Arc<Topic>, ErrorCode> {
        let topics = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        topics.get(name).cloned().ok_or(ErrorCode::UnknownTopicOrPartition)
    }

    pub(super) fn all(&self) -> Vec<(String, Arc<Topic>)> {
        let topics = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        topics.iter().map(|(name, topic)| (name.clone(), Arc::clone(topic))).collect()
    }

    pub(super) fn create(&self, new: &NewTopic) -> Result<(), ErrorCode> {
        if !is_legal_name(&new.name) {
            return Err(ErrorCode::InvalidTopic);
        }
        if !(1..=1_000).contains(&new.partitions) {
            return Err(ErrorCode::InvalidPartitions);
        }
        let mut topics = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if topics.contains_key(&new.name) {
            return Err(ErrorCode::TopicAlreadyExists);
        }
        let partitions = (0..new.partitions)
            .map(|_| Log::create(&self.folder, new.timestamps).map(Mutex::new))
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| {
                tracing::error!(%error, "the embedded broker cannot make a log");
                ErrorCode::KafkaStorageError
            })?;
        let id = rand::random();
        let max_message_bytes = new.max_message_bytes;
        topics.insert(new.name.clone(), Arc::new(Topic { id, max_message_bytes, partitions }));
        Ok(())
    }

    pub(super) fn delete(&self, name: &str) -> Result<(), ErrorCode> {
        let mut topics = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        topics.remove(name).map(|_| ()).ok_or(ErrorCode::UnknownTopicOrPartition)
    }
}

/// Kafka's rule: 1 to 249 of letters, digits, dot, underscore and dash, and not a folder's own name.
fn is_legal_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !matches!(name, "" | "." | "..") && name.len() <= 249 && name.chars().all(legal)
}

/// Counts arrivals, so that a fetch which found nothing can wait for the next one without missing it in between.
#[derive(Default)]
pub(super) struct Bell {
    rung: Mutex<u64>,
    changed: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    pub(super) fn count(&self) -> u64 {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the count is no longer `seen`, or at the deadline: true if it has changed.
    pub(super) fn wait_past(&self, seen: u64, deadline: Instant) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let left = deadline.saturating_duration_since(Instant::now());
        let (rung, _) =
            self.changed.wait_timeout_while(rung, left, |count| *count == seen).unwrap_or_else(PoisonError::into_inner);
        *rung != seen
    }
}
