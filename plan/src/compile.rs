//! The order in which a manifest is compiled.

use schemas::spec::AnalyticsPipeline;

use crate::{Path, Plan, Problem, Problems, codes};

impl Plan {
    /// Compiles a manifest.
    ///
    /// # Errors
    /// Every problem of the manifest at once.
    pub fn compile(pipeline: &AnalyticsPipeline) -> Result<Self, Problems> {
        let _ = pipeline;
        Err(Problems(vec![Problem::new(
            codes::SCHEMA,
            Path::default(),
            "not compiled yet",
        )]))
    }
}
