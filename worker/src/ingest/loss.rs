//! Going on without records that the log has lost, where the manifest says so (`source.onDataLoss: Continue`).
//!
//! What it keeps true: what is gone on with depends on what is committed and on the log's first offset alone, so another worker, or
//! this one after a restart, would go on alike; the loss is committed before anything is sent that was made without those records.

use plan::OnDataLoss;
use schemas::wire::Content;
use stream_core::{BeforeProgress, Loss, Offset, Program, Progress};

use super::effects::Ends;
use super::partition::Owned;
use super::{IngestError, Shared};
use crate::progress::CommittedProgress;
use crate::wire::loss_body;

/// What is gone on with, if the log has lost its beginning and that is allowed; where the meaning `begins`, the new one has nothing yet that
/// would tell what it lacks.
pub(super) fn without(
    shared: &Shared,
    partition: i32,
    taken: &CommittedProgress,
    ends: Ends,
    begins: bool,
    error: IngestError,
) -> Result<CommittedProgress, IngestError> {
    let is_gone = matches!(error, IngestError::SourceDataLost { .. }) && taken.position() <= ends.high;
    if shared.plan.source.on_data_loss != OnDataLoss::Continue || !is_gone {
        return Err(error);
    }
    let rest = |progress: &Progress, program: &Program| {
        let is_whole = progress.anchor.offset >= ends.low;
        if is_whole { progress.clone() } else { progress.without_records_before(ends.low, program) }
    };
    let before = taken.before.as_ref().zip(shared.previous.as_ref()).map(|(before, previous)| BeforeProgress {
        progress: rest(&before.progress, &previous.change.before),
        since: before.since,
    });
    let mut progress = rest(&taken.progress, &shared.program);
    if let Some(before) = taken.before.as_ref().filter(|_| begins && progress.losses.is_empty()) {
        progress = progress.begun_without(&before.progress, ends.low, &shared.program);
    }
    let left = CommittedProgress { progress, before, ..taken.clone() };
    if let Some(loss) = left.first().losses.last() {
        tracing::warn!(partition, reason = "SourceDataLost", "{}", words(partition, loss));
    }
    Ok(left)
}

impl Owned {
    /// Tells publish what the log has lost, behind the fence.
    pub(super) fn tell_losses(&self, shared: &Shared) -> Result<(), IngestError> {
        let (now, before) = self.losses();
        let before_of = shared.previous.as_ref().map(|previous| &previous.plan);
        let (sealed_now, sealed_before) = self.sealed();
        let before_of = before_of.unwrap_or(&shared.plan);
        for (plan, losses, sealed) in [(&shared.plan, now, sealed_now), (before_of, before, sealed_before)] {
            for loss in losses.iter().filter(|loss| !loss.over || loss.until > Some(sealed)) {
                for output in 0..plan.partials_partitions {
                    self.send(shared, output, plan.revision, Content::Loss(loss_body(loss)))?;
                }
            }
        }
        Ok(())
    }
}

/// What was lost, for people.
pub(super) fn words(partition: i32, loss: &Loss) -> String {
    let Loss { from, to, .. } = loss;
    let Offset(position) = loss.position;
    let unread = loss.unread();
    format!(
        "partition {partition} goes on at offset {to}: its log has lost offsets {from} to {to}, of which {unread} had not been read \
         (from {position} on); windows that they belonged to are marked in their files"
    )
}
