//! Taking a partition over: committed progress in, an owner at the anchor or at a checkpoint out.
//!
//! What it keeps true: the raised incarnation is committed before anything is sent with it, and the fence is the first thing
//! that is sent; an owner that loses the partition while it takes it over commits nothing and reads nothing, even if the partition
//! comes back meanwhile, for another one may have committed more; a log that no longer holds what a rebuild needs, or that is another one, is never read from somewhere else.

use std::sync::Arc;

use stream_core::{BeforeProgress, EventTime, Lane, Lanes, Offset, Partition, Point, Progress};

use super::effects::{Commit, Ends, Now};
use super::partition::{Owned, commit, fence};
use super::{IngestError, Shared, loss};
use crate::checkpoint::Keeper;
use crate::checkpoint::manifest::{FORMAT, Identity};
use crate::meaning::Previous;
use crate::progress::{CommittedProgress, decode};
use crate::source::SourceError;

/// 2020-01-01T00:00:00Z, before any pipeline of Sluice.
const BEFORE_ALL: i64 = 1_577_836_800_000;
/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;

impl Owned {
    /// Reads the committed progress, raises the incarnation, commits it, fences, and begins to read.
    pub fn take(shared: &Shared, partition: i32, now: Now) -> Result<Self, IngestError> {
        let partitions = shared.topology.partitions();
        if partition as usize >= partitions {
            return Err(IngestError::UnknownPartition { partition, partitions });
        }
        let lost = || IngestError::from(SourceError::Own { partition });
        let tenure = shared.broker.tenure(partition).ok_or_else(lost)?;
        shared.broker.expect_outputs(partition)?;
        let topic_id = shared.broker.topic_id()?;
        let ends = shared.broker.ends(partition)?;
        let committed = shared.broker.committed(&[partition])?.pop().flatten();
        let is_new = committed.is_none();
        let taken = progress(shared, partition, committed, ends.low, now);
        expect_same_topic(shared, partition, &taken, topic_id.as_deref())?;
        expect_known_meaning(shared, partition, &taken)?;
        let mut taken = raised(taken, topic_id);
        let previous = begins(shared, partition, &taken, is_new)?;
        if let Some(previous) = previous {
            if shared.broker.tenure(partition) != Some(tenure) {
                return Err(lost());
            }
            taken = change(shared, partition, taken, is_new, previous)?;
        }
        taken.revision = Some(shared.plan.revision);
        let mut keeper = keeper(shared, partition, taken.topic_id.as_deref());
        let begins = previous.is_some();
        let (taken, lanes, from_checkpoint) = on_what_is_left(shared, partition, taken, begins, keeper.as_mut(), ends)?;
        let from = lanes.next_point();
        if shared.broker.tenure(partition) != Some(tenure) {
            return Err(lost());
        }
        commit(shared, partition, &taken)?;
        let incarnation = taken.progress.incarnation;
        tracing::info!(partition, from = from.offset.0, position = taken.position().0, "taken over");
        let mut owned = Self::start(shared, (partition, tenure), taken, lanes, keeper, now)?;
        owned.from_checkpoint = from_checkpoint;
        fence(shared, partition, incarnation)?;
        owned.tell_losses(shared)?;
        owned.resend_decree(shared)?;
        Ok(owned)
    }
}

/// What a commit says; without one, the start of the log and the boundary at which the partition joins.
///
/// Where nothing is committed the partition may still have had owners, before its group was reset: publish would ignore
/// incarnations that are not higher than theirs. So the first one is the clock's minute; nobody takes over more often for long.
fn progress(shared: &Shared, partition: i32, committed: Option<Commit>, low: Offset, now: Now) -> CommittedProgress {
    let start = |progress| {
        let revision = Some(shared.plan.revision);
        CommittedProgress { progress, topic_id: None, revision, idle: false, before: None }
    };
    let incarnation = ((now.wall - BEFORE_ALL) / MINUTE).max(0).cast_unsigned();
    let joined = Progress::join(low, shared.topology.joins(Partition(partition)));
    let beginning = Progress { incarnation, ..joined };
    let Some(Commit { position, metadata }) = committed else { return start(beginning) };
    decode(position, &metadata).unwrap_or_else(|error| {
        tracing::warn!(partition, %error, "the progress is rebuilt from the start of the log");
        start(Progress { position, ..beginning })
    })
}

/// The same with a higher incarnation.
fn raised(mut taken: CommittedProgress, topic_id: Option<String>) -> CommittedProgress {
    taken.progress.incarnation += 1;
    if let Some(before) = &mut taken.before {
        before.progress.incarnation = taken.progress.incarnation;
    }
    taken.topic_id = topic_id.or(taken.topic_id);
    taken.idle = false;
    taken
}

/// The meaning before, if the change from it is known here for the first time and it has windows left.
fn begins<'a>(
    shared: &'a Shared,
    partition: i32,
    taken: &CommittedProgress,
    is_new: bool,
) -> Result<Option<&'a Previous>, IngestError> {
    let revision = shared.plan.revision;
    let Some(previous) = &shared.previous else {
        let unknown = IngestError::UnknownMeaning { partition, revision };
        return if taken.before.is_some() { Err(unknown) } else { Ok(None) };
    };
    let is_over = taken.revision == Some(revision) && !is_new;
    let joins_later = is_new && shared.topology.joins(Partition(partition)) >= previous.change.until;
    Ok((taken.before.is_none() && !is_over && !joins_later).then_some(previous))
}

