//! Progress as text in Kafka's commit metadata (at most 4096 bytes). The offset itself is the commit's.
//!
//! The form is a version and then fields separated by spaces; a missing value is `-`. Ingest writes version 2, and 3 where a rule
//! asks for the records of the last batches; it reads 1 too, which lacks the topic's identity, the revision, the idle mark and the
//! history. While a meaning is being left it writes version 4: as 3, then ` / ` and the same of the meaning before. Once the log has lost
//! records that were needed it writes version 5: as 3 or 4, each part with ` lost ` and the losses behind it.
//! Publish writes version 2 and reads 1 too, which lacks the files and what is lost; once the meaning has changed it writes version 3,
//! which names the revision with which it began and may go on with ` / ` and the meaning before, and while losses concern windows to
//! come version 4, as 3 with ` lost ` and the losses. A reader that finds another version
//! or anything that does not parse says so, and the caller rebuilds from the start of the log.

use std::str::FromStr;

use plan::Plan;
use stream_core::{
    BatchKey, BeforeProgress, CollectorProgress, Decree, Doubt, EventTime, History, LogTime, Loss, Offset, Partition,
    Point, Progress, Windows,
};
use thiserror::Error;

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
    encode_losses(&mut text, progress.losses.iter().map(|loss| (None, loss)));
    text
}

/// Appends losses, those of several partitions with theirs.
fn encode_losses<'a>(text: &mut String, losses: impl Iterator<Item = (Option<&'a Doubt>, &'a Loss)>) {
    for (index, (doubt, loss)) in losses.enumerate() {
        let marker = if index == 0 { format!(" {LOST}") } else { String::new() };
        let of =
            doubt.map_or_else(String::new, |doubt| format!(" {} {} {}", doubt.partition, doubt.incarnation, doubt.at));
        let until = loss.until.map_or_else(|| "-".to_owned(), |until| until.to_string());
        let Loss { from, to, position, after, over, .. } = loss;
        text.extend([format!("{marker}{of} {from} {to} {position} {after} {until} {}", u8::from(*over))]);
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// The watermark.
    pub watermark: Option<i64>,
    /// Windows that end by then are closed.
    pub sealed: Option<i64>,
    /// The largest event time of a judged-valid record.
    pub latest: Option<i64>,
    /// Whether there was nothing to read for long enough.
    pub idle: bool,
}

/// How a partition of `plan`'s source stands by its commit; nothing if that cannot be read.
pub fn standing(plan: &Plan, position: i64, metadata: &str) -> Option<Standing> {
    let committed = decode(Offset(position), metadata).ok()?;
    let (progress, idle) = (committed.first(), committed.idle);
    let time = |time: EventTime| (time != EventTime::NEVER).then_some(time.0);
    let grid = Windows { size: plan.window.size_ms, offset: plan.window.offset_ms };
    let (watermark, sealed) = (time(progress.watermark), time(grid.floor(progress.watermark)));
    Some(Standing { watermark, sealed, latest: time(progress.latest), idle })
}

/// Up to where windows are published by a commit of the publish group, milliseconds; nothing if it cannot be read.
pub fn published_until(position: i64, metadata: &str) -> Option<i64> {
    let committed = decode_publish(Offset(position), metadata, 0).ok()?;
    // Windows of the meaning before come first.
    Some(committed.before.as_ref().unwrap_or(&committed.progress).published_until.0)
}

/// Everything that is committed for a partition of the partials topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommittedPublish {
    /// How far it has come.
    pub progress: CollectorProgress,
    /// The gold file and the quality report that were written last, by their paths in the store. A store without them is not the one
    /// that the progress is about.
    pub files: [Option<String>; 2],
    /// The revision with which the meaning began, as far as it is known; what lower ones tell is of other meanings.
    pub meaning: Option<i64>,
    /// The same progress in the meaning before, while windows of it are not published.
    pub before: Option<CollectorProgress>,
}

