//! What a manifest may ask for that this version does not carry out: refused at the start, never ignored.

use plan::{OnDataLoss, Plan};
use thiserror::Error;

/// A part of the manifest that this version does not carry out. The user must change it.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{field} is {found}, which this version does not carry out; allowed is {allowed}")]
pub struct Unsupported {
    /// The manifest's field.
    pub field: String,
    /// Its value.
    pub found: String,
    /// What may stand there.
    pub allowed: &'static str,
}

/// The first such part of `plan`; the sink is looked at where it is opened.
pub(crate) fn check(plan: &Plan) -> Result<(), Unsupported> {
    let refuse = |field: &str, found: &str, allowed| {
        let (field, found) = (format!("'{field}'"), format!("'{found}'"));
        Err(Unsupported { field, found, allowed })
    };
    if plan.source.on_data_loss == OnDataLoss::Continue {
        return refuse("source.onDataLoss", "Continue", "'Stop'");
    }
    Ok(())
}

impl Unsupported {
    /// The sink is of a kind that this version does not write to.
    pub(crate) fn sink(plan: &Plan) -> Self {
        Self { field: "'sink.path'".to_owned(), found: format!("'{}'", plan.sink.url), allowed: "'file:///PATH'" }
    }
}
