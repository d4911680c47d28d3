//! Why records were refused, and what that usually means: one line per reason with an example and what to do.

use std::fmt::Write as _;

use schemas::report::RefusalReport as Refused;
use schemas::text::plain;

use super::figures::grouped;

/// Records that were refused for one kind of reason.
pub type Refusals = Refused;

/// Characters of a message that are shown.
const MOST: usize = 200;

/// One paragraph per reason; nothing when nothing was refused.
pub fn words(refusals: &[Refusals]) -> String {
    let mut text = String::new();
    for refusal in refusals {
        let Refused { verdict, reason, records, partition, offset, message } = refusal;
        let records = grouped(records);
        let _ = writeln!(
            text,
            "  {records} {verdict}, {}: at {partition}-{offset} {}",
            shown(reason, MOST),
            shown(message, MOST)
        );
        if let Some(hint) = hint(verdict, reason, message) {
            let _ = writeln!(text, "    {hint}");
        }
    }
    text
}

/// The likely cause, and what to do.
fn hint(verdict: &str, reason: &str, message: &str) -> Option<&'static str> {
    let hint = match (verdict, reason) {
        ("Undecodable", "bad-magic") if message.contains("byte 123") || message.contains("byte 91") => {
            "the values look like JSON, not Avro: let the producer use the registry's Avro serializer"
        }
        ("Undecodable", "bad-magic") => {
            "the values do not carry a schema id: let the producer use the registry's Avro serializer"
        }
        ("Undecodable", "too-short") => {
            "the values are too short to carry a schema id: is this topic written with the registry's serializer?"
        }
        ("Undecodable", "null-value") => {
            "records without a value are deletions of a compacted topic: 'source.nullValues: Ignore' counts them and nothing else"
        }
        ("Undecodable", "unknown-schema") => {
            "another registry wrote the schema, or it was deleted: is 'registry.url' the producer's registry?"
        }
        ("Undecodable", "unresolvable") if message.to_lowercase().contains("name") => {
            "the producer's record has another name: give the reader schema that name, or list it in its 'aliases'; several types in one \
             topic are told apart by it"
        }
        ("Undecodable", "unresolvable") => {
            "the producer's schema lacks a field of the reader schema, or has another type: compare the two"
        }
        ("Undecodable", "malformed" | "trailing-bytes") => {
            "the bytes are not what their schema says: did the producer write them with another schema than it registered?"
        }
        ("Invalid", "event-time-missing") => {
            "'source.eventTime' names a field that is null: name another, or make the producer fill it"
        }
        ("Invalid", "event-id-missing") => {
            "'source.eventId' names a field that is null: name another, or make the producer fill it"
        }
        ("Invalid", "event-time-future") => {
            "the event time may be of another unit than the field says, or a producer's clock is ahead: compare it with the log time, or \
             raise 'watermark.maxFutureSkew'"
        }
        ("Invalid", "event-time-range") => "the event time may be of another unit than the field says",
        ("Invalid", "value-too-large") => {
            "a field that is grouped by, or kept by 'min' or 'max', holds a long text: group by another, or by the beginning of it"
        }
        ("Late", _) => "their windows had closed: raise 'watermark.delay' if such records are to count",
        _ => return None,
    };
    Some(hint)
}

/// Text that a record may have a part in: nothing in it acts on a terminal, and it is cut.
pub fn shown(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", plain(&text[..end])),
        None => plain(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_comes_with_an_example_and_what_to_do() {
        let refusal = |reason: &str, message: &str| Refused {
            verdict: "Undecodable".to_owned(),
            reason: reason.to_owned(),
            records: 2000,
            partition: 1,
            offset: 7,
            message: message.to_owned(),
        };
        let text =
            words(&[refusal("bad-magic", "bad-magic: the value begins with byte 123"), refusal("new", "a\u{1b}[2Jb")]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "  2,000 Undecodable, bad-magic: at 1-7 bad-magic: the value begins with byte 123");
        assert!(lines[1].contains("look like JSON"), "{text}");
        assert_eq!(lines[2..], ["  2,000 Undecodable, new: at 1-7 a\\u{1b}[2Jb"]);
        assert_eq!(shown(&"x".repeat(300), 10), "xxxxxxxxxx…");
    }
}
