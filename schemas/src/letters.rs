//! What a dead letter says beside its reasons when it had to be cut to fit the topic.
//!
//! Such a letter names its record by `sluice.topic`, `sluice.partition` and `sluice.offset`; as long as the source topic holds that
//! record, everything that was left out is found there, and the digest tells whether it is the same.

/// Header with what was left out: `headers`, `headers,value` or `headers,value,key` of the record.
pub const CUT: &str = "sluice.cut";
/// Header with the length of the record's value in bytes.
pub const BYTES: &str = "sluice.value.bytes";
/// Header with the BLAKE3 digest of the record's value, 64 hexadecimal digits.
pub const DIGEST: &str = "sluice.value.blake3";

/// The digest of a value.
pub fn digest(value: &[u8]) -> String {
    blake3::hash(value).to_hex().to_string()
}
