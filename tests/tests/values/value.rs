//! Values and types of the oracle.

use num_bigint::BigInt;

/// A day in nanoseconds.
pub const DAY: i128 = 86_400_000_000_000;

/// A value of a record, or why there is none.
#[derive(Debug, Clone)]
pub enum Value {
    /// Absent.
    Null,
    /// It cannot be computed.
    Failed,
    Boolean(bool),
    Whole(i128),
    /// Unscaled, and digits after the point.
    Decimal(BigInt, u8),
    Float(f32),
    Double(f64),
    Text(String),
    /// Nanoseconds since 1970.
    Time(i128),
}

impl Value {
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null | Self::Failed)
    }

    pub fn failed(&self) -> bool {
        matches!(self, Self::Failed)
    }

    /// The value, or what cannot be computed.
    pub fn or_failed(value: Option<Self>) -> Self {
        value.unwrap_or(Self::Failed)
    }

    pub fn condition(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    pub fn is_nan(&self) -> bool {
        matches!(self, Self::Double(value) if value.is_nan()) || matches!(self, Self::Float(value) if value.is_nan())
    }
}

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A number that was written and has met nothing.
    Written,
    Int,
    Long,
    /// With digits after the point.
    Decimal(u8),
    Float,
    Double,
    Boolean,
    Text,
    Date,
    Millis,
    Micros,
}

impl Type {
    pub fn is_floating(self) -> bool {
        matches!(self, Self::Float | Self::Double)
    }

    pub fn is_whole(self) -> bool {
        matches!(self, Self::Int | Self::Long)
    }

    /// Digits after the point.
    pub fn scale(self) -> u8 {
        if let Self::Decimal(scale) = self { scale } else { 0 }
    }

    /// Nanoseconds of its unit.
    pub fn unit(self) -> i128 {
        match self {
            Self::Date => DAY,
            Self::Millis => 1_000_000,
            _ => 1_000,
        }
    }
}

/// `10^power`.
pub fn ten(power: u32) -> BigInt {
    BigInt::from(10).pow(power)
}
