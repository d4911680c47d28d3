//! Taking a partition over: committed progress in, an owner at the anchor out.
//!
//! What it keeps true: the raised incarnation is committed before anything is sent with it, and the fence is the first thing
//! that is sent; a log that no longer holds the anchor is never read from somewhere else.

use stream_core::{Offset, Progress};

use super::effects::Commit;
use super::partition::{Owned, commit};
use super::{IngestError, Shared};
use crate::progress::{CommittedProgress, decode};

impl Owned {
    /// Reads the committed progress, raises the incarnation, commits it, fences, and begins at the anchor.
    pub fn take(shared: &Shared, partition: i32) -> Result<Self, IngestError> {
        shared.broker.expect_outputs()?;
        let ends = shared.broker.ends(partition)?;
        let committed = shared.broker.committed(&[partition])?.pop().flatten();
        let mut taken = progress(shared, partition, committed, ends.low);
        let progress = &mut taken.progress;
        let (anchor, low, high) = (progress.anchor.offset.0, ends.low.0, ends.stable.0);
        if anchor < low || anchor > high {
            return Err(IngestError::SourceDataLost { partition, anchor, low, high });
        }
        progress.incarnation += 1;
        tracing::info!(partition, anchor, position = progress.position.0, "taken over");
        commit(shared, partition, &taken)?;
        let mut owned = Self::start(shared, partition, taken)?;
        owned.fence(shared)?;
        owned.resend_decree(shared)?;
        Ok(owned)
    }
}

/// What a commit says; without one, the start of the log.
fn progress(shared: &Shared, partition: i32, committed: Option<Commit>, low: Offset) -> CommittedProgress {
    let start =
        |progress| CommittedProgress { progress, topic_id: None, revision: Some(shared.plan.revision), idle: false };
    let Some(Commit { position, metadata }) = committed else { return start(Progress::start(low)) };
    decode(position, &metadata).unwrap_or_else(|error| {
        tracing::warn!(partition, %error, "the progress is rebuilt from the start of the log");
        start(Progress { position, ..Progress::start(low) })
    })
}
