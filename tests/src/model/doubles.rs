//! Doubles as the numbers that they are: whole multiples of 2^-1074.

use std::cmp::Ordering;

use num_bigint::BigInt;

/// The bits of positive infinity; as a number, one step beyond the largest double.
const INFINITY: u64 = 0x7ff << 52;

/// `value`, which is finite, in units of 2^-1074.
pub fn units(value: f64) -> BigInt {
    let magnitude = magnitude(value.abs().to_bits());
    if value < 0.0 { -magnitude } else { magnitude }
}

/// The double nearest to `sum / count`, of two equally near ones the even one; nothing where that is no finite one. `sum` is in units.
///
/// # Panics
/// If `count` is zero.
pub fn nearest(sum: &BigInt, count: u64) -> Option<f64> {
    assert_ne!(count, 0, "nothing can be divided by zero");
    if *sum < BigInt::ZERO {
        return nearest(&-sum, count).map(|value| 0.0 - value);
    }
    // The bits of positive doubles are in their order: find the last that is not larger.
    let (mut low, mut high) = (0, INFINITY + 1);
    while high - low > 1 {
        let middle = u64::midpoint(low, high);
        if magnitude(middle) * count <= *sum { low = middle } else { high = middle }
    }
    let (below, above) = (sum - magnitude(low) * count, magnitude(low + 1) * count - sum);
    let bits = match below.cmp(&above) {
        Ordering::Less => low,
        Ordering::Equal => low + low % 2,
        Ordering::Greater => low + 1,
    };
    (bits < INFINITY).then(|| f64::from_bits(bits))
}

fn magnitude(bits: u64) -> BigInt {
    let (exponent, fraction) = (bits >> 52, bits % (1 << 52));
    if exponent == 0 { BigInt::from(fraction) } else { BigInt::from(fraction + (1 << 52)) << (exponent - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_double_is_the_nearest_to_itself() {
        for value in [0.0, 5e-324, f64::MIN_POSITIVE, 0.1, -0.1, 1.0, 1e300, f64::MAX, f64::MIN] {
            assert_eq!(nearest(&units(value), 1), Some(value));
        }
        assert_eq!(nearest(&(units(f64::MAX) * 2), 1), None);
        assert_eq!(nearest(&(units(0.1) + units(0.2)), 1), Some(0.1 + 0.2));
        assert_eq!(nearest(&units(1.0), 3), Some(1.0 / 3.0));
        // Ties: one and a half of the smallest, and two and a half.
        assert_eq!([3, 5].map(|sum| nearest(&BigInt::from(sum), 2)), [Some(1e-323), Some(1e-323)]);
    }
}
