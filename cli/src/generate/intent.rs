//! Which kind of record comes next, and the small shares that ride on ordinary events.
//!
//! Keeps true: the exclusive kinds are drawn with one throw, so their shares add up.

use super::dice::{Dice, Threshold};
use super::domain::{Draft, FREE};
use super::options::Shape;

/// What the next record is meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// A counted event.
    Ordinary,
    /// An event sent again while its window is open.
    Duplicate,
    /// An event of a closed window.
    Late,
    /// An event that breaks a dead-letter rule.
    Invalid,
    /// An event stamped far ahead.
    Future,
    /// Bytes that no schema decodes.
    Poison,
}

/// The shares as thresholds.
pub struct Mix {
    /// Running sums, so that one throw decides.
    exclusive: [(Threshold, Intent); 5],
    second_version: Threshold,
    stale: Threshold,
    paid_free: Threshold,
    nulls: Threshold,
}

impl Mix {
    /// The mix of checked options.
    pub fn new(shape: &Shape) -> Self {
        let mut sum = 0.0;
        let exclusive = [
            (shape.duplicates, Intent::Duplicate),
            (shape.late, Intent::Late),
            (shape.invalid, Intent::Invalid),
            (shape.future, Intent::Future),
            (shape.poison, Intent::Poison),
        ]
        .map(|(share, intent)| {
            sum += share;
            (Threshold::new(sum), intent)
        });
        Self {
            exclusive,
            second_version: Threshold::new(shape.v2),
            stale: Threshold::new(shape.stale),
            paid_free: Threshold::new(shape.paid_free),
            nulls: Threshold::new(shape.nulls),
        }
    }

    /// Draws what the next record is meant to be.
    pub fn draw(&self, dice: &mut Dice) -> Intent {
        let throw = dice.throw();
        self.exclusive
            .iter()
            .find(|(threshold, _)| threshold.covers(throw))
            .map_or(Intent::Ordinary, |(_, intent)| *intent)
    }

    /// The label, or null with the share of nulls.
    pub fn or_null(&self, label: u8, dice: &mut Dice) -> u8 {
        if dice.hits(self.nulls) { 0 } else { label }
    }

    /// True if the event is to be written with schema version 2.
    pub fn second_version(&self, dice: &mut Dice) -> bool {
        dice.hits(self.second_version)
    }

    /// Lets an ordinary event break a rule that is only reported.
    pub fn breach_reports(&self, mut draft: Draft, max_latency: i64, dice: &mut Dice) -> Draft {
        if dice.hits(self.stale) {
            draft.ingest_time = draft.event_time + max_latency + dice.between(1, 600_000);
        }
        if dice.hits(self.paid_free) {
            draft.plan_tier = FREE;
            draft.amount = Some(dice.between(1, 9_999));
        }
        draft
    }
}
