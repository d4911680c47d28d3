//! The stream: one record after the other, in an order that only the options decide.
//!
//! Keeps true: same options and schema ids, same records; every record is noted in the truth with the verdict that it
//! has by construction; an intent that cannot be kept yet (nothing to send again, nothing closed) becomes an ordinary event.

use super::accounts::Accounts;
use super::dice::Dice;
use super::domain::{Draft, PRO, WRONG_CURRENCY, WRONG_PLAN_TIER, WRONG_REGION, event_id};
use super::encode::encode;
use super::intent::{Intent, Mix};
use super::lane::Lane;
use super::options::{Options, OptionsError};
use super::poison::{POISONS, spoil};
use super::profile::{Profile, amount};
use super::truth::{Rule, Truth, Verdict};

/// How far ahead the event times of the `future` share are: 20 years.
pub const FAR_AHEAD: i64 = 7_305 * 86_400_000;
/// Longest time from happening to being received, unless the event is made stale.
const LATENCY: i64 = 2_000;
/// Dead-letter rules that take turns.
const BROKEN_IN_TURN: [Rule; 5] = [Rule::Required, Rule::PlanTier, Rule::Region, Rule::Currency, Rule::Amount];

/// The registry's ids of the writer schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaIds {
    /// Of the sample schema.
    pub first: u32,
    /// Of the sample schema with the optional field `channel`; needed when the share `v2` is above 0.
    pub second: Option<u32>,
}

/// One record to be produced; borrows the generator's buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Partition of the key by Kafka's murmur2.
    pub partition: u32,
    /// The account id.
    pub key: &'a [u8],
    /// Confluent-framed Avro, or null.
    pub value: Option<&'a [u8]>,
    /// A log time that fits the event times, never decreasing, milliseconds UTC: for topics without append time.
    pub timestamp: i64,
    /// A header (name, value); records made for the dead letters carry one.
    pub header: Option<(&'static str, &'a [u8])>,
}

/// Yields the stream and keeps its truth.
pub struct Generator {
    dice: Dice,
    mix: Mix,
    accounts: Accounts,
    lanes: Vec<Lane>,
    truth: Truth,
    ids: SchemaIds,
    produced: u64,
    arrival: i64,
    /// Part of a millisecond that `arrival` is ahead, in `1 / count`.
    arrival_rest: u64,
    turn: usize,
    value: Vec<u8>,
    trace: [u8; 8],
}

impl Generator {
    /// A stream from its beginning.
    ///
    /// # Errors
    /// Options that cannot be generated.
    pub fn new(options: &Options, ids: SchemaIds) -> Result<Self, OptionsError> {
        options.check()?;
        if options.shape.v2 > 0.0 && ids.second.is_none() {
            return Err(OptionsError::NoSecondSchema);
        }
        Ok(Self {
            dice: Dice::new(options.shape.seed),
            mix: Mix::new(&options.shape),
            accounts: Accounts::new(options.shape.accounts, options.partitions, options.shape.skew),
            lanes: (0..options.partitions).map(|_| Lane::new(&options.windows)).collect(),
            truth: Truth::new(options.clone()),
            ids,
            produced: 0,
            arrival: options.shape.start,
            arrival_rest: 0,
            turn: 0,
            value: Vec::with_capacity(256),
            trace: [0; 8],
        })
    }

