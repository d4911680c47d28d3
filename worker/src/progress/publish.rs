//! Publish progress as text.

use stream_core::{CollectorProgress, Doubt, EventTime, Lost, Offset, Partition};

use super::fields::{DIVIDER, Fields};
use super::{ProgressError, append_lost};

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
    /// The newest gold file with values that did not fit, while it is told of.
    pub overflow: Option<String>,
}

/// Stands before the name of that file, at the end.
const OVERFLOW: &str = " overflow ";

/// Publish progress as metadata. Seals are written as the difference to the published horizon, to be short.
pub fn encode_publish(committed: &CommittedPublish) -> String {
    let CommittedPublish { progress, files, meaning, before, overflow } = committed;
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
        text.extend([format!(" {DIVIDER} "), encode_collector(before)]);
    }
    if let Some(overflow) = overflow {
        text.extend([OVERFLOW, overflow]);
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
    append_lost(&mut text, progress.doubts.iter().map(|doubt| encode_doubt(doubt, progress)));
    text
}

/// Messages as the difference to the anchor, windows as the difference to the published horizon.
fn encode_doubt(Doubt { lost, at, after, until }: &Doubt, progress: &CollectorProgress) -> String {
    let Lost { partition, from, to } = lost;
    let (at, to) = (at.0.wrapping_sub(progress.anchor.0), to.0.wrapping_sub(from.0));
    let [after, until] = [after, until].map(|time| time.0.wrapping_sub(progress.published_until.0));
    format!("{partition} {from} {to} {at} {after} {until}")
}

fn decode_doubt(fields: &mut Fields<'_>, anchor: Offset, published: EventTime) -> Result<Doubt, ProgressError> {
    let (partition, from) = (Partition(fields.next()?), fields.next::<i64>()?);
    let lost = Lost { partition, from: Offset(from), to: Offset(from.wrapping_add(fields.next()?)) };
    let at = Offset(anchor.0.wrapping_add(fields.next()?));
    let after = EventTime(published.0.wrapping_add(fields.next()?));
    Ok(Doubt { lost, at, after, until: EventTime(published.0.wrapping_add(fields.next()?)) })
}

/// Publish progress from a commit, for `partitions` source partitions.
pub fn decode_publish(position: Offset, metadata: &str, partitions: usize) -> Result<CommittedPublish, ProgressError> {
    let (metadata, overflow) = match metadata.split_once(OVERFLOW) {
        Some((metadata, overflow)) => (metadata, Some(overflow.to_owned())),
        None => (metadata, None),
    };
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
    Ok(CommittedPublish { progress, files, meaning, before, overflow })
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
            doubts.push(decode_doubt(fields, anchor, published_until)?);
        }
    }
    Ok(CollectorProgress { position, anchor, published_until, lost_until, doubts, is_cut, sealed, incarnations })
}

/// Up to where windows are published by a commit of the publish group, milliseconds; nothing if it cannot be read.
pub fn published_until(position: i64, metadata: &str) -> Option<i64> {
    let committed = decode_publish(Offset(position), metadata, 0).ok()?;
    // Windows of the meaning before come first.
    Some(committed.before.as_ref().unwrap_or(&committed.progress).published_until.0)
}
