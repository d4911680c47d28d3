//! A partition's log, judged: for each record its log time, the watermark before it, whether it is remembered, its
//! verdict. Each is a formula over what came before; nothing is carried along but the log itself.

use std::sync::Arc;

use super::verdict::broken;
use super::{Anchor, Broken, Decree, Event, Params, Record, Verdict, Window};

/// A judged log, read from an anchor on. Immutable; every question about any position is answered from it.
#[derive(Clone, Debug)]
pub struct History {
    pub(super) params: Params,
    pub(super) from: Anchor,
    pub(super) decrees: Vec<Decree>,
    pub(super) entries: Vec<Arc<Entry>>,
}

/// A record and what the contract says about it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub record: Record,
    /// Its log time, which follows from the timestamps up to its own.
    pub log_time: i64,
    pub broken: Option<Broken>,
    /// The watermark just before this record; `None` is −∞.
    pub watermark: Option<i64>,
    /// Counted or Duplicate: its id belongs to its window from here on.
    pub remembered: bool,
    pub verdict: Verdict,
}

impl History {
    /// Judges `records` from the beginning of the partition.
    pub fn new(params: &Params, records: &[Record], decrees: &[Decree]) -> Self {
        let first_record = records.first().map(|record| record.offset);
        let first_decree = decrees.iter().map(|decree| decree.at).min();
        let offset = first_record.into_iter().chain(first_decree).min().unwrap_or(0);
        let nothing_yet = Anchor { offset, watermark: None, log_time: None };
        Self::judged(params, records.iter(), decrees.to_vec(), nothing_yet)
    }

    /// Judges only what comes from `from` on, believing that the watermark and the log time it names held there.
    /// Decrees at or before `from` are already in its watermark.
    pub fn resume(params: &Params, records: &[Record], decrees: &[Decree], from: Anchor) -> Self {
        let later = decrees.iter().copied().filter(|decree| decree.at > from.offset).collect();
        Self::judged(params, records.iter().filter(|record| record.offset >= from.offset), later, from)
    }

    fn judged<'a>(
        params: &Params,
        records: impl Iterator<Item = &'a Record>,
        mut decrees: Vec<Decree>,
        from: Anchor,
    ) -> Self {
        decrees.sort_by_key(|decree| decree.at);
        let mut history = Self { params: params.clone(), from, decrees, entries: Vec::new() };
        for record in records {
            let entry = history.judge(record);
            history.entries.push(Arc::new(entry));
        }
        history
    }

    /// The watermark of position `offset`: the largest event time of the judged-valid records before it, minus the
    /// delay, or what was decreed at or before it, whichever is larger. `None` is −∞.
    pub fn watermark(&self, offset: i64) -> Option<i64> {
        let decreed = self.decrees.iter().filter(|decree| decree.at <= offset).map(|decree| decree.to).max();
        self.folded(offset).max(decreed)
    }

    /// The watermark just after the decree with this index, before another one at the same position.
    pub(super) fn watermark_after_decree(&self, index: usize) -> Option<i64> {
        let decreed = self.decrees[..=index].iter().map(|decree| decree.to).max();
        self.folded(self.decrees[index].at).max(decreed)
    }

    /// What the records alone make of the watermark at `offset`.
    fn folded(&self, offset: i64) -> Option<i64> {
        let largest = self.before(offset).filter_map(|entry| entry.valid_event_time()).max();
        self.from.watermark.max(largest.map(|time| time - self.params.delay))
    }

    /// The log time of position `offset`: that of the last record before it.
    pub fn log_time(&self, offset: i64) -> Option<i64> {
        self.before(offset).last().map(|entry| entry.log_time).or(self.from.log_time)
    }

    /// The largest log time before position `offset`.
    pub fn newest_log_time(&self, offset: i64) -> Option<i64> {
        self.from.log_time.max(self.before(offset).map(|entry| entry.log_time).max())
    }

    /// The position after the last record and the last decree.
    pub fn end(&self) -> i64 {
        let after_last = self.entries.last().map(|entry| entry.record.offset + 1);
        let last_decree = self.decrees.last().map(|decree| decree.at);
        after_last.max(last_decree).unwrap_or(self.from.offset)
    }

    /// The verdict of every record, in order.
    pub fn verdicts(&self) -> Vec<(i64, Verdict)> {
        self.entries.iter().map(|entry| (entry.record.offset, entry.verdict)).collect()
    }

    /// The judged records below `offset`.
    pub(super) fn before(&self, offset: i64) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.iter().filter(move |entry| entry.record.offset < offset)
    }

    /// The remembered records below `offset` whose windows are open there.
    pub(super) fn remembered_at(&self, offset: i64) -> impl Iterator<Item = (&Arc<Entry>, Window)> {
        let watermark = self.watermark(offset);
        self.before(offset).filter(|entry| entry.remembered).filter_map(move |entry| {
            let window = entry.window(&self.params)?;
            is_open(window, watermark).then_some((entry, window))
        })
    }

    /// Judges the record that follows `self.entries`.
    fn judge(&self, record: &Record) -> Entry {
        let log_time = self.params.log_time(self.log_time(record.offset), record.offset, record.log_time);
        let watermark = self.watermark(record.offset);
        let event = record.decodable.as_ref();
        let broken = event.and_then(|event| broken(&self.params, event, log_time));
        let verdict = match (event, broken) {
            (None, _) => Verdict::Undecodable,
            (Some(_), Some(broken)) => Verdict::Invalid(broken),
            (Some(event), None) => self.judge_valid(record.offset, event, watermark),
        };
        let remembered = matches!(verdict, Verdict::Counted | Verdict::Duplicate);
        Entry { record: record.clone(), log_time, broken, watermark, remembered, verdict }
    }

    fn judge_valid(&self, offset: i64, event: &Event, watermark: Option<i64>) -> Verdict {
        let on_time = event.event_time.is_some_and(|time| is_open(self.params.window_of(time), watermark));
        let same_id = |entry: &Entry| entry.record.decodable.as_ref().is_some_and(|seen| seen.id == event.id);
        if !event.filter {
            Verdict::Filtered
        } else if !on_time {
            Verdict::Late
        } else if self.remembered_at(offset).any(|(entry, _)| same_id(entry)) {
            Verdict::Duplicate
        } else {
            Verdict::Counted
        }
    }
}

/// Whether the watermark has not reached the window's end.
fn is_open(window: Window, watermark: Option<i64>) -> bool {
    watermark.is_none_or(|watermark| watermark < window.end)
}

impl Entry {
    /// The event time, if this record is judged-valid and so moves the watermark.
    pub fn valid_event_time(&self) -> Option<i64> {
        let event = self.record.decodable.as_ref()?;
        if self.broken.is_some() { None } else { event.event_time }
    }

    /// The window of a judged-valid record.
    pub fn window(&self, params: &Params) -> Option<Window> {
        self.valid_event_time().map(|time| params.window_of(time))
    }

    /// The watermark just after this record, before any decree at the next position.
    pub fn watermark_after(&self, params: &Params) -> Option<i64> {
        self.watermark.max(self.valid_event_time().map(|time| time - params.delay))
    }
}