    /// The next record, or none after `count` of them.
    pub fn next_event(&mut self) -> Option<Event<'_>> {
        if self.produced == self.truth.options.count {
            return None;
        }
        let account = self.accounts.draw(&mut self.dice);
        let intent = self.mix.draw(&mut self.dice);
        let timestamp = self.arrival;
        let partition = self.accounts.partition(account);
        let (draft, verdict) = self.draft(account, partition, intent);
        let id = if draft.second_version { self.ids.second.unwrap_or(self.ids.first) } else { self.ids.first };
        encode(&draft, self.accounts.key(draft.account), id, &mut self.value);
        let has_value = self.note(partition, &draft, verdict);
        self.trace = self.produced.to_be_bytes();
        self.advance();
        let marked = matches!(verdict, Verdict::Undecodable | Verdict::Invalid(_));
        Some(Event {
            partition,
            key: self.accounts.key(draft.account),
            value: has_value.then_some(self.value.as_slice()),
            timestamp,
            header: marked.then_some(("trace", self.trace.as_slice())),
        })
    }

    /// The truth of what was yielded so far.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// Ends the stream here and gives its truth.
    pub fn into_truth(self) -> Truth {
        self.truth
    }

    /// Enters the record into the truth and its lane, and spoils it if so intended; false means a null value.
    fn note(&mut self, partition: u32, draft: &Draft, verdict: Verdict) -> bool {
        let lane = &mut self.lanes[partition as usize];
        match verdict {
            Verdict::Undecodable => {
                self.truth.note_undecodable(partition);
                let poison = POISONS[self.turn % POISONS.len()];
                self.turn += 1;
                return spoil(poison, &mut self.value, &mut self.dice);
            }
            Verdict::Invalid(_) => {}
            Verdict::Late => lane.move_watermark(draft.event_time),
            Verdict::Duplicate | Verdict::Counted => lane.remember(draft),
        }
        self.truth.note(partition, draft, verdict, lane.window_start(draft.event_time));
        true
    }

    /// Makes the event that the intent asks for, and says its verdict.
    fn draft(&mut self, account: u32, partition: u32, intent: Intent) -> (Draft, Verdict) {
        let draft = self.ordinary(account);
        let lane = &self.lanes[partition as usize];
        let made = match intent {
            Intent::Ordinary => None,
            Intent::Poison => Some((draft, Verdict::Undecodable)),
            Intent::Invalid => Some(self.invalid(draft)),
            Intent::Future => Some((draft.moved_by(FAR_AHEAD), Verdict::Invalid(Rule::EventTimeFuture))),
            Intent::Late => late(draft, lane, &mut self.dice),
            Intent::Duplicate => duplicate(&draft, lane, &mut self.dice),
        };
        made.unwrap_or_else(|| {
            let max_latency = self.truth.options.windows.max_latency;
            (self.mix.breach_reports(draft, max_latency, &mut self.dice), Verdict::Counted)
        })
    }

    /// Breaks the dead-letter rule whose turn it is, and no other rule.
    fn invalid(&mut self, mut draft: Draft) -> (Draft, Verdict) {
        let rule = BROKEN_IN_TURN[self.turn % BROKEN_IN_TURN.len()];
        self.turn += 1;
        match rule {
            Rule::PlanTier => draft.plan_tier = WRONG_PLAN_TIER,
            Rule::Region => draft.region = WRONG_REGION,
            Rule::Currency => draft.currency = WRONG_CURRENCY,
            Rule::Amount => (draft.plan_tier, draft.amount) = (PRO, draft.amount.map(|cents| -1 - cents)),
            _ => draft.amount = None,
        }
        // Half of them are ahead of everybody: a refused record must not move the watermark.
        if self.dice.below(2) == 0 {
            let ahead = self.dice.between(0, self.truth.options.windows.max_future_skew);
            draft = draft.moved_by(self.arrival + ahead - draft.event_time);
        }
        (draft, Verdict::Invalid(rule))
    }

    /// An event that breaks no rule and is not late.
    fn ordinary(&mut self, account: u32) -> Draft {
        let dice = &mut self.dice;
        let event_time = self.arrival - dice.between(0, self.truth.options.shape.jitter);
        let Profile { plan_tier, region, currency } = Profile::of(account);
        let bits = dice.throw();
        Draft {
            event_id: event_id(self.truth.options.shape.seed, self.produced),
            event_time,
            ingest_time: event_time + dice.between(0, LATENCY),
            amount: Some(amount(plan_tier, dice)),
            account,
            user: (bits & 7 != 0).then_some((bits >> 32) as u32 % 1_000_000),
            event_type: (bits >> 3 & 3) as u8,
            plan_tier: self.mix.or_null(plan_tier, dice),
            region: self.mix.or_null(region, dice),
            currency: self.mix.or_null(currency, dice),
            channel: (bits >> 5 & 3) as u8,
            second_version: self.mix.second_version(dice),
        }
    }

    /// Moves the arrival time on, so that `count` records spread evenly over the span.
    fn advance(&mut self) {
        let Options { count, shape, .. } = &self.truth.options;
        let span = shape.span.cast_unsigned();
        self.produced += 1;
        self.arrival += (span / count).cast_signed();
        self.arrival_rest += span % count;
        if self.arrival_rest >= *count {
            self.arrival_rest -= count;
            self.arrival += 1;
        }
    }
}

/// An event of a closed window; a quarter are old acquaintances that come again too late to be duplicates.
fn late(draft: Draft, lane: &Lane, dice: &mut Dice) -> Option<(Draft, Verdict)> {
    let event_time = lane.late_time(dice)?;
    let copy = lane.closed().filter(|_| dice.below(4) == 0);
    Some((copy.unwrap_or_else(|| draft.moved_by(event_time - draft.event_time)), Verdict::Late))
}

/// An event that is remembered, once more; a quarter come stamped anew, perhaps into another window.
fn duplicate(draft: &Draft, lane: &Lane, dice: &mut Dice) -> Option<(Draft, Verdict)> {
    let copy = lane.copyable(dice)?;
    let stamped = if dice.below(4) == 0 { copy.moved_by(draft.event_time - copy.event_time) } else { copy };
    Some((stamped, Verdict::Duplicate))
}
