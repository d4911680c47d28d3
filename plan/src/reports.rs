//! How long the reports of batches are kept.

use schemas::spec::{Duration, Quality};

use crate::{Path, Problem, ReportsPlan, codes};

/// Compiles `spec.quality.reports`.
pub(crate) fn compile(quality: &Quality, problems: &mut Vec<Problem>) -> ReportsPlan {
    let reports = &quality.reports;
    let (roll_up_after_ms, keep_ms) = (reports.roll_up_after.millis(), reports.keep.as_ref().map(Duration::millis));
    if let Some(keep) = reports.keep.as_ref().filter(|keep| keep.millis() < roll_up_after_ms) {
        let path = Path::of("spec.quality.reports.keep");
        let message = format!("reports would be removed after {keep}, before their day is one file");
        let help = format!("allowed is at least {}", reports.roll_up_after);
        problems.push(Problem::new(codes::RANGE, path, message).help(help));
    }
    ReportsPlan { roll_up_after_ms, keep_ms }
}
