//! A problem and where it is in the file.

use std::ops::Range;

use plan::{Path, Problem};

use super::tree::Node;
use super::{Source, codes};

/// A problem of a manifest and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable code.
    pub code: &'static str,
    /// The node of the manifest, from the document's root.
    pub path: Path,
    /// What is wrong.
    pub message: String,
    /// What is allowed, or the nearest valid name.
    pub help: Option<String>,
    /// The bytes of the file to point at, on one line.
    pub range: Range<usize>,
}

impl Finding {
    /// Finds a problem's place in its document.
    pub fn locate(problem: Problem, document: &Node, source: &Source) -> Self {
        let range = match problem.code {
            codes::FIELD_UNKNOWN | codes::FIELD_TWICE => document.key(&problem.path).unwrap_or_default(),
            _ => document.locate(&source.text, &problem.path, problem.span.as_ref()),
        };
        let range = source.first_line(&range);
        Self { code: problem.code, path: problem.path, message: problem.message, help: problem.help, range }
    }
}
