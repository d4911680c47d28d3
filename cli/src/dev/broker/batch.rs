//! The header of a record batch (Kafka's message format, magic 2): checked on arrival, stamped with what the broker decides.
//!
//! Records stay as the producer encoded and compressed them; only the offset, the leader epoch and, on a topic with
//! log-append time, the timestamp of the batch are written. The checksum is right afterwards.
//! Source: the Kafka documentation, "Message Format", "Record Batch".

use super::codes::ErrorCode;

const LENGTH: usize = 8;
const LEADER_EPOCH: usize = 12;
const MAGIC: usize = 16;
const CHECKSUM: usize = 17;
const ATTRIBUTES: usize = 21;
const LAST_OFFSET_DELTA: usize = 23;
const MAX_TIMESTAMP: usize = 35;
const PRODUCER_ID: usize = 43;
const PRODUCER_EPOCH: usize = 51;
const BASE_SEQUENCE: usize = 53;
const RECORD_COUNT: usize = 57;
/// Bytes before the records.
pub(super) const HEADER: usize = 61;
/// Bytes that the length field does not count.
const BEFORE_LENGTH: usize = 12;

const LOG_APPEND_TIME: u8 = 0b0000_1000;
const TRANSACTIONAL_OR_CONTROL: u8 = 0b0011_0000;

/// A batch whose frame, magic and checksum are right.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    bytes: &'a [u8],
}

/// Who sent a batch and where it stands in what they send; an idempotent producer's only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) producer: i64,
    pub(super) epoch: i16,
    pub(super) first: i32,
    pub(super) last: i32,
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut value = [0; N];
    value.copy_from_slice(&bytes[at..at + N]);
    value
}

impl<'a> Batch<'a> {
    /// Takes the one batch that a produce request may carry per partition.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, ErrorCode> {
        if bytes.len() < HEADER || bytes[MAGIC] != 2 {
            return Err(ErrorCode::InvalidRecord);
        }
        let length = i32::from_be_bytes(field(bytes, LENGTH));
        if usize::try_from(length) != Ok(bytes.len() - BEFORE_LENGTH) {
            return Err(ErrorCode::InvalidRecord);
        }
        let batch = Self { bytes };
        let attributes = bytes[ATTRIBUTES + 1];
        if batch.record_count() < 1 || batch.last_offset_delta() != batch.record_count() - 1 {
            return Err(ErrorCode::InvalidRecord);
        }
        if attributes & TRANSACTIONAL_OR_CONTROL != 0 {
            return Err(ErrorCode::InvalidRecord);
        }
        if crc32c::crc32c(&bytes[ATTRIBUTES..]) != u32::from_be_bytes(field(bytes, CHECKSUM)) {
            return Err(ErrorCode::CorruptMessage);
        }
        Ok(batch)
    }

    fn last_offset_delta(self) -> i32 {
        i32::from_be_bytes(field(self.bytes, LAST_OFFSET_DELTA))
    }

    pub(super) fn record_count(self) -> i32 {
        i32::from_be_bytes(field(self.bytes, RECORD_COUNT))
    }

    /// Milliseconds since the epoch; as the producer set it.
    pub(super) fn max_timestamp(self) -> i64 {
        i64::from_be_bytes(field(self.bytes, MAX_TIMESTAMP))
    }

    /// None if the producer is not idempotent.
    pub(super) fn sequence(self) -> Option<Sequence> {
        let producer = i64::from_be_bytes(field(self.bytes, PRODUCER_ID));
        let first = i32::from_be_bytes(field(self.bytes, BASE_SEQUENCE));
        (producer >= 0).then(|| Sequence {
            producer,
            epoch: i16::from_be_bytes(field(self.bytes, PRODUCER_EPOCH)),
            first,
            last: advance(first, self.last_offset_delta()),
        })
    }

    /// The bytes to store: at this offset and, if given, with this log-append time in milliseconds.
    pub(super) fn stamped(self, base_offset: i64, log_append_time: Option<i64>) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        bytes[..LENGTH].copy_from_slice(&base_offset.to_be_bytes());
        bytes[LEADER_EPOCH..MAGIC].copy_from_slice(&0_i32.to_be_bytes());
        if let Some(time) = log_append_time {
            bytes[ATTRIBUTES + 1] |= LOG_APPEND_TIME;
            bytes[MAX_TIMESTAMP..PRODUCER_ID].copy_from_slice(&time.to_be_bytes());
            let checksum = crc32c::crc32c(&bytes[ATTRIBUTES..]);
            bytes[CHECKSUM..ATTRIBUTES].copy_from_slice(&checksum.to_be_bytes());
        }
        bytes
    }
}

/// Sequence numbers wrap from the largest `i32` to zero.
pub(super) fn advance(sequence: i32, by: i32) -> i32 {
    sequence.wrapping_add(by) & i32::MAX
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A batch whose records are one byte that nobody decodes, however many it says there are.
    pub(in super::super) fn batch(records: i32, sequence: Option<Sequence>) -> Vec<u8> {
        let mut bytes = vec![0; HEADER + 1];
        let length = (bytes.len() - BEFORE_LENGTH) as i32;
        bytes[LENGTH..LEADER_EPOCH].copy_from_slice(&length.to_be_bytes());
        bytes[MAGIC] = 2;
        bytes[LAST_OFFSET_DELTA..LAST_OFFSET_DELTA + 4].copy_from_slice(&(records - 1).to_be_bytes());
        bytes[RECORD_COUNT..HEADER].copy_from_slice(&records.to_be_bytes());
        let producer = sequence.map_or(-1, |s| s.producer);
        bytes[PRODUCER_ID..PRODUCER_EPOCH].copy_from_slice(&producer.to_be_bytes());
        let first = sequence.map_or(-1, |s| s.first);
        bytes[BASE_SEQUENCE..RECORD_COUNT].copy_from_slice(&first.to_be_bytes());
        let checksum = crc32c::crc32c(&bytes[ATTRIBUTES..]);
        bytes[CHECKSUM..ATTRIBUTES].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }

    #[test]
    fn a_damaged_batch_is_refused() {
        let good = batch(2, None);
        assert!(Batch::parse(&good).is_ok());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            // Before the length, and the leader's epoch, are the broker's to write.
            let the_brokers = at < LENGTH || (LEADER_EPOCH..MAGIC).contains(&at);
            assert_eq!(Batch::parse(&bad).is_ok(), the_brokers, "byte {at}");
            assert!(Batch::parse(&good[..at]).is_err());
        }
    }

    #[test]
    fn a_stamped_batch_is_still_a_good_one() {
        let bytes = batch(2, None);
        let stamped = Batch::parse(&bytes).map(|b| b.stamped(70, Some(99))).expect("parse");
        assert_eq!(stamped[..LENGTH], 70_i64.to_be_bytes());
        let again = Batch::parse(&stamped).map(Batch::max_timestamp);
        assert_eq!(again, Ok(99));
    }

    #[test]
    fn sequence_numbers_wrap_to_zero() {
        assert_eq!(advance(i32::MAX, 1), 0);
        assert_eq!(advance(i32::MAX - 1, 3), 1);
    }
}