/// The progress in the meaning that the pipeline has, beside that in the one before.
///
/// Where the new meaning begins is a fact of the log: before the first record of that log time none lies in a window that it remembers,
/// unless further ahead than is allowed. Where it is first known is the end of the log once former owners are fenced: what
/// they have said of records, and not committed, was said of records before that.
fn change(
    shared: &Shared,
    partition: i32,
    taken: CommittedProgress,
    is_new: bool,
    Previous { change, .. }: &Previous,
) -> Result<CommittedProgress, IngestError> {
    let mut since = taken.progress.position;
    if !is_new {
        commit(shared, partition, &taken)?;
        fence(shared, partition, taken.progress.incarnation)?;
        shared.broker.flush()?;
        since = since.max(shared.broker.ends(partition)?.high);
    }
    let first = shared.broker.offset_at(partition, change.begins())?.min(taken.progress.position);
    tracing::info!(partition, since = since.0, first = first.0, until = change.until.0, "another meaning begins");
    let progress = Progress { incarnation: taken.progress.incarnation, ..change.begin(first) };
    let before = Some(BeforeProgress { progress: taken.progress, since });
    Ok(CommittedProgress { progress, before, ..taken })
}

/// The lanes of what was committed, and whether a checkpoint made them. While two meanings have windows there are none: that is
/// soon over, and a replay gives the same.
fn lanes(
    shared: &Shared,
    partition: i32,
    taken: &CommittedProgress,
    keeper: Option<&mut Keeper>,
) -> Result<(Lanes, bool), IngestError> {
    let program = shared.program.clone();
    // The keeper also removes what is of no use any more.
    let loaded = keeper.and_then(|keeper| keeper.load(&program, &taken.progress));
    if let Some(before) = &taken.before {
        let revision = shared.plan.revision;
        let previous = shared.previous.as_ref().ok_or(IngestError::UnknownMeaning { partition, revision })?;
        return Ok((Lanes::resume(program, previous.change.clone(), &taken.progress, before)?, false));
    }
    let from_checkpoint = loaded.is_some();
    let lane = loaded.map_or_else(|| Lane::resume(program, &taken.progress), Ok)?;
    let begun = shared.previous.as_ref().map_or(EventTime::NEVER, |previous| previous.change.until);
    Ok((lane.with_windows_from(begun).into(), from_checkpoint))
}

/// The same, if the log holds what they need.
fn on_log(
    shared: &Shared,
    partition: i32,
    taken: &CommittedProgress,
    keeper: Option<&mut Keeper>,
    ends: Ends,
) -> Result<(Lanes, bool), IngestError> {
    let (lanes, from_checkpoint) = lanes(shared, partition, taken, keeper)?;
    expect_log(partition, &lanes.next_point(), taken.position(), ends)?;
    Ok((lanes, from_checkpoint))
}

/// The same, or what is gone on with where the log has lost its beginning, with its lanes.
fn on_what_is_left(
    shared: &Shared,
    partition: i32,
    taken: CommittedProgress,
    begins: bool,
    mut keeper: Option<&mut Keeper>,
    ends: Ends,
) -> Result<(CommittedProgress, Lanes, bool), IngestError> {
    match on_log(shared, partition, &taken, keeper.as_deref_mut(), ends) {
        Ok((lanes, from_checkpoint)) => Ok((taken, lanes, from_checkpoint)),
        Err(error) => {
            let left = loss::without(shared, partition, &taken, ends, begins, error)?;
            let (lanes, from_checkpoint) = on_log(shared, partition, &left, keeper, ends)?;
            Ok((left, lanes, from_checkpoint))
        }
    }
}

/// Whether this worker can carry out what is open. One of an earlier meaning, which has come back or has not been replaced yet, leaves
/// the partition alone: it would undo what the later one has begun.
fn expect_known_meaning(shared: &Shared, partition: i32, taken: &CommittedProgress) -> Result<(), IngestError> {
    let revision = shared.plan.revision;
    match taken.revision {
        Some(committed) if committed > revision => Err(IngestError::NewerMeaning { partition, committed, revision }),
        Some(committed) if committed < revision && taken.before.is_some() => {
            Err(IngestError::UnknownMeaning { partition, revision })
        }
        _ => Ok(()),
    }
}

/// Whether the commit was made for the topic that is there now.
fn expect_same_topic(
    shared: &Shared,
    partition: i32,
    taken: &CommittedProgress,
    found: Option<&str>,
) -> Result<(), IngestError> {
    match (taken.topic_id.as_deref(), found) {
        (Some(committed), Some(found)) if committed != found => Err(IngestError::OtherTopic {
            partition,
            topic: shared.plan.source.topic.clone(),
            position: taken.position().0,
            committed: committed.to_owned(),
            found: found.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Whether the log holds everything from `from` on, and has not lost its end.
fn expect_log(partition: i32, from: &Point, position: Offset, ends: Ends) -> Result<(), IngestError> {
    let lost = |needed: Offset| {
        Err(IngestError::SourceDataLost { partition, needed: needed.0, low: ends.low.0, high: ends.high.0 })
    };
    match from.offset {
        needed if needed < ends.low => lost(needed),
        _ if position > ends.high => lost(position),
        _ => Ok(()),
    }
}

/// The keeper of the partition's checkpoints, if there is a volume.
fn keeper(shared: &Shared, partition: i32, topic_id: Option<&str>) -> Option<Keeper> {
    let volume = Arc::clone(shared.volume.as_ref()?);
    let topic = topic_id.map_or_else(|| format!("name-{}", shared.plan.source.topic), str::to_owned);
    let identity = Identity {
        format: FORMAT,
        engine: env!("CARGO_PKG_VERSION").to_owned(),
        topic,
        partition,
        revision: shared.plan.revision,
        program: shared.program.fingerprint(),
    };
    Some(Keeper::open(volume, identity))
}
