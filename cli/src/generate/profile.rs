//! What is fixed about an account: its tier, region and currency, and what its events cost.
//!
//! Keeps true: a profile depends on the account's number alone; free accounts pay nothing.

use super::dice::Dice;
use super::domain::FREE;

/// Labels of one account, never null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// Index into the plan tiers.
    pub plan_tier: u8,
    /// Index into the regions.
    pub region: u8,
    /// Index into the currencies.
    pub currency: u8,
}

impl Profile {
    /// The profile of account `number`: 40 % free, 30 % starter, 20 % pro, 10 % enterprise; regions likewise.
    pub fn of(number: u32) -> Self {
        const WEIGHTED: [u8; 10] = [1, 1, 1, 1, 2, 2, 2, 3, 3, 4];
        const CURRENCIES: [u8; 10] = [1, 1, 1, 1, 1, 1, 2, 2, 2, 3];
        // Fibonacci hashing (Knuth, vol. 3, 6.4) spreads neighbouring numbers.
        let hash = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let pick = |table: &[u8; 10], shift: u32| table[((hash >> shift) & 0xffff) as usize % 10];
        Self { plan_tier: pick(&WEIGHTED, 48), region: pick(&WEIGHTED, 32), currency: pick(&CURRENCIES, 24) }
    }
}

/// Cents of an event of that tier.
pub fn amount(plan_tier: u8, dice: &mut Dice) -> i64 {
    const RANGES: [(i64, i64); 4] = [(0, 0), (499, 9_999), (4_900, 99_900), (50_000, 25_000_000)];
    let (low, high) = RANGES[usize::from(plan_tier.clamp(FREE, 4) - 1)];
    dice.between(low, high)
}
