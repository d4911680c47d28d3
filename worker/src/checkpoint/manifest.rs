//! The manifest of a checkpoint: what it is of, the lane's state, and which bytes of which segments belong to it.
//!
//! The form is one line of JSON and one line with its XXH3-128 in hexadecimal. It is valid whole or not at all.

use serde::{Deserialize, Serialize};
use stream_core::LaneState;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_128;

/// The form that this build writes, and the only one that it reads.
pub const FORMAT: u32 = 1;

/// What a checkpoint is of. A checkpoint of anything else is of no use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The form of the files.
    pub format: u32,
    /// The version of Sluice that wrote it.
    pub engine: String,
    /// The source topic's identity; its name where the broker gives none.
    pub topic: String,
    /// The source partition.
    pub partition: i32,
    /// The revision of the pipeline's meaning.
    pub revision: i64,
    /// Fingerprint of the compiled meaning.
    pub program: String,
}

/// A file's valid beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// Its name in the partition's folder.
    pub file: String,
    /// How many bytes of it belong to the checkpoint; what follows does not.
    pub bytes: u64,
    /// XXH3-128 of these bytes, hexadecimal.
    pub checksum: String,
}

/// The segments of an open window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WindowSegments {
    /// Its ids, 16 bytes each, little endian.
    pub ids: Segment,
    /// Its groups' states: frames of a length (u32, little endian) and an Arrow IPC stream; later rows replace earlier ones.
    pub rows: Segment,
}

/// A checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// What it is of.
    pub identity: Identity,
    /// Its number; the next one's is higher.
    pub sequence: u64,
    /// The lane, but for the content of its windows.
    pub state: LaneState,
    /// The content of its windows, in the state's order.
    pub windows: Vec<WindowSegments>,
}

/// A manifest that cannot be trusted.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// It is cut short, or has been changed.
    #[error("its checksum does not match")]
    Checksum,
    /// It has another form. Another version wrote it.
    #[error("it does not parse: {source}")]
    Parse {
        /// Why.
        #[from]
        source: serde_json::Error,
    },
}

impl Manifest {
    /// The manifest as bytes.
    ///
    /// # Errors
    /// Never for values that a lane gives.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec(self)?;
        let checksum = xxh3_128(&bytes);
        bytes.extend(format!("\n{checksum:032x}\n").bytes());
        Ok(bytes)
    }

    /// The manifest that `bytes` hold.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let (content, tail) = bytes.split_at_checked(bytes.len().saturating_sub(34)).ok_or(ManifestError::Checksum)?;
        if tail != format!("\n{:032x}\n", xxh3_128(content)).as_bytes() {
            return Err(ManifestError::Checksum);
        }
        Ok(serde_json::from_slice(content)?)
    }
}
