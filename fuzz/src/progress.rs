//! Committed metadata: what is read is written again as something that reads the same.

use stream_core::Offset;
use worker::progress::{decode, decode_publish, encode, encode_publish};

/// The first eight bytes are the committed position (i64, little endian), the rest the metadata.
pub fn probe(data: &[u8]) {
    let Some((position, metadata)) = data.split_first_chunk::<8>() else { return };
    let (position, metadata) = (Offset(i64::from_le_bytes(*position)), String::from_utf8_lossy(metadata));
    if let Ok(read) = decode(position, &metadata) {
        let again = decode(position, &encode(&read)).expect("what was written is read");
        assert_eq!(again, read);
    }
    if let Ok(read) = decode_publish(position, &metadata, 3) {
        let again = decode_publish(position, &encode_publish(&read), 3).expect("what was written is read");
        assert_eq!(again, read);
    }
}