/// Publish progress as metadata. Seals are written as the difference to the published horizon, to be short.
pub fn encode_publish(committed: &CommittedPublish) -> String {
    let CommittedPublish { progress, files, meaning, before } = committed;
    let [gold, report] = files.each_ref().map(|file| file.as_deref().unwrap_or("-"));
    let doubts = progress.doubts.len() + before.as_ref().map_or(0, |before| before.doubts.len());
    let mut text = match meaning {
        _ if doubts > 0 => {
            let meaning = meaning.map_or_else(|| "-".to_owned(), |meaning| meaning.to_string());
            format!("4 {gold} {report} {meaning} {}", encode_collector(progress))
        }
        None => format!("2 {gold} {report} {}", encode_collector(progress)),
        Some(meaning) => format!("3 {gold} {report} {meaning} {}", encode_collector(progress)),
    };
    if let Some(before) = before {
        text.extend([" / ".to_owned(), encode_collector(before)]);
    }
    text
}

fn encode_collector(progress: &CollectorProgress) -> String {
    let lost = (progress.lost_until != EventTime::NEVER).then_some(progress.lost_until);
    let lost = lost.map_or_else(|| "-".to_owned(), |lost| lost.to_string());
    let (cut, published) = (u8::from(progress.is_cut), progress.published_until);
    let mut text = format!("{} {published} {lost} {cut}", progress.anchor);
    let partitions = progress.sealed.iter().zip(&progress.incarnations);
    text.extend(
        partitions.map(|(sealed, incarnation)| {
            format!(" {} {incarnation}", sealed.0.wrapping_sub(progress.published_until.0))
        }),
    );
    encode_losses(&mut text, progress.doubts.iter().map(|doubt| (Some(doubt), &doubt.loss)));
    text
}

/// Publish progress from a commit, for `partitions` source partitions.
pub fn decode_publish(position: Offset, metadata: &str, partitions: usize) -> Result<CommittedPublish, ProgressError> {
    let mut fields = Fields::of(metadata, 4)?;
    let old = fields.version == 1;
    let files = if old { [None, None] } else { [fields.optional()?, fields.optional()?] };
    let meaning = match fields.version {
        1 | 2 => None,
        3 => Some(fields.next()?),
        _ => fields.optional()?,
    };
    let progress = decode_collector(&mut fields, position, partitions, old)?;
    let before = if meaning.is_some() && !fields.is_end() {
        fields.divider()?;
        Some(decode_collector(&mut fields, position, partitions, false)?)
    } else {
        None
    };
    fields.end()?;
    Ok(CommittedPublish { progress, files, meaning, before })
}

fn decode_collector(
    fields: &mut Fields<'_>,
    position: Offset,
    partitions: usize,
    old: bool,
) -> Result<CollectorProgress, ProgressError> {
    let (anchor, published_until) = (Offset(fields.next()?), EventTime(fields.next()?));
    let lost_until = if old { None } else { fields.optional()? }.map_or(EventTime::NEVER, EventTime);
    let is_cut = !old && fields.next::<u8>()? == 1;
    let (mut sealed, mut incarnations) = (Vec::new(), Vec::new());
    while fields.is_more() {
        sealed.push(EventTime(published_until.0.wrapping_add(fields.next()?)));
        incarnations.push(fields.next()?);
    }
    sealed.resize(partitions.max(sealed.len()), EventTime::NEVER);
    incarnations.resize(sealed.len(), 0);
    let mut doubts = Vec::new();
    if fields.losses() {
        while fields.is_more() {
            let (partition, incarnation, at) = (Partition(fields.next()?), fields.next()?, Offset(fields.next()?));
            doubts.push(Doubt { partition, incarnation, at, loss: decode_loss(fields)? });
        }
    }
    Ok(CollectorProgress { position, anchor, published_until, lost_until, doubts, is_cut, sealed, incarnations })
}

/// Stands between the meaning that the pipeline has and the one before.
const DIVIDER: &str = "/";
/// Stands before what the log has lost.
const LOST: &str = "lost";

struct Fields<'a> {
    version: u8,
    rest: std::iter::Peekable<std::str::Split<'a, char>>,
    number: usize,
}

