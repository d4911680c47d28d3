//! What a partition holds: records at ascending offsets, and the decrees that its owner made between them.
//!
//! Offsets rise strictly; a missing offset is a gap. Everything that needs an expression is already answered.

use std::fmt;

/// The values of the grouping columns of one record; `None` is SQL's null.
pub type Group = Vec<Option<String>>;

/// One record of the source topic.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its offset in the partition.
    pub offset: i64,
    /// Its Kafka timestamp, ms. It may go back (`CreateTime`).
    pub log_time: i64,
    /// The event inside, or `None` when it does not decode (framing, schema, null value).
    pub decodable: Option<Event>,
}

/// A decoded event whose expressions have been evaluated.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    /// The event id, if there is one.
    pub id: Option<String>,
    /// The event time in ms, if there is one.
    pub event_time: Option<i64>,
    /// The answer of each rule, in manifest order.
    pub rules: Vec<Answer>,
    /// Whether the filter is true (false and null are both `false` here).
    pub filter: bool,
    /// The grouping columns.
    pub group: Group,
    /// The argument of each measure.
    pub values: Vec<Option<i128>>,
}

/// What a rule says about one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// True: the rule holds.
    Passes,
    /// False: the rule is violated.
    Violated,
    /// Null: the rule does not apply; the record passes it.
    Skipped,
}

/// The owner's word that the watermark is at least `to` from position `at` on: an idle decree, or a drain.
///
/// It takes effect after every record below `at` and before the record at `at`, and it ends the open batch there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decree {
    /// The position at which it is made.
    pub at: i64,
    /// The watermark decreed, ms.
    pub to: i64,
}

impl Decree {
    /// A drain to the watermark `to` just after the last record (at position 0 if there is none).
    pub fn after(records: &[Record], to: i64) -> Self {
        let at = records.last().map_or(0, |last| last.offset + 1);
        Self { at, to }
    }
}

/// One line, so that a failing log can be read.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{} logged {}: ", self.offset, self.log_time)?;
        match &self.decodable {
            Some(event) => write!(f, "{event:?}"),
            None => f.write_str("undecodable"),
        }
    }
}

/// One line, like the record's.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_null = |value: Option<&str>| value.unwrap_or("null").to_owned();
        let id = or_null(self.id.as_deref());
        let time = or_null(self.event_time.map(|time| time.to_string()).as_deref());
        let group: Vec<String> = self.group.iter().map(|name| or_null(name.as_deref())).collect();
        let values: Vec<String> =
            self.values.iter().map(|value| or_null(value.map(|value| value.to_string()).as_deref())).collect();
        write!(f, "{id} at {time} [{}] [{}]", group.join(", "), values.join(", "))?;
        for (index, answer) in self.rules.iter().enumerate().filter(|(_, answer)| **answer != Answer::Passes) {
            write!(f, " rule {index} {answer:?}")?;
        }
        if self.filter { Ok(()) } else { f.write_str(" filtered") }
    }
}
