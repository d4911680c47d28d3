//! A second reading of the contract, as a machine that forgets: one pass, one set of ids per open window, one watermark.
//!
//! It exists to disagree with the formulas. Where both say the same on random logs, neither is likely to be wrong.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::verdict::broken;
use crate::model::{AggState, Decree, Groups, Params, Record, Seal, Verdict, Window};

#[derive(Debug, Default)]
pub(super) struct Machine {
    log_time: Option<i64>,
    watermark: Option<i64>,
    sealed: Option<i64>,
    open: BTreeMap<Window, (BTreeSet<String>, Groups)>,
    pub verdicts: Vec<(i64, Verdict)>,
    pub seals: Vec<Seal>,
    pub partials: BTreeMap<Window, Groups>,
}

impl Machine {
    pub fn run(params: &Params, records: &[Record], decrees: &[Decree]) -> Self {
        let mut machine = Self::default();
        let mut decrees = decrees.to_vec();
        decrees.sort_by_key(|decree| decree.at);
        let mut pending = decrees.into_iter().peekable();
        for record in records {
            while let Some(decree) = pending.next_if(|decree| decree.at <= record.offset) {
                machine.advance(params, decree.at, decree.to);
            }
            machine.step(params, record);
        }
        for decree in pending {
            machine.advance(params, decree.at, decree.to);
        }
        machine
    }

    fn step(&mut self, params: &Params, record: &Record) {
        // The running maximum, which is forgotten where it is contradicted.
        let is_looked_at = record.offset % params.doubt.every == 0;
        self.log_time =
            self.log_time.filter(|before| !is_looked_at || before - record.log_time <= params.doubt.tolerance);
        let log_time = self.log_time.map_or(record.log_time, |before| before.max(record.log_time));
        self.log_time = Some(log_time);
        let verdict = self.judge(params, record, log_time);
        self.verdicts.push((record.offset, verdict));
        let event_time = record.decodable.as_ref().and_then(|event| event.event_time);
        if let (Some(time), false) = (event_time, matches!(verdict, Verdict::Undecodable | Verdict::Invalid(_))) {
            self.advance(params, record.offset + 1, time - params.delay);
        }
    }

    fn judge(&mut self, params: &Params, record: &Record, log_time: i64) -> Verdict {
        let Some(event) = &record.decodable else {
            return Verdict::Undecodable;
        };
        if let Some(broken) = broken(params, event, log_time) {
            return Verdict::Invalid(broken);
        }
        if !event.filter {
            return Verdict::Filtered;
        }
        let (time, id) = (event.event_time.expect("judged above"), event.id.clone().expect("judged above"));
        let window = params.window_of(time);
        if self.watermark >= Some(window.end) {
            return Verdict::Late;
        }
        let seen = self.open.values().any(|(ids, _)| ids.contains(&id));
        let (ids, groups) = self.open.entry(window).or_default();
        ids.insert(id);
        if seen {
            return Verdict::Duplicate;
        }
        let state = groups.entry(event.group.clone()).or_default();
        *state = state.merge(&AggState::of(&event.values));
        Verdict::Counted
    }

    fn advance(&mut self, params: &Params, position: i64, to: i64) {
        let watermark = self.watermark.map_or(to, |before| before.max(to));
        self.watermark = Some(watermark);
        let sealed_until = params.boundary(watermark);
        if self.sealed >= Some(sealed_until) {
            return;
        }
        self.sealed = Some(sealed_until);
        let mut closed = Vec::new();
        while let Some(first) = self.open.first_entry().filter(|first| first.key().end <= watermark) {
            let (window, (_, groups)) = first.remove_entry();
            self.partials.insert(window, groups);
            closed.push(window);
        }
        self.seals.push(Seal { position, sealed_until, closed });
    }
}
