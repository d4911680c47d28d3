//! Owns how an answer about commits is read: for the source topic and for the partials topic alike.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

/// What an answer about commits says of a partition: offset and metadata. An error that stands beside the partition is none of
/// "nothing is committed".
///
/// # Errors
/// That error, or the answer does not speak of the partition.
pub fn committed_of(
    answer: &TopicPartitionList,
    topic: &str,
    partition: i32,
) -> Result<Option<(i64, String)>, KafkaError> {
    let element = answer.find_partition(topic, partition);
    let element = element.ok_or(KafkaError::OffsetFetch(RDKafkaErrorCode::UnknownPartition))?;
    element.error()?;
    Ok(match element.offset() {
        Offset::Offset(position) => Some((position, element.metadata().to_owned())),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_does_not_hold_is_not_taken_for_nothing_committed() {
        let mut answer = TopicPartitionList::new();
        answer.add_partition_offset("partials", 0, Offset::Offset(7)).expect("a valid offset");
        answer.add_partition("partials", 1);
        assert_eq!(committed_of(&answer, "partials", 0), Ok(Some((7, String::new()))));
        assert_eq!(committed_of(&answer, "partials", 1), Ok(None));
        let absent = Err(KafkaError::OffsetFetch(RDKafkaErrorCode::UnknownPartition));
        assert_eq!(committed_of(&answer, "partials", 2), absent);
    }
}
