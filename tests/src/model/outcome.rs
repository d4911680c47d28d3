//! All that one partition says about its log, gathered: what the core's emissions are compared with.

use std::collections::BTreeMap;

use super::{Batch, Decree, Groups, History, Ledger, Params, RebuildPoint, Record, Seal, State, Verdict, Window};

/// Everything that comes out of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionOutcome {
    /// The verdict of every record, by offset.
    pub verdicts: Vec<(i64, Verdict)>,
    /// The partial of every closed window.
    pub partials: BTreeMap<Window, Groups>,
    /// The seals, in order.
    pub seals: Vec<Seal>,
    /// The reports of the finished batches, in order.
    pub batches: Vec<Batch>,
    /// The account of all records.
    pub ledger: Ledger,
    /// For the position after each record and each decree, from where it can be rebuilt; ascending.
    pub rebuild_points: Vec<(i64, RebuildPoint)>,
    /// What is still open at the end.
    pub left: State,
}

/// Reads `records` to the end and, if asked, drains to the watermark `drained_to` just after the last one.
pub fn run(records: &[Record], params: &Params, drained_to: Option<i64>) -> PartitionOutcome {
    let drain: Vec<Decree> = drained_to.map(|to| Decree::after(records, to)).into_iter().collect();
    run_with_decrees(records, params, &drain)
}

/// Reads `records` to the end with decrees between them.
pub fn run_with_decrees(records: &[Record], params: &Params, decrees: &[Decree]) -> PartitionOutcome {
    let history = History::new(params, records, decrees);
    let positions = history.watermarks().into_iter().map(|(position, _)| position);
    let mut rebuild_points: Vec<_> = positions.map(|position| (position, history.rebuild_point(position))).collect();
    rebuild_points.dedup();
    PartitionOutcome {
        verdicts: history.verdicts(),
        partials: history.partials(),
        seals: history.seals(),
        batches: history.batches(),
        ledger: history.ledger(),
        rebuild_points,
        left: history.state(history.end()),
    }
}

impl PartitionOutcome {
    /// How far the partition is sealed; `None` before the first seal.
    pub fn sealed_until(&self) -> Option<i64> {
        self.seals.last().map(|seal| seal.sealed_until)
    }

    /// The offsets of the dead letters, with those of late records if the policy keeps them.
    pub fn dead_letters(&self, late_too: bool) -> Vec<i64> {
        let refused = |verdict: &Verdict| match verdict {
            Verdict::Undecodable | Verdict::Invalid(_) => true,
            Verdict::Late => late_too,
            Verdict::Filtered | Verdict::Duplicate | Verdict::Counted => false,
        };
        self.verdicts.iter().filter(|(_, verdict)| refused(verdict)).map(|(offset, _)| *offset).collect()
    }
}
