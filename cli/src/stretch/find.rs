//! Single records by their place, however far apart.

use std::time::{Duration, Instant};

use plan::Plan;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::{ASK, PATIENCE, Stored, StretchError, consumer};

/// Finds records of one topic.
pub struct Finder {
    consumer: BaseConsumer,
    topic: String,
}

impl Finder {
    /// For records of `topic`.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn open(plan: &Plan, topic: &str) -> Result<Self, StretchError> {
        let failed = |source| StretchError::Read { topic: topic.to_owned(), source };
        Ok(Self { consumer: consumer(plan).map_err(failed)?, topic: topic.to_owned() })
    }

    /// The record at this place, if the topic still holds it.
    ///
    /// # Errors
    /// The broker's.
    pub fn find(&self, partition: i32, offset: i64) -> Result<Option<Stored>, StretchError> {
        let failed = |source| StretchError::Read { topic: self.topic.clone(), source };
        let (low, high) = self.consumer.fetch_watermarks(&self.topic, partition, ASK).map_err(failed)?;
        if !(low..high).contains(&offset) {
            return Ok(None);
        }
        self.begin(partition, offset).map_err(failed)?;
        let heard = Instant::now();
        loop {
            if let Some(message) = self.consumer.poll(Duration::from_millis(100)) {
                let message = message.map_err(failed)?;
                // One of the place before may still have been on its way.
                if (message.partition(), message.offset()) == (partition, offset) {
                    return Ok(Some(Stored::of(&message)));
                }
            }
            let position = self.consumer.position().map_err(failed)?;
            let reached = position.find_partition(&self.topic, partition).map(|element| element.offset());
            if matches!(reached, Some(Offset::Offset(at)) if at > offset) {
                return Ok(None);
            }
            if heard.elapsed() > PATIENCE {
                return Err(StretchError::Silent { topic: self.topic.clone() });
            }
        }
    }

    fn begin(&self, partition: i32, offset: i64) -> Result<(), KafkaError> {
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(&self.topic, partition, Offset::Offset(offset))?;
        self.consumer.unassign()?;
        self.consumer.assign(&place)
    }
}
