//! Durations as a person writes them: a whole number and one unit.
//!
//! The text is kept, so a manifest that is read and written again says what its author wrote.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::cel::{is_duration, rule};

/// The units, their milliseconds, and how many digits a number of them may have, which the API server checks, too.
const UNITS: [(&str, i64, usize); 5] =
    [("ms", 1, 12), ("s", 1_000, 9), ("m", 60_000, 8), ("h", 3_600_000, 6), ("d", 86_400_000, 5)];
/// Longest duration: ten thousand days. Leaves room for sums of durations and times in 64 bits.
const MAX_MILLIS: i64 = 10_000 * 86_400_000;

/// A length of time: a whole number with one unit of `ms`, `s`, `m`, `h`, `d`, for example `90s`; at most 10000 days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duration {
    text: String,
    millis: i64,
}

impl Duration {
    /// The length in milliseconds, never negative.
    pub fn millis(&self) -> i64 {
        self.millis
    }

    /// The duration of that many milliseconds, written in the largest unit that divides it.
    ///
    /// # Errors
    /// When `millis` is negative or more than 10000 days.
    pub fn from_millis(millis: i64) -> Result<Self, ParseDurationError> {
        let text = format_millis(millis);
        if !(0..=MAX_MILLIS).contains(&millis) {
            return Err(ParseDurationError::TooLong(text));
        }
        Ok(Self { text, millis })
    }
}

/// Writes milliseconds in the largest unit that divides them.
fn format_millis(millis: i64) -> String {
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis != 0 && millis % size == 0 {
            return format!("{}{unit}", millis / size);
        }
    }
    if millis == 0 { "0s".to_owned() } else { format!("{millis}ms") }
}

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseDurationError {
    /// Not a whole number followed by a unit.
    #[error(
        "invalid duration '{0}': allowed is a whole number with a unit, 'ms', 's', 'm', 'h' or 'd', for example '90s'"
    )]
    Syntax(String),
    /// Beyond the longest duration.
    #[error("invalid duration '{0}': allowed is at most '10000d'")]
    TooLong(String),
}

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let syntax = || ParseDurationError::Syntax(text.to_owned());
        let too_long = || ParseDurationError::TooLong(text.to_owned());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let (_, size, longest) = UNITS.into_iter().find(|(name, ..)| *name == unit).ok_or_else(syntax)?;
        if number.is_empty() {
            return Err(syntax());
        }
        if number.len() > longest {
            return Err(too_long());
        }
        let number: i64 = number.parse().map_err(|_| too_long())?;
        let millis = number.checked_mul(size).filter(|m| *m <= MAX_MILLIS).ok_or_else(too_long)?;
        Ok(Self { text: text.to_owned(), millis })
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": 14,
            "x-kubernetes-validations": [rule(
                is_duration("self", MAX_MILLIS),
                "allowed is a whole number with a unit, 'ms', 's', 'm', 'h' or 'd', of at most '10000d'",
            )],
        })
    }
}
