//! Progress as text in Kafka's commit metadata (at most 4096 bytes). The offset itself is the commit's.
//!
//! The form is `1` (the version) and then fields separated by spaces; a missing value is `-`. A reader that finds another
//! version or anything that does not parse says so, and the caller rebuilds from the start of the log.

use std::str::FromStr;

use stream_core::{BatchKey, CollectorProgress, Decree, EventTime, LogTime, Offset, Point, Progress};
use thiserror::Error;

/// Most bytes of metadata that a broker takes by default.
pub const MOST_BYTES: usize = 4096;

/// Metadata that cannot be read. It was written by another version, or by somebody else.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ProgressError {
    /// It does not begin with our version.
    #[error("the commit's metadata has version '{found}', this build reads version 1")]
    OtherVersion {
        /// What it begins with.
        found: String,
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

/// Ingest progress as metadata.
pub fn encode(progress: &Progress) -> String {
    let anchor = &progress.anchor;
    let batch = anchor.batch.map_or_else(|| "- -".to_owned(), |BatchKey(time, offset)| format!("{time} {offset}"));
    let mut text = format!(
        "1 {} {} {} {batch} {} {} {} {}",
        anchor.offset,
        anchor.watermark,
        anchor.log_time,
        progress.watermark,
        progress.latest,
        progress.incarnation,
        u8::from(progress.decree_pending),
    );
    text.extend(progress.decrees.iter().map(|decree| format!(" {} {}", decree.at, decree.watermark)));
    text
}

/// Ingest progress from a commit.
pub fn decode(position: Offset, metadata: &str) -> Result<Progress, ProgressError> {
    let mut fields = Fields::of(metadata)?;
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
    let mut decrees = Vec::new();
    while fields.is_more() {
        decrees.push(Decree { at: Offset(fields.next()?), watermark: EventTime(fields.next()?) });
    }
    Ok(Progress { position, anchor, watermark, latest, decrees, decree_pending: pending == 1, incarnation })
}

/// The watermark that a commit speaks of, milliseconds; nothing before the first valid record, or if it cannot be read.
pub fn watermark(position: i64, metadata: &str) -> Option<i64> {
    let watermark = decode(Offset(position), metadata).ok()?.watermark;
    (watermark != EventTime::NEVER).then_some(watermark.0)
}

/// Publish progress as metadata. Seals are written as the difference to the published horizon, to be short.
pub fn encode_collector(progress: &CollectorProgress) -> String {
    let mut text = format!("1 {} {}", progress.anchor, progress.published_until);
    let partitions = progress.sealed.iter().zip(&progress.incarnations);
    text.extend(
        partitions.map(|(sealed, incarnation)| {
            format!(" {} {incarnation}", sealed.0.wrapping_sub(progress.published_until.0))
        }),
    );
    text
}

/// Publish progress from a commit, for `partitions` source partitions.
pub fn decode_collector(
    position: Offset,
    metadata: &str,
    partitions: usize,
) -> Result<CollectorProgress, ProgressError> {
    let mut fields = Fields::of(metadata)?;
    let (anchor, published_until) = (Offset(fields.next()?), EventTime(fields.next()?));
    let (mut sealed, mut incarnations) = (Vec::new(), Vec::new());
    while fields.is_more() {
        sealed.push(EventTime(published_until.0.wrapping_add(fields.next()?)));
        incarnations.push(fields.next()?);
    }
    sealed.resize(partitions.max(sealed.len()), EventTime::NEVER);
    incarnations.resize(sealed.len(), 0);
    Ok(CollectorProgress { position, anchor, published_until, sealed, incarnations })
}

struct Fields<'a> {
    rest: std::iter::Peekable<std::str::Split<'a, char>>,
    number: usize,
}

impl<'a> Fields<'a> {
    fn of(metadata: &'a str) -> Result<Self, ProgressError> {
        let mut rest = metadata.split(' ').peekable();
        match rest.next() {
            Some("1") => Ok(Self { rest, number: 0 }),
            found => Err(ProgressError::OtherVersion { found: found.unwrap_or_default().to_owned() }),
        }
    }

    fn is_more(&mut self) -> bool {
        self.rest.peek().is_some()
    }

    fn next<T: FromStr>(&mut self) -> Result<T, ProgressError> {
        self.number += 1;
        let text = self.rest.next().unwrap_or_default();
        text.parse().map_err(|_| ProgressError::ParseField { field: self.number, text: text.to_owned() })
    }

    fn optional(&mut self) -> Result<Option<i64>, ProgressError> {
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

    #[test]
    fn progress_comes_back_from_its_text() {
        let started = Progress::start(Offset(7));
        let decree = |at| Decree { at: Offset(at), watermark: EventTime(-at) };
        let anchor =
            Point { offset: Offset(5), watermark: EventTime(-3), log_time: LogTime(9), batch: Some(BatchKey(1, 0)) };
        let busy = Progress { anchor, decrees: vec![decree(6), decree(7)], decree_pending: true, ..started.clone() };
        for progress in [started, busy] {
            assert_eq!(decode(Offset(7), &encode(&progress)), Ok(progress));
        }
    }

    #[test]
    fn publish_progress_comes_back_from_its_text() {
        let mut progress = CollectorProgress::start(Offset(7), 3);
        assert_eq!(decode_collector(Offset(7), &encode_collector(&progress), 3), Ok(progress.clone()));
        progress.published_until = EventTime(600);
        progress.sealed = vec![EventTime(900), EventTime::NEVER, EventTime(600)];
        assert_eq!(decode_collector(Offset(7), &encode_collector(&progress), 3), Ok(progress));
    }

    #[test]
    fn foreign_metadata_is_refused() {
        assert_eq!(decode(Offset(0), ""), Err(ProgressError::OtherVersion { found: String::new() }));
        assert_eq!(decode(Offset(0), "1 x"), Err(ProgressError::ParseField { field: 1, text: "x".into() }));
    }
}
