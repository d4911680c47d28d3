//! Manifests are compiled apart: in another process with limits, because a manifest is a stranger's text. One that takes all memory,
//! overflows the stack or never ends costs that process, and is refused with these words.
//!
//! | file | process | task |
//! |---|---|---|
//! | here | operator | remembers what came of each manifest |
//! | `apart` | operator | starts the other process, asks it, judges its end |
//! | `child` | the other | limits itself, compiles what it is told |

mod apart;
mod child;
mod frame;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use plan::{Outline, Plan};
use schemas::spec::AnalyticsPipeline;
use thiserror::Error;

use apart::Apart;

pub use child::{ARGUMENT, serve};

/// What one manifest may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory of the process, in MiB.
    pub memory_mib: u32,
    /// Processor time, in seconds.
    pub processor_s: u32,
}

impl Default for Limits {
    /// Beside the operator itself it fits into the memory that the chart gives. A manifest of ordinary size takes a tenth of each.
    fn default() -> Self {
        Self { memory_mib: 128, processor_s: 5 }
    }
}

/// A manifest could not be judged for a reason that is not its own. Worth another try.
#[derive(Debug, Error)]
#[error("the manifest could not be compiled now: {message}")]
pub struct CompileError {
    /// What was in the way.
    pub message: String,
}

/// Compiles manifests, and remembers what came of them: a pipeline is judged again at every pass, and seldom changes.
#[derive(Debug, Default)]
pub struct Compiler {
    remembered: Mutex<Remembered>,
    /// Absent: here, in this process.
    apart: Option<Apart>,
}

/// By the hash of the manifest's text.
#[derive(Debug, Default)]
struct Remembered {
    verdicts: HashMap<blake3::Hash, Result<Outline, String>>,
    bytes: usize,
}

/// Beyond so many bytes all are forgotten, which only costs time.
const MOST_REMEMBERED: usize = 16 << 20;

impl Compiler {
    /// Compiles in processes of `program`, which must be this operator: it is called with [`child::ARGUMENT`].
    pub fn apart(program: PathBuf, limits: Limits) -> Self {
        Self { apart: Some(Apart::new(program, limits)), ..Self::default() }
    }

    /// The outline of the manifest's plan, or in words why there is none.
    ///
    /// # Errors
    /// The other process cannot be started, or was killed by somebody else.
    pub async fn compile(&self, manifest: &AnalyticsPipeline) -> Result<Result<Outline, String>, CompileError> {
        let text = serde_json::to_vec(manifest).map_err(|error| CompileError { message: error.to_string() })?;
        let hash = blake3::hash(&text);
        let remembered = || self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = remembered().verdicts.get(&hash) {
            return Ok(known.clone());
        }
        let verdict = match &self.apart {
            Some(apart) => apart.compile(&text).await?,
            None => compile(manifest),
        };
        let mut remembered = remembered();
        let size = match &verdict {
            // The schema is what can be large.
            Ok(outline) => 4_096 + outline.full_schema.len() + outline.reader_schema.len(),
            Err(words) => words.len(),
        };
        if remembered.bytes + size > MOST_REMEMBERED {
            *remembered = Remembered::default();
        }
        remembered.bytes += size;
        remembered.verdicts.insert(hash, verdict.clone());
        Ok(verdict)
    }
}

/// In this process.
fn compile(manifest: &AnalyticsPipeline) -> Result<Outline, String> {
    Plan::compile(manifest).map(Outline::from).map_err(|problems| problems.to_string())
}
