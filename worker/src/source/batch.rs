//! Owns the one unsafe seam of the worker: librdkafka's batch call on partition queues.
//!
//! What it keeps true:
//! - a [`Fetch`] owns every message that librdkafka handed over and destroys each exactly once;
//! - a [`Record`] is only ever reachable by reference from its `Fetch`, so its bytes cannot outlive it;
//! - the client outlives its queues and messages, because both hold it;
//! - no allocation per record: the array of message pointers is reused, headers are parsed only when asked for.
#![allow(unsafe_code)]

use std::any::Any;
use std::cell::Cell;
use std::ffi::{CStr, CString, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::{Offset, TopicPartitionList};
use rdkafka_sys as sys;
use sys::rd_kafka_resp_err_t as Code;
use thiserror::Error;

/// What keeps the client alive while a queue or a message exists.
type Keeper = Arc<dyn Any + Send + Sync>;

/// A partition's queue could not be taken.
#[derive(Debug, Error)]
pub enum SplitError {
    /// The topic name cannot be passed to the client.
    #[error("topic name '{topic}' contains a zero byte")]
    TopicName {
        /// The name as given.
        topic: String,
    },
    /// The client knows no such partition (it is a producer, or it is closing).
    #[error("the client gives no queue for partition {partition} of topic '{topic}'")]
    NoQueue {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
}

/// The records of one partition, split off from the consumer's own queue.
///
/// Split before the partition is assigned; otherwise the first records may still go to the consumer's queue.
/// Reading it counts as polling for `max.poll.interval.ms`. No record is handed out twice, though the client may give some
/// again: it begins a partition anew that was started while a rebalance had paused the others.
///
/// The client must not be told to report the end of a partition (`enable.partition.eof`). It counts the message "the log ends
/// at E" like a record E, and when a rebalance has paused and resumed the partition it goes on at E + 1: the record E is left
/// out or, if it is not there yet, the client reads no more (librdkafka 2.12). Where a log goes on without records is asked
/// for instead.
pub struct PartitionQueue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    keeper: Keeper,
    client: *mut sys::rd_kafka_t,
    topic: String,
    partition: i32,
    /// Everything before this offset has been handed out, or is known to hold no record.
    next: Cell<i64>,
}

// SAFETY: librdkafka's clients and queues are internally locked and may be used and destroyed from any thread.
unsafe impl Send for PartitionQueue {}

impl PartitionQueue {
    /// Takes the queue of `topic`/`partition` and stops its forwarding to the consumer's queue.
    pub fn split<C: ConsumerContext + 'static>(
        consumer: &Arc<BaseConsumer<C>>,
        topic: &str,
        partition: i32,
    ) -> Result<Self, SplitError> {
        let name = CString::new(topic).map_err(|_| SplitError::TopicName { topic: topic.to_owned() })?;
        // SAFETY: the client handle is live (we hold a reference to the consumer) and the name is a valid C string.
        let queue =
            unsafe { sys::rd_kafka_queue_get_partition(consumer.client().native_ptr(), name.as_ptr(), partition) };
        let queue = NonNull::new(queue).ok_or_else(|| SplitError::NoQueue { topic: topic.to_owned(), partition })?;
        // SAFETY: `queue` is live and ours; a null destination means "no forwarding".
        unsafe { sys::rd_kafka_queue_forward(queue.as_ptr(), ptr::null_mut()) };
        let client = consumer.client().native_ptr();
        Ok(Self { queue, keeper: consumer.clone(), client, topic: topic.to_owned(), partition, next: Cell::new(0) })
    }

    /// Replaces the content of `fetch` by up to its capacity of messages, waiting until it is full or `timeout` is
    /// over (rounded down to milliseconds). Returns the number of records.
    pub fn read(&self, fetch: &mut Fetch, timeout: Duration) -> usize {
        fetch.clear();
        fetch.keeper = Some(self.keeper.clone());
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let room = fetch.records.capacity();
        // SAFETY: the queue is live; `records` has room for `room` pointers, and `Record` is a transparent pointer.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(
                self.queue.as_ptr(),
                timeout_ms,
                fetch.records.as_mut_ptr().cast::<*mut sys::rd_kafka_message_t>(),
                room,
            )
        };
        let count = usize::try_from(count).unwrap_or(0).min(room);
        // SAFETY: librdkafka has written the first `count` pointers and passed their ownership to us.
        unsafe { fetch.records.set_len(count) };
        fetch.set_errors_aside();
        fetch.drop_before(self.next.get());
        if let Some(last) = fetch.records.last() {
            self.next.set(last.offset() + 1);
        } else if let Some(offset) = self.position().filter(|offset| *offset > self.next.get()) {
            self.next.set(offset);
            fetch.errors.push(FetchError::PartitionEnd { partition: self.partition, offset });
        }
        fetch.records.len()
    }

    /// Where the client goes on: behind the last record, or behind what transactions leave in a log. Asks no broker.
    fn position(&self) -> Option<i64> {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition(&self.topic, self.partition);
        // SAFETY: `keeper` holds the client; the list is ours and has the one partition that is asked for.
        unsafe { sys::rd_kafka_position(self.client, list.ptr()) };
        match list.elements().first()?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    /// Messages and events that wait in the queue now.
    pub fn waiting(&self) -> usize {
        // SAFETY: the queue is live.
        unsafe { sys::rd_kafka_queue_length(self.queue.as_ptr()) }
    }
}

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        // SAFETY: we own this reference and drop it once; `keeper` (and so the client) is dropped after it.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// One fetch: the records that one read returned, in offset order, and what went wrong meanwhile.
///
/// Made once with the wanted capacity and filled again and again. It may move to another thread, but cannot be
/// shared between threads, because headers are parsed on demand inside the message.
pub struct Fetch {
    records: Vec<Record>,
    errors: Vec<FetchError>,
    keeper: Option<Keeper>,
}

