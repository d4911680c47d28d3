//! From an exact sum to what is published: rounded once, half to even.

use super::{BYTES, is_negative, parse, spread};

/// Bits of the register below one.
const POINT: usize = 1074;
/// Words of the register's magnitude.
const WORDS: usize = BYTES / 8;
/// Words below the unit that a quotient is computed to: its first 53 digits are then exact, and whether there are more is known.
const GUARD: usize = 2;
/// The exponent of what is no number.
const INFINITE: u64 = 0x7ff << 52;

/// The double nearest to `sum / count`, or nothing if that is beyond the doubles. `sum` is as [`super::Exact::encode`] gives it;
/// `count` is positive.
pub(crate) fn double(sum: &[u8], count: u64) -> Option<f64> {
    let (is_negative, magnitude) = magnitude(sum);
    let mut words = [0; WORDS + GUARD];
    words[GUARD..].copy_from_slice(&magnitude);
    let rest = divide(&mut words, count);
    let Some(top) = words.iter().rposition(|word| *word != 0) else { return Some(0.0) };
    let highest = top * 64 + 63 - words[top].leading_zeros() as usize;
    // Below the smallest normal number digits end at the unit.
    let last = highest.saturating_sub(52).max(GUARD * 64);
    let digits = round_at(&words, last, rest != 0)?;
    // The hidden digit counts the exponent up by itself, also where rounding gave one digit more.
    let bits = (((last - GUARD * 64) as u64) << 52) + u64::try_from(digits).ok()?;
    // There is no negative zero.
    let sign = if is_negative && bits != 0 { 1 << 63 } else { 0 };
    (bits < INFINITE).then(|| f64::from_bits(bits | sign))
}

/// `sum / count` as a decimal with `scale` digits after the point, unscaled, or nothing if that does not fit 127 bits. `sum` is as
/// [`super::Exact::encode`] gives it; `count` is positive, `scale` at most 19.
pub(crate) fn decimal(sum: &[u8], count: u64, scale: u32) -> Option<i128> {
    let (is_negative, magnitude) = magnitude(sum);
    let mut words = [0; WORDS + 1];
    words[..WORDS].copy_from_slice(&magnitude);
    multiply(&mut words, 10_u64.checked_pow(scale)?);
    let rest = divide(&mut words, count);
    let digits = i128::try_from(round_at(&words, POINT, rest != 0)?).ok()?;
    Some(if is_negative { -digits } else { digits })
}

/// Whether the sum is below zero, and its magnitude in units, least word first.
fn magnitude(sum: &[u8]) -> (bool, [u64; WORDS]) {
    let mut words = [0; WORDS];
    let Some((at, bytes)) = parse(sum) else { return (false, words) };
    let is_negative = is_negative(bytes);
    let all = spread::<BYTES>(usize::from(at), bytes);
    let mut carry = is_negative;
    for (word, eight) in words.iter_mut().zip(all.as_chunks().0) {
        *word = u64::from_le_bytes(*eight);
        if is_negative {
            (*word, carry) = (!*word).overflowing_add(u64::from(carry));
        }
    }
    (is_negative, words)
}

fn multiply(words: &mut [u64], factor: u64) {
    let mut carry = 0;
    for word in words {
        let product = u128::from(*word) * u128::from(factor) + carry;
        (*word, carry) = (product as u64, product >> 64);
    }
}

/// Divides, rounding down, and gives what is left.
fn divide(words: &mut [u64], divisor: u64) -> u64 {
    if divisor == 1 {
        return 0;
    }
    let mut rest = 0;
    for word in words.iter_mut().rev() {
        let value = u128::from(rest) << 64 | u128::from(*word);
        *word = (value / u128::from(divisor)) as u64;
        rest = (value % u128::from(divisor)) as u64;
    }
    rest
}

/// The number without its bits below `last`, rounded half to even; `more` says that it is a little more than the bits tell. Nothing if
/// it does not fit 127 bits.
fn round_at(words: &[u64], last: usize, more: bool) -> Option<u128> {
    let bit = |at: usize| words.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1);
    let whole = |at: usize| words.get(at).copied().unwrap_or(0);
    let (word, shift) = (last / 64, last % 64);
    if words.iter().skip(word + 3).any(|word| *word != 0) {
        return None;
    }
    let low = u128::from(whole(word)) | u128::from(whole(word + 1)) << 64;
    let third = u128::from(whole(word + 2));
    let digits = if shift == 0 { low } else { low >> shift | third << (128 - shift) };
    let is_lost = if shift == 0 { third != 0 } else { third >> shift != 0 };
    if is_lost || digits >= 1 << 127 {
        return None;
    }
    if last == 0 {
        return Some(digits);
    }
    let half = bit(last - 1);
    let (below, shift) = ((last - 1) / 64, (last - 1) % 64);
    let beyond = more || words[..below].iter().any(|word| *word != 0) || whole(below) & ((1 << shift) - 1) != 0;
    Some(digits + u128::from(half && (beyond || digits & 1 == 1)))
}
