//! One partition: batches in offset order in a file without a name, and an index of them in memory.
//!
//! Keeps true: offsets are dense and never move; with log-append time, timestamps never go back; a producer's batch that
//! was sent twice is there once. The file disappears with the broker, however the process ends; memory holds 32 bytes
//! per batch, whatever the batches weigh.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::batch::{Batch, Sequence, advance};
use super::codes::ErrorCode;

/// Which time a record's timestamp says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's, as it sent it.
    CreateTime,
    /// The broker's, when it stored the batch.
    LogAppendTime,
}

/// Batches per producer that are recognised when sent again; Kafka's number, and the most that a client has in flight.
const REMEMBERED: usize = 5;

/// A partition's log.
pub(super) struct Log {
    file: Arc<File>,
    size: u64,
    index: Vec<Entry>,
    next_offset: i64,
    last_time: i64,
    timestamps: TimestampType,
    producers: HashMap<i64, Producer>,
}

struct Entry {
    base_offset: i64,
    position: u64,
    max_timestamp: i64,
}

struct Producer {
    epoch: i16,
    /// Its last batches and where they were stored.
    recent: VecDeque<(Sequence, Stored)>,
}

/// Where a batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) base_offset: i64,
    /// Milliseconds; -1 on a topic with the producers' times.
    pub(super) log_append_time: i64,
}

/// Whole batches, adjacent in the file. Reading them needs no lock.
pub(super) struct Extent {
    file: Arc<File>,
    position: u64,
    pub(super) length: usize,
}

impl Extent {
    /// Fills `bytes`, which has the extent's length.
    pub(super) fn read(&self, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, self.position)
    }
}

impl Log {
    /// An empty log whose file lies in `folder`.
    pub(super) fn create(folder: &Path, timestamps: TimestampType) -> io::Result<Self> {
        Ok(Self {
            file: Arc::new(tempfile::tempfile_in(folder)?),
            size: 0,
            index: Vec::new(),
            next_offset: 0,
            last_time: i64::MIN,
            timestamps,
            producers: HashMap::new(),
        })
    }

    /// Which time its records' timestamps say.
    pub(super) fn timestamps(&self) -> TimestampType {
        self.timestamps
    }

    /// The offset that the next record gets; what Kafka calls the high watermark here, as nothing is replicated.
    pub(super) fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Stores a batch at time `now` (milliseconds), or finds that it was stored before.
    pub(super) fn append(&mut self, batch: Batch<'_>, now: i64) -> Result<Stored, ErrorCode> {
        let sequence = batch.sequence();
        if let Some(sequence) = sequence
            && let Some(stored) = self.check_sequence(sequence)?
        {
            return Ok(stored);
        }
        let log_append_time = match self.timestamps {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(now.max(self.last_time)),
        };
        let bytes = batch.stamped(self.next_offset, log_append_time);
        if let Err(error) = self.file.write_all_at(&bytes, self.size) {
            tracing::error!(%error, "the embedded broker cannot store a batch");
            return Err(ErrorCode::KafkaStorageError);
        }
        let max_timestamp = log_append_time.unwrap_or_else(|| batch.max_timestamp());
        let stored = Stored { base_offset: self.next_offset, log_append_time: log_append_time.unwrap_or(-1) };
        self.index.push(Entry { base_offset: self.next_offset, position: self.size, max_timestamp });
        self.size += bytes.len() as u64;
        self.next_offset += i64::from(batch.record_count());
        self.last_time = self.last_time.max(max_timestamp);
        if let Some(sequence) = sequence {
            self.remember(sequence, stored);
        }
        Ok(stored)
    }

