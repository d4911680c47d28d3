//! Idle partitions: what lets the windows of all partitions close though some have nothing to read.
//!
//! What it keeps true: a partition is idle only when its broker was asked just now and nothing is left to be read, never on a timer
//! alone; its watermark is raised at most to what the partitions that are not idle have committed, and not ahead of the clock less
//! the delay; when all are idle nothing moves, unless the pipeline closes what is open after a while.
//!
//! A decree lies on the window grid, because only there it closes anything; so there are never more of them than windows.

use std::collections::BTreeMap;

use stream_core::{EventTime, Offset, Program, Progress, Targets};

use super::effects::Now;
use super::partition::Owned;
use super::{IngestError, Shared};
use crate::progress::CommittedProgress;

/// Least time between two looks, milliseconds.
const LOOK: u64 = 250;

/// The lowest of the watermarks of the partitions that are not idle; absent when all are.
fn least_busy(
    committed: &[Option<CommittedProgress>],
    watermark: impl Fn(&CommittedProgress) -> EventTime,
) -> Option<EventTime> {
    let busy = committed.iter().filter(|committed| committed.as_ref().is_none_or(|committed| !committed.idle));
    busy.map(|committed| committed.as_ref().map_or(EventTime::NEVER, &watermark)).min()
}

/// The watermark that events have led to.
///
/// Where nothing was judged yet the watermark is the boundary at which the partition joined, which tells nothing of events: raised
/// to it, the others would call late what belongs before the boundary.
fn judged(progress: &Progress) -> EventTime {
    if progress.latest == EventTime::NEVER { EventTime::NEVER } else { progress.watermark }
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

    /// The watermarks that idle partitions may be raised to, from what all partitions have committed.
    pub(super) fn target(&mut self, shared: &Shared, now: Now) -> Result<Option<Targets>, IngestError> {
        let all: Vec<i32> = (0..shared.topology.partitions() as i32).collect();
        let committed = shared.committed(&all)?;
        let in_now = |committed: &CommittedProgress| in_now(shared, committed);
        let in_before = |committed: &CommittedProgress| in_before(shared, committed);
        if let (Some(now_least), Some(before_least)) =
            (least_busy(&committed, in_now), least_busy(&committed, in_before))
        {
            self.all = None;
            let least = |program: &Program, least: EventTime| {
                program.windows.floor(least.min(EventTime(now.wall).minus(program.delay)))
            };
            let before = before_of(shared);
            let targets = Targets { before: least(before, before_least), now: least(&shared.program, now_least) };
            return Ok(Some(targets).filter(|targets| targets.now.max(targets.before) != EventTime::NEVER));
        }
        let committed: Vec<CommittedProgress> = committed.into_iter().flatten().collect();
        Ok(self.close(shared, &committed, now))
    }

    /// All are idle: after `closeWhenIdleFor` without anything new, the end of the last window that holds anything.
    fn close(&mut self, shared: &Shared, committed: &[CommittedProgress], now: Now) -> Option<Targets> {
        let positions: Vec<Offset> = committed.iter().map(CommittedProgress::position).collect();
        let since = match &self.all {
            Some((since, known)) if *known == positions => *since,
            _ => now.ticks,
        };
        self.all = Some((since, positions));
        let patience = shared.plan.close_when_idle_for_ms? as u64;
        let latest = committed.iter().map(|committed| committed.first().latest.max(committed.progress.latest)).max()?;
        let close = now.ticks - since >= patience && latest != EventTime::NEVER;
        let end = |program: &Program| program.windows.of(latest).end;
        close.then(|| Targets { before: end(before_of(shared)), now: end(&shared.program) })
    }
}

/// The program of the meaning before; there is always one to speak of.
fn before_of(shared: &Shared) -> &Program {
    shared.previous.as_ref().map_or(&shared.program, |previous| &previous.change.before)
}

/// The watermark of a partition in the meaning that the pipeline has. One that has not heard of it has not passed the boundary.
fn in_now(shared: &Shared, committed: &CommittedProgress) -> EventTime {
    let watermark = judged(&committed.progress);
    match &shared.previous {
        Some(previous) if committed.revision != Some(shared.plan.revision) => watermark.min(previous.change.until),
        Some(_) => watermark,
        // Where a later meaning has begun, this worker's is the one before.
        None => judged(committed.first()),
    }
}

/// The watermark of a partition in the meaning before; one that has left it has closed all its windows.
fn in_before(shared: &Shared, committed: &CommittedProgress) -> EventTime {
    match &shared.previous {
        Some(previous) if committed.before.is_none() && committed.revision == Some(shared.plan.revision) => {
            previous.change.closes()
        }
        _ => judged(committed.first()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(latest: EventTime, watermark: i64, idle: bool) -> CommittedProgress {
        let progress = Progress { latest, ..Progress::join(Offset(0), EventTime(watermark)) };
        CommittedProgress { progress, topic_id: None, revision: None, idle, before: None }
    }

    #[test]
    fn a_partition_that_has_just_joined_raises_no_other() {
        let idle = Some(committed(EventTime(900), 300, true));
        let busy = Some(committed(EventTime(800), 200, false));
        let joined = |idle| Some(committed(EventTime::NEVER, 1_000, idle));
        let least_busy = |committed: &[_]| least_busy(committed, |committed| judged(&committed.progress));
        assert_eq!(least_busy(&[idle.clone(), busy.clone()]), Some(EventTime(200)));
        assert_eq!(least_busy(&[idle.clone(), joined(false)]), Some(EventTime::NEVER));
        assert_eq!(least_busy(&[idle.clone(), busy, joined(true)]), Some(EventTime(200)));
        assert_eq!(least_busy(&[idle.clone(), joined(true)]), None);
        assert_eq!(least_busy(&[idle, None]), Some(EventTime::NEVER));
    }
}
