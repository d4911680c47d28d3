//! Sums of doubles without any error: what a cell holds is the exact sum, in whatever order its values came.
//!
//! A finite double is a whole number of units of 2^-1074, so a sum of 2^63 of them is an integer of fewer than 2176 bits. The register
//! for it is the *small superaccumulator* of R. M. Neal, "Fast exact summation using small and large superaccumulators" (2015,
//! <https://arxiv.org/abs/1505.05571>): signed chunks of 64 bits that stand 32 bits apart, so that an addition touches two of them and
//! carries may wait. It takes 552 bytes, and most cells never see numbers so far apart. Until one does, a cell is a window of 256 bits
//! out of that register, which is all that is needed of it there.
//!
//! How a sum is held depends on its history; what is read out does not: [`Exact::encode`] gives the same bytes for the same sum.

pub(crate) mod round;

/// Bits between chunks.
const STEP: u16 = 32;
/// Chunks of the register: 2176 bits of two's complement in all.
const CHUNKS: usize = 68;
/// Bytes of the register.
const BYTES: usize = CHUNKS * 4;
/// Bytes of a window.
const NARROW: usize = 32;
/// The highest bit of the register at which a window can begin.
const LAST_BASE: u16 = (CHUNKS as u16) * STEP - (NARROW as u16) * 8;
/// The first bit of a window that nothing was added to.
const NOWHERE: u16 = u16::MAX;
/// Binary digits of a double.
const DIGITS: u16 = 53;
/// Additions after which carries must be moved on: each adds less than 2^52 to a chunk, which holds less than 2^32 before.
const MOST_DELAYED: u32 = (1 << 11) - 2;

/// An exact sum of finite doubles.
#[derive(Clone, Debug)]
pub(crate) enum Exact {
    /// Two's complement, little-endian, of the 256 bits of the register that begin at `base`; a multiple of [`STEP`].
    Narrow { words: [u64; 4], base: u16 },
    /// The whole register.
    Wide(Box<Wide>),
}

/// The whole register.
#[derive(Clone, Debug)]
pub(crate) struct Wide {
    chunks: [i64; CHUNKS],
    /// Additions since carries were moved on.
    delayed: u32,
}

impl Exact {
    /// The sum of nothing.
    pub(crate) const ZERO: Self = Self::Narrow { words: [0; 4], base: NOWHERE };

    /// Adds a finite value.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        let bits = value.to_bits();
        let (exponent, fraction) = ((bits >> 52) as u16 & 0x7ff, bits & ((1 << 52) - 1));
        debug_assert!(exponent != 0x7ff, "{value} is not finite");
        // Below the smallest normal number there is no hidden digit.
        let (digits, at) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let is_negative = value.is_sign_negative();
        if let Self::Narrow { words, base } = self {
            if digits == 0 {
                return;
            }
            if *base == NOWHERE {
                *base = base_for(at);
            }
            let from = at.wrapping_sub(*base);
            if from < NARROW as u16 * 8 - DIGITS && add_to_window(words, shifted(digits, from, is_negative)) {
                return;
            }
        }
        self.widened().add(digits, at, is_negative);
    }

    /// Adds the sum that `encoded` is, as [`Self::encode`] gives it. What no sum gives ([`is_sum`]) is left out.
    pub(crate) fn merge(&mut self, encoded: &[u8]) {
        let Some((at, bytes)) = parse(encoded) else { return };
        if let Self::Narrow { words, base } = self {
            if *base == NOWHERE {
                *base = base_for(at * 8);
            }
            if let Some(from) = (at * 8).checked_sub(*base).map(|bits| usize::from(bits / 8))
                && from + bytes.len() <= NARROW
                && add_to_window(words, halves(words_of(spread::<NARROW>(from, bytes))))
            {
                return;
            }
        }
        self.widened().merge(usize::from(at), bytes);
    }

    /// The sum as bytes, the same for the same sum: nothing for zero, else how many zero bytes the register begins with (two bytes,
    /// little-endian) and its other bytes in little-endian two's complement, as few as hold the value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Narrow { base: NOWHERE, .. } => Vec::new(),
            Self::Narrow { words, base } => canonical(base / 8, words.map(u64::to_le_bytes).as_flattened()),
            Self::Wide(wide) => canonical(0, &wide.bytes()),
        }
    }

    fn widened(&mut self) -> &mut Wide {
        if let Self::Narrow { words, base } = self {
            let mut wide = Box::new(Wide { chunks: [0; CHUNKS], delayed: 0 });
            if *base != NOWHERE {
                wide.merge(usize::from(*base) / 8, words.map(u64::to_le_bytes).as_flattened());
            }
            *self = Self::Wide(wide);
        }
        match self {
            Self::Wide(wide) => wide,
            Self::Narrow { .. } => unreachable!("it was made wide just now"),
        }
    }
}

impl Wide {
    #[inline]
    fn add(&mut self, digits: u64, at: u16, is_negative: bool) {
        let (index, shift) = (usize::from(at / STEP), at % STEP);
        let (low, high) = (i64::from((digits << shift) as u32), (digits >> (STEP - shift)) as i64);
        let sign = if is_negative { -1 } else { 1 };
        self.chunks[index] += sign * low;
        self.chunks[index + 1] += sign * high;
        self.count();
    }

