//! What a manifest may ask for that this version does not carry out: refused at the start, never ignored.

use plan::{OnDataLoss, Plan};
use schemas::epochs::Epochs;
use schemas::spec::{API_VERSION, AnalyticsPipeline, KIND, Metadata};
use stream_core::Program;
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

/// A change of meaning: windows that are open would mix both. One that only raises the revision is none.
pub(crate) fn check_meaning(plan: &Plan, program: &Program, epochs: &Epochs) -> Result<(), Unsupported> {
    let Some(previous) = &epochs.previous else { return Ok(()) };
    let before = AnalyticsPipeline {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        metadata: Metadata { name: plan.name.clone(), ..Metadata::default() },
        spec: previous.spec.clone(),
    };
    let before = Plan::compile(&before).ok().map(|plan| crate::program::program(&plan).fingerprint());
    if before == Some(program.fingerprint()) {
        return Ok(());
    }
    Err(Unsupported {
        field: format!("revision {}", plan.revision),
        found: format!("another meaning than revision {} of the open windows", previous.spec.revision),
        allowed: "the meaning before (delete the resource, keep its topics, create it anew), or a pipeline of another name",
    })
}

impl Unsupported {
    /// The sink is of a kind that this version does not write to.
    pub(crate) fn sink(plan: &Plan) -> Self {
        Self { field: "'sink.path'".to_owned(), found: format!("'{}'", plan.sink.url), allowed: "'file:///PATH'" }
    }
}

#[cfg(test)]
mod tests {
    use schemas::epochs::PreviousMeaning;

    use super::*;

    #[test]
    fn a_revision_may_rise_but_not_change_what_open_windows_mean() {
        let manifest = include_str!("../../examples/revenue-5m.yaml");
        let mut pipeline: AnalyticsPipeline = serde_saphyr::from_str(manifest).expect("the example parses");
        let mut check = |epochs: &Epochs, measure: &str| {
            pipeline.spec.revision = 2;
            pipeline.spec.measures[0].expression = measure.to_owned();
            let plan = Plan::compile(&pipeline).expect("the example is right");
            check_meaning(&plan, &crate::program::program(&plan), epochs)
        };
        let spec = serde_saphyr::from_str::<AnalyticsPipeline>(manifest).expect("the example parses").spec;
        let epochs = Epochs { previous: Some(PreviousMeaning { until: 300_000, spec }), ..Epochs::default() };
        assert_eq!(check(&epochs, "sum(amount)"), Ok(()));
        assert_eq!(check(&Epochs::default(), "max(amount)"), Ok(()));
        let refused = check(&epochs, "max(amount)").expect_err("open windows hold sums").to_string();
        assert_eq!(
            refused,
            "revision 2 is another meaning than revision 1 of the open windows, which this version does not carry out; allowed \
             is the meaning before (delete the resource, keep its topics, create it anew), or a pipeline of another name"
        );
    }
}
