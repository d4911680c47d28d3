//! What must come out: expected gold rows, expected verdicts per partition, expected violations per rule.
//!
//! Keeps true: the verdicts of a partition add up to the records consumed from it; the counted ones add up to the gold
//! rows. Money is whole cents in 128 bits.

use std::collections::BTreeMap;

use serde::Serialize;

use super::domain::{Draft, FREE, PLAN_TIERS, REGIONS};
use super::options::Options;

/// Rules of the quickstart that generated events can break, dead-letter rules first, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A required field is null.
    Required,
    /// Plan tier outside of its list.
    PlanTier,
    /// Region outside of its list.
    Region,
    /// Currency outside of its list.
    Currency,
    /// Negative amount.
    Amount,
    /// Event time too far ahead of the log time.
    EventTimeFuture,
    /// Received too long after it happened; reported only.
    Fresh,
    /// Free tier but not free; reported only.
    FreeIsFree,
}

/// Names of the rules, in the order of [`Rule`].
pub const RULES: [&str; 8] =
    ["required", "plan-tier", "region", "currency", "amount", "event-time-future", "fresh", "free-is-free"];
/// How many of [`RULES`] send a record to the dead letters.
const DEAD_LETTER_RULES: usize = 6;

/// The verdict of section 3 that a generated record was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Bytes that no schema decodes.
    Undecodable,
    /// Breaks this rule and no other dead-letter rule.
    Invalid(Rule),
    /// Its window is closed.
    Late,
    /// Its id was seen in an open window.
    Duplicate,
    /// Goes into its window.
    Counted,
}

/// How many records got which verdict.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All records.
    pub consumed: u64,
    /// Folded into a window.
    pub counted: u64,
    /// Seen before in an open window.
    pub duplicate: u64,
    /// Window closed.
    pub late: u64,
    /// Refused by the filter; the quickstart has none.
    pub filtered: u64,
    /// Broke a dead-letter rule or had no usable event time.
    pub invalid: u64,
    /// Not decodable.
    pub undecodable: u64,
    /// Without a value, where such records are ignored.
    pub ignored: u64,
}

impl Counts {
    /// Law L1: the verdicts add up to the records consumed.
    pub fn balances(&self) -> bool {
        self.consumed == self.verdicts().iter().sum::<u64>()
    }

    /// Every verdict, in the order of the ledger.
    pub fn verdicts(&self) -> [u64; 7] {
        let Self { counted, duplicate, late, filtered, invalid, undecodable, ignored, .. } = *self;
        [counted, duplicate, late, filtered, invalid, undecodable, ignored]
    }

    /// Adds the counts of another partition.
    pub fn add(&mut self, other: &Self) {
        self.consumed += other.consumed;
        self.counted += other.counted;
        self.duplicate += other.duplicate;
        self.late += other.late;
        self.filtered += other.filtered;
        self.invalid += other.invalid;
        self.undecodable += other.undecodable;
        self.ignored += other.ignored;
    }
}

/// Expected verdicts and violations of one partition.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Records per verdict.
    pub counts: Counts,
    /// Violations per rule, in the order of [`RULES`], over all decodable records.
    pub violations: [u64; RULES.len()],
}

/// One expected row of the quickstart's gold table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoldRow {
    /// Start of the window, milliseconds UTC.
    pub window_start: i64,
    /// Group column `region`.
    pub region: Option<&'static str>,
    /// Group column `plan_tier`.
    pub plan_tier: Option<&'static str>,
    /// `sum(amount)` in cents.
    pub revenue_cents: i128,
    /// `count(*)`.
    pub event_count: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Cell {
    cents: i128,
    count: u64,
}

/// Cells of one window by region and plan tier label (the last label of each is never counted).
type Cells = [[Cell; PLAN_TIERS.len()]; REGIONS.len()];

/// The expected outcome of a generated stream.
#[derive(Debug, Clone)]
pub struct Truth {
    /// What was generated.
    pub options: Options,
    /// By partition number.
    pub partitions: Vec<Ledger>,
    windows: BTreeMap<i64, Box<Cells>>,
}

impl Truth {
    /// The truth of a stream without records.
    pub fn new(options: Options) -> Self {
        let partitions = vec![Ledger::default(); options.partitions as usize];
        Self { options, partitions, windows: BTreeMap::new() }
    }

    /// Notes a record that nobody can decode.
    pub fn note_undecodable(&mut self, partition: u32) {
        let counts = &mut self.partitions[partition as usize].counts;
        counts.consumed += 1;
        counts.undecodable += 1;
    }

    /// Notes a decodable record; `window_start` is that of its event time.
    pub fn note(&mut self, partition: u32, draft: &Draft, verdict: Verdict, window_start: i64) {
        let ledger = &mut self.partitions[partition as usize];
        let max_latency = self.options.windows.max_latency;
        ledger.violations[Rule::Fresh as usize] += u64::from(draft.ingest_time - draft.event_time > max_latency);
        let paid_free = draft.plan_tier == FREE && draft.amount.is_some_and(|cents| cents != 0);
        ledger.violations[Rule::FreeIsFree as usize] += u64::from(paid_free);
        ledger.counts.consumed += 1;
        match verdict {
            Verdict::Undecodable => ledger.counts.undecodable += 1,
            Verdict::Invalid(rule) => {
                ledger.counts.invalid += 1;
                ledger.violations[rule as usize] += 1;
            }
            Verdict::Late => ledger.counts.late += 1,
            Verdict::Duplicate => ledger.counts.duplicate += 1,
            Verdict::Counted => {
                ledger.counts.counted += 1;
                let cells = self.windows.entry(window_start).or_default();
                let cell = &mut cells[usize::from(draft.region)][usize::from(draft.plan_tier)];
                cell.cents += i128::from(draft.amount.unwrap_or(0));
                cell.count += 1;
            }
        }
    }

    /// Records per verdict over all partitions.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.partitions.iter().for_each(|ledger| sum.add(&ledger.counts));
        sum
    }

    /// Violations per rule over all partitions and decodable records, in the order of [`RULES`].
    pub fn violations(&self) -> impl Iterator<Item = (&'static str, u64)> {
        RULES
            .iter()
            .enumerate()
            .map(|(index, name)| (*name, self.partitions.iter().map(|ledger| ledger.violations[index]).sum()))
    }

    /// Expected gold rows, by window start, region and plan tier (null first, then the order of the labels).
    pub fn gold(&self) -> impl Iterator<Item = GoldRow> {
        self.windows.iter().flat_map(|(window_start, cells)| {
            cells.iter().enumerate().flat_map(move |(region, row)| {
                row.iter().enumerate().filter(|(_, cell)| cell.count > 0).map(move |(plan_tier, cell)| GoldRow {
                    window_start: *window_start,
                    region: REGIONS[region],
                    plan_tier: PLAN_TIERS[plan_tier],
                    revenue_cents: cell.cents,
                    event_count: cell.count,
                })
            })
        })
    }

    /// Revenue of all gold rows, in cents.
    pub fn revenue_cents(&self) -> i128 {
        self.gold().map(|row| row.revenue_cents).sum()
    }
}

impl Ledger {
    /// Invalid records per rule, without zeros: every generated invalid record breaks exactly one dead-letter rule.
    pub fn invalid_by_rule(&self) -> impl Iterator<Item = (&'static str, u64)> {
        RULES.into_iter().zip(self.violations).take(DEAD_LETTER_RULES).filter(|(_, count)| *count > 0)
    }
}