    /// Adds two's complement that begins at byte `at`.
    fn merge(&mut self, at: usize, bytes: &[u8]) {
        let other = spread::<BYTES>(at, bytes);
        for (chunk, four) in self.chunks.iter_mut().zip(other.as_chunks().0) {
            *chunk += i64::from(u32::from_le_bytes(*four));
        }
        self.count();
    }

    #[inline]
    fn count(&mut self) {
        self.delayed += 1;
        if self.delayed >= MOST_DELAYED {
            self.carry();
        }
    }

    /// Moves carries on: each chunk then holds its own 32 bits. What leaves the last one is the sign, over and over.
    fn carry(&mut self) {
        let mut carry = 0;
        for chunk in &mut self.chunks {
            let value = *chunk + carry;
            (*chunk, carry) = (value & i64::from(u32::MAX), value >> STEP);
        }
        self.delayed = 0;
    }

    fn bytes(&self) -> [u8; BYTES] {
        let mut settled = self.clone();
        settled.carry();
        let mut bytes = [0; BYTES];
        for (four, chunk) in bytes.as_chunks_mut().0.iter_mut().zip(settled.chunks) {
            *four = (chunk as u32).to_le_bytes();
        }
        bytes
    }
}

/// Whether [`Exact::encode`] can have given these bytes.
pub(crate) fn is_sum(encoded: &[u8]) -> bool {
    encoded.is_empty() || parse(encoded).is_some_and(|(at, bytes)| canonical(at, bytes) == encoded)
}

/// How many bytes of the register are zero, and those that follow.
fn parse(encoded: &[u8]) -> Option<(u16, &[u8])> {
    let (at, bytes) = encoded.split_first_chunk()?;
    let at = u16::from_le_bytes(*at);
    (!bytes.is_empty() && usize::from(at).saturating_add(bytes.len()) <= BYTES).then_some((at, bytes))
}

/// Where the window of a cell begins whose first value begins at bit `at`: with room below for values up to a 2^64th of it, and above for
/// many that are larger.
fn base_for(at: u16) -> u16 {
    (at / STEP * STEP).saturating_sub(2 * STEP).min(LAST_BASE)
}

/// `digits` at bit `from` of a window, negated if asked for, as its lower and upper half.
#[inline]
fn shifted(digits: u64, from: u16, is_negative: bool) -> (u128, i128) {
    let digits = u128::from(digits);
    let (low, high) = match from {
        0..128 => (digits << from, digits >> 1 >> (127 - from)),
        _ => (0, digits << (from - 128)),
    };
    if is_negative { (low.wrapping_neg(), !(high as i128) + i128::from(low == 0)) } else { (low, high as i128) }
}

/// Adds to a window; false, and nothing is changed, where the sum does not fit it.
#[inline]
fn add_to_window(words: &mut [u64; 4], (low, high): (u128, i128)) -> bool {
    let (own_low, own_high) = halves(*words);
    let (low, carry) = own_low.overflowing_add(low);
    let (high, over) = own_high.overflowing_add(high);
    let (high, over_by_carry) = high.overflowing_add(i128::from(carry));
    // The carry may bring back what went over.
    let fits = over == over_by_carry;
    if fits {
        *words = [low as u64, (low >> 64) as u64, high as u64, (high >> 64) as u64];
    }
    fits
}

#[inline]
fn halves(words: [u64; 4]) -> (u128, i128) {
    let pair = |low: u64, high: u64| u128::from(low) | u128::from(high) << 64;
    (pair(words[0], words[1]), pair(words[2], words[3]) as i128)
}

fn words_of(bytes: [u8; NARROW]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, eight) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_le_bytes(*eight);
    }
    words
}

/// Two's complement of `SIZE` bytes: zeros up to `from`, then `bytes`, then their sign. The bytes must fit.
fn spread<const SIZE: usize>(from: usize, bytes: &[u8]) -> [u8; SIZE] {
    let sign = if is_negative(bytes) { u8::MAX } else { 0 };
    let mut all = [sign; SIZE];
    all[..from].fill(0);
    all[from..from + bytes.len()].copy_from_slice(bytes);
    all
}

fn is_negative(bytes: &[u8]) -> bool {
    bytes.last().is_some_and(|last| last & 0x80 != 0)
}

/// Two's complement that begins at byte `at` of the register, without zeros at its beginning and repeated signs at its end.
fn canonical(at: u16, bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut bytes = &bytes[zeros..];
    let sign = if is_negative(bytes) { u8::MAX } else { 0 };
    while let [rest @ .., last] = bytes
        && *last == sign
        && !rest.is_empty()
        && is_negative(rest) == is_negative(bytes)
    {
        bytes = rest;
    }
    if bytes.is_empty() {
        return Vec::new();
    }
    let at = at + zeros as u16;
    at.to_le_bytes().iter().chain(bytes).copied().collect()
}

#[cfg(test)]
mod tests;