    /// Where the batch was stored if it was before; an error if it does not follow its producer's last one.
    fn check_sequence(&self, sequence: Sequence) -> Result<Option<Stored>, ErrorCode> {
        let Some(producer) = self.producers.get(&sequence.producer) else {
            return Ok(None);
        };
        if sequence.epoch < producer.epoch {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        if sequence.epoch > producer.epoch {
            return match sequence.first {
                0 => Ok(None),
                _ => Err(ErrorCode::OutOfOrderSequenceNumber),
            };
        }
        if let Some((_, stored)) = producer.recent.iter().find(|(seen, _)| *seen == sequence) {
            return Ok(Some(*stored));
        }
        match producer.recent.back() {
            Some((last, _)) if advance(last.last, 1) != sequence.first => Err(ErrorCode::OutOfOrderSequenceNumber),
            _ => Ok(None),
        }
    }

    fn remember(&mut self, sequence: Sequence, stored: Stored) {
        let producer = self
            .producers
            .entry(sequence.producer)
            .or_insert_with(|| Producer { epoch: sequence.epoch, recent: VecDeque::new() });
        if producer.epoch != sequence.epoch {
            producer.epoch = sequence.epoch;
            producer.recent.clear();
        }
        if producer.recent.len() == REMEMBERED {
            producer.recent.pop_front();
        }
        producer.recent.push_back((sequence, stored));
    }

    /// Whole batches from the one that holds `offset`, at most `max_bytes` of them, but one at least, however large, if
    /// `even_if_larger`. Like Kafka, the first may begin before `offset`; the client skips.
    pub(super) fn read(&self, offset: i64, max_bytes: usize, even_if_larger: bool) -> Result<Extent, ErrorCode> {
        if offset < 0 || offset > self.next_offset {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        let after = self.index.partition_point(|e| e.base_offset <= offset);
        let first = after.saturating_sub(1);
        let position = match self.index.get(first) {
            Some(entry) if offset < self.next_offset => entry.position,
            _ => self.size,
        };
        let limit = position.saturating_add(max_bytes as u64);
        let end_of = |i: usize| self.index.get(i + 1).map_or(self.size, |e| e.position);
        let last = self.index.partition_point(|e| e.position < limit);
        let mut end = position;
        if let Some(last) = last.checked_sub(1).filter(|_| position < self.size) {
            // The last batch that begins below the limit may end beyond it.
            end = if end_of(last) <= limit { end_of(last) } else { self.index[last].position.max(position) };
            if end == position && even_if_larger {
                end = end_of(first);
            }
        }
        Ok(Extent { file: Arc::clone(&self.file), position, length: (end - position) as usize })
    }

    /// The first offset whose time is `timestamp` or later, and that time: exact with log-append time; with the
    /// producers' times the beginning of the batch that holds it. None if there is no such record.
    pub(super) fn offset_at(&self, timestamp: i64) -> Option<(i64, i64)> {
        self.index
            .iter()
            .find(|entry| entry.max_timestamp >= timestamp)
            .map(|entry| (entry.base_offset, entry.max_timestamp))
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::tests::batch;
    use super::*;

    fn log() -> Log {
        Log::create(&std::env::temp_dir(), TimestampType::LogAppendTime).expect("a temp folder")
    }

    fn store(log: &mut Log, records: i32, sequence: Option<Sequence>, now: i64) -> Result<i64, ErrorCode> {
        let bytes = batch(records, sequence);
        log.append(Batch::parse(&bytes)?, now).map(|s| s.base_offset)
    }

    fn lengths(log: &Log, offset: i64, max_bytes: usize, even_if_larger: bool) -> Result<usize, ErrorCode> {
        log.read(offset, max_bytes, even_if_larger).map(|e| e.length)
    }

    #[test]
    fn a_read_gives_whole_batches_within_the_limit_and_one_at_least_if_asked() {
        let mut log = log();
        for records in [3, 1, 2] {
            store(&mut log, records, None, 1).expect("append");
        }
        let one = batch(1, None).len();
        assert_eq!(lengths(&log, 0, usize::MAX, false), Ok(3 * one));
        assert_eq!(lengths(&log, 0, 2 * one, false), Ok(2 * one));
        assert_eq!(lengths(&log, 0, 2 * one + 1, false), Ok(2 * one));
        assert_eq!(lengths(&log, 2, one, false), Ok(one), "the batch that holds offset 2");
        assert_eq!(lengths(&log, 3, usize::MAX, false), Ok(2 * one));
        assert_eq!(lengths(&log, 0, 1, false), Ok(0));
        assert_eq!(lengths(&log, 0, 1, true), Ok(one));
        assert_eq!(lengths(&log, 6, usize::MAX, true), Ok(0));
        assert_eq!(lengths(&log, 7, usize::MAX, true), Err(ErrorCode::OffsetOutOfRange));
    }

    #[test]
    fn a_batch_sent_again_is_stored_once_and_a_gap_is_refused() {
        let mut log = log();
        let sequence =
            |first: i32, records: i32| Some(Sequence { producer: 7, epoch: 0, first, last: first + records - 1 });
        assert_eq!(store(&mut log, 2, sequence(0, 2), 1), Ok(0));
        assert_eq!(store(&mut log, 3, sequence(2, 3), 1), Ok(2));
        assert_eq!(store(&mut log, 2, sequence(0, 2), 1), Ok(0), "again");
        assert_eq!(store(&mut log, 1, sequence(6, 1), 1), Err(ErrorCode::OutOfOrderSequenceNumber));
        assert_eq!(log.next_offset(), 5);
    }

    #[test]
    fn log_append_time_never_goes_back() {
        let mut log = log();
        for now in [10, 5, 20] {
            store(&mut log, 1, None, now).expect("append");
        }
        assert_eq!(log.offset_at(10), Some((0, 10)));
        assert_eq!(log.offset_at(11), Some((2, 20)));
        assert_eq!(log.offset_at(21), None);
    }
}
