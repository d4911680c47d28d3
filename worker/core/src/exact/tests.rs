//! Sums and their rounding against whole numbers of any size.

use num_bigint::BigInt;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::round::{decimal, double};
use super::{Exact, Wide, is_sum};

/// Doubles of every size: any bits, the ends, neighbours of powers of two, and ordinary ones.
fn arb_double() -> impl Strategy<Value = f64> {
    let power = (-1074..1024_i32, -2..3_i64).prop_map(|(exponent, ulps)| {
        let power = if exponent < -1022 { f64::from_bits(1 << (exponent + 1074)) } else { 2_f64.powi(exponent) };
        f64::from_bits(power.to_bits().saturating_add_signed(ulps))
    });
    let ends = prop::sample::select(vec![f64::MAX, f64::MIN_POSITIVE, 5e-324, 0.0, 1.0, 0.1, 1e308, 1e-308, 1.5, 1e16]);
    let positive = prop_oneof![
        4 => any::<u64>().prop_map(|bits| f64::from_bits(bits & (u64::MAX >> 1))),
        2 => power,
        2 => ends,
        4 => (0..10_000_000_u32).prop_map(|cents| f64::from(cents) / 100.0),
    ];
    (positive, any::<bool>()).prop_filter_map("a number", |(value, negative)| {
        value.is_finite().then_some(if negative { -value } else { value })
    })
}

/// Values, some of which come again with the other sign, in any order.
fn arb_values() -> impl Strategy<Value = Vec<f64>> {
    let values = prop::collection::vec((arb_double(), prop::bool::weighted(0.3)), 0..40);
    let values = values.prop_map(|values| {
        let cancelled = values.iter().filter(|(_, cancels)| *cancels).map(|(value, _)| -value);
        cancelled.chain(values.iter().map(|(value, _)| *value)).collect::<Vec<_>>()
    });
    values.prop_shuffle()
}

/// `value` in units of 2^-1074.
fn units(value: f64) -> BigInt {
    let bits = value.to_bits();
    let (exponent, fraction) = (bits >> 52 & 0x7ff, bits & ((1 << 52) - 1));
    let (digits, shift) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
    let magnitude = BigInt::from(digits) << shift;
    if value.is_sign_negative() { -magnitude } else { magnitude }
}

/// The bytes of a sum, from a whole number of units.
fn encoded(sum: &BigInt) -> Vec<u8> {
    if *sum == BigInt::ZERO {
        return Vec::new();
    }
    let bytes = sum.to_signed_bytes_le();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    [&(zeros as u16).to_le_bytes(), &bytes[zeros..]].concat()
}

fn add(sum: &mut Exact, values: &[f64]) {
    for value in values {
        sum.add(*value);
    }
}

fn abs(number: BigInt) -> BigInt {
    if number < BigInt::ZERO { -number } else { number }
}

/// That `found` is the double nearest to `sum / count` units, even where there are two, or none because that lies beyond the largest by
/// half a step or more.
fn check_nearest(found: Option<f64>, sum: &BigInt, count: u64) -> Result<(), TestCaseError> {
    let Some(found) = found else {
        let limit = (units(f64::MAX) << 1) + (BigInt::from(1) << (1074 + 971));
        prop_assert!(abs(sum.clone()) << 1 >= limit * count, "{sum} / {count} is no infinity");
        return Ok(());
    };
    prop_assert!(found.is_finite() && (found != 0.0 || found.is_sign_positive()), "{found}");
    let distance = |units: BigInt| abs(units * count - sum);
    for other in [found.next_up(), found.next_down()].into_iter().filter(|other| other.is_finite()) {
        let (own, other) = (distance(units(found)), distance(units(other)));
        prop_assert!(own <= other, "{found} is not the nearest to {sum} / {count}");
        prop_assert!(own < other || found.to_bits() & 1 == 0, "{found} is not the even one of two for {sum} / {count}");
    }
    Ok(())
}

/// That `found` is the whole number nearest to `sum / count × 10^scale`, even where there are two.
fn check_decimal(found: Option<i128>, sum: &BigInt, count: u64, scale: u32) -> Result<(), TestCaseError> {
    let (numerator, denominator) = (sum * BigInt::from(10).pow(scale), BigInt::from(count) << 1074);
    let Some(found) = found else {
        prop_assert!(abs(numerator) >= (denominator << 127) - 1, "{sum} / {count} has room at {scale} digits");
        return Ok(());
    };
    let twice = abs(numerator - BigInt::from(found) * &denominator) << 1;
    prop_assert!(twice <= denominator, "{found} is not the nearest to {sum} / {count} at {scale} digits");
    prop_assert!(twice < denominator || found % 2 == 0, "{found} is odd");
    Ok(())
}

