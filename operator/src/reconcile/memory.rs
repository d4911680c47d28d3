//! What an operator remembers of pipelines between two passes.
//!
//! Kept true: nothing here matters to what comes about. Losing it, as in every restart, costs a few reads and writes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::apply::Tolerated;
use super::observe::{Asked, LastLook};
use super::status::Pace;
use crate::compile::Compiler;

/// All of it.
#[derive(Debug, Default)]
pub struct Memory {
    pub(super) compiler: Arc<Compiler>,
    pub(super) tolerated: Tolerated,
    pub(super) asked: Asked,
    pipelines: Mutex<HashMap<String, Remembered>>,
}

/// Of one pipeline.
#[derive(Debug, Clone, Default)]
pub(super) struct Remembered {
    /// How its watermark moved.
    pub(super) pace: Pace,
    /// When its status was written last.
    pub(super) written: Option<i64>,
    /// When something about it changed last.
    pub(super) stirred: Option<i64>,
    /// Its topics and subject, as long as they need not be looked at again.
    pub(super) looked: LastLook,
}

impl Memory {
    /// An empty one with this compiler.
    pub fn with(compiler: Arc<Compiler>) -> Self {
        Self { compiler, ..Self::default() }
    }

    fn pipelines(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of(&self, uid: &str) -> Remembered {
        self.pipelines().get(uid).cloned().unwrap_or_default()
    }

    pub(super) fn keep(&self, uid: &str, remembered: Remembered) {
        self.pipelines().insert(uid.to_owned(), remembered);
    }

    /// Forgets a pipeline, or one of its objects, that is gone.
    pub fn forget(&self, uid: &str) {
        self.pipelines().remove(uid);
        self.tolerated.forget(uid);
        self.asked.forget(uid);
    }
}
