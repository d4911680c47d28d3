//! A moment as Kubernetes writes it.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment in UTC, to the second: `2026-11-23T10:15:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    seconds: i64,
}

impl Time {
    /// The second that `millis` (since 1970 UTC) lies in; the nearest one that can be written, from year -9999 to 9999.
    pub fn from_millis(millis: i64) -> Self {
        let seconds = millis.div_euclid(1_000);
        Self { seconds: seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second()) }
    }

    /// Milliseconds since 1970 UTC.
    pub fn millis(self) -> i64 {
        self.seconds * 1_000
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Timestamp::from_second(self.seconds).expect("within the range that it was clamped to or read from");
        write!(f, "{time:.0}")
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time: Timestamp = text.parse().map_err(|_| {
            de::Error::custom(format!("'{text}' is not a time, allowed is for example '2026-11-23T10:15:00Z'"))
        })?;
        Ok(Self::from_millis(time.as_millisecond()))
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "maxLength": 64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_to_the_second_and_read_again() {
        for (millis, text) in [
            (1_795_774_500_999, "\"2026-11-27T10:15:00Z\""),
            (-1, "\"1969-12-31T23:59:59Z\""),
            (i64::MAX, "\"9999-12-30T22:00:00Z\""),
        ] {
            let written = serde_json::to_string(&Time::from_millis(millis)).expect("plain data");
            assert_eq!(written, text);
            assert_eq!(serde_json::from_str::<Time>(&written).expect("its own output"), Time::from_millis(millis));
        }
        assert!(serde_json::from_str::<Time>("\"yesterday\"").is_err());
        let precise: Time = serde_json::from_str("\"2026-11-27T10:15:00.250+01:00\"").expect("other offsets are read");
        assert_eq!(precise.to_string(), "2026-11-27T09:15:00Z");
    }
}
