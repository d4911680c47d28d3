//! Owns commits that end in time: the client's own synchronous commit waits for a coordinator as long as the session may
//! last, and a worker that is to stop cannot wait for that.
#![allow(unsafe_code)]

use std::ptr;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka_sys as sys;
use sys::rd_kafka_resp_err_t as Code;

/// Commits `offsets` with their metadata; returns when the broker has them. After `wait` the answer is `OperationTimedOut`;
/// the commit may still arrive, but never after one that is made later.
pub fn commit_within<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    offsets: &TopicPartitionList,
    wait: Duration,
) -> Result<(), KafkaError> {
    let client = consumer.client().native_ptr();
    // SAFETY: the client lives as long as `consumer` is borrowed; the queue is ours.
    let answers = Queue(unsafe { sys::rd_kafka_queue_new(client) });
    // SAFETY: client, list and queue are live; the client copies the list, and keeps the queue alive for its answer.
    let asked = unsafe { sys::rd_kafka_commit_queue(client, offsets.ptr(), answers.0, None, ptr::null_mut()) };
    result(asked)?;
    let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the queue is live.
    let event = unsafe { sys::rd_kafka_queue_poll(answers.0, wait) };
    if event.is_null() {
        return Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::OperationTimedOut));
    }
    // SAFETY: the event is ours, and destroyed once.
    let answer = unsafe {
        let answer = sys::rd_kafka_event_error(event);
        sys::rd_kafka_event_destroy(event);
        answer
    };
    result(answer)
}

fn result(code: Code) -> Result<(), KafkaError> {
    match code {
        Code::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(KafkaError::ConsumerCommit(code.into())),
    }
}

/// The queue of one answer.
struct Queue(*mut sys::rd_kafka_queue_t);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: made by `commit_within`, destroyed once.
        unsafe { sys::rd_kafka_queue_destroy(self.0) }
    }
}
