//! Idle partitions: what lets the windows of all partitions close though some have nothing to read.
//!
//! What it keeps true: a partition is idle only when its broker was asked just now and nothing is left to be read, never on a timer
//! alone; its watermark is raised at most to what the partitions that are not idle have committed, and not ahead of the clock less
//! the delay; when all are idle nothing moves, unless the pipeline closes what is open after a while.
//!
//! A decree lies on the window grid, because only there it closes anything; so there are never more of them than windows.

use std::collections::BTreeMap;

use stream_core::{EventTime, Offset, Windows};

use super::effects::Now;
use super::partition::Owned;
use super::{IngestError, Shared};
use crate::progress::CommittedProgress;

/// Least time between two looks, milliseconds.
const LOOK: u64 = 250;

/// The lowest watermark of the partitions that are not idle; absent when all are.
///
/// Where nothing was judged yet the watermark is the boundary at which the partition joined, which tells nothing of events: raised
/// to it, the others would call late what belongs before the boundary.
fn least_busy(committed: &[Option<CommittedProgress>]) -> Option<EventTime> {
    let busy = committed.iter().filter(|committed| committed.as_ref().is_none_or(|committed| !committed.idle));
    let judged = |committed: &&CommittedProgress| committed.progress.latest != EventTime::NEVER;
    busy.map(|committed| committed.as_ref().filter(judged).map_or(EventTime::NEVER, |busy| busy.progress.watermark))
        .min()
}

/// What a lane remembers between two looks.
#[derive(Debug, Default)]
pub(super) struct Idleness {
    last_look: u64,
    /// Since when all partitions of the topic have been idle, and where.
    all: Option<(u64, Vec<Offset>)>,
}

impl Idleness {
    /// Whether it is time to look again. A bounded run ends by itself.
    pub(super) fn is_due(&self, shared: &Shared, now: Now) -> bool {
        let between = (shared.plan.idle_after_ms as u64 / 4).max(LOOK);
        shared.settings.ends.is_none() && now.ticks >= self.last_look + between
    }

    /// Marks the partitions that are idle; whether any is.
    pub(super) fn mark(
        &mut self,
        shared: &Shared,
        owned: &mut BTreeMap<i32, Owned>,
        now: Now,
    ) -> Result<bool, IngestError> {
        self.last_look = now.ticks;
        let mut any = false;
        for owned in owned.values_mut() {
            let quiet = now.ticks.saturating_sub(owned.quiet_since) >= shared.plan.idle_after_ms as u64;
            let idle = quiet && shared.broker.is_reachable() && owned.is_read(shared)?;
            owned.mark_idle(idle);
            any |= idle;
        }
        if !any {
            self.all = None;
        }
        Ok(any)
    }

    /// The watermark that idle partitions may be raised to, from what all partitions have committed.
    pub(super) fn target(&mut self, shared: &Shared, now: Now) -> Result<Option<EventTime>, IngestError> {
        let all: Vec<i32> = (0..shared.topology.partitions() as i32).collect();
        let committed = shared.committed(&all)?;
        let grid = &shared.program.windows;
        if let Some(least) = least_busy(&committed) {
            self.all = None;
            let clock = EventTime(now.wall).minus(shared.program.delay);
            return Ok(Some(grid.floor(least.min(clock))).filter(|target| *target != EventTime::NEVER));
        }
        let committed: Vec<CommittedProgress> = committed.into_iter().flatten().collect();
        Ok(self.close(shared, grid, &committed, now))
    }

    /// All are idle: after `closeWhenIdleFor` without anything new, the end of the last window that holds anything.
    fn close(
        &mut self,
        shared: &Shared,
        grid: &Windows,
        committed: &[CommittedProgress],
        now: Now,
    ) -> Option<EventTime> {
        let positions: Vec<Offset> = committed.iter().map(|committed| committed.progress.position).collect();
        let since = match &self.all {
            Some((since, known)) if *known == positions => *since,
            _ => now.ticks,
        };
        self.all = Some((since, positions));
        let patience = shared.plan.close_when_idle_for_ms? as u64;
        let latest = committed.iter().map(|committed| committed.progress.latest).max()?;
        let close = now.ticks - since >= patience && latest != EventTime::NEVER;
        close.then(|| grid.of(latest).end)
    }
}

#[cfg(test)]
mod tests {
    use stream_core::Progress;

    use super::*;

    fn committed(latest: EventTime, watermark: i64, idle: bool) -> CommittedProgress {
        let progress = Progress { latest, ..Progress::join(Offset(0), EventTime(watermark)) };
        CommittedProgress { progress, topic_id: None, revision: None, idle }
    }

    #[test]
    fn a_partition_that_has_just_joined_raises_no_other() {
        let idle = Some(committed(EventTime(900), 300, true));
        let busy = Some(committed(EventTime(800), 200, false));
        let joined = |idle| Some(committed(EventTime::NEVER, 1_000, idle));
        assert_eq!(least_busy(&[idle.clone(), busy.clone()]), Some(EventTime(200)));
        assert_eq!(least_busy(&[idle.clone(), joined(false)]), Some(EventTime::NEVER));
        assert_eq!(least_busy(&[idle.clone(), busy, joined(true)]), Some(EventTime(200)));
        assert_eq!(least_busy(&[idle.clone(), joined(true)]), None);
        assert_eq!(least_busy(&[idle, None]), Some(EventTime::NEVER));
    }
}
