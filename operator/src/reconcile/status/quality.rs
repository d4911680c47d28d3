//! `DataQualityHealthy`: how the records stand to the rules, by the workers' reports.

use schemas::report::{Ledger, WorkerReport};
use schemas::status::{DataQuality, Reason};

use super::Answer;

/// The answer of all workers together.
pub fn quality_condition(reports: &[&WorkerReport]) -> (Answer, Option<DataQuality>) {
    let mut ledger = Ledger::default();
    for partition in reports.iter().flat_map(|report| &report.partitions) {
        ledger.add(&partition.ledger);
    }
    if ledger.consumed == 0 {
        return (Answer::unknown(Reason::NoBatchYet, "no batch has been reported yet"), None);
    }
    let troubles = reports.iter().flat_map(|report| &report.troubles);
    if let Some(trouble) = troubles.into_iter().find(|trouble| trouble.reason == "DeadLetterRunaway") {
        return (Answer::no(Reason::DeadLetterRunaway, &trouble.message), None);
    }
    (Answer::yes(Reason::WithinThresholds, "no rule is broken by more records than is tolerated"), None)
}