impl<'a> Fields<'a> {
    fn of(metadata: &'a str, newest: u8) -> Result<Self, ProgressError> {
        let mut rest = metadata.split(' ').peekable();
        let found = rest.next().unwrap_or_default();
        match found.parse() {
            Ok(version) if (1..=newest).contains(&version) => Ok(Self { version, rest, number: 0 }),
            _ => Err(ProgressError::OtherVersion { found: found.to_owned(), newest }),
        }
    }

    fn is_more(&mut self) -> bool {
        self.rest.peek().is_some_and(|next| *next != DIVIDER && *next != LOST)
    }

    /// Whether nothing follows.
    fn is_end(&mut self) -> bool {
        self.rest.peek().is_none()
    }

    /// Goes on behind the marker of losses, if it stands here.
    fn losses(&mut self) -> bool {
        let found = self.version >= 4 && self.rest.next_if_eq(&LOST).is_some();
        self.number += usize::from(found);
        found
    }

    /// Goes on behind the divider.
    fn divider(&mut self) -> Result<(), ProgressError> {
        let divider: String = self.next()?;
        if divider == DIVIDER { Ok(()) } else { Err(ProgressError::ParseField { field: self.number, text: divider }) }
    }

    /// Nothing may follow.
    fn end(&mut self) -> Result<(), ProgressError> {
        match self.rest.next() {
            None => Ok(()),
            Some(text) => Err(ProgressError::ParseField { field: self.number + 1, text: text.to_owned() }),
        }
    }

    fn next<T: FromStr>(&mut self) -> Result<T, ProgressError> {
        self.number += 1;
        let text = self.rest.next().unwrap_or_default();
        text.parse().map_err(|_| ProgressError::ParseField { field: self.number, text: text.to_owned() })
    }

    fn list<T: FromStr>(&mut self) -> Result<Vec<T>, ProgressError> {
        self.number += 1;
        if self.rest.next_if_eq(&"-").is_some() {
            return Ok(Vec::new());
        }
        let text = self.rest.next().unwrap_or_default();
        let parsed = text.split(',').map(str::parse).collect::<Result<_, _>>();
        parsed.map_err(|_| ProgressError::ParseField { field: self.number, text: text.to_owned() })
    }

