//! Seeded chance: the one source of randomness of the generator.
//!
//! Keeps true: the same seed gives the same throws on every machine and with every version of the `rand` crates,
//! because only raw 64-bit `ChaCha` output and integer arithmetic are used.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A seeded stream of throws.
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Any 64-bit number.
    pub fn throw(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        scale(self.throw(), bound)
    }

    /// A number in `low..=high`; `low` when the range is empty.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).saturating_add(1).max(0).cast_unsigned();
        low + self.below(width).cast_signed()
    }

    /// True with the chance that `share` stands for.
    pub fn hits(&mut self, share: Threshold) -> bool {
        share.0 > 0 && share.covers(self.throw())
    }
}

/// Brings a throw into `0..bound` by taking the upper half of the product.
fn scale(throw: u64, bound: u64) -> u64 {
    ((u128::from(throw) * u128::from(bound)) >> 64) as u64
}

/// A share in `0.0..=1.0`, as the number that a throw must stay below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(u64);

impl Threshold {
    /// The threshold of `share`; shares outside `0.0..=1.0` are cut to it.
    pub fn new(share: f64) -> Self {
        // Multiplying by 2^64 is exact and the cast saturates, so 1.0 means (all but) always.
        Self((share.max(0.0) * 18_446_744_073_709_551_616.0) as u64)
    }

    /// True if a throw falls into the share.
    pub fn covers(self, throw: u64) -> bool {
        throw < self.0
    }
}
