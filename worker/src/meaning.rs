//! The meaning that windows before a boundary have, when it is another one than the pipeline's own.

use std::sync::Arc;

use plan::Plan;
use schemas::epochs::Epochs;
use schemas::spec::{API_VERSION, AnalyticsPipeline, KIND, Metadata};
use stream_core::{Change, EventTime, Program};

use crate::program::program;
use crate::supported::Unsupported;

/// A meaning that is being left.
#[derive(Debug)]
pub struct Previous {
    /// The pipeline as it was.
    pub plan: Arc<Plan>,
    /// From which window on it is over.
    pub change: Arc<Change>,
}

impl Previous {
    /// What `epochs` say was before `plan`, if it meant anything else. A revision that only rises is no change.
    pub fn of(plan: &Plan, now: &Program, epochs: &Epochs) -> Result<Option<Arc<Self>>, Unsupported> {
        let Some(previous) = &epochs.previous else { return Ok(None) };
        let before = AnalyticsPipeline {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            metadata: Metadata { name: plan.name.clone(), ..Metadata::default() },
            spec: previous.spec.clone(),
        };
        let before = Plan::compile(&before).map_err(|problems| Unsupported {
            field: format!("revision {}", plan.revision),
            found: format!("another meaning than revision {}: {problems}", previous.spec.revision),
            allowed: "a meaning before that this version can carry out to its last window",
        })?;
        let meant = program(&before);
        if meant.fingerprint() == now.fingerprint() {
            return Ok(None);
        }
        let beside = Program { batch: meant.batch, ..program(plan) };
        let until = beside.windows.ceil(EventTime(previous.until));
        let change = Change { before: Arc::new(meant), beside: Arc::new(beside), until };
        Ok(Some(Arc::new(Self { plan: Arc::new(before), change: Arc::new(change) })))
    }
}

#[cfg(test)]
mod tests {
    use schemas::epochs::PreviousMeaning;

    use super::*;

    #[test]
    fn a_revision_may_rise_without_a_change_of_meaning() {
        let manifest = include_str!("../../examples/revenue-5m.yaml");
        let mut pipeline: AnalyticsPipeline = serde_saphyr::from_str(manifest).expect("the example parses");
        let spec = pipeline.spec.clone();
        let epochs = Epochs { previous: Some(PreviousMeaning { until: 300_001, spec }), ..Epochs::default() };
        let mut previous = |epochs: &Epochs, measure: &str| {
            pipeline.spec.revision = 2;
            pipeline.spec.measures[0].expression = measure.to_owned();
            let plan = Plan::compile(&pipeline).expect("the example is right");
            Previous::of(&plan, &program(&plan), epochs).expect("it can be carried out")
        };
        assert!(previous(&epochs, "sum(amount)").is_none());
        assert!(previous(&Epochs::default(), "max(amount)").is_none());
        let changed = previous(&epochs, "max(amount)").expect("open windows hold sums");
        assert_eq!((changed.plan.revision, changed.change.until), (1, EventTime(600_000)));
    }
}
