//! What a lane knows of records that its log has lost: which of its windows may lack something.

use super::Lane;
use crate::fetch::Fetch;
use crate::loss::{Loss, end_of};
use crate::units::{EventTime, Offset};

impl Lane {
    /// The first record behind a loss bounds what was lost: no lost record was stamped later, so none was further ahead than is allowed
    /// from there.
    pub(super) fn bound_losses(&mut self, fetch: &Fetch<'_>) {
        if self.losses.iter().all(|loss| loss.until.is_some()) {
            return;
        }
        let row = fetch.offsets.first().zip(fetch.log_times.first()).map(|(offset, time)| (*offset, *time));
        let bad = fetch.undecodable.first().map(|bad| (bad.offset.0, bad.log_time.0));
        let Some((_, log_time)) = row.into_iter().chain(bad).min() else { return };
        let ahead = EventTime(log_time.saturating_add(self.program.times.max_future_skew));
        let until = end_of(self.latest.max(ahead), &self.program);
        self.losses.iter_mut().filter(|loss| loss.until.is_none()).for_each(|loss| loss.until = Some(until));
    }

    /// The seal is about to reach `sealed`. Where that closes every window of a lost record, a window that is open beside it may still
    /// hold a record that it would have called a duplicate; those that open later can not.
    pub(super) fn end_losses(&mut self, sealed: EventTime) {
        let open = self.windows.iter().map(|open| open.window.end).max().unwrap_or(EventTime::NEVER);
        for loss in self.losses.iter_mut().filter(|loss| !loss.over) {
            if let Some(until) = loss.until.filter(|until| *until <= sealed) {
                (loss.until, loss.over) = (Some(until.max(open)), true);
            }
        }
    }

    /// The losses that concern windows between two seals, each up to the later one.
    pub(super) fn losses_between(&self, after: EventTime, sealed: EventTime) -> Vec<Loss> {
        let concerns = |loss: &&Loss| loss.after < sealed && loss.until.is_none_or(|until| after < until);
        let told = |loss: &Loss| Loss { until: Some(loss.until.map_or(sealed, |until| until.min(sealed))), ..*loss };
        self.losses.iter().filter(concerns).map(told).collect()
    }

    /// Whether a batch that begins at `first` was open when the lane went on after a loss: what an owner has told of those records was
    /// told before it, of as many as there were.
    pub(super) fn was_open_at_a_loss(&self, first: Offset) -> bool {
        self.losses.iter().any(|loss| first < loss.position)
    }

    /// What was lost of the log.
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }
}
