//! L5 and L8: nothing goes back, and nothing grows with uptime.

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use stream_core::{Decree, Emission, EventTime, Lane, Offset, Progress};
use tests::model::{AggState, Doubt, Event, Group, History, Params, Record};
use tests::worlds::{Cutting, Drive, Log, Run, Said, Setting, Step};
use tests::worlds::{arb_cutting, arb_run, point_at, program, read_partial};

use crate::{cases, unexpected};

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn l5_nothing_goes_back(run in arb_run(), mut cutting in arb_cutting()) {
        let grid = run.program().windows;
        let mut drive = Drive::start(&run.log, &run.program()).map_err(|error| unexpected(&error))?;
        let (mut before, mut sealed) = (drive.lane.progress(), EventTime::NEVER);
        let mut wrong = None;
        drive.run(&run.decrees, &mut cutting, |step| {
            let (lane, now) = (step.lane, step.lane.progress());
            let sound = now.position == lane.position()
                && now.anchor.offset <= now.position
                && now.watermark == lane.watermark()
                && now.latest == lane.latest()
                && lane.sealed() == grid.floor(lane.watermark());
            if !sound || !rises(&before, &now) || lane.sealed() < sealed {
                wrong = wrong.take().or(Some((before.clone(), now.clone())));
            }
            (before, sealed) = (now, lane.sealed());
        }).map_err(|error| unexpected(&error))?;
        prop_assert_eq!(wrong, None);
    }

    /// What a lane holds, and from where it would be rebuilt, is what the oracle says; so no smaller state would do.
    #[test]
    fn l8_a_lane_holds_what_the_replay_theorem_needs(run in arb_run(), mut cutting in arb_cutting()) {
        let history = History::new(&run.setting.params, &run.log.records, &run.decrees);
        let mut drive = Drive::start(&run.log, &run.program()).map_err(|error| unexpected(&error))?;
        let mut checked = Ok(());
        drive.run(&run.decrees, &mut cutting, |step| {
            let next = run.decrees.get(step.decrees);
            let all_made = next.is_none_or(|next| next.at > step.lane.position().0);
            if all_made && checked.is_ok() {
                checked = holds_what_is_needed(&run, &history, step.lane);
            }
        }).map_err(|error| unexpected(&error))?;
        checked?;
    }
}

fn rises(before: &Progress, now: &Progress) -> bool {
    now.position >= before.position
        && now.anchor.offset >= before.anchor.offset
        && now.anchor.watermark >= before.anchor.watermark
        && now.watermark >= before.watermark
        && now.latest >= before.latest
}

fn holds_what_is_needed(run: &Run, history: &History, lane: &Lane) -> TestCaseResult {
    let position = lane.position().0;
    let state = history.state(position);
    let open: Vec<_> = lane.open_windows().map(|(start, ids, _)| (start.0, ids)).collect();
    let expected: Vec<_> = state.open.iter().map(|(window, open)| (window.start, open.ids.len())).collect();
    prop_assert_eq!(open, expected, "remembered ids at {}", position);

    let (progress, anchor) = (lane.progress(), state.rebuild.anchor.offset);
    prop_assert_eq!(progress.anchor, point_at(run, history, anchor), "anchor at {}", position);
    let mut since: Vec<_> = run.decrees.iter().map(|decree| decree.at).collect();
    since.retain(|at| (anchor + 1..=position).contains(at));
    since.dedup();
    let watermark = |at| EventTime(history.watermark(at).expect("there was a decree"));
    let decrees: Vec<_> = since.into_iter().map(|at| Decree { at: Offset(at), watermark: watermark(at) }).collect();
    prop_assert_eq!(progress.decrees, decrees, "decrees at {}", position);
    prop_assert!(!progress.decree_pending);
    Ok(())
}

/// Windows of ten records, and a record every ms.
fn setting() -> Setting {
    let params = Params {
        delay: 5,
        max_future_skew: 5,
        earliest: -1_000_000_000,
        doubt: Doubt::NONE,
        window: 10,
        window_offset: 0,
        batch_interval: 50,
        batch_max_records: 40,
        dead_letter: Vec::new(),
    };
    Setting { params, outputs: 2, late_to_dead_letter: true }
}

fn group_of(n: i64) -> Group {
    vec![Some(format!("group {n}")), None]
}

/// Each record has its own id and its own group.
fn ever_new(records: i64) -> Log {
    let event = |n: i64| Event {
        id: Some(format!("id {n}")),
        event_time: Some(n),
        rules: Vec::new(),
        filter: true,
        group: group_of(n),
        values: vec![Some(i128::from(n)), None],
    };
    let records = (0..records).map(|n| Record { offset: n, log_time: n, decodable: Some(event(n)) });
    Log::new(&setting().params, records.collect())
}

#[test]
fn l8_groups_and_cells_of_closed_windows_are_forgotten() {
    let log = ever_new(30_000);
    let mut drive = Drive::start(&log, &program(&setting())).expect("groups of text can be compared");
    let (mut most_groups, mut most_cells, mut most_ids, mut said) = (0, 0, 0, Said::default());
    let each = |step: Step<'_>| {
        most_groups = step.lane.known_groups().max(most_groups);
        most_cells = step.lane.cells().max(most_cells);
        most_ids = step.lane.open_windows().map(|(_, ids, _)| ids).sum::<usize>().max(most_ids);
        said.add(step.emissions);
    };
    drive.run(&[], &mut Cutting::new(vec![(500, 0)]), each).expect("nothing overflows");
    assert!(most_groups < 5_000, "{most_groups} groups known at once");
    assert!(most_cells < 30 && most_ids < 30, "{most_cells} cells, {most_ids} ids at once");

    // What is forgotten does not take along what is not.
    let partials = said.items.iter().filter_map(|item| if let Emission::Partial(it) = item { Some(it) } else { None });
    let mut rows: Vec<_> = partials.flat_map(|partial| read_partial(&partial.rows)).collect();
    rows.sort_by_key(|(_, state)| state.args[0].sum);
    assert_eq!(rows.len(), 29_990, "all windows but the last");
    for (n, (group, state)) in (0..).zip(rows) {
        assert_eq!((group, state), (group_of(n), AggState::of(&[Some(i128::from(n)), None])));
    }
}

#[test]
fn l8_decrees_do_not_pile_up() {
    let log = ever_new(300);
    let program = program(&setting());
    let mut drive = Drive::start(&log, &program).expect("groups of text can be compared");
    for position in 1..=300 {
        drive.step(position, &mut Cutting::whole()).expect("nothing overflows");
        // A quiet partition is decreed to again and again.
        for watermark in [position - 3, position - 2, position - 1] {
            let decreed = drive.lane.decree(EventTime(watermark)).expect("nothing overflows");
            let (with, after) = (decreed.progress.decrees.len(), drive.lane.progress().decrees.len());
            assert!(with <= 40 && after <= 40, "{with} decrees to commit at {position}, then {after}");
        }
    }
}
