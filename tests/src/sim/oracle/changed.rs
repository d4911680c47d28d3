//! The naive model around a change of meaning: each meaning judges the whole log by itself, and each window and each verdict is taken from
//! the one that it belongs to.

use std::collections::BTreeMap;

use stream_core::Partition;

use super::{Reports, Told, records, with_join};
use crate::model::{Decree, History, PartitionOutcome, Record, Verdict, Window, publish, run_with_decrees};
use crate::sim::domain::Entry;
use crate::sim::world::{Revised, World};

/// What the model says.
pub fn told(world: &World) -> Told {
    let Some(revised) = &world.revised else { unreachable!("the meaning has changed") };
    let until = revised.until().0;
    let (mut before, mut now, mut verdicts) = (Vec::new(), Vec::new(), Vec::new());
    for partition in 0..world.sources.len() as i32 {
        let partition = Around::of(world, revised, partition);
        verdicts.push(partition.verdicts());
        now.push(partition.now);
        before.extend(partition.before);
    }
    let mut windows: BTreeMap<Window, _> = publish(&before);
    windows.retain(|window, _| window.start < until);
    windows.extend(publish(&now).into_iter().filter(|(window, _)| window.start >= until));
    let sum = |of: &Vec<(i64, Verdict)>| of.iter().map(|(_, verdict)| verdict).collect();
    Told { windows, reports: Reports::Sums(verdicts.iter().map(sum).collect()), verdicts }
}

/// A partition whose meaning changes.
struct Around<'a> {
    entries: &'a [Entry],
    revised: &'a Revised,
    /// The start of the window of the meaning before in which a time lies.
    starts: Box<dyn Fn(i64) -> i64>,
    /// What the meaning before makes of its log; nothing where it joined later.
    before: Option<PartitionOutcome>,
    now: PartitionOutcome,
    /// Where the change was first known.
    since: i64,
    /// Where the meaning before was over.
    over: i64,
}

impl<'a> Around<'a> {
    fn of(world: &'a World, revised: &'a Revised, partition: i32) -> Self {
        let source = &world.sources[partition as usize];
        let change = &revised.previous.change;
        let joins = world.topology().joins(Partition(partition));
        let since = revised.since.get(&partition).copied();
        let (first, joined) = match revised.entered.get(&partition).copied() {
            Some(entered) => {
                let first = source.first_at(change.begins()).map_or(entered, |first| first.min(entered));
                (first.0, change.begin(first).watermark)
            }
            None => (source.low, joins),
        };
        let own: Vec<Record> = records(&revised.domain, source).into_iter().filter(|it| it.offset >= first).collect();
        let decrees = with_join(first, joined, &world.decrees(1, partition));
        let now = run_with_decrees(&own, &revised.domain.params, &decrees);
        let theirs = records(&world.domain, source);
        let params = world.domain.params.clone();
        let decrees = with_join(source.low, joins, &world.decrees(0, partition));
        let history = History::new(&params, &theirs, &decrees);
        let before = since.map(|_| run_with_decrees(&theirs, &params, &decrees));
        let since = since.map_or(i64::MIN, |since| since.0);
        let is_over = |at: &i64| *at >= since && history.watermark(*at) >= Some(change.closes().0);
        let ends = theirs.iter().map(|record| record.offset + 1).chain(decrees.iter().map(|decree: &Decree| decree.at));
        let over = ends.chain([since]).filter(is_over).min().unwrap_or(i64::MAX);
        let over = if before.is_some() { over } else { i64::MIN };
        let starts = Box::new(move |time| params.boundary(time));
        Self { entries: &source.entries, revised, starts, before, now, since, over }
    }

    /// The verdict of each record: that of the meaning in whose window it lies, once the change was known, or of the only one.
    fn verdicts(&self) -> Vec<(i64, Verdict)> {
        let now: BTreeMap<i64, Verdict> = self.now.verdicts.iter().copied().collect();
        let before: BTreeMap<i64, Verdict> = self.before.iter().flat_map(|it| it.verdicts.iter().copied()).collect();
        let verdict = |entry: &Entry| {
            // A time outside the calendar lies in no window: both meanings refuse it.
            let at = entry.sale.as_ref().and_then(|sale| sale.at);
            let time = at.filter(|at| self.revised.domain.params.in_calendar(*at));
            let until = self.revised.until().0;
            let lies_behind = time.is_some_and(|time| (self.starts)(time) >= until);
            let is_now = entry.offset >= self.over || (entry.offset >= self.since && lies_behind);
            let verdict = if is_now { now[&entry.offset] } else { before[&entry.offset] };
            // What lies in a window of the meaning before is late once that is over.
            let is_before = time.is_some_and(|time| self.revised.domain.params.boundary(time) < until);
            let is_told = matches!(verdict, Verdict::Counted | Verdict::Duplicate);
            (entry.offset, if is_now && is_before && is_told { Verdict::Late } else { verdict })
        };
        self.entries.iter().map(verdict).collect()
    }
}
