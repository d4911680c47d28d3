//! Owns the question for a topic's identity, which the Rust client does not offer.
//!
//! A topic that is deleted and created again under its name has another identity, and its offsets mean other records.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::ptr;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka_sys as sys;
use sys::rd_kafka_resp_err_t as Code;

/// The identity of `topic` as 32 hexadecimal digits, asked for now; `None` when the broker gives none (before Kafka 2.8).
pub(super) fn topic_id<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    wait: Duration,
) -> Result<Option<String>, KafkaError> {
    let failed = |code: RDKafkaErrorCode| KafkaError::MetadataFetch(code);
    let name = CString::new(topic).map_err(|_| failed(RDKafkaErrorCode::InvalidTopic))?;
    let client = consumer.client().native_ptr();
    let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the client lives as long as `consumer` is borrowed. Everything made here is destroyed once, after its last use: the
    // request copies names and options, the description belongs to the event and is read before the event goes.
    unsafe {
        let answers = sys::rd_kafka_queue_new(client);
        let mut names = [name.as_ptr()];
        let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let describe = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options = sys::rd_kafka_AdminOptions_new(client, describe);
        sys::rd_kafka_AdminOptions_set_request_timeout(options, wait, ptr::null_mut(), 0);
        sys::rd_kafka_DescribeTopics(client, topics, options, answers);
        let event = sys::rd_kafka_queue_poll(answers, wait);
        let read = read(event);
        if !event.is_null() {
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_TopicCollection_destroy(topics);
        sys::rd_kafka_queue_destroy(answers);
        read.map_err(failed)
    }
}

/// # Safety
/// `event` is null or a live event.
unsafe fn read(event: *mut sys::rd_kafka_event_t) -> Result<Option<String>, RDKafkaErrorCode> {
    if event.is_null() {
        return Err(RDKafkaErrorCode::OperationTimedOut);
    }
    // SAFETY: the event is live; results, descriptions and ids are borrowed from it and checked for null.
    unsafe {
        check(sys::rd_kafka_event_error(event))?;
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Err(RDKafkaErrorCode::BadMessage);
        }
        let mut count = 0;
        let described = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if described.is_null() || count == 0 {
            return Err(RDKafkaErrorCode::UnknownTopicOrPartition);
        }
        let error = sys::rd_kafka_TopicDescription_error(*described);
        if !error.is_null() {
            check(sys::rd_kafka_error_code(error))?;
        }
        let id = sys::rd_kafka_TopicDescription_topic_id(*described);
        if id.is_null() {
            return Ok(None);
        }
        let (high, low) = (sys::rd_kafka_Uuid_most_significant_bits(id), sys::rd_kafka_Uuid_least_significant_bits(id));
        Ok((high != 0 || low != 0).then(|| format!("{:016x}{:016x}", high as u64, low as u64)))
    }
}

fn check(code: Code) -> Result<(), RDKafkaErrorCode> {
    if code == Code::RD_KAFKA_RESP_ERR_NO_ERROR { Ok(()) } else { Err(code.into()) }
}
