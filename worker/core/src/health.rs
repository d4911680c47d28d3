//! Whether the data is good enough: shares of violations over a sliding span of log time, against thresholds.
//!
//! What it keeps true: the standing is a function of the batches whose last log time lies within the span that ends with
//! the newest one, whatever the order in which they arrive and however often; nothing else moves it, no clock.

use std::collections::BTreeMap;

use crate::units::{LogTime, Offset, Partition};

/// When a subject is in doubt. Shares are violations per million evaluated, exclusive: zero means any violation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// A warning; absent: never.
    pub warning: Option<u32>,
    /// Critical; absent: never.
    pub critical: Option<u32>,
    /// With fewer evaluated nothing is judged.
    pub at_least: u64,
}

/// What is judged: subject 0 is the whole, the others are the rules in the program's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthRules {
    /// Log time that is looked at, in milliseconds; positive.
    pub span: i64,
    /// Batches whose last log time is earlier do not count.
    pub ignore_before: Option<LogTime>,
    /// Of each subject.
    pub limits: Vec<Limits>,
}

/// Whether a subject is good enough. The order is that of badness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Within the limits, or too few to judge.
    #[default]
    Ok,
    /// Above the first limit.
    Warning,
    /// Above the second limit.
    Critical,
}

/// Counts of one subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// What was looked at.
    pub evaluated: u64,
    /// What was wrong with it.
    pub violations: u64,
}

impl Tally {
    /// Violations per million evaluated, rounded down.
    pub fn per_million(self) -> u64 {
        let share = (u128::from(self.violations) * 1_000_000).checked_div(u128::from(self.evaluated));
        share.map_or(0, |share| share as u64)
    }

    fn add(&mut self, other: Self) {
        self.evaluated += other.evaluated;
        self.violations += other.violations;
    }

    fn subtract(&mut self, other: Self) {
        self.evaluated -= other.evaluated;
        self.violations -= other.violations;
    }

    fn exceeds(self, share: Option<u32>) -> bool {
        // Not the rounded share: one violation in ten million is more than none.
        share.is_some_and(|share| {
            u128::from(self.violations) * 1_000_000 > u128::from(share) * u128::from(self.evaluated)
        })
    }
}

/// A batch: partition and first offset name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchName {
    /// The partition.
    pub partition: Partition,
    /// Its first record.
    pub first: Offset,
}

/// How a subject stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Over the span.
    pub tally: Tally,
    /// What follows from it.
    pub state: State,
    /// The newest log time when the state began; nothing before the first batch.
    pub since: Option<LogTime>,
}

/// The batch with the most violations of one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worst {
    /// The batch.
    pub batch: BatchName,
    /// Its last log time.
    pub last: LogTime,
    /// The subject.
    pub subject: usize,
    /// Its counts there.
    pub tally: Tally,
}

/// The state machine. Bounded by the batches of one span.
#[derive(Debug)]
pub struct Health {
    rules: HealthRules,
    batches: BTreeMap<(LogTime, BatchName), Vec<Tally>>,
    standings: Vec<Standing>,
    newest: Option<LogTime>,
}

impl Health {
    /// Nothing seen yet.
    pub fn new(rules: HealthRules) -> Self {
        let standings = vec![Standing::default(); rules.limits.len()];
        Self { rules, batches: BTreeMap::new(), standings, newest: None }
    }

    /// Takes in a batch, `tallies` having one entry per subject. A batch that is known already, or older than the span,
    /// changes nothing; whether anything changed.
    pub fn observe(&mut self, batch: BatchName, last: LogTime, tallies: Vec<Tally>) -> bool {
        debug_assert_eq!(tallies.len(), self.standings.len(), "a tally for each subject");
        let newest = self.newest.map_or(last, |newest| newest.max(last));
        let ignored = self.rules.ignore_before.is_some_and(|before| last < before);
        let too_old = last.0 <= newest.0.saturating_sub(self.rules.span);
        if ignored || too_old || self.batches.contains_key(&(last, batch)) {
            return false;
        }
        self.newest = Some(newest);
        for (standing, tally) in self.standings.iter_mut().zip(&tallies) {
            standing.tally.add(*tally);
        }
        self.batches.insert((last, batch), tallies);
        self.forget(newest);
        self.judge(newest);
        true
    }

    fn forget(&mut self, newest: LogTime) {
        let horizon = newest.0.saturating_sub(self.rules.span);
        while let Some(oldest) = self.batches.first_entry().filter(|oldest| oldest.key().0.0 <= horizon) {
            for (standing, tally) in self.standings.iter_mut().zip(oldest.remove()) {
                standing.tally.subtract(tally);
            }
        }
    }

    fn judge(&mut self, newest: LogTime) {
        for (standing, limits) in self.standings.iter_mut().zip(&self.rules.limits) {
            let state = state(standing.tally, *limits);
            if state != standing.state || standing.since.is_none() {
                (standing.state, standing.since) = (state, Some(newest));
            }
        }
    }

    /// The standing of each subject.
    pub fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// The worst of all states.
    pub fn state(&self) -> State {
        self.standings.iter().map(|standing| standing.state).max().unwrap_or_default()
    }

    /// Log time of the newest record that counts.
    pub fn newest(&self) -> Option<LogTime> {
        self.newest
    }

    /// How many batches the span holds.
    pub fn batches(&self) -> usize {
        self.batches.len()
    }