// SAFETY: messages may be read and destroyed from any thread, one at a time.
unsafe impl Send for Fetch {}

impl Fetch {
    /// Room for `records` messages (at least one).
    pub fn with_capacity(records: usize) -> Self {
        Self { records: Vec::with_capacity(records.max(1)), errors: Vec::new(), keeper: None }
    }

    /// The records, in offset order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// What the client reported between the records (usually nothing).
    pub fn errors(&self) -> &[FetchError] {
        &self.errors
    }

    /// Gives all messages back to the client.
    pub fn clear(&mut self) {
        for record in self.records.drain(..) {
            // SAFETY: the pointer is owned by this fetch, and draining forgets it here.
            unsafe { sys::rd_kafka_message_destroy(record.0.as_ptr()) };
        }
        self.errors.clear();
    }

    /// Gives messages below `offset` back to the client.
    fn drop_before(&mut self, offset: i64) {
        let before = self.records.partition_point(|record| record.offset() < offset);
        for record in self.records.drain(..before) {
            // SAFETY: the pointer is owned by this fetch, and draining forgets it here.
            unsafe { sys::rd_kafka_message_destroy(record.0.as_ptr()) };
        }
    }

    /// Moves messages that are errors out of the records.
    fn set_errors_aside(&mut self) {
        let errors = &mut self.errors;
        self.records.retain(|record| {
            let code = record.code();
            if code == Code::RD_KAFKA_RESP_ERR_NO_ERROR as i32 {
                return true;
            }
            errors.push(FetchError::of(code, record));
            // SAFETY: the pointer is owned by this fetch, and `retain` forgets it here.
            unsafe { sys::rd_kafka_message_destroy(record.0.as_ptr()) };
            false
        });
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        // The messages go first, the client (by `keeper`) after them.
        self.clear();
    }
}

/// Who set a record's timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampKind {
    /// The record carries none.
    Missing,
    /// The producer (`CreateTime`).
    Create,
    /// The broker (`LogAppendTime`).
    LogAppend,
}

/// A record's Kafka timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Milliseconds since the epoch, UTC; -1 when missing.
    pub ms: i64,
    /// Who set it.
    pub kind: TimestampKind,
}

/// One record as the broker holds it. Everything is borrowed from the fetch.
#[repr(transparent)]
pub struct Record(NonNull<sys::rd_kafka_message_t>);

impl Record {
    fn raw(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: the fetch that lends this record owns the message, so it is live and not written to.
        unsafe { self.0.as_ref() }
    }

    /// The error number as the client wrote it. Read as a number, because a broker may send one that the bindings' enum lacks.
    fn code(&self) -> i32 {
        // SAFETY: the message is live; the enum's representation is a C int.
        unsafe { (&raw const (*self.0.as_ptr()).err).cast::<i32>().read() }
    }

    /// Position in the partition.
    pub fn offset(&self) -> i64 {
        self.raw().offset
    }

    /// The partition it came from.
    pub fn partition(&self) -> i32 {
        self.raw().partition
    }

    /// When it was written, and by whose clock.
    pub fn timestamp(&self) -> Timestamp {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is live and `kind` is writable.
        let ms = unsafe { sys::rd_kafka_message_timestamp(self.0.as_ptr(), &raw mut kind) };
        let kind = match kind {
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME => TimestampKind::Create,
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => TimestampKind::LogAppend,
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => TimestampKind::Missing,
        };
        Timestamp { ms, kind }
    }

    /// The key; `None` is a null key, which is not an empty one.
    pub fn key(&self) -> Option<&[u8]> {
        let raw = self.raw();
        // SAFETY: librdkafka keeps `key_len` bytes at `key` for the life of the message.
        unsafe { bytes(raw.key, raw.key_len) }
    }

    /// The value; `None` is a null value, which is not an empty one.
    pub fn payload(&self) -> Option<&[u8]> {
        let raw = self.raw();
        // SAFETY: librdkafka keeps `len` bytes at `payload` for the life of the message.
        unsafe { bytes(raw.payload, raw.len) }
    }

