//! A dead letter: the record as it was, and what the pipeline wrote on it.

use std::collections::BTreeMap;

use plan::Plan;
use schemas::letters::{BYTES, CUT, DIGEST};

use crate::stretch::{Header, Stored, StretchError, read};

/// Says where a record that is sent back came from: `<partition>-<offset>` of the source topic. It is there once for each
/// time that a record is sent back, the last one last.
pub const REPLAYED_FROM: &str = "sluice.replayed-from";

/// What was refused, and why.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Partition of the source topic.
    pub partition: i32,
    /// Offset in the source topic.
    pub offset: i64,
    /// `Undecodable`, `Invalid` or `Late`.
    pub reason: String,
    /// The rule that it breaks, if it breaks one.
    pub rule: Option<String>,
    /// What is wrong, for people.
    pub message: String,
    /// The record: key, value and its own headers are those that were refused, byte for byte; its timestamp is that of the
    /// dead letter, which is when it was refused.
    pub record: Stored,
    /// What is left out of the record because the letter would not have fitted the topic.
    pub cut: Option<Cut>,
}

/// A record of which a letter holds a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// What is left out: `headers`, `headers,value` or `headers,value,key`.
    pub what: String,
    /// Length of the record's value.
    pub bytes: u64,
    /// BLAKE3 of the record's value, 64 hexadecimal digits.
    pub digest: String,
}

impl Letter {
    /// Takes a record of the dead-letter topic apart; nothing if it is not a letter of this pipeline's source.
    fn of(mut record: Stored, plan: &Plan) -> Option<Self> {
        let tags: Vec<Header> = {
            let begin = record.headers.iter().rposition(|(name, _)| name == "sluice.pipeline")?;
            record.headers.split_off(begin)
        };
        let tag = |name: &str| {
            let value = tags.iter().find(|(found, _)| found == name)?.1.as_deref()?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        if tag("sluice.pipeline")? != plan.name || tag("sluice.topic")? != plan.source.topic {
            return None;
        }
        Some(Self {
            partition: tag("sluice.partition")?.parse().ok()?,
            offset: tag("sluice.offset")?.parse().ok()?,
            reason: tag("sluice.reason")?,
            rule: tag("sluice.rule"),
            message: tag("sluice.message").unwrap_or_default(),
            cut: match tag(CUT) {
                Some(what) => Some(Cut { what, bytes: tag(BYTES)?.parse().ok()?, digest: tag(DIGEST)? }),
                None => None,
            },
            record,
        })
    }

    /// `<partition>-<offset>`.
    pub fn id(&self) -> String {
        format!("{}-{}", self.partition, self.offset)
    }

    /// The stable word of what cannot be decoded, such as `trailing-bytes`.
    pub fn code(&self) -> Option<&str> {
        (self.reason == "Undecodable").then(|| self.message.split_once(": ").map(|(code, _)| code)).flatten()
    }
}

/// All letters of the pipeline by place of origin; one that was sent twice is there once.
///
/// # Errors
/// The topic cannot be read.
pub fn letters(plan: &Plan) -> Result<BTreeMap<(i32, i64), Letter>, StretchError> {
    let mut found = BTreeMap::new();
    read(plan, &plan.dead_letter_topic, None, |record| {
        if let Some(letter) = Letter::of(record, plan) {
            found.entry((letter.partition, letter.offset)).or_insert(letter);
        }
    })?;
    Ok(found)
}