    /// The batch in the span with the most violations of one subject; of several a rule rather than the whole, and the
    /// older batch.
    pub fn worst(&self) -> Option<Worst> {
        let each = self.batches.iter().flat_map(|((last, batch), tallies)| {
            let subjects = tallies.iter().enumerate().rev();
            subjects.map(|(subject, tally)| Worst { batch: *batch, last: *last, subject, tally: *tally })
        });
        each.filter(|worst| worst.tally.violations > 0)
            .reduce(|worst, next| if next.tally.violations > worst.tally.violations { next } else { worst })
    }
}

fn state(tally: Tally, limits: Limits) -> State {
    if tally.evaluated < limits.at_least {
        State::Ok
    } else if tally.exceeds(limits.critical) {
        State::Critical
    } else if tally.exceeds(limits.warning) {
        State::Warning
    } else {
        State::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn health(at_least: u64) -> Health {
        let limits = Limits { warning: Some(1000), critical: Some(10_000), at_least };
        Health::new(HealthRules { span: 15 * MINUTE, ignore_before: None, limits: vec![limits; 2] })
    }

    fn name(partition: i32, first: i64) -> BatchName {
        BatchName { partition: Partition(partition), first: Offset(first) }
    }

    /// A batch of a thousand records in `minute`, some of which break the only rule.
    fn feed(health: &mut Health, partition: i32, minute: i64, violations: u64) -> bool {
        let rule = Tally { evaluated: 1000, violations };
        let whole = Tally { evaluated: 1000, violations: 0 };
        health.observe(name(partition, minute * 1000), LogTime(minute * MINUTE), vec![whole, rule])
    }

    fn rule(health: &Health) -> (State, u64, Option<i64>) {
        let standing = health.standings()[1];
        (standing.state, standing.tally.per_million(), standing.since.map(|since| since.0 / MINUTE))
    }

    #[test]
    fn it_gets_worse_and_recovers_when_the_span_has_passed() {
        let mut health = health(1000);
        feed(&mut health, 0, 0, 0);
        assert_eq!(rule(&health), (State::Ok, 0, Some(0)));
        feed(&mut health, 0, 1, 10);
        assert_eq!(rule(&health), (State::Warning, 5000, Some(1)));
        feed(&mut health, 0, 2, 100);
        assert_eq!((rule(&health), health.state()), ((State::Critical, 36_666, Some(2)), State::Critical));
        (3..17).for_each(|minute| assert!(feed(&mut health, 0, minute, 0)));
        assert_eq!(rule(&health), (State::Warning, 6666, Some(10)), "the bad batch is still in the span");
        feed(&mut health, 0, 17, 0);
        assert_eq!((rule(&health), health.batches()), ((State::Ok, 0, Some(17)), 15));
        assert_eq!(health.worst(), None);
    }

    #[test]
    fn the_same_batches_in_any_order_and_number_give_the_same_standing() {
        let mut orders = [vec![(0, 1, 5), (0, 2, 0), (1, 1, 90), (1, 20, 3), (0, 30, 9)], Vec::new()];
        orders[1] = orders[0].iter().rev().chain(&orders[0]).copied().collect();
        let found = orders.map(|batches| {
            let mut health = health(1);
            for (partition, minute, violations) in batches {
                feed(&mut health, partition, minute, violations);
            }
            let tallies: Vec<_> = health.standings().iter().map(|standing| (standing.tally, standing.state)).collect();
            (tallies, health.batches(), health.worst())
        });
        assert_eq!(found[0], found[1]);
        assert_eq!((found[0].0[1].0, found[0].1), (Tally { evaluated: 2000, violations: 12 }, 2));
        assert_eq!(found[0].2.map(|worst| (worst.batch, worst.subject)), Some((name(0, 30_000), 1)));
    }

    #[test]
    fn too_few_records_are_not_judged() {
        let mut health = health(1001);
        feed(&mut health, 0, 0, 1000);
        assert_eq!(rule(&health), (State::Ok, 1_000_000, Some(0)));
        feed(&mut health, 1, 0, 1000);
        assert_eq!(rule(&health).0, State::Critical);
    }

    #[test]
    fn limits_are_exclusive_and_not_rounded() {
        let limits = Limits { warning: Some(0), critical: Some(1000), at_least: 1 };
        let of = |evaluated, violations| state(Tally { evaluated, violations }, limits);
        assert_eq!(of(10_000_000, 0), State::Ok);
        assert_eq!(of(10_000_000, 1), State::Warning);
        assert_eq!(of(1000, 1), State::Warning);
        assert_eq!(of(999, 1), State::Critical);
        assert_eq!(state(Tally { evaluated: 1, violations: 1 }, Limits::default()), State::Ok, "no limit, no doubt");
    }

    #[test]
    fn a_person_can_say_that_the_past_does_not_count() {
        let limits = vec![Limits { warning: None, critical: Some(0), at_least: 1 }; 2];
        let ignore_before = Some(LogTime(2 * MINUTE));
        let mut health = Health::new(HealthRules { span: 15 * MINUTE, ignore_before, limits });
        assert!(!feed(&mut health, 0, 1, 10));
        assert_eq!((health.state(), health.newest()), (State::Ok, None));
        feed(&mut health, 0, 2, 1);
        assert_eq!(health.state(), State::Critical);
    }
}
