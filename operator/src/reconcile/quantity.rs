//! Kubernetes quantities, as far as volumes need them: whole bytes that can be compared.

use std::str::FromStr;

use thiserror::Error;

/// A size in bytes, rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u128);

/// The text is no quantity. The user must act.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{0}' is not a quantity, allowed is for example '1Gi'")]
pub struct NoQuantity(String);

const SUFFIXES: [(&str, u128); 12] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
];

impl FromStr for Bytes {
    type Err = NoQuantity;

    fn from_str(text: &str) -> Result<Self, NoQuantity> {
        let wrong = || NoQuantity(text.to_owned());
        let (number, unit) =
            SUFFIXES.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, *unit))).unwrap_or((text, 1));
        let (number, milli) = number.strip_suffix('m').map_or((number, 1), |number| (number, 1_000));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        let is_number = !digits.is_empty() && digits.len() <= 19 && digits.bytes().all(|digit| digit.is_ascii_digit());
        if !is_number {
            return Err(wrong());
        }
        let value: u128 = digits.parse().map_err(|_| wrong())?;
        // 19 digits and 60 bits are within 128.
        Ok(Self((value * unit).div_ceil(10_u128.pow(fraction.len() as u32) * milli)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_compared_whatever_their_unit() {
        for (text, bytes) in
            [("1Gi", 1 << 30), ("1024Mi", 1 << 30), ("1.5k", 1_500), ("1", 1), (".5Ki", 512), ("1500m", 2)]
        {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["", "Gi", "1Qi", "-1Gi", "1.2.3", "a"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }
}