    fn optional<T: FromStr>(&mut self) -> Result<Option<T>, ProgressError> {
        if self.rest.next_if_eq(&"-").is_some() {
            self.number += 1;
            return Ok(None);
        }
        self.next().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(progress: Progress) -> CommittedProgress {
        CommittedProgress { progress, topic_id: None, revision: Some(1), idle: false, before: None }
    }

    fn decree(at: i64) -> Decree {
        Decree { at: Offset(at), watermark: EventTime(-at) }
    }

    fn loss(until: Option<i64>) -> Loss {
        let until = until.map(EventTime);
        Loss {
            from: Offset(3),
            to: Offset(9),
            position: Offset(5),
            after: EventTime(-300),
            until,
            over: until.is_some(),
        }
    }

    fn busy() -> Progress {
        let anchor =
            Point { offset: Offset(5), watermark: EventTime(-3), log_time: LogTime(9), batch: Some(BatchKey(1, 0)) };
        let history = History(u64::MAX);
        let decrees = vec![decree(6), decree(7)];
        Progress { anchor, decrees, decree_pending: true, history, ..Progress::start(Offset(7)) }
    }

    #[test]
    fn progress_comes_back_from_its_text() {
        let idle = CommittedProgress { topic_id: Some("00ff".to_owned()), idle: true, ..committed(busy()) };
        let volumes = committed(Progress { volumes: vec![12, 0, u64::MAX], ..busy() });
        let ahead = Progress { position: Offset(5), ..busy() };
        let leaving = |before: &CommittedProgress, now: Progress| {
            let before = BeforeProgress { progress: before.progress.clone(), since: Offset(6) };
            CommittedProgress { before: Some(before), ..committed(now) }
        };
        let lost = Progress { losses: vec![loss(Some(900)), loss(None)], volumes: vec![7], ..busy() };
        let both_lost = leaving(&committed(lost.clone()), Progress { position: Offset(5), ..lost.clone() });
        let before_lost = leaving(&committed(lost.clone()), Progress { position: Offset(5), ..busy() });
        let both = leaving(&committed(busy()), ahead.clone());
        let both_with_volumes = leaving(&volumes, Progress { volumes: vec![3], ..ahead });
        for committed in [
            committed(Progress::start(Offset(7))),
            committed(busy()),
            idle,
            volumes,
            both,
            both_with_volumes,
            committed(lost),
            both_lost,
            before_lost,
        ] {
            assert_eq!(decode(Offset(7), &encode(&committed)), Ok(committed));
        }
    }

    /// As version 0.1.0 wrote it.
    #[test]
    fn the_first_version_is_still_read() {
        let old = decode(Offset(7), "1 5 -3 9 1 0 -9223372036854775808 -9223372036854775808 0 1 6 -6 7 -7");
        let history = History(0).with(&decree(6)).with(&decree(7));
        let expected = CommittedProgress { revision: None, ..committed(Progress { history, ..busy() }) };
        assert_eq!(old, Ok(expected));
    }

    /// A partition that is idle again and again without its anchor moving on stops being closed by decree before a commit is
    /// too long for a broker.
    #[test]
    fn there_is_always_room_for_one_more_decree() {
        let mut idle = CommittedProgress { topic_id: Some("f".repeat(32)), ..committed(busy()) };
        idle.progress.position = Offset(i64::MAX);
        let mut made = 0;
        while idle.has_room() {
            made += 1;
            let at = Offset(1_000_000_000_000 + made * 1_000_000);
            idle.progress.decrees.push(Decree { at, watermark: EventTime(1_700_000_000_000 + made * 86_400_000) });
        }
        assert!(made > 150, "{made} decrees");
        idle.progress.decrees.push(Decree { at: Offset(i64::MAX), watermark: EventTime::NEVER });
        assert!(encode(&idle).len() <= MOST_BYTES);
    }

    #[test]
    fn publish_progress_comes_back_from_its_text() {
        let start = CollectorProgress::start(Offset(7), 3);
        let mut committed =
            CommittedPublish { progress: start.clone(), files: [None, None], meaning: None, before: None };
        assert_eq!(decode_publish(Offset(7), &encode_publish(&committed), 3), Ok(committed.clone()));
        committed.progress.published_until = EventTime(600);
        (committed.progress.lost_until, committed.progress.is_cut) = (EventTime(300), true);
        committed.progress.sealed = vec![EventTime(900), EventTime::NEVER, EventTime(600)];
        committed.files = [Some("gold/a/w.parquet".to_owned()), None];
        assert_eq!(decode_publish(Offset(7), &encode_publish(&committed), 3), Ok(committed.clone()));
        (committed.meaning, committed.before) = (Some(2), Some(start));
        assert_eq!(decode_publish(Offset(7), &encode_publish(&committed), 3), Ok(committed.clone()));
        let doubts = |until| vec![Doubt { partition: Partition(1), loss: loss(until), incarnation: 4, at: Offset(6) }];
        committed.progress.doubts = doubts(None);
        assert_eq!(decode_publish(Offset(7), &encode_publish(&committed), 3), Ok(committed.clone()));
        (committed.meaning, committed.before) = (None, None);
        committed.progress.doubts = doubts(Some(900));
        assert_eq!(decode_publish(Offset(7), &encode_publish(&committed), 3), Ok(committed));
    }

    #[test]
    fn foreign_metadata_is_refused() {
        let foreign = |found: &str| Err(ProgressError::OtherVersion { found: found.into(), newest: 5 });
        assert_eq!(decode(Offset(0), ""), foreign(""));
        assert_eq!(decode(Offset(0), "6 x"), foreign("6"));
        assert_eq!(decode(Offset(0), "1 x"), Err(ProgressError::ParseField { field: 1, text: "x".into() }));
    }
}
