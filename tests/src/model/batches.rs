//! Batches of data quality: where a partition's records are cut, and what is counted in each piece.
//!
//! Cuts are local to the log: between two neighbours whose keys differ, or that have a decree between them.

use std::ops::Range;

use super::history::Entry;
use super::{Answer, History, Verdict};

/// The report of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The offset of its first record; with the partition, its identity.
    pub first: i64,
    /// One past its last offset: the first offset of the next batch, or the position of the decree that ended it.
    pub end: i64,
    /// The position from which the end is known: one past the next batch's first record, or the decree's. For the
    /// open batch, one past its last record so far, like `end`.
    pub known_at: i64,
    /// What became of its records, and its gaps.
    pub ledger: Ledger,
    /// One for each rule, in manifest order; the reserved rules are not among them.
    pub rules: Vec<RuleCount>,
}

/// How many records got which verdict. Dead-lettered is `invalid + undecodable`; late is counted apart, wherever it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the verdict of its name")]
pub struct Ledger {
    /// Records read.
    pub consumed: u64,
    pub counted: u64,
    pub duplicate: u64,
    pub late: u64,
    pub filtered: u64,
    pub invalid: u64,
    pub undecodable: u64,
    /// Offsets without a record.
    pub gaps: u64,
}

/// How one rule fared over the decodable records, whatever their verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCount {
    /// Records on which it was true or false.
    pub evaluated: u64,
    /// Records on which it was false.
    pub violations: u64,
    /// Records on which it was null. `evaluated + skipped` is the number of decodable records.
    pub skipped: u64,
}

/// Neighbouring records in one batch, and how it ends if it does.
struct Piece {
    entries: Range<usize>,
    cut: Option<Cut>,
}

/// Where a batch ends, and the position from which that is known.
struct Cut {
    end: i64,
    known_at: i64,
}

impl History {
    /// The finished batches, in order.
    pub fn batches(&self) -> Vec<Batch> {
        let finished = |piece: Piece| piece.cut.map(|cut| self.batch(piece.entries, cut));
        self.pieces().into_iter().filter_map(finished).collect()
    }

    /// The batch that is open at the end: it has a record, and neither a next one nor a decree has ended it.
    pub fn open_batch(&self) -> Option<Batch> {
        let piece = self.pieces().pop().filter(|piece| piece.cut.is_none())?;
        Some(self.batch(piece.entries, Cut { end: self.end(), known_at: self.end() }))
    }

    /// The account of everything read, from the first record to the end.
    pub fn ledger(&self) -> Ledger {
        self.account(0..self.entries.len(), self.end())
    }

    fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut start = 0;
        for next in 1..=self.entries.len() {
            let cut = self.cut_before(next);
            if cut.is_some() || next == self.entries.len() {
                pieces.push(Piece { entries: start..next, cut });
                start = next;
            }
        }
        pieces
    }

    /// The cut after record `next - 1`, if there is one.
    fn cut_before(&self, next: usize) -> Option<Cut> {
        let last = &self.entries[next - 1];
        let following = self.entries.get(next);
        let between = |at: i64| at > last.record.offset && following.is_none_or(|entry| at <= entry.record.offset);
        if let Some(decree) = self.decrees.iter().find(|decree| between(decree.at)) {
            return Some(Cut { end: decree.at, known_at: decree.at });
        }
        let end = following?.record.offset;
        (self.key(last) != self.key(following?)).then_some(Cut { end, known_at: end + 1 })
    }

    fn key(&self, entry: &Entry) -> (i64, i64) {
        self.params.batch_key(entry.log_time, entry.record.offset)
    }

    fn batch(&self, range: Range<usize>, Cut { end, known_at }: Cut) -> Batch {
        let first = self.entries[range.start].record.offset;
        let rules = (0..self.params.dead_letter.len()).map(|rule| self.count_rule(range.clone(), rule)).collect();
        Batch { first, end, known_at, ledger: self.account(range, end), rules }
    }

    /// Counts the verdicts of `range`, and the gaps from its first record to `end`.
    fn account(&self, range: Range<usize>, end: i64) -> Ledger {
        let entries = &self.entries[range];
        let ledger: Ledger = entries.iter().map(|entry| &entry.verdict).collect();
        let length = entries.first().map_or(0, |first| (end - first.record.offset).unsigned_abs());
        Ledger { gaps: length - ledger.consumed, ..ledger }
    }

    fn count_rule(&self, range: Range<usize>, rule: usize) -> RuleCount {
        let mut count = RuleCount::default();
        for event in self.entries[range].iter().filter_map(|entry| entry.record.decodable.as_ref()) {
            match event.rules[rule] {
                Answer::Passes => count.evaluated += 1,
                Answer::Violated => {
                    count.evaluated += 1;
                    count.violations += 1;
                }
                Answer::Skipped => count.skipped += 1,
            }
        }
        count
    }
}

/// Of records with these verdicts, and no gaps.
impl<'a> FromIterator<&'a Verdict> for Ledger {
    fn from_iter<I: IntoIterator<Item = &'a Verdict>>(verdicts: I) -> Self {
        let mut ledger = Self::default();
        for verdict in verdicts {
            ledger.consumed += 1;
            *match verdict {
                Verdict::Undecodable => &mut ledger.undecodable,
                Verdict::Invalid(_) => &mut ledger.invalid,
                Verdict::Filtered => &mut ledger.filtered,
                Verdict::Late => &mut ledger.late,
                Verdict::Duplicate => &mut ledger.duplicate,
                Verdict::Counted => &mut ledger.counted,
            } += 1;
        }
        ledger
    }
}

impl Ledger {
    /// The law of conservation: consumed = counted + duplicate + late + filtered + dead-lettered.
    pub fn balances(&self) -> bool {
        let dead_lettered = self.invalid + self.undecodable;
        self.consumed == self.counted + self.duplicate + self.late + self.filtered + dead_lettered
    }

    /// Two accounts together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            consumed: self.consumed + other.consumed,
            counted: self.counted + other.counted,
            duplicate: self.duplicate + other.duplicate,
            late: self.late + other.late,
            filtered: self.filtered + other.filtered,
            invalid: self.invalid + other.invalid,
            undecodable: self.undecodable + other.undecodable,
            gaps: self.gaps + other.gaps,
        }
    }
}
