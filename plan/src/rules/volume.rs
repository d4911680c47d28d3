//! The rule about the records of a batch: limits in percent of the median of the batches before it.

use schemas::spec::{OnViolation, Volume};

use super::meaning::Scope;
use super::{TypedCheck, TypedRule};
use crate::{Problem, VolumePlan, codes};

impl Scope<'_> {
    /// Limits on both sides of the median, or on one.
    pub(super) fn volume(&self, volume: &Volume, problems: &mut Vec<Problem>) -> Option<TypedRule> {
        let before = problems.len();
        let path = self.path.key("volume");
        let mut refuse = |key: &str, code, message: String, help: &str| {
            problems.push(Problem::new(code, path.key(key), message).help(help));
        };
        if let Some(least) = volume.min_percent.filter(|least| *least > 100) {
            let message = format!("{least} percent of the median are more than the median itself");
            refuse("minPercent", codes::RANGE, message, "allowed is at most 100");
        }
        if let Some(most) = volume.max_percent.filter(|most| *most < 100) {
            let message = format!("{most} percent of the median are less than the median itself");
            refuse("maxPercent", codes::RANGE, message, "allowed is at least 100");
        }
        if volume.batches == 0 {
            refuse("batches", codes::RANGE, "there is no median of no batches".to_owned(), "allowed is at least 1");
        }
        if volume.min_percent.is_none() && volume.max_percent.is_none() {
            let message = "'volume' has no limit".to_owned();
            problems
                .push(Problem::new(codes::EMPTY, path, message).help("allowed is 'minPercent', 'maxPercent', or both"));
        }
        if self.rule.on_violation != OnViolation::Report {
            let message = "a batch is no record that could be refused";
            let path = self.path.key("onViolation");
            problems.push(Problem::new(codes::RULE_FIELD, path, message).help("allowed is 'Report'"));
        }
        if problems.len() > before {
            return None;
        }
        let (min_percent, max_percent, batches) = (volume.min_percent, volume.max_percent, volume.batches);
        let limits = match (min_percent, max_percent) {
            (Some(least), Some(most)) => format!("{least} to {most} %"),
            (Some(least), None) => format!("at least {least} %"),
            (None, most) => format!("at most {} %", most.unwrap_or_default()),
        };
        let expected = format!("{limits} of the median of the {batches} batches before");
        let plan = VolumePlan { min_percent, max_percent, batches };
        let canonical = format!("volume {min_percent:?} {max_percent:?} {batches}");
        Some(self.typed(TypedCheck::Volume(plan), expected, &canonical))
    }
}
