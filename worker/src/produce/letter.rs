//! A dead letter as it is sent: the refused record, and why. One that is larger than the topic takes is cut: first the record's own
//! headers are left out, then its value and, if need be, its key; what is left out is found in the source topic, and a digest says
//! whether it is still the same.

use rdkafka::message::{Header, OwnedHeaders};
use schemas::letters::{BYTES, CUT, DIGEST, digest};

use crate::source::batch::Record;

/// Most bytes of the message for people.
const MOST_WORDS: usize = 1024;
/// What a header adds to its name and value at most.
const HEADER: usize = 10;

/// Why a record goes to the dead-letter topic; becomes its `sluice.*` headers.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// The pipeline that refused it.
    pub pipeline: &'a str,
    /// The topic it came from.
    pub topic: &'a str,
    /// The partition it came from.
    pub partition: i32,
    /// The verdict.
    pub reason: &'a str,
    /// The rule it broke, if it broke one.
    pub rule: Option<&'a str>,
    /// What is wrong, for people.
    pub message: &'a str,
}

/// Key, value and headers of a message.
pub(super) type Message<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, OwnedHeaders);

impl DeadLetter<'_> {
    /// The message of at most `room` bytes that carries `record`. A header name that is not UTF-8, which Kafka forbids, is the only
    /// thing that changes where nothing has to be left out.
    pub(super) fn of<'a>(&self, record: &'a Record, room: usize) -> Message<'a> {
        let mut tags = self.tags(record.offset());
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let (key, value) = (length(record.key()), length(record.payload()));
        let own: usize = record.headers().map(|(name, value)| name.len() + length(value) + HEADER).sum();
        let said: usize = tags.iter().map(|(name, value)| name.len() + value.len() + HEADER).sum();
        if key + value + own + said <= room {
            let headers = record.headers().fold(OwnedHeaders::new(), |headers, (name, value)| {
                headers.insert(Header { key: &String::from_utf8_lossy(name), value })
            });
            return (record.key(), record.payload(), written(headers, &tags));
        }
        let marks = |cut: &str| {
            let digest = digest(record.payload().unwrap_or_default());
            [(CUT, cut.to_owned()), (BYTES, value.to_string()), (DIGEST, digest)]
        };
        let marked: usize =
            marks("headers,value,key").iter().map(|(name, value)| name.len() + value.len() + HEADER).sum();
        let said = said + marked;
        let (cut, key, value) = match () {
            () if key + value + said <= room => ("headers", record.key(), record.payload()),
            () if key + said <= room => ("headers,value", record.key(), None),
            () => ("headers,value,key", None, None),
        };
        tags.extend(marks(cut));
        (key, value, written(OwnedHeaders::new(), &tags))
    }

    fn tags(&self, offset: i64) -> Vec<(&'static str, String)> {
        let mut tags = vec![
            ("sluice.pipeline", self.pipeline.to_owned()),
            ("sluice.topic", self.topic.to_owned()),
            ("sluice.partition", self.partition.to_string()),
            ("sluice.offset", offset.to_string()),
            ("sluice.reason", self.reason.to_owned()),
        ];
        tags.extend(self.rule.map(|rule| ("sluice.rule", rule.to_owned())));
        tags.push(("sluice.message", short(self.message)));
        tags
    }
}

fn written(headers: OwnedHeaders, tags: &[(&str, String)]) -> OwnedHeaders {
    tags.iter().fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
}

/// The beginning of a text that would be too long.
fn short(text: &str) -> String {
    if text.len() <= MOST_WORDS {
        return text.to_owned();
    }
    let end = (0..=MOST_WORDS).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}…", &text[..end])
}
