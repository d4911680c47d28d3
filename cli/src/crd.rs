//! `sluice crd`: the definition of the resource, which is generated from the operator's types.

use std::io::{self, Write};

/// The definition as YAML.
pub const DEFINITION: &str = include_str!("../../crds/analyticspipelines.sluice.dev.yaml");

/// Writes the definition.
///
/// # Errors
/// `out` cannot be written.
pub fn run(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(DEFINITION.as_bytes())
}
