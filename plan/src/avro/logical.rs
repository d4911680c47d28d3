//! Logical types, by Avro 1.11.1 "Logical Types": what does not fit its type or makes no sense is no logical type, and the plain type stays.

use serde_json::{Map, Value};

use super::Kind;

/// What the values of a type mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logical {
    /// Unscaled two's complement, big-endian, of bytes or a fixed.
    Decimal {
        /// Most digits.
        precision: u32,
        /// Digits behind the point.
        scale: u32,
    },
    /// A date or time of an int or a long, by its Avro name.
    Time(&'static str),
    /// A UUID, of text or 16 bytes.
    Uuid,
    /// Months, days and milliseconds, of 12 bytes.
    Duration,
}

const OF_INT: [&str; 2] = ["date", "time-millis"];
const OF_LONG: [&str; 7] = [
    "time-micros",
    "timestamp-millis",
    "timestamp-micros",
    "timestamp-nanos",
    "local-timestamp-millis",
    "local-timestamp-micros",
    "local-timestamp-nanos",
];

/// The logical type of a type with these attributes.
pub(super) fn of(kind: &Kind, attributes: &Map<String, Value>) -> Option<Logical> {
    let name = attributes.get("logicalType")?.as_str()?;
    let time = |names: &[&'static str]| names.iter().find(|known| **known == name).map(|known| Logical::Time(known));
    match (kind, name) {
        (Kind::Int, _) => time(&OF_INT),
        (Kind::Long, _) => time(&OF_LONG),
        (Kind::String | Kind::Fixed(16), "uuid") => Some(Logical::Uuid),
        (Kind::Fixed(12), "duration") => Some(Logical::Duration),
        (Kind::Bytes | Kind::Fixed(_), "decimal") => decimal(kind, attributes),
        _ => None,
    }
}

fn decimal(kind: &Kind, attributes: &Map<String, Value>) -> Option<Logical> {
    let number = |name: &str| attributes.get(name)?.as_u64().and_then(|number| u32::try_from(number).ok());
    let precision = number("precision")?;
    let scale = if attributes.contains_key("scale") { number("scale")? } else { 0 };
    let most = match kind {
        Kind::Fixed(size) => digits(*size),
        _ => u32::MAX,
    };
    (1..=most).contains(&precision).then_some(())?;
    (scale <= precision).then_some(Logical::Decimal { precision, scale })
}

/// How many digits always fit `size` bytes of two's complement: ⌊log10(2^(8·size − 1) − 1)⌋.
fn digits(size: u64) -> u32 {
    // 30103 / 100000 is just above log10(2): too large by one from 2^30103 on, where no precision is real any more.
    let bits = size.saturating_mul(8).saturating_sub(1).min(1 << 40);
    u32::try_from(bits * 30_103 / 100_000).unwrap_or(u32::MAX)
}

/// Whether a name is one that the libraries act upon; on a type that it does not fit it must not reach them.
pub(super) fn is_known(name: &str) -> bool {
    matches!(name, "decimal" | "uuid" | "duration") || OF_INT.contains(&name) || OF_LONG.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn digits_of_a_fixed_are_those_that_always_fit() {
        for (size, most) in [(0, 0), (1, 2), (2, 4), (4, 9), (8, 18), (9, 21), (12, 28), (16, 38), (32, 76)] {
            assert_eq!(digits(size), most, "{size} bytes");
        }
    }
}
