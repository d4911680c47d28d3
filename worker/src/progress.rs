//! Progress as text in Kafka's commit metadata (at most 4096 bytes). The offset itself is the commit's.
//!
//! The form is a version and then fields separated by spaces; a missing value is `-`. Ingest writes version 2, and 3 where a rule
//! asks for the records of the last batches; it reads 1 too, which lacks the topic's identity, the revision, the idle mark and the
//! history. While a meaning is being left it writes version 4: as 3, then ` / ` and the same of the meaning before. Once the log has lost
//! records that were needed it writes version 5: as 3 or 4, each part with ` lost ` and the losses behind it.
//! Publish writes version 2 and reads 1 too, which lacks the files and what is lost; once the meaning has changed it writes version 3,
//! which names the revision with which it began and may go on with ` / ` and the meaning before, and while losses concern windows to
//! come version 4, as 3 with ` lost ` and the losses. Behind any of them may stand ` overflow ` and the file that last had values that
//! did not fit. A reader that finds another version
//! or anything that does not parse says so, and the caller rebuilds from the start of the log.

mod fields;
mod publish;

use plan::Plan;
use schemas::report::LossReport;
use stream_core::{
    BatchKey, BeforeProgress, Decree, EventTime, History, LogTime, Loss, Offset, Point, Progress, Windows,
};
use thiserror::Error;

use crate::wire::loss_report;
use fields::{Fields, LOST};
pub use publish::{CommittedPublish, decode_publish, encode_publish, published_until};

/// Most bytes of metadata that a broker takes by default.
pub const MOST_BYTES: usize = 4096;
/// No decree for an idle partition is made beyond this, so that the end of a run always has room for one.
const MOST_BYTES_IDLE: usize = MOST_BYTES - 256;
/// Most bytes that one more decree takes, and that the other fields may grow meanwhile.
const DECREE_BYTES: usize = 96;

/// Metadata that cannot be read. It was written by another version, or by somebody else.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ProgressError {
    /// It does not begin with a version that is read here.
    #[error("the commit's metadata has version '{found}', this build reads versions up to {newest}")]
    OtherVersion {
        /// What it begins with.
        found: String,
        /// The newest version that is read.
        newest: u8,
    },
    /// A field is missing or not a number.
    #[error("field {field} of the commit's metadata does not parse: '{text}'")]
    ParseField {
        /// Its number, from 1.
        field: usize,
        /// What stands there.
        text: String,
    },
}

/// Everything that is committed for a source partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommittedProgress {
    /// How far the partition has come.
    pub progress: Progress,
    /// The source topic's identity, when the broker gives one.
    pub topic_id: Option<String>,
    /// The revision of the pipeline's meaning; unknown in version 1.
    pub revision: Option<i64>,
    /// Whether the owner found nothing to read at the position, for as long as makes a partition idle.
    pub idle: bool,
    /// The same progress in the meaning before, while windows of it are open.
    pub before: Option<BeforeProgress>,
}

impl CommittedProgress {
    /// Whether the metadata has room for one more decree of an idle partition.
    pub fn has_room(&self) -> bool {
        let decrees = 1 + usize::from(self.before.is_some());
        encode(self).len() + decrees * DECREE_BYTES <= MOST_BYTES_IDLE
    }

    /// The next record to read: the new meaning may still be on its way there.
    pub fn position(&self) -> Offset {
        self.before.as_ref().map_or(self.progress.position, |before| before.progress.position)
    }

    /// How far the windows that come first have come.
    pub fn first(&self) -> &Progress {
        self.before.as_ref().map_or(&self.progress, |before| &before.progress)
    }
}

/// Ingest progress as metadata. Decrees are written as differences, to be short.
pub fn encode(committed: &CommittedProgress) -> String {
    let CommittedProgress { progress, topic_id, revision, idle, before } = committed;
    let topic_id = topic_id.as_deref().unwrap_or("-");
    let revision = revision.map_or_else(|| "-".to_owned(), |revision| revision.to_string());
    let lanes = [Some(progress), before.as_ref().map(|before| &before.progress)];
    let version = match before {
        _ if lanes.into_iter().flatten().any(|lane| !lane.losses.is_empty()) => 5,
        Some(_) => 4,
        // Without volumes the form is that of version 2, which older workers read.
        None if progress.volumes.is_empty() => 2,
        None => 3,
    };
    let lane = |progress| encode_lane(progress, version);
    let mut text = format!("{version} {topic_id} {revision} {} {}", u8::from(*idle), lane(progress));
    if let Some(BeforeProgress { progress: before, since }) = before {
        text.extend([format!(" / {} {since} {}", progress.position, lane(before))]);
    }
    text
}

fn encode_lane(progress: &Progress, version: u8) -> String {
    let anchor = &progress.anchor;
    let batch = anchor.batch.map_or_else(|| "- -".to_owned(), |BatchKey(time, offset)| format!("{time} {offset}"));
    let mut text = format!(
        "{} {} {} {} {batch} {} {} {} {}",
        progress.history.0,
        anchor.offset,
        anchor.watermark,
        anchor.log_time,
        progress.watermark,
        progress.latest,
        progress.incarnation,
        u8::from(progress.decree_pending),
    );
    if version > 2 {
        let volumes = progress.volumes.iter().map(u64::to_string).collect::<Vec<_>>();
        let volumes = if volumes.is_empty() { "-".to_owned() } else { volumes.join(",") };
        text.extend([format!(" {volumes}")]);
    }
    let mut before = (anchor.offset.0, anchor.watermark.0);
    for decree in &progress.decrees {
        let next = (decree.at.0, decree.watermark.0);
        text.extend([format!(" {} {}", next.0.wrapping_sub(before.0), next.1.wrapping_sub(before.1))]);
        before = next;
    }
    append_lost(&mut text, progress.losses.iter().map(encode_loss));
    text
}

