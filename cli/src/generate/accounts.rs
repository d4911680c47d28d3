//! The accounts: who an event belongs to, how often each is drawn, and on which partition its key falls.
//!
//! Keeps true: an account has one key and one partition for the whole run; with skew 0 all are drawn alike, with a
//! larger skew account `n` is drawn in proportion to `1 / (n + 1)^skew`.

use super::dice::Dice;
use super::encode::{ACCOUNT_ID, account_id};
use super::murmur2::partition_of;

/// The table of accounts.
pub struct Accounts {
    keys: Vec<[u8; ACCOUNT_ID]>,
    partitions: Vec<u32>,
    /// Running sum of the weights, brought to 63 bits; empty when all weigh the same.
    ladder: Vec<u64>,
}

impl Accounts {
    /// `count` accounts (at least one) over `partitions` (at least one).
    pub fn new(count: u32, partitions: u32, skew: f64) -> Self {
        let keys: Vec<_> = (0..count).map(account_id).collect();
        let partitions = keys.iter().map(|key| partition_of(key, partitions)).collect();
        Self { keys, partitions, ladder: if skew > 0.0 { ladder(count, skew) } else { Vec::new() } }
    }

    /// Draws an account's number.
    pub fn draw(&self, dice: &mut Dice) -> u32 {
        match self.ladder.last() {
            None => dice.below(self.keys.len() as u64) as u32,
            Some(top) => {
                let throw = dice.below(*top);
                self.ladder.partition_point(|step| *step <= throw) as u32
            }
        }
    }

    /// The account id, which is also the record's key.
    pub fn key(&self, account: u32) -> &[u8; ACCOUNT_ID] {
        &self.keys[account as usize]
    }

    /// The partition of the account's key.
    pub fn partition(&self, account: u32) -> u32 {
        self.partitions[account as usize]
    }
}

fn ladder(count: u32, skew: f64) -> Vec<u64> {
    let weight = |rank: u32| (f64::from(rank) + 1.0).powf(-skew);
    let total: f64 = (0..count).map(weight).sum();
    let mut sum = 0.0;
    (0..count)
        .map(|rank| {
            sum += weight(rank);
            (sum / total * 9.0e18) as u64
        })
        .collect()
}
