//! L1 and L2: every record is accounted for, and no cutting of the log into fetches can be told from what a lane says.

use proptest::prelude::*;
use stream_core::{Emission, EventTime, Verdicts};
use tests::model::Record;
use tests::worlds::{Cutting, Drive, Said, agrees, arb_cutting, arb_run, undisturbed};

use crate::{cases, unexpected};

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn l2_what_a_lane_says_is_what_the_oracle_says(run in arb_run(), cutting in arb_cutting()) {
        let said = undisturbed(&run.log, &run.program(), &run.decrees, cutting).map_err(|error| unexpected(&error))?;
        agrees(&run, &said)?;
    }

    #[test]
    fn l2_no_cutting_changes_what_a_lane_says(run in arb_run(), cuttings in [arb_cutting(), arb_cutting()]) {
        let program = run.program();
        let one_by_one = undisturbed(&run.log, &program, &run.decrees, Cutting::single()).map_err(|error| unexpected(&error))?;
        for cutting in cuttings.into_iter().chain([Cutting::whole()]) {
            let other = undisturbed(&run.log, &program, &run.decrees, cutting).map_err(|error| unexpected(&error))?;
            prop_assert_eq!(&other, &one_by_one);
        }
    }

    #[test]
    fn l1_every_record_and_every_gap_is_accounted_for(run in arb_run(), mut cutting in arb_cutting()) {
        let mut said = Said::default();
        let mut drive = Drive::start(&run.log, &run.program()).map_err(|error| unexpected(&error))?;
        drive.run(&run.decrees, &mut cutting, |step| said.add(step.emissions)).map_err(|error| unexpected(&error))?;
        prop_assert_eq!(drive.lane.verdicts().consumed(), run.log.records.len() as u64);

        // Ends the open batch, so that every record is in a report.
        said.add(drive.lane.decree(EventTime::NEVER).map_err(|error| unexpected(&error))?.emissions);
        let (mut total, mut covered, mut reached) = (Verdicts::default(), 0, run.log.start());
        for item in &said.items {
            let Emission::Report(report) = item else { continue };
            let range = (report.end.0 - report.first.0).unsigned_abs();
            prop_assert_eq!(report.verdicts.consumed() + report.gaps, range);
            prop_assert!(report.first.0 >= reached, "batches do not overlap");
            let between = |record: &&Record| (reached..report.first.0).contains(&record.offset);
            prop_assert_eq!(run.log.records.iter().find(between), None, "a record between two batches");
            reached = report.end.0;
            total.merge(&report.verdicts);
            covered += range;
        }
        prop_assert_eq!(total, drive.lane.verdicts());
        if run.decrees.is_empty() {
            prop_assert_eq!(covered, (run.log.end() - run.log.start()).unsigned_abs());
        }
    }
}