    /// The headers in their order, names as bytes, null values as `None`. Parsed on the first call.
    pub fn headers(&self) -> Headers<'_> {
        Headers { list: self.header_list(), next: 0, record: PhantomData }
    }

    /// The value of the last header called `name`; `None` when there is none or its value is null.
    pub fn last_header(&self, name: &CStr) -> Option<&[u8]> {
        let list = self.header_list()?;
        let (mut value, mut size) = (ptr::null::<c_void>(), 0usize);
        // SAFETY: `list` belongs to the live message; `name` is a C string; both out arguments are writable.
        let code =
            unsafe { sys::rd_kafka_header_get_last(list.as_ptr(), name.as_ptr(), &raw mut value, &raw mut size) };
        if code != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        // SAFETY: the value lives in the message's header list, `size` bytes long.
        unsafe { bytes(value, size) }
    }

    fn header_list(&self) -> Option<NonNull<sys::rd_kafka_headers_t>> {
        let mut list = ptr::null_mut();
        // SAFETY: the message is live; parsing writes inside the message, and no other thread can hold this record,
        // because neither it nor its fetch is `Sync`.
        let code = unsafe { sys::rd_kafka_message_headers(self.0.as_ptr(), &raw mut list) };
        (code == Code::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| NonNull::new(list)).flatten()
    }
}

/// # Safety
/// `at` is null or points to `len` bytes that live as long as `'a`.
unsafe fn bytes<'a>(at: *const c_void, len: usize) -> Option<&'a [u8]> {
    if at.is_null() {
        return None;
    }
    // SAFETY: passed on to the caller.
    Some(unsafe { std::slice::from_raw_parts(at.cast::<u8>(), len) })
}

/// The headers of one record; yields `(name, value)`.
pub struct Headers<'a> {
    list: Option<NonNull<sys::rd_kafka_headers_t>>,
    next: usize,
    record: PhantomData<&'a Record>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let list = self.list?;
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null::<c_void>(), 0usize);
        // SAFETY: `list` belongs to the message of a record that is borrowed for `'a`; out arguments are writable.
        let code = unsafe {
            sys::rd_kafka_header_get_all(list.as_ptr(), self.next, &raw mut name, &raw mut value, &raw mut size)
        };
        if code != Code::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
            return None;
        }
        self.next += 1;
        // SAFETY: name (a C string) and value (`size` bytes) live in the header list for `'a`.
        Some(unsafe { (CStr::from_ptr(name).to_bytes(), bytes(value, size)) })
    }
}

/// What the client reported in place of a record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FetchError {
    /// The end of the partition was reached (only with `enable.partition.eof`).
    #[error("end of partition {partition} at offset {offset}")]
    PartitionEnd {
        /// The partition.
        partition: i32,
        /// The next offset that will be written.
        offset: i64,
    },
    /// The wanted offset is not in the log any more, or not yet. Not retriable: see the anchor and the log start.
    #[error("offset {offset} of partition {partition} is not in the log: {message}")]
    OffsetGone {
        /// The partition.
        partition: i32,
        /// The offset that was asked for, when the client says it.
        offset: i64,
        /// The client's words.
        message: String,
    },
    /// The topic or partition does not exist, or may not be read. The user must act; the client keeps trying.
    #[error("partition {partition} cannot be read: {message}")]
    Refused {
        /// The partition.
        partition: i32,
        /// The client's words.
        message: String,
    },
    /// Anything else; the client retries by itself.
    #[error("fetching partition {partition} failed ({code}): {message}")]
    Failed {
        /// The partition.
        partition: i32,
        /// librdkafka's error number.
        code: i32,
        /// The client's words.
        message: String,
    },
}

impl FetchError {
    fn of(code: i32, record: &Record) -> Self {
        const END: i32 = Code::RD_KAFKA_RESP_ERR__PARTITION_EOF as i32;
        const NO_RESET: i32 = Code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET as i32;
        const OUT_OF_RANGE: i32 = Code::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE as i32;
        const NO_TOPIC: i32 = Code::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC as i32;
        const NO_PARTITION: i32 = Code::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION as i32;
        const NEITHER: i32 = Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART as i32;
        const FORBIDDEN: i32 = Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as i32;
        let (partition, offset) = (record.partition(), record.offset());
        // The client puts its words where a record has its value.
        let message = String::from_utf8_lossy(record.payload().unwrap_or(b"no details")).into_owned();
        match code {
            END => Self::PartitionEnd { partition, offset },
            NO_RESET | OUT_OF_RANGE => Self::OffsetGone { partition, offset, message },
            NO_TOPIC | NO_PARTITION | NEITHER | FORBIDDEN => Self::Refused { partition, message },
            _ => Self::Failed { partition, code, message },
        }
    }
}

#[cfg(test)]
mod tests;
