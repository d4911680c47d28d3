//! Checkpoints: what a lane knows at a position, kept on a volume so that a restart need not read it again from Kafka.
//!
//! A partition has a folder `<topic id>/<partition>/` with two manifests and the segments that they name, two per open window,
//! which are only appended to. What it keeps true: a checkpoint costs what is new since the one before; it is used only when the
//! committed progress continues it exactly (see [`stream_core::LaneState::leads_to`]); anything doubtful is dropped, told, and
//! rebuilt from Kafka. The commit stays the truth: a lost, old or foreign volume costs time, never exactness.

mod load;
pub mod manifest;
pub mod volume;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use stream_core::{Error as CoreError, EventTime, Lane, Offset, Program, Progress, Window, WindowChanges};
use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

pub use load::Unusable;
use manifest::{Identity, Manifest, Segment, WindowSegments};
pub use volume::{LocalVolume, Volume};

/// Rows that a segment may hold above twice its window's groups before it is written anew.
const SPARE_ROWS: usize = 1024;
/// How many checkpoints are kept.
const KEPT: usize = 2;

/// A checkpoint could not be written. The worker goes on without it.
#[derive(Debug, Error)]
pub enum SaveError {
    /// The disk refuses: full, gone, read-only. The environment must act.
    #[error("the volume refuses: {0}")]
    Write(#[from] io::Error),
    /// Rows could not be encoded. A bug.
    #[error("the rows of a window cannot be encoded: {0}")]
    Rows(#[from] ArrowError),
    /// The state could not be encoded. A bug.
    #[error("the state cannot be encoded: {0}")]
    State(#[from] serde_json::Error),
    /// The core refused to give its rows. A bug.
    #[error(transparent)]
    Core(#[from] CoreError),
}

impl SaveError {
    /// A stable word for the status.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Write(error) if is_full(error) => "VolumeFull",
            _ => "CheckpointFailed",
        }
    }
}

/// Whether a disk refuses because there is no room on it.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// The position of the checkpoint.
    pub position: Offset,
    /// Bytes that this checkpoint wrote.
    pub written: u64,
    /// Bytes that belong to it in all.
    pub held: u64,
}

/// The checkpoints of one partition.
pub struct Keeper {
    volume: Arc<dyn Volume>,
    identity: Identity,
    folder: String,
    sequence: u64,
    windows: BTreeMap<EventTime, Files>,
    /// The files that each kept checkpoint names, oldest first.
    kept: Vec<(u64, Vec<String>)>,
}

/// The segments of an open window that are being appended to.
#[derive(Default)]
struct Files {
    ids: Appended,
    rows: Appended,
    /// Rows in the segment, replaced ones too.
    row_count: usize,
    groups: usize,
}

/// A segment, and the running checksum of its bytes.
#[derive(Default)]
struct Appended {
    file: String,
    bytes: u64,
    checksum: Xxh3,
}

impl Keeper {
    /// The keeper of a partition's checkpoints. Removes those of other topics.
    pub fn open(volume: Arc<dyn Volume>, identity: Identity) -> Self {
        let folder = format!("{}/{}", identity.topic, identity.partition);
        for other in volume.names("").unwrap_or_default() {
            // Whatever else lies there is not ours.
            let of_topic = other.starts_with("name-") || is_id(&other);
            if of_topic && other != identity.topic {
                tracing::info!(topic = other, "checkpoints of another topic are removed");
                tell(volume.remove(&other));
            }
        }
        Self { volume, identity, folder, sequence: 0, windows: BTreeMap::new(), kept: Vec::new() }
    }

    /// A lane at the newest checkpoint that leads to `progress`; nothing when there is none, and then all are removed.
    pub fn load(&mut self, program: &Arc<Program>, progress: &Progress) -> Option<Lane> {
        let names = self.volume.names(&self.folder).unwrap_or_default();
        let mut manifests: Vec<(u64, &String)> =
            names.iter().filter_map(|name| Some((name.strip_prefix("manifest-")?.parse().ok()?, name))).collect();
        manifests.sort_unstable();
        self.sequence = manifests.last().map_or(0, |(sequence, _)| *sequence);
        let partition = self.identity.partition;
        while let Some((sequence, name)) = manifests.pop() {
            match self.try_load(name, program, progress) {
                Ok(lane) => {
                    tracing::info!(partition, sequence, position = lane.position().0, "begins at a checkpoint");
                    self.remove_others(&names);
                    return Some(lane);
                }
                Err(error) => tracing::warn!(partition, sequence, %error, "a checkpoint is not used"),
            }
        }
        self.remove_others(&names);
        None
    }

    fn try_load(&mut self, name: &str, program: &Arc<Program>, progress: &Progress) -> Result<Lane, Unusable> {
        let path = format!("{}/{name}", self.folder);
        let bytes = self.volume.read(&path)?.unwrap_or_default();
        let loaded = load::load(&*self.volume, &self.folder, &bytes, &self.identity, program, progress)?;
        let Manifest { sequence, state, windows, .. } = loaded.manifest;
        self.kept = vec![(sequence, files_of(&windows))];
        for ((window, segments), (ids, rows, row_count)) in state.windows.iter().zip(windows).zip(loaded.running) {
            let appended = |segment: Segment, checksum| Appended { file: segment.file, bytes: segment.bytes, checksum };
            let (ids, rows) = (appended(segments.ids, ids), appended(segments.rows, rows));
            self.windows.insert(window.window.start, Files { ids, rows, row_count, groups: row_count });
        }
        Ok(loaded.lane)
    }

