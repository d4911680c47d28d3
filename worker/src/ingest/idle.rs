//! Idle partitions: what lets the windows of all partitions close though some have nothing to read.
//!
//! What it keeps true: a partition is idle only when its broker was asked just now and nothing is left to be read, never on a timer
//! alone; its watermark is raised at most to what the partitions that are not idle have committed, and not ahead of the clock less
//! the delay; when all are idle nothing moves, unless the pipeline closes what is open after a while.
//!
//! A decree lies on the window grid, because only there it closes anything; so there are never more of them than windows.

use std::collections::BTreeMap;

use stream_core::{EventTime, Offset, Program, Targets};

use super::effects::Now;
use super::partition::Owned;
use super::{IngestError, Shared};
use crate::progress::{CommittedProgress, decode};

/// Least time between two looks, milliseconds.
const LOOK: u64 = 250;

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
        let committed = shared.broker.committed(&all)?;
        let committed: Vec<Option<CommittedProgress>> = committed
            .into_iter()
            .map(|commit| commit.and_then(|commit| decode(commit.position, &commit.metadata).ok()))
            .collect();
        let busy = || committed.iter().filter(|committed| committed.as_ref().is_none_or(|committed| !committed.idle));
        if let Some(now_least) = busy().map(|committed| in_now(shared, committed.as_ref())).min() {
            self.all = None;
            let least = |program: &Program, least: EventTime| {
                program.windows.floor(least.min(EventTime(now.wall).minus(program.delay)))
            };
            let before = before_of(shared);
            let before_least = busy().map(|committed| in_before(shared, committed.as_ref())).min().unwrap_or(now_least);
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
fn in_now(shared: &Shared, committed: Option<&CommittedProgress>) -> EventTime {
    let watermark = committed.map_or(EventTime::NEVER, |committed| committed.progress.watermark);
    match &shared.previous {
        Some(previous) if committed.is_none_or(|it| it.revision != Some(shared.plan.revision)) => {
            watermark.min(previous.change.until)
        }
        _ => watermark,
    }
}

/// The watermark of a partition in the meaning before; one that has left it has closed all its windows.
fn in_before(shared: &Shared, committed: Option<&CommittedProgress>) -> EventTime {
    let Some(committed) = committed else { return EventTime::NEVER };
    match &shared.previous {
        Some(previous) if committed.before.is_none() && committed.revision == Some(shared.plan.revision) => {
            previous.change.closes()
        }
        _ => committed.first().watermark,
    }
}