fn encode_loss(loss: &Loss) -> String {
    let until = loss.until.map_or_else(|| "-".to_owned(), |until| until.to_string());
    let Loss { from, to, position, after, over, .. } = loss;
    format!("{from} {to} {position} {after} {until} {}", u8::from(*over))
}

/// Appends what was lost, if anything was.
fn append_lost(text: &mut String, lost: impl Iterator<Item = String>) {
    for (index, lost) in lost.enumerate() {
        let marker = if index == 0 { format!(" {LOST}") } else { String::new() };
        text.extend([marker, format!(" {lost}")]);
    }
}

/// Ingest progress from a commit.
pub fn decode(position: Offset, metadata: &str) -> Result<CommittedProgress, ProgressError> {
    let mut fields = Fields::of(metadata, 5)?;
    let old = fields.version == 1;
    let (topic_id, revision) = if old { (None, None) } else { (fields.optional()?, fields.optional()?) };
    let idle = !old && fields.next::<u8>()? == 1;
    let mut progress = decode_lane(&mut fields, position, old)?;
    if fields.version < 4 || (fields.version == 5 && fields.is_end()) {
        fields.end()?;
        return Ok(CommittedProgress { progress, topic_id, revision, idle, before: None });
    }
    fields.divider()?;
    progress.position = Offset(fields.next()?);
    let since = Offset(fields.next()?);
    let before = Some(BeforeProgress { progress: decode_lane(&mut fields, position, false)?, since });
    fields.end()?;
    Ok(CommittedProgress { progress, topic_id, revision, idle, before })
}

fn decode_lane(fields: &mut Fields<'_>, position: Offset, old: bool) -> Result<Progress, ProgressError> {
    let history = if old { None } else { Some(fields.next()?) };
    let (offset, watermark, log_time) = (fields.next()?, fields.next()?, fields.next()?);
    let key = (fields.optional()?, fields.optional()?);
    let anchor = Point {
        offset: Offset(offset),
        watermark: EventTime(watermark),
        log_time: LogTime(log_time),
        batch: key.0.zip(key.1).map(|(time, offset)| BatchKey(time, offset)),
    };
    let (watermark, latest) = (EventTime(fields.next()?), EventTime(fields.next()?));
    let (incarnation, pending) = (fields.next()?, fields.next::<u8>()?);
    let volumes = if fields.version < 3 { Vec::new() } else { fields.list()? };
    let mut decrees: Vec<Decree> = Vec::new();
    while fields.is_more() {
        let (at, watermark): (i64, i64) = (fields.next()?, fields.next()?);
        let before = decrees.last().map_or((offset, anchor.watermark), |before| (before.at.0, before.watermark));
        let before = if old { (0, EventTime(0)) } else { before };
        let (at, watermark) = (before.0.wrapping_add(at), before.1.0.wrapping_add(watermark));
        decrees.push(Decree { at: Offset(at), watermark: EventTime(watermark) });
    }
    let known = History(history.unwrap_or_default());
    let history = if old { decrees.iter().fold(known, History::with) } else { known };
    let decree_pending = pending == 1;
    let mut losses = Vec::new();
    if fields.losses() {
        while fields.is_more() {
            losses.push(decode_loss(fields)?);
        }
    }
    Ok(Progress { position, anchor, watermark, latest, decrees, volumes, decree_pending, history, losses, incarnation })
}

fn decode_loss(fields: &mut Fields<'_>) -> Result<Loss, ProgressError> {
    let (from, to, position) = (Offset(fields.next()?), Offset(fields.next()?), Offset(fields.next()?));
    let (after, until) = (EventTime(fields.next()?), fields.optional()?.map(EventTime));
    Ok(Loss { from, to, position, after, until, over: fields.next::<u8>()? == 1 })
}

/// The watermark that a commit speaks of, milliseconds; nothing before the first valid record, or if it cannot be read.
pub fn watermark(position: i64, metadata: &str) -> Option<i64> {
    let watermark = decode(Offset(position), metadata).ok()?.first().watermark;
    (watermark != EventTime::NEVER).then_some(watermark.0)
}

/// How a partition stands by its commit. Times are milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// The watermark.
    pub watermark: Option<i64>,
    /// Windows that end by then are closed.
    pub sealed: Option<i64>,
    /// The largest event time of a judged-valid record.
    pub latest: Option<i64>,
    /// Whether there was nothing to read for long enough.
    pub idle: bool,
    /// What its log had lost when it was needed, the oldest first.
    pub losses: Vec<LossReport>,
}

/// How a partition of `plan`'s source stands by its commit; nothing if that cannot be read.
pub fn standing(plan: &Plan, position: i64, metadata: &str) -> Option<Standing> {
    let committed = decode(Offset(position), metadata).ok()?;
    let (progress, idle) = (committed.first(), committed.idle);
    let time = |time: EventTime| (time != EventTime::NEVER).then_some(time.0);
    let grid = Windows { size: plan.window.size_ms, offset: plan.window.offset_ms };
    let (watermark, sealed) = (time(progress.watermark), time(grid.floor(progress.watermark)));
    let losses = progress.losses.iter().map(loss_report).collect();
    Some(Standing { watermark, sealed, latest: time(progress.latest), idle, losses })
}

#[cfg(test)]
mod tests;
