//! Reading a checkpoint back: the newest one that can be trusted and that leads to the committed progress.

use std::io;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use stream_core::{Error as CoreError, Lane, Program, Progress, WindowContent};
use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

use super::manifest::{Identity, Manifest, ManifestError, Segment};
use super::volume::Volume;
use crate::arrow_stream;

/// Why a checkpoint is of no use. The partition is then rebuilt from an older one, or from Kafka.
#[derive(Debug, Error)]
pub enum Unusable {
    /// The disk refuses.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    /// The manifest cannot be trusted.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It is of something else.
    #[error("it is of {found:?}, expected {wanted:?}")]
    Foreign {
        /// What it is of.
        found: Box<Identity>,
        /// What is wanted.
        wanted: Box<Identity>,
    },
    /// The committed progress does not continue it, or is rebuilt faster without it.
    #[error("it was taken at offset {at}, which does not lead to the commit at {position} with its anchor {anchor}")]
    OffTheWay {
        /// Its position.
        at: i64,
        /// The committed position.
        position: i64,
        /// The committed anchor.
        anchor: i64,
    },
    /// A segment is missing, cut short, or changed.
    #[error("segment '{file}' is missing or damaged")]
    Segment {
        /// The file.
        file: String,
    },
    /// Rows do not parse, though their checksum is right.
    #[error("the rows of a window do not parse: {0}")]
    Rows(#[from] ArrowError),
    /// The core refuses what was saved.
    #[error(transparent)]
    Core(#[from] CoreError),
}

/// A checkpoint that was read back.
pub(super) struct Loaded {
    pub manifest: Manifest,
    pub lane: Lane,
    /// Per window, what a writer needs to go on: the running checksums of ids and rows, and the number of rows.
    pub running: Vec<(Xxh3, Xxh3, usize)>,
}

/// Reads the checkpoint whose manifest is `bytes`.
pub(super) fn load(
    volume: &dyn Volume,
    folder: &str,
    bytes: &[u8],
    identity: &Identity,
    program: &Arc<Program>,
    progress: &Progress,
) -> Result<Loaded, Unusable> {
    let manifest = Manifest::decode(bytes)?;
    if manifest.identity != *identity {
        let (found, wanted) = (Box::new(manifest.identity), Box::new(identity.clone()));
        return Err(Unusable::Foreign { found, wanted });
    }
    let state = &manifest.state;
    if !state.leads_to(program, progress) || state.windows.len() != manifest.windows.len() {
        let (at, position, anchor) = (state.position.0, progress.position.0, progress.anchor.offset.0);
        return Err(Unusable::OffTheWay { at, position, anchor });
    }
    let (mut contents, mut running) = (Vec::new(), Vec::new());
    for window in &manifest.windows {
        let (ids, ids_checksum) = segment(volume, folder, &window.ids)?;
        let ids: Vec<u128> = ids.as_chunks::<16>().0.iter().map(|id| u128::from_le_bytes(*id)).collect();
        let (rows, rows_checksum) = segment(volume, folder, &window.rows)?;
        let rows = frames(&rows, program, &window.rows.file)?;
        running.push((ids_checksum, rows_checksum, rows.iter().map(RecordBatch::num_rows).sum()));
        contents.push(WindowContent { ids, rows });
    }
    let lane = Lane::resume_at(program.clone(), progress, state.clone(), contents)?;
    Ok(Loaded { manifest, lane, running })
}

/// The valid beginning of a segment.
fn segment(volume: &dyn Volume, folder: &str, segment: &Segment) -> Result<(Vec<u8>, Xxh3), Unusable> {
    let damaged = || Unusable::Segment { file: segment.file.clone() };
    let mut checksum = Xxh3::new();
    if segment.bytes == 0 {
        return Ok((Vec::new(), checksum));
    }
    let mut bytes = volume.read(&format!("{folder}/{}", segment.file))?.ok_or_else(damaged)?;
    if (bytes.len() as u64) < segment.bytes {
        return Err(damaged());
    }
    bytes.truncate(segment.bytes as usize);
    checksum.update(&bytes);
    if format!("{:032x}", checksum.digest128()) == segment.checksum { Ok((bytes, checksum)) } else { Err(damaged()) }
}

/// The batches of a segment of rows.
fn frames(mut bytes: &[u8], program: &Program, file: &str) -> Result<Vec<RecordBatch>, Unusable> {
    let damaged = || Unusable::Segment { file: file.to_owned() };
    let wanted = program.partial_schema();
    let mut batches = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (frame, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(damaged)?;
        let (columns, rows) = arrow_stream::read(frame)?;
        if columns.fields() != wanted.fields() {
            return Err(damaged());
        }
        batches.extend(rows);
        bytes = rest;
    }
    if bytes.is_empty() { Ok(batches) } else { Err(damaged()) }
}