    /// Writes a checkpoint of `lane`. Nothing when it is replaying. After an error the next one is written anew.
    pub fn save(&mut self, lane: &mut Lane) -> Result<Option<Saved>, SaveError> {
        let saved = self.try_save(lane);
        if saved.is_err() {
            lane.save_anew();
            self.windows.clear();
        }
        saved
    }

    fn try_save(&mut self, lane: &mut Lane) -> Result<Option<Saved>, SaveError> {
        let Some(state) = lane.state() else { return Ok(None) };
        self.sequence += 1;
        self.windows.retain(|start, _| state.windows.iter().any(|open| open.window.start == *start));
        let files = &self.windows;
        let changes = lane.changes(|window| files.get(&window.start).is_some_and(Files::is_sparse))?;
        let (mut windows, mut written) = (Vec::new(), 0);
        for change in &changes {
            written += self.append(change)?;
            windows.push(self.windows[&change.window.start].segments());
        }
        let held = windows.iter().map(|window| window.ids.bytes + window.rows.bytes).sum::<u64>();
        let position = state.position;
        let names = files_of(&windows);
        let manifest =
            Manifest { identity: self.identity.clone(), sequence: self.sequence, state, windows }.encode()?;
        self.volume.replace(&format!("{}/manifest-{}", self.folder, self.sequence), &manifest)?;
        self.kept.push((self.sequence, names));
        self.forget_old();
        let size = manifest.len() as u64;
        Ok(Some(Saved { position, written: written + size, held: held + size }))
    }

    /// Appends what is new of a window; how many bytes.
    fn append(&mut self, change: &WindowChanges) -> Result<u64, SaveError> {
        let files = self.windows.entry(change.window.start).or_default();
        if change.whole || files.ids.file.is_empty() {
            files.ids = Appended::new(&change.window, self.sequence, "ids");
        }
        if change.whole_rows || files.rows.file.is_empty() {
            files.rows = Appended::new(&change.window, self.sequence, "rows");
            files.row_count = 0;
        }
        files.row_count += change.rows.num_rows();
        files.groups = change.groups;
        let ids: Vec<u8> = change.ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        let rows = frame(&change.rows)?;
        let (volume, folder) = (&*self.volume, &self.folder);
        Ok(files.ids.append(volume, folder, &ids)? + files.rows.append(volume, folder, &rows)?)
    }

    /// Removes the checkpoints before the last few, and the segments that only they name.
    fn forget_old(&mut self) {
        while self.kept.len() > KEPT {
            let (sequence, files) = self.kept.remove(0);
            tell(self.volume.remove(&format!("{}/manifest-{sequence}", self.folder)));
            let is_unused = |file: &&String| !self.kept.iter().any(|(_, kept)| kept.contains(file));
            for file in files.iter().filter(is_unused) {
                tell(self.volume.remove(&format!("{}/{file}", self.folder)));
            }
        }
    }

    /// Removes everything that no kept checkpoint names.
    fn remove_others(&self, names: &[String]) {
        let manifests: Vec<String> = self.kept.iter().map(|(sequence, _)| format!("manifest-{sequence}")).collect();
        for name in names.iter().filter(|name| !manifests.contains(name)) {
            if !self.kept.iter().any(|(_, files)| files.contains(name)) {
                tell(self.volume.remove(&format!("{}/{name}", self.folder)));
            }
        }
    }
}

impl Files {
    /// Whether so many rows are replaced by later ones that the segment is better written anew.
    fn is_sparse(&self) -> bool {
        self.row_count > 2 * self.groups + SPARE_ROWS
    }

    fn segments(&self) -> WindowSegments {
        WindowSegments { ids: self.ids.segment(), rows: self.rows.segment() }
    }
}

impl Appended {
    fn new(window: &Window, sequence: u64, kind: &str) -> Self {
        Self { file: format!("{}-{sequence}.{kind}", window.start), ..Self::default() }
    }

    fn append(&mut self, volume: &dyn Volume, folder: &str, bytes: &[u8]) -> io::Result<u64> {
        if bytes.is_empty() {
            return Ok(0);
        }
        volume.append(&format!("{folder}/{}", self.file), self.bytes, bytes)?;
        self.checksum.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len() as u64)
    }

    fn segment(&self) -> Segment {
        let checksum = format!("{:032x}", self.checksum.digest128());
        Segment { file: self.file.clone(), bytes: self.bytes, checksum }
    }
}

fn files_of(windows: &[WindowSegments]) -> Vec<String> {
    windows.iter().flat_map(|window| [window.ids.file.clone(), window.rows.file.clone()]).collect()
}

/// Rows as a frame of a segment; no rows are no frame.
fn frame(rows: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    if rows.num_rows() == 0 {
        return Ok(Vec::new());
    }
    let mut writer = StreamWriter::try_new(vec![0; 4], &rows.schema())?;
    writer.write(rows)?;
    let mut bytes = writer.into_inner()?;
    let length = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// Whether a folder is named by a topic's identity.
fn is_id(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What cannot be removed only takes room.
fn tell(removed: io::Result<()>) {
    if let Err(error) = removed {
        tracing::warn!(%error, "an old checkpoint file could not be removed");
    }
}

#[cfg(test)]
mod tests;