proptest! {
    /// However the values are cut and whatever parts are merged into which.
    #[test]
    fn a_sum_is_exact_and_the_same_bytes(
        values in arb_values(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        count in prop_oneof![1..10_u64, any::<u64>().prop_map(|count| count.max(1))],
        scale in 0..19_u32,
    ) {
        let sum: BigInt = values.iter().map(|value| units(*value)).sum();
        let mut parts = vec![Vec::new()];
        for (at, value) in values.iter().enumerate() {
            if cuts.iter().any(|cut| cut.index(values.len()) == at) {
                parts.push(Vec::new());
            }
            parts.last_mut().expect("there is one").push(*value);
        }
        let added = |values: &[f64]| {
            let mut sum = Exact::ZERO;
            add(&mut sum, values);
            sum
        };
        let expected = encoded(&sum);
        prop_assert_eq!(added(&values).encode(), expected.clone());
        let mut merged = Exact::ZERO;
        for part in &parts {
            let part = added(part).encode();
            prop_assert!(is_sum(&part), "{part:?}");
            merged.merge(&part);
        }
        prop_assert_eq!(merged.encode(), expected.clone());
        // One part goes on where another was read back.
        let mut resumed = Exact::ZERO;
        resumed.merge(&added(&parts[0]).encode());
        parts[1..].iter().flatten().for_each(|value| resumed.add(*value));
        prop_assert_eq!(resumed.encode(), expected.clone());
        check_nearest(double(&expected, 1), &sum, 1)?;
        check_nearest(double(&expected, count), &sum, count)?;
        check_decimal(decimal(&expected, count, scale), &sum, count, scale)?;
    }

    /// A tie between two doubles is rare by chance.
    #[test]
    fn ties_go_to_the_even_double(value in arb_double(), ulps in 1..64_u64, count in 1..5_u64) {
        let next = value.next_up();
        let mut sum = Exact::ZERO;
        let all = [value, if next.is_finite() { next } else { value }];
        let all: Vec<f64> = all.iter().copied().cycle().take(2 * (ulps * count) as usize).collect();
        add(&mut sum, &all);
        let total: BigInt = all.iter().map(|value| units(*value)).sum();
        let count = all.len() as u64;
        check_nearest(double(&sum.encode(), count), &total, count)?;
        check_nearest(double(&sum.encode(), count / 2), &total, count / 2)?;
    }

    /// Whatever somebody else sends is read without an end, and is a sum only in the one form that it has.
    #[test]
    fn any_bytes_can_be_merged(
        head in prop_oneof![0..300_u16, any::<u16>()],
        tail in prop::collection::vec(prop_oneof![Just(0_u8), Just(255), any::<u8>()], 0..290),
    ) {
        let bytes = [&head.to_le_bytes()[..], &tail].concat();
        let mut sum = Exact::ZERO;
        sum.merge(&bytes);
        prop_assert_eq!(is_sum(&bytes), !tail.is_empty() && sum.encode() == bytes);
        sum.add(1.0);
        sum.merge(&bytes);
        sum.add(f64::MAX);
        let encoded = sum.encode();
        prop_assert!(is_sum(&encoded));
        double(&encoded, 3);
        decimal(&encoded, 3, 18);
    }
}

#[test]
fn carries_wait_no_longer_than_they_may() {
    let mut sum = Exact::Wide(Box::new(Wide { chunks: [0; super::CHUNKS], delayed: 0 }));
    let (value, count) = (f64::from_bits((31 + 1) << 52 | ((1 << 52) - 1)), 10_000);
    (0..count).for_each(|_| sum.add(value));
    assert_eq!(sum.encode(), encoded(&(units(value) * count)));
    (0..2 * count).for_each(|_| sum.add(-value));
    assert_eq!(sum.encode(), encoded(&(units(value) * -count)));
}

/// Neither the largest sum nor the smallest value is lost in the other's company.
#[test]
fn huge_and_tiny_values_stand_side_by_side() {
    let mut sum = Exact::ZERO;
    add(&mut sum, &[f64::MAX, 5e-324, f64::MAX, f64::MAX]);
    assert_eq!(double(&sum.encode(), 1), None);
    assert_eq!(double(&sum.encode(), 3), Some(f64::MAX));
    add(&mut sum, &[f64::MIN; 3]);
    assert_eq!(double(&sum.encode(), 1), Some(5e-324));
    assert_eq!(double(&[], 1), Some(0.0));
}

#[test]
fn a_cell_stays_small() {
    assert_eq!(size_of::<Exact>(), 40);
    let mut sum = Exact::ZERO;
    (0..1000).for_each(|cents| sum.add(f64::from(cents) / 100.0));
    assert!(matches!(sum, Exact::Narrow { .. }), "{sum:?}");
    assert!(sum.encode().len() <= 12, "{:?}", sum.encode());
}
