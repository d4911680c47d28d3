//! The framing: a value taken apart is the value again when it is put together.

use worker::decode::framing::{PREFIX, SchemaKey, frame, prefixed};

use crate::record::Held;

/// The first byte says whether there is a value (bit 0) and a header (bit 1), and how long the header is (bits 2 to 6).
pub fn probe(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    let (header, value) = rest.split_at(rest.len().min(usize::from(how >> 2 & 31)));
    let record = Held {
        offset: 0,
        value: (how & 1 != 0).then(|| value.to_vec()),
        header: (how & 2 != 0).then(|| header.to_vec()),
    };
    match frame(&record) {
        Ok(found) => {
            let mut scratch = Vec::new();
            let SchemaKey::Id(id) = found.key else {
                assert_eq!((found.body, &header[..1], header.len()), (value, &[1][..], 17));
                return;
            };
            let whole = prefixed(&mut scratch, id, found.body);
            assert_eq!(&whole[PREFIX..], found.body);
            match found.prefixed {
                Some(prefix) => assert_eq!((prefix, Some(whole)), (whole, record.value.as_deref())),
                None => assert_eq!((found.body, &whole[..1]), (value, &header[..1])),
            }
        }
        Err(reason) => {
            assert!(!reason.to_string().is_empty() && !reason.code().is_empty());
            assert!(record.value.is_none() || record.header.is_some() || value.len() < PREFIX || value[0] != 0);
        }
    }
}
